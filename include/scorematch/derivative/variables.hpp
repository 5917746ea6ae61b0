// SPDX-License-Identifier: MIT
//
// Where a differentiation starts: a point whose coordinates are the variables.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/number.hpp>
#include <scorematch/derivative/taylor2.hpp>

#include <Eigen/Core>

#include <algorithm>

namespace scorematch {

/// x as numbers of type X (a `Dual`, `ForwardLaplacian` or `ForwardCurvature`) whose variables are
/// the coordinates first, first + 1, ... of x, X::Variables of them or as many as there are; the
/// others are constants. Several passes then differentiate a vector of any length.
///
/// The result is an Eigen::Matrix of one column. An index out of its range is an error.
///
/// **Allocation** none where x has a fixed size.
template <ForwardNumber X, DenseExpression Point>
detail::Column<Eigen::Matrix<X, Point::RowsAtCompileTime, 1>> variables(const Point& x,
                                                                        Eigen::Index first = 0) {
  using T = typename X::Inner;
  detail::Column<Eigen::Matrix<X, Point::RowsAtCompileTime, 1>> result(x.rows());
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    result(i) = i >= first && i < first + X::Variables
                    ? X::variable(T(x(i)), static_cast<int>(i - first))
                    : X(T(x(i)));
  }
  return result;
}

/// x as numbers that move along the direction v.
///
/// **Errors** std::invalid_argument where v has another size than x.
template <class T, DenseExpression Point, DenseExpression Direction>
detail::Column<Eigen::Matrix<Taylor2<T>, Point::RowsAtCompileTime, 1>> variables_along(
    const Point& x, const Direction& v) {
  if (v.size() != x.rows()) {
    detail::fail("the direction v has ", v.size(), " entries; expected ", x.rows(), ", as x has");
  }
  detail::Column<Eigen::Matrix<Taylor2<T>, Point::RowsAtCompileTime, 1>> result(x.rows());
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    result(i) = Taylor2<T>::variable(T(x(i)), T(v(i)));
  }
  return result;
}

}  // namespace scorematch
