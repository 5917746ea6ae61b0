// SPDX-License-Identifier: MIT
//
// Loops over matrices and vectors of small fixed sizes, written out.
//
// g++ unrolls a loop on its own from -O3 on only, and late: what the loop wrote has gone to memory
// by then, and is read back in pairs of numbers that were written one by one, for which the
// processor waits. Calls with constants need no compiler to unroll them.
#pragma once

#include <Eigen/Core>

#include <type_traits>
#include <utility>

// After the parameters of a lambda: its body is put where it is called. A compiler would stop that
// at a certain size of the caller, and keep all that the lambda refers to in memory.
#if defined(__GNUC__)
#define SCOREMATCH_INLINE __attribute__((always_inline))
#else
#define SCOREMATCH_INLINE
#endif

// Before a loop of at most 16 turns, which is then written out. Its bounds have to be constants:
// one that is the number of an outer loop goes into the body, as an `if`.
#if defined(__GNUC__)
#define SCOREMATCH_UNROLL _Pragma("GCC unroll 16")
#else
#define SCOREMATCH_UNROLL
#endif

namespace scorematch::detail {

template <class Visit, int... k>
EIGEN_ALWAYS_INLINE void visit_each(int from, int to, Visit visit,
                                    std::integer_sequence<int, k...>) {
  ((from + k < to ? visit(from + k) : void()), ...);
}

// What is written out. With g++ not matrices of packs, for which registers are too few, nor those
// beyond four rows, whose d^3 terms take it long to compile; clang++ does worse with loops whose
// bodies are lambdas.
#if defined(__clang__)
template <class Scalar>
inline constexpr bool written_out = true;
inline constexpr int largest_written_out = 8;
#else
template <class Scalar>
inline constexpr bool written_out = std::is_arithmetic_v<Scalar>;
inline constexpr int largest_written_out = 4;
#endif

// visit(i) for i from `from` to before `to`, indices of a square matrix of fixed size.
template <class Matrix, class Visit>
EIGEN_ALWAYS_INLINE void for_each_index(int from, int to, Visit visit) {
  constexpr int d = Matrix::RowsAtCompileTime;
  if constexpr (written_out<typename Matrix::Scalar> && d <= largest_written_out) {
    visit_each(from, to, visit, std::make_integer_sequence<int, d>());
  } else {
    for (int i = from; i < to; ++i) visit(i);
  }
}

// visit(i) for each entry of a vector.
template <class Vector, class Visit>
EIGEN_ALWAYS_INLINE void for_each_entry(const Vector& vector, Visit visit) {
  constexpr int size = Vector::SizeAtCompileTime;
  if constexpr (written_out<typename Vector::Scalar> && size != Eigen::Dynamic && size <= 32) {
    visit_each(0, size, visit, std::make_integer_sequence<int, size>());
  } else {
    for (Eigen::Index i = 0; i < vector.size(); ++i) visit(i);
  }
}

// visit(i) for the places 0 to N - 1 of an array of T. Those of plain numbers are written out: an
// array that a loop has gone over stays in memory, and so does every number made of it.
template <class T, int N, class Visit>
EIGEN_ALWAYS_INLINE void for_each_place(Visit visit) {
  if constexpr (std::is_arithmetic_v<T> && N <= 8) {
    visit_each(0, N, visit, std::make_integer_sequence<int, N>());
  } else {
    for (int i = 0; i < N; ++i) visit(i);
  }
}

}  // namespace scorematch::detail
