// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/number.hpp>

#include <Eigen/Core>

#include <array>
#include <cstddef>

namespace scorematch {

/// A function of Dim variables at one point: its value, gradient and Laplacian. Score and Laplacian
/// of a density then come in one pass over its formula ("forward Laplacian").
///
/// **Math** u = phi(v): grad u = phi'(v) grad v, Lap u = phi'(v) Lap v + phi''(v) |grad v|^2.
/// Lap(vw) = v Lap w + w Lap v + 2 grad v . grad w. The mixed second derivatives are never formed.
///
/// **Cost** Dim + 2 numbers; a product 5 Dim + 6 flops. No allocation.
///
/// **Example** tests/derivative_test.cpp
template <class T, int Dim>
class ForwardLaplacian : public detail::ForwardOperators<ForwardLaplacian<T, Dim>, T> {
 public:
  static_assert(Dim >= 1, "a ForwardLaplacian has at least one variable");

  static constexpr int Variables = Dim;

  std::array<T, std::size_t(Dim)> gradient;  // first, where a copy's wide loads meet its stores
  T value;
  T laplacian;

  ForwardLaplacian() = default;  // not set, as T itself

  /// A constant.
  template <ConstantFor<T> C>
  ForwardLaplacian(const C& c) : value(static_cast<T>(c)), laplacian(T(0)) {
    for (T& d : gradient) d = T(0);
  }

  /// The variable number `index`, at `at`.
  static ForwardLaplacian variable(const T& at, int index) {
    ForwardLaplacian result(at);
    result.gradient[std::size_t(index)] = T(1);
    return result;
  }

  template <class Op>
  static ForwardLaplacian each(const Op& op, const ForwardLaplacian& x) {
    ForwardLaplacian result;
    result.value = op(x.value);
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = op(x.gradient[i]);
    });
    result.laplacian = op(x.laplacian);
    return result;
  }

  template <class Op>
  static ForwardLaplacian each(const Op& op, const ForwardLaplacian& x, const ForwardLaplacian& y) {
    ForwardLaplacian result;
    result.value = op(x.value, y.value);
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = op(x.gradient[i], y.gradient[i]);
    });
    result.laplacian = op(x.laplacian, y.laplacian);
    return result;
  }

  static ForwardLaplacian product(const ForwardLaplacian& x, const ForwardLaplacian& y) {
    ForwardLaplacian result;
    result.value = x.value * y.value;
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = x.value * y.gradient[i] + y.value * x.gradient[i];
    });
    result.laplacian = x.value * y.laplacian + y.value * x.laplacian + 2 * dot(x, y);
    return result;
  }

  static ForwardLaplacian quotient(const ForwardLaplacian& x, const ForwardLaplacian& y) {
    ForwardLaplacian result;
    result.value = x.value / y.value;
    const T inverse = 1 / y.value;
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = (x.gradient[i] - result.value * y.gradient[i]) * inverse;
    });
    result.laplacian = (x.laplacian - result.value * y.laplacian - 2 * dot(result, y)) * inverse;
    return result;
  }

  ForwardLaplacian compose(const Derivatives<T>& phi) const {
    ForwardLaplacian result;
    result.value = phi.value;
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = phi.first * gradient[i];
    });
    result.laplacian = phi.first * laplacian + phi.second * dot(*this, *this);
    return result;
  }

  static ForwardLaplacian compose(const ForwardLaplacian& x, const ForwardLaplacian& y,
                                  const PartialDerivatives<T>& phi) {
    ForwardLaplacian result;
    result.value = phi.value;
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = phi.a * x.gradient[i] + phi.b * y.gradient[i];
    });
    result.laplacian = phi.a * x.laplacian + phi.b * y.laplacian + phi.aa * dot(x, x) +
                       2 * (phi.ab * dot(x, y)) + phi.bb * dot(y, y);
    return result;
  }

 private:
  // A loop would add one product after the other; Eigen adds halves to halves.
  static T dot(const ForwardLaplacian& x, const ForwardLaplacian& y) {
    using Row = Eigen::Map<const Eigen::Array<T, Dim, 1>>;
    return (Row(x.gradient.data()) * Row(y.gradient.data())).sum();
  }
};

}  // namespace scorematch
