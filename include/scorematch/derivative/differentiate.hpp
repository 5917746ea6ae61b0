// SPDX-License-Identifier: MIT
//
// Derivatives in x of any generic callable f(x), in passes over its coordinates.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/machine.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/derivative/forward_curvature.hpp>
#include <scorematch/derivative/forward_laplacian.hpp>
#include <scorematch/derivative/taylor2.hpp>
#include <scorematch/derivative/variables.hpp>

#include <Eigen/Core>

#include <cstddef>

namespace scorematch {

namespace detail {

// Coordinates in one pass over x: all of a short fixed vector, else as many as keep a number small.
template <int Dim>
inline constexpr int pass_width =
    Dim == Eigen::Dynamic             ? 8
    : Dim <= detail::largest_unrolled ? Dim
                                      : (Dim - 1) / ((Dim + 15) / 16) + 1;

// use(number, first) for each pass, with f(x) as a number whose variables begin at x(first).
template <class X, class F, class Point, class Use>
void for_each_pass(const F& f, const Point& x, const Use& use) {
  for (Eigen::Index first = 0; first < x.rows(); first += X::Variables) {
    const X at(f(variables<X>(x, first)));
    use(at, first);
  }
}

template <class Derivatives, class Result>
void copy_pass(const Derivatives& from, Eigen::Index first, Result& to) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Eigen::Index k = first + static_cast<Eigen::Index>(i);
    if (k < to.size()) to(k) = from[i];
  }
}

// 0 where f is finite, NaN elsewhere. Derivatives alone would not tell: log(x) has finite ones at a
// negative x.
template <class X>
auto guard_of(const X& f) {
  return value(f) - value(f);
}

}  // namespace detail

// Where f is not finite, what these functions return is not either.

/// Gradient of f at x. T is the type of the derivatives: the scalar of x, or a number over it where
/// f holds such.
///
/// **Cost** one pass over f for a fixed size of at most 16, else one for every 8 to 16 coordinates.
///
/// **Allocation** none of a fixed size; else one vector of numbers a pass.
template <class T, class F, DenseExpression Point>
Eigen::Matrix<T, Point::RowsAtCompileTime, 1> gradient_of(const F& f, const Point& x) {
  constexpr int width = detail::pass_width<Point::RowsAtCompileTime>;
  Eigen::Matrix<T, Point::RowsAtCompileTime, 1> gradient(x.rows());
  detail::for_each_pass<Dual<T, width>>(f, x, [&](const auto& at, Eigen::Index first) {
    detail::copy_pass(at.gradient, first, gradient);
    gradient(first) += detail::guard_of(at);
  });
  return gradient;
}

/// Writes the gradient of f at x and returns its Laplacian. **Cost**, **Allocation** as
/// `gradient_of`.
template <class T, class F, DenseExpression Point>
T gradient_and_laplacian_of(const F& f, const Point& x,
                            Eigen::Matrix<T, Point::RowsAtCompileTime, 1>& gradient) {
  constexpr int width = detail::pass_width<Point::RowsAtCompileTime>;
  T laplacian(0);
  gradient.resize(x.rows());
  detail::for_each_pass<ForwardLaplacian<T, width>>(f, x, [&](const auto& at, Eigen::Index first) {
    detail::copy_pass(at.gradient, first, gradient);
    laplacian += at.laplacian + detail::guard_of(at);
  });
  return laplacian;
}

/// Writes the gradient of f at x and its second derivatives, the diagonal of the Hessian. **Cost**,
/// **Allocation** as `gradient_of`.
template <class T, class F, DenseExpression Point>
void gradient_and_curvature_of(const F& f, const Point& x,
                               Eigen::Matrix<T, Point::RowsAtCompileTime, 1>& gradient,
                               Eigen::Matrix<T, Point::RowsAtCompileTime, 1>& curvature) {
  constexpr int width = detail::pass_width<Point::RowsAtCompileTime>;
  gradient.resize(x.rows());
  curvature.resize(x.rows());
  detail::for_each_pass<ForwardCurvature<T, width>>(f, x, [&](const auto& at, Eigen::Index first) {
    detail::copy_pass(at.gradient, first, gradient);
    detail::copy_pass(at.curvature, first, curvature);
    curvature(first) += detail::guard_of(at);
  });
}

/// f at x with its first and second derivative along v. **Cost** one pass. **Errors** as
/// `variables_along`.
template <class T, class F, DenseExpression Point, DenseExpression Direction>
Taylor2<T> along(const F& f, const Point& x, const Direction& v) {
  Taylor2<T> result(f(variables_along<T>(x, v)));
  result.second += detail::guard_of(result);
  return result;
}

}  // namespace scorematch
