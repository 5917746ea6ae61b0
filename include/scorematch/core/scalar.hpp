// SPDX-License-Identifier: MIT
//
// What a scalar may be, and the few operations that the same code needs whether the scalar is one
// number or a pack of them, computed in lockstep.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/unroll.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <utility>

namespace scorematch {

/// A scalar the library computes with: float, double or long double.
template <class T>
concept Real = std::floating_point<T>;

/// How many numbers a scalar holds (its lanes), and of what type.
template <class Scalar>
struct ScalarTraits {};

template <Real T>
struct ScalarTraits<T> {
  using Lane = T;
  static constexpr int lanes = 1;
  using Mask = bool;  // what a comparison gives
  template <class Value>
  using Each = Value;
};

/// Several Reals that are computed in lockstep: a `Pack`.
template <class T>
concept Lockstep = requires { requires(ScalarTraits<T>::lanes > 1); };

/// A Real, or a `Pack` of several.
template <class T>
concept Number = Real<T> || Lockstep<T>;

/// The type of one lane: Scalar itself where it is Real.
template <Number Scalar>
using LaneOf = typename ScalarTraits<Scalar>::Lane;

template <Number Scalar>
inline constexpr int lanes_of = ScalarTraits<Scalar>::lanes;

/// One Value for each lane: a plain Value where Scalar is Real, a std::array for a `Pack`.
template <Number Scalar, class Value>
using PerLane = typename ScalarTraits<Scalar>::template Each<Value>;

/// What a comparison of scalars gives: bool, or one truth value for each lane.
template <Number Scalar>
using MaskOf = typename ScalarTraits<Scalar>::Mask;

// For one number, the operations on masks that code needs which is to run on packs as well. Those
// of a `Pack` are its friends.

inline bool all(bool mask) { return mask; }
inline bool any(bool mask) { return mask; }

/// yes where the mask holds, no elsewhere.
template <Real T>
T select(bool mask, T yes, T no) {
  return mask ? yes : no;
}

template <Real T>
bool is_finite(T value) {
  return std::isfinite(value);
}

namespace detail {

// What overflowed on the way may be a NaN, and is infinite.
template <class Scalar>
Scalar number_or_infinity(const Scalar& value) {
  const Scalar infinity(std::numeric_limits<LaneOf<Scalar>>::infinity());
  return select(value == value, value, infinity);
}

// The same of what may also have become minus infinity.
template <class Scalar>
Scalar finite_or_infinity(const Scalar& value) {
  const Scalar infinity(std::numeric_limits<LaneOf<Scalar>>::infinity());
  return select(value - value == Scalar(0), value, infinity);
}

// values[k] = value in the lanes k where the mask holds.
template <class Mask, class Values, class Value>
void set_where(const Mask& mask, Values& values, const Value& value) {
  if constexpr (std::same_as<Mask, bool>) {
    if (mask) values = value;
  } else {
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (mask[int(k)]) values[k] = value;
    }
  }
}

// One lane of a scalar or of a matrix of scalars.
template <Number Scalar>
LaneOf<Scalar> lane_of(const Scalar& scalar, int k) {
  if constexpr (Real<Scalar>) {
    return scalar;
  } else {
    return scalar[k];
  }
}

template <class Matrix>
  requires Real<typename Matrix::Scalar>
const Matrix& lane_of(const Matrix& matrix, int) {
  return matrix;
}

template <class Matrix>
  requires Lockstep<typename Matrix::Scalar>
auto lane_of(const Matrix& packs, int k) {
  Eigen::Matrix<LaneOf<typename Matrix::Scalar>, Matrix::RowsAtCompileTime,
                Matrix::ColsAtCompileTime>
      result(packs.rows(), packs.cols());
  for (Eigen::Index j = 0; j < packs.cols(); ++j) {
    for (Eigen::Index i = 0; i < packs.rows(); ++i) result(i, j) = packs.coeff(i, j)[k];
  }
  return result;
}

// Writes one lane of a scalar, of a matrix of scalars or of a mask.
template <class Whole, class Part>
void set_lane(Whole& whole, int k, const Part& part) {
  if constexpr (std::same_as<Whole, Part>) {
    whole = part;
  } else if constexpr (requires { whole.set(k, part); }) {
    whole.set(k, part);
  } else {
    for (Eigen::Index j = 0; j < whole.cols(); ++j) {
      for (Eigen::Index i = 0; i < whole.rows(); ++i) whole(i, j).set(k, part(i, j));
    }
  }
}

// One value for each lane, value(k) for lane k.
template <Number Scalar, class Make>
auto for_each_lane(Make&& value) {
  if constexpr (Real<Scalar>) {
    return value(0);
  } else {
    return [&]<int... k>(std::integer_sequence<int, k...>) {
      return PerLane<Scalar, decltype(value(0))>{value(k)...};
    }(std::make_integer_sequence<int, lanes_of<Scalar>>{});
  }
}

// result = mask ? value : result, entry by entry.
template <class Mask, class Matrix>
void assign_where(const Mask& mask, Matrix& result, const Matrix& value) {
  for_each_entry(result, [&](Eigen::Index k)
                             SCOREMATCH_INLINE { result(k) = select(mask, value(k), result(k)); });
}

template <class Mask, class Vector>
void fill_where(const Mask& mask, Vector& result, const typename Vector::Scalar& value) {
  for_each_entry(result, [&](Eigen::Index k)
                             SCOREMATCH_INLINE { result(k) = select(mask, value, result(k)); });
}

}  // namespace detail
}  // namespace scorematch
