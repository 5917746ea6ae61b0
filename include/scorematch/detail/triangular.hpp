// Products of lower triangular matrices, without the multiplications by zero.
//
// Sizes fixed up to 16 are plain loops with compile-time bounds, which the compiler unrolls. Others
// go tile by tile through Eigen's matrix product. A tile's packing buffers stay below
// EIGEN_STACK_ALLOCATION_LIMIT, so that no call allocates however large the matrix is.
//
// Lower triangular arguments and results hold zeros above the diagonal.
#pragma once

#include <Eigen/Core>

#include <algorithm>

namespace scorematch::detail {

template <class Matrix>
inline constexpr bool unrolled =
    int(Matrix::RowsAtCompileTime) != Eigen::Dynamic&& int(Matrix::RowsAtCompileTime) <= 16;

// 128 doubles: two tiles of 128 KiB, just what Eigen still puts on the stack.
template <class Scalar>
inline constexpr Eigen::Index tile = sizeof(Scalar) <= 8 ? 128 : 64;

// Calls visit(start, length) for each tile of [0, d).
template <class Scalar, class Visit>
void for_each_tile(Eigen::Index begin, Eigen::Index end, Visit&& visit) {
  for (Eigen::Index start = begin; start < end; start += tile<Scalar>) {
    visit(start, (std::min)(tile<Scalar>, end - start));
  }
}

// One type for every tile: each pair of operand types costs the compiler a matrix product of its
// own.
template <class Matrix>
auto tile_of(const Matrix& matrix, Eigen::Index i, Eigen::Index j, Eigen::Index rows,
             Eigen::Index columns) {
  return matrix.block(i, j, rows, columns);
}

// The tile of `result` at (i, j) += factor * a * b.
template <class Matrix, class A, class B>
void add_product(Matrix& result, Eigen::Index i, Eigen::Index j, const A& a, const B& b,
                 typename Matrix::Scalar factor = 1) {
  result.block(i, j, a.rows(), b.cols()).noalias() += factor * a * b;
}

// inverse = lower^-1. Cost d^3 / 3 flops.
template <class Matrix>
EIGEN_ALWAYS_INLINE void invert_lower(const Matrix& lower, Matrix& inverse) {
  using Scalar = typename Matrix::Scalar;
  if constexpr (unrolled<Matrix>) {
    constexpr int d = Matrix::RowsAtCompileTime;
    for (int j = 0; j < d; ++j) {
      inverse(j, j) = Scalar(1) / lower(j, j);
      for (int i = 0; i < j; ++i) inverse(i, j) = Scalar(0);
    }
    for (int j = 0; j < d; ++j) {
      for (int i = j + 1; i < d; ++i) {
        Scalar sum = -lower(i, j) * inverse(j, j);
        for (int k = j + 1; k < i; ++k) sum -= lower(i, k) * inverse(k, j);
        inverse(i, j) = sum * inverse(i, i);
      }
    }
  } else {
    // Row of tiles by row of tiles: A_ij = -A_ii sum_{j<=k<i} L_ik A_kj.
    const Eigen::Index d = lower.rows();
    inverse.setZero();
    for_each_tile<Scalar>(0, d, [&](Eigen::Index i, Eigen::Index rows) {
      const auto diagonal = lower.block(i, i, rows, rows).template triangularView<Eigen::Lower>();
      for_each_tile<Scalar>(0, i, [&](Eigen::Index j, Eigen::Index columns) {
        auto result = inverse.block(i, j, rows, columns);
        for_each_tile<Scalar>(j, i, [&](Eigen::Index k, Eigen::Index depth) {
          add_product(inverse, i, j, tile_of(lower, i, k, rows, depth),
                      tile_of(inverse, k, j, depth, columns));
        });
        result = -result;
        diagonal.solveInPlace(result);
      });
      auto result = inverse.block(i, i, rows, rows);
      result.setIdentity();
      diagonal.solveInPlace(result);
    });
  }
}

// result = a b, all three lower triangular. Cost d^3 / 3 flops.
template <class Matrix>
EIGEN_ALWAYS_INLINE void multiply_lower(const Matrix& a, const Matrix& b, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  if constexpr (unrolled<Matrix>) {
    constexpr int d = Matrix::RowsAtCompileTime;
    for (int j = 0; j < d; ++j) {
      for (int i = 0; i < j; ++i) result(i, j) = Scalar(0);
      for (int i = j; i < d; ++i) {
        Scalar sum = a(i, j) * b(j, j);
        for (int k = j + 1; k <= i; ++k) sum += a(i, k) * b(k, j);
        result(i, j) = sum;
      }
    }
  } else {
    const Eigen::Index d = a.rows();
    result.setZero();
    for_each_tile<Scalar>(0, d, [&](Eigen::Index i, Eigen::Index rows) {
      for_each_tile<Scalar>(0, i + rows, [&](Eigen::Index j, Eigen::Index columns) {
        for_each_tile<Scalar>(j, i + rows, [&](Eigen::Index k, Eigen::Index depth) {
          add_product(result, i, j, tile_of(a, i, k, rows, depth),
                      tile_of(b, k, j, depth, columns));
        });
      });
    });
  }
}

// The lower triangle of result += factor * a a^T for a lower triangular. Cost d^3 / 3 flops.
template <class Matrix>
EIGEN_ALWAYS_INLINE void add_gram_of_rows(const Matrix& a, typename Matrix::Scalar factor,
                                          Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  const Eigen::Index d = a.rows();
  for_each_tile<Scalar>(0, d, [&](Eigen::Index i, Eigen::Index rows) {
    for_each_tile<Scalar>(0, i + rows, [&](Eigen::Index j, Eigen::Index columns) {
      for_each_tile<Scalar>(0, j + columns, [&](Eigen::Index k, Eigen::Index depth) {
        add_product(result, i, j, tile_of(a, i, k, rows, depth),
                    tile_of(a, j, k, columns, depth).transpose(), factor);
      });
    });
  });
}

// Copies the lower triangle above the diagonal.
template <class Matrix>
EIGEN_ALWAYS_INLINE void mirror_lower(Matrix& matrix) {
  for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
    for (Eigen::Index i = 0; i < j; ++i) matrix(i, j) = matrix(j, i);
  }
}

// result = a a^T, both triangles, symmetric to the bit, for a lower triangular. Cost d^3 / 3 flops.
template <class Matrix>
EIGEN_ALWAYS_INLINE void gram_of_rows(const Matrix& a, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  if constexpr (unrolled<Matrix>) {
    constexpr int d = Matrix::RowsAtCompileTime;
    for (int i = 0; i < d; ++i) {
      for (int j = 0; j <= i; ++j) {
        Scalar sum = a(i, 0) * a(j, 0);
        for (int k = 1; k <= j; ++k) sum += a(i, k) * a(j, k);
        result(i, j) = sum;
        result(j, i) = sum;
      }
    }
  } else {
    result.setZero();
    add_gram_of_rows(a, Scalar(1), result);
    mirror_lower(result);
  }
}

// result -= a a^T, as gram_of_rows; result symmetric. The last columns of a lower triangular
// inverse are ready first, so they come first.
template <class Matrix>
EIGEN_ALWAYS_INLINE void subtract_gram_of_rows(const Matrix& a, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  if constexpr (unrolled<Matrix>) {
    constexpr int d = Matrix::RowsAtCompileTime;
    for (int i = 0; i < d; ++i) {
      for (int j = 0; j <= i; ++j) {
        Scalar sum = result(i, j);
        for (int k = j; k >= 0; --k) sum -= a(i, k) * a(j, k);
        result(i, j) = sum;
        result(j, i) = sum;
      }
    }
  } else {
    add_gram_of_rows(a, Scalar(-1), result);
    mirror_lower(result);
  }
}

// result = a b for full matrices. Cost 2 d^3 flops.
template <class Matrix>
EIGEN_ALWAYS_INLINE void multiply(const Matrix& a, const Matrix& b, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  if constexpr (unrolled<Matrix>) {
    constexpr int d = Matrix::RowsAtCompileTime;
    for (int j = 0; j < d; ++j) {
      for (int i = 0; i < d; ++i) {
        Scalar sum = a(i, 0) * b(0, j);
        for (int k = 1; k < d; ++k) sum += a(i, k) * b(k, j);
        result(i, j) = sum;
      }
    }
  } else {
    const Eigen::Index d = a.rows();
    result.setZero();
    for_each_tile<Scalar>(0, d, [&](Eigen::Index j, Eigen::Index columns) {
      for_each_tile<Scalar>(0, d, [&](Eigen::Index k, Eigen::Index depth) {
        for_each_tile<Scalar>(0, d, [&](Eigen::Index i, Eigen::Index rows) {
          add_product(result, i, j, tile_of(a, i, k, rows, depth),
                      tile_of(b, k, j, depth, columns));
        });
      });
    });
  }
}

// The lower triangle of a^T b for a lower triangular and b full; what `result` holds above the
// diagonal is unspecified. Cost d^3 / 3 flops.
template <class Matrix>
EIGEN_ALWAYS_INLINE void multiply_transposed_lower(const Matrix& a, const Matrix& b,
                                                   Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  if constexpr (unrolled<Matrix>) {
    constexpr int d = Matrix::RowsAtCompileTime;
    for (int j = 0; j < d; ++j) {
      for (int i = j; i < d; ++i) {
        Scalar sum = a(i, i) * b(i, j);
        for (int k = i + 1; k < d; ++k) sum += a(k, i) * b(k, j);
        result(i, j) = sum;
      }
    }
  } else {
    const Eigen::Index d = a.rows();
    result.setZero();
    for_each_tile<Scalar>(0, d, [&](Eigen::Index i, Eigen::Index rows) {
      for_each_tile<Scalar>(0, i + rows, [&](Eigen::Index j, Eigen::Index columns) {
        for_each_tile<Scalar>(i, d, [&](Eigen::Index k, Eigen::Index depth) {
          add_product(result, i, j, tile_of(a, k, i, depth, rows).transpose(),
                      tile_of(b, k, j, depth, columns));
        });
      });
    });
  }
}

// result = a^T a, both triangles, symmetric to the bit, for a lower triangular. Cost d^3 / 3 flops.
template <class Matrix>
void gram_of_columns(const Matrix& a, Matrix& result) {
  multiply_transposed_lower(a, a, result);
  mirror_lower(result);
}

// v = a v for a lower triangular, in place. Cost d^2 flops.
template <class Matrix, class Vector>
EIGEN_ALWAYS_INLINE void apply_lower(const Matrix& a, Vector& v) {
  for (Eigen::Index i = a.rows() - 1; i >= 0; --i) {
    typename Matrix::Scalar sum = a(i, i) * v(i);
    for (Eigen::Index k = 0; k < i; ++k) sum += a(i, k) * v(k);
    v(i) = sum;
  }
}

// v = a^T v for a lower triangular, in place. Cost d^2 flops.
template <class Matrix, class Vector>
EIGEN_ALWAYS_INLINE void apply_transposed_lower(const Matrix& a, Vector& v) {
  for (Eigen::Index i = 0; i < a.rows(); ++i) {
    typename Matrix::Scalar sum = a(i, i) * v(i);
    for (Eigen::Index k = i + 1; k < a.rows(); ++k) sum += a(k, i) * v(k);
    v(i) = sum;
  }
}

// v = a^-1 v for a lower triangular, in place. Cost d^2 flops.
template <class Matrix, class Vector>
void solve_lower(const Matrix& a, Vector& v) {
  for (Eigen::Index i = 0; i < a.rows(); ++i) {
    typename Matrix::Scalar sum = v(i);
    for (Eigen::Index k = 0; k < i; ++k) sum -= a(i, k) * v(k);
    v(i) = sum / a(i, i);
  }
}

// v = a^-T v for a lower triangular, in place. Cost d^2 flops.
template <class Matrix, class Vector>
void solve_transposed_lower(const Matrix& a, Vector& v) {
  for (Eigen::Index i = a.rows() - 1; i >= 0; --i) {
    typename Matrix::Scalar sum = v(i);
    for (Eigen::Index k = i + 1; k < a.rows(); ++k) sum -= a(k, i) * v(k);
    v(i) = sum / a(i, i);
  }
}

}  // namespace scorematch::detail
