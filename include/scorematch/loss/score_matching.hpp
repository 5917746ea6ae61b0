#pragma once

#include <scorematch/data/moments.hpp>
#include <scorematch/detail/gaussian_objective.hpp>
#include <scorematch/family/gaussian_family.hpp>

#include <Eigen/Core>

namespace scorematch {

/// The score matching objective of a full Gaussian, from moments.
///
/// **Math** J(theta) = 1/2 tr(P M P) - tr P with M = S + (m - mu)(m - mu)^T. Computed in whitened
/// coordinates: A = L^-1, B = A A^T, W = A M A^T, H = (B W + W B) / 2 - B, a = A (m - mu); then
/// J = 1/2 tr(W B) - tr B, dJ/dmu = -A^T B a, dJ/dL = -2 tril(A^T H).
///
/// **Units** J in 1/u^2 for samples in u.
///
/// **Cost** about 4 d^3 flops for value and gradient: 2 d^3 for B W, d^3 / 3 for each of five
/// triangular products. No allocation after construction.
template <Real Scalar_, int Dim_>
class GaussianScoreMatching : public detail::GaussianObjective<Scalar_, Dim_> {
  using Base = detail::GaussianObjective<Scalar_, Dim_>;

 public:
  using typename Base::Matrix;
  using typename Base::Parameters;
  using typename Base::Scalar;
  using typename Base::Vector;

  GaussianScoreMatching(const typename Base::Family& family, const Moments<Scalar_, Dim_>& moments)
      : Base(family, moments),
        inner_(Matrix::Zero(family.dimension(), family.dimension())),
        by_mean_(Vector::Zero(family.dimension())) {}

  /// J(theta); infinity where it, or a diagonal entry of the covariance or precision,
  /// leaves the range of Scalar.
  Scalar operator()(const Parameters& theta) {
    if (!this->whiten(theta, 3)) return Base::outside();
    detail::gram_of_rows(this->inverse_, inner_);
    Scalar fit(0);
    Scalar trace(0);
    for (Eigen::Index j = 0; j < inner_.cols(); ++j) {
      trace += inner_(j, j);
      fit += this->whitened_(j, j) * inner_(j, j) / 2;
      for (Eigen::Index i = j + 1; i < inner_.rows(); ++i) {
        fit += this->whitened_(i, j) * inner_(i, j);
      }
    }
    return Base::finite_or_outside(fit - trace);
  }

  /// J(theta) and its gradient; the value is that of `operator()(theta)` to the bit.
  Scalar operator()(const Parameters& theta, Parameters& gradient) {
    const Scalar value = (*this)(theta);
    if (value == Base::outside()) {
      gradient.setConstant(value);
      return value;
    }
    auto& a = this->residual_;
    for (Eigen::Index i = 0; i < a.size(); ++i) {
      Scalar sum(0);
      for (Eigen::Index k = 0; k < a.size(); ++k) sum += inner_(i, k) * a(k);
      by_mean_(i) = -sum;
    }
    detail::apply_transposed_lower(this->inverse_, by_mean_);

    detail::multiply(inner_, this->whitened_, this->scratch_);
    for (Eigen::Index j = 0; j < inner_.cols(); ++j) {
      for (Eigen::Index i = j; i < inner_.rows(); ++i) {
        const Scalar h = (this->scratch_(i, j) + this->scratch_(j, i)) / 2 - inner_(i, j);
        this->whitened_(i, j) = h;
        this->whitened_(j, i) = h;
      }
    }
    detail::multiply_transposed_lower(this->inverse_, this->whitened_, this->scratch_);
    this->pack_gradient(by_mean_, this->scratch_, Scalar(-2), gradient);
    return value;
  }

 private:
  Matrix inner_;  // B
  Vector by_mean_;
};

/// Score matching (Hyvarinen, JMLR 6, 2005): the normalizing constant of the model is never needed.
///
/// **Math** J(theta) = E[ 1/2 |s(x)|^2 + Laplacian_x log p_theta(x) ], with the score
/// s(x) = grad_x log p_theta(x) and the mean over the samples. Up to a constant of the samples
/// alone, it is half the Fisher divergence between data and model.
///
/// **Summary** for `GaussianFamily`: `Moments`. There, its minimum is the maximum of the
/// likelihood.
///
/// **Example** examples/notebook.cpp
struct ScoreMatchingLoss {
  template <Real Scalar, int Dim>
  Moments<Scalar, Dim> summary(const GaussianFamily<Scalar, Dim>& family) const {
    return Moments<Scalar, Dim>(family.dimension());
  }

  /// **Errors** std::invalid_argument where there are no samples or the dimensions differ.
  template <Real Scalar, int Dim>
  GaussianScoreMatching<Scalar, Dim> objective(const GaussianFamily<Scalar, Dim>& family,
                                               const Moments<Scalar, Dim>& moments) const {
    return {family, moments};
  }
};

}  // namespace scorematch
