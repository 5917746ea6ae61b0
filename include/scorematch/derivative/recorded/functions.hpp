// SPDX-License-Identifier: MIT
//
// Functions of recorded numbers.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/recorded/elementary.hpp>
#include <scorematch/derivative/recorded/recorded.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>

namespace scorematch {

template <class T>
Recorded<T> exp(const Recorded<T>& x) {
  return x.map(
      [](const auto& v) {
        using std::exp;
        return exp(v);
      },
      detail::Exponential());
}
template <class T>
Recorded<T> log(const Recorded<T>& x) {
  return x.map(
      [](const auto& v) {
        using std::log;
        return log(v);
      },
      detail::Logarithm());
}
template <class T>
Recorded<T> log1p(const Recorded<T>& x) {
  return x.map(
      [](const auto& v) {
        using std::log1p;
        return log1p(v);
      },
      detail::LogarithmOfOnePlus());
}
template <class T>
Recorded<T> sqrt(const Recorded<T>& x) {
  return x.map(
      [](const auto& v) {
        using std::sqrt;
        return sqrt(v);
      },
      detail::SquareRoot());
}
template <class T>
Recorded<T> sin(const Recorded<T>& x) {
  return x.map(
      [](const auto& v) {
        using std::sin;
        return sin(v);
      },
      detail::Sine());
}
template <class T>
Recorded<T> cos(const Recorded<T>& x) {
  return x.map(
      [](const auto& v) {
        using std::cos;
        return cos(v);
      },
      detail::Cosine());
}
template <class T>
Recorded<T> tanh(const Recorded<T>& x) {
  return x.map(
      [](const auto& v) {
        using std::tanh;
        return tanh(v);
      },
      detail::HyperbolicTangent());
}
template <class T>
Recorded<T> abs(const Recorded<T>& x) {
  return x.map(
      [](const auto& v) {
        using std::abs;
        return abs(v);
      },
      detail::Absolute());
}
template <class T>
Recorded<T> square(const Recorded<T>& x) {
  return x.map([](const auto& v) { return square(v); }, detail::Square());
}
template <class T>
Recorded<T> logistic(const Recorded<T>& x) {
  return x.map([](const auto& v) { return logistic(v); }, detail::Logistic());
}
template <class T>
Recorded<T> softplus(const Recorded<T>& x) {
  return x.map([](const auto& v) { return softplus(v); }, detail::Softplus());
}
template <class T>
Recorded<T> log_cosh(const Recorded<T>& x) {
  return x.map([](const auto& v) { return log_cosh(v); }, detail::LogCosh());
}

// Those that go lane by lane.
#define SCOREMATCH_RECORDED(name)          \
  template <class T>                       \
  Recorded<T> name(const Recorded<T>& x) { \
    return x.map([](const auto& v) {       \
      using std::name;                     \
      return name(v);                      \
    });                                    \
  }
SCOREMATCH_RECORDED(expm1)
SCOREMATCH_RECORDED(asin)
SCOREMATCH_RECORDED(acos)
SCOREMATCH_RECORDED(atan)
SCOREMATCH_RECORDED(sinh)
SCOREMATCH_RECORDED(cosh)
SCOREMATCH_RECORDED(erf)
SCOREMATCH_RECORDED(erfc)
SCOREMATCH_RECORDED(lgamma)
SCOREMATCH_RECORDED(tgamma)
#undef SCOREMATCH_RECORDED

template <class T>
Recorded<T> digamma(const Recorded<T>& x) {
  return x.map([](const auto& v) { return digamma(v); });
}
template <class T>
Recorded<T> trigamma(const Recorded<T>& x) {
  return x.map([](const auto& v) { return trigamma(v); });
}

/// x^n by multiplication; x^0 is 1, also at 0.
template <class T, std::integral Integer>
Recorded<T> pow(const Recorded<T>& x, Integer n) {
  if (n == 0) return Recorded<T>(T(1));
  if (n == 1) return x;
  if (n == 2) return square(x);
  return x.with_parameter(
      [](const auto& v, T order) {
        using std::pow;
        return pow(v, static_cast<long long>(order));
      },
      detail::IntegerPower(), static_cast<T>(n));
}
/// x^p for a constant p.
template <class T, std::floating_point P>
Recorded<T> pow(const Recorded<T>& x, P p) {
  const auto phi = [](const auto& v, T order) {
    using std::pow;
    return pow(v, order);
  };
  return x.with_parameter(phi, detail::LaneByLaneOf<decltype(phi)>(), static_cast<T>(p));
}
/// c^x for a constant c.
template <class T, class C>
  requires std::is_arithmetic_v<C>
Recorded<T> pow(C c, const Recorded<T>& x) {
  const auto phi = [](const auto& v, T base) {
    using std::pow;
    return pow(base, v);
  };
  return x.with_parameter(phi, detail::LaneByLaneOf<decltype(phi)>(), static_cast<T>(c));
}

// Those of two numbers, either of which may be a constant.
#define SCOREMATCH_RECORDED(name)                                \
  template <class T>                                             \
  Recorded<T> name(const Recorded<T>& x, const Recorded<T>& y) { \
    return Recorded<T>::map(                                     \
        [](const auto& a, const auto& b) {                       \
          using std::name;                                       \
          return name(a, b);                                     \
        },                                                       \
        x, y);                                                   \
  }                                                              \
  template <class T, class C>                                    \
    requires std::is_arithmetic_v<C>                             \
  Recorded<T> name(const Recorded<T>& x, C c) {                  \
    return name(x, Recorded<T>(c));                              \
  }                                                              \
  template <class T, class C>                                    \
    requires std::is_arithmetic_v<C>                             \
  Recorded<T> name(C c, const Recorded<T>& x) {                  \
    return name(Recorded<T>(c), x);                              \
  }
SCOREMATCH_RECORDED(hypot)
SCOREMATCH_RECORDED(atan2)
#undef SCOREMATCH_RECORDED

/// x^y for x > 0; for x = 0 where y > 0, and for x < 0 where y is constant and a whole number.
template <class T>
Recorded<T> pow(const Recorded<T>& x, const Recorded<T>& y) {
  if (y.is_constant()) return pow(x, y.at_leader());
  if (x.is_constant()) return pow(x.at_leader(), y);
  return Recorded<T>::map(
      [](const auto& a, const auto& b) {
        using std::pow;
        return pow(a, b);
      },
      x, y);
}

/// The larger; x where they are equal.
template <class T>
Recorded<T> max EIGEN_NOT_A_MACRO(const Recorded<T>& x, const Recorded<T>& y) {
  return Recorded<T>::map([](const auto& a, const auto& b) { return a < b ? b : a; }, x, y,
                          detail::Extreme<true>());
}
template <class T, class C>
  requires std::is_arithmetic_v<C>
Recorded<T> max EIGEN_NOT_A_MACRO(const Recorded<T>& x, C c) {
  return (max)(x, Recorded<T>(c));
}
template <class T, class C>
  requires std::is_arithmetic_v<C>
Recorded<T> max EIGEN_NOT_A_MACRO(C c, const Recorded<T>& x) {
  return (max)(Recorded<T>(c), x);
}

/// The smaller; x where they are equal.
template <class T>
Recorded<T> min EIGEN_NOT_A_MACRO(const Recorded<T>& x, const Recorded<T>& y) {
  return Recorded<T>::map([](const auto& a, const auto& b) { return b < a ? b : a; }, x, y,
                          detail::Extreme<false>());
}
template <class T, class C>
  requires std::is_arithmetic_v<C>
Recorded<T> min EIGEN_NOT_A_MACRO(const Recorded<T>& x, C c) {
  return (min)(x, Recorded<T>(c));
}
template <class T, class C>
  requires std::is_arithmetic_v<C>
Recorded<T> min EIGEN_NOT_A_MACRO(C c, const Recorded<T>& x) {
  return (min)(Recorded<T>(c), x);
}

/// a b + c.
template <class A, class B, class C>
  requires detail::RecordedNumber<std::common_type_t<A, B, C>>
std::common_type_t<A, B, C> fma(const A& a, const B& b, const C& c) {
  using X = std::common_type_t<A, B, C>;
  return X(a) * X(b) + X(c);
}

/// log of the sum of exp over the entries of a vector, without overflow; the empty sum gives
/// -infinity.
template <DenseExpression Vector>
  requires Differentiable<typename Vector::Scalar> &&
           detail::RecordedNumber<typename Vector::Scalar>
typename Vector::Scalar logsumexp(const Vector& vector) {
  using X = typename Vector::Scalar;
  const auto& entries = vector.eval();
  if (entries.size() == 0) return X(-std::numeric_limits<double>::infinity());
  using T = decltype(entries(0).at_leader());
  bool of_sample = false;
  T top = entries(0).at_leader();
  for (Eigen::Index k = 0; k < entries.size(); ++k) {
    of_sample = of_sample || entries(k).of_sample();
    if (top < entries(k).at_leader()) top = entries(k).at_leader();
  }
  if (!std::isfinite(top)) top = T(0);
  if (!of_sample) {
    X rest(0);
    for (Eigen::Index k = 0; k < entries.size(); ++k) rest += exp(entries(k) - top);
    return top + log(rest);
  }
  T sum(0);
  for (Eigen::Index k = 0; k < entries.size(); ++k) sum += std::exp(entries(k).at_leader() - top);
  return X::logsumexp(entries, top + std::log(sum));
}
/// log(exp(x) + exp(y)), without overflow.
template <class T>
Recorded<T> logsumexp(const Recorded<T>& x, const Recorded<T>& y) {
  return logsumexp(Eigen::Array<Recorded<T>, 2, 1>(x, y));
}
template <class T, class C>
  requires std::is_arithmetic_v<C>
Recorded<T> logsumexp(const Recorded<T>& x, C c) {
  return logsumexp(x, Recorded<T>(c));
}
template <class T, class C>
  requires std::is_arithmetic_v<C>
Recorded<T> logsumexp(C c, const Recorded<T>& x) {
  return logsumexp(Recorded<T>(c), x);
}

}  // namespace scorematch
