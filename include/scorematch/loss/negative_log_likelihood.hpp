// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/loss/gaussian/gaussian_objective.hpp>
#include <scorematch/loss/sampled/point_loss.hpp>

#include <Eigen/Core>

#include <cmath>
#include <numbers>

namespace scorematch {

/// The mean negative log likelihood of a full Gaussian, from moments.
///
/// **Math** with the symbols of `GaussianScoreMatching`: sum_i log L_ii - 1/2 tr E
/// + Dim/2 (1 + log(2 pi)); d/dmu = -A^T a, d/dL = tril(A^T E).
///
/// **Units** nats a sample.
///
/// **Cost** about 4/3 d^3 flops for value and gradient. Only the first allocates.
template <Number Scalar_, int Dim_>
class GaussianNegativeLogLikelihood : public detail::GaussianObjective<Scalar_, Dim_> {
  using Base = detail::GaussianObjective<Scalar_, Dim_>;

 public:
  using Base::Base;
  using typename Base::Parameters;
  using typename Base::Scalar;

  /// The loss at theta; infinity where a diagonal entry of the covariance leaves the range of
  /// Scalar.
  Scalar operator()(const Parameters& theta) {
    auto&& at = this->workspace();
    return value(theta, at);
  }

  /// The loss at theta and its gradient; the value is that of `operator()(theta)` to the bit.
  EIGEN_ALWAYS_INLINE Scalar operator()(const Parameters& theta, Parameters& gradient) {
    return evaluate(theta, gradient);
  }

  /// The loss at `from_local(u)` and its gradient by u.
  Scalar local(const Parameters& u, Parameters& gradient)
    requires Real<Scalar>
  {
    const Scalar result = evaluate<true>(this->from_mean_at(u), gradient);
    this->scale(gradient);
    return result;
  }

  /// The second derivatives at theta, K x K.
  ///
  /// **Cost** O(K d^3) flops. Allocates.
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> hessian(const Parameters& theta) const
    requires Real<Scalar>
  {
    return this->hessian_at(theta, detail::GaussianLoss::likelihood);
  }

  /// mu = m, L = C, and the loss there, where E and the gradient vanish. Infinity as in an
  /// evaluation.
  ///
  /// **Cost** O(d^2).
  ExactMinimum<Parameters> exact() const {
    using std::log;
    Scalar sum(constant());
    for (Eigen::Index i = 0; i < this->root_.rows(); ++i) sum += log(this->root_(i, i));
    return {this->minimizer(), Base::finite_or_outside(this->minimizer_inside(2), sum)};
  }

 private:
  using typename Base::Workspace;

  template <bool from_mean = false>
  EIGEN_ALWAYS_INLINE Scalar evaluate(const Parameters& theta, Parameters& gradient) {
    auto&& at = this->workspace();
    Scalar result = Base::outside();
    const auto domain = this->template whiten<from_mean>(theta, 2, at);
    if (Base::worth_going_on(domain)) {
      result = Base::finite_or_outside(domain, value_at(theta, at));
      write_gradient(at, gradient);
    }
    const auto inside = result < Base::outside();
    if (!all(inside)) detail::fill_where(!inside, gradient, Scalar(Base::outside()));
    return result;
  }

  LaneOf<Scalar> constant() const {
    using std::log;
    const auto log_2pi = log(2 * std::numbers::pi_v<LaneOf<Scalar>>);
    return static_cast<LaneOf<Scalar>>(this->family_.dimension()) * (1 + log_2pi) / 2;
  }

  EIGEN_ALWAYS_INLINE Scalar value(const Parameters& theta, Workspace& at) const {
    const auto inside = this->whiten(theta, 2, at);
    if (!Base::worth_going_on(inside)) return Base::outside();
    return Base::finite_or_outside(inside, value_at(theta, at));
  }

  EIGEN_ALWAYS_INLINE Scalar value_at(const Parameters& theta, const Workspace& at) const {
    const Eigen::Index d = this->family_.dimension();
    Scalar sum(constant());
    detail::for_each_entry(at.residual, [&](Eigen::Index i) SCOREMATCH_INLINE {
      sum += theta(d + i) - at.error(i, i) / 2;
    });
    return sum;
  }

  EIGEN_ALWAYS_INLINE void write_gradient(Workspace& at, Parameters& gradient) const {
    detail::multiply_transposed_lower(at.inverse, at.error, at.second);
    detail::for_each_entry(
        at.residual, [&](Eigen::Index i) SCOREMATCH_INLINE { at.by_mean(i) = -at.residual(i); });
    detail::apply_transposed_lower(at.inverse, at.by_mean);
    this->pack_gradient(at, gradient);
  }
};

/// -log p_theta(x): the negative log likelihood of one sample.
struct NegativeLogLikelihoodPoint {
  template <class F, DenseExpression Theta>
  typename Theta::Scalar operator()(const F& family, const PointOf<F>& x,
                                    const Theta& theta) const {
    return -family.log_density(x, theta);
  }
};

/// Maximum likelihood: the mean over the samples of -log p_theta(x). For families whose normalizing
/// constant is known; the yardstick of score matching.
///
/// **Summary** for `GaussianFamily`: `Moments`.
///
/// **Example** examples/notebook.cpp
struct NegativeLogLikelihood {
  template <GaussianModel F>
  Moments<typename F::Scalar, F::Dim> summary(const F& family) const {
    return Moments<typename F::Scalar, F::Dim>(family.dimension());
  }

  /// **Errors** std::invalid_argument where there are no samples or the dimensions differ.
  template <GaussianModel F>
  GaussianNegativeLogLikelihood<typename F::Scalar, F::Dim> objective(
      const F& family, const Moments<typename F::Scalar, F::Dim>& moments) const {
    return {family, moments};
  }

  /// The loss of one sample.
  template <GaussianModel F>
    requires Real<typename F::Scalar>
  PointLoss<F, NegativeLogLikelihoodPoint> point(const F& family) const {
    return {family, {}};
  }
};

}  // namespace scorematch
