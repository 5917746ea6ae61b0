// SPDX-License-Identifier: MIT
//
// Where family, loss and optimizer meet.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/fit/minimize.hpp>
#include <scorematch/fit/observer.hpp>
#include <scorematch/fit/result.hpp>

#include <utility>

namespace scorematch {

namespace detail {

template <class Optimizer, class F, class Obj>
typename F::Distribution distribution_at(const Minimum<typename F::Parameters>& minimum,
                                         const F& family, Obj&& objective) {
  if constexpr (ExactOptimizer<Optimizer> && HasExactDistribution<Obj, F> &&
                Real<typename F::Scalar>) {
    if (minimum.status == Status::converged)
      return std::forward<Obj>(objective).exact_distribution();
  }
  return family.distribution(minimum.parameters);
}

template <class Optimizer, class F, class Summary>
typename F::Parameters start_of(const F& family, [[maybe_unused]] const Summary& summary) {
  if constexpr (AdaptiveOptimizer<Optimizer> && StartsFrom<F, Summary>) {
    if (summary.count() > 0) return family.start(summary);  // none: the objective refuses it
  }
  return family.start();
}

// A summary that is given away need not be copied by an objective that keeps it.
template <class F, class L, class Optimizer, class Summary, class Obs>
Fit<F> fit_from(const F& family, const L& loss, const Optimizer& optimizer, Summary&& summary,
                const typename F::Parameters& start, Obs& observer) {
  auto objective = loss.objective(family, std::forward<Summary>(summary));
  if constexpr (!ExactOptimizer<Optimizer>) require_finite_column("start", start);
  auto minimum = minimize_from(optimizer, objective, start, observer);
  auto distribution = distribution_at<Optimizer>(minimum, family, std::move(objective));
  return {std::move(minimum), std::move(distribution)};
}

}  // namespace detail

/// Fits a family to what a summary has seen.
///
/// The walk sets out from the family's `start()`; with an optimizer that adapts (`Lbfgs`) from the
/// start that the family takes from the summary (`StartsFrom`), so that neither an offset nor a
/// unit of the samples matters.
///
/// **Errors** std::invalid_argument for a summary without samples or of another dimension, and for
/// options out of range. What the numbers do is in `Fit::status`, never a NaN.
///
/// **Cost** of the iterations alone; no sample is touched.
///
/// **Allocation** none for a fixed Dim of at most 16; otherwise before the first iteration only.
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          Observer<typename F::Parameters> Obs = NoObserver>
Fit<F> fit(const F& family, const L& loss, const Optimizer& optimizer,
           const SummaryOf<L, F>& summary, Obs&& observer = {}) {
  return detail::fit_from(family, loss, optimizer, summary,
                          detail::start_of<Optimizer>(family, summary), observer);
}

/// The same from a start of your own, a column of `parameter_count()` entries.
///
/// **Errors** also for a start of another length, or not finite.
///
/// **Example** docs/snippets/getting_started.cpp
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          StartFor<F> Start, Observer<typename F::Parameters> Obs = NoObserver>
Fit<F> fit(const F& family, const L& loss, const Optimizer& optimizer,
           const SummaryOf<L, F>& summary, const Start& start, Obs&& observer = {}) {
  detail::require_start_size(start, family.parameter_count());
  return detail::fit_from(family, loss, optimizer, summary, typename F::Parameters(start),
                          observer);
}

/// Fits a family to samples, one per column.
///
/// **Shapes** samples Dim x n: any dense Eigen expression with the family's scalar. It is read in
/// place where it has storage (a matrix, a map, a block, whatever its order and strides), and
/// evaluated once where it has none. It is not modified.
///
/// **Errors** as from a summary, and those of the summary's `add`.
///
/// **Example** examples/notebook.cpp
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          SamplesOf<typename F::Scalar, F::Dim> X,
          Observer<typename F::Parameters> Obs = NoObserver>
Fit<F> fit(const F& family, const L& loss, const Optimizer& optimizer, const X& samples,
           Obs&& observer = {}) {
  auto summary = loss.summary(family);
  summary.add(samples);
  const typename F::Parameters start = detail::start_of<Optimizer>(family, std::as_const(summary));
  return detail::fit_from(family, loss, optimizer, std::move(summary), start, observer);
}

/// The same from a start of your own.
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          SamplesOf<typename F::Scalar, F::Dim> X, StartFor<F> Start,
          Observer<typename F::Parameters> Obs = NoObserver>
Fit<F> fit(const F& family, const L& loss, const Optimizer& optimizer, const X& samples,
           const Start& start, Obs&& observer = {}) {
  detail::require_start_size(start, family.parameter_count());
  auto summary = loss.summary(family);
  summary.add(samples);
  return detail::fit_from(family, loss, optimizer, std::move(summary),
                          typename F::Parameters(start), observer);
}

}  // namespace scorematch
