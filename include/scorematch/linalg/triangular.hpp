// SPDX-License-Identifier: MIT
//
// Products of lower triangular matrices, without the multiplications by zero.
//
// Sizes fixed up to 16 are plain loops with compile-time bounds, which the compiler unrolls. Others
// are in blocked.hpp, under the same names.
//
// Lower triangular arguments hold zeros above the diagonal, where unrolled loops neither read nor
// write: g++ makes calls of those zeros, and a caller who wants them can have them once.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/linalg/blocked.hpp>

#include <Eigen/Core>

#include <type_traits>

namespace scorematch::detail {

template <class Matrix>
inline constexpr bool unrolled = int(Matrix::RowsAtCompileTime) != Eigen::Dynamic &&
                                 int(Matrix::RowsAtCompileTime) <= largest_unrolled;

template <class Matrix>
concept Unrolled = unrolled<Matrix>;

// The kernels in blocks take any matrix. The overloads below are for unrolled ones, which they suit
// better.
using blocked::add_transposed;
using blocked::apply_lower;
using blocked::apply_transposed_lower;
using blocked::gram_of_rows;
using blocked::identity_minus_grams;
using blocked::mirror_lower;
using blocked::multiply;
using blocked::multiply_lower;
using blocked::multiply_symmetric;
using blocked::multiply_transposed_lower;
using blocked::solve_lower;
using blocked::solve_transposed_lower;
using blocked::trace_with_product;
using blocked::write_symmetric;

// Calls visit(i, j, place) for each entry below the diagonal, `place` being its place among them
// row by row.
template <class Matrix, class Visit>
EIGEN_ALWAYS_INLINE void for_each_below(const Matrix& matrix, Visit visit) {
  if constexpr (unrolled<Matrix>) {
    constexpr int d = Matrix::RowsAtCompileTime;
    for_each_index<Matrix>(1, d, [&](int i) SCOREMATCH_INLINE {
      for_each_index<Matrix>(0, i,
                             [&](int j) SCOREMATCH_INLINE { visit(i, j, i * (i - 1) / 2 + j); });
    });
  } else {
    for (Eigen::Index i = 0, place = 0; i < matrix.rows(); ++i) {
      for (Eigen::Index j = 0; j < i; ++j) visit(i, j, place++);
    }
  }
}

// The entries below the diagonal, row by row, to those of the vector `to` from `start` on.
template <class Matrix, class Vector>
EIGEN_ALWAYS_INLINE void pack_below(const Matrix& matrix, Eigen::Index start, Vector& to) {
  if constexpr (unrolled<Matrix> || WidestRegister<typename Matrix::Scalar>::lanes == 1) {
    for_each_below(matrix, [&](Eigen::Index i, Eigen::Index j, Eigen::Index place)
                               SCOREMATCH_INLINE { to(start + place) = matrix(i, j); });
  } else {
    blocked::pack_below(matrix, to.data() + start);
  }
}

// The reverse, and zeros above the diagonal; the diagonal is left as it is.
template <class Vector, class Matrix>
EIGEN_ALWAYS_INLINE void unpack_below(const Vector& from, Eigen::Index start, Matrix& matrix) {
  using Scalar = typename Matrix::Scalar;
  constexpr bool in_memory = std::is_same_v<typename Vector::Scalar, Scalar> &&
                             bool(Vector::Flags & Eigen::DirectAccessBit) &&
                             int(Vector::InnerStrideAtCompileTime) == 1;
  if constexpr (in_memory && !unrolled<Matrix> && WidestRegister<Scalar>::lanes > 1) {
    blocked::unpack_below(from.data() + start, matrix);
  } else {
    for_each_below(matrix,
                   [&](Eigen::Index i, Eigen::Index j, Eigen::Index place) SCOREMATCH_INLINE {
                     matrix(i, j) = from(start + place);
                     matrix(j, i) = Scalar(0);
                   });
  }
}

// Copies the lower triangle above the diagonal.
template <Unrolled Matrix>
EIGEN_ALWAYS_INLINE void mirror_lower(Matrix& matrix) {
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(1, d, [&](int j) SCOREMATCH_INLINE {
    for_each_index<Matrix>(0, j, [&](int i) SCOREMATCH_INLINE { matrix(i, j) = matrix(j, i); });
  });
}

// Writes entry(i, j) at and below the diagonal and its copy above, symmetric to the bit. Large
// sizes ask for some entries above it too.
template <Unrolled Matrix, class Entry>
EIGEN_ALWAYS_INLINE void write_symmetric(Matrix& matrix, Entry&& entry) {
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int j) SCOREMATCH_INLINE {
    for_each_index<Matrix>(j, d, [&](int i) SCOREMATCH_INLINE {
      matrix(i, j) = entry(i, j);
      matrix(j, i) = matrix(i, j);
    });
  });
}

// inverse = lower^-1, of which `inverse` has to hold the zeros above the diagonal before. Cost
// d^3 / 3 flops.
template <class Matrix>
EIGEN_ALWAYS_INLINE void invert_lower(const Matrix& lower, Matrix& inverse) {
  using Scalar = typename Matrix::Scalar;
  if constexpr (unrolled<Matrix>) {
    constexpr int d = Matrix::RowsAtCompileTime;
    for_each_index<Matrix>(
        0, d, [&](int j) SCOREMATCH_INLINE { inverse(j, j) = Scalar(1) / lower(j, j); });
    for_each_index<Matrix>(0, d, [&](int j) SCOREMATCH_INLINE {
      for_each_index<Matrix>(j + 1, d, [&](int i) SCOREMATCH_INLINE {
        Scalar sum = -lower(i, j) * inverse(j, j);
        for_each_index<Matrix>(
            j + 1, i, [&](int k) SCOREMATCH_INLINE { sum -= lower(i, k) * inverse(k, j); });
        inverse(i, j) = sum * inverse(i, i);
      });
    });
  } else {
    const Eigen::Index d = lower.rows();
    blocked::invert_lower(blocked::view(lower, 0, 0, d, d), blocked::writable(inverse, 0, 0, d, d));
  }
}

// The same below the diagonal, where `inverse` holds it, and unrolled only. Writes
// lower^-1 diag(lower) over `lower`, of which the diagonal is neither read nor written.
template <class Matrix>
EIGEN_ALWAYS_INLINE void invert_below(Matrix& lower, Matrix& inverse) {
  using Scalar = typename Matrix::Scalar;
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int j) SCOREMATCH_INLINE {
    for_each_index<Matrix>(j + 1, d, [&](int i) SCOREMATCH_INLINE {
      Scalar sum = lower(i, j);
      for_each_index<Matrix>(j + 1, i,
                             [&](int k) SCOREMATCH_INLINE { sum += lower(i, k) * lower(k, j); });
      lower(i, j) = -sum * inverse(i, i);
      inverse(i, j) = lower(i, j) * inverse(j, j);
    });
  });
}

// |lower^-1|^2, the sum of its squared entries. Cost d^3 / 3 flops.
template <class Matrix>
typename Matrix::Scalar squared_norm_of_inverse(const Matrix& lower) {
  if constexpr (unrolled<Matrix>) {
    Matrix inverse = Matrix::Zero();
    invert_lower(lower, inverse);
    return inverse.squaredNorm();
  } else {
    const Eigen::Index d = lower.rows();
    return blocked::squared_norm_of_inverse(blocked::view(lower, 0, 0, d, d));
  }
}

// result = a b, all three lower triangular; unrolled, `result` has to hold its zeros before. Cost
// d^3 / 3 flops.
template <Unrolled Matrix>
EIGEN_ALWAYS_INLINE void multiply_lower(const Matrix& a, const Matrix& b, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int j) SCOREMATCH_INLINE {
    for_each_index<Matrix>(j, d, [&](int i) SCOREMATCH_INLINE {
      Scalar sum = a(i, j) * b(j, j);
      for_each_index<Matrix>(j + 1, i + 1,
                             [&](int k) SCOREMATCH_INLINE { sum += a(i, k) * b(k, j); });
      result(i, j) = sum;
    });
  });
}

// result = a a^T, both triangles, symmetric to the bit, for a lower triangular. Cost d^3 / 3 flops.
template <Unrolled Matrix>
EIGEN_ALWAYS_INLINE void gram_of_rows(const Matrix& a, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int i) SCOREMATCH_INLINE {
    for_each_index<Matrix>(0, i + 1, [&](int j) SCOREMATCH_INLINE {
      Scalar sum = a(i, 0) * a(j, 0);
      for_each_index<Matrix>(1, j + 1, [&](int k) SCOREMATCH_INLINE { sum += a(i, k) * a(j, k); });
      result(i, j) = sum;
      result(j, i) = sum;
    });
  });
}

// result = I - a a^T - v v^T, both triangles, symmetric to the bit, for a lower triangular. The
// last columns of a lower triangular inverse are ready first, so they come first.
template <Unrolled Matrix, class Vector>
EIGEN_ALWAYS_INLINE void identity_minus_grams(const Matrix& a, const Vector& v, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int i) SCOREMATCH_INLINE {
    for_each_index<Matrix>(0, i + 1, [&](int j) SCOREMATCH_INLINE {
      Scalar sum(i == j ? 1 : 0);
      for_each_index<Matrix>(0, j + 1,
                             [&](int k) SCOREMATCH_INLINE { sum -= a(i, j - k) * a(j, j - k); });
      sum -= v(i) * v(j);
      result(i, j) = sum;
      result(j, i) = sum;
    });
  });
}

// result = a b for full matrices. Cost 2 d^3 flops.
template <Unrolled Matrix>
EIGEN_ALWAYS_INLINE void multiply(const Matrix& a, const Matrix& b, Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int j) SCOREMATCH_INLINE {
    for_each_index<Matrix>(0, d, [&](int i) SCOREMATCH_INLINE {
      Scalar sum = a(i, 0) * b(0, j);
      for_each_index<Matrix>(1, d, [&](int k) SCOREMATCH_INLINE { sum += a(i, k) * b(k, j); });
      result(i, j) = sum;
    });
  });
}

// The lower triangle of a^T b for a lower triangular, to which b counts up to its own diagonal;
// what `result` holds above the diagonal is unspecified. Cost d^3 / 3 flops.
template <Unrolled Matrix>
EIGEN_ALWAYS_INLINE void multiply_transposed_lower(const Matrix& a, const Matrix& b,
                                                   Matrix& result) {
  using Scalar = typename Matrix::Scalar;
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int j) SCOREMATCH_INLINE {
    for_each_index<Matrix>(j, d, [&](int i) SCOREMATCH_INLINE {
      Scalar sum = a(i, i) * b(i, j);
      for_each_index<Matrix>(i + 1, d, [&](int k) SCOREMATCH_INLINE { sum += a(k, i) * b(k, j); });
      result(i, j) = sum;
    });
  });
}

// result = a^T a, both triangles, symmetric to the bit, for a lower triangular. Cost d^3 / 3 flops.
template <class Matrix>
void gram_of_columns(const Matrix& a, Matrix& result) {
  multiply_transposed_lower(a, a, result);
  mirror_lower(result);
}

// tr(a + a b) for symmetric a and b. Cost 2 d^2 flops.
template <Unrolled Matrix>
EIGEN_ALWAYS_INLINE typename Matrix::Scalar trace_with_product(const Matrix& a, const Matrix& b) {
  typename Matrix::Scalar trace = a(0, 0) + a(0, 0) * b(0, 0);
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(1, d,
                         [&](int j) SCOREMATCH_INLINE { trace += a(j, j) + a(j, j) * b(j, j); });
  for_each_index<Matrix>(0, d, [&](int j) SCOREMATCH_INLINE {
    for_each_index<Matrix>(j + 1, d,
                           [&](int i) SCOREMATCH_INLINE { trace += 2 * a(i, j) * b(i, j); });
  });
  return trace;
}

// The lower triangle of a + a^T; what `result` holds above the diagonal is unspecified.
template <Unrolled Matrix>
EIGEN_ALWAYS_INLINE void add_transposed(const Matrix& a, Matrix& result) {
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int j) SCOREMATCH_INLINE {
    for_each_index<Matrix>(0, d,
                           [&](int i) SCOREMATCH_INLINE { result(i, j) = a(i, j) + a(j, i); });
  });
}

// result = a v for a symmetric. Cost 2 d^2 flops.
template <Unrolled Matrix, class Vector>
EIGEN_ALWAYS_INLINE void multiply_symmetric(const Matrix& a, const Vector& v, Vector& result) {
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int i) SCOREMATCH_INLINE {
    typename Matrix::Scalar sum = a(i, 0) * v(0);
    for_each_index<Matrix>(1, d, [&](int k) SCOREMATCH_INLINE { sum += a(i, k) * v(k); });
    result(i) = sum;
  });
}

// v = a v for a lower triangular, in place. Cost d^2 flops.
template <Unrolled Matrix, class Vector>
EIGEN_ALWAYS_INLINE void apply_lower(const Matrix& a, Vector& v) {
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int below) SCOREMATCH_INLINE {
    const int i = d - 1 - below;
    typename Matrix::Scalar sum = a(i, i) * v(i);
    for_each_index<Matrix>(0, i, [&](int k) SCOREMATCH_INLINE { sum += a(i, k) * v(k); });
    v(i) = sum;
  });
}

// v = a^T v for a lower triangular, in place. Cost d^2 flops.
template <Unrolled Matrix, class Vector>
EIGEN_ALWAYS_INLINE void apply_transposed_lower(const Matrix& a, Vector& v) {
  constexpr int d = Matrix::RowsAtCompileTime;
  for_each_index<Matrix>(0, d, [&](int i) SCOREMATCH_INLINE {
    typename Matrix::Scalar sum = a(i, i) * v(i);
    for_each_index<Matrix>(i + 1, d, [&](int k) SCOREMATCH_INLINE { sum += a(k, i) * v(k); });
    v(i) = sum;
  });
}

// v = a^-1 v for a lower triangular, in place. Cost d^2 flops.
template <Unrolled Matrix, class Vector>
void solve_lower(const Matrix& a, Vector& v) {
  for (Eigen::Index i = 0; i < a.rows(); ++i) {
    typename Matrix::Scalar sum = v(i);
    for (Eigen::Index k = 0; k < i; ++k) sum -= a(i, k) * v(k);
    v(i) = sum / a(i, i);
  }
}

// v = a^-T v for a lower triangular, in place. Cost d^2 flops.
template <Unrolled Matrix, class Vector>
void solve_transposed_lower(const Matrix& a, Vector& v) {
  for (Eigen::Index i = a.rows() - 1; i >= 0; --i) {
    typename Matrix::Scalar sum = v(i);
    for (Eigen::Index k = i + 1; k < a.rows(); ++k) sum -= a(k, i) * v(k);
    v(i) = sum / a(i, i);
  }
}

}  // namespace scorematch::detail
