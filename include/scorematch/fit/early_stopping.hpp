// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <utility>

namespace scorematch {

/// Options of `EarlyStopping`.
struct EarlyStoppingOptions {
  /// Steps from one check to the next.
  Eigen::Index every = 100;
  /// The walk is stopped after as many checks in a row that found nothing better.
  Eigen::Index patience = 10;
};

/// The best point that `EarlyStopping` has seen.
template <class Parameters>
struct BestPoint {
  Parameters parameters;
  typename Parameters::Scalar loss;  ///< the validation loss there; never a NaN
  Eigen::Index iteration;            ///< the step that led there
};

/// An observer that stops a walk where a validation loss falls no more, and remembers the best
/// point: a flexible model fits its samples ever better, and from some step on other samples ever
/// worse. Made by `early_stopping`; pass an lvalue to `fit` and read `best()` afterwards.
///
/// **Math** checks the points after steps every, 2 every, ...; the walk is `Status::stopped` at the
/// check where the loss has not been below its lowest for `patience` checks in a row. A loss that
/// is NaN is not below.
///
/// The first step of a walk begins anew: one observer serves several walks, one after the other. It
/// does not see a walk that takes no step (its start is the minimum already, say), and then has the
/// best point of an earlier one: look at `fit.iterations`.
///
/// **Cost** one validation loss every `every` steps. **Allocation** of a dynamic size: each point
/// that is the best so far.
///
/// **Example** docs/snippets/energies.cpp
template <class Parameters, class Loss>
  requires Real<typename Parameters::Scalar>
class EarlyStopping {
 public:
  using Scalar = typename Parameters::Scalar;

  EarlyStopping(Loss loss, EarlyStoppingOptions options)
      : loss_(std::move(loss)), options_(options) {
    detail::require_option(options.every >= 1, "EarlyStopping", "every", options.every,
                           "at least 1");
    detail::require_option(options.patience >= 1, "EarlyStopping", "patience", options.patience,
                           "at least 1");
  }

  bool operator()(const IterationState<Parameters>& state) {
    using std::isnan;
    if (state.iteration == 1) forget();
    if (state.iteration % options_.every != 0) return true;
    Scalar loss = static_cast<Scalar>(loss_(state.parameters));
    if (isnan(loss)) loss = std::numeric_limits<Scalar>::infinity();
    ++checks_;
    if (!best_ || loss < best_->loss) {
      best_ = {state.parameters, loss, state.iteration};
      bad_checks_ = 0;
    } else {
      ++bad_checks_;
    }
    return bad_checks_ < options_.patience;
  }

  /// The point with the lowest validation loss of the last walk that took a step.
  ///
  /// **Errors** std::invalid_argument where that walk ended before the first check.
  const BestPoint<Parameters>& best() const {
    if (!best_) {
      detail::fail("EarlyStopping: best() before a check; expected a walk of at least every = ",
                   options_.every, " steps");
    }
    return *best_;
  }

  /// The checks of the last walk that took a step.
  Eigen::Index checks() const { return checks_; }

 private:
  void forget() {
    best_.reset();
    checks_ = bad_checks_ = 0;
  }

  Loss loss_;
  EarlyStoppingOptions options_;
  std::optional<BestPoint<Parameters>> best_;
  Eigen::Index checks_ = 0;
  Eigen::Index bad_checks_ = 0;
};

namespace detail {

// The value of an objective alone.
template <class Obj, class Parameters>
class ValueOf {
 public:
  explicit ValueOf(Obj objective) : objective_(std::move(objective)) {}

  auto operator()(const Parameters& theta) {
    if constexpr (requires { objective_(theta); }) {
      return objective_(theta);
    } else {
      Parameters gradient(theta.size());
      return objective_(theta, gradient);
    }
  }

 private:
  Obj objective_;
};

}  // namespace detail

/// Stops a fit by a loss of yours: any callable that takes parameters and returns a number.
///
///     auto stop = early_stopping<Eigen::VectorXd>(validation_loss, {.every = 100});
///
/// **Errors** std::invalid_argument for `every` or `patience` below 1.
template <DenseExpression Parameters, class Loss>
  requires requires(Loss& loss, const Parameters& theta) {
    { loss(theta) } -> std::convertible_to<typename Parameters::Scalar>;
  }
EarlyStopping<Parameters, Loss> early_stopping(Loss loss, EarlyStoppingOptions options = {}) {
  return {std::move(loss), options};
}

/// Stops a fit by a loss on samples that it does not see, one a column.
///
/// **Errors** also those of the loss and its summary, and for a loss that draws anew at every call
/// (mini-batches): noise would choose the best.
///
/// **Lifetime** keeps what the loss keeps of the samples, no reference.
template <Family F, LossFor<F> L, SamplesOf<typename F::Scalar, F::Dim> X>
auto early_stopping(const L& loss, const F& family, const X& samples,
                    EarlyStoppingOptions options = {}) {
  using Parameters = typename F::Parameters;
  auto summary = loss.summary(family);
  summary.add(samples);
  auto objective = loss.objective(family, std::move(summary));
  if (detail::info_of<Parameters>(objective).stochastic) {
    detail::fail(
        "early_stopping: the loss draws anew at every call; expected one over all samples, without "
        "batches");
  }
  using Value = detail::ValueOf<ObjectiveOf<L, F>, Parameters>;
  return EarlyStopping<Parameters, Value>(Value(std::move(objective)), options);
}

}  // namespace scorematch
