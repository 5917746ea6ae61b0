// SPDX-License-Identifier: MIT
//
// What summaries and fits share that outlive a program: comparisons to the bit, checks of a state,
// and numbers to and from an archive.
//
// An archive is any class with a type `is_loading` and an `&` that writes a number, or reads one:
// those of cereal and of Boost.Serialization are, and neither is included. Neither knows matrices,
// so these go number by number. A size that is read is compared with the reader's own, or followed
// by as many numbers before anything grows by it: one that was made up ends at the end of the file.
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdint>
#include <limits>

namespace scorematch::detail {

template <class Archive>
inline constexpr bool reads = bool(Archive::is_loading::value);

/// What can be given to an archive as it is.
template <class T, class Archive>
concept Archived = requires(T& object, Archive& archive) { object.serialize(archive, 0U); };

// Unlike ==, tells -0 from 0. Not for NaN.
template <class Number>
bool same_number(const Number& a, const Number& b) {
  using std::signbit;
  return a == b && signbit(a) == signbit(b);
}

template <class Matrix>
bool same_entries(const Matrix& a, const Matrix& b) {
  bool same = a.rows() == b.rows() && a.cols() == b.cols();
  for (Eigen::Index j = 0; same && j < a.cols(); ++j) {
    for (Eigen::Index i = 0; i < a.rows(); ++i) same = same && same_number(a(i, j), b(i, j));
  }
  return same;
}

// The lower triangle of a matrix, zeros above it.
template <class Matrix>
Matrix lower_triangle(const Matrix& matrix) {
  Matrix result = Matrix::Zero(matrix.rows(), matrix.cols());
  for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
    for (Eigen::Index i = j; i < matrix.rows(); ++i) result(i, j) = matrix(i, j);
  }
  return result;
}

// Throws where an argument has another shape, or an entry (on or below the diagonal of a square
// matrix) that is not finite.
template <class Matrix>
void require_state(const char* owner, const char* argument, const Matrix& matrix, Eigen::Index rows,
                   Eigen::Index columns) {
  using std::isfinite;
  if (matrix.rows() != rows || matrix.cols() != columns) {
    fail(owner, ": ", argument, " is ", matrix.rows(), " x ", matrix.cols(), "; expected ", rows,
         " x ", columns);
  }
  for (Eigen::Index j = 0; j < columns; ++j) {
    for (Eigen::Index i = rows == columns ? j : 0; i < rows; ++i) {
      if (!isfinite(matrix(i, j))) {
        fail(owner, ": ", entry(argument, i, j, matrix(i, j)), "; expected a finite value");
      }
    }
  }
}

template <class Weight>
void require_count(const char* owner, Weight count) {
  if (!(count >= 0) || !(count <= (std::numeric_limits<Weight>::max)())) {
    fail(owner, ": count = ", count, "; expected a finite number, at least 0");
  }
}

// What stands in an archive. The numbers are in files: none may change.
enum class Kept : std::uint32_t {
  moments = 1,
  quadratic_form = 2,
  quadratic_summary = 3,
  sample_set = 4,
  gaussian = 5,
  fit = 6,
  column_sums = 7,
};

template <class Archive, class Number>
void archive_number(Archive& archive, Number& number) {
  (void)(archive & number);
}

// Before the numbers of each: what they are, in which order (the version; raised when that
// changes), and the digits of their scalar. Tells a foreign file, and one of float from one of
// double.
template <class Scalar, class Archive>
void archive_mark(Archive& archive, const char* owner, Kept kept) {
  constexpr std::uint32_t version = 1;
  const std::uint32_t expected = static_cast<std::uint32_t>(kept) << 16U | version << 8U |
                                 static_cast<std::uint32_t>(std::numeric_limits<Scalar>::digits);
  std::uint32_t mark = expected;
  archive_number(archive, mark);
  if (mark != expected) {
    fail(owner, ": the archive has the mark ", mark, " here; expected ", expected,
         ", that of this class in this version and of this scalar");
  }
}

template <class Archive>
Eigen::Index archive_index(Archive& archive, Eigen::Index index) {
  std::int64_t number = index;
  archive_number(archive, number);
  return static_cast<Eigen::Index>(number);
}

// "Moments: the archive has dimension 3; expected 2"
template <class Archive>
void archive_size(Archive& archive, const char* owner, const char* what, Eigen::Index own) {
  const Eigen::Index size = archive_index(archive, own);
  if (size != own) fail(owner, ": the archive has ", what, " ", size, "; expected ", own);
}

template <class Archive, class Vector>
void archive_entries(Archive& archive, Vector& vector) {
  for (Eigen::Index i = 0; i < vector.size(); ++i) archive_number(archive, vector(i));
}

template <class Archive, class Matrix>
void archive_lower(Archive& archive, Matrix& matrix) {
  for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
    for (Eigen::Index i = j; i < matrix.rows(); ++i) archive_number(archive, matrix(i, j));
  }
}

}  // namespace scorematch::detail
