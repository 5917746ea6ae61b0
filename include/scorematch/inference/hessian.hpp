// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>

#include <Eigen/Core>

#include <utility>

namespace scorematch::detail {

// The second derivatives of an objective, by central differences of its gradient over steps(k) in
// parameter k. With steps that are small beside what the gradient varies on, to about ten digits.
template <class Obj, class Parameters>
Eigen::Matrix<typename Parameters::Scalar, Eigen::Dynamic, Eigen::Dynamic> differenced_hessian(
    Obj& objective, const Parameters& theta, const Parameters& steps) {
  using Scalar = typename Parameters::Scalar;
  const Eigen::Index n = theta.size();
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> hessian(n, n);
  Parameters gradient = theta;
  for (Eigen::Index k = 0; k < n; ++k) {
    // Of fourth order: 8 (g(h) - g(-h)) - (g(2h) - g(-2h)) over 12 h.
    Parameters sum = Parameters::Zero(n);
    for (const auto& [place, weight] :
         {std::pair(Scalar(1), Scalar(8)), std::pair(Scalar(-1), Scalar(-8)),
          std::pair(Scalar(2), Scalar(-1)), std::pair(Scalar(-2), Scalar(1))}) {
      Parameters at = theta;
      at(k) += place * steps(k);
      objective(std::as_const(at), gradient);
      sum += weight * gradient;
    }
    hessian.col(k) = sum / (12 * steps(k));
  }
  return (hessian + hessian.transpose()) / 2;
}

}  // namespace scorematch::detail
