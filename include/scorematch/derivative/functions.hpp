// The elementary functions of models: each is stated once, by its value and first two derivatives,
// for every number type.
#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/derivative/number.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>

namespace scorematch {

// --- functions of the standard library: call them as `using std::exp; exp(x)` --------------------

template <ForwardNumber X>
X exp(const X& x) {
  using std::exp;
  using T = typename X::Inner;
  const T e = exp(x.value);
  return x.compose(Derivatives<T>{e, e, e});
}

template <ForwardNumber X>
X expm1(const X& x) {
  using std::exp;
  using std::expm1;
  using T = typename X::Inner;
  const T e = exp(x.value);
  return x.compose(Derivatives<T>{expm1(x.value), e, e});
}

template <ForwardNumber X>
X log(const X& x) {
  using std::log;
  using T = typename X::Inner;
  const T inverse = 1 / x.value;
  return x.compose(Derivatives<T>{log(x.value), inverse, -inverse * inverse});
}

template <ForwardNumber X>
X log1p(const X& x) {
  using std::log1p;
  using T = typename X::Inner;
  const T inverse = 1 / (1 + x.value);
  return x.compose(Derivatives<T>{log1p(x.value), inverse, -inverse * inverse});
}

/// Its derivatives at 0 are infinite, whatever x is: for the length of a vector that may vanish,
/// write a smooth function of its square.
template <ForwardNumber X>
X sqrt(const X& x) {
  using std::sqrt;
  using T = typename X::Inner;
  const T root = sqrt(x.value);
  const T slope = 1 / (2 * root);
  return x.compose(Derivatives<T>{root, slope, -slope / (2 * x.value)});
}

template <ForwardNumber X>
X sin(const X& x) {
  using std::cos;
  using std::sin;
  using T = typename X::Inner;
  const T s = sin(x.value);
  return x.compose(Derivatives<T>{s, cos(x.value), -s});
}

template <ForwardNumber X>
X cos(const X& x) {
  using std::cos;
  using std::sin;
  using T = typename X::Inner;
  const T c = cos(x.value);
  return x.compose(Derivatives<T>{c, -sin(x.value), -c});
}

template <ForwardNumber X>
X atan(const X& x) {
  using std::atan;
  using T = typename X::Inner;
  const T slope = 1 / (1 + x.value * x.value);
  return x.compose(Derivatives<T>{atan(x.value), slope, -2 * slope * (slope * x.value)});
}

template <ForwardNumber X>
X sinh(const X& x) {
  using std::cosh;
  using std::sinh;
  using T = typename X::Inner;
  const T s = sinh(x.value);
  return x.compose(Derivatives<T>{s, cosh(x.value), s});
}

template <ForwardNumber X>
X cosh(const X& x) {
  using std::cosh;
  using std::sinh;
  using T = typename X::Inner;
  const T c = cosh(x.value);
  return x.compose(Derivatives<T>{c, sinh(x.value), c});
}

namespace detail {

// 1 - tanh^2, to the last digits also where tanh is one.
template <class T>
T derivative_of_tanh(const T& at, const T& tanh_of_it) {
  using std::abs;
  using std::exp;
  if (abs(value(tanh_of_it)) < PlainOf<T>(0.5)) return 1 - tanh_of_it * tanh_of_it;
  const T e = exp(-2 * abs(at));
  const T denominator = 1 + e;
  return 4 * e / (denominator * denominator);
}

}  // namespace detail

template <ForwardNumber X>
X tanh(const X& x) {
  using std::tanh;
  using T = typename X::Inner;
  const T t = tanh(x.value);
  const T slope = detail::derivative_of_tanh(x.value, t);
  return x.compose(Derivatives<T>{t, slope, -2 * (t * slope)});
}

namespace detail {

// exp(-v^2) 2 / sqrt(pi), the derivative of erf, and its own derivative.
template <class X>
X compose_erf(const X& x, const typename X::Inner& at_x, int sign) {
  using std::exp;
  using T = typename X::Inner;
  using Plain = PlainOf<X>;
  const T slope =
      (2 * static_cast<Plain>(sign) * std::numbers::inv_sqrtpi_v<Plain>)*exp(-x.value * x.value);
  return x.compose(Derivatives<T>{at_x, slope, -2 * (x.value * slope)});
}

}  // namespace detail

template <ForwardNumber X>
X erf(const X& x) {
  using std::erf;
  return detail::compose_erf(x, typename X::Inner(erf(x.value)), 1);
}

template <ForwardNumber X>
X erfc(const X& x) {
  using std::erfc;
  return detail::compose_erf(x, typename X::Inner(erfc(x.value)), -1);
}

/// Its derivative at 0 is taken as 0, the middle of its subgradients; the second derivative is 0
/// everywhere, so that score matching does not see the kink.
template <ForwardNumber X>
X abs(const X& x) {
  using std::abs;
  using T = typename X::Inner;
  const T sign(x.value > 0 ? 1 : x.value < 0 ? -1 : 0);
  return x.compose(Derivatives<T>{abs(x.value), sign, T(0)});
}

/// x^n by multiplication, for any x; x^0 is 1, also at 0.
template <ForwardNumber X, std::integral Integer>
X pow(const X& x, Integer n) {
  using T = typename X::Inner;
  const T& v = x.value;
  if (n < 0) return 1 / pow(x, -static_cast<long long>(n));
  if (n == 0) return X(T(1));
  if (n == 1) return x;
  T factor = v;
  T power(1);  // v^(n - 2)
  for (auto rest = static_cast<unsigned long long>(n) - 2; rest > 0; rest /= 2) {
    if (rest % 2 == 1) power *= factor;
    if (rest > 1) factor *= factor;
  }
  const auto order = static_cast<PlainOf<X>>(n);
  const T slope = power * v;
  return x.compose(Derivatives<T>{slope * v, order * slope, order * (order - 1) * power});
}

/// x^p for a constant p, with x >= 0 unless p is a whole number. At 0 a derivative that has the
/// factor 0 is 0.
template <ForwardNumber X, class P>
requires(ConstantFor<P, typename X::Inner> && !std::integral<P>) X pow(const X& x, const P& p) {
  using std::pow;
  using T = typename X::Inner;
  const T& v = x.value;
  const auto exponent = detail::plain_or_number<T>(p);
  const T power = pow(v, exponent);
  T slope(0);
  T bend(0);
  if (v != 0 && power != 0 && std::isfinite(value(power))) {
    const T inverse = 1 / v;
    slope = exponent * power * inverse;
    bend = (exponent - 1) * slope * inverse;
  } else {  // where the power under- or overflows, its derivatives may not
    if (exponent != 0) slope = exponent * pow(v, exponent - 1);
    if (exponent != 0 && exponent != 1) {
      bend = exponent * (exponent - 1) * pow(v, exponent - 2);
    }
  }
  return x.compose(Derivatives<T>{power, slope, bend});
}

/// c^x for a constant base c > 0.
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X pow(const C& c, const X& x) {
  using std::log;
  using std::pow;
  using T = typename X::Inner;
  const T base = detail::plain_or_number<T>(c);
  const T power = pow(base, x.value);
  const T rate = log(base);
  const T slope = power * rate;
  return x.compose(Derivatives<T>{power, slope, slope * rate});
}

/// x^y for x > 0.
template <ForwardNumber X>
X pow(const X& x, const X& y) {
  using std::log;
  using std::pow;
  using T = typename X::Inner;
  const T power = pow(x.value, y.value);
  const T rate = log(x.value);
  const T inverse = 1 / x.value;
  const T by_x = y.value * power * inverse;
  const T by_y = power * rate;
  return X::compose(x, y,
                    PartialDerivatives<T>{power, by_x, by_y, (y.value - 1) * by_x * inverse,
                                          (power + y.value * by_y) * inverse, by_y * rate});
}

/// The larger; x where they are equal.
template <ForwardNumber X>
X max EIGEN_NOT_A_MACRO(const X& x, const X& y) {
  return x < y ? y : x;
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X max EIGEN_NOT_A_MACRO(const X& x, const C& c) {
  return x < c ? X(c) : x;
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X max EIGEN_NOT_A_MACRO(const C& c, const X& x) {
  return c < x ? x : X(c);
}

/// The smaller; x where they are equal.
template <ForwardNumber X>
X min EIGEN_NOT_A_MACRO(const X& x, const X& y) {
  return y < x ? y : x;
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X min EIGEN_NOT_A_MACRO(const X& x, const C& c) {
  return c < x ? X(c) : x;
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X min EIGEN_NOT_A_MACRO(const C& c, const X& x) {
  return x < c ? x : X(c);
}

template <ForwardNumber X>
bool isfinite(const X& x) {
  return std::isfinite(value(x));
}
template <ForwardNumber X>
bool isnan(const X& x) {
  return std::isnan(value(x));
}

// --- further functions, of plain numbers as well -------------------------------------------------

/// What the functions below take: a plain floating-point number, or one that carries derivatives.
template <class X>
concept Differentiable = std::floating_point<X> || ForwardNumber<X>;

/// x^2.
template <Differentiable X>
X square(const X& x) {
  if constexpr (ForwardNumber<X>) {
    using T = typename X::Inner;
    return x.compose(Derivatives<T>{x.value * x.value, 2 * x.value, T(2)});
  } else {
    return x * x;
  }
}

/// 1 / (1 + exp(-x)).
template <Differentiable X>
X logistic(const X& x) {
  using std::abs;
  using std::exp;
  if constexpr (ForwardNumber<X>) {
    using T = typename X::Inner;
    const T up = logistic(x.value);
    const T down = logistic(T(-x.value));  // 1 - up, to the last digits
    const T slope = up * down;
    return x.compose(Derivatives<T>{up, slope, slope * (down - up)});
  } else {
    const X e = exp(-abs(x));
    return (x < 0 ? e : X(1)) / (1 + e);
  }
}

/// log(1 + exp(x)), without overflow.
template <Differentiable X>
X softplus(const X& x) {
  using std::abs;
  using std::exp;
  using std::log1p;
  if constexpr (ForwardNumber<X>) {
    using T = typename X::Inner;
    const T slope = logistic(x.value);
    return x.compose(Derivatives<T>{softplus(x.value), slope, slope * logistic(T(-x.value))});
  } else {
    return (x < 0 ? X(0) : x) + log1p(exp(-abs(x)));
  }
}

/// log(cosh(x)), without overflow.
template <Differentiable X>
X log_cosh(const X& x) {
  using std::abs;
  using std::exp;
  using std::log1p;
  using std::sinh;
  using std::tanh;
  if constexpr (ForwardNumber<X>) {
    using T = typename X::Inner;
    const T slope = tanh(x.value);
    return x.compose(
        Derivatives<T>{log_cosh(x.value), slope, detail::derivative_of_tanh(x.value, slope)});
  } else {
    if (abs(x) < 1) {
      const X s = sinh(x / 2);
      return log1p(2 * s * s);
    }
    return abs(x) + log1p(exp(-2 * abs(x))) - std::numbers::ln2_v<X>;
  }
}

/// log(exp(x) + exp(y)), without overflow.
template <Differentiable X>
X logsumexp(const X& x, const X& y) {
  using std::abs;
  using std::exp;
  using std::log1p;
  const X& larger = x < y ? y : x;
  const X& smaller = x < y ? x : y;
  if (std::isinf(value(larger))) return larger;
  return larger + log1p(exp(smaller - larger));
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X logsumexp(const X& x, const C& c) {
  return logsumexp(x, X(c));
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X logsumexp(const C& c, const X& x) {
  return logsumexp(x, X(c));
}

/// log of the sum of exp over the entries of a vector, without overflow; the empty sum gives
/// -infinity.
template <DenseExpression Vector>
requires Differentiable<typename Vector::Scalar>
typename Vector::Scalar logsumexp(const Vector& vector) {
  using std::exp;
  using std::log1p;
  using X = typename Vector::Scalar;
  const auto& entries = vector.eval();
  if (entries.size() == 0) return X(-std::numeric_limits<PlainOf<X>>::infinity());
  Eigen::Index top = 0;
  for (Eigen::Index i = 1; i < entries.size(); ++i) {
    if (entries(i) > entries(top)) top = i;
  }
  const X& largest = entries(top);
  if (std::isinf(value(largest))) return largest;
  X rest(0);
  for (Eigen::Index i = 0; i < entries.size(); ++i) {
    if (i != top) rest += exp(entries(i) - largest);
  }
  return largest + log1p(rest);
}

}  // namespace scorematch
