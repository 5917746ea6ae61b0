// SPDX-License-Identifier: MIT
//
// Matrix products for sizes known at run time: result = factor a b, or result += factor a b.
//
// A tile of the result, up to three registers by four or eight columns, is summed in registers;
// columns of `a` are loaded as they lie in memory and entries of `b` one by one, so that neither
// has to be rearranged first. Eigen's product rearranges both, which for small matrices takes as
// long as the product itself, into buffers that come from the heap once they are large. No call
// here allocates.
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/core/vector_register.hpp>
#include <scorematch/linalg/register_strip.hpp>
#include <scorematch/linalg/transpose.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>

namespace scorematch::detail::blocked {

using Eigen::Index;

// Every operand has one of these two types, whatever matrix it is part of.
template <class Scalar>
using Block = Eigen::Map<Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>, Eigen::Unaligned,
                         Eigen::OuterStride<>>;
template <class Scalar>
using ConstBlock = Eigen::Map<const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>,
                              Eigen::Unaligned, Eigen::OuterStride<>>;

template <class Matrix>
ConstBlock<typename Matrix::Scalar> view(const Matrix& matrix, Index i, Index j, Index rows,
                                         Index columns) {
  return {matrix.data() + i + j * matrix.outerStride(), rows, columns,
          Eigen::OuterStride<>(matrix.outerStride())};
}

template <class Matrix>
Block<typename Matrix::Scalar> writable(Matrix& matrix, Index i, Index j, Index rows,
                                        Index columns) {
  return {matrix.data() + i + j * matrix.outerStride(), rows, columns,
          Eigen::OuterStride<>(matrix.outerStride())};
}

// Calls visit(start, length) for each piece of [begin, end).
template <class Visit>
void for_each_piece(Index begin, Index end, Index piece, Visit&& visit) {
  for (Index start = begin; start < end; start += piece) {
    visit(start, (std::min)(piece, end - start));
  }
}

// A matrix or the transpose of one: its entry (i, j) is data[i * row_step + j * column_step].
template <class Scalar>
struct Operand {
  const Scalar* data;
  Index row_step;
  Index column_step;

  Operand from(Index i, Index j) const {
    return {data + i * row_step + j * column_step, row_step, column_step};
  }
};

template <class Scalar>
Operand<Scalar> plain(const ConstBlock<Scalar>& matrix) {
  return {matrix.data(), 1, matrix.outerStride()};
}
template <class Scalar>
Operand<Scalar> transposed(const ConstBlock<Scalar>& matrix) {
  return {matrix.data(), matrix.outerStride(), 1};
}

// What becomes of a product p: result = factor p, whatever the result held, or result += factor p.
template <class Scalar>
struct Update {
  bool adds;
  Scalar factor;

  static Update set(Scalar factor) { return {false, factor}; }
  static Update add(Scalar factor) { return {true, factor}; }
};

// A tile of the result: up to `tile_registers` registers high, which leaves some for a column of
// `a` and an entry of `b`.
inline constexpr int tile_registers = 3;
inline constexpr int tile_columns = vector_registers == 32 ? 8 : 4;

// A product is cut up in four steps, each a function that calls the next:
//
//   compute         into pieces of a and b that stay in the caches
//   compute_piece   into rows of tiles, three registers high while they last, then two, then one
//   compute_row     into tiles, from left to right
//   compute_tile    into columns of a times rows of b, summed in registers
//
// What does not lie in memory as a tile reads it is copied on the way, filled up with zeros: rows
// of `a` by `compute_row`, the last columns of `b` by `compute_piece`.
template <class Scalar>
class Product {
 public:
  // result = factor a b, or result += factor a b, with `depth` columns of a and rows of b, at least
  // one where the result is set.
  static void compute(Update<Scalar> update, Block<Scalar> result, Operand<Scalar> a,
                      Operand<Scalar> b, Index depth) {
    for_each_piece(0, depth, longest, [&](Index k, Index length) {
      for_each_piece(0, result.cols(), widest, [&](Index j, Index width) {
        compute_piece(k == 0 ? update : Update<Scalar>::add(update.factor),
                      writable(result, 0, j, result.rows(), width), a.from(0, k), b.from(k, j),
                      length);
      });
    });
  }

 private:
  template <int registers>
  using Strip = RegisterStrip<Scalar, registers>;

  // What a row of tiles reads of `a` stays in the first-level cache, the piece of `b` in the
  // second.
  static constexpr Index longest = 128;
  static constexpr Index widest = 128;

  static void compute_piece(Update<Scalar> update, Block<Scalar> result, Operand<Scalar> a,
                            Operand<Scalar> b, Index depth) {
    alignas(64) Scalar copy[std::size_t(longest * tile_columns)];
    const Index whole = result.cols() / tile_columns * tile_columns;
    if (whole < result.cols()) {
      const Operand<Scalar> last = b.from(0, whole);
      gather<tile_columns>({last.data, last.column_step, last.row_step}, result.cols() - whole,
                           depth, copy);
    }
    const auto columns_from = [&](Index j) {
      return j < whole ? b.from(0, j) : Operand<Scalar>{copy, tile_columns, 1};
    };
    Index i = compute_rows<tile_registers>(update, 0, result, a, columns_from, depth);
    i = compute_rows<2>(update, i, result, a, columns_from, depth);
    compute_rows<1>(update, i, result, a, columns_from, depth);
  }

  // Rows of tiles from row i on, as long as they are whole or no smaller ones are left; returns
  // where they end.
  template <int registers, class Columns>
  static Index compute_rows(Update<Scalar> update, Index i, Block<Scalar> result, Operand<Scalar> a,
                            const Columns& columns_from, Index depth) {
    constexpr Index height = Strip<registers>::height;
    for (; i + height <= result.rows() || (registers == 1 && i < result.rows()); i += height) {
      const Index rows = (std::min)(height, result.rows() - i);
      compute_row<registers>(update, writable(result, i, 0, rows, result.cols()), a.from(i, 0),
                             columns_from, depth);
    }
    return i;
  }

  template <int registers, class Columns>
  static void compute_row(Update<Scalar> update, Block<Scalar> result, Operand<Scalar> a,
                          const Columns& columns_from, Index depth) {
    constexpr int height = Strip<registers>::height;
    alignas(64) Scalar copy[std::size_t(longest * height)];
    if (a.row_step != 1 || result.rows() < height) {
      gather<height>(a, result.rows(), depth, copy);
      a = {copy, 1, height};
    }
    for (Index j = 0; j < result.cols(); j += tile_columns) {
      const Index width = (std::min)(Index(tile_columns), result.cols() - j);
      compute_tile<registers>(update, writable(result, 0, j, result.rows(), width), a,
                              columns_from(j), depth);
    }
  }

  template <int registers>
  static void compute_tile(Update<Scalar> update, Block<Scalar> result, Operand<Scalar> a,
                           Operand<Scalar> b, Index depth) {
    Strip<registers> sums[std::size_t(tile_columns)];
    SCOREMATCH_UNROLL
    for (int j = 0; j < tile_columns; ++j) sums[j].set_zero();
    for (Index k = 0; k < depth; ++k) {
      Strip<registers> column;
      column.load(a.data + k * a.column_step);
      SCOREMATCH_UNROLL
      for (int j = 0; j < tile_columns; ++j) {
        sums[j].add(column, b.data[k * b.row_step + j * b.column_step]);
      }
    }
    if (result.rows() == Strip<registers>::height && result.cols() == tile_columns) {
      SCOREMATCH_UNROLL
      for (int j = 0; j < tile_columns; ++j) {
        Scalar* place = &result(0, j);
        Strip<registers> value;
        value.set_zero();
        if (update.adds) value.load(place);
        value.add(sums[j], update.factor);
        value.store(place);
      }
    } else {
      Scalar all[std::size_t(tile_columns)][std::size_t(Strip<registers>::height)];
      SCOREMATCH_UNROLL
      for (int j = 0; j < tile_columns; ++j) sums[j].store(all[j]);
      for (Index j = 0; j < result.cols(); ++j) {
        for (Index i = 0; i < result.rows(); ++i) {
          result(i, j) = (update.adds ? result(i, j) : Scalar(0)) + all[j][i] * update.factor;
        }
      }
    }
  }

  // The first `height` rows of `from`, column after column; zeros where it has no more than `rows`.
  template <int height>
  static void gather(Operand<Scalar> from, Index rows, Index depth, Scalar* to) {
    if (from.row_step == 1 && rows >= height) {
      for (Index k = 0; k < depth; ++k) {
        std::copy_n(from.data + k * from.column_step, height, to + k * height);
      }
      return;
    }
    if (from.column_step == 1 && rows >= height) {
      transpose(from.data, from.row_step, depth, height, to, height);
      return;
    }
    for (Index i = 0; i < height; ++i) {
      for (Index k = 0; k < depth; ++k) {
        to[k * height + i] = i < rows ? *from.from(i, k).data : Scalar(0);
      }
    }
  }
};

// result = a b.
template <class Scalar>
void set_product(Block<Scalar> result, const ConstBlock<Scalar>& a, const ConstBlock<Scalar>& b) {
  Product<Scalar>::compute(Update<Scalar>::set(1), result, plain(a), plain(b), a.cols());
}

// result = -a b.
template <class Scalar>
void set_minus_product(Block<Scalar> result, const ConstBlock<Scalar>& a,
                       const ConstBlock<Scalar>& b) {
  Product<Scalar>::compute(Update<Scalar>::set(-1), result, plain(a), plain(b), a.cols());
}

// result = a b^T.
template <class Scalar>
void set_product_nt(Block<Scalar> result, const ConstBlock<Scalar>& a,
                    const ConstBlock<Scalar>& b) {
  Product<Scalar>::compute(Update<Scalar>::set(1), result, plain(a), transposed(b), a.cols());
}

// result -= a b^T.
template <class Scalar>
void subtract_product_nt(Block<Scalar> result, const ConstBlock<Scalar>& a,
                         const ConstBlock<Scalar>& b) {
  Product<Scalar>::compute(Update<Scalar>::add(-1), result, plain(a), transposed(b), a.cols());
}

// result = a^T b.
template <class Scalar>
void set_product_tn(Block<Scalar> result, const ConstBlock<Scalar>& a,
                    const ConstBlock<Scalar>& b) {
  Product<Scalar>::compute(Update<Scalar>::set(1), result, transposed(a), plain(b), a.rows());
}

}  // namespace scorematch::detail::blocked
