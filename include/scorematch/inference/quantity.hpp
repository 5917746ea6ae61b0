// SPDX-License-Identifier: MIT
//
// Functions of the parameters of a fit, and their derivatives.
#pragma once

#include <scorematch/core/scalar.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/linalg/dynamic.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace scorematch {

namespace detail {

// The variable k of a pass over parameters `first` on, the others constant.
inline constexpr int quantity_width = 8;
template <Real Scalar>
using QuantityNumbers = Eigen::Matrix<Dual<Scalar, quantity_width>, Eigen::Dynamic, 1>;

template <class Value>
Eigen::Index size_of_quantity(const Value& value) {
  if constexpr (requires { value.size(); }) {
    return value.size();
  } else {
    return 1;
  }
}

template <class Value>
decltype(auto) entry_of_quantity(const Value& value, [[maybe_unused]] Eigen::Index i) {
  if constexpr (requires { value.size(); }) {
    return value(i);
  } else {
    return (value);
  }
}

// The derivative of a quantity at `at`, m x K, and its values.
template <Real Scalar, class Q>
DynamicMatrix<Scalar> derivative_of_quantity(
    const Q& quantity, const Eigen::Matrix<Scalar, Eigen::Dynamic, 1>& at,
    Eigen::Matrix<Scalar, Eigen::Dynamic, 1>* values = nullptr) {
  using Number = Dual<Scalar, quantity_width>;
  QuantityNumbers<Scalar> theta(at.size());
  for (Eigen::Index k = 0; k < theta.size(); ++k) theta(k) = Number(at(k));
  DynamicMatrix<Scalar> slopes;
  for (Eigen::Index first = 0; first < theta.size(); first += quantity_width) {
    const Eigen::Index size = (std::min)(Eigen::Index(quantity_width), theta.size() - first);
    for (Eigen::Index k = 0; k < size; ++k) {
      theta(first + k) = Number::variable(at(first + k), static_cast<int>(k));
    }
    const auto value = quantity(std::as_const(theta));
    const Eigen::Index m = size_of_quantity(value);
    if (first == 0) {
      slopes.resize(m, theta.size());
      if (values != nullptr) values->resize(m);
    }
    for (Eigen::Index i = 0; i < m; ++i) {
      const Number entry(entry_of_quantity(value, i));
      if (values != nullptr) (*values)(i) = entry.value;
      for (Eigen::Index k = 0; k < size; ++k) {
        slopes(i, first + k) = entry.gradient[static_cast<std::size_t>(k)];
      }
    }
    for (Eigen::Index k = 0; k < size; ++k) theta(first + k) = Number(at(first + k));
  }
  return slopes;
}

}  // namespace detail

/// A function of the parameters, written once for all numbers: `quantity(theta)` with theta a
/// column of Scalar or of `Dual` numbers returns a number of their kind, or a column of them. Where
/// it says `scale`, an `IntervalScale`, its intervals are made on that scale.
///
/// **Example** `[](const auto& theta) { using std::exp; return exp(theta(0)); }`; `correlations`.
template <class Q, class Scalar>
concept Quantity = requires(const Q& quantity, const detail::QuantityNumbers<Scalar>& theta) {
  Dual<Scalar, detail::quantity_width>(detail::entry_of_quantity(quantity(theta), 0));
};

}  // namespace scorematch
