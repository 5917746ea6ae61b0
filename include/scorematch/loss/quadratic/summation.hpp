// SPDX-License-Identifier: MIT
//
// The sums of an exponential family's terms over a block of samples. Which of four ways is taken
// depends on how many statistics there are, and on how many of them a coordinate has an effect:
//
//   few                         a long column of each derivative, and dot products of columns
//   many, each of all           the columns of some samples side by side, and one matrix product
//   many, each of few           coordinate by coordinate, as the first
//   the same, of one sample     its terms alone, without a K x K matrix
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/family/statistic_derivatives.hpp>
#include <scorematch/family/statistics.hpp>
#include <scorematch/loss/quadratic/block_factors.hpp>
#include <scorematch/loss/quadratic/block_points.hpp>
#include <scorematch/loss/quadratic/coordinate_block.hpp>
#include <scorematch/loss/quadratic/summand.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>

namespace scorematch::detail {

template <class W>
inline constexpr bool has_weights = !std::is_same_v<W, Unweighted>;

template <class Sum, class W>
Sum weight_of(const W& weights, Eigen::Index n) {
  return static_cast<Sum>(weights(n));
}

// Few statistics: a block of samples is small enough for the stack.
template <class S>
inline constexpr bool summed_in_columns =
    S::Dim != Eigen::Dynamic && S::ParameterCount != Eigen::Dynamic &&
    S::ParameterCount <= largest_unrolled && S::ParameterCount * S::Dim <= 128;

// Many, each of few coordinates.
template <class S>
inline constexpr bool summed_by_coordinate =
    !summed_in_columns<S> && SparseStatistics<typename S::Statistics, typename S::Scalar, S::Dim>;

// Throws where the statistics visit one that is not theirs, or one twice. Costs nothing where the
// compiler knows which they visit.
template <class S>
void require_statistics(const S& summand, const typename S::Vector& x) {
  using Scalar = typename S::Scalar;
  if constexpr (SparseStatistics<typename S::Statistics, Scalar, S::Dim>) {
    const Eigen::Index count = summand.family.parameter_count();
    for_each_coordinate<S::Dim>(x.size(), [&](Eigen::Index j) {
      unsigned visited = 0;  // K is at most 16
      summand.family.statistics().for_each_derivative(x, j, [&](Eigen::Index k, Scalar, Scalar) {
        if (k < 0 || k >= count || (visited >> unsigned(k) & 1U) != 0) {
          refuse_statistic(k, j, count);
        }
        visited |= 1U << unsigned(k);
      });
    });
  }
}

// A block of samples makes one long column of each derivative, and the sums are dot products of
// those. What is zero all over the block is left out: most of D is, in most families.
template <class S, class X, class W>
void sum_in_columns(typename S::Sums& part, const S& summand, const X& samples, const W& weights) {
  using std::sqrt;
  using Sum = typename S::Sum;
  constexpr int Dim = S::Dim;
  constexpr int ParameterCount = S::ParameterCount;
  constexpr int entries = ParameterCount * Dim;
  constexpr int block_size = std::clamp(numbers_in_cache / entries, 32, 256);
  // Columns a power of two apart would share the lines of the cache.
  constexpr int stride = block_size + 8;
  Eigen::Matrix<Sum, stride, entries> columns;  // entry (k, j) in column k + K j
  Eigen::Matrix<Sum, stride, ParameterCount> linear;
  Eigen::Matrix<Sum, block_size, 1> constant;
  std::array<typename S::Vector, std::size_t(block_size)> x;
  Eigen::Matrix<Sum, block_size, 1> weight;
  for (Eigen::Index n = 0; n < samples.cols();) {
    Eigen::Index used = 0;
    for (; n < samples.cols() && used < block_size; ++n) {
      if (!(weight_of<Sum>(weights, n) > 0)) continue;
      read_sample(samples, n, x[std::size_t(used)]);
      require_statistics(summand, x[std::size_t(used)]);
      weight(used++) = weight_of<Sum>(weights, n);
    }
    // No branch and no sum in here, so that the compiler can take several samples at once.
    for (Eigen::Index s = 0; s < used; ++s) {
      Terms<S> at(Dim, ParameterCount);
      at.read(x[std::size_t(s)], 0, summand.origin);
      at.evaluate(summand);
      const Sum w = has_weights<W> ? weight(s) : Sum(1);
      const Sum root = has_weights<W> ? sqrt(w) : Sum(1);
      // What no statistic depends on is refused all the same.
      constant(s) = w * static_cast<Sum>(at.constant) + static_cast<Sum>(zero_if_finite(at.x));
      for (int k = 0; k < ParameterCount; ++k) linear(s, k) = w * static_cast<Sum>(at.linear(k));
      for (int j = 0; j < Dim; ++j) {
        for (int k = 0; k < ParameterCount; ++k) {
          columns(s, k + ParameterCount * j) = root * static_cast<Sum>(at.columns(k, j));
        }
      }
    }
    part.weight += weight.head(used).sum();
    part.constant += constant.head(used).sum();
    for (int k = 0; k < ParameterCount; ++k) part.linear(k) += linear.col(k).head(used).sum();
    for (int j = 0; j < Dim; ++j) {
      std::array<bool, std::size_t(ParameterCount)> zero{};
      for (int a = 0; a < ParameterCount; ++a) {
        const auto column = columns.col(a + ParameterCount * j).head(used);
        const Sum square = column.dot(column);
        zero[std::size_t(a)] = square == 0;
        part.quadratic(a, a) += square;
      }
      for (int a = 0; a < ParameterCount; ++a) {
        if (zero[std::size_t(a)]) continue;
        for (int b = 0; b < a; ++b) {
          if (zero[std::size_t(b)]) continue;
          part.quadratic(a, b) += columns.col(a + ParameterCount * j)
                                      .head(used)
                                      .dot(columns.col(b + ParameterCount * j).head(used));
        }
      }
    }
  }
}

// The columns of some samples side by side, and their product with their own transpose.
template <class S, class X, class W>
void sum_by_products(typename S::Sums& part, const S& summand, const X& samples, const W& weights) {
  using std::sqrt;
  using Sum = typename S::Sum;
  constexpr Eigen::Index gathered_columns = 256;
  const Eigen::Index d = summand.family.dimension();
  const Eigen::Index k = summand.family.parameter_count();
  const Eigen::Index room = (std::max<Eigen::Index>)(1, gathered_columns / d);
  Eigen::Matrix<Sum, Eigen::Dynamic, Eigen::Dynamic> columns(k,
                                                             d * (std::min)(room, samples.cols()));
  Terms<S> at(d, k);
  Eigen::Index used = 0;
  const auto flush = [&] {
    part.quadratic.template selfadjointView<Eigen::Lower>().rankUpdate(columns.leftCols(used));
    used = 0;
  };
  for (Eigen::Index n = 0; n < samples.cols(); ++n) {
    const Sum w = weight_of<Sum>(weights, n);
    if (!(w > 0)) continue;
    at.read(samples, n, summand.origin);
    at.evaluate(summand);
    part.weight += w;
    part.constant += w * static_cast<Sum>(at.constant) + static_cast<Sum>(zero_if_finite(at.x));
    part.linear += w * at.linear.template cast<Sum>();
    columns.middleCols(used, d) = sqrt(w) * at.columns.template cast<Sum>();
    used += d;
    if (used + d > columns.cols()) flush();
  }
  if (used > 0) flush();
}

// Coordinate by coordinate: only the few statistics that depend on it are paired.
template <class S, class X, class W>
void sum_by_coordinate(typename S::Sums& part, const S& summand, const X& samples,
                       const W& weights) {
  using Sum = typename S::Sum;
  CoordinateBlock<S, PointsOf<S>, FactorsOf<S, has_weights<W>>> block(summand, samples.cols());
  for (Eigen::Index n = 0; n < samples.cols(); ++n) {
    const Sum w = weight_of<Sum>(weights, n);
    if (!(w > 0)) continue;
    block.push(samples, n, w);
    if (block.full()) {
      block.add_to(part);
      block.clear();
    }
  }
  if (!block.empty()) block.add_to(part);
}

// The terms of a single sample, of a weight above 0.
template <class S, class X, class W>
auto terms_of_single(const S& summand, const X& samples, const W& weights) {
  typename S::Vector sample(summand.family.dimension());
  read_sample(samples, 0, sample);
  typename S::Vector point = sample;
  if constexpr (moves<typename S::Origin>) point -= summand.origin;
  return SampleTerms<S>(summand, sample, point, weight_of<typename S::Sum>(weights, 0));
}

template <class S, class X, class W>
void sum_samples(typename S::Sums& part, const S& summand, const X& samples, const W& weights) {
  if constexpr (summed_by_coordinate<S>) {
    sum_by_coordinate(part, summand, samples, weights);
  } else if constexpr (summed_in_columns<S>) {
    sum_in_columns(part, summand, samples, weights);
  } else {
    sum_by_products(part, summand, samples, weights);
  }
}

// Called when the sums are not finite: finds what to blame.
template <class S, class X, class W>
[[noreturn]] void refuse_samples(const S& summand, const X& samples, const W& weights) {
  using std::isfinite;
  require_finite(samples, weights);
  const Eigen::Index count = summand.family.parameter_count();
  Terms<S> at(summand.family.dimension(), count);
  for (Eigen::Index n = 0; n < samples.cols(); ++n) {
    if (!(weight_of<typename S::Sum>(weights, n) > 0)) continue;
    at.read(samples, n, summand.origin);
    at.evaluate(summand);
    for (Eigen::Index k = 0; k < count; ++k) {
      bool finite = isfinite(at.linear(k));
      for (Eigen::Index j = 0; j < at.x.size(); ++j) finite = finite && isfinite(at.columns(k, j));
      if (!finite) {
        fail("the derivatives of statistic ", k, " at ",
             entry("samples", Eigen::Index(0), n, samples(0, n)), " are not finite");
      }
    }
    if (!isfinite(at.constant)) {
      fail("the derivatives of the base measure at ",
           entry("samples", Eigen::Index(0), n, samples(0, n)), " are not finite");
    }
  }
  fail("the squared derivatives of the statistics at the samples, ",
       entry("samples", 0, 0, samples(0, 0)), " and after, overflow (rescale the samples)");
}

}  // namespace scorematch::detail
