// Triangular products, inverse and Cholesky factor for sizes known at run time.
//
// Triangles are cut into strips and the rectangles left of them, which go to Eigen's matrix
// product. Eigen packs both operands of a product into buffers, which it takes from the heap beyond
// EIGEN_STACK_ALLOCATION_LIMIT: products are cut so that they stay below, and no call here
// allocates however large the matrix is.
#pragma once

#include <Eigen/Core>

#include <algorithm>
#include <cmath>

namespace scorematch::detail::blocked {

using Eigen::Index;

// Every operand has one of these two types, whatever matrix it is part of: each pair of types costs
// the compiler a matrix product of its own.
template <class Scalar>
using Block = Eigen::Map<Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>, Eigen::Unaligned,
                         Eigen::OuterStride<>>;
template <class Scalar>
using ConstBlock = Eigen::Map<const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>,
                              Eigen::Unaligned, Eigen::OuterStride<>>;

template <class Matrix>
ConstBlock<typename Matrix::Scalar> read(const Matrix& matrix, Index i, Index j, Index rows,
                                         Index columns) {
  return {matrix.data() + i + j * matrix.outerStride(), rows, columns,
          Eigen::OuterStride<>(matrix.outerStride())};
}

template <class Matrix>
Block<typename Matrix::Scalar> write(Matrix& matrix, Index i, Index j, Index rows, Index columns) {
  return {matrix.data() + i + j * matrix.outerStride(), rows, columns,
          Eigen::OuterStride<>(matrix.outerStride())};
}

// A product is cut into pieces of side x depth by depth x side, which Eigen still packs on the
// stack: its default limit is 128 KiB for each operand. Flat pieces are packed less often than
// cubes.
template <class Scalar>
inline constexpr Index side = sizeof(Scalar) <= 8    ? 256
                              : sizeof(Scalar) <= 16 ? 128
                                                     : 16;
template <class Scalar>
inline constexpr Index depth = 128 * 1024 / Index(sizeof(Scalar)) / side<Scalar>;

// How wide the strips are that a triangle is cut into: narrow ones multiply fewer zeros, wide ones
// make better products.
inline Index strip(Index d) { return d <= 64 ? 16 : d <= 256 ? 24 : 48; }

// Calls visit(start, length) for each piece of [begin, end).
template <class Visit>
void for_each_piece(Index begin, Index end, Index piece, Visit&& visit) {
  for (Index start = begin; start < end; start += piece) {
    visit(start, (std::min)(piece, end - start));
  }
}

// Calls multiply(i, rows, j, columns, k, length) for each piece of a rows x length by length x
// columns product.
template <class Scalar, class Multiply>
void for_each_product(Index all_rows, Index all_columns, Index all_depth, Multiply&& multiply) {
  for_each_piece(0, all_columns, side<Scalar>, [&](Index j, Index columns) {
    for_each_piece(0, all_rows, side<Scalar>, [&](Index i, Index rows) {
      for_each_piece(0, all_depth, depth<Scalar>,
                     [&](Index k, Index length) { multiply(i, rows, j, columns, k, length); });
    });
  });
}

// result += a b.
template <class Scalar>
void add_product(Block<Scalar> result, const ConstBlock<Scalar>& a, const ConstBlock<Scalar>& b) {
  for_each_product<Scalar>(a.rows(), b.cols(), a.cols(),
                           [&](Index i, Index rows, Index j, Index columns, Index k, Index length) {
                             write(result, i, j, rows, columns).noalias() +=
                                 read(a, i, k, rows, length) * read(b, k, j, length, columns);
                           });
}

// result -= a b.
template <class Scalar>
void subtract_product(Block<Scalar> result, const ConstBlock<Scalar>& a,
                      const ConstBlock<Scalar>& b) {
  for_each_product<Scalar>(a.rows(), b.cols(), a.cols(),
                           [&](Index i, Index rows, Index j, Index columns, Index k, Index length) {
                             write(result, i, j, rows, columns).noalias() -=
                                 read(a, i, k, rows, length) * read(b, k, j, length, columns);
                           });
}

// result += a b^T.
template <class Scalar>
void add_product_nt(Block<Scalar> result, const ConstBlock<Scalar>& a,
                    const ConstBlock<Scalar>& b) {
  for_each_product<Scalar>(a.rows(), b.rows(), a.cols(),
                           [&](Index i, Index rows, Index j, Index columns, Index k, Index length) {
                             write(result, i, j, rows, columns).noalias() +=
                                 read(a, i, k, rows, length) *
                                 read(b, j, k, columns, length).transpose();
                           });
}

// result -= a b^T.
template <class Scalar>
void subtract_product_nt(Block<Scalar> result, const ConstBlock<Scalar>& a,
                         const ConstBlock<Scalar>& b) {
  for_each_product<Scalar>(a.rows(), b.rows(), a.cols(),
                           [&](Index i, Index rows, Index j, Index columns, Index k, Index length) {
                             write(result, i, j, rows, columns).noalias() -=
                                 read(a, i, k, rows, length) *
                                 read(b, j, k, columns, length).transpose();
                           });
}

// result += a^T b.
template <class Scalar>
void add_product_tn(Block<Scalar> result, const ConstBlock<Scalar>& a,
                    const ConstBlock<Scalar>& b) {
  for_each_product<Scalar>(a.cols(), b.cols(), a.rows(),
                           [&](Index i, Index rows, Index j, Index columns, Index k, Index length) {
                             write(result, i, j, rows, columns).noalias() +=
                                 read(a, k, i, length, rows).transpose() *
                                 read(b, k, j, length, columns);
                           });
}

// The smallest tile: of a fixed size, so that its columns are computed in whole registers.
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

// inverse = lower^-1 for a tile.
template <class Scalar>
void invert_tile(const ConstBlock<Scalar>& lower, Block<Scalar> inverse) {
  const Tile<Scalar> l = load<Scalar>(lower);
  // Apart from `rest`, which is then written in whole registers only: to read one back soon after
  // a part of it was written would stall the processor.
  Tile<Scalar> result = Tile<Scalar>::Zero();
  Tile<Scalar> rest = Tile<Scalar>::Identity();
  for (int k = 0; k < edge; ++k) {
    const Scalar pivot = Scalar(1) / l(k, k);
    for (int j = 0; j <= k; ++j) {
      const Scalar entry = rest(k, j) * pivot;
      result(k, j) = entry;
      rest.col(j) -= l.col(k) * entry;
    }
  }
  store<Scalar>(result, inverse);
}

// inverse = lower^-1, strip of rows by strip of rows: what the strips above add to the ones below
// is subtracted there at once. Nothing is written above the diagonal tiles.
template <class Scalar>
void invert_lower(const ConstBlock<Scalar>& lower, Block<Scalar> inverse) {
  const Index d = lower.rows();
  if (d <= edge) return invert_tile(lower, inverse);
  constexpr int most = sizeof(Scalar) <= 16 ? 3 * edge : edge;  // what the stack has room for
  const Index width = d <= most ? Index(edge) : (std::min)(strip(d) / edge * edge, Index(most));
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, 0, most, most> copy;
  for_each_piece(0, d, width, [&](Index k, Index rows) {
    auto corner = write(inverse, k, k, rows, rows);
    invert_lower(read(lower, k, k, rows, rows), corner);
    for_each_piece(0, k, width, [&](Index j, Index columns) {
      auto block = write(inverse, k, j, rows, columns);
      copy = block;
      block.setZero();
      add_product(block, read(corner, 0, 0, rows, rows), read(copy, 0, 0, rows, columns));
    });
    const Index below = d - k - rows;
    write(inverse, k + rows, k, below, rows).setZero();
    subtract_product(write(inverse, k + rows, 0, below, k + rows),
                     read(lower, k + rows, k, below, rows), read(inverse, k, 0, rows, k + rows));
  });
}

// Tile by tile of the result, slice by slice of the depth: a slice reaches from its own rows down,
// and from the left to its own columns.
template <class Matrix>
void multiply_lower(const Matrix& a, const Matrix& b, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  const Index d = a.rows();
  for_each_piece(0, d, side<Scalar>, [&](Index j, Index columns) {
    for_each_piece(0, d, side<Scalar>, [&](Index i, Index rows) {
      write(result, i, j, rows, columns).setZero();  // and no more above the diagonal
      for_each_piece(j, i + rows, strip(d), [&](Index k, Index length) {
        const Index first = (std::max)(i, k);
        const Index reached = (std::min)(j + columns, k + length) - j;
        add_product(write(result, first, j, i + rows - first, reached),
                    read(a, first, k, i + rows - first, length), read(b, k, j, length, reached));
      });
    });
  });
}

// Copies what the rows from i to i + rows have in the columns from j to j + columns, below the
// diagonal, to above it.
template <class Matrix>
void mirror(Matrix& matrix, Index i, Index j, Index rows, Index columns) {
  for_each_piece(i, i + rows, edge, [&](Index start, Index length) {
    for (Index k = start; k < start + length; ++k) {
      const Index end = (std::min)(j + columns, k);
      for (Index l = j; l < end; ++l) matrix(l, k) = matrix(k, l);
    }
  });
}

template <class Matrix>
void mirror_lower(Matrix& matrix) {
  for_each_piece(0, matrix.cols(), edge,
                 [&](Index j, Index columns) { mirror(matrix, j, j, matrix.rows() - j, columns); });
}

template <class Matrix>
void gram_of_rows(const Matrix& a, Matrix& result) {
  const Index d = a.rows();
  for_each_piece(0, d, strip(d), [&](Index j, Index columns) {
    auto block = write(result, j, j, d - j, columns);
    block.setZero();
    add_product_nt(block, read(a, j, 0, d - j, j + columns), read(a, j, 0, columns, j + columns));
    mirror(result, j, j, d - j, columns);
  });
}

// result = I - a a^T - v v^T.
template <class Matrix, class Vector>
void identity_minus_grams(const Matrix& a, const Vector& v, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  const Index d = a.rows();
  for_each_piece(0, d, strip(d), [&](Index j, Index columns) {
    for (Index l = j; l < j + columns; ++l) {
      for (Index k = j; k < d; ++k) result(k, l) = -v(k) * v(l);
      result(l, l) += Scalar(1);
    }
    subtract_product_nt(write(result, j, j, d - j, columns), read(a, j, 0, d - j, j + columns),
                        read(a, j, 0, columns, j + columns));
    mirror(result, j, j, d - j, columns);
  });
}

template <class Matrix>
void multiply(const Matrix& a, const Matrix& b, Matrix& result) {
  const Index d = a.rows();
  result.setZero();
  add_product(write(result, 0, 0, d, d), read(a, 0, 0, d, d), read(b, 0, 0, d, d));
}

template <class Matrix>
void multiply_transposed_lower(const Matrix& a, const Matrix& b, Matrix& result) {
  const Index d = a.rows();
  for_each_piece(0, d, strip(d), [&](Index i, Index rows) {
    auto block = write(result, i, 0, rows, i + rows);
    block.setZero();
    add_product_tn(block, read(a, i, i, d - i, rows), read(b, i, 0, d - i, i + rows));
  });
}

// Overwrites a symmetric tile (lower triangle read) with its Cholesky factor. False, and the tile
// as it was, unless each pivot is above `negligible`.
template <class Scalar>
bool factor_tile(Block<Scalar> matrix, Scalar negligible) {
  using std::sqrt;
  Tile<Scalar> rest = load<Scalar>(read(matrix, 0, 0, matrix.rows(), matrix.rows()));
  Tile<Scalar> result = Tile<Scalar>::Zero();
  for (int k = 0; k < int(matrix.rows()); ++k) {
    const Scalar pivot = rest(k, k);
    if (!(pivot > negligible)) return false;
    result.col(k) = rest.col(k) * (Scalar(1) / sqrt(pivot));
    for (int j = k + 1; j < edge; ++j) rest.col(j) -= result.col(k) * result(j, k);
  }
  store<Scalar>(result, matrix);
  return true;
}

// x = x l^-T for a tile l.
template <class Scalar>
void solve_tile(const ConstBlock<Scalar>& l, Block<Scalar> x) {
  const Index n = l.rows();
  Scalar columns[edge][2 * edge];
  for_each_piece(0, x.rows(), 2 * edge, [&](Index start, Index rows) {
    for (Index j = 0; j < n; ++j) {
      Scalar sum[2 * edge] = {};
      for (Index i = 0; i < rows; ++i) sum[i] = x(start + i, j);
      for (Index k = 0; k < j; ++k) {
        const Scalar entry = l(j, k);
        for (int i = 0; i < 2 * edge; ++i) sum[i] -= columns[k][i] * entry;
      }
      const Scalar scale = Scalar(1) / l(j, j);
      for (int i = 0; i < 2 * edge; ++i) columns[j][i] = sum[i] * scale;
      for (Index i = 0; i < rows; ++i) x(start + i, j) = columns[j][i];
    }
  });
}

// Half of n, in whole tiles.
inline Index half(Index n) { return (n / 2 + edge - 1) / edge * edge; }

// x = x l^-T for a lower triangular l.
template <class Scalar>
void solve_from_right(const ConstBlock<Scalar>& l, Block<Scalar> x) {
  const Index n = l.rows();
  if (n <= edge) return solve_tile(l, x);
  const Index h = half(n);
  auto left = write(x, 0, 0, x.rows(), h);
  auto right = write(x, 0, h, x.rows(), n - h);
  solve_from_right(read(l, 0, 0, h, h), left);
  subtract_product_nt(right, read(left, 0, 0, x.rows(), h), read(l, h, 0, n - h, h));
  solve_from_right(read(l, h, h, n - h, n - h), right);
}

// Overwrites the lower triangle of a symmetric positive definite matrix with its Cholesky factor.
// False where a pivot is not above `negligible`; the matrix is then unspecified, as is what it
// holds above the diagonal. Cost d^3 / 3 flops.
template <class Scalar>
bool cholesky(Block<Scalar> matrix, Scalar negligible) {
  const Index d = matrix.rows();
  if (d <= edge) return factor_tile(matrix, negligible);
  const Index h = half(d);
  auto below = write(matrix, h, 0, d - h, h);
  auto rest = write(matrix, h, h, d - h, d - h);
  if (!cholesky(write(matrix, 0, 0, h, h), negligible)) return false;
  solve_from_right(read(matrix, 0, 0, h, h), below);
  for_each_piece(0, d - h, strip(d), [&](Index j, Index columns) {
    subtract_product_nt(write(rest, j, j, d - h - j, columns), read(below, j, 0, d - h - j, h),
                        read(below, j, 0, columns, h));
  });
  return cholesky(rest, negligible);
}

// Vectors take a column of the matrix at a time, as it lies in memory.

template <class Matrix, class Vector>
void apply_lower(const Matrix& a, Vector& v) {
  for (Index k = a.cols() - 1; k >= 0; --k) {
    const Index below = a.rows() - 1 - k;
    v.tail(below) += v(k) * a.col(k).tail(below);
    v(k) *= a(k, k);
  }
}

template <class Matrix, class Vector>
void apply_transposed_lower(const Matrix& a, Vector& v) {
  for (Index i = 0; i < a.rows(); ++i) {
    const Index below = a.rows() - i;
    v(i) = a.col(i).tail(below).dot(v.tail(below));
  }
}

template <class Matrix, class Vector>
void solve_lower(const Matrix& a, Vector& v) {
  for (Index k = 0; k < a.cols(); ++k) {
    const Index below = a.rows() - 1 - k;
    v(k) /= a(k, k);
    v.tail(below) -= v(k) * a.col(k).tail(below);
  }
}

template <class Matrix, class Vector>
void solve_transposed_lower(const Matrix& a, Vector& v) {
  for (Index i = a.rows() - 1; i >= 0; --i) {
    const Index below = a.rows() - 1 - i;
    v(i) = (v(i) - a.col(i).tail(below).dot(v.tail(below))) / a(i, i);
  }
}

// result = a v for a symmetric a.
template <class Matrix, class Vector>
void multiply_symmetric(const Matrix& a, const Vector& v, Vector& result) {
  for (Index i = 0; i < a.cols(); ++i) result(i) = a.col(i).dot(v);
}

// tr(a + a b) for symmetric a and b.
template <class Matrix>
typename Matrix::Scalar trace_with_product(const Matrix& a, const Matrix& b) {
  typename Matrix::Scalar trace(0);
  for (Index j = 0; j < a.cols(); ++j) trace += a(j, j) + a.col(j).dot(b.col(j));
  return trace;
}

// The lower triangle of a + a^T.
template <class Matrix>
void add_transposed(const Matrix& a, Matrix& result) {
  const Index d = a.rows();
  for_each_piece(0, d, edge, [&](Index j, Index columns) {
    for_each_piece(j, d, edge, [&](Index i, Index rows) {
      for (Index k = j; k < j + columns; ++k) {
        for (Index l = i; l < i + rows; ++l) result(l, k) = a(l, k) + a(k, l);
      }
    });
  });
}

// In strips of rows, so that both orders pass through memory in step.
template <class Visit>
void for_each_below(Index d, Visit&& visit) {
  for_each_piece(0, d, edge, [&](Index start, Index rows) {
    for (Index j = 0; j < start + rows; ++j) {
      Index i = (std::max)(start, j + 1);
      for (Index place = i * (i - 1) / 2 + j; i < start + rows; place += i++) visit(i, j, place);
    }
  });
}

}  // namespace scorematch::detail::blocked
