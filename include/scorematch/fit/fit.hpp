// SPDX-License-Identifier: MIT
//
// Where family, loss and optimizer meet.
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/fit/observer.hpp>
#include <scorematch/optimizer/descent.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <type_traits>
#include <utility>

namespace scorematch {

namespace detail {

// What of a fit is numbers.
template <class Archive, class Parameters>
void archive_minimum(Archive& archive, Minimum<Parameters>& at) {
  using std::isfinite;
  using std::isnan;
  archive_mark<typename Parameters::Scalar>(archive, "Fit", Kept::fit);
  archive_size(archive, "Fit", "parameters", at.parameters.size());
  archive_entries(archive, at.parameters);
  archive_number(archive, at.loss);
  archive_number(archive, at.gradient_norm);
  at.iterations = archive_index(archive, at.iterations);
  const Eigen::Index status = archive_index(archive, static_cast<Eigen::Index>(at.status));
  if constexpr (reads<Archive>) {
    for (Eigen::Index i = 0; i < at.parameters.size(); ++i) {
      if (!isfinite(at.parameters(i))) {
        fail("Fit: ", entry("parameters", i, at.parameters(i)), "; expected a finite value");
      }
    }
    if (isnan(at.loss) || !(at.gradient_norm >= 0) || at.iterations < 0) {
      fail("Fit: loss = ", at.loss, ", gradient_norm = ", at.gradient_norm,
           ", iterations = ", at.iterations, "; expected numbers, the last two at least 0");
    }
    constexpr auto last = static_cast<Eigen::Index>(Status::ambiguous);
    if (status < 0 || status > last) {
      fail("Fit: status = ", status, "; expected 0 to ", last);
    }
    at.status = static_cast<Status>(status);
  }
}

}  // namespace detail

/// What `fit` found. `loss` and `gradient_norm` are those at `parameters`. With a `Pack` for a
/// scalar, each lane has its own.
///
/// To keep one, give it to an archive: directly where its distribution has a `serialize`, as
/// `Gaussian` has, or by `write_fit` and `read_fit`, whatever the family.
// F is not constrained here: clang would look at the result type of `fit` before its constraints,
// and name this class where the user's family is incomplete.
template <class F>
struct Fit {
  typename F::Distribution distribution;
  typename F::Parameters parameters;
  typename F::Scalar loss;
  typename F::Scalar gradient_norm;
  PerLane<typename F::Scalar, Eigen::Index> iterations;
  PerLane<typename F::Scalar, Status> status;  ///< `explain(status)` says it in a sentence

  /// Whether both are equal to the bit. (A distribution without an == follows from the parameters.)
  bool operator==(const Fit& other) const {
    bool same = detail::same_entries(parameters, other.parameters) &&
                detail::same_number(loss, other.loss) &&
                detail::same_number(gradient_norm, other.gradient_norm) &&
                iterations == other.iterations && status == other.status;
    if constexpr (std::equality_comparable<typename F::Distribution>) {
      same = same && distribution == other.distribution;
    }
    return same;
  }

  /// Writes the fit to an archive, or reads it from one, as `Moments::serialize` does.
  ///
  /// **Errors** reading, std::invalid_argument for another number of parameters and for numbers
  /// that no fit has, those of the distribution, and what the archive itself throws at its end. All
  /// leave this as it was.
  template <class Archive>
    requires detail::Archived<typename F::Distribution, Archive>
  void serialize(Archive& archive, unsigned version) {
    Minimum<typename F::Parameters> at{parameters, loss, gradient_norm, iterations, status};
    detail::archive_minimum(archive, at);
    if constexpr (detail::reads<Archive>) {
      auto read = distribution;
      read.serialize(archive, version);
      *this = {std::move(read), std::move(at.parameters), at.loss, at.gradient_norm, at.iterations,
               at.status};
    } else {
      distribution.serialize(archive, version);
    }
  }
};

/// Writes a fit of any family to an archive. What `serialize` does, but for what the archive puts
/// before an object; `read_fit` is its reader.
///
/// **Example** tests/state_test.cpp
template <class F, class Archive>
void write_fit(Archive& archive, const Fit<F>& fit) {
  Minimum<typename F::Parameters> at{fit.parameters, fit.loss, fit.gradient_norm, fit.iterations,
                                     fit.status};
  detail::archive_minimum(archive, at);
  if constexpr (detail::Archived<typename F::Distribution, Archive>) {
    auto distribution = fit.distribution;
    distribution.serialize(archive, 0U);
  }
}

/// The fit that `write_fit` wrote, to the bit. A distribution without a `serialize` is made by the
/// family again, which must be the same.
///
/// **Errors** as those of `Fit::serialize`, and those of the family's `distribution`.
template <Family F, class Archive>
Fit<F> read_fit(Archive& archive, const F& family) {
  Minimum<typename F::Parameters> at{family.start(), {}, {}, {}, {}};
  detail::archive_minimum(archive, at);
  auto distribution = family.distribution(at.parameters);
  if constexpr (detail::Archived<typename F::Distribution, Archive>) {
    distribution.serialize(archive, 0U);
  }
  return {std::move(distribution),
          std::move(at.parameters),
          at.loss,
          at.gradient_norm,
          at.iterations,
          at.status};
}

namespace detail {

template <class Start>
void require_start_size(const Start& start, Eigen::Index count) {
  if (start.rows() != count || start.cols() != 1) {
    fail("start is ", start.rows(), " x ", start.cols(), "; expected ", count,
         " x 1, one entry for each parameter");
  }
}

// What a loss without a minimum ends with.
template <class Obj, class Parameters, class Mask>
Minimum<Parameters> at_start(Obj& objective, const Parameters& start, const Mask& unbounded) {
  Parameters gradient(start.size());
  const auto loss = objective(start, gradient);
  Minimum<Parameters> at{start, loss, gradient_norm(gradient), {}, {}};
  set_where(unbounded, at.status, Status::unbounded);
  return at;
}

template <class Optimizer, class Obj, class Parameters, class Obs>
Minimum<Parameters> minimize_from(const Optimizer& optimizer, Obj& objective,
                                  const Parameters& start, Obs& observer) {
  if (start.size() < 1) fail("start has 0 entries; expected at least 1");
  const auto info = info_of<Parameters>(objective);
  if (info.parameter_count > 0) require_start_size(start, info.parameter_count);
  if constexpr (ChecksStart<Obj, Parameters> && !ExactOptimizer<Optimizer>) {
    objective.check_start(start);
  }
  if (all(info.unbounded)) return at_start(objective, start, info.unbounded);
  auto minimum = optimizer.minimize(objective, start, observer);
  if constexpr (lanes_of<typename Parameters::Scalar> == 1) {
    if (info.ambiguous && minimum.status == Status::converged) minimum.status = Status::ambiguous;
  } else if (any(info.unbounded)) {
    const auto stay = at_start(objective, start, info.unbounded);
    assign_where(info.unbounded, minimum.parameters, stay.parameters);
    minimum.loss = select(info.unbounded, stay.loss, minimum.loss);
    minimum.gradient_norm = select(info.unbounded, stay.gradient_norm, minimum.gradient_norm);
    set_where(info.unbounded, minimum.iterations, Eigen::Index(0));
    set_where(info.unbounded, minimum.status, Status::unbounded);
  }
  return minimum;
}

}  // namespace detail

/// Minimizes any objective from any start: the optimizers without families or samples.
///
/// What the objective knows of itself (`HasInfo`) is asked here, and no optimizer has to: one
/// without a minimum returns the start as `Status::unbounded` before any step; one whose minimum is
/// not unique ends as `Status::ambiguous` where it would as `converged`.
///
/// **Shapes** start and gradient are column vectors of one length.
///
/// **Errors** std::invalid_argument for a start that is empty, not finite, of another length than
/// the objective says (`HasInfo`) or refused by it (`ChecksStart`), and for options out
/// of range.
///
/// **Example** tests/optimizer_test.cpp
template <class Obj, DenseExpression Start,
          OptimizerFor<Obj, typename Start::PlainObject> Optimizer,
          Observer<typename Start::PlainObject> Obs = NoObserver>
Minimum<typename Start::PlainObject> minimize(const Optimizer& optimizer, Obj&& objective,
                                              const Start& start, Obs&& observer = {}) {
  const typename Start::PlainObject& from = start;  // a copy only where `start` is an expression
  detail::require_finite_column("start", from);
  return detail::minimize_from(optimizer, objective, from, observer);
}

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

}  // namespace detail

namespace detail {

template <class Optimizer, class F, class Summary>
typename F::Parameters start_of(const F& family, [[maybe_unused]] const Summary& summary) {
  if constexpr (AdaptiveOptimizer<Optimizer> && StartsFrom<F, Summary>) {
    if (summary.count() > 0) return family.start(summary);  // none: the objective refuses it
  }
  return family.start();
}

template <class F, class L, class Optimizer, class Obs>
Fit<F> fit_from(const F& family, const L& loss, const Optimizer& optimizer,
                const SummaryOf<L, F>& summary, const typename F::Parameters& start,
                Obs& observer) {
  auto objective = loss.objective(family, summary);
  if constexpr (!ExactOptimizer<Optimizer>) require_finite_column("start", start);
  auto minimum = minimize_from(optimizer, objective, start, observer);
  return {distribution_at<Optimizer>(minimum, family, std::move(objective)),
          std::move(minimum.parameters),
          minimum.loss,
          minimum.gradient_norm,
          minimum.iterations,
          minimum.status};
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
  return scorematch::fit(family, loss, optimizer, std::as_const(summary), observer);
}

/// The same from a start of your own.
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          SamplesOf<typename F::Scalar, F::Dim> X, StartFor<F> Start,
          Observer<typename F::Parameters> Obs = NoObserver>
Fit<F> fit(const F& family, const L& loss, const Optimizer& optimizer, const X& samples,
           const Start& start, Obs&& observer = {}) {
  auto summary = loss.summary(family);
  summary.add(samples);
  return scorematch::fit(family, loss, optimizer, std::as_const(summary), start, observer);
}

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
  Fit<F> fit(Obs&& observer = {}) const {
    return scorematch::fit(family_, loss_, optimizer_, summary_, observer);
  }

  /// The same from a start of your own: the parameters of the last fit, say.
  template <StartFor<F> Start, Observer<typename F::Parameters> Obs = NoObserver>
  Fit<F> fit(const Start& start, Obs&& observer = {}) const {
    return scorematch::fit(family_, loss_, optimizer_, summary_, start, observer);
  }

 private:
  F family_;
  L loss_;
  Optimizer optimizer_;
  Summary summary_;
};

}  // namespace scorematch
