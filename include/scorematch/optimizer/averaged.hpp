// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/optimizer/descent.hpp>
#include <scorematch/optimizer/norm.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace scorematch {

namespace detail {

// Keeps the last points of a walk, in a ring, and passes each on.
template <class Parameters, class Obs>
class LastPoints {
 public:
  LastPoints(std::size_t size, Obs& observer) : size_(size), observer_(&observer) {}

  bool operator()(const IterationState<Parameters>& state) {
    if (points_.size() < size_) {
      points_.push_back(state.parameters);
    } else {
      points_[oldest_] = state.parameters;
      oldest_ = (oldest_ + 1) % size_;
    }
    return observe(*observer_, state);
  }

  bool empty() const { return points_.empty(); }

  // As a correction to the first of them, so that a large common offset costs no digits.
  Parameters mean() const {
    Parameters sum = Parameters::Zero(points_[0].size());
    for (const Parameters& point : points_) sum += point - points_[0];
    return points_[0] + sum / static_cast<typename Parameters::Scalar>(points_.size());
  }

 private:
  std::vector<Parameters> points_;
  std::size_t size_;
  std::size_t oldest_ = 0;
  Obs* observer_;
};

}  // namespace detail

/// Options of `Averaged`.
struct AveragedOptions {
  /// The points that the mean is over, the last of the walk.
  Eigen::Index last = 1000;
};

/// An optimizer around an optimizer: the mean of the last points of its walk (Polyak and Juditsky
/// 1992). On a noisy gradient (mini-batches) a walk ends by circling around the minimum, and the
/// mean lies closer to it than any of its points.
///
/// **Math** theta = sum_k theta_k / m over the last m = min(last, iterations) points that the
/// observer saw. The loss and gradient norm that are returned are those of one more evaluation
/// there.
///
/// A walk that ends as `converged` is at the minimum, and returned as it is; so is one that
/// `diverged` or failed, and one whose mean is outside the domain.
///
/// **Errors** std::invalid_argument for `last` below 1, and those of the optimizer.
///
/// **Cost** of an iteration: a copy of the parameters more. **Allocation** for the last points, as
/// they come: up to `last` times the parameters.
///
/// **Example** docs/snippets/energies.cpp
template <class Optimizer>
  requires(!ExactOptimizer<Optimizer>)
class Averaged {
 public:
  static constexpr bool adaptive = AdaptiveOptimizer<Optimizer>;

  explicit Averaged(Optimizer optimizer, AveragedOptions options = {})
      : optimizer_(std::move(optimizer)), options_(options) {
    detail::require_option(options.last >= 1, "Averaged", "last", options.last, "at least 1");
  }

  // The walks of a pack end at different steps: `fit_batch` fits one by one.
  template <class Parameters, class Obj, Observer<Parameters> Obs>
    requires Real<typename Parameters::Scalar> && OptimizerFor<Optimizer, Obj, Parameters>
  Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs& observer) const {
    using std::isfinite;
    detail::LastPoints<Parameters, Obs> points(static_cast<std::size_t>(options_.last), observer);
    Minimum<Parameters> end = optimizer_.minimize(objective, start, points);
    const bool walked = end.status == Status::iteration_limit || end.status == Status::stopped;
    if (!walked || points.empty()) return end;
    Minimum<Parameters> mean = end;
    mean.parameters = points.mean();
    Parameters gradient(start.size());
    mean.loss = objective(mean.parameters, gradient);
    mean.gradient_norm = detail::stable_norm<Parameters>(gradient);
    return isfinite(mean.loss) && isfinite(mean.gradient_norm) ? mean : end;
  }

  /// What `minimize` checks first, where the optimizer has such checks.
  void require_options() const {
    if constexpr (requires { optimizer_.require_options(); }) optimizer_.require_options();
  }

 private:
  Optimizer optimizer_;
  AveragedOptions options_;
};

}  // namespace scorematch
