// SPDX-License-Identifier: MIT
//
// Pairs of sites, and the parameters by which they act on each other.
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <compare>
#include <concepts>
#include <vector>

namespace scorematch {

/// An undirected edge between two sites.
struct Edge {
  Eigen::Index first;
  Eigen::Index second;

  auto operator<=>(const Edge&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14
};

/// The parameters by which two sites act on each other: `count` of them from theta(first) on. Where
/// edges share them, each names the same.
struct Coupling {
  Edge edge;
  Eigen::Index first;
  Eigen::Index count = 1;

  bool operator==(const Coupling&) const = default;
};

/// A family of sites that interact in pairs: `couplings()` names the parameters of each pair, once.
/// What penalizes or tests couplings asks for it.
///
/// Laws: for i != j, d^2 log p / dx_i dx_j is linear in the parameters of the pair {i, j}, no other
/// parameter enters it, and for a pair that is not named it is zero.
template <class F>
concept PairwiseModel = requires(const F& family) {
  { family.couplings() } -> std::same_as<std::vector<Coupling>>;
};

}  // namespace scorematch
