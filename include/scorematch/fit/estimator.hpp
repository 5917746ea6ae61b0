// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/fit/fit.hpp>

#include <concepts>
#include <utility>

namespace scorematch {

/// The same composition for samples that keep arriving, as inside a simulation.
///
/// **Cost** of `observe`: that of the summary's `add`; of `fit`: the iterations alone.
///
/// **Example** examples/simulation.cpp
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer>
class Estimator {
 public:
  using Scalar = typename F::Scalar;
  using Summary = SummaryOf<L, F>;

  Estimator(F family, L loss, Optimizer optimizer)
      : family_(std::move(family)),
        loss_(std::move(loss)),
        optimizer_(std::move(optimizer)),
        summary_(loss_.summary(family_)) {}

  /// Takes in one sample (a Dim-vector) or a block of them, one per column. Throws as the summary's
  /// `add` does, and is then as it was before the call.
  template <SamplesOf<Scalar, F::Dim> X>
  void observe(const X& samples) {
    summary_.add(samples);
  }

  /// Takes in samples with weights, where the summary knows them.
  template <SamplesOf<Scalar, F::Dim> X, WeightsOf<Scalar> W>
    requires requires(Summary& summary, const X& samples, const W& weights) {
      summary.add(samples, weights);
    }
  void observe(const X& samples, const W& weights) {
    summary_.add(samples, weights);
  }

  /// Takes in all that `other` has seen. Family, loss and optimizer remain this one's.
  void merge(const Estimator& other) { summary_.merge(other.summary_); }

  /// How much was seen: the sum of the weights, one each unless given.
  auto count() const { return summary_.count(); }

  const Summary& summary() const { return summary_; }

  /// All that was seen, as plain numbers, where the summary gives them. Family, loss and optimizer
  /// are not part of it.
  auto state() const
    requires requires(const Summary& summary) { summary.state(); }
  {
    return summary_.state();
  }

  /// Becomes what gave the state, to the bit, given the same family and loss. Throws as the
  /// summary's `restore` does, and is then as it was before the call.
  template <class State>
    requires requires(Summary& summary, const State& state) { summary.restore(state); }
  void restore(const State& state) {
    summary_.restore(state);
  }

  /// Whether both have seen the same, to the bit. Family, loss and optimizer are not compared.
  bool operator==(const Estimator& other) const
    requires std::equality_comparable<Summary>
  {
    return summary_ == other.summary_;
  }

  /// Writes what was seen to an archive that takes the summary, or goes on from what one holds. Not
  /// family, loss and optimizer, which are code: read into an estimator that was made with the
  /// same. A read that throws leaves it as it was (where the summary is one of ours).
  ///
  /// **Example** docs/snippets/state.cpp
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    (void)(archive & summary_);
  }

  /// Fits what has been seen so far; the estimator goes on from there.
  template <Observer<typename F::Parameters> Obs = NoObserver>
  Fit<F> fit(Obs&& observer = {}) const& {
    return scorematch::fit(family_, loss_, optimizer_, summary_, observer);
  }

  /// The last fit, `std::move(estimator).fit()`: stored samples go to the objective without a copy.
  template <Observer<typename F::Parameters> Obs = NoObserver>
  Fit<F> fit(Obs&& observer = {}) && {
    const typename F::Parameters start =
        detail::start_of<Optimizer>(family_, std::as_const(summary_));
    return detail::fit_from(family_, loss_, optimizer_, std::move(summary_), start, observer);
  }

  /// The same from a start of your own: the parameters of the last fit, say.
  template <StartFor<F> Start, Observer<typename F::Parameters> Obs = NoObserver>
  Fit<F> fit(const Start& start, Obs&& observer = {}) const& {
    return scorematch::fit(family_, loss_, optimizer_, summary_, start, observer);
  }

 private:
  F family_;
  L loss_;
  Optimizer optimizer_;
  Summary summary_;
};

}  // namespace scorematch
