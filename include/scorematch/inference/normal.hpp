// SPDX-License-Identifier: MIT
//
// The distributions of test statistics, as far as the standard library stops short of them.
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <numbers>

namespace scorematch::detail {

// The probability of more than x under the standard normal distribution.
inline double normal_tail(double x) { return std::erfc(x / std::numbers::sqrt2) / 2; }

// The x that a standard normal exceeds with probability p, 0 < p < 1: a rational approximation
// (Abramowitz and Stegun 26.2.23, to 4.5e-4), and three steps of Halley's method.
inline double normal_upper_quantile(double p) {
  const double tail = p < 0.5 ? p : 1 - p;
  const double t = std::sqrt(-2 * std::log(tail));
  double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                     (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (int step = 0; step < 3; ++step) {
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    if (!(density > 0)) break;
    const double off = (normal_tail(x) - tail) / density;
    x += off / (1 + x * off / 2);
  }
  return p < 0.5 ? x : -x;
}

// Student's t of nu degrees of freedom and the standard normal at the same level, each by the other
// (Wallace 1959): t to 4 % from nu = 2 on, to 0.1 % from 10 on. Infinite nu: the same.
inline double normal_of_student(double t, double nu) {
  if (!(nu < std::numeric_limits<double>::infinity())) return t;
  const double z = std::sqrt(nu * std::log1p(t * t / nu)) * (8 * nu + 1) / (8 * nu + 3);
  return std::copysign(z, t);
}
inline double student_of_normal(double z, double nu) {
  if (!(nu < std::numeric_limits<double>::infinity())) return z;
  const double scaled = z * (8 * nu + 3) / (8 * nu + 1);
  return std::copysign(std::sqrt(nu * std::expm1(scaled * scaled / nu)), z);
}

// The probability that a chi-squared variable of m degrees of freedom exceeds x >= 0: a finite sum
// (Abramowitz and Stegun 26.4.4 and 26.4.5).
inline double chi_squared_tail(double x, Eigen::Index m) {
  if (!(x >= 0)) return std::numeric_limits<double>::quiet_NaN();
  if (m == 0) return 1;  // it is 0, always
  if (x > (std::numeric_limits<double>::max)()) return 0;
  const bool odd = m % 2 == 1;
  double sum = odd ? std::erfc(std::sqrt(x / 2)) : 0;
  double log_term = odd ? (std::log(2 * x / std::numbers::pi) - x) / 2 : -x / 2;
  for (Eigen::Index k = odd ? 1 : 0; k <= m - 2; k += 2) {
    if (k > 1) log_term += std::log(x / static_cast<double>(k));
    sum += std::exp(log_term);
  }
  return sum < 1 ? sum : 1;
}

inline void require_level(const char* what, double level) {
  if (!(level > 0 && level < 1)) {
    fail(what, ": level = ", level, "; expected a number between 0 and 1, such as 0.95");
  }
}

}  // namespace scorematch::detail
