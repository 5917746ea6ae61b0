// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/derivative/number.hpp>

namespace scorematch {

/// A function along one line at one point: its value, first and second derivative.
///
/// **Math** along x + t v: first = v . grad f, second = v^T (Hessian of f) v.
///
/// **Cost** three numbers; a product 9 flops. No allocation.
///
/// **Example** tests/derivative_test.cpp
template <class T>
class Taylor2 : public detail::ForwardOperators<Taylor2<T>, T> {
 public:
  T value;
  T first;
  T second;  // the derivative itself, not half of it

  Taylor2() = default;  // not set, as T itself

  /// A constant.
  template <ConstantFor<T> C>
  Taylor2(const C& c) : value(static_cast<T>(c)), first(T(0)), second(T(0)) {}

  Taylor2(const T& value_, const T& first_, const T& second_)
      : value(value_), first(first_), second(second_) {}

  /// The variable `at`, which moves along the line at `speed`.
  static Taylor2 variable(const T& at, const T& speed) { return {at, speed, T(0)}; }

  template <class Op>
  static Taylor2 each(const Op& op, const Taylor2& x) {
    return {op(x.value), op(x.first), op(x.second)};
  }

  template <class Op>
  static Taylor2 each(const Op& op, const Taylor2& x, const Taylor2& y) {
    return {op(x.value, y.value), op(x.first, y.first), op(x.second, y.second)};
  }

  static Taylor2 product(const Taylor2& x, const Taylor2& y) {
    return {x.value * y.value, x.value * y.first + y.value * x.first,
            x.value * y.second + y.value * x.second + 2 * (x.first * y.first)};
  }

  static Taylor2 quotient(const Taylor2& x, const Taylor2& y) {
    const T value = x.value / y.value;
    const T first = (x.first - value * y.first) / y.value;
    return {value, first, (x.second - value * y.second - 2 * (first * y.first)) / y.value};
  }

  Taylor2 compose(const Derivatives<T>& phi) const {
    return {phi.value, phi.first * first, phi.first * second + phi.second * (first * first)};
  }

  static Taylor2 compose(const Taylor2& x, const Taylor2& y, const PartialDerivatives<T>& phi) {
    return {phi.value, phi.a * x.first + phi.b * y.first,
            phi.a * x.second + phi.b * y.second + phi.aa * (x.first * x.first) +
                2 * (phi.ab * (x.first * y.first)) + phi.bb * (y.first * y.first)};
  }
};

}  // namespace scorematch
