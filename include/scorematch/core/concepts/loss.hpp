// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts/domain.hpp>
#include <scorematch/core/concepts/family.hpp>
#include <scorematch/core/concepts/objective.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>
#include <utility>

namespace scorematch {

/// What a loss keeps of the samples. One sample x is a Dim-vector, a block is Dim x n.
///
/// Laws: adding a block equals adding its columns; `merge` equals having added the other's samples;
/// an `add` that throws leaves the summary as it was.
template <class S, class F>
concept SummaryFor =
    std::copy_constructible<S> &&
    requires(S& summary, const S& other, const Eigen::Matrix<typename F::Scalar, F::Dim, 1>& x,
             const Eigen::Matrix<typename F::Scalar, F::Dim, Eigen::Dynamic>& samples) {
      summary.add(x);
      summary.add(samples);
      summary.merge(other);
      { any(other.count() > 0) } -> std::convertible_to<bool>;
    };

template <class L, class F>
concept Summarizes = requires(const L& loss, const F& family) {
  { loss.summary(family) } -> SummaryFor<F>;
};

// Named, so that the compiler says which loss is for families with an edge.
template <class L, class F>
concept NoEdgeOrGeneralizedScoreMatchingLoss = WithoutEdge<F> || Summarizes<L, F>;

/// The summary a loss keeps for a family, and the objective it makes of it.
template <class L, class F>
using SummaryOf =
    std::remove_cvref_t<decltype(std::declval<const L&>().summary(std::declval<const F&>()))>;

template <class L, class F>
using ObjectiveOf = std::remove_cvref_t<decltype(std::declval<const L&>().objective(
    std::declval<const F&>(), std::declval<const SummaryOf<L, F>&>()))>;

/// Turns a family and what was seen into an objective over the family's parameters.
///
/// Laws: `summary(family)` is empty; the objective keeps no reference to loss, family or summary.
template <class L, class F>
concept LossFor = Family<F> && NoEdgeOrGeneralizedScoreMatchingLoss<L, F> && Summarizes<L, F> &&
                  requires(const L& loss, const F& family, const SummaryOf<L, F>& summary) {
                    { loss.objective(family, summary) } -> Objective<typename F::Parameters>;
                  };

/// A loss that is a mean over samples, and says of what: `loss.point(family)` gives the loss of one
/// sample x at theta, and its gradient in theta.
///
/// Law: the mean of it over samples is the objective, and so of its gradient.
template <class L, class F>
concept HasPoint =
    requires(const L& loss, const F& family, const Eigen::Matrix<typename F::Scalar, F::Dim, 1>& x,
             const typename F::Parameters& theta, typename F::Parameters& gradient) {
      { loss.point(family)(x, theta, gradient) } -> std::convertible_to<typename F::Scalar>;
    };

}  // namespace scorematch
