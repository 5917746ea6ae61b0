// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <cmath>

namespace scorematch {

/// The entries (i, j) and (j, i) of a symmetric matrix, or a diagonal one: one parameter.
struct PairCoordinate {
  static constexpr Eigen::Index count = 1;
  Eigen::Index k;  ///< of the diagonal i; then of i > j row by row
  Eigen::Index i;
  Eigen::Index j;

  bool diagonal() const { return i == j; }
};

namespace detail {

inline PairCoordinate diagonal_coordinate(Eigen::Index i) { return {i, i, i}; }

// For i > j, in a matrix of p rows.
inline PairCoordinate pair_coordinate(Eigen::Index p, Eigen::Index i, Eigen::Index j) {
  return {p + i * (i - 1) / 2 + j, i, j};
}

// The coordinate of index k.
inline PairCoordinate pair_coordinate_of(Eigen::Index p, Eigen::Index k) {
  if (k < p) return diagonal_coordinate(k);
  const double pairs = static_cast<double>(k - p);
  Eigen::Index i = static_cast<Eigen::Index>((1 + std::sqrt(1 + 8 * pairs)) / 2);
  while (i * (i - 1) / 2 > k - p) --i;
  while (i * (i + 1) / 2 <= k - p) ++i;
  return {k, i, k - p - i * (i - 1) / 2};
}

}  // namespace detail

}  // namespace scorematch
