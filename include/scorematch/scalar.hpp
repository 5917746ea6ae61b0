// What a scalar may be, and the few operations that the same code needs whether the scalar is one
// number or a pack of them, computed in lockstep.
#pragma once

#include <scorematch/detail/require.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>

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

/// A Real, or a `Pack` of several that are computed in lockstep.
template <class T>
concept Number = requires {
  typename ScalarTraits<T>::Lane;
};

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

template <class Value>
void set_where(bool mask, Value& values, const Value& value) {
  if (mask) values = value;
}

// One lane of a scalar, a matrix of scalars or a mask, and its place to write to.
template <class Whole>
requires(Real<Whole> || Real<typename Whole::Scalar>) const Whole& lane_of(const Whole& whole,
                                                                           int) {
  return whole;
}

template <class Whole, class Part>
requires std::same_as<Whole, Part>
void set_lane(Whole& whole, int, const Part& part) { whole = part; }

// result = mask ? value : result, entry by entry.
template <class Mask, class Matrix>
void assign_where(const Mask& mask, Matrix& result, const Matrix& value) {
  for (Eigen::Index k = 0; k < result.size(); ++k) {
    result(k) = select(mask, value(k), result(k));
  }
}

template <class Mask, class Vector>
void fill_where(const Mask& mask, Vector& result, const typename Vector::Scalar& value) {
  for (Eigen::Index k = 0; k < result.size(); ++k) result(k) = select(mask, value, result(k));
}

}  // namespace detail
}  // namespace scorematch
