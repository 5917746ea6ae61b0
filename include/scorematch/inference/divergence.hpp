// SPDX-License-Identifier: MIT
//
// The distance between any two models, by averaging over samples.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/inference/model_score.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <type_traits>

namespace scorematch {

/// A mean over samples and how far it may be from the expectation it estimates.
template <Real Scalar>
struct SampleAverage {
  Scalar value;
  /// Infinite where a single sample says nothing of the spread.
  Scalar standard_error;
};

namespace detail {

// Mean and standard error of a stream of weighted numbers, each an independent draw.
template <class Sum>
class Average {
 public:
  void add(Sum x, Sum weight) {
    if (weight == 0) return;
    const Sum w = scaled(weight);
    total_ += w;
    mean_ += (x - mean_) * (w / total_);
    // West (1979), for the weights squared: their mean is not the one above.
    const Sum square = w * w;
    squares_ += square;
    const Sum shift = x - center_;
    center_ += shift * (square / squares_);
    spread_ += square * shift * (x - center_);
  }

  // Positive once there was a weight; only ratios of weights count.
  Sum total() const { return total_; }

  // The variance of sum w x / sum w is sum w^2 (x - mean)^2 / (sum w)^2; with n_eff =
  // (sum w)^2 / sum w^2 draws, n_eff / (n_eff - 1) of it corrects for the mean being fitted.
  template <Real Scalar>
  SampleAverage<Scalar> result() const {
    using std::sqrt;
    const Sum off = mean_ - center_;
    const Sum variance = (spread_ + squares_ * off * off) / (total_ * total_);
    const Sum freedom = 1 - squares_ / (total_ * total_);
    const Sum error = freedom > 0 ? sqrt(variance / freedom) : std::numeric_limits<Sum>::infinity();
    return {number_or_infinity(static_cast<Scalar>(mean_)),
            number_or_infinity(static_cast<Scalar>(error))};
  }

 private:
  // Relative to the power of two below the largest so far, so that no square leaves the range.
  Sum scaled(Sum weight) {
    const int exponent = std::ilogb(weight);
    if (total_ == 0) exponent_ = exponent;
    if (exponent > exponent_) {
      const Sum factor = std::ldexp(Sum(1), exponent_ - exponent);
      total_ *= factor;
      squares_ *= factor * factor;
      spread_ *= factor * factor;
      exponent_ = exponent;
    }
    return std::ldexp(weight, -exponent_);
  }

  Sum total_{0}, mean_{0}, squares_{0}, center_{0}, spread_{0};
  int exponent_ = 0;
};

template <class P, class Q, class X, class W>
auto fisher_average(const P& p, const Q& q, const X& samples, const W& weights) {
  using Scalar = typename X::Scalar;
  using Sum = std::common_type_t<Scalar, double>;
  using Vector = Eigen::Matrix<Scalar, X::RowsAtCompileTime, 1>;
  require_model_dimension(p, samples.rows());
  require_model_dimension(q, samples.rows());
  if (samples.rows() < 1) fail("samples have 0 rows; expected at least 1");
  require_finite(samples, weights);
  Vector x(samples.rows());
  Vector of_p(samples.rows());
  Vector of_q(samples.rows());
  Average<Sum> average;
  for (Eigen::Index j = 0; j < samples.cols(); ++j) {
    if (!(weights(j) > 0)) continue;
    x = samples.col(j).matrix();
    score_at(p, "p", j, x, of_p);
    score_at(q, "q", j, x, of_q);
    Sum square(0);
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      const Sum difference = static_cast<Sum>(of_p(i)) - static_cast<Sum>(of_q(i));
      square += difference * difference;
    }
    average.add(square, static_cast<Sum>(weights(j)));
  }
  if (!(average.total() > 0)) {
    fail("no samples (", samples.cols(), " columns, sum of weights = ", average.total(),
         "); expected at least one of positive weight");
  }
  return average.template result<Scalar>();
}

}  // namespace detail

/// The Fisher divergence of any two models, averaged over samples.
///
/// **Math** mean over the samples of |s_p(x) - s_q(x)|^2, no factor 1/2; the expectation is
/// D_F(p, q) = E_p |s_p - s_q|^2 where the samples are independent draws of p. For correlated draws
/// (a Markov chain) the standard error is too small. Normalizing constants do not enter.
///
/// **Shapes** samples Dim x n, one per column; p and q have `score(x)`, or are callables x ->
/// score.
///
/// **Units** x in u: 1/u^2.
///
/// **Errors** std::invalid_argument for no samples, another dimension than a model has, a sample
/// that is not finite, and a score that is not finite or of the wrong size (with the index of its
/// sample). Infinity where squares overflow.
///
/// **Cost** two scores a sample. Sums are kept in double for float samples. **Allocation** none for
/// fixed rows, beyond what the models do.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <class P, class Q, DenseExpression X>
  requires ModelWithScore<P, typename X::Scalar, X::RowsAtCompileTime> &&
           ModelWithScore<Q, typename X::Scalar, X::RowsAtCompileTime>
SampleAverage<typename X::Scalar> fisher_divergence(const P& p, const Q& q, const X& samples) {
  SampleAverage<typename X::Scalar> result{};
  detail::with_coefficients(samples, [&](const auto& block) {
    result = detail::fisher_average(p, q, block, detail::Unweighted{});
  });
  return result;
}

/// The same with weights, as for reweighted simulations: each column is one independent draw,
/// whatever its weight, and only ratios of weights matter. One of weight 0 is absent.
template <class P, class Q, DenseExpression X, WeightsOf<typename X::Scalar> W>
  requires ModelWithScore<P, typename X::Scalar, X::RowsAtCompileTime> &&
           ModelWithScore<Q, typename X::Scalar, X::RowsAtCompileTime>
SampleAverage<typename X::Scalar> fisher_divergence(const P& p, const Q& q, const X& samples,
                                                    const W& weights) {
  SampleAverage<typename X::Scalar> result{};
  detail::with_weighted(samples, weights, samples.rows(),
                        [&](const auto& block, const auto& weight) {
                          result = detail::fisher_average(p, q, block, weight);
                        });
  return result;
}

}  // namespace scorematch
