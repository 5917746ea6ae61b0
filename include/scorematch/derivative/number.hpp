// SPDX-License-Identifier: MIT
//
// What the number types of forward differentiation share: arithmetic, comparisons, and their place
// among Eigen's scalars.
#pragma once

#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

namespace scorematch {

namespace detail {

template <class Self, class T>
class ForwardOperators;

}  // namespace detail

/// A number that carries derivatives through every operation: `Dual`, `ForwardLaplacian`,
/// `ForwardCurvature` or `Taylor2`. `X::Inner` is the type of its value and of each derivative: a
/// Real, or another such number.
template <class X>
concept ForwardNumber = requires { typename X::Inner; } &&
                        std::derived_from<X, detail::ForwardOperators<X, typename X::Inner>>;

namespace detail {
template <class X>
inline constexpr bool is_recorded = false;
template <class X>
concept RecordedNumber = is_recorded<X>;
}  // namespace detail

/// What may stand for a constant beside a number whose Inner is T: plain arithmetic, T itself, or
/// what T is made of.
template <class C, class T>
concept ConstantFor =
    (std::is_arithmetic_v<C> || ForwardNumber<C>)&&std::is_constructible_v<T, const C&>;

/// The plain number in x, without its derivatives.
template <class X>
  requires(std::is_arithmetic_v<X> || ForwardNumber<X>)
constexpr auto value(const X& x) {
  if constexpr (ForwardNumber<X>) {
    return value(x.value);
  } else {
    return x;
  }
}

/// The type of that plain number.
template <class X>
using PlainOf = std::remove_cvref_t<decltype(value(std::declval<const X&>()))>;

/// phi and its first two derivatives at one point.
template <class T>
struct Derivatives {
  T value;
  T first;
  T second;
};

/// phi(a, b) and its first and second partial derivatives at one point.
template <class T>
struct PartialDerivatives {
  T value;
  T a;
  T b;
  T aa;
  T ab;
  T bb;
};

namespace detail {

// A constant beside a number whose Inner is T: a number as it is, plain arithmetic in the precision
// of T.
template <class T, class C>
decltype(auto) plain_or_number(const C& c) {
  if constexpr (ForwardNumber<C>) {
    return (c);
  } else {
    return static_cast<PlainOf<T>>(c);
  }
}

// The operators of one number type. Self has the members
//   each(op, x), each(op, x, y)    op applied to value and derivatives alike (linear operations)
//   product(x, y)                  x y
//   quotient(x, y)                 x / y
//   compose(phi)                   phi(x), from phi's derivatives at x.value
//   compose(x, y, phi)             phi(x, y)
// Constants meet a number without being lifted to one: they have no derivatives to carry.
template <class Self, class T>
class ForwardOperators {
 public:
  using Inner = T;

  friend Self operator+(const Self& x) { return x; }
  friend Self operator-(const Self& x) {
    return Self::each([](const T& a) -> T { return -a; }, x);
  }
  friend Self operator+(const Self& x, const Self& y) {
    return Self::each([](const T& a, const T& b) -> T { return a + b; }, x, y);
  }
  friend Self operator-(const Self& x, const Self& y) {
    return Self::each([](const T& a, const T& b) -> T { return a - b; }, x, y);
  }
  friend Self operator*(const Self& x, const Self& y) { return Self::product(x, y); }
  friend Self operator/(const Self& x, const Self& y) { return Self::quotient(x, y); }

  template <ConstantFor<T> C>
  friend Self operator+(const Self& x, const C& c) {
    Self result = x;
    result.value += plain(c);
    return result;
  }
  template <ConstantFor<T> C>
  friend Self operator+(const C& c, const Self& x) {
    return x + c;
  }
  template <ConstantFor<T> C>
  friend Self operator-(const Self& x, const C& c) {
    Self result = x;
    result.value -= plain(c);
    return result;
  }
  template <ConstantFor<T> C>
  friend Self operator-(const C& c, const Self& x) {
    Self result = -x;
    result.value += plain(c);
    return result;
  }
  template <ConstantFor<T> C>
  friend Self operator*(const Self& x, const C& c) {
    const auto& factor = plain(c);
    return Self::each([&factor](const T& a) -> T { return a * factor; }, x);
  }
  template <ConstantFor<T> C>
  friend Self operator*(const C& c, const Self& x) {
    return x * c;
  }
  template <ConstantFor<T> C>
  friend Self operator/(const Self& x, const C& c) {
    const auto& divisor = plain(c);
    if constexpr (ForwardNumber<C>) {  // one quotient, and products
      return x * (1 / divisor);
    } else {
      return Self::each([&divisor](const T& a) -> T { return a / divisor; }, x);
    }
  }
  template <ConstantFor<T> C>
  friend Self operator/(const C& c, const Self& x) {
    const T value = plain(c) / x.value;
    const T slope = -value / x.value;
    return x.compose(Derivatives<T>{value, slope, -2 * slope / x.value});
  }

  template <class Y>
    requires(ConstantFor<Y, T> || std::same_as<Y, Self>)
  Self& operator+=(const Y& y) {
    return self() = self() + y;
  }
  template <class Y>
    requires(ConstantFor<Y, T> || std::same_as<Y, Self>)
  Self& operator-=(const Y& y) {
    return self() = self() - y;
  }
  template <class Y>
    requires(ConstantFor<Y, T> || std::same_as<Y, Self>)
  Self& operator*=(const Y& y) {
    return self() = self() * y;
  }
  template <class Y>
    requires(ConstantFor<Y, T> || std::same_as<Y, Self>)
  Self& operator/=(const Y& y) {
    return self() = self() / y;
  }

  // By value, so that code may branch on numbers as it does on plain ones. Without the parentheses
  // nvcc, with clang for its host compiler, takes the < for the first of the arguments of the
  // template `value` above.
  friend bool operator==(const Self& x, const Self& y) { return x.value == y.value; }
  friend bool operator!=(const Self& x, const Self& y) { return x.value != y.value; }
  friend bool operator<(const Self& x, const Self& y) { return (x.value) < y.value; }
  friend bool operator<=(const Self& x, const Self& y) { return x.value <= y.value; }
  friend bool operator>(const Self& x, const Self& y) { return x.value > y.value; }
  friend bool operator>=(const Self& x, const Self& y) { return x.value >= y.value; }

  template <ConstantFor<T> C>
  friend bool operator==(const Self& x, const C& c) {
    return x.value == plain(c);
  }
  template <ConstantFor<T> C>
  friend bool operator!=(const Self& x, const C& c) {
    return x.value != plain(c);
  }
  template <ConstantFor<T> C>
  friend bool operator<(const Self& x, const C& c) {
    return (x.value) < plain(c);
  }
  template <ConstantFor<T> C>
  friend bool operator<=(const Self& x, const C& c) {
    return x.value <= plain(c);
  }
  template <ConstantFor<T> C>
  friend bool operator>(const Self& x, const C& c) {
    return x.value > plain(c);
  }
  template <ConstantFor<T> C>
  friend bool operator>=(const Self& x, const C& c) {
    return x.value >= plain(c);
  }
  template <ConstantFor<T> C>
  friend bool operator<(const C& c, const Self& x) {
    return x > c;
  }
  template <ConstantFor<T> C>
  friend bool operator<=(const C& c, const Self& x) {
    return x >= c;
  }
  template <ConstantFor<T> C>
  friend bool operator>(const C& c, const Self& x) {
    return x < c;
  }
  template <ConstantFor<T> C>
  friend bool operator>=(const C& c, const Self& x) {
    return x <= c;
  }

 private:
  template <class C>
  static decltype(auto) plain(const C& c) {
    return plain_or_number<T>(c);
  }

  Self& self() { return static_cast<Self&>(*this); }
};

}  // namespace detail
}  // namespace scorematch

// What the plain number can hold, as constants: the primary template would say 0 to all of it.
// Doxygen looks for a scope of this name and finds none.
/// @cond
template <scorematch::ForwardNumber X>
class std::numeric_limits<X> : public std::numeric_limits<typename X::Inner> {
  using Inner = std::numeric_limits<typename X::Inner>;

 public:
  static X min EIGEN_NOT_A_MACRO() noexcept { return X((Inner::min)()); }
  static X max EIGEN_NOT_A_MACRO() noexcept { return X((Inner::max)()); }
  static X lowest() noexcept { return X(Inner::lowest()); }
  static X epsilon() noexcept { return X(Inner::epsilon()); }
  static X round_error() noexcept { return X(Inner::round_error()); }
  static X infinity() noexcept { return X(Inner::infinity()); }
  static X quiet_NaN() noexcept { return X(Inner::quiet_NaN()); }
  static X signaling_NaN() noexcept { return X(Inner::signaling_NaN()); }
  static X denorm_min() noexcept { return X(Inner::denorm_min()); }
};
/// @endcond

// Matrices of these numbers, and their products with matrices of plain ones.
namespace Eigen {

template <scorematch::ForwardNumber X>
struct NumTraits<X> : GenericNumTraits<X> {
  using Real = X;
  using NonInteger = X;
  using Nested = X;
  using Literal = typename NumTraits<typename X::Inner>::Literal;
  enum {
    IsInteger = 0,
    IsSigned = 1,
    IsComplex = 0,
    RequireInitialization = 0,
    ReadCost = int(sizeof(X) / sizeof(double)),
    AddCost = ReadCost,
    MulCost = 3 * ReadCost
  };
  static X epsilon() { return X(NumTraits<typename X::Inner>::epsilon()); }
  static X dummy_precision() { return X(NumTraits<typename X::Inner>::dummy_precision()); }
  static X highest() { return X(NumTraits<typename X::Inner>::highest()); }
  static X lowest() { return X(NumTraits<typename X::Inner>::lowest()); }
  static int digits10() { return NumTraits<typename X::Inner>::digits10(); }
};

template <scorematch::ForwardNumber X, class C, class BinaryOp>
  requires scorematch::ConstantFor<C, typename X::Inner>
struct ScalarBinaryOpTraits<X, C, BinaryOp> {
  using ReturnType = X;
};

template <class C, scorematch::ForwardNumber X, class BinaryOp>
  requires scorematch::ConstantFor<C, typename X::Inner>
struct ScalarBinaryOpTraits<C, X, BinaryOp> {
  using ReturnType = X;
};

}  // namespace Eigen
