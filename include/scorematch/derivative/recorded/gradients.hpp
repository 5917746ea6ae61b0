// SPDX-License-Identifier: MIT
//
// The gradients that a replay meets: of rows and of jets, where all coordinates have one or few do.
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/recorded/jet_products.hpp>
#include <scorematch/derivative/recorded/program.hpp>

#include <Eigen/Core>

#include <bit>
#include <cstdint>

namespace scorematch::detail {

// Each calls visit(i, entry, sum of the derivatives by it) for coordinates of a block of `width`.

template <VectorLane T, int width>
struct DenseRow {
  using P = ReplayPack<T>;
  static constexpr bool dense = true;
  static constexpr bool row = true;
  const T* weight;
  P* adjoint;
  template <class Visit>
  EIGEN_ALWAYS_INLINE void each(Visit visit) const {
    for_each_entry<width>([&](auto i) SCOREMATCH_INLINE { visit(i, P(weight[i]), adjoint[i]); });
  }
};

template <VectorLane T, int width>
struct SparseRow {
  using P = ReplayPack<T>;
  static constexpr bool dense = false;
  static constexpr bool row = true;
  const T* weight;
  P* adjoint;
  const std::uint32_t* coordinate;
  std::uint32_t count;
  std::uint32_t first;
  template <class Visit>
  EIGEN_ALWAYS_INLINE void each(Visit visit) const {
    for (std::uint32_t e = 0; e < count; ++e) {
      const std::uint32_t i = coordinate[e] - first;
      if (i < std::uint32_t(width)) visit(int(i), P(weight[e]), adjoint[e]);
    }
  }
};

template <VectorLane T, int width>
struct DenseJet {
  using P = ReplayPack<T>;
  static constexpr bool dense = true;
  static constexpr bool row = false;
  const P* entry;
  P* adjoint;
  template <class Visit>
  EIGEN_ALWAYS_INLINE void each(Visit visit) const {
    for_each_entry<width>([&](auto i) SCOREMATCH_INLINE { visit(i, entry[i], adjoint[i]); });
  }
};

template <VectorLane T, int width>
struct SparseJet {
  using P = ReplayPack<T>;
  static constexpr bool dense = false;
  static constexpr bool row = false;
  const P* entry;
  P* adjoint;
  std::uint32_t mask;
  template <class Visit>
  EIGEN_ALWAYS_INLINE void each(Visit visit) const {
    for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      const int i = std::countr_zero(rest);
      visit(i, entry[i], adjoint[i]);
    }
  }
};

}  // namespace scorematch::detail
