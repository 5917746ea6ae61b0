// SPDX-License-Identifier: MIT
//
// Triangular products, inverse and Cholesky factor for sizes known at run time.
//
// Triangles are cut into tiles and the rectangles beside them, which are multiplied as full
// matrices. Only tiles on the diagonal are left, to tile.hpp.
#pragma once

#include <scorematch/linalg/product.hpp>
#include <scorematch/linalg/tile.hpp>

#include <Eigen/Core>

#include <algorithm>

namespace scorematch::detail::blocked {

// How many columns of an inverse are computed at once, as far as the stack has room.
template <class Scalar>
inline constexpr int group = sizeof(Scalar) <= 16 ? 3 * edge : edge;

// Columns of lower^-1 from its row and column k on, from the top down by L X = I; corner(i, rows)
// is the tile of lower^-1 on the diagonal at row i. Nothing is written above such tiles.
template <class Scalar, class Corner>
void invert_columns(const ConstBlock<Scalar>& lower, Index k, const Corner& corner,
                    Block<Scalar> columns) {
  Eigen::Matrix<Scalar, edge, group<Scalar>> sums;
  for_each_piece(0, lower.rows() - k, edge, [&](Index i, Index rows) {
    const auto at_diagonal = corner(k + i, rows);
    const Index known = (std::min)(i, columns.cols());
    for_each_piece(0, known, edge, [&](Index j, Index size) {
      set_product(writable(sums, 0, j, rows, size), view(lower, k + i, k + j, rows, i - j),
                  view(columns, j, j, i - j, size));
    });
    set_minus_product(writable(columns, i, 0, rows, known), at_diagonal,
                      view(sums, 0, 0, rows, known));
    if (i < columns.cols()) writable(columns, i, i, rows, rows) = at_diagonal;
  });
}

// inverse = lower^-1. Nothing is written above the tiles on the diagonal.
template <class Scalar>
void invert_lower(const ConstBlock<Scalar>& lower, Block<Scalar> inverse) {
  const Index d = lower.rows();
  for_each_piece(0, d, edge, [&](Index i, Index rows) {
    store<Scalar>(inverse_of_tile(load<Scalar>(view(lower, i, i, rows, rows))),
                  writable(inverse, i, i, rows, rows));
  });
  const auto corner = [&](Index i, Index rows) { return view(inverse, i, i, rows, rows); };
  for_each_piece(0, d, group<Scalar>, [&](Index k, Index columns) {
    invert_columns(lower, k, corner, writable(inverse, k, k, d - k, columns));
  });
}

// |lower^-1|^2, the sum of its squared entries, without memory for all of it.
template <class Scalar>
Scalar squared_norm_of_inverse(const ConstBlock<Scalar>& lower) {
  const Index d = lower.rows();
  Eigen::Matrix<Scalar, edge, Eigen::Dynamic> corners(edge, d + edge);
  for_each_piece(0, d, edge, [&](Index i, Index rows) {
    corners.template middleCols<edge>(i) =
        inverse_of_tile(load<Scalar>(view(lower, i, i, rows, rows)));
  });
  const auto corner = [&](Index i, Index rows) { return view(corners, 0, i, rows, rows); };
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> part(d,
                                                             (std::min)(Index(group<Scalar>), d));
  Scalar sum(0);
  for_each_piece(0, d, group<Scalar>, [&](Index k, Index columns) {
    invert_columns(lower, k, corner, writable(part, 0, 0, d - k, columns));
    for (Index j = 0; j < columns; ++j) {
      const Index first = j / edge * edge;  // of the tile on the diagonal
      sum += part.col(j).segment(first, d - k - first).squaredNorm();
    }
  });
  return sum;
}

template <class Matrix>
void multiply_lower(const Matrix& a, const Matrix& b, Matrix& result) {
  const Index d = a.rows();
  for_each_piece(0, d, edge, [&](Index j, Index columns) {
    writable(result, 0, j, j, columns).setZero();
    for_each_piece(j, d, edge, [&](Index i, Index rows) {
      const Index depth = i + rows - j;
      set_product(writable(result, i, j, rows, columns), view(a, i, j, rows, depth),
                  view(b, j, j, depth, columns));
    });
  });
}

// Writes the columns from j to j + columns, above the diagonal, from the rows left of it.
template <class Matrix>
void mirror(Matrix& matrix, Index j, Index columns) {
  const Index stride = matrix.outerStride();
  transpose(matrix.data() + j, stride, columns, j, matrix.data() + j * stride, stride);
  for (Index k = j + 1; k < j + columns; ++k) {
    for (Index l = j; l < k; ++l) matrix(l, k) = matrix(k, l);
  }
}

template <class Matrix>
void mirror_lower(Matrix& matrix) {
  for_each_piece(0, matrix.cols(), edge,
                 [&](Index j, Index columns) { mirror(matrix, j, columns); });
}

// Strip by strip, each mirrored while it is in the cache; its columns begin where their registers
// do.
template <class Matrix, class Entry>
void write_symmetric(Matrix& matrix, Entry&& entry) {
  for_each_piece(0, matrix.cols(), edge, [&](Index j, Index columns) {
    for (Index k = j; k < j + columns; ++k) {
      for (Index i = j; i < matrix.rows(); ++i) matrix(i, k) = entry(i, k);
    }
    mirror(matrix, j, columns);
  });
}

template <class Matrix>
void gram_of_rows(const Matrix& a, Matrix& result) {
  const Index d = a.rows();
  for_each_piece(0, d, edge, [&](Index j, Index columns) {
    auto block = writable(result, j, j, d - j, columns);
    set_product_nt(block, view(a, j, 0, d - j, j + columns), view(a, j, 0, columns, j + columns));
    mirror(result, j, columns);
  });
}

// result = I - a a^T - v v^T.
template <class Matrix, class Vector>
void identity_minus_grams(const Matrix& a, const Vector& v, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  const Index d = a.rows();
  for_each_piece(0, d, edge, [&](Index j, Index columns) {
    for (Index l = j; l < j + columns; ++l) {
      for (Index k = j; k < d; ++k) result(k, l) = -v(k) * v(l);
      result(l, l) += Scalar(1);
    }
    subtract_product_nt(writable(result, j, j, d - j, columns), view(a, j, 0, d - j, j + columns),
                        view(a, j, 0, columns, j + columns));
    mirror(result, j, columns);
  });
}

template <class Matrix>
void multiply(const Matrix& a, const Matrix& b, Matrix& result) {
  const Index d = a.rows();
  set_product(writable(result, 0, 0, d, d), view(a, 0, 0, d, d), view(b, 0, 0, d, d));
}

template <class Matrix>
void multiply_transposed_lower(const Matrix& a, const Matrix& b, Matrix& result) {
  const Index d = a.rows();
  for_each_piece(0, d, edge, [&](Index i, Index rows) {
    auto block = writable(result, i, 0, rows, i + rows);
    set_product_tn(block, view(a, i, i, d - i, rows), view(b, i, 0, d - i, i + rows));
  });
}

// Overwrites the lower triangle of a symmetric positive definite matrix with its Cholesky factor.
// False where a pivot is not above `negligible`; the matrix is then unspecified, as is what it
// holds above the diagonal. Cost d^3 / 3 flops.
template <class Scalar>
bool cholesky(Block<Scalar> matrix, Scalar negligible) {
  const Index d = matrix.rows();
  for (Index j = 0; j < d; j += edge) {
    const Index columns = (std::min)(Index(edge), d - j);
    subtract_product_nt(writable(matrix, j, j, d - j, columns), view(matrix, j, 0, d - j, j),
                        view(matrix, j, 0, columns, j));
    auto corner = writable(matrix, j, j, columns, columns);
    if (!factor_tile(corner, negligible)) return false;
    const Index below = j + columns;
    if (below < d) {
      solve_tile(view(corner, 0, 0, edge, edge), writable(matrix, below, j, d - below, edge));
    }
  }
  return true;
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

// The lower triangle of a + a^T, and what is above in the tiles on the diagonal.
template <class Matrix>
void add_transposed(const Matrix& a, Matrix& result) {
  const Index d = a.rows();
  Tile<typename Matrix::Scalar> other;
  for_each_piece(0, d, edge, [&](Index j, Index columns) {
    for_each_piece(j, d, edge, [&](Index i, Index rows) {
      transpose(a.data() + j + i * a.outerStride(), a.outerStride(), columns, rows, other.data(),
                Index(edge));
      for (Index k = 0; k < columns; ++k) {
        for (Index l = 0; l < rows; ++l) result(i + l, j + k) = a(i + l, j + k) + other(l, k);
      }
    });
  });
}

// Calls visit(i, rows, j, columns) for each tile that reaches below the diagonal.
template <class Visit>
void for_each_tile_below(Index d, Visit&& visit) {
  for_each_piece(0, d, edge, [&](Index i, Index rows) {
    for_each_piece(0, i + rows, edge, [&](Index j, Index columns) { visit(i, rows, j, columns); });
  });
}

// The entries below the diagonal, row by row, to `to`.
template <class Matrix>
void pack_below(const Matrix& matrix, typename Matrix::Scalar* to) {
  Tile<typename Matrix::Scalar> rows_of_tile;
  for_each_tile_below(matrix.rows(), [&](Index i, Index rows, Index j, Index columns) {
    transpose(matrix.data() + i + j * matrix.outerStride(), matrix.outerStride(), rows, columns,
              rows_of_tile.data(), Index(edge));
    for (Index k = i; k < i + rows; ++k) {
      const auto* from = rows_of_tile.data() + (k - i) * edge;
      auto* place = to + k * (k - 1) / 2 + j;
      if (j < i) {
        std::copy_n(from, edge, place);
      } else {
        std::copy_n(from, (std::min)(columns, k - j), place);
      }
    }
  });
}

// The reverse, with zeros above the diagonal; the diagonal is left as it is.
template <class Matrix>
void unpack_below(const typename Matrix::Scalar* from, Matrix& matrix) {
  using Scalar = typename Matrix::Scalar;
  Tile<Scalar> rows_of_tile;
  for (Index j = 0; j < matrix.cols(); ++j) std::fill_n(&matrix(0, j), j, Scalar(0));
  for_each_tile_below(matrix.rows(), [&](Index i, Index rows, Index j, Index columns) {
    if (i == j) {
      for (Index k = i + 1; k < i + rows; ++k) {
        for (Index l = j; l < k; ++l) matrix(k, l) = from[k * (k - 1) / 2 + l];
      }
      return;
    }
    for (Index k = i; k < i + rows; ++k) {
      std::copy_n(from + k * (k - 1) / 2 + j, columns, rows_of_tile.data() + (k - i) * edge);
    }
    transpose(rows_of_tile.data(), Index(edge), columns, rows, &matrix(i, j), matrix.outerStride());
  });
}

}  // namespace scorematch::detail::blocked
