// SPDX-License-Identifier: MIT
//
// Densities at arguments where their formulas leave the range of the scalar on the way to a result
// that may be inside.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace scorematch::detail {

// A finite number whose exponent has no end: mantissa 2^exponent with the mantissa 0 or in
// [1/2, 1). Rounds as T does, and neither over- nor underflows.
template <Real T>
class Wide {
 public:
  Wide() = default;
  Wide(T value) : Wide(value, 0) {}

  // The nearest T, infinite beyond its range.
  explicit operator T() const {
    const long most = 4 * long(std::numeric_limits<T>::max_exponent);
    return std::ldexp(mantissa_, static_cast<int>(std::clamp(exponent_, -most, most)));
  }

  bool positive() const { return mantissa_ > 0; }

  friend Wide operator-(const Wide& x) { return Wide(-x.mantissa_, x.exponent_); }
  friend Wide operator+(const Wide& x, const Wide& y) {
    if (x.mantissa_ == 0) return y;
    if (y.mantissa_ == 0) return x;
    const long gap = x.exponent_ - y.exponent_;
    if (gap < 0) return y + x;
    if (gap > 2 * std::numeric_limits<T>::digits) return x;
    return Wide(x.mantissa_ + std::ldexp(y.mantissa_, static_cast<int>(-gap)), x.exponent_);
  }
  friend Wide operator-(const Wide& x, const Wide& y) { return x + (-y); }
  friend Wide operator*(const Wide& x, const Wide& y) {
    return Wide(x.mantissa_ * y.mantissa_, x.exponent_ + y.exponent_);
  }
  friend Wide operator/(const Wide& x, const Wide& y) {
    return Wide(x.mantissa_ / y.mantissa_, x.exponent_ - y.exponent_);
  }
  friend T log(const Wide& x) {
    return std::log(x.mantissa_) + static_cast<T>(x.exponent_) * std::numbers::ln2_v<T>;
  }

 private:
  Wide(T mantissa, long exponent) {
    int shift = 0;
    mantissa_ = std::frexp(mantissa, &shift);
    exponent_ = mantissa_ == 0 ? 0 : exponent + shift;
  }

  T mantissa_{0};
  long exponent_ = 0;
};

template <class G>
using WideVector = Eigen::Matrix<Wide<typename G::Scalar>, G::Dim, 1>;

// What a Gaussian is at one point: q = (x - mu)^T P (x - mu) and the score, -P (x - mu).
template <class G>
struct WidePoint {
  Wide<typename G::Scalar> distance;
  WideVector<G> score;
};

// **Errors** std::invalid_argument where x is not finite.
template <class G>
EIGEN_DONT_INLINE WidePoint<G> wide_point(const G& gaussian, const typename G::Vector& x) {
  using W = Wide<typename G::Scalar>;
  const auto& lower = gaussian.cholesky();
  const Eigen::Index d = gaussian.dimension();
  WidePoint<G> at;
  WideVector<G>& w = at.score;
  w.resize(d);
  for (Eigen::Index i = 0; i < d; ++i) {
    if (!std::isfinite(x(i))) fail(entry("x", i, x(i)), "; expected a finite value");
    w(i) = W(x(i)) - W(gaussian.mean()(i));
    for (Eigen::Index j = 0; j < i; ++j) w(i) = w(i) - W(lower(i, j)) * w(j);
    w(i) = w(i) / W(lower(i, i));
    at.distance = at.distance + w(i) * w(i);
  }
  for (Eigen::Index i = d - 1; i >= 0; --i) {
    for (Eigen::Index j = i + 1; j < d; ++j) w(i) = w(i) + W(lower(j, i)) * w(j);
    w(i) = -(w(i) / W(lower(i, i)));
  }
  return at;
}

// P = L^-T L^-1.
template <class G>
EIGEN_DONT_INLINE Eigen::Matrix<Wide<typename G::Scalar>, G::Dim, G::Dim> wide_precision(
    const G& gaussian) {
  using W = Wide<typename G::Scalar>;
  using Matrix = Eigen::Matrix<W, G::Dim, G::Dim>;
  const auto& lower = gaussian.cholesky();
  const Eigen::Index d = gaussian.dimension();
  Matrix inverse(d, d);
  for (Eigen::Index j = 0; j < d; ++j) {
    for (Eigen::Index i = 0; i < d; ++i) {
      W entry(i == j ? 1 : 0);
      for (Eigen::Index k = j; k < i; ++k) entry = entry - W(lower(i, k)) * inverse(k, j);
      inverse(i, j) = entry / W(lower(i, i));
    }
  }
  Matrix result(d, d);
  for (Eigen::Index j = 0; j < d; ++j) {
    for (Eigen::Index i = 0; i < d; ++i) {
      W entry;
      for (Eigen::Index k = (std::max)(i, j); k < d; ++k) {
        entry = entry + inverse(k, i) * inverse(k, j);
      }
      result(i, j) = entry;
    }
  }
  return result;
}

template <class G>
Wide<typename G::Scalar> wide_trace(const G& gaussian) {
  const auto precision = wide_precision(gaussian);
  Wide<typename G::Scalar> sum;
  for (Eigen::Index i = 0; i < gaussian.dimension(); ++i) sum = sum + precision(i, i);
  return sum;
}

template <class Vector, class W>
Vector narrow(const W& wide) {
  Vector result(wide.rows(), wide.cols());
  for (Eigen::Index j = 0; j < wide.cols(); ++j) {
    for (Eigen::Index i = 0; i < wide.rows(); ++i) {
      result(i, j) = static_cast<typename Vector::Scalar>(wide(i, j));
    }
  }
  return result;
}

// Without a branch or a chain of sums.
template <class Matrix>
bool all_finite(const Matrix& matrix) {
  int bad = 0;
  for (Eigen::Index k = 0; k < matrix.size(); ++k) {
    bad |= !(matrix.coeff(k) - matrix.coeff(k) == 0);
  }
  return bad == 0;
}

}  // namespace scorematch::detail
