// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/coupling.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/family/pairwise_gaussian_family.hpp>
#include <scorematch/loss/generalized_score_matching.hpp>
#include <scorematch/loss/pairs/column_sums.hpp>
#include <scorematch/loss/pairs/l1.hpp>
#include <scorematch/loss/pairs/penalized_columns.hpp>
#include <scorematch/loss/pairs/penalized_gaussian.hpp>
#include <scorematch/loss/score_matching.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>
#include <utility>
#include <vector>

namespace scorematch {

namespace detail {

template <class Scalar, int Dim, int Count>
std::true_type gaussian_pairs(const PairwiseGaussianFamily<Scalar, Dim, Count>&);
std::false_type gaussian_pairs(...);

// A `PairwiseGaussianFamily` on all of R^Dim, or one derived from it.
template <class F>
concept GaussianPairModel =
    WithoutEdge<F> && decltype(gaussian_pairs(std::declval<const F&>()))::value;

template <class F>
UniformWeighting weighting_of(const ScoreMatchingLoss&, const F&) {
  return {};
}
template <class H, class Domain, class F>
auto weighting_of(const GeneralizedScoreMatchingLoss<H, Domain>& loss, const F& family) {
  return loss.weighting(family);
}

template <class Loss, class F>
using WeightingOf = decltype(weighting_of(std::declval<const Loss&>(), std::declval<const F&>()));

// Plain score matching of what has no edge, generalized of anything.
template <class F, class Loss>
concept PenalizedByColumns =
    PairwiseModel<F> && SparseExponential<F> && requires(const Loss& loss, const F& family) {
      weighting_of(loss, family);
    } && (!std::same_as<Loss, ScoreMatchingLoss> || (WithoutEdge<F> && !GaussianPairModel<F>));

}  // namespace detail

/// A loss with a penalty on the couplings of the family: `L1`, or `GivenGraph`.
///
/// **Summary** for `PairwiseGaussianFamily` with `ScoreMatchingLoss`: `Moments`. For any other
/// exponential family that names its couplings (`PairwiseModel`, `SparseStatistics`), with
/// `ScoreMatchingLoss` or `GeneralizedScoreMatchingLoss`: `ColumnSums`.
///
/// **Example** docs/snippets/graphical_models.cpp
template <class Loss, class Penalty = L1>
struct Penalized {
  Loss loss;
  Penalty penalty;
  /// Whether the loss is that of the samples divided by their standard deviations, so that no unit
  /// matters. Estimates are in the user's units all the same.
  bool standardize = true;

  template <detail::GaussianPairModel F>
    requires std::same_as<Loss, ScoreMatchingLoss>
  Moments<typename F::Scalar, F::Dim> summary(const F& family) const {
    return Moments<typename F::Scalar, F::Dim>(family.dimension());
  }

  /// **Errors** as of `PenalizedGaussian`.
  template <detail::GaussianPairModel F>
    requires std::same_as<Loss, ScoreMatchingLoss>
  PenalizedGaussian<F> objective(const F& family,
                                 const Moments<typename F::Scalar, F::Dim>& moments) const {
    return {family, moments, penalty, standardize};
  }

  /// From samples at once, Dim x n, without a copy of their moments.
  template <detail::GaussianPairModel F, SamplesOf<typename F::Scalar, F::Dim> X>
    requires std::same_as<Loss, ScoreMatchingLoss>
  PenalizedGaussian<F> objective_of(const F& family, const X& samples) const {
    return {family, samples, penalty, standardize};
  }

  /// Of any other family of pairs: a form for each coordinate.
  template <detail::PenalizedByColumns<Loss> F>
  ColumnSums<F, detail::WeightingOf<Loss, F>> summary(const F& family) const {
    return ColumnSums<F, detail::WeightingOf<Loss, F>>(family, detail::weighting_of(loss, family));
  }

  /// **Errors** as of `PenalizedColumns`.
  template <detail::PenalizedByColumns<Loss> F>
  PenalizedColumns<F, detail::WeightingOf<Loss, F>> objective(
      const F& family, const ColumnSums<F, detail::WeightingOf<Loss, F>>& sums) const {
    return {family, sums, penalty, standardize, detail::weighting_of(loss, family)};
  }

  template <detail::PenalizedByColumns<Loss> F, SamplesOf<typename F::Scalar, F::Dim> X>
  PenalizedColumns<F, detail::WeightingOf<Loss, F>> objective_of(const F& family,
                                                                 const X& samples) const {
    auto sums = summary(family);
    sums.add(samples);
    return objective(family, sums);
  }
};

template <class Loss, class Penalty>
Penalized(Loss, Penalty) -> Penalized<Loss, Penalty>;
template <class Loss, class Penalty>
Penalized(Loss, Penalty, bool) -> Penalized<Loss, Penalty>;

/// A loss with a penalty on it: how `fit_path` asks for one.
template <class Loss, class Penalty>
  requires std::same_as<Penalty, L1> || std::same_as<Penalty, GivenGraph>
Penalized<Loss, Penalty> penalize(const Loss& loss, const Penalty& penalty, bool standardize) {
  return {loss, penalty, standardize};
}

/// A loss of a family whose graph is known: how `refit` asks for one.
template <class Loss>
Penalized<Loss, GivenGraph> penalize_graph(const Loss& loss, const std::vector<Edge>& edges,
                                           bool standardize = true, double ridge = 0) {
  return {loss, GivenGraph{.edges = edges, .ridge = ridge}, standardize};
}

}  // namespace scorematch
