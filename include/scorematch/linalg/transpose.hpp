// SPDX-License-Identifier: MIT
//
// The transpose of a block of numbers in memory, a register at a time.
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/core/vector_register.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <cstring>
#include <utility>

namespace scorematch::detail {

#ifdef SCOREMATCH_HAS_VECTORS

// The first halves of a and b, lane by lane in turns, then the second halves.
template <class R, int... Lane>
EIGEN_ALWAYS_INLINE void interleave(const R& a, const R& b, R& first, R& second,
                                    std::integer_sequence<int, Lane...>) {
  constexpr int count = sizeof...(Lane);
  shuffle_registers<(Lane / 2 + Lane % 2 * count)...>(a, b, first);
  shuffle_registers<(Lane / 2 + count / 2 + Lane % 2 * count)...>(a, b, second);
}

// A register for each column of a square tile. To interleave each column with that half of the tile
// away turns the digits of (column, row), written in base two, by one. With four:
//
//   a0 a1 a2 a3      a0 c0 a1 c1      a0 b0 c0 d0
//   b0 b1 b2 b3  ->  a2 c2 a3 c3  ->  a1 b1 c1 d1
//   c0 c1 c2 c3      b0 d0 b1 d1      a2 b2 c2 d2
//   d0 d1 d2 d3      b2 d2 b3 d3      a3 b3 c3 d3
template <class Scalar>
EIGEN_ALWAYS_INLINE void transpose_tile(const Scalar* from, Eigen::Index from_stride, Scalar* to,
                                        Eigen::Index to_stride) {
  constexpr int count = WidestRegister<Scalar>::lanes;
  using R = typename WidestRegister<Scalar>::Type;
  R columns[std::size_t(count)];
  SCOREMATCH_UNROLL
  for (int j = 0; j < count; ++j) std::memcpy(&columns[j], from + j * from_stride, sizeof(R));
  SCOREMATCH_UNROLL
  for (int digit = 1; digit < count; digit *= 2) {
    R turned[std::size_t(count)];
    SCOREMATCH_UNROLL
    for (int j = 0; j < count / 2; ++j) {
      interleave(columns[j], columns[j + count / 2], turned[2 * j], turned[2 * j + 1],
                 std::make_integer_sequence<int, count>{});
    }
    SCOREMATCH_UNROLL
    for (int j = 0; j < count; ++j) columns[j] = turned[j];
  }
  SCOREMATCH_UNROLL
  for (int j = 0; j < count; ++j) std::memcpy(to + j * to_stride, &columns[j], sizeof(R));
}

#endif

// to[i * to_stride + j] = from[j * from_stride + i] for i < rows, j < columns.
template <class Scalar>
void transpose(const Scalar* from, Eigen::Index from_stride, Eigen::Index rows,
               Eigen::Index columns, Scalar* to, Eigen::Index to_stride) {
  constexpr int count = WidestRegister<Scalar>::lanes;
  for (Eigen::Index i = 0; i < rows; i += count) {
    for (Eigen::Index j = 0; j < columns; j += count) {
      const Scalar* source = from + j * from_stride + i;
      Scalar* target = to + i * to_stride + j;
      if constexpr (count > 1) {
        if (i + count <= rows && j + count <= columns) {
          transpose_tile(source, from_stride, target, to_stride);
          continue;
        }
      }
      for (Eigen::Index k = 0; k < count && i + k < rows; ++k) {
        for (Eigen::Index l = 0; l < count && j + l < columns; ++l) {
          target[k * to_stride + l] = source[l * from_stride + k];
        }
      }
    }
  }
}

}  // namespace scorematch::detail
