// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/number.hpp>

#include <array>
#include <cstddef>

namespace scorematch {

/// A function of Dim variables at one point: its value, and by each variable its first and second
/// derivative. Their sum is the Laplacian; where that alone is wanted, `ForwardLaplacian` is half
/// the size.
///
/// **Math** u = phi(v): d_j u = phi'(v) d_j v, d_jj u = phi'(v) d_jj v + phi''(v) (d_j v)^2. The
/// diagonal of the Hessian goes through every operation without the rest of it.
///
/// **Cost** 2 Dim + 1 numbers; a product 9 Dim + 1 flops. No allocation.
///
/// **Example** tests/derivative_test.cpp
template <class T, int Dim>
class ForwardCurvature : public detail::ForwardOperators<ForwardCurvature<T, Dim>, T> {
 public:
  static_assert(Dim >= 1, "a ForwardCurvature has at least one variable");

  static constexpr int Variables = Dim;

  T value;
  std::array<T, std::size_t(Dim)> gradient;
  std::array<T, std::size_t(Dim)> curvature;

  ForwardCurvature() = default;  // not set, as T itself

  /// A constant.
  template <ConstantFor<T> C>
  ForwardCurvature(const C& c) : value(static_cast<T>(c)) {
    for (T& d : gradient) d = T(0);
    for (T& d : curvature) d = T(0);
  }

  /// The variable number `index`, at `at`.
  static ForwardCurvature variable(const T& at, int index) {
    ForwardCurvature result(at);
    result.gradient[std::size_t(index)] = T(1);
    return result;
  }

  template <class Op>
  static ForwardCurvature each(const Op& op, const ForwardCurvature& x) {
    ForwardCurvature result;
    result.value = op(x.value);
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = op(x.gradient[i]);
    });
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.curvature[i] = op(x.curvature[i]);
    });
    return result;
  }

  template <class Op>
  static ForwardCurvature each(const Op& op, const ForwardCurvature& x, const ForwardCurvature& y) {
    ForwardCurvature result;
    result.value = op(x.value, y.value);
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = op(x.gradient[i], y.gradient[i]);
    });
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.curvature[i] = op(x.curvature[i], y.curvature[i]);
    });
    return result;
  }

  static ForwardCurvature product(const ForwardCurvature& x, const ForwardCurvature& y) {
    ForwardCurvature result;
    result.value = x.value * y.value;
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = x.value * y.gradient[i] + y.value * x.gradient[i];
      result.curvature[i] =
          x.value * y.curvature[i] + y.value * x.curvature[i] + 2 * (x.gradient[i] * y.gradient[i]);
    });
    return result;
  }

  static ForwardCurvature quotient(const ForwardCurvature& x, const ForwardCurvature& y) {
    ForwardCurvature result;
    result.value = x.value / y.value;
    const T inverse = 1 / y.value;
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = (x.gradient[i] - result.value * y.gradient[i]) * inverse;
      result.curvature[i] = (x.curvature[i] - result.value * y.curvature[i] -
                             2 * (result.gradient[i] * y.gradient[i])) *
                            inverse;
    });
    return result;
  }

  ForwardCurvature compose(const Derivatives<T>& phi) const {
    ForwardCurvature result;
    result.value = phi.value;
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = phi.first * gradient[i];
      result.curvature[i] = phi.first * curvature[i] + phi.second * (gradient[i] * gradient[i]);
    });
    return result;
  }

  static ForwardCurvature compose(const ForwardCurvature& x, const ForwardCurvature& y,
                                  const PartialDerivatives<T>& phi) {
    ForwardCurvature result;
    result.value = phi.value;
    detail::for_each_place<T, Dim>([&](int k) SCOREMATCH_INLINE {
      const auto i = std::size_t(k);
      result.gradient[i] = phi.a * x.gradient[i] + phi.b * y.gradient[i];
      result.curvature[i] = phi.a * x.curvature[i] + phi.b * y.curvature[i] +
                            phi.aa * (x.gradient[i] * x.gradient[i]) +
                            2 * (phi.ab * (x.gradient[i] * y.gradient[i])) +
                            phi.bb * (y.gradient[i] * y.gradient[i]);
    });
    return result;
  }
};

}  // namespace scorematch
