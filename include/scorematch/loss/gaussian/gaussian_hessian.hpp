// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/parameters.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

namespace scorematch::detail {

enum class GaussianLoss { score_matching, likelihood };

// The second derivatives of a loss of a full Gaussian by theta = (mean, log L_ii, L_ij), for
// samples of mean mu + `offset` and covariance `root` root^T. Column by column: the gradient's
// derivative along dmu or dL. With A = L^-1, a = A (m - mu), W = A M A^T = I - E, B = A A^T, D = A
// dL,
//
//   d/dL = tril(A^T F),  F = B E + E B (score matching), E (likelihood)
//   d/dmu = -A^T B a     (score matching), -A^T a (likelihood)
//   dA = -D A,  da = -D a - A dmu,  dB = -D B - B D^T
//   dE = D W + W D^T + (A dmu) a^T + a (A dmu)^T
//
// O(K d^3) flops.
template <Real Scalar>
Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> gaussian_hessian(
    const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>& lower,
    const Eigen::Matrix<Scalar, Eigen::Dynamic, 1>& offset,
    const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>& root, GaussianLoss loss) {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  const bool scores = loss == GaussianLoss::score_matching;
  const Eigen::Index d = lower.rows();
  const Matrix inverse =
      lower.template triangularView<Eigen::Lower>().solve(Matrix::Identity(d, d));
  const Vector residual = inverse * offset;
  const Matrix whitened = inverse * root;
  const Matrix second = whitened * whitened.transpose() + residual * residual.transpose();
  const Matrix error = Matrix::Identity(d, d) - second;
  const Matrix inner = inverse * inverse.transpose();
  const Matrix force = scores ? Matrix(inner * error + error * inner) : error;
  const Vector pull = scores ? Vector(inner * residual) : residual;
  const Matrix by_lower = inverse.transpose() * force;

  const Eigen::Index parameters = d + d * (d + 1) / 2;
  Matrix result(parameters, parameters);
  const auto column = [&](Eigen::Index k, const Vector& shift, const Matrix& turn) {
    const Matrix change = turn * second + shift * residual.transpose();
    const Matrix by_error = change + change.transpose();
    const Vector by_residual = -turn * residual - shift;
    Matrix by_force = by_error;
    Vector by_pull = by_residual;
    if (scores) {
      const Matrix half = turn * inner;
      const Matrix by_inner = -half - half.transpose();
      const Matrix sum = by_inner * error + inner * by_error;
      by_force = sum + sum.transpose();
      by_pull = by_inner * residual + inner * by_residual;
    }
    const Matrix of_lower = inverse.transpose() * (by_force - turn.transpose() * force);
    result.col(k).head(d) = -inverse.transpose() * (by_pull - turn.transpose() * pull);
    for (Eigen::Index i = 0; i < d; ++i) result(d + i, k) = of_lower(i, i) * lower(i, i);
    auto target = result.col(k);
    pack_below(of_lower, 2 * d, target);
  };
  const Vector still = Vector::Zero(d);
  const Matrix fixed = Matrix::Zero(d, d);
  for (Eigen::Index i = 0; i < d; ++i) column(i, inverse.col(i), fixed);
  const auto turn = [&](Eigen::Index k, Eigen::Index i, Eigen::Index j, Scalar size) {
    Matrix along = Matrix::Zero(d, d);
    along.col(j) = size * inverse.col(i);
    column(k, still, along);
  };
  for (Eigen::Index i = 0; i < d; ++i) {
    turn(d + i, i, i, lower(i, i));
    result(d + i, d + i) += by_lower(i, i) * lower(i, i);  // L_ii = exp(l_i) curves by itself
  }
  for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
    for (Eigen::Index j = 0; j < i; ++j) turn(k++, i, j, Scalar(1));
  }
  return (result + result.transpose()) / 2;
}

}  // namespace scorematch::detail
