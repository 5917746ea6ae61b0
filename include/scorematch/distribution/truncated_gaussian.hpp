// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/box.hpp>
#include <scorematch/distribution/gaussian.hpp>
#include <scorematch/linalg/cholesky.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <utility>

namespace scorematch {

/// A Gaussian that a box cuts off, its normalizing constant unknown.
///
/// **Math** log p(x) = eta^T x - 1/2 x^T K x + const inside the box, p = 0 outside. K need not be
/// positive definite: a bounded box makes a density of any K, the positive orthant of every K that
/// is positive there. With o the point of the box that is nearest to the origin, the score is
/// (eta - K o) - K (x - o): far from the origin two points differ in it, and in log p, by what they
/// should, and what rounding of eta leaves is common to both.
///
/// **Shapes** eta Dim, K Dim x Dim and symmetric; x any dense Dim-vector.
///
/// **Units** x in u: eta and the score in 1/u, K and the Laplacian in 1/u^2.
///
/// **Errors** std::invalid_argument for sizes that differ, what is not finite, and K that is not
/// symmetric to the bit.
template <Real Scalar_, int Dim_ = Eigen::Dynamic>
class TruncatedGaussian {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;

  TruncatedGaussian(Vector eta, Matrix precision, Box<Scalar, Dim> box)
      : eta_(std::move(eta)), precision_(std::move(precision)), box_(std::move(box)) {
    const Eigen::Index d = box_.dimension();
    if (eta_.size() != d || precision_.rows() != d || precision_.cols() != d) {
      detail::fail("TruncatedGaussian: eta has ", eta_.size(), " entries, the precision is ",
                   precision_.rows(), " x ", precision_.cols(), "; expected the box's dimension, ",
                   d);
    }
    for (Eigen::Index j = 0; j < d; ++j) {
      if (!std::isfinite(eta_(j))) {
        detail::fail(detail::entry("eta", j, eta_(j)), "; expected a finite value");
      }
      for (Eigen::Index i = 0; i < d; ++i) {
        if (!std::isfinite(precision_(i, j)) || precision_(i, j) != precision_(j, i)) {
          detail::fail(detail::entry("precision", i, j, precision_(i, j)),
                       "; expected a finite value, the same as (row ", j, ", column ", i, ")");
        }
      }
    }
    nearest_ = Vector::Zero(d).cwiseMax(box_.lower()).cwiseMin(box_.upper());
    slope_ = eta_ - precision_.lazyProduct(nearest_);
  }
  template <detail::EigenExpression Eta, detail::EigenExpression Precision>
    requires(detail::SizedLater<Eta, Vector> || detail::SizedLater<Precision, Matrix>)
  TruncatedGaussian(const Eta& eta, const Precision& precision, Box<Scalar, Dim> box)
      : TruncatedGaussian(Vector(detail::sized<Vector>("eta", eta)),
                          Matrix(detail::sized<Matrix>("precision", precision)), std::move(box)) {}

  Eigen::Index dimension() const { return box_.dimension(); }
  const Vector& eta() const { return eta_; }
  /// K.
  const Matrix& precision() const { return precision_; }
  const Box<Scalar, Dim>& box() const { return box_; }

  /// log p(x) less log p(o), o the point of the box that is nearest to the origin: eta^T x - 1/2
  /// x^T K x where the box holds the origin. Minus infinity outside the box.
  template <SamplesOf<Scalar, Dim> X>
  Scalar unnormalized_log_density(const X& x) const {
    const Vector at = point(x);
    if (!box_.contains(at)) return -std::numeric_limits<Scalar>::infinity();
    const Vector inward = at - nearest_;
    return inward.dot(slope_ + (slope_ - precision_.lazyProduct(inward))) / 2;
  }

  /// Gradient in x of log p inside the box: eta - K x.
  template <SamplesOf<Scalar, Dim> X>
  Vector score(const X& x) const {
    return slope_ - precision_.lazyProduct(point(x) - nearest_);
  }

  /// Laplacian in x of log p inside the box: -tr K. It does not depend on x.
  Scalar laplacian() const { return -precision_.trace(); }
  template <SamplesOf<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    point(x);
    return laplacian();
  }

  /// Whether there is a Gaussian of which this is the part inside the box.
  bool positive_definite() const {
    return detail::SemidefiniteRoot<Scalar, Dim>(precision_).positive_definite;
  }

  /// The Gaussian of which this is the part inside the box: mean K^-1 eta, covariance K^-1. They
  /// are not the mean and covariance of the truncated density.
  ///
  /// **Errors** std::invalid_argument where K is not positive definite.
  Gaussian<Scalar, Dim> untruncated() const {
    const detail::SemidefiniteRoot<Scalar, Dim> root(precision_);
    if (!root.positive_definite) {
      detail::fail("TruncatedGaussian::untruncated: the precision, from ",
                   detail::entry("precision", 0, 0, precision_(0, 0)),
                   " on, is not positive definite; expected every eigenvalue above 0 (ask "
                   "positive_definite() first)");
    }
    return detail::gaussian_of_precision<Scalar, Dim>(root, eta_);
  }

 private:
  template <class X>
  Vector point(const X& x) const {
    if (x.rows() != dimension() || x.cols() != 1) {
      detail::fail("x is ", x.rows(), " x ", x.cols(), "; expected ", dimension(), " x 1");
    }
    return x.matrix();
  }

  Vector eta_;
  Matrix precision_;
  Box<Scalar, Dim> box_;
  Vector nearest_;  // o
  Vector slope_;    // eta - K o
};

}  // namespace scorematch
