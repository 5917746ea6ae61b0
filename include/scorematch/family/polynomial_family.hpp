// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/family/exponential_family.hpp>

#include <Eigen/Core>

#include <string>

namespace scorematch {

/// t(x) = (z, z^2, ..., z^Degree), z = x - center, for one real x.
template <Real Scalar, int Degree>
struct PolynomialStatistics {
  using Vector = Eigen::Matrix<Scalar, 1, 1>;
  using Values = Eigen::Matrix<Scalar, Degree, 1>;

  Scalar center{0};

  bool operator==(const PolynomialStatistics&) const = default;

  Values operator()(const Vector& x) const {
    const Scalar z = x(0) - center;
    Values t;
    Scalar power(1);
    for (int k = 0; k < Degree; ++k) t(k) = power *= z;
    return t;
  }

  Values jacobian(const Vector& x) const {
    const Scalar z = x(0) - center;
    Values first;
    Scalar power(1);
    for (int k = 0; k < Degree; ++k, power *= z) first(k) = Scalar(k + 1) * power;
    return first;
  }

  Values curvature(const Vector& x) const {
    const Scalar z = x(0) - center;
    Values second;
    second(0) = Scalar(0);
    Scalar power(1);
    for (int k = 1; k < Degree; ++k, power *= z) second(k) = Scalar(k * (k + 1)) * power;
    return second;
  }

  // As TranslatableStatistics asks.
  Vector anchor(const Vector& x) const { return Vector(x(0) - center); }

  // The coefficients of p(z - v) from those of p(z), by repeated division (Horner); the constant
  // term is left out.
  template <class Theta, class Shift>
  void translate(Theta& theta, const Shift& v) const {
    for (int i = 0; i < Degree; ++i) {
      for (int k = Degree - 1; k > (i > 0 ? i - 1 : 0); --k) theta(k - 1) -= v(0) * theta(k);
    }
  }

  template <class Gradient, class Shift>
  void pull_back(Gradient& gradient, const Shift& v) const {
    const auto shift = static_cast<typename Gradient::Scalar>(v(0));
    for (int i = Degree; i-- > 0;) {
      for (int k = (i > 0 ? i - 1 : 0) + 1; k < Degree; ++k) {
        gradient(k) -= shift * gradient(k - 1);
      }
    }
  }

  // The mean of z: Gamma begins with E[h] and 2 E[h z].
  template <class Matrix, class Linear>
  Vector middle(const Matrix& gamma, const Linear&) const {
    return Vector(gamma(0, 0) > 0 ? Scalar(gamma(1, 0) / (2 * gamma(0, 0))) : Scalar(0));
  }

  Values laplacian(const Vector& x) const { return curvature(x); }
};

/// Densities exp(polynomial) on the real line: double wells, skewed and heavy-shouldered peaks.
///
/// **Math** log p(x) = sum_{k=1..Degree} theta_k z^k + const with z = x - center, theta(k - 1) the
/// coefficient of z^k. Degree is even, and a density has a negative leading coefficient
/// (`normalizable`). Degree 2 is the Gaussian.
///
/// **Units** x and center in u: theta_k in u^-k. The fit does not depend on the unit, nor on where
/// the samples are; but coefficients about a far point cancel. At c standard deviations from the
/// center, rounding leaves an error of about 1e-16 c^(Degree - 1) in the score, in units of an
/// inverse deviation, and of 1e-16 c^Degree in log p: of degree 4, 1e-7 at c = 1000. Beyond, give a
/// center near the samples.
///
/// **Errors** std::invalid_argument for a center that is not finite.
///
/// **Example** docs/snippets/exponential_families.cpp
template <Real Scalar, int Degree>
class PolynomialFamily
    : public ExponentialFamily<Scalar, 1, Degree, PolynomialStatistics<Scalar, Degree>> {
  using Parent = ExponentialFamily<Scalar, 1, Degree, PolynomialStatistics<Scalar, Degree>>;

 public:
  static_assert(Degree >= 2 && Degree % 2 == 0,
                "Degree is even and at least 2: an odd leading power has no normalizable density");
  /// In powers of x.
  PolynomialFamily() : PolynomialFamily(Scalar(0)) {}

  /// In powers of x - center.
  explicit PolynomialFamily(Scalar center) : Parent({center}) {
    detail::require_option(center - center == 0, "PolynomialFamily", "center", center,
                           "a finite number");
  }

  Scalar center() const { return this->statistics().center; }

  /// "the coefficient of x^3", of (x - center)^3 in general.
  std::string parameter_name(Eigen::Index k) const {
    detail::require_index("PolynomialFamily::parameter_name", "k", k, Degree);
    return center() == 0 ? detail::text_of("the coefficient of x^", k + 1)
                         : detail::text_of("the coefficient of (x - ", center(), ")^", k + 1);
  }

  /// Whether exp(polynomial) has a finite integral: its highest coefficient that is not zero is of
  /// even degree and negative.
  bool normalizable(const typename Parent::Parameters& theta) const {
    for (int k = Degree; k-- > 0;) {
      if (theta(k) < 0 || theta(k) > 0) return k % 2 == 1 && theta(k) < 0;
    }
    return false;
  }
};

}  // namespace scorematch
