// SPDX-License-Identifier: MIT
//
// What is done inside one tile on the diagonal of a triangle: its inverse, its Cholesky factor, and
// the solution for the rows under it, in vector registers.
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/core/vector_register.hpp>
#include <scorematch/linalg/product.hpp>
#include <scorematch/linalg/register_strip.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstddef>

namespace scorematch::detail::blocked {

// The side of a tile: fixed, so that its columns are computed in whole registers.
inline constexpr int edge = 16;

template <class Scalar>
using Tile = Eigen::Matrix<Scalar, edge, edge>;

// A tile on the stack, filled up with the identity.
template <class Scalar>
Tile<Scalar> load(const ConstBlock<Scalar>& block) {
  if (block.rows() == edge) return block;
  Tile<Scalar> tile = Tile<Scalar>::Identity();
  for (Index j = 0; j < block.cols(); ++j) {
    for (Index i = 0; i < block.rows(); ++i) tile(i, j) = block(i, j);
  }
  return tile;
}

template <class Scalar>
void store(const Tile<Scalar>& tile, Block<Scalar> block) {
  for (Index j = 0; j < block.cols(); ++j) {
    for (Index i = 0; i < block.rows(); ++i) block(i, j) = tile(i, j);
  }
}

// lower^-1 for a tile, from the last column to the first by X L = I: whole columns of X take part,
// and single entries of L. With tiles solved from the right and the rest from the left, the error
// of an inverse X is of the size eps |X| |L| |X|, as for either alone (Higham 2002, chapter 14).
template <class Scalar>
Tile<Scalar> inverse_of_tile(const Tile<Scalar>& lower) {
  Tile<Scalar> result = Tile<Scalar>::Identity();
  constexpr int lanes = WidestRegister<Scalar>::lanes;
  if constexpr (lanes == 1) {
    for (int k = edge - 1; k >= 0; --k) {
      result.col(k) *= Scalar(1) / lower(k, k);
      for (int j = 0; j < k; ++j) result.col(j) -= result.col(k) * lower(k, j);
    }
  } else {  // in registers; those above the diagonal are left out
    RegisterStrip<Scalar, edge / lanes> columns[std::size_t(edge)];
    SCOREMATCH_UNROLL
    for (int j = 0; j < edge; ++j) columns[j].load(&result(0, j), j / lanes);
    SCOREMATCH_UNROLL
    for (int n = 0; n < edge; ++n) {
      const int k = edge - 1 - n;
      columns[k].scale(Scalar(1) / lower(k, k), k / lanes);
      columns[k].store(&result(0, k), k / lanes);
      SCOREMATCH_UNROLL
      for (int j = 0; j < edge; ++j) {
        if (j < k) columns[j].subtract(columns[k], lower(k, j), k / lanes);
      }
    }
  }
  return result;
}

// Overwrites a symmetric tile (lower triangle read) with its Cholesky factor. False, and the tile
// as it was, unless each pivot is above `negligible`.
template <class Scalar>
bool factor_tile(Block<Scalar> matrix, Scalar negligible) {
  using std::sqrt;
  Tile<Scalar> result = load<Scalar>(view(matrix, 0, 0, matrix.rows(), matrix.rows()));
  Scalar scale[edge];  // left until the end: the next column waits for this one
  for (int k = 0; k < edge; ++k) {
    const Scalar pivot = result(k, k);
    if (!(pivot > negligible)) return false;
    scale[k] = Scalar(1) / pivot;
    for (int j = k + 1; j < edge; ++j) result.col(j) -= result.col(k) * (result(j, k) * scale[k]);
  }
  for (int k = 0; k < edge; ++k) result.col(k) *= sqrt(scale[k]);
  store<Scalar>(result, matrix);
  return true;
}

// x = x l^-T for a whole tile l, some registers of rows at a time. By substitution: a product with
// the inverse of l would lose as many digits as the condition of l has.
template <int registers, class Scalar>
void solve_rows(const ConstBlock<Scalar>& l, const Scalar* scale, Scalar* x, Index stride) {
  for (int start = 0; start < edge; start += tile_columns) {
    RegisterStrip<Scalar, registers> columns[std::size_t(tile_columns)];
    SCOREMATCH_UNROLL
    for (int j = 0; j < tile_columns; ++j) columns[j].load(x + (start + j) * stride);
    for (int k = 0; k < start; ++k) {
      RegisterStrip<Scalar, registers> known;
      known.load(x + k * stride);
      SCOREMATCH_UNROLL
      for (int j = 0; j < tile_columns; ++j) columns[j].subtract(known, l(start + j, k));
    }
    SCOREMATCH_UNROLL
    for (int j = 0; j < tile_columns; ++j) {
      columns[j].scale(scale[start + j]);
      columns[j].store(x + (start + j) * stride);
      SCOREMATCH_UNROLL
      for (int k = 0; k < tile_columns; ++k) {
        if (k > j) columns[k].subtract(columns[j], l(start + k, start + j));
      }
    }
  }
}

template <class Scalar>
void solve_tile(const ConstBlock<Scalar>& l, Block<Scalar> x) {
  constexpr Index lanes = WidestRegister<Scalar>::lanes;
  Scalar scale[edge];
  for (int j = 0; j < edge; ++j) scale[j] = Scalar(1) / l(j, j);
  Index i = 0;
  for (; i + tile_registers * lanes <= x.rows(); i += tile_registers * lanes) {
    solve_rows<tile_registers>(l, scale, &x(i, 0), x.outerStride());
  }
  for (; i + lanes <= x.rows(); i += lanes) solve_rows<1>(l, scale, &x(i, 0), x.outerStride());
  if (i == x.rows()) return;
  Scalar rest[std::size_t(lanes * edge)] = {};  // rows that fill no register
  for (Index j = 0; j < edge; ++j) {
    for (Index k = i; k < x.rows(); ++k) rest[j * lanes + k - i] = x(k, j);
  }
  solve_rows<1>(l, scale, rest, lanes);
  for (Index j = 0; j < edge; ++j) {
    for (Index k = i; k < x.rows(); ++k) x(k, j) = rest[j * lanes + k - i];
  }
}

}  // namespace scorematch::detail::blocked
