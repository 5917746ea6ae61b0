// SPDX-License-Identifier: MIT
//
// The sums that `Moments` keeps, and how two of them become one.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/data/block_sums.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <type_traits>

namespace scorematch::detail {

// Weighted sums of samples about their mean. No digits are lost to a common offset of the samples:
// the mean is a pivot near it, which costs none, plus what is left.
template <class Scalar, int Dim>
struct MomentSums {
  using Sum = std::common_type_t<Scalar, double>;
  using SumVector = Eigen::Matrix<Sum, Dim, 1>;
  using SumMatrix = Eigen::Matrix<Sum, Dim, Dim>;
  static constexpr bool on_stack = Dim != Eigen::Dynamic && Dim <= largest_unrolled;

  Sum weight{0};
  SumVector pivot;    // of one sample, or values of several; near the mean
  SumVector offset;   // mean - pivot
  SumMatrix scatter;  // sum w (x - mean)(x - mean)^T in the lower triangle; the upper is not read

  explicit MomentSums(Eigen::Index d)
      : pivot(SumVector::Zero(d)), offset(SumVector::Zero(d)), scatter(SumMatrix::Zero(d, d)) {}

  MomentSums(const SumVector& centre, const BlockSums<Sum, Dim>& sums) : MomentSums(Dim) {
    if (!(sums.weight > 0)) return;
    weight = sums.weight;
    pivot = centre;
    for (int i = 0; i < Dim; ++i) offset(i) = sums.first(i) / sums.weight;
    for (int j = 0; j < Dim; ++j) {
      for (int i = j; i < Dim; ++i) scatter(i, j) = sums.second(i, j) - sums.first(i) * offset(j);
      // Negative only where squares have lost their digits to underflow.
      if (scatter(j, j) < 0) scatter(j, j) = 0;
    }
  }

  // Moves the mean by taking in `added` weight whose mean is `shift` off the present one.
  void shift_mean(const SumVector& shift, Sum added) {
    const Sum total = weight + added;
    const Sum part = added / total;
    const SumVector scaled = (weight * part) * shift;
    for (Eigen::Index j = 0; j < shift.size(); ++j) {
      if constexpr (on_stack) {
        scatter.col(j) += scaled(j) * shift;  // whole columns are whole registers
      } else {
        const Eigen::Index rows = shift.size() - j;
        scatter.col(j).tail(rows) += scaled(j) * shift.tail(rows);
      }
    }
    offset += part * shift;
    weight = total;
  }

  // The same where the mean of what is added is centre + away. Pivots within a factor of two of
  // each other subtract without rounding (Sterbenz).
  void take_mean(const SumVector& centre, const SumVector& away, Sum added) {
    const Sum before = weight;
    SumVector shift(pivot.size());
    for (Eigen::Index i = 0; i < shift.size(); ++i) {
      shift(i) = (centre(i) - pivot(i)) + (away(i) - offset(i));
    }
    shift_mean(shift, added);
    if (added > before) {
      pivot = centre;
      offset = away - (before / weight) * shift;
    }
    keep_pivot_near();
  }

  void merge(const MomentSums& other) {
    if (other.weight == 0) return;
    if (weight == 0) {
      *this = other;
      return;
    }
    for (Eigen::Index j = 0; j < pivot.size(); ++j) {
      for (Eigen::Index i = j; i < pivot.size(); ++i) scatter(i, j) += other.scatter(i, j);
    }
    take_mean(other.pivot, other.offset, other.weight);
  }

  // Lets the mean, rounded, take the place of a pivot more than eight standard deviations away.
  // What the rounding leaves is the offset, to the bit.
  void keep_pivot_near() {
    using std::abs;
    for (Eigen::Index i = 0; i < pivot.size(); ++i) {
      if (offset(i) * offset(i) * weight <= 64 * scatter(i, i)) continue;
      const Sum mean = pivot(i) + offset(i);
      const bool larger = abs(pivot(i)) >= abs(offset(i));
      offset(i) = larger ? offset(i) - (mean - pivot(i)) : pivot(i) - (mean - offset(i));
      pivot(i) = mean;
    }
  }

  // NaN or infinity anywhere in the samples, or an overflow, ends up on the diagonal.
  bool representable() const {
    if (weight == 0) return true;
    const Sum largest = static_cast<Sum>((std::numeric_limits<Scalar>::max)());
    bool finite = weight <= (std::numeric_limits<Sum>::max)();
    for (Eigen::Index i = 0; i < pivot.size(); ++i) {
      finite = finite && scatter(i, i) / weight <= largest &&
               scatter(i, i) <= (std::numeric_limits<Sum>::max)();
    }
    return finite;
  }
};

}  // namespace scorematch::detail
