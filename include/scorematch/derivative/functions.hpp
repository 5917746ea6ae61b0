// SPDX-License-Identifier: MIT
//
// The elementary functions of models: each is stated once, by its value and first two derivatives,
// for every number type.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/gamma.hpp>
#include <scorematch/derivative/number.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>

namespace scorematch {

/// What the library's own functions take: a plain floating-point number, one that carries
/// derivatives, or one that writes down what is done with it (`Recorded`).
template <class X>
concept Differentiable = std::floating_point<X> || ForwardNumber<X> || detail::RecordedNumber<X>;

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

/// Its derivatives at -1 and 1 are infinite.
template <ForwardNumber X>
X asin(const X& x) {
  using std::asin;
  using std::sqrt;
  using T = typename X::Inner;
  const T square = (1 - x.value) * (1 + x.value);
  const T slope = 1 / sqrt(square);
  return x.compose(Derivatives<T>{asin(x.value), slope, x.value * slope / square});
}

/// Its derivatives at -1 and 1 are infinite.
template <ForwardNumber X>
X acos(const X& x) {
  using std::acos;
  using std::sqrt;
  using T = typename X::Inner;
  const T square = (1 - x.value) * (1 + x.value);
  const T slope = -1 / sqrt(square);
  return x.compose(Derivatives<T>{acos(x.value), slope, x.value * slope / square});
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
  const T sign(x.value > 0 ? 1 : (x.value) < 0 ? -1 : 0);  // parentheses as in number.hpp
  return x.compose(Derivatives<T>{abs(x.value), sign, T(0)});
}

/// The length of (x, y). It has no derivatives at the origin, which are NaN.
template <ForwardNumber X>
X hypot(const X& x, const X& y) {
  using std::hypot;
  using T = typename X::Inner;
  const T length = hypot(x.value, y.value);
  const T a = x.value / length;
  const T b = y.value / length;
  return X::compose(
      x, y, PartialDerivatives<T>{length, a, b, b * b / length, -a * b / length, a * a / length});
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X hypot(const X& x, const C& c) {
  return hypot(x, X(c));
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X hypot(const C& c, const X& x) {
  return hypot(X(c), x);
}

/// The angle of (x, y) in (-pi, pi]. It has no derivatives at the origin, which are NaN.
template <ForwardNumber X>
X atan2(const X& y, const X& x) {
  using std::atan2;
  using std::hypot;
  using T = typename X::Inner;
  const T length = hypot(x.value, y.value);
  const T c = x.value / length;
  const T s = y.value / length;
  const T bend = 2 * (s / length) * (c / length);
  return X::compose(y, x,
                    PartialDerivatives<T>{atan2(y.value, x.value), c / length, -s / length, -bend,
                                          ((s - c) / length) * ((s + c) / length), bend});
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X atan2(const X& y, const C& c) {
  return atan2(y, X(c));
}
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X atan2(const C& c, const X& x) {
  return atan2(X(c), x);
}

/// a b + c, its value rounded once.
template <class A, class B, class C>
  requires(ForwardNumber<A> || ForwardNumber<B> || ForwardNumber<C>)
auto fma(const A& a, const B& b, const C& c) {
  using std::fma;
  using X = decltype(a * b + c);
  using T = typename X::Inner;
  X result =
      detail::plain_or_number<X>(a) * detail::plain_or_number<X>(b) + detail::plain_or_number<X>(c);
  const auto inner = []<class N>(const N& n) -> T {
    if constexpr (std::same_as<N, X>) {
      return n.value;
    } else {
      return static_cast<T>(n);
    }
  };
  result.value = fma(inner(a), inner(b), inner(c));
  return result;
}

namespace detail {

template <ForwardNumber X>
X polygamma(int n, const X& x) {
  using T = typename X::Inner;
  return x.compose(
      Derivatives<T>{polygamma(n, x.value), polygamma(n + 1, x.value), polygamma(n + 2, x.value)});
}

}  // namespace detail

/// The derivative of lgamma. NaN at 0, -1, -2, ..., but infinite at 0 itself.
template <Differentiable X>
X digamma(const X& x) {
  return detail::polygamma(0, x);
}

/// The derivative of digamma. Infinite at 0, -1, -2, ...
template <Differentiable X>
X trigamma(const X& x) {
  return detail::polygamma(1, x);
}

/// log |gamma(x)|.
template <ForwardNumber X>
X lgamma(const X& x) {
  using std::lgamma;
  using T = typename X::Inner;
  return x.compose(Derivatives<T>{lgamma(x.value), digamma(x.value), trigamma(x.value)});
}

template <ForwardNumber X>
X tgamma(const X& x) {
  using std::tgamma;
  using T = typename X::Inner;
  const T gamma = tgamma(x.value);
  const T rate = digamma(x.value);
  return x.compose(Derivatives<T>{gamma, gamma * rate, gamma * (rate * rate + trigamma(x.value))});
}

namespace detail {

template <class X>
bool vanishes(const X& x) {
  if constexpr (ForwardNumber<X>) {
    bool all = true;
    X::each([&all](const auto& part) { return all = all && vanishes(part), part; }, x);
    return all;
  } else {
    return x == 0;
  }
}

template <ForwardNumber X>
bool is_constant(const X& x) {
  return vanishes(x - x.value);
}

// x^y (log x)^k where x is not above 0: in the limit at 0, and at a negative x as far as y is a
// whole number. The derivatives of a power are such products again. What is constant is not
// differentiated by: 0^t has the derivative 0 in t, whatever 0^t would have in its base.
template <std::floating_point T>
T power_times_log(T x, T y, int k) {
  if (x == 0 && y > 0 && k > 0) return T(0);
  T result = std::pow(x, y);
  for (; k > 0; --k) result *= std::log(x);
  return result;
}
template <ForwardNumber X>
EIGEN_DONT_INLINE X power_times_log(const X& x, const X& y, int k) {
  using T = typename X::Inner;
  const auto at = [&x](const T& exponent, int factors) {
    return power_times_log(x.value, exponent, factors);
  };
  const auto times = [](const T& factor, const auto& rest) {
    return factor == 0 ? T(0) : T(factor * rest());
  };
  const T& p = y.value;
  const T value = at(p, k);
  const T by_y = at(p, k + 1);
  const T by_yy = at(p, k + 2);
  const bool fixed = is_constant(x);
  if (fixed && !is_constant(y)) return y.compose(Derivatives<T>{value, by_y, by_yy});

  T by_x = times(p, [&] { return at(p - 1, k); });
  T by_xx = times(p * (p - 1), [&] { return at(p - 2, k); });
  T by_xy = at(p - 1, k) + times(p, [&] { return at(p - 1, k + 1); });
  const auto logs = static_cast<PlainOf<X>>(k);
  if (k > 0) {
    by_x += logs * at(p - 1, k - 1);
    by_xx += logs * (2 * p - 1) * at(p - 2, k - 1);
    by_xy += logs * at(p - 1, k);
  }
  if (k > 1) by_xx += logs * (logs - 1) * at(p - 2, k - 2);
  // abs(0) is a constant as well: where its power has no second derivative, it is to be seen.
  if (fixed) by_x = T(0);
  if (is_constant(y)) return x.compose(Derivatives<T>{value, by_x, by_xx});
  return X::compose(x, y, PartialDerivatives<T>{value, by_x, by_y, by_xx, by_xy, by_yy});
}

// v^p for v other than 0, and its first two derivatives by v.
template <class T, class P>
Derivatives<T> power_by_base(const T& v, const P& p) {
  using std::pow;
  const T power = pow(v, p);
  T slope(0);
  T bend(0);
  if (std::isnormal(value(power))) {
    const T inverse = 1 / v;
    slope = p * power * inverse;
    bend = (p - 1) * slope * inverse;
  } else {  // where the power under- or overflows, its derivatives may not
    if (p != 0) slope = p * pow(v, p - 1);
    if (p != 0 && p != 1) bend = p * (p - 1) * pow(v, p - 2);
  }
  return {power, slope, bend};
}

}  // namespace detail

/// x^n by multiplication, for any x; x^0 is 1, also at 0.
template <ForwardNumber X, std::integral Integer>
X pow(const X& x, Integer n) {
  using T = typename X::Inner;
  const T& v = x.value;
  const auto times = [](T power, T factor, unsigned long long count) {  // power factor^count
    for (; count > 0; count /= 2) {
      if (count % 2 == 1) power *= factor;
      if (count > 1) factor *= factor;
    }
    return power;
  };
  if (n == 0) return X(T(1));
  if (n == 1) return x;
  const auto order = static_cast<PlainOf<X>>(n);
  if (n < 0) {  // in powers of 1 / v, which stay in the range of the result
    const T inverse = 1 / v;
    const T power = times(T(1), inverse, 0 - static_cast<unsigned long long>(n));
    const T slope = power * inverse;
    return x.compose(Derivatives<T>{power, order * slope, order * (order - 1) * (slope * inverse)});
  }
  const T power = times(T(1), v, static_cast<unsigned long long>(n) - 2);
  const T slope = power * v;
  return x.compose(Derivatives<T>{slope * v, order * slope, order * (order - 1) * power});
}

/// x^p for a constant p, with x >= 0 unless p is a whole number. At 0 a derivative that has the
/// factor 0 is 0.
template <ForwardNumber X, class P>
  requires(ConstantFor<P, typename X::Inner> && !std::integral<P>)
X pow(const X& x, const P& p) {
  using T = typename X::Inner;
  if (x.value == 0) return detail::power_times_log(x, X(p), 0);
  return x.compose(detail::power_by_base<T>(x.value, detail::plain_or_number<T>(p)));
}

/// c^x for a constant base c > 0; 0^x where x > 0.
template <ForwardNumber X, ConstantFor<typename X::Inner> C>
X pow(const C& c, const X& x) {
  using std::log;
  using std::pow;
  using T = typename X::Inner;
  const T base = detail::plain_or_number<T>(c);
  if (!(base > 0)) return detail::power_times_log(X(base), x, 0);
  const T power = pow(base, x.value);
  const T rate = log(base);
  const T slope = power * rate;
  return x.compose(Derivatives<T>{power, slope, slope * rate});
}

/// x^y for x > 0; for x = 0 where y > 0, and for x < 0 where y is constant and a whole number.
template <ForwardNumber X>
X pow(const X& x, const X& y) {
  using std::log;
  using T = typename X::Inner;
  if (!(x.value > 0)) return detail::power_times_log(x, y, 0);
  const auto by_x = detail::power_by_base<T>(x.value, y.value);
  const T rate = log(x.value);
  const T by_y = by_x.value * rate;
  // x^(y - 1) (1 + y log x), without the first term where it has left the range.
  const T mixed = by_x.value / x.value + by_x.first * rate;
  return X::compose(
      x, y, PartialDerivatives<T>{by_x.value, by_x.first, by_y, by_x.second, mixed, by_y * rate});
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
  if (std::isinf(value(larger)) && !std::isnan(value(smaller))) return larger;
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
  if (std::isinf(value(largest))) {
    for (const X& entry : entries) {
      if (std::isnan(value(entry))) return entry;
    }
    return largest;
  }
  X rest(0);
  for (Eigen::Index i = 0; i < entries.size(); ++i) {
    if (i != top) rest += exp(entries(i) - largest);
  }
  return largest + log1p(rest);
}

}  // namespace scorematch
