// SPDX-License-Identifier: MIT
//
// The loop shared by the optimizers that take one step per gradient.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/optimizer/convergence.hpp>
#include <scorematch/optimizer/norm.hpp>

#include <Eigen/Core>

#include <cmath>
#include <type_traits>

namespace scorematch::detail {

// What every iterative optimizer's options must satisfy.
template <class Options>
void require_descent_options(const char* owner, const Options& options) {
  using std::isfinite;
  require_option(isfinite(options.learning_rate) && options.learning_rate > 0, owner,
                 "learning_rate", options.learning_rate, "a finite number above 0");
  require_option(options.max_iterations >= 1, owner, "max_iterations", options.max_iterations,
                 "at least 1");
  require_option(isfinite(options.gradient_tolerance) && options.gradient_tolerance >= 0, owner,
                 "gradient_tolerance", options.gradient_tolerance, "a finite number, at least 0");
}

// True to go on; an observer that returns nothing always goes on.
template <class Obs, class Parameters>
bool observe(Obs& observer, const IterationState<Parameters>& state) {
  if constexpr (std::is_void_v<std::invoke_result_t<Obs&, const IterationState<Parameters>&>>) {
    observer(state);
    return true;
  } else {
    return static_cast<bool>(observer(state));
  }
}

// How each lane ended. Not inlined: it happens once a lane, beside a loop that is to stay small.
template <class Scalar>
struct Endings {
  PerLane<Scalar, Eigen::Index> iterations{};
  PerLane<Scalar, Status> status{};

  EIGEN_DONT_INLINE void note(MaskOf<Scalar> lanes, Status reason, Eigen::Index taken) {
    set_where(lanes, iterations, taken);
    set_where(lanes, status, reason);
  }
};

// `step(theta, gradient, iteration)` moves theta. A step to where the loss or its gradient is not
// finite is not taken.
//
// A turn of the loop has four phases: evaluate at `next`, end what is lost, take the point, and
// decide whether to go on from it. Invariant between turns: `theta`, `loss` and `norm` belong to
// the last point taken, which is finite (but for a start that is not, in its loss and norm), and
// every lane that is not active has its `next` there.
//
// With a Pack for a scalar, each lane is a walk of its own: `active` lanes go on, the others keep
// what they have. Lanes do not mix, so that each ends where it would have ended alone.
//
// The objective is called in one place, to be inlined there. A function of its own, whose code does
// not depend on what stands around a fit.
template <class Options, class Obj, class Parameters, class Obs, class Step>
EIGEN_DONT_INLINE Minimum<Parameters> descend(const Options& options, Obj& objective,
                                              const Parameters& start, Obs& observer, Step step) {
  using Scalar = typename Parameters::Scalar;
  using Mask = MaskOf<Scalar>;
  Endings<Scalar> endings;
  Mask active = true;
  const auto finish = [&](const Mask& lanes, Status reason, Eigen::Index taken) {
    endings.note(lanes, reason, taken);
    active = active & !lanes;
  };

  // The last point taken, and where the next step leads. Local variables of which no reference is
  // kept, so that small ones stay in registers.
  Parameters theta = start;
  Parameters next = start;
  Parameters gradient(start.size());
  Scalar loss(0);
  NormOf<Scalar> norm{Scalar(0)};
  [[maybe_unused]] Eigen::Index next_look = 0;  // at each parameter
  for (Eigen::Index taken = 0;; ++taken) {
    // Evaluate.
    Scalar next_loss = objective(next, gradient);
    const Scalar square = squared_norm(gradient);
    NormOf<Scalar> next_norm = norm_of_square(square);
    const Mask above = square > least_square<Scalar>;
    const Mask below = is_finite(square + next_loss);
    // End what is lost, and hold still what has ended before.
    if (!all(active & above & below)) {
      const Scalar stable = stable_norm<Parameters>(gradient);
      const Mask finite_loss = is_finite(next_loss);
      const Mask finite_norm = is_finite(stable);
      const Mask lost = active & !(finite_loss & finite_norm);
      if (any(lost)) {
        if (taken == 0) {
          // Nothing better is known than the start, but a NaN is never returned.
          loss = number_or_infinity(next_loss);
          norm = {number_or_infinity(stable)};
        }
        finish(lost, Status::diverged, taken == 0 ? 0 : taken - 1);
        if (!any(active)) break;
      }
      assign_where(!active, next, theta);
      next_loss = select(active, next_loss, loss);
      next_norm = {select(active, stable, value_of(norm))};
    }
    // Take the point.
    const bool go_on = taken == 0 || observe(observer, IterationState<Parameters>{
                                                           taken, loss, value_of(norm), next});
    // Not Eigen's copy, which makes pairs.
    for_each_entry(theta, [&](Eigen::Index i) SCOREMATCH_INLINE { theta(i) = next(i); });
    loss = next_loss;
    norm = next_norm;
    // Decide.
    Mask settled = converged(objective, next, gradient, loss, norm, options.gradient_tolerance);
    if constexpr (Real<Scalar> && !HasDistanceToMinimum<Obj, Parameters>) {
      if (settled && norm > 0) {
        settled = taken >= next_look &&
                  each_settled<Parameters>(objective, next, start, gradient, loss,
                                           relative_tolerance<Scalar>(options.gradient_tolerance));
        if (!settled && taken >= next_look) next_look = 2 * taken + 1;
      }
    }
    if (!go_on || taken >= options.max_iterations || any(settled)) {
      if (!go_on) finish(active, Status::stopped, taken);
      finish(active & settled, Status::converged, taken);
      if (taken >= options.max_iterations) finish(active, Status::iteration_limit, taken);
      if (!any(active)) break;
    }
    step(next, gradient, taken + 1);
  }
  return {theta, loss, value_of(norm), endings.iterations, endings.status};
}

}  // namespace scorematch::detail
