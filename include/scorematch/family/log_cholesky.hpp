// SPDX-License-Identifier: MIT
//
// Gaussians in log-Cholesky coordinates (see GaussianFamily) inside of other densities, in any
// numbers.
#pragma once

#include <scorematch/derivative/number.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <numbers>

namespace scorematch::detail {

// 0 where exp(l)^3 and its inverse are in the range of Scalar, NaN elsewhere: added to a log
// density, it ends the domain.
template <class Scalar>
Scalar guard(Scalar l) {
  constexpr Scalar limit =
      Scalar(std::numeric_limits<Scalar>::max_exponent) * std::numbers::ln2_v<Scalar> / 3;
  return std::abs(l) <= limit ? Scalar(0) : std::numeric_limits<Scalar>::quiet_NaN();
}

// The same of a number that does not depend on the sample.
template <class T>
auto range_guard(const T& l) {
  if constexpr (RecordedNumber<T>) {
    return guard(l.at_leader());
  } else {
    return guard(value(l));
  }
}

// theta begins with the coordinates of a Gaussian.
template <class Theta>
auto log_cholesky_guard(const Theta& theta, Eigen::Index dimension) {
  auto sum = range_guard(theta(dimension));
  for (Eigen::Index i = 1; i < dimension; ++i) sum += range_guard(theta(dimension + i));
  return sum;
}

// |L^-1 (x - mu)|^2.
template <class X, class Theta>
typename X::Scalar log_cholesky_distance(const X& x, const Theta& theta, Eigen::Index dimension) {
  using std::exp;
  Eigen::Matrix<typename X::Scalar, X::RowsAtCompileTime, 1> whitened(dimension);
  typename X::Scalar sum(0);
  for (Eigen::Index i = 0, k = 2 * dimension; i < dimension; ++i) {
    typename X::Scalar residual = x(i) - theta(i);
    for (Eigen::Index j = 0; j < i; ++j) residual -= whitened(j) * theta(k++);
    whitened(i) = residual * exp(-theta(dimension + i));
    sum += whitened(i) * whitened(i);
  }
  return sum;
}

}  // namespace scorematch::detail
