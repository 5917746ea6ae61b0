// SPDX-License-Identifier: MIT
//
// The orthogonal factor of a square matrix.
#pragma once

#include <Eigen/Core>

#include <cmath>
#include <limits>

namespace scorematch::detail {

// The orthogonal O of the polar decomposition matrix = O H, H symmetric positive semidefinite.
//
// One-sided Jacobi rotations (Hestenes 1958) make the columns of matrix * V orthogonal: they are
// then U Sigma, and O = U V^T. Small singular values keep their relative accuracy (Demmel and
// Veselic 1992). Cost about 9 d^3 flops a sweep, usually 5 to 10 sweeps.
template <class Matrix>
Matrix orthogonal_polar_factor(Matrix matrix) {
  using Scalar = typename Matrix::Scalar;
  using std::abs;
  using std::hypot;
  using std::sqrt;
  const Eigen::Index d = matrix.rows();
  const Scalar rounding = static_cast<Scalar>(d) * std::numeric_limits<Scalar>::epsilon();
  Matrix v = Matrix::Identity(d, d);
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < 40; ++sweep) {
    rotated = false;
    for (Eigen::Index j = 1; j < d; ++j) {
      for (Eigen::Index i = 0; i < j; ++i) {
        const Scalar alpha = matrix.col(i).squaredNorm();
        const Scalar beta = matrix.col(j).squaredNorm();
        const Scalar gamma = matrix.col(i).dot(matrix.col(j));
        if (!(abs(gamma) > rounding * sqrt(alpha) * sqrt(beta))) continue;
        rotated = true;
        const Scalar zeta = (beta - alpha) / (2 * gamma);
        const Scalar tangent =
            (zeta < 0 ? Scalar(-1) : Scalar(1)) / (abs(zeta) + hypot(Scalar(1), zeta));
        const Scalar cosine = 1 / hypot(Scalar(1), tangent);
        const Scalar sine = cosine * tangent;
        const auto rotate = [&](Matrix& m) {
          for (Eigen::Index k = 0; k < d; ++k) {
            const Scalar left = m(k, i);
            const Scalar right = m(k, j);
            m(k, i) = cosine * left - sine * right;
            m(k, j) = sine * left + cosine * right;
          }
        };
        rotate(matrix);
        rotate(v);
      }
    }
  }
  for (Eigen::Index j = 0; j < d; ++j) {
    Scalar norm(0);
    for (Eigen::Index i = 0; i < d; ++i) norm = hypot(norm, matrix(i, j));
    if (norm > 0) matrix.col(j) /= norm;
  }
  Matrix result(d, d);
  v.transposeInPlace();
  multiply(matrix, v, result);
  return result;
}

}  // namespace scorematch::detail
