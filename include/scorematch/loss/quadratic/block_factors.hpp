// SPDX-License-Identifier: MIT
//
// What the derivatives of a block of samples are multiplied with: the weights of the samples alone,
// or also the weights of their coordinates and the derivatives of a base measure.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/family/statistic_derivatives.hpp>
#include <scorematch/family/statistics.hpp>
#include <scorematch/loss/quadratic/summand.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>

namespace scorematch::detail {

// What coordinate j of one sample adds, but for the weight of the sample:
// h d_jj t + drift d_j t to the linear term, h d_j t d_j t^T to the quadratic one.
template <class Sum>
struct CoordinateFactors {
  Sum h{1};
  Sum drift{0};     // h' + h d_j b
  Sum constant{0};  // h (1/2 (d_j b)^2 + d_jj b) + h' d_j b
};

// Of the coordinate's value and the derivatives of the base measure by it.
template <class S, class Sum = typename S::Sum>
CoordinateFactors<Sum> coordinate_factors(const S& summand, Eigen::Index j,
                                          [[maybe_unused]] typename S::Scalar x, Sum gradient,
                                          Sum curvature) {
  CoordinateFactors<Sum> at;
  Sum slope(0);
  if constexpr (!S::Weighting::uniform) {
    const auto weight = summand.weighting.weight(j, x);
    at.h = static_cast<Sum>(weight.h);
    slope = static_cast<Sum>(weight.slope);
  }
  at.drift = slope + at.h * gradient;
  at.constant = at.h * (gradient * gradient / 2 + curvature) + slope * gradient;
  return at;
}

// The factors of a block, written sample by sample. After `prepare(j, points, used, constant)`,
// which adds what the first `used` samples have without derivatives, `linear` is the linear term of
// a statistic whose derivatives by coordinate j are given, a column each, and `scale` makes of its
// first derivatives what the other ones are multiplied with.
template <class B, class S, class Points>
concept BlockFactors =
    requires(B factors, const B& filled, const Points& points,
             const Eigen::Matrix<typename S::Scalar, Eigen::Dynamic, Eigen::Dynamic>& samples,
             Eigen::Matrix<typename S::Sum, Eigen::Dynamic, 1>& column, typename S::Sum& sum,
             Eigen::Index n) {
      factors.write(samples, n, n, sum);
      factors.prepare(n, points, n, sum);
      { filled.weight(n) } -> std::convertible_to<typename S::Sum>;
      { filled.linear(column, column) } -> std::convertible_to<typename S::Sum>;
      filled.scale(column);
    };

// All weights h are 1, and there is no base measure. Where not `weighted`, all weights of samples
// are 1 as well.
template <class S, bool weighted>
class PlainFactors {
 public:
  using Sum = typename S::Sum;

  PlainFactors(const S& /*summand*/, Eigen::Index samples) : weight_(samples) {}

  template <class X>
  void write(const X& /*samples*/, Eigen::Index /*n*/, Eigen::Index s, Sum weight) {
    weight_(s) = weight;
  }
  template <class Points>
  void prepare(Eigen::Index /*j*/, const Points& /*points*/, Eigen::Index /*used*/,
               Sum& /*constant*/) {}

  Sum weight(Eigen::Index used) const { return weight_.head(used).sum(); }
  template <class Column>
  Sum linear(const Column& /*first*/, const Column& second) const {
    if constexpr (weighted) {
      return weight_.head(second.size()).dot(second);
    } else {
      return second.sum();
    }
  }
  template <class Column>
  void scale([[maybe_unused]] Column& first) const {
    if constexpr (weighted) first.array() *= weight_.head(first.size()).array().sqrt();
  }

 private:
  Eigen::Matrix<Sum, Eigen::Dynamic, 1> weight_;
};

// Weights h, a base measure, or both.
template <class S>
class WeightedFactors {
 public:
  using Sum = typename S::Sum;

  WeightedFactors(const S& summand, Eigen::Index samples)
      : summand_(summand),
        weight_(samples),
        by_second_(samples),
        by_first_(samples),
        base_gradient_(samples, summand.family.dimension()),
        base_curvature_(samples, summand.family.dimension()),
        samples_(samples, summand.family.dimension()) {}

  template <class X>
  void write(const X& samples, Eigen::Index n, Eigen::Index s, Sum weight) {
    weight_(s) = weight;
    if constexpr (S::keeps_samples) {
      for (Eigen::Index i = 0; i < samples_.cols(); ++i) samples_(s, i) = samples(i, n);
    }
    if constexpr (!flat<Base>) {
      Vector x(summand_.family.dimension());
      Vector gradient(x.size());
      Vector curvature(x.size());
      read_sample(samples, n, x);
      write_base<Scalar, S::Dim>(summand_.family.base(), x, gradient, curvature);
      base_gradient_.row(s) = gradient.transpose();
      base_curvature_.row(s) = curvature.transpose();
    }
  }

  template <class Points>
  void prepare(Eigen::Index j, const Points& points, Eigen::Index used, Sum& constant) {
    for (Eigen::Index s = 0; s < used; ++s) {
      Sum gradient(0);
      Sum curvature(0);
      if constexpr (!flat<Base>) {
        gradient = static_cast<Sum>(base_gradient_(s, j));
        curvature = static_cast<Sum>(base_curvature_(s, j));
      }
      const auto at = coordinate_factors(summand_, j, sample(points, s, j), gradient, curvature);
      if constexpr (!flat<Base>) constant += weight_(s) * at.constant;
      by_second_(s) = weight_(s) * at.h;
      by_first_(s) = weight_(s) * at.drift;
    }
  }

  Sum weight(Eigen::Index used) const { return weight_.head(used).sum(); }
  template <class Column>
  Sum linear(const Column& first, const Column& second) const {
    return by_second_.head(second.size()).dot(second) + by_first_.head(first.size()).dot(first);
  }
  template <class Column>
  void scale(Column& first) const {
    first.array() *= by_second_.head(first.size()).array().sqrt();
  }

 private:
  using Scalar = typename S::Scalar;
  using Vector = typename S::Vector;
  using Base = typename S::Base;
  using Column = Eigen::Matrix<Sum, Eigen::Dynamic, 1>;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  using OfBase = std::conditional_t<flat<Base>, NoEntries, Matrix>;

  template <class Points>
  Scalar sample(const Points& points, Eigen::Index s, Eigen::Index j) const {
    if constexpr (S::keeps_samples) {
      return samples_(s, j);
    } else {
      return points(s, j);
    }
  }

  const S& summand_;
  Column weight_;
  Column by_second_;  // w h
  Column by_first_;   // w (h' + h d_j b)
  OfBase base_gradient_;
  OfBase base_curvature_;
  std::conditional_t<S::keeps_samples, Matrix, NoEntries> samples_;
};

template <class S, bool weighted>
using FactorsOf = std::conditional_t<S::Weighting::uniform && flat<typename S::Base>,
                                     PlainFactors<S, weighted>, WeightedFactors<S>>;

}  // namespace scorematch::detail
