// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts/objective.hpp>
#include <scorematch/core/concepts/samples.hpp>
#include <scorematch/core/status.hpp>

#include <concepts>
#include <type_traits>

namespace scorematch {

/// Called once per step with `const IterationState<Parameters>&`; returns void, or false to stop.
/// (Eigen's columns can be called too, with indices; as the last argument of `fit` they are
/// starts.)
template <class O, class Parameters>
concept Observer =
    !DenseExpression<std::remove_cvref_t<O>> &&
    requires(O& observer, const IterationState<Parameters>& state) { observer(state); } &&
    (std::is_void_v<std::invoke_result_t<O&, const IterationState<Parameters>&>> ||
     std::convertible_to<std::invoke_result_t<O&, const IterationState<Parameters>&>, bool>);

/// The observer that looks at nothing.
struct NoObserver {
  template <class Parameters>
  void operator()(const IterationState<Parameters>&) const {}
};

/// One that does not walk, but asks the objective for its `exact()` minimum.
template <class O>
concept ExactOptimizer = bool(O::exact);

// Named, so that the compiler says what ClosedForm misses in an objective.
template <class O, class Obj, class Parameters>
concept HasExactMinimumIfExact = !ExactOptimizer<O> || HasExactMinimum<Obj, Parameters>;

/// One that learns the scales of the loss on its way, and has no learning rate that ties it to
/// samples of order one: `fit` starts it from what the family makes of the samples
/// (`StartsFrom`), and it walks in `HasLocalCoordinates`.
template <class O>
concept AdaptiveOptimizer = bool(O::adaptive);

/// Walks an objective from a start to a `Minimum`.
///
/// Laws: the same arguments give the same bits; the returned parameters are finite; `status` is
/// `converged` only where the optimizer's stated test holds; options out of range throw
/// std::invalid_argument. A plain value: settings only, nothing of a run stays in it.
template <class O, class Obj, class Parameters>
concept OptimizerFor =
    Objective<Obj, Parameters> && HasExactMinimumIfExact<O, Obj, Parameters> &&
    requires(const O& optimizer, Obj& objective, const Parameters& start, NoObserver& observer) {
      { optimizer.minimize(objective, start, observer) } -> std::same_as<Minimum<Parameters>>;
    };

}  // namespace scorematch
