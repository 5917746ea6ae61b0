// SPDX-License-Identifier: MIT
//
// The gradients of the loss of single samples at a fit, and the curvature of their mean: what a
// sandwich is made of.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/inference/explain.hpp>
#include <scorematch/inference/hessian.hpp>
#include <scorematch/linalg/cholesky.hpp>
#include <scorematch/linalg/dynamic.hpp>
#include <scorematch/linalg/triangular.hpp>
#include <scorematch/loss/gaussian/gaussian_hessian.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

namespace scorematch::detail {

// The inverse of H, or a sentence that names what the samples do not determine. Of an `exact` H all
// digits are known, of differences ten.
template <class F, Real Scalar>
DynamicMatrix<Scalar> inverse_hessian(const F& family, const DynamicMatrix<Scalar>& hessian,
                                      bool exact) {
  using std::sqrt;
  const Eigen::Index n = hessian.rows();
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> unit(n);
  for (Eigen::Index k = 0; k < n; ++k) {
    unit(k) = hessian(k, k) > 0 ? Scalar(1) / sqrt(hessian(k, k)) : Scalar(0);
  }
  const DynamicMatrix<Scalar> scaled = unit.asDiagonal() * hessian * unit.asDiagonal();
  const Eigen::LLT<DynamicMatrix<Scalar>> root(scaled);
  const Scalar epsilon = std::numeric_limits<Scalar>::epsilon();
  const Scalar negligible = Scalar(16) * (exact ? static_cast<Scalar>(n) * epsilon : sqrt(epsilon));
  // (A macro of X11 has Eigen's name for 0.)
  bool regular = scaled.allFinite() && int(root.info()) == 0;
  for (Eigen::Index k = 0; regular && k < n; ++k) {
    const Scalar pivot = root.matrixLLT()(k, k);
    regular = unit(k) > 0 && pivot * pivot > negligible;
  }
  if (!regular) {
    std::string which;
    if (hessian.allFinite()) {
      const auto open = touched(scaled_null_space<Scalar>(scaled, negligible), Scalar(1e-3));
      if (!open.empty()) {
        which = " along some direction of " +
                list_of(open, [&](Eigen::Index k) { return parameter_name(family, k); });
      }
    }
    fail("uncertainty: the loss does not curve upward at the fit", which,
         ": the samples do not determine all parameters, or not to the digits at hand (center and "
         "scale them), or it is no minimum");
  }
  return unit.asDiagonal() * root.solve(DynamicMatrix<Scalar>(unit.asDiagonal()));
}

// The gradients of the loss of one sample at theta, one per column, and the curvature of its mean.
template <class F, class L, class X>
class PointGradients {
 public:
  using Scalar = typename F::Scalar;
  using Matrix = DynamicMatrix<Scalar>;
  using Parameters = typename F::Parameters;

  PointGradients(const F& family, const L& loss, const X& samples, const Parameters& theta)
      : family_(family),
        point_(loss.point(family)),
        samples_(samples),
        theta_(theta),
        gradient_(theta) {}

  // Of samples first, ..., first + count - 1.
  Matrix columns(Eigen::Index first, Eigen::Index count) {
    Matrix result(theta_.size(), count);
    for (Eigen::Index j = 0; j < count; ++j) {
      const Eigen::Matrix<Scalar, F::Dim, 1> x = samples_.col(first + j);
      losses_.add(Eigen::Matrix<Scalar, 1, 1>(point_(x, theta_, gradient_)));
      if (!gradient_.allFinite()) {
        fail("uncertainty: the loss of sample ", first + j,
             " or its gradient is not finite at the fit");
      }
      result.col(j) = gradient_;
    }
    return result;
  }

  // H^-1, once the gradients have been seen; `variances` are theirs.
  template <class Obj, class Vector>
  Matrix inverse_curvature(Obj& objective, const Vector& variances) const {
    constexpr bool exact = HasHessian<Obj, Parameters>;
    return inverse_hessian<F, Scalar>(family_, curvature(objective, variances), exact);
  }
  template <class Obj, class Vector>
  Matrix curvature(Obj& objective, const Vector& variances) const {
    if constexpr (HasHessian<Obj, Parameters>) {
      return dynamic_of(objective.hessian(theta_));
    } else {
      return differenced_hessian(objective, theta_, steps(objective, variances));
    }
  }

  const Matrix& to_theta(const Matrix& matrix) const { return matrix; }

 private:
  // Over such a step the gradient of a sample changes by a thousandth of what the gradients differ
  // by: the size of an error of one sample. The first guess has the unit of the parameter, but of
  // the whole loss for what may touch a small part of it; so it shrinks to what it is found to be.
  template <class Obj, class Vector>
  Parameters steps(Obj& objective, const Vector& variances) const {
    using std::isfinite;
    using std::sqrt;
    const Scalar spread = losses_.covariance()(0, 0);
    Parameters result = Parameters::Ones(theta_.size());
    Parameters above = theta_, below = theta_;
    for (Eigen::Index k = 0; k < theta_.size(); ++k) {
      const Scalar unit = sqrt(spread / variances(k));
      Scalar step = Scalar(1e-3) * (unit > 0 && isfinite(unit) ? unit : Scalar(1));
      for (int round = 0; round < 4; ++round) {
        Parameters at = theta_;
        at(k) = theta_(k) + step;
        objective(std::as_const(at), above);
        at(k) = theta_(k) - step;
        objective(std::as_const(at), below);
        const Scalar slope = (above(k) - below(k)) / (2 * step);
        const Scalar next =
            isfinite(slope) ? Scalar(1e-3) * sqrt(variances(k)) / std::abs(slope) : step / 1000;
        if (!(next > 0 && next < step)) break;
        step = next;
      }
      result(k) = step;
    }
    return result;
  }

  const F& family_;
  std::remove_cvref_t<decltype(std::declval<const L&>().point(std::declval<const F&>()))> point_;
  const X& samples_;
  const Parameters& theta_;
  Parameters gradient_;
  Moments<Scalar, 1> losses_{};
};

// Of a full Gaussian, in coordinates in which the fit is the standard normal: the samples are
// y = A (x - mu), and theta moves by dmu = L dnu, dL = L dN. Nothing there has a unit, and no
// correlation costs digits. The estimate is mean and covariance of the samples for score matching
// and for the likelihood, so their errors are the same, and those of the likelihood are asked for:
// its gradients are -y and tril(1 - y y^T). Without one sample the covariance changes by n / (n -
// 1) times its influence: with that factor, and n - 1 for n, the errors are those of the jackknife.
template <class F, class X>
class WhitenedGradients {
 public:
  using Scalar = typename F::Scalar;
  using Matrix = DynamicMatrix<Scalar>;
  using Parameters = typename F::Parameters;

  WhitenedGradients(const F& family, const X& samples, const Parameters& theta)
      : family_(family),
        samples_(samples),
        theta_(theta),
        mean_(dynamic_of(theta.head(family.dimension()))),
        lower_(Matrix::Zero(family.dimension(), family.dimension())) {
    family.unpack_cholesky(theta, lower_);
  }

  Matrix columns(Eigen::Index first, Eigen::Index count) {
    const Eigen::Index d = mean_.size();
    Matrix y = samples_.middleCols(first, count).colwise() - mean_;
    lower_.template triangularView<Eigen::Lower>().solveInPlace(y);
    whitened_.add(y);
    const auto n = static_cast<Scalar>(samples_.cols());
    const Scalar factor = n / (n - 1);
    Matrix result(d + d * (d + 1) / 2, count);
    for (Eigen::Index j = 0; j < count; ++j) {
      for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
        result(i, j) = -y(i, j);
        result(d + i, j) = factor * (1 - y(i, j) * y(i, j));
        for (Eigen::Index c = 0; c < i; ++c) result(k++, j) = -factor * y(i, j) * y(c, j);
      }
    }
    return result;
  }

  template <class Obj, class Vector>
  Matrix inverse_curvature(Obj&, const Vector&) const {
    const Eigen::Index d = mean_.size();
    const SemidefiniteRoot<Scalar, Eigen::Dynamic> root(whitened_.covariance());
    return inverse_hessian<F, Scalar>(
        family_,
        gaussian_hessian<Scalar>(Matrix::Identity(d, d), whitened_.mean(), root.lower,
                                 GaussianLoss::likelihood),
        true);
  }
  template <class Obj, class Vector>
  Matrix curvature(Obj& objective, const Vector&) const {
    return objective.hessian(theta_);
  }

  // What a change in these coordinates is of theta, column by column.
  Matrix to_theta(const Matrix& matrix) const {
    const Eigen::Index d = mean_.size();
    Matrix result(matrix.rows(), matrix.cols());
    Matrix change = Matrix::Zero(d, d);
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
      for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
        change(i, i) = matrix(d + i, j);
        for (Eigen::Index c = 0; c < i; ++c) change(i, c) = matrix(k++, j);
      }
      result.col(j).head(d) =
          lower_.template triangularView<Eigen::Lower>() * matrix.col(j).head(d);
      result.col(j).segment(d, d) = matrix.col(j).segment(d, d);
      const Matrix moved = lower_.template triangularView<Eigen::Lower>() * change;
      auto target = result.col(j);
      pack_below(moved, 2 * d, target);
    }
    return result;
  }

 private:
  const F& family_;
  const X& samples_;
  const Parameters& theta_;
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> mean_;
  Matrix lower_;
  Moments<Scalar> whitened_{mean_.size()};
};

template <class F, class L, class X>
auto gradients_of(const F& family, [[maybe_unused]] const L& loss, const X& samples,
                  const typename F::Parameters& theta) {
  if constexpr (GaussianModel<F>) {
    return WhitenedGradients<F, X>(family, samples, theta);
  } else {
    return PointGradients<F, L, X>(family, loss, samples, theta);
  }
}

}  // namespace scorematch::detail
