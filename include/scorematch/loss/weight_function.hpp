// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>

#include <cmath>
#include <concepts>
#include <limits>

namespace scorematch {

/// h(x) = min(x, c): the distance to the edge, as far as it is below c. Samples farther inside than
/// c count as in plain score matching.
///
/// **Units** c in those of the samples.
///
/// **Errors** std::invalid_argument, by the loss that takes it, for c that is not a finite number
/// above 0.
struct MinWeight {
  double c = 1;

  template <Real T>
  T value(T x) const {
    const T most = static_cast<T>(c);
    return x < most ? x : most;
  }
  template <Real T>
  T derivative(T x) const {
    return x < static_cast<T>(c) ? T(1) : T(0);
  }

  void require_options() const {
    detail::require_option(c > 0 && c <= (std::numeric_limits<double>::max)(), "MinWeight", "c", c,
                           "a finite number above 0");
  }
};

/// h(x) = x. Not for coordinates without any bound, where the distance to the edge is infinite.
struct LinearWeight {
  template <Real T>
  T value(T x) const {
    return x;
  }
  template <Real T>
  T derivative(T) const {
    return T(1);
  }
};

/// h(x) = log(1 + x): knows the unit of the samples. Not for coordinates without any bound.
struct LogWeight {
  template <Real T>
  T value(T x) const {
    return std::log1p(x);
  }
  template <Real T>
  T derivative(T x) const {
    return T(1) / (T(1) + x);
  }
};

/// `value(x)` is h(x) and `derivative(x)` is h'(x), for a distance x >= 0 from the edge.
///
/// Laws: h(0) = 0, h >= 0 and finite, h absolutely continuous. (h(0) = 0 is checked when a loss is
/// made, h >= 0 and finite at each sample. Where there is a `require_options()`, the loss calls
/// it.)
template <class W, class Scalar>
concept WeightFunction = std::copy_constructible<W> && requires(const W& h, Scalar x) {
  { h.value(x) } -> std::convertible_to<Scalar>;
  { h.derivative(x) } -> std::convertible_to<Scalar>;
};

}  // namespace scorematch
