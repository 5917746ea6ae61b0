#pragma once

#include <scorematch/data/moments.hpp>
#include <scorematch/detail/gaussian_objective.hpp>
#include <scorematch/family/gaussian_family.hpp>

#include <Eigen/Core>

#include <cmath>
#include <numbers>

namespace scorematch {

/// The mean negative log likelihood of a full Gaussian, from moments.
///
/// **Math** with the symbols of `GaussianScoreMatching`: sum_i log L_ii + 1/2 tr W
/// + Dim/2 log(2 pi); d/dmu = -A^T a, d/dL = tril(diag(1 / L_ii) - A^T W).
///
/// **Units** nats a sample.
///
/// **Cost** about 4/3 d^3 flops for value and gradient. No allocation after construction.
template <Real Scalar_, int Dim_>
class GaussianNegativeLogLikelihood : public detail::GaussianObjective<Scalar_, Dim_> {
  using Base = detail::GaussianObjective<Scalar_, Dim_>;

 public:
  using Base::Base;
  using typename Base::Parameters;
  using typename Base::Scalar;

  /// The loss at theta; infinity where a diagonal entry of the covariance leaves the range of
  /// Scalar.
  Scalar operator()(const Parameters& theta) {
    using std::log;
    if (!this->whiten(theta, 2)) return Base::outside();
    const Eigen::Index d = this->family_.dimension();
    Scalar value = static_cast<Scalar>(d) * log(2 * std::numbers::pi_v<Scalar>) / 2;
    for (Eigen::Index i = 0; i < d; ++i) value += theta(d + i) + this->whitened_(i, i) / 2;
    return Base::finite_or_outside(value);
  }

  /// The loss at theta and its gradient; the value is that of `operator()(theta)` to the bit.
  Scalar operator()(const Parameters& theta, Parameters& gradient) {
    const Scalar value = (*this)(theta);
    if (value == Base::outside()) {
      gradient.setConstant(value);
      return value;
    }
    detail::multiply_transposed_lower(this->inverse_, this->whitened_, this->scratch_);
    for (Eigen::Index i = 0; i < this->residual_.size(); ++i) {
      this->scratch_(i, i) -= this->inverse_(i, i);
    }
    detail::apply_transposed_lower(this->inverse_, this->residual_);
    this->residual_ = -this->residual_;
    this->pack_gradient(this->residual_, this->scratch_, Scalar(-1), gradient);
    return value;
  }
};

/// Maximum likelihood: the mean over the samples of -log p_theta(x). For families whose normalizing
/// constant is known; the yardstick of score matching.
///
/// **Summary** for `GaussianFamily`: `Moments`.
///
/// **Example** examples/notebook.cpp
struct NegativeLogLikelihood {
  template <Real Scalar, int Dim>
  Moments<Scalar, Dim> summary(const GaussianFamily<Scalar, Dim>& family) const {
    return Moments<Scalar, Dim>(family.dimension());
  }

  /// **Errors** std::invalid_argument where there are no samples or the dimensions differ.
  template <Real Scalar, int Dim>
  GaussianNegativeLogLikelihood<Scalar, Dim> objective(const GaussianFamily<Scalar, Dim>& family,
                                                       const Moments<Scalar, Dim>& moments) const {
    return {family, moments};
  }
};

}  // namespace scorematch
