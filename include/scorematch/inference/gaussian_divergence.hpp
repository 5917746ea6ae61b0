// SPDX-License-Identifier: MIT
//
// Distances between two Gaussians, in closed form.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/distribution/gaussian.hpp>
#include <scorematch/linalg/polar_factor.hpp>
#include <scorematch/linalg/triangular.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>

namespace scorematch {
namespace detail {

template <Real Scalar, int Dim>
void require_same_dimension(const Gaussian<Scalar, Dim>& p, const Gaussian<Scalar, Dim>& q) {
  if (q.dimension() != p.dimension()) {
    fail("q has dimension ", q.dimension(), "; expected ", p.dimension(), ", as p has it");
  }
}

// k - log(1 + k) for k = a / b - 1, a and b positive; at least 0, accurate also where a is near b.
template <Real Scalar>
Scalar excess_over_log(Scalar a, Scalar b) {
  using std::abs;
  using std::log;
  const Scalar k = (a - b) / b;
  // Not log(1 + k): k may have rounded to -1.
  if (abs(k) > Scalar(0.5)) return k - (log(a) - log(b));
  // log(1 + k) = 2 artanh(r), r = k / (2 + k), and k - 2 r = k r.
  const Scalar r = k / (2 + k);
  const Scalar square = r * r;
  Scalar sum(0);
  Scalar power(1);
  for (int n = 3; power > std::numeric_limits<Scalar>::epsilon() / 4; n += 2) {
    sum += power / static_cast<Scalar>(n);
    power *= square;
  }
  return r * (k - 2 * square * sum);
}

}  // namespace detail

/// The Fisher divergence of q from p, in closed form: twice what score matching minimizes when its
/// samples are those of p.
///
/// **Math** D_F(p, q) = E_p |s_p(x) - s_q(x)|^2, without a factor 1/2, as Lyu (2009) has it; the
/// score matching loss J is D_F / 2 up to a constant (Hyvarinen 2005). For Gaussians
/// |(P_q - P_p) L_p|^2 + |P_q (mu_p - mu_q)|^2, the first norm being Frobenius'. The difference of
/// the precisions is computed from that of the Cholesky factors, D = L_p - L_q:
/// (P_q - P_p) L_p = L_q^-T (L_q^-1 D + (L_p^-1 D)^T). Zero only where p is q; not symmetric.
///
/// **Units** x in u: 1/u^2.
///
/// **Errors** std::invalid_argument where the dimensions differ. Infinity where it overflows.
///
/// **Cost** about 4 Dim^3 flops. **Allocation** none for a fixed Dim.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <Real Scalar, int Dim>
Scalar fisher_divergence(const Gaussian<Scalar, Dim>& p, const Gaussian<Scalar, Dim>& q) {
  using Vector = typename Gaussian<Scalar, Dim>::Vector;
  using Matrix = typename Gaussian<Scalar, Dim>::Matrix;
  detail::require_same_dimension(p, q);
  const Eigen::Index d = p.dimension();
  const Matrix difference = p.cholesky() - q.cholesky();
  Matrix inverse = Matrix::Zero(d, d);
  Matrix half = Matrix::Zero(d, d);
  Matrix sum(d, d);
  detail::invert_lower(p.cholesky(), inverse);
  detail::multiply_lower(inverse, difference, half);
  sum = half.transpose();
  detail::invert_lower(q.cholesky(), inverse);
  detail::multiply_lower(inverse, difference, half);
  sum += half;
  inverse.transposeInPlace();
  detail::multiply(inverse, sum, half);
  Vector shift = p.mean() - q.mean();
  detail::solve_lower(q.cholesky(), shift);
  detail::solve_transposed_lower(q.cholesky(), shift);
  return detail::number_or_infinity(half.squaredNorm() + shift.squaredNorm());
}

/// The Kullback-Leibler divergence of q from p, E_p[log p(x) - log q(x)], in closed form.
///
/// **Math** With K = L_q^-1 (L_p - L_q), lower triangular, a sum of terms that are not negative, so
/// that nothing cancels where p is near q:
/// 1/2 sum_{i>j} K_ij^2 + sum_i (K_ii^2 / 2 + K_ii - log(1 + K_ii)) + 1/2 |L_q^-1 (mu_p - mu_q)|^2.
/// It equals 1/2 (tr(P_q Sigma_p) - Dim - log det(P_q Sigma_p)) + 1/2 (mu_p - mu_q)^T P_q
/// (mu_p - mu_q) (Kullback and Leibler 1951). Zero only where p is q; not symmetric; the same in
/// all affine coordinates.
///
/// **Units** nats.
///
/// **Errors** std::invalid_argument where the dimensions differ. Infinity where it overflows.
///
/// **Cost** about 2/3 Dim^3 flops. **Allocation** none for a fixed Dim.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <Real Scalar, int Dim>
Scalar kullback_leibler(const Gaussian<Scalar, Dim>& p, const Gaussian<Scalar, Dim>& q) {
  using Vector = typename Gaussian<Scalar, Dim>::Vector;
  using Matrix = typename Gaussian<Scalar, Dim>::Matrix;
  detail::require_same_dimension(p, q);
  const Eigen::Index d = p.dimension();
  const Matrix difference = p.cholesky() - q.cholesky();
  Matrix inverse = Matrix::Zero(d, d);
  Matrix k = Matrix::Zero(d, d);
  detail::invert_lower(q.cholesky(), inverse);
  detail::multiply_lower(inverse, difference, k);
  Vector shift = p.mean() - q.mean();
  detail::solve_lower(q.cholesky(), shift);
  Scalar logs(0);
  for (Eigen::Index i = 0; i < d; ++i) {
    logs += detail::excess_over_log(p.cholesky()(i, i), q.cholesky()(i, i));
  }
  return detail::number_or_infinity((k.squaredNorm() + shift.squaredNorm()) / 2 + logs);
}

/// The 2-Wasserstein distance of two Gaussians, in closed form: the root of the least mean squared
/// distance over which the mass of p can be moved to become q.
///
/// **Math** W_2^2 = |mu_p - mu_q|^2 + tr(Sigma_p + Sigma_q - 2 (Sigma_p^1/2 Sigma_q
/// Sigma_p^1/2)^1/2) (Olkin and Pukelsheim 1982; Givens and Shortt 1984). The trace is the least
/// |L_p - L_q O|^2 over orthogonal O, which is taken at the polar factor of L_q^T L_p. So its root
/// has an error of rounding, relative to the standard deviations, where the formula would leave the
/// root of rounding. A metric: zero only where p is q, symmetric, with the triangle inequality.
///
/// **Units** x in u: u.
///
/// **Errors** std::invalid_argument where the dimensions differ. Infinity where it overflows.
///
/// **Cost** about 9 Dim^3 flops a Jacobi sweep, usually 5 to 10 sweeps. **Allocation** none for a
/// fixed Dim.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <Real Scalar, int Dim>
Scalar wasserstein2(const Gaussian<Scalar, Dim>& p, const Gaussian<Scalar, Dim>& q) {
  using Matrix = typename Gaussian<Scalar, Dim>::Matrix;
  using std::hypot;
  detail::require_same_dimension(p, q);
  const Eigen::Index d = p.dimension();
  Scalar distance(0);
  for (Eigen::Index i = 0; i < d; ++i) distance = hypot(distance, p.mean()(i) - q.mean()(i));
  // The polar factor of equal factors is the identity only up to rounding.
  if (p.cholesky() != q.cholesky()) {
    // Without units: a product of two factors may leave the range of the scalar.
    Matrix transposed = q.cholesky().transpose() / q.cholesky().cwiseAbs().maxCoeff();
    Matrix moved = p.cholesky() / p.cholesky().cwiseAbs().maxCoeff();
    Matrix product(d, d);
    detail::multiply(transposed, moved, product);
    detail::multiply(q.cholesky(), detail::orthogonal_polar_factor(product), moved);
    for (Eigen::Index j = 0; j < d; ++j) {
      for (Eigen::Index i = 0; i < d; ++i) {
        distance = hypot(distance, p.cholesky()(i, j) - moved(i, j));
      }
    }
  }
  return detail::number_or_infinity(distance);
}

}  // namespace scorematch
