// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/coupling.hpp>
#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <vector>

namespace scorematch {

/// A penalty on the couplings of a family of pairs (`PairwiseModel`), which sets most of them to
/// zero: what is left is a graph.
///
/// **Math** weight sum_{i != j} w_ij |K_ij|, both (i, j) and (j, i). A pair with more than one
/// parameter counts with their Euclidean norm (the group lasso), so that they are zero together.
///
/// **Units** on the scale of `Penalized::standardize`, none; else those of the loss over those of a
/// coupling.
///
/// **Errors** std::invalid_argument, where a loss meets the family: a weight that is negative or
/// NaN; weights that are not p x p, not symmetric, negative or NaN; an edge of sites that do not
/// exist, or both present and absent.
///
/// **Example** docs/snippets/graphical_models.cpp
struct L1 {
  double weight = 0;
  /// w, symmetric; all ones where it is empty. Its diagonal counts where `penalize_diagonal` says.
  Eigen::MatrixXd weights = {};
  /// Of a Gaussian: also weight w_ii |K_ii|.
  bool penalize_diagonal = false;
  std::vector<Edge> present = {};  ///< edges that are not penalized
  std::vector<Edge> absent = {};   ///< edges that are not there
  /// Of a Gaussian: adds ridge / 2 sum_ij K_ij^2 to the loss, as if the covariance had the ridge on
  /// its diagonal, or the samples noise of that variance. With it there is always a minimum. Of any
  /// other family that is standardized: multiplies the diagonals of its forms by 1 + ridge.
  double ridge = 0;
};

/// No penalty, but a graph that is known: pairs without an edge are not coupled (Forbes and
/// Lauritzen 2015, for Gaussians).
///
/// **Errors** std::invalid_argument, where a loss meets the family, for edges of sites that do not
/// exist.
struct GivenGraph {
  std::vector<Edge> edges = {};
  double ridge = 0;  ///< as in `L1`
};

}  // namespace scorematch
