// The Cholesky factor of a covariance, and the one place that decides whether it is singular.
#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/QR>

#include <cmath>
#include <limits>

namespace scorematch::detail {

// A lower triangular C with C C^T = S for a symmetric positive semidefinite S (lower triangle
// read).
//
// S is scaled to unit diagonal first, R = D^-1/2 S D^-1/2, and R is judged instead of S: that is
// within a factor of d of the best conditioning any diagonal scaling can reach (van der Sluis 1969;
// Demmel, LAWN 14), so coordinates on very different scales are not taken for singular data.
template <class Scalar, int Dim>
struct CovarianceRoot {
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;

  Matrix lower;            // strictly upper part zero
  bool positive_definite;  // the factorization of R went through
  bool singular;           // R is within rounding of a singular matrix

  explicit CovarianceRoot(const Matrix& covariance)
      : lower(Matrix::Zero(covariance.rows(), covariance.cols())),
        positive_definite(false),
        singular(true) {
    using std::sqrt;
    const Eigen::Index d = covariance.rows();
    const Scalar smallest = std::numeric_limits<Scalar>::min();
    Vector scale(d);
    bool zero_variance = false;
    for (Eigen::Index i = 0; i < d; ++i) {
      const Scalar variance = covariance(i, i);
      const bool usable = variance >= smallest;  // false for NaN
      zero_variance = zero_variance || !usable;
      scale(i) = usable ? sqrt(variance) : Scalar(0);
    }
    Matrix correlation(d, d);
    for (Eigen::Index j = 0; j < d; ++j) {
      for (Eigen::Index i = j; i < d; ++i) {
        const bool zero = scale(i) == 0 || scale(j) == 0;
        const Scalar r = zero ? Scalar(0) : covariance(i, j) / scale(i) / scale(j);
        correlation(i, j) = correlation(j, i) = i == j && !zero ? Scalar(1) : r;
      }
    }
    // Eigen's LLT reports success on NaN and infinity, so they are kept from it.
    if (!correlation.allFinite()) return;
    const Eigen::LLT<Matrix> llt(correlation);
    positive_definite = !zero_variance && llt.info() == Eigen::Success;
    if (positive_definite) {
      // Cholesky is backward stable to about d eps in each entry of R, whose 1-norm is at most d.
      const Scalar threshold = Scalar(4 * d) * std::numeric_limits<Scalar>::epsilon();
      singular = d > 1 && !(llt.rcond() > threshold);
      lower.template triangularView<Eigen::Lower>() = llt.matrixL();
    } else {
      // Semidefinite: R = K K^T by pivoted LDL^T, and K^T = Q C^T gives the triangular root.
      const Eigen::LDLT<Matrix> ldlt(correlation);
      Matrix root = ldlt.matrixL();
      root = root * ldlt.vectorD().cwiseMax(Scalar(0)).cwiseSqrt().asDiagonal();
      const Matrix transposed = (ldlt.transpositionsP().transpose() * root).transpose();
      const Matrix upper = Eigen::HouseholderQR<Matrix>(transposed)
                               .matrixQR()
                               .template triangularView<Eigen::Upper>();
      lower = upper.transpose();
    }
    lower = scale.asDiagonal() * lower;
  }
};

}  // namespace scorematch::detail
