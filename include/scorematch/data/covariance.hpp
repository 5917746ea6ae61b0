// SPDX-License-Identifier: MIT
//
// Whether a matrix is a covariance: that of a Gaussian, or a singular one.
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>

namespace scorematch::detail {

// Throws where a square matrix is not finite, symmetric (to rounding) and positive semidefinite. An
// eigenvalue of the correlations counts as zero above minus half of the digits of the scalar:
// published covariances are rounded, and to call one that is singular regular is left to who solves
// with it.
//
// By Cholesky with the largest pivot first (Higham 2002, section 10.3): what remains when all
// pivots are negligible is negligible in a semidefinite matrix.
template <class Covariance>
void require_semidefinite(const char* owner, const Covariance& covariance) {
  using std::abs;
  using std::isfinite;
  using std::sqrt;
  using Scalar = typename Covariance::Scalar;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::Index d = covariance.rows();
  const auto at = [&](Eigen::Index i, Eigen::Index j) {
    return entry("covariance", i, j, covariance(i, j));
  };
  for (Eigen::Index j = 0; j < d; ++j) {
    for (Eigen::Index i = 0; i < d; ++i) {
      if (!isfinite(covariance(i, j))) fail(owner, ": ", at(i, j), "; expected a finite value");
    }
  }
  for (Eigen::Index i = 0; i < d; ++i) {
    if (!(covariance(i, i) >= 0)) {
      fail(owner, ": ", at(i, i), "; expected a variance, at least 0");
    }
  }
  constexpr Scalar epsilon = std::numeric_limits<Scalar>::epsilon();
  const Scalar rounding = Scalar(100) * static_cast<Scalar>(d) * epsilon;
  const Scalar negligible = static_cast<Scalar>(d) * sqrt(epsilon);
  Matrix r(d, d);  // the correlations
  for (Eigen::Index j = 0; j < d; ++j) {
    r(j, j) = covariance(j, j) > 0 ? Scalar(1) : Scalar(0);
    for (Eigen::Index i = j + 1; i < d; ++i) {
      const Scalar si = sqrt(covariance(i, i));
      const Scalar sj = sqrt(covariance(j, j));
      if (abs(covariance(i, j) - covariance(j, i)) > rounding * si * sj) {
        fail(owner, ": ", at(i, j), ", ", at(j, i), "; expected them equal");
      }
      if (abs(covariance(i, j)) > (1 + negligible) * si * sj) {
        fail(owner, ": ", at(i, j), ", ", at(i, i), ", ", at(j, j),
             "; expected at most the product of the two standard deviations");
      }
      r(i, j) = r(j, i) = si > 0 && sj > 0 ? covariance(i, j) / si / sj : Scalar(0);
    }
  }
  while (true) {
    Eigen::Index pivot = 0;
    for (Eigen::Index i = 1; i < d; ++i) {
      if (r(i, i) > r(pivot, pivot)) pivot = i;
    }
    if (!(r(pivot, pivot) > negligible)) break;
    const Eigen::Matrix<Scalar, Eigen::Dynamic, 1> column = r.col(pivot);
    for (Eigen::Index j = 0; j < d; ++j) {
      const Scalar factor = column(j) / column(pivot);
      for (Eigen::Index i = 0; i < d; ++i) r(i, j) -= column(i) * factor;
    }
    r.row(pivot).setZero();
    r.col(pivot).setZero();
  }
  if (!(r.cwiseAbs().maxCoeff() <= 2 * negligible)) {
    fail(owner, ": the covariance, ", at(0, 0),
         " and on, is not positive semidefinite; expected every eigenvalue at least 0");
  }
}

}  // namespace scorematch::detail
