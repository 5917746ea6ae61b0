// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

namespace scorematch::detail {

template <class Scalar>
using DynamicMatrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

// A matrix or column of any size as one of dynamic size, entry by entry: of Eigen's copy from a
// small fixed size g++ 12 believes at -O3 that it reads beyond the end.
template <class X>
DynamicMatrix<typename X::Scalar> dynamic_of(const X& x) {
  DynamicMatrix<typename X::Scalar> result(x.rows(), x.cols());
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    for (Eigen::Index i = 0; i < x.rows(); ++i) result(i, j) = x(i, j);
  }
  return result;
}

}  // namespace scorematch::detail
