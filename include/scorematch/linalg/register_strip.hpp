// SPDX-License-Identifier: MIT
//
// A strip of a column: some registers that lie one under the other, as values. The kernels of
// product.hpp and tile.hpp are written in such strips.
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/core/vector_register.hpp>

#include <Eigen/Core>

#include <cstddef>

namespace scorematch::detail {

// Of a height of `count` registers. Where `first` is given, registers above it are left alone.
template <class Scalar, int count>
class RegisterStrip {
 public:
  static constexpr int lanes = WidestRegister<Scalar>::lanes;
  static constexpr int height = count * lanes;

  EIGEN_ALWAYS_INLINE void set_zero() {
    SCOREMATCH_UNROLL
    for (int r = 0; r < count; ++r) registers_[r] = Register{};
  }

  EIGEN_ALWAYS_INLINE void load(const Scalar* from, int first = 0) {
    SCOREMATCH_UNROLL
    for (int r = 0; r < count; ++r) {
      if (r >= first) load_register(from + r * lanes, registers_[r]);
    }
  }

  EIGEN_ALWAYS_INLINE void store(Scalar* to, int first = 0) const {
    SCOREMATCH_UNROLL
    for (int r = 0; r < count; ++r) {
      if (r >= first) store_register(registers_[r], to + r * lanes);
    }
  }

  EIGEN_ALWAYS_INLINE void scale(Scalar factor, int first = 0) {
    SCOREMATCH_UNROLL
    for (int r = 0; r < count; ++r) {
      if (r >= first) registers_[r] *= factor;
    }
  }

  EIGEN_ALWAYS_INLINE void add(const RegisterStrip& other, Scalar factor) {
    SCOREMATCH_UNROLL
    for (int r = 0; r < count; ++r) registers_[r] += other.registers_[r] * factor;
  }

  EIGEN_ALWAYS_INLINE void subtract(const RegisterStrip& other, Scalar factor, int first = 0) {
    SCOREMATCH_UNROLL
    for (int r = 0; r < count; ++r) {
      if (r >= first) registers_[r] -= other.registers_[r] * factor;
    }
  }

 private:
  using Register = typename WidestRegister<Scalar>::Type;

  Register registers_[std::size_t(count)];
};

}  // namespace scorematch::detail
