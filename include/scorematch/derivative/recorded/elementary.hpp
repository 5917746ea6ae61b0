// SPDX-License-Identifier: MIT
//
// Elementary functions of packs with their derivatives: what a program does at a composed node.
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/recorded/program.hpp>
#include <scorematch/derivative/taylor2.hpp>

#include <cstddef>
#include <cstdint>
#include <numbers>
#include <type_traits>

namespace scorematch::detail {

// Each has `at<T>(v, parameter, phi)`, which writes phi and its first three derivatives at v;
// `for_each_of<Function>` makes a `UnaryFunction` of it.
template <class Function, VectorLane T>
void for_each_of(const ReplayPack<T>* values, const std::uint32_t* which, std::uint32_t count,
                 T parameter, ReplayPack<T>* phi) {
  for (std::uint32_t k = 0; k < count; ++k) {
    Function::template at<T>(values[which[k]], parameter, phi + k * composed_size);
  }
}

// Any function phi(v, parameter) of any numbers, lane by lane.
template <class Phi>
struct LaneByLaneOf {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T parameter, ReplayPack<T>* phi) {
    using Inner = Dual<T, 1>;
    for (int k = 0; k < replay_lanes<T>; ++k) {
      const auto x = Taylor2<Inner>::variable(Inner::variable(v[k], 0), Inner(T(1)));
      const Taylor2<Inner> line = Phi()(x, parameter);
      phi[0].set(k, line.value.value);
      phi[1].set(k, line.first.value);
      phi[2].set(k, line.second.value);
      phi[3].set(k, line.second.gradient[0]);
    }
  }
};

struct LaneByLane {};

// For a function phi(v), by OnPacks where that is more than `LaneByLane`.
template <class Phi, class OnPacks>
struct Unparametrized : OnPacks {};
template <class Phi>
struct Unparametrized<Phi, LaneByLane> {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T parameter, ReplayPack<T>* phi) {
    const auto with_parameter = [](const auto& x, T) { return Phi()(x); };
    LaneByLaneOf<std::remove_const_t<decltype(with_parameter)>>::at(v, parameter, phi);
  }
};

// Any function phi(a, b) of two numbers, lane by lane, in the order of `Partial`.
template <class Phi>
struct PairByPair {
  template <class T>
  static void at(const ReplayPack<T>& a, const ReplayPack<T>& b, ReplayPack<T>* phi) {
    using First = Dual<T, 2>;
    using Second = Dual<First, 2>;
    using Third = Dual<Second, 2>;
    const auto variable = [](T value, int which) {
      return Third::variable(Second::variable(First::variable(value, which), which), which);
    };
    for (int k = 0; k < replay_lanes<T>; ++k) {
      const Third at = Phi()(variable(a[k], 0), variable(b[k], 1));
      const Second &by_a = at.gradient[0], &by_b = at.gradient[1];
      phi[of_value].set(k, at.value.value.value);
      phi[of_a].set(k, by_a.value.value);
      phi[of_b].set(k, by_b.value.value);
      phi[of_aa].set(k, by_a.gradient[0].value);
      phi[of_ab].set(k, by_a.gradient[1].value);
      phi[of_bb].set(k, by_b.gradient[1].value);
      phi[of_aaa].set(k, by_a.gradient[0].gradient[0]);
      phi[of_aab].set(k, by_a.gradient[0].gradient[1]);
      phi[of_abb].set(k, by_a.gradient[1].gradient[1]);
      phi[of_bbb].set(k, by_b.gradient[1].gradient[1]);
    }
  }
};

struct Square {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    phi[0] = v * v;
    phi[1] = v + v;
    phi[2] = T(2);
    phi[3] = T(0);
  }
};

struct Reciprocal {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    const ReplayPack<T> inverse = ReplayPack<T>(T(1)) / v;
    phi[0] = inverse;
    phi[1] = -inverse * inverse;
    phi[2] = ReplayPack<T>(T(-2)) * (phi[1] * inverse);
    phi[3] = ReplayPack<T>(T(-3)) * (phi[2] * inverse);
  }
};

// v^n for a whole number n other than 0, 1 and 2.
struct IntegerPower {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T n, ReplayPack<T>* phi) {
    using P = ReplayPack<T>;
    const bool inverted = n < 0;
    const P factor = inverted ? P(T(1)) / v : v;
    // The lowest power of those that are needed; each next has one factor more.
    P power(T(1)), repeated = factor;
    for (auto rest = static_cast<unsigned long long>(inverted ? -n : n - 3); rest > 0; rest /= 2) {
      if (rest % 2 == 1) power *= repeated;
      if (rest > 1) repeated *= repeated;
    }
    const T orders[4] = {T(1), n, n * (n - 1), n * (n - 1) * (n - 2)};
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t order = inverted ? k : 3 - k;
      phi[order] = P(orders[order]) * power;
      power *= factor;
    }
  }
};

struct Exponential {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    phi[0] = phi[1] = phi[2] = phi[3] = exp(v);
  }
};

struct Logarithm {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    const ReplayPack<T> inverse = ReplayPack<T>(T(1)) / v;
    phi[0] = log(v);
    phi[1] = inverse;
    phi[2] = -inverse * inverse;
    phi[3] = ReplayPack<T>(T(-2)) * (phi[2] * inverse);
  }
};

struct LogarithmOfOnePlus {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    using P = ReplayPack<T>;
    const P sum = P(T(1)) + v;
    Logarithm::at(sum, T(0), phi);
    // What rounding has taken from the sum.
    const P lost = v - (sum - P(T(1)));
    phi[0] += select((lost == P(T(0))) | (lost != lost), P(T(0)), lost * phi[1]);
  }
};

struct SquareRoot {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    using P = ReplayPack<T>;
    const P inverse = P(T(1)) / v;
    phi[0] = sqrt(v);
    phi[1] = P(T(0.5)) / phi[0];
    phi[2] = P(T(-0.5)) * (phi[1] * inverse);
    phi[3] = P(T(-1.5)) * (phi[2] * inverse);
  }
};

struct Sine {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    phi[0] = sin(v);
    phi[1] = cos(v);
    phi[2] = -phi[0];
    phi[3] = -phi[1];
  }
};
struct Cosine {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    phi[0] = cos(v);
    phi[1] = -sin(v);
    phi[2] = -phi[0];
    phi[3] = -phi[1];
  }
};

// tanh v and 1 - tanh^2 v, to the last digits.
template <class P>
EIGEN_ALWAYS_INLINE void tanh_and_slope(const P& v, P& t, P& slope) {
  using T = typename P::Lane;
  const auto negative = v < P(T(0));
  P e, less;
  exp_below_zero(select(negative, v + v, -(v + v)), e, less);
  const P inverse = P(T(1)) / (P(T(2)) + less);
  const P size = less * inverse;
  t = select(negative, size, -size);
  slope = P(T(4)) * e * (inverse * inverse);
}

struct HyperbolicTangent {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    using P = ReplayPack<T>;
    P t, slope;
    tanh_and_slope(v, t, slope);
    phi[0] = t;
    phi[1] = slope;
    phi[2] = P(T(-2)) * (t * slope);
    phi[3] = P(T(-2)) * (slope * slope + t * phi[2]);
  }
};

struct LogCosh {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    using P = ReplayPack<T>;
    const P size = select(v < P(T(0)), -v, v);
    P e, less;
    exp_below_zero(-size, e, less);
    const P small_part = log1p(less * less / (e + e));  // of cosh v - 1
    const P large_part = size + log1p(e * e) - P(std::numbers::ln2_v<T>);
    phi[0] = select(size < P(T(1)), small_part, large_part);
    tanh_and_slope(v, phi[1], phi[2]);
    phi[3] = P(T(-2)) * (phi[1] * phi[2]);
  }
};

// 1 / (1 + exp(-v)) and what it lacks of one, to the last digits.
template <class P>
EIGEN_ALWAYS_INLINE void logistic_and_rest(const P& v, P& up, P& down, P& e) {
  using T = typename P::Lane;
  const auto negative = v < P(T(0));
  e = exp(select(negative, v, -v));
  const P larger = P(T(1)) / (P(T(1)) + e);
  const P smaller = e * larger;
  up = select(negative, smaller, larger);
  down = select(negative, larger, smaller);
}

struct Logistic {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    using P = ReplayPack<T>;
    P up, down, e;
    logistic_and_rest(v, up, down, e);
    const P slope = up * down, tilt = down - up;
    phi[0] = up;
    phi[1] = slope;
    phi[2] = slope * tilt;
    phi[3] = slope * (tilt * tilt - (slope + slope));
  }
};

struct Softplus {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    using P = ReplayPack<T>;
    P up, down, e;
    logistic_and_rest(v, up, down, e);
    phi[0] = select(v < P(T(0)), P(T(0)), v) + log1p(e);
    phi[1] = up;
    phi[2] = up * down;
    phi[3] = phi[2] * (down - up);
  }
};

// Its derivative at 0 is 0, the middle of its subgradients.
struct Absolute {
  template <class T>
  EIGEN_ALWAYS_INLINE static void at(const ReplayPack<T>& v, T, ReplayPack<T>* phi) {
    using P = ReplayPack<T>;
    const auto negative = v < P(T(0));
    phi[0] = select(negative, -v, v);
    phi[1] = select(negative, P(T(-1)), select(P(T(0)) < v, P(T(1)), P(T(0))));
    phi[2] = phi[3] = T(0);
  }
};

// The larger of two, or the smaller; a where they are equal.
template <bool largest>
struct Extreme {
  template <class T>
  static void at(const ReplayPack<T>& a, const ReplayPack<T>& b, ReplayPack<T>* phi) {
    using P = ReplayPack<T>;
    const auto is_b = largest ? a < b : b < a;
    phi[of_value] = select(is_b, b, a);
    phi[of_a] = select(is_b, P(T(0)), P(T(1)));
    phi[of_b] = select(is_b, P(T(1)), P(T(0)));
    for (int k = of_aa; k < partials; ++k) phi[k] = T(0);
  }
};

}  // namespace scorematch::detail
