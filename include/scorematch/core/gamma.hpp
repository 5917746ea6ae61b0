// SPDX-License-Identifier: MIT
//
// The gamma function where the standard library stops: the derivatives of its logarithm, and
// differences of logarithms that do not cancel.
#pragma once

#include <scorematch/core/scalar.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>

namespace scorematch::detail {

// B_2, B_4, ..., B_24, the numbers of Bernoulli in Stirling's series (Abramowitz and Stegun 6.1.40,
// 6.4.11). Twelve terms are exact to the last digit of a long double from 10 on.
template <Real T>
inline constexpr std::array<T, 12> bernoulli{
    T(1) / 6,       T(-1) / 30,       T(1) / 42,       T(-1) / 30,
    T(5) / 66,      T(-691) / 2730,   T(7) / 6,        T(-3617) / 510,
    T(43867) / 798, T(-174611) / 330, T(854513) / 138, T(-236364091) / 2730};

// n-th derivative of pi cot(pi x) at a distance |r| <= 1/2 from a pole: pi^(n + 1) P_n(cot(pi r))
// with P_0(c) = c, P_(n + 1) = -(1 + c^2) P_n'. P_n has the powers n + 1, n - 1, ... alone, all of
// one sign: nothing cancels.
template <Real T>
T derivative_of_cotangent(int n, T r) {
  constexpr T pi = std::numbers::pi_v<T>;
  constexpr int most = 24;  // derivatives of derivatives stop far below
  std::array<T, most + 3> p{};
  p[1] = 1;
  T scale = pi;
  for (int order = 0; order < n && order < most; ++order) {
    std::array<T, most + 3> next{};
    for (std::size_t k = 1; k <= std::size_t(order) + 1; ++k) {
      next[k - 1] -= static_cast<T>(k) * p[k];
      next[k + 1] -= static_cast<T>(k) * p[k];
    }
    p = next;
    scale *= pi;
  }
  const T c = std::sin(pi * (T(0.5) - std::abs(r))) / std::sin(pi * r);
  T sum(0);
  int k = n + 1;
  for (; k >= 2; k -= 2) sum = (sum + p[std::size_t(k)]) * c * c;
  return scale * (k == 1 ? (sum + p[1]) * c : sum + p[0]);
}

// n-th derivative of digamma = (log gamma)'. Accurate to rounding; near the zeros of digamma, which
// are sums of terms of order one, the absolute error is that of the terms.
template <Real T>
T polygamma(int n, T x) {
  const T sign(n % 2 == 0 ? -1 : 1);
  if (x < 0) {  // reflection, Abramowitz and Stegun 6.4.7
    const T r = x - std::round(x);
    if (r == 0) {
      return n % 2 == 0 ? std::numeric_limits<T>::quiet_NaN() : std::numeric_limits<T>::infinity();
    }
    return -sign * polygamma(n, 1 - x) - derivative_of_cotangent(n, r);
  }
  const auto power = [](T base, int exponent) {
    T result(1);
    for (; exponent > 0; --exponent) result *= base;
    return result;
  };
  T factorial(1);  // (n - 1)!, and n! below
  for (int k = 2; k < n; ++k) factorial *= static_cast<T>(k);
  const T least = static_cast<T>(15 + n);
  const int steps = x < least ? static_cast<int>(std::ceil(least - x)) : 0;
  const T z = x + static_cast<T>(steps);
  const T inverse = 1 / z;
  const T lead = n == 0 ? -std::log(z) : factorial * power(inverse, n);
  if (n > 1) factorial *= static_cast<T>(n);
  // The series, its smallest terms first.
  T coefficient = factorial * static_cast<T>(n + 1) / 2;  // (2k + n - 1)! / (2k)! at k = 1
  std::array<T, bernoulli<T>.size()> terms;
  for (std::size_t k = 0; k < terms.size(); ++k) {
    terms[k] = coefficient * bernoulli<T>[k];
    const T order = static_cast<T>(2 * k + 2);
    coefficient *=
        (order + static_cast<T>(n)) * (order + static_cast<T>(n + 1)) / ((order + 1) * (order + 2));
  }
  T series(0);
  for (std::size_t k = terms.size(); k-- > 0;) series = (series + terms[k]) * inverse * inverse;
  T sum = (series + factorial / 2 * inverse) * power(inverse, n);
  for (int k = steps - 1; k >= 0; --k) {  // psi_n(z) = psi_n(z + 1) - (-1)^n n! / z^(n + 1)
    sum += factorial * power(1 / (x + static_cast<T>(k)), n + 1);
  }
  return sign * (sum + lead);
}

// log gamma((nu + d)/2) - log gamma(nu/2) - d/2 log(nu/2) for nu > 0, to rounding in units of d: it
// goes to 0 as nu grows, where each of the terms has lost all digits of it.
template <Real T>
T log_gamma_ratio(T nu, T d) {
  const T a = nu / 2;
  const T h = d / 2;
  if (a < 10) {
    return std::lgamma(a + h) - std::lgamma(1 + a) +
           (1 - h) * (std::log(nu) - std::numbers::ln2_v<T>);
  }
  const auto rest = [](T z) {  // log gamma(z) - (z - 1/2) log z + z - log(2 pi) / 2
    const T inverse = 1 / z;
    T sum(0);
    for (std::size_t k = bernoulli<T>.size(); k-- > 0;) {
      const T order = static_cast<T>(2 * k + 2);
      sum = sum * inverse * inverse + bernoulli<T>[k] / (order * (order - 1));
    }
    return sum * inverse;
  };
  const T growth = std::log1p(h / a);
  return (a * growth - h) + (h - T(0.5)) * growth + (rest(a + h) - rest(a));
}

}  // namespace scorematch::detail
