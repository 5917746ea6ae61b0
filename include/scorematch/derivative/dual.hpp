// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/number.hpp>

#include <array>
#include <cstddef>

namespace scorematch {

/// A number and its partial derivatives by N variables (dual number, first-order jet).
///
/// **Math** d phi(x) = phi'(x) dx; d(xy) = x dy + y dx.
///
/// **Cost** N + 1 numbers; a product 3 N + 1 flops. No allocation.
///
/// **Example** tests/derivative_test.cpp
template <class T, int N>
class Dual : public detail::ForwardOperators<Dual<T, N>, T> {
 public:
  static_assert(N >= 1, "a Dual has at least one variable");

  static constexpr int Variables = N;

  T value;
  std::array<T, std::size_t(N)> gradient;

  Dual() = default;  // not set, as T itself

  /// A constant.
  template <ConstantFor<T> C>
  Dual(const C& c) : value(static_cast<T>(c)) {
    for (T& d : gradient) d = T(0);
  }

  /// The variable number `index`, at `at`.
  static Dual variable(const T& at, int index) {
    Dual result(at);
    result.gradient[std::size_t(index)] = T(1);
    return result;
  }

  template <class Op>
  static Dual each(const Op& op, const Dual& x) {
    Dual result;
    result.value = op(x.value);
    detail::for_each_place<T, N>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = op(x.gradient[i]);
    });
    return result;
  }

  template <class Op>
  static Dual each(const Op& op, const Dual& x, const Dual& y) {
    Dual result;
    result.value = op(x.value, y.value);
    detail::for_each_place<T, N>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = op(x.gradient[i], y.gradient[i]);
    });
    return result;
  }

  static Dual product(const Dual& x, const Dual& y) {
    Dual result;
    result.value = x.value * y.value;
    detail::for_each_place<T, N>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = x.value * y.gradient[i] + y.value * x.gradient[i];
    });
    return result;
  }

  static Dual quotient(const Dual& x, const Dual& y) {
    Dual result;
    result.value = x.value / y.value;
    const T inverse = 1 / y.value;
    detail::for_each_place<T, N>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = (x.gradient[i] - result.value * y.gradient[i]) * inverse;
    });
    return result;
  }

  Dual compose(const Derivatives<T>& phi) const {
    Dual result;
    result.value = phi.value;
    detail::for_each_place<T, N>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = phi.first * gradient[i];
    });
    return result;
  }

  static Dual compose(const Dual& x, const Dual& y, const PartialDerivatives<T>& phi) {
    Dual result;
    result.value = phi.value;
    detail::for_each_place<T, N>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = phi.a * x.gradient[i] + phi.b * y.gradient[i];
    });
    return result;
  }
};

}  // namespace scorematch
