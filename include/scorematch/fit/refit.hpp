// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/coupling.hpp>
#include <scorematch/fit/path.hpp>
#include <scorematch/optimizer/coordinate_descent.hpp>

#include <Eigen/Core>

#include <utility>
#include <vector>

namespace scorematch {

namespace detail {

template <class Obj, class O>
auto solve_at(const Obj& objective, const O& optimizer, double weight) {
  using Estimate = typename Obj::Estimate;
  using Scalar = typename Estimate::Scalar;
  auto point = objective.origin();
  const auto ended = optimizer.walk(point, objective.point_penalty(static_cast<Scalar>(weight)));
  if (ended.status == Status::unbounded) point = objective.origin();
  return PathPoint<Estimate>{objective.estimate(point), static_cast<Scalar>(weight), point.loss(),
                             ended.iterations, ended.status};
}

}  // namespace detail

/// Fits a family of pairs to a graph that is known, or was selected: no penalty, and no coupling
/// but on its edges (Forbes and Lauritzen 2015, for Gaussians). Estimates with a penalty are too
/// small; these are not.
///
/// **Shapes** samples Dim x n, one per column.
///
/// **Errors** those of the loss, and std::invalid_argument for edges of sites that do not exist.
/// Where the samples do not determine the parameters on the graph, the status is `unbounded`, and
/// the estimate all zeros.
///
/// **Example** docs/snippets/graphical_models.cpp
template <Family F, class L, SamplesOf<typename F::Scalar, F::Dim> X, class O = CoordinateDescent>
auto refit(const F& family, const L& loss, const X& samples, const std::vector<Edge>& edges,
           const O& optimizer = {}) {
  return detail::solve_at(penalize_graph(loss, edges).objective_of(family, samples), optimizer, 0);
}

}  // namespace scorematch
