// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/coupling.hpp>

#include <vector>

namespace scorematch {

/// The parameters of a family of pairs, and which of its pairs are coupled.
template <class Parameters_>
struct CouplingEstimate {
  using Parameters = Parameters_;
  using Scalar = typename Parameters::Scalar;

  Parameters parameters;  ///< of the family
  /// The pairs with a parameter that is not zero, first < second, in increasing order.
  std::vector<Edge> edges;
  /// The coupling of each edge; of several parameters their Euclidean norm.
  std::vector<Scalar> strengths;
};

}  // namespace scorematch
