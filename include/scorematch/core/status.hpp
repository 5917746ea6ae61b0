// SPDX-License-Identifier: MIT
//
// What an optimizer says while it walks (IterationState) and when it stops (Minimum, Status).
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <string_view>

namespace scorematch {

/// Why a fit ended. Anything but `converged` is worth a look; `explain` says what to do about it.
enum class Status {
  converged,           ///< the gradient is small enough, or the minimum was computed exactly
  iteration_limit,     ///< max_iterations steps were taken; the gradient is still above tolerance
  stopped,             ///< the observer returned false
  diverged,            ///< the next step was not finite; the last finite point is returned
  line_search_failed,  ///< no acceptable step along the search direction
  unbounded,           ///< the loss has no minimum on these samples; the start is returned
  ambiguous,           ///< a minimum, but one of many: the samples do not determine all parameters
};

/// The enumerator's name.
constexpr std::string_view to_string(Status status) noexcept {
  switch (status) {
    case Status::converged: return "converged";
    case Status::iteration_limit: return "iteration_limit";
    case Status::stopped: return "stopped";
    case Status::diverged: return "diverged";
    case Status::line_search_failed: return "line_search_failed";
    case Status::unbounded: return "unbounded";
    case Status::ambiguous: return "ambiguous";
  }
  return "unknown";
}

/// One sentence for people: what happened and what cures it.
constexpr std::string_view explain(Status status) noexcept {
  switch (status) {
    case Status::converged:
      return "converged: the gradient is within tolerance, or the minimum was computed exactly.";
    case Status::iteration_limit:
      return "iteration limit: the gradient is still above tolerance; use Lbfgs, or scale the "
             "samples to order one, then allow more iterations or a larger learning rate. (A loss "
             "on mini-batches always ends here.)";
    case Status::stopped: return "stopped: the observer asked to stop.";
    case Status::diverged:
      return "diverged: the loss or the next step is not finite, and the last finite point is "
             "returned; scale the samples to order one, or use a smaller learning rate.";
    case Status::line_search_failed:
      return "line search failed: no step along the search direction lowers the loss enough; the "
             "gradient may be inaccurate or the loss not smooth here.";
    case Status::unbounded:
      return "unbounded: the samples do not span all directions (a covariance or a matrix of "
             "statistics is singular: too few samples, or a constant or collinear coordinate or "
             "statistic), so the loss falls for ever and has no minimum; drop what is collinear, "
             "collect more samples, or regularize: a ridge (a positive multiple of the identity "
             "added to the covariance), a larger penalty (L1), or DenoisingScoreMatchingLoss. "
             "explain(fit, family, loss, samples) names what is constant or collinear.";
    case Status::ambiguous:
      return "ambiguous: the loss is at its minimum, but other parameters fit the samples as well "
             "(collinear or constant statistics); drop some of those that explain(fit, family, "
             "loss, samples) names.";
  }
  return "unknown status.";
}

/// What an observer sees, once for each step that was taken.
///
/// **Lifetime** refers to the optimizer's own vector; copy `parameters` to keep them.
template <class Parameters_>
struct IterationState {
  using Parameters = Parameters_;
  using Scalar = typename Parameters::Scalar;

  Eigen::Index iteration;        ///< 1-based
  Scalar loss;                   ///< at the point the step left from
  Scalar gradient_norm;          ///< Euclidean, at the point the step left from
  const Parameters& parameters;  ///< after the step
};

/// Where an optimizer ended. `loss` and `gradient_norm` are those at `parameters`. With a `Pack`
/// for a scalar, each lane has its own.
template <class Parameters_>
struct Minimum {
  using Parameters = Parameters_;
  using Scalar = typename Parameters::Scalar;

  Parameters parameters;
  Scalar loss;
  Scalar gradient_norm;
  PerLane<Scalar, Eigen::Index> iterations;  ///< steps taken
  PerLane<Scalar, Status> status;
};

}  // namespace scorematch
