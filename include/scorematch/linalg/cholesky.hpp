// SPDX-License-Identifier: MIT
//
// The Cholesky factor of a covariance, and the one place that decides whether it is singular.
#pragma once

#include <scorematch/core/random.hpp>
#include <scorematch/linalg/triangular.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>

namespace scorematch::detail {

// Overwrites a symmetric positive semidefinite R of unit diagonal (lower triangle read) with a
// lower triangular C, C C^T = R, zeros above the diagonal. A pivot within `negligible` of zero is
// taken for zero, and so is its column: where the pivot of a semidefinite matrix vanishes, its
// column does. False where that happened.
template <class Matrix, class Scalar>
bool semidefinite_cholesky(Matrix& r, Scalar negligible) {
  using std::sqrt;
  const Eigen::Index d = r.rows();
  bool full_rank = true;
  for (Eigen::Index j = 0; j < d; ++j) {
    for (Eigen::Index k = 0; k < j; ++k) {
      for (Eigen::Index i = j; i < d; ++i) r(i, j) -= r(i, k) * r(j, k);
    }
    const Scalar pivot = r(j, j);
    const bool zero = !(pivot > negligible);
    full_rank = full_rank && !zero;
    const Scalar diagonal = zero ? Scalar(0) : sqrt(pivot);
    r(j, j) = diagonal;
    for (Eigen::Index i = j + 1; i < d; ++i) {
      r(i, j) = zero ? Scalar(0) : r(i, j) / diagonal;
      r(j, i) = Scalar(0);
    }
  }
  return full_rank;
}

// An estimate from above of the smallest eigenvalue of C C^T: inverse iteration from a vector of
// pseudo-random entries. An eigenvector hardly misses all but a part in 10^8 of it: one step is
// enough where the estimate is then 10^8 above `limit`, and up to four are taken where it is not.
// The entries need all their digits: signed sums of a simpler sequence vanish. Cost O(d^2).
template <class Matrix>
typename Matrix::Scalar smallest_eigenvalue(const Matrix& lower, typename Matrix::Scalar limit) {
  using std::sqrt;
  using Scalar = typename Matrix::Scalar;
  const Eigen::Index d = lower.rows();
  Eigen::Matrix<Scalar, Matrix::RowsAtCompileTime, 1> v(d);
  RandomNumbers random(1);
  for (Eigen::Index i = 0; i < d; ++i) v(i) = static_cast<Scalar>(2 * random.uniform() - 1);
  const auto norm = [&] {
    Scalar square(0);
    for (Eigen::Index i = 0; i < d; ++i) square += v(i) * v(i);
    return Scalar(sqrt(square));
  };
  Scalar size = norm();
  for (int step = 0; step < 4; ++step) {
    for (Eigen::Index i = 0; i < d; ++i) v(i) /= size;
    solve_lower(lower, v);
    solve_transposed_lower(lower, v);
    size = norm();
    if (size * limit < Scalar(step == 0 ? 1e-8 : 1e-4)) break;
  }
  return Scalar(1) / size;
}

// A lower triangular C with C C^T = S for a symmetric positive semidefinite S, of which the lower
// triangle counts.
//
// S is scaled to unit diagonal first, R = D^-1/2 S D^-1/2, and R is judged instead of S: that is
// within a factor of d of the best conditioning any diagonal scaling can reach (van der Sluis 1969;
// Demmel, LAWN 14), so coordinates on very different scales are not taken for singular data.
template <class Scalar, int Dim>
struct SemidefiniteRoot {
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;

  Matrix lower;            // C, zeros above the diagonal
  bool positive_definite;  // every pivot of R was above d eps, its rounding
  bool singular;           // R is within rounding of a singular matrix

  // Cholesky is backward stable to about d eps in the 2-norm of R, which is at most d. `rounding`
  // says, in units of d, below what an eigenvalue of R cannot be told from zero.
  explicit SemidefiniteRoot(const Matrix& matrix,
                            Scalar rounding = Scalar(4) * std::numeric_limits<Scalar>::epsilon())
      : lower(matrix.rows(), matrix.cols()), positive_definite(false), singular(true) {
    using std::sqrt;
    const Eigen::Index d = matrix.rows();
    const Scalar smallest = (std::numeric_limits<Scalar>::min)();
    Vector scale(d);
    for (Eigen::Index i = 0; i < d; ++i) {
      scale(i) = matrix(i, i) >= smallest ? sqrt(matrix(i, i)) : Scalar(0);
    }
    write_scaled(matrix, scale);
    const Scalar negligible = Scalar(d) * std::numeric_limits<Scalar>::epsilon();
    if constexpr (unrolled<Matrix>) {
      positive_definite = semidefinite_cholesky(lower, negligible);
    } else {
      positive_definite = blocked::cholesky(blocked::writable(lower, 0, 0, d, d), negligible);
    }
    if (!positive_definite) {
      write_scaled(matrix, scale);
      if (!is_finite_below()) {  // a pivot that is NaN has passed for zero
        lower.setZero();
        return;
      }
      semidefinite_cholesky(lower, negligible);
    }
    const Scalar limit = Scalar(d) * rounding;
    singular = !positive_definite ||
               !(lower_bound_of_eigenvalues() > limit || smallest_eigenvalue(lower, limit) > limit);
    for (Eigen::Index j = 0; j < d; ++j) {
      for (Eigen::Index i = first_row(j); i < d; ++i) lower(i, j) *= scale(i);
      for (Eigen::Index i = 0; i < j; ++i) lower(i, j) = Scalar(0);
    }
  }

 private:
  // Where loops over column j begin: large columns where their registers do, above the diagonal.
  static Eigen::Index first_row(Eigen::Index j) {
    return unrolled<Matrix> ? j : j / blocked::edge * blocked::edge;
  }

  // R, of which the lower triangle counts.
  void write_scaled(const Matrix& matrix, const Vector& scale) {
    const Eigen::Index d = matrix.rows();
    Vector inverse(d);
    for (Eigen::Index i = 0; i < d; ++i)
      inverse(i) = scale(i) > 0 ? Scalar(1) / scale(i) : Scalar(0);
    for (Eigen::Index j = 0; j < d; ++j) {
      for (Eigen::Index i = first_row(j); i < d; ++i) {
        lower(i, j) = matrix(i, j) * inverse(i) * inverse(j);
      }
      lower(j, j) = scale(j) > 0 ? Scalar(1) : Scalar(0);
    }
  }

  bool is_finite_below() const {
    bool finite = true;
    for (Eigen::Index j = 0; j < lower.cols(); ++j) {
      for (Eigen::Index i = j; i < lower.rows(); ++i) {
        finite = finite && lower(i, j) - lower(i, j) == 0;
      }
    }
    return finite;
  }

  // Of R = C C^T, whose determinant is at most its smallest eigenvalue times (d / (d - 1))^(d - 1),
  // the largest product that others of a sum below d can have: less than e.
  Scalar lower_bound_of_eigenvalues() const {
    Scalar determinant(1);
    for (Eigen::Index i = 0; i < lower.rows(); ++i) determinant *= lower(i, i) * lower(i, i);
    return determinant / Scalar(3);
  }
};

}  // namespace scorematch::detail
