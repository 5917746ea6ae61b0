// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/distribution/wide.hpp>
#include <scorematch/linalg/cholesky.hpp>
#include <scorematch/linalg/triangular.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <type_traits>
#include <utility>

namespace scorematch {

namespace detail {
template <class Vector, class Matrix>
struct GaussianParts {
  Vector mean;
  Matrix covariance;
  Matrix cholesky;
};
}  // namespace detail

template <Real, int>
class StudentT;

/// One multivariate normal distribution.
///
/// **Math** log p(x) = -1/2 (x - mu)^T P (x - mu) - sum_i log L_ii - Dim/2 log(2 pi), with the
/// covariance Sigma = L L^T, L lower triangular, and the precision P = Sigma^-1.
///
/// **Shapes** mean Dim, covariance and precision Dim x Dim, x any dense Dim-vector.
///
/// **Units** x in u: density in u^-Dim, score in 1/u, Laplacian in 1/u^2.
///
/// **Errors** std::invalid_argument where x has the wrong size or an entry that is not finite. At
/// any other x the results are numbers, or an infinity where they leave the range of Scalar.
///
/// **Cost** construction O(Dim^3), `log_density`, `score` and `sample` O(Dim^2), `precision` and
/// `laplacian` O(Dim^3).
template <Real Scalar_, int Dim_ = Eigen::Dynamic>
class Gaussian {
 public:
  static_assert(Dim_ == Eigen::Dynamic || Dim_ >= 1, "Dim is a positive size or Eigen::Dynamic");

  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;
  using Samples = Eigen::Matrix<Scalar, Dim, Eigen::Dynamic>;

  /// From a mean and a covariance.
  ///
  /// **Errors** std::invalid_argument where shapes differ, an entry is not finite, or the
  /// covariance is not symmetric (to rounding) and positive definite.
  Gaussian(const Vector& mean, const Matrix& covariance)
      : mean_(mean), covariance_(covariance), cholesky_(checked_root(mean, covariance)) {
    for (Eigen::Index j = 0; j < dimension(); ++j) {
      for (Eigen::Index i = 0; i < j; ++i) covariance_(i, j) = covariance_(j, i);
    }
  }
  template <detail::EigenExpression Mean, detail::EigenExpression Covariance>
    requires(detail::SizedLater<Mean, Vector> || detail::SizedLater<Covariance, Matrix>)
  Gaussian(const Mean& mean, const Covariance& covariance)
      : Gaussian(Vector(detail::sized<Vector>("mean", mean)),
                 Matrix(detail::sized<Matrix>("covariance", covariance))) {}

  /// From a mean and the lower Cholesky factor of the covariance (its upper triangle is not read);
  /// exact where the covariance itself is too ill-conditioned to be factored again.
  ///
  /// **Errors** std::invalid_argument where shapes differ, an entry is not finite, or a diagonal
  /// entry is not positive.
  static Gaussian from_cholesky(const Vector& mean, const Matrix& cholesky) {
    return Gaussian(FromCholesky{}, mean, Matrix(cholesky));
  }
  static Gaussian from_cholesky(const Vector& mean, Matrix&& cholesky) {
    return Gaussian(FromCholesky{}, mean, std::move(cholesky));
  }
  // Root&&: beside the one above, a const reference would leave an rvalue ambiguous.
  template <detail::EigenExpression Mean, class Root>
    requires detail::EigenExpression<std::remove_cvref_t<Root>> &&
             (detail::SizedLater<Mean, Vector> ||
              detail::SizedLater<std::remove_cvref_t<Root>, Matrix>)
  static Gaussian from_cholesky(const Mean& mean, Root&& cholesky) {
    return Gaussian(FromCholesky{}, Vector(detail::sized<Vector>("mean", mean)),
                    Matrix(detail::sized<Matrix>("cholesky", cholesky)));
  }

  // From parts that are known to belong together.
  explicit Gaussian(detail::GaussianParts<Vector, Matrix>&& parts)
      : mean_(std::move(parts.mean)),
        covariance_(std::move(parts.covariance)),
        cholesky_(std::move(parts.cholesky)) {}

  Eigen::Index dimension() const { return mean_.size(); }
  const Vector& mean() const { return mean_; }
  const Matrix& covariance() const { return covariance_; }
  /// L, lower triangular with a positive diagonal, Sigma = L L^T.
  const Matrix& cholesky() const { return cholesky_; }

  /// P = Sigma^-1, symmetric to the bit.
  Matrix precision() const {
    Matrix result(dimension(), dimension());
    detail::gram_of_columns(inverse_cholesky(), result);
    if (detail::all_finite(result)) return result;
    return detail::narrow<Matrix>(detail::wide_precision(*this));
  }

  /// log p(x), normalized. The log of u^-Dim.
  template <SamplesOf<Scalar, Dim> X>
  Scalar log_density(const X& x) const {
    using std::isfinite;
    const Scalar result = log_density_at(whiten(x).squaredNorm() / 2);
    if (isfinite(result)) [[likely]] {
      return result;
    }
    const auto q = detail::wide_point(*this, x.matrix()).distance;
    return log_density_at(static_cast<Scalar>(q / detail::Wide<Scalar>(2)));
  }

  /// p(x).
  template <SamplesOf<Scalar, Dim> X>
  Scalar density(const X& x) const {
    using std::exp;
    return exp(log_density(x));
  }

  /// Gradient in x of log p: -P (x - mu).
  template <SamplesOf<Scalar, Dim> X>
  Vector score(const X& x) const {
    Vector result = -whiten(x);
    detail::solve_transposed_lower(cholesky_, result);
    if (!detail::all_finite(result)) [[unlikely]] {
      result = detail::narrow<Vector>(detail::wide_point(*this, x.matrix()).score);
    }
    return result;
  }

  /// Laplacian in x of log p: -tr P, the same at every x.
  Scalar laplacian() const {
    using std::isfinite;
    const Scalar result = -inverse_cholesky().squaredNorm();
    return isfinite(result) ? result : -static_cast<Scalar>(detail::wide_trace(*this));
  }

  /// One draw. `rng` is any std::uniform_random_bit_generator; the stream of numbers that
  /// std::normal_distribution makes of it belongs to the standard library in use.
  template <std::uniform_random_bit_generator Rng>
  Vector sample(Rng& rng) const {
    Vector result(dimension());
    std::normal_distribution<Scalar> normal;
    draw(rng, normal, result);
    return result;
  }

  /// n draws, one per column.
  template <std::uniform_random_bit_generator Rng>
  Samples sample(Eigen::Index n, Rng& rng) const {
    detail::require_option(n >= 0, "Gaussian::sample", "n", n, "at least 0");
    Samples result(dimension(), n);
    std::normal_distribution<Scalar> normal;
    Vector x(dimension());
    for (Eigen::Index j = 0; j < n; ++j) {
      draw(rng, normal, x);
      result.col(j) = x;
    }
    return result;
  }

  /// Whether mean, covariance and Cholesky factor are equal to the bit.
  bool operator==(const Gaussian& other) const {
    return detail::same_entries(mean_, other.mean_) &&
           detail::same_entries(covariance_, other.covariance_) &&
           detail::same_entries(cholesky_, other.cholesky_);
  }

  /// Writes all three to an archive, or reads them from one, as `Moments::serialize` does: the
  /// covariance of some fits is not L L^T to the bit.
  ///
  /// **Errors** reading, std::invalid_argument for another dimension, an entry that is not finite,
  /// and a covariance that L L^T is not, to half of the digits; also what the archive itself throws
  /// at its end. All leave this as it was.
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    detail::archive_mark<Scalar>(archive, "Gaussian", detail::Kept::gaussian);
    detail::archive_size(archive, "Gaussian", "dimension", dimension());
    Vector mean = mean_;
    Matrix covariance = covariance_;
    Matrix cholesky = cholesky_;
    detail::archive_entries(archive, mean);
    detail::archive_lower(archive, covariance);
    detail::archive_lower(archive, cholesky);
    if constexpr (detail::reads<Archive>) {
      Gaussian read = from_cholesky(mean, std::move(cholesky));
      for (Eigen::Index j = 0; j < dimension(); ++j) {
        for (Eigen::Index i = 0; i < j; ++i) covariance(i, j) = covariance(j, i);
      }
      require_agreement(covariance, read.covariance_);
      read.covariance_ = std::move(covariance);
      *this = std::move(read);
    }
  }

 private:
  template <Real, int>
  friend class StudentT;

  struct FromCholesky {};

  Gaussian(FromCholesky, const Vector& mean, Matrix&& cholesky)
      : mean_(mean), covariance_(cholesky.rows(), cholesky.cols()), cholesky_(std::move(cholesky)) {
    require_shapes("cholesky", mean, cholesky_);
    for (Eigen::Index i = 0; i < cholesky_.rows(); ++i) {
      if (!(cholesky_(i, i) > 0)) {
        detail::fail(detail::entry("cholesky", i, i, cholesky_(i, i)),
                     "; expected a diagonal above 0");
      }
    }
    for (Eigen::Index j = 0; j < cholesky_.cols(); ++j) {
      for (Eigen::Index i = 0; i < j; ++i) cholesky_(i, j) = Scalar(0);
    }
    require_finite("cholesky", cholesky_);
    detail::gram_of_rows(cholesky_, covariance_);
    require_finite("cholesky * cholesky^T", covariance_);
  }

  static Matrix checked_root(const Vector& mean, const Matrix& covariance) {
    using std::abs;
    using std::sqrt;
    require_shapes("covariance", mean, covariance);
    require_finite("covariance", covariance);
    const Eigen::Index d = covariance.rows();
    const Scalar rounding = Scalar(100 * d) * std::numeric_limits<Scalar>::epsilon();
    for (Eigen::Index i = 0; i < d; ++i) {
      if (!(covariance(i, i) > 0)) {
        detail::fail(detail::entry("covariance", i, i, covariance(i, i)),
                     "; expected a variance above 0");
      }
    }
    for (Eigen::Index j = 0; j < d; ++j) {
      for (Eigen::Index i = j + 1; i < d; ++i) {
        const Scalar scale = sqrt(covariance(i, i)) * sqrt(covariance(j, j));
        if (abs(covariance(i, j) - covariance(j, i)) > rounding * scale) {
          detail::fail("the covariance is not symmetric: ",
                       detail::entry("covariance", i, j, covariance(i, j)), ", ",
                       detail::entry("covariance", j, i, covariance(j, i)),
                       "; expected them equal");
        }
      }
    }
    const detail::SemidefiniteRoot<Scalar, Dim> root(covariance);
    if (!root.positive_definite) {
      detail::fail("the covariance, covariance(row 0, column 0) = ", covariance(0, 0),
                   ", is not positive definite; expected every eigenvalue above 0");
    }
    return root.lower;
  }

  // Throws where a covariance is not L L^T, to half of the digits.
  static void require_agreement(const Matrix& covariance, const Matrix& product) {
    using std::abs;
    using std::sqrt;
    const Scalar rounding = sqrt(std::numeric_limits<Scalar>::epsilon());
    for (Eigen::Index j = 0; j < product.cols(); ++j) {
      for (Eigen::Index i = j; i < product.rows(); ++i) {
        const Scalar scale = sqrt(product(i, i)) * sqrt(product(j, j));
        if (!(abs(covariance(i, j) - product(i, j)) <= rounding * scale)) {
          detail::fail("Gaussian: ", detail::entry("covariance", i, j, covariance(i, j)),
                       "; expected ", product(i, j), ", as cholesky * cholesky^T has it");
        }
      }
    }
  }

  static void require_shapes(const char* argument, const Vector& mean, const Matrix& matrix) {
    if (mean.size() < 1) detail::fail("mean has 0 entries; expected at least 1");
    if (matrix.rows() != mean.size() || matrix.cols() != mean.size()) {
      detail::fail(argument, " is ", matrix.rows(), " x ", matrix.cols(), "; expected ",
                   mean.size(), " x ", mean.size(), ", as the mean has it");
    }
    require_finite("mean", mean);
  }

  template <class M>
  static void require_finite(const char* argument, const M& matrix) {
    using std::isfinite;
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
      int bad = 0;  // a whole column without a branch, in vector registers
      for (Eigen::Index i = 0; i < matrix.rows(); ++i) bad |= !(matrix(i, j) - matrix(i, j) == 0);
      if (bad == 0) continue;
      for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
        if (!isfinite(matrix(i, j))) {
          detail::fail(detail::entry(argument, i, j, matrix(i, j)), "; expected a finite value");
        }
      }
    }
  }

  // log p where half_q = 1/2 |L^-1 (x - mu)|^2.
  Scalar log_density_at(Scalar half_q) const {
    using std::log;
    const Scalar log_2pi = log(2 * std::numbers::pi_v<Scalar>);
    return -(half_q + static_cast<Scalar>(dimension()) * log_2pi / 2) -
           cholesky_.diagonal().array().log().sum();
  }

  template <class X>
  Vector whiten(const X& x) const {
    if (x.rows() != dimension() || x.cols() != 1) {
      detail::fail("x is ", x.rows(), " x ", x.cols(), "; expected ", dimension(), " x 1");
    }
    Vector difference = x.matrix() - mean_;
    detail::solve_lower(cholesky_, difference);
    return difference;
  }

  Matrix inverse_cholesky() const {
    Matrix inverse = Matrix::Zero(dimension(), dimension());
    detail::invert_lower(cholesky_, inverse);
    return inverse;
  }

  template <class Rng>
  void draw(Rng& rng, std::normal_distribution<Scalar>& normal, Vector& x) const {
    for (Eigen::Index i = 0; i < x.size(); ++i) x(i) = normal(rng);
    detail::apply_lower(cholesky_, x);
    x += mean_;
  }

  Vector mean_;
  Matrix covariance_;
  Matrix cholesky_;
};

namespace detail {

// The Gaussian exp(eta . x - 1/2 x^T K x), of mean K^-1 eta and covariance K^-1, from the root of a
// positive definite K.
template <class Scalar, int Dim>
Gaussian<Scalar, Dim> gaussian_of_precision(const SemidefiniteRoot<Scalar, Dim>& root,
                                            Eigen::Matrix<Scalar, Dim, 1> eta) {
  using Matrix = typename Gaussian<Scalar, Dim>::Matrix;
  Matrix inverse = Matrix::Zero(eta.size(), eta.size());
  Matrix covariance(eta.size(), eta.size());
  invert_lower(root.lower, inverse);
  gram_of_columns(inverse, covariance);
  solve_lower(root.lower, eta);
  solve_transposed_lower(root.lower, eta);
  return Gaussian<Scalar, Dim>(eta, covariance);
}

}  // namespace detail
}  // namespace scorematch
