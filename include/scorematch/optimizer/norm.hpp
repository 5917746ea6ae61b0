// SPDX-License-Identifier: MIT
//
// The norm of a gradient, of numbers and of packs.
#pragma once

#include <scorematch/core/scalar.hpp>
#include <scorematch/core/unroll.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <type_traits>

namespace scorematch::detail {

// A fixed-size gradient comes by value: its address would keep it out of registers.
template <class Vector>
using Argument =
    std::conditional_t<Vector::SizeAtCompileTime == Eigen::Dynamic, const Vector&, Vector>;

template <class Vector>
EIGEN_DONT_INLINE typename Vector::Scalar stable_norm(Argument<Vector> gradient) {
  // Eigen's stableNorm is a tenth of what the notebook costs the compiler.
  using std::abs;
  using std::sqrt;
  using Lane = LaneOf<typename Vector::Scalar>;
  typename Vector::Scalar norm(0);
  for (int k = 0; k < lanes_of<typename Vector::Scalar>; ++k) {
    Lane largest(0);
    for (Eigen::Index i = 0; i < gradient.size(); ++i) {
      const Lane size = abs(lane_of(gradient(i), k));
      if (size > largest || size != size) largest = size;
      if (size != size) break;
    }
    Lane square(0);
    if (largest > 0 && largest <= (std::numeric_limits<Lane>::max)()) {
      for (Eigen::Index i = 0; i < gradient.size(); ++i) {
        const Lane scaled = lane_of(gradient(i), k) / largest;
        square += scaled * scaled;
      }
      largest *= sqrt(square);
    }
    set_lane(norm, k, largest);
  }
  return norm;
}

template <class Vector>
EIGEN_ALWAYS_INLINE typename Vector::Scalar squared_norm(const Vector& gradient) {
  typename Vector::Scalar square(0);
  for_each_entry(gradient,
                 [&](Eigen::Index i) SCOREMATCH_INLINE { square += gradient(i) * gradient(i); });
  return square;
}

// The least square whose root is accurate, though some terms of it may have underflowed.
template <class Scalar>
inline constexpr LaneOf<Scalar> least_square =
    (std::numeric_limits<LaneOf<Scalar>>::min)() / std::numeric_limits<LaneOf<Scalar>>::epsilon();

// The Euclidean norm; zero only where the gradient is, and not finite only where an entry is not,
// though the square alone may underflow or overflow.
template <class Vector>
typename Vector::Scalar gradient_norm(const Vector& gradient) {
  using std::sqrt;
  using Scalar = typename Vector::Scalar;
  const Scalar square = squared_norm(gradient);
  const MaskOf<Scalar> above = square > least_square<Scalar>;
  const MaskOf<Scalar> below = is_finite(square);
  return all(above & below) ? Scalar(sqrt(square)) : stable_norm<Vector>(gradient);
}

// Of a pack the square of a norm stands for it where that is accurate: the root takes as long as
// thirty products, and only that of the last point is asked for.
template <class Pack>
struct PackNorm {
  Pack value;
  bool squared = false;
};

// What a walk keeps of the norm of its gradient. No class where a Scalar does: g++ would keep it in
// memory.
template <class Scalar>
using NormOf = std::conditional_t<Lockstep<Scalar>, PackNorm<Scalar>, Scalar>;

template <class Scalar>
EIGEN_ALWAYS_INLINE NormOf<Scalar> norm_of_square(const Scalar& square) {
  using std::sqrt;
  if constexpr (Lockstep<Scalar>) {
    return {square, true};
  } else {
    return sqrt(square);
  }
}

template <Real Scalar>
EIGEN_ALWAYS_INLINE Scalar value_of(const Scalar& norm) {
  return norm;
}
template <Lockstep Pack>
EIGEN_ALWAYS_INLINE Pack value_of(const PackNorm<Pack>& norm) {
  return norm.squared ? Pack(sqrt(norm.value)) : norm.value;
}

template <Real Scalar>
EIGEN_ALWAYS_INLINE bool at_most(const Scalar& norm, const Scalar& limit) {
  return norm <= limit;
}
template <Lockstep Pack>
EIGEN_ALWAYS_INLINE MaskOf<Pack> at_most(const PackNorm<Pack>& norm, const Pack& limit) {
  return norm.squared ? norm.value <= limit * limit : norm.value <= limit;
}

}  // namespace scorematch::detail
