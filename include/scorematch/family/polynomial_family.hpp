#pragma once

#include <scorematch/family/exponential_family.hpp>

#include <Eigen/Core>

namespace scorematch {

/// t(x) = (x, x^2, ..., x^Degree) for one real x.
template <Real Scalar, int Degree>
struct PolynomialStatistics {
  using Vector = Eigen::Matrix<Scalar, 1, 1>;
  using Values = Eigen::Matrix<Scalar, Degree, 1>;

  Values operator()(const Vector& x) const {
    Values t;
    Scalar power(1);
    for (int k = 0; k < Degree; ++k) t(k) = power *= x(0);
    return t;
  }

  Values jacobian(const Vector& x) const {
    Values first;
    Scalar power(1);
    for (int k = 0; k < Degree; ++k, power *= x(0)) first(k) = Scalar(k + 1) * power;
    return first;
  }

  Values curvature(const Vector& x) const {
    Values second;
    second(0) = Scalar(0);
    Scalar power(1);
    for (int k = 1; k < Degree; ++k, power *= x(0)) second(k) = Scalar(k * (k + 1)) * power;
    return second;
  }

  Values laplacian(const Vector& x) const { return curvature(x); }
};

/// Densities exp(polynomial) on the real line: double wells, skewed and heavy-shouldered peaks.
///
/// **Math** log p(x) = sum_{k=1..Degree} theta_k x^k + const, theta(k - 1) the coefficient of x^k.
/// Degree is even, and a density has a negative leading coefficient (`normalizable`). Degree 2 is
/// the Gaussian. Powers of data far from order one make Gamma ill-conditioned: center and scale
/// them first.
///
/// **Units** x in u: theta_k in u^-k.
///
/// **Example** docs/snippets/exponential_families.cpp
template <Real Scalar, int Degree>
class PolynomialFamily
    : public ExponentialFamily<Scalar, 1, Degree, PolynomialStatistics<Scalar, Degree>> {
  using Parent = ExponentialFamily<Scalar, 1, Degree, PolynomialStatistics<Scalar, Degree>>;

 public:
  static_assert(Degree >= 2 && Degree % 2 == 0,
                "Degree is even and at least 2: an odd leading power has no normalizable density");
  PolynomialFamily() : Parent() {}

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
