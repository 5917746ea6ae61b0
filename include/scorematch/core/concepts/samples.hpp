// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <concepts>

namespace scorematch {

namespace detail {
template <class Derived>
void take_dense(const Eigen::DenseBase<Derived>&);
}

/// Any dense Eigen object or expression: a matrix, an array, a map, a block, a product. (Not
/// `DenseBase<X>`: `head`, `segment` and `tail` derive from the base of another expression.)
template <class X>
concept DenseExpression = requires(const X& x) { detail::take_dense(x); };

/// No silent conversion: float samples belong in a float family.
template <class X, class Scalar>
concept HasScalar = std::same_as<typename X::Scalar, Scalar>;

/// Rows known at compile time must match; otherwise they are checked when the samples arrive.
template <class X, int Dim>
concept HasRows = Dim == Eigen::Dynamic || int(X::RowsAtCompileTime) == Eigen::Dynamic ||
                  int(X::RowsAtCompileTime) == Dim;

/// A Dim x n block of samples, one sample per column. A single sample is the case n = 1.
template <class X, class Scalar, int Dim>
concept SamplesOf = DenseExpression<X> && HasScalar<X, Scalar> && HasRows<X, Dim>;

/// A row or column of n weights.
template <class X, class Scalar>
concept WeightsOf = DenseExpression<X> && HasScalar<X, Scalar> && bool(X::IsVectorAtCompileTime);

namespace detail {

template <class Derived>
void take_any(const Eigen::EigenBase<Derived>&);

// Also what is not dense, and converts to a matrix: a diagonal, a triangle.
template <class X>
concept EigenExpression = requires(const X& x) { take_any(x); };

// What Eigen would copy into a matrix of fixed size without asking for its own, but for an
// assertion.
template <class X, class Fixed>
concept SizedLater = EigenExpression<X> && HasScalar<X, typename Fixed::Scalar> &&
                     ((int(Fixed::RowsAtCompileTime) != Eigen::Dynamic &&
                       int(X::RowsAtCompileTime) == Eigen::Dynamic) ||
                      (int(Fixed::ColsAtCompileTime) != Eigen::Dynamic &&
                       int(X::ColsAtCompileTime) == Eigen::Dynamic));

// `x` as a `Fixed`, once its size has been looked at. What is no `SizedLater` passes as it is.
template <class Fixed, class X>
decltype(auto) sized(const char* argument, const X& x) {
  if constexpr (SizedLater<X, Fixed>) {
    constexpr int rows = Fixed::RowsAtCompileTime, cols = Fixed::ColsAtCompileTime;
    if ((rows != Eigen::Dynamic && x.rows() != rows) ||
        (cols != Eigen::Dynamic && x.cols() != cols)) {
      fail(argument, " is ", x.rows(), " x ", x.cols(), "; expected ",
           rows == Eigen::Dynamic ? x.rows() : rows, " x ",
           cols == Eigen::Dynamic ? x.cols() : cols);
    }
    return Fixed(x);
  } else {
    return (x);
  }
}

}  // namespace detail

}  // namespace scorematch
