// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/coupling.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>
#include <Eigen/SparseCore>

#include <vector>

namespace scorematch {

/// A sparse precision matrix and its graph.
template <Real Scalar_>
struct PrecisionEstimate {
  using Scalar = Scalar_;

  /// K, symmetric to the bit, in the user's units (1/u^2).
  Eigen::SparseMatrix<Scalar> precision;
  /// The pairs with K_ij != 0, first < second, in increasing order.
  std::vector<Edge> edges;
  /// -K_ij / sqrt(K_ii K_jj) of each edge; 0 where K_ii or K_jj is not above 0. Between -1 and 1
  /// where K is positive definite.
  std::vector<Scalar> partial_correlations;
  /// Of K on the scale on which it was estimated, by Lanczos' iteration from a random start: an
  /// upper bound, mostly exact to a per mille of K's norm. Where it is not above 0, K is no
  /// precision of a density.
  Scalar smallest_eigenvalue;

  /// Whether that bound is above 0: not a proof.
  bool positive_definite() const { return smallest_eigenvalue > 0; }
};

}  // namespace scorematch
