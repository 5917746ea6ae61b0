// SPDX-License-Identifier: MIT
//
// What score matching of an exponential family sums over the samples: the terms of one of them.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/data/quadratic_form.hpp>
#include <scorematch/family/statistic_derivatives.hpp>
#include <scorematch/family/statistics.hpp>

#include <Eigen/Core>

#include <cmath>
#include <type_traits>

namespace scorematch::detail {

// Where samples are taken as they are.
struct NoOrigin {};
template <class Origin>
inline constexpr bool moves = !std::is_same_v<Origin, NoOrigin>;

template <class Scalar, class Origin>
EIGEN_ALWAYS_INLINE Scalar from_origin(Scalar x, [[maybe_unused]] const Origin& origin,
                                       [[maybe_unused]] Eigen::Index i) {
  if constexpr (moves<Origin>) {
    return x - origin(i);
  } else {
    return x;
  }
}

// The family whose statistics and base measure are summed, the weights h of the coordinates, and
// the origin: a vector that is taken off each sample before its statistics, or `NoOrigin`.
template <class F, class Weights, class From>
struct Summand {
  using Family = F;
  using Weighting = Weights;
  using Origin = From;
  using Scalar = typename F::Scalar;
  using Statistics = typename F::Statistics;
  using Base = typename F::Base;
  static constexpr int Dim = F::Dim;
  static constexpr int ParameterCount = F::ParameterCount;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount, 1>;
  using Jacobian = Eigen::Matrix<Scalar, ParameterCount, Dim>;
  using Sums = typename QuadraticForm<Scalar, ParameterCount>::Sums;
  using Sum = typename QuadraticForm<Scalar, ParameterCount>::Weight;

  // The weights h are functions of the samples as they are, and the statistics are not.
  static constexpr bool keeps_samples = !Weighting::uniform && moves<Origin>;

  const Family& family;
  const Weighting& weighting;
  const Origin& origin;
};

// In the place of a matrix that is not needed.
struct NoEntries {
  template <class... Sizes>
  explicit NoEntries(Sizes...) {}
};

template <class X, class Vector>
void read_sample(const X& samples, Eigen::Index column, Vector& x) {
  for (Eigen::Index i = 0; i < x.size(); ++i) x(i) = samples(i, column);
}

// The derivatives of the base measure at one sample; zeros where there is none.
template <class S>
struct BaseAt {
  using Scalar = typename S::Scalar;
  using Vector = typename S::Vector;
  using Base = typename S::Base;

  [[no_unique_address]] std::conditional_t<flat<Base>, NoEntries, Vector> gradient;
  [[no_unique_address]] std::conditional_t<flat<Base>, NoEntries, Vector> curvature;

  BaseAt(const Base& base, const Vector& x) : gradient(x.size()), curvature(x.size()) {
    if constexpr (!flat<Base>) write_base<Scalar, S::Dim>(base, x, gradient, curvature);
  }

  Scalar gradient_at([[maybe_unused]] Eigen::Index j) const {
    if constexpr (flat<Base>) {
      return Scalar(0);
    } else {
      return gradient(j);
    }
  }

  Scalar constant([[maybe_unused]] Eigen::Index j, [[maybe_unused]] Scalar h,
                  [[maybe_unused]] Scalar slope) const {
    if constexpr (flat<Base>) {
      return Scalar(0);
    } else {
      return h * (gradient(j) * gradient(j) / 2 + curvature(j)) + slope * gradient(j);
    }
  }
};

// The terms of one sample, which is read and then evaluated.
template <class S>
struct Terms {
  using Scalar = typename S::Scalar;
  using Vector = typename S::Vector;
  using Jacobian = typename S::Jacobian;

  Vector x;  // where the statistics are taken
  [[no_unique_address]] std::conditional_t<S::keeps_samples, Vector, NoEntries>
      sample;        // where the weights are, if elsewhere
  Jacobian columns;  // sqrt(h_j) D_j
  [[no_unique_address]] std::conditional_t<S::Weighting::uniform, NoEntries, Jacobian> curvature;
  typename S::Parameters linear;
  Scalar constant{0};

  Terms(Eigen::Index d, Eigen::Index k)
      : x(d), sample(d), columns(k, d), curvature(k, d), linear(k) {}

  template <class X>
  EIGEN_ALWAYS_INLINE void read(const X& samples, Eigen::Index column,
                                const typename S::Origin& origin) {
    // Entry by entry, not by whole registers.
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      x(i) = from_origin(samples(i, column), origin, i);
      if constexpr (S::keeps_samples) sample(i) = samples(i, column);
    }
  }

  // Fills in the terms of the sample that was read.
  EIGEN_ALWAYS_INLINE void evaluate(const S& summand) {
    constexpr int Dim = S::Dim;
    constexpr int ParameterCount = S::ParameterCount;
    const auto& statistics = summand.family.statistics();
    if constexpr (S::Weighting::uniform) {
      write_laplacian<Scalar, Dim, ParameterCount>(statistics, x, columns, linear);
      if constexpr (!flat<typename S::Base>) {
        const BaseAt<S> base(summand.family.base(), x);
        linear.noalias() += columns.lazyProduct(base.gradient);
        constant = base.gradient.squaredNorm() / 2 + base.curvature.sum();
      }
    } else {
      using std::sqrt;
      write_curvature<Scalar, Dim, ParameterCount>(statistics, x, columns, curvature);
      const BaseAt<S> base(summand.family.base(), x);
      linear.setZero();
      constant = 0;
      for (Eigen::Index j = 0; j < x.size(); ++j) {
        const auto h = summand.weighting.weight(j, sample_at(j));
        linear += h.h * curvature.col(j) + (h.slope + h.h * base.gradient_at(j)) * columns.col(j);
        constant += base.constant(j, h.h, h.slope);
        columns.col(j) *= sqrt(h.h);
      }
    }
  }

  Scalar sample_at(Eigen::Index j) const {
    if constexpr (S::keeps_samples) {
      return sample(j);
    } else {
      return x(j);
    }
  }
};

}  // namespace scorematch::detail
