// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/loss/sampled/mean_of_terms.hpp>

#include <Eigen/Core>

#include <concepts>
#include <utility>

namespace scorematch {

/// The loss of one sample: `point(family, x, theta)` with x a `PointOf<F>` and theta a column of
/// Scalar or `Dual<Scalar, N>` returns a number of theta's kind. (The concept looks at Scalar
/// alone.)
template <class P, class F>
concept PointLossFor =
    std::copy_constructible<P> && requires(const P& point, const F& family, const PointOf<F>& x,
                                           const typename F::Parameters& theta) {
      { point(family, x, theta) } -> std::convertible_to<typename F::Scalar>;
    };

/// The loss of one sample as a function of theta, as `loss.point(family)` gives it: what standard
/// errors, cross-validation and weights of one's own are made of.
///
/// **Math** the mean of it over samples is the objective, and so of its gradient.
///
/// **Shapes** x a Dim-vector, theta a column of `parameter_count()` entries.
///
/// **Errors** std::invalid_argument for x or theta of another size. A value that is not finite is
/// returned as it is.
///
/// **Cost** of a gradient: a value for each eight parameters or part of them, on numbers up to nine
/// times as wide. **Allocation** none for a fixed Dim and number of parameters.
///
/// **Example** tests/point_loss_test.cpp
template <class F, PointLossFor<F> P>
class PointLoss {
 public:
  using Scalar = typename F::Scalar;
  using Parameters = typename F::Parameters;
  using Point = P;

  PointLoss(F family, P loss)
      : family_(std::move(family)), loss_(std::move(loss)), mean_(family_) {}

  Eigen::Index dimension() const { return family_.dimension(); }
  Eigen::Index parameter_count() const { return family_.parameter_count(); }
  /// What it calls: the loss of one sample of any family.
  const P& loss() const { return loss_; }

  template <SamplesOf<Scalar, F::Dim> X, StartFor<F> Theta>
  Scalar operator()(const X& x, const Theta& theta) const {
    require_sizes(x, theta);
    return loss_(family_, PointOf<F>(x), Parameters(theta));
  }

  /// The loss at theta and its gradient by theta.
  template <SamplesOf<Scalar, F::Dim> X, StartFor<F> Theta>
  Scalar operator()(const X& x, const Theta& theta, Parameters& gradient) {
    require_sizes(x, theta);
    const PointOf<F> at = x;
    gradient.resize(parameter_count());
    return mean_(
        Parameters(theta), gradient, 1, 1, [](Eigen::Index) { return 1; },
        [&](Eigen::Index, const auto& numbers) { return loss_(family_, at, numbers); });
  }

 private:
  template <class X, class Theta>
  void require_sizes(const X& x, const Theta& theta) const {
    if (x.rows() != dimension() || x.cols() != 1) {
      detail::fail("x is ", x.rows(), " x ", x.cols(), "; expected ", dimension(), " x 1");
    }
    if (theta.rows() != parameter_count() || theta.cols() != 1) {
      detail::fail("theta is ", theta.rows(), " x ", theta.cols(), "; expected ", parameter_count(),
                   " x 1");
    }
  }

  F family_;
  [[no_unique_address]] P loss_;
  detail::MeanOfTerms<F> mean_;
};

}  // namespace scorematch
