// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <cmath>
#include <numbers>

namespace scorematch {

/// How a step size changes on the way: a warm-up, then a constant rate or the half of a cosine.
/// An option of `Adam`, where it multiplies with `decay`.
///
/// **Math** of the full rate step t = 0, 1, ... has the fraction (t + 1) / (warm_up + 1) for
/// t < warm_up. Then, with u = (t - warm_up) / cosine_steps, at most 1, it has
/// cosine_to + (1 - cosine_to) (1 + cos(pi u)) / 2 (Loshchilov and Hutter 2017, Equation 5).
///
/// **Errors** as `require_options` says.
///
/// **Example** docs/snippets/energies.cpp
struct StepSchedule {
  /// Steps before the full rate: while running means are young, long steps lead astray.
  Eigen::Index warm_up = 0;
  /// The fraction at the end of the cosine, and after it; 1 for a constant rate.
  double cosine_to = 1;
  /// The length of the cosine; 0 for all steps that `max_iterations` and `warm_up` leave.
  Eigen::Index cosine_steps = 0;

  /// The fraction that a step has, counted from 0, on a walk of at most `max_iterations`.
  double operator()(Eigen::Index step, Eigen::Index max_iterations) const {
    if (step < warm_up) return (static_cast<double>(step) + 1) / (static_cast<double>(warm_up) + 1);
    const Eigen::Index length = cosine_steps > 0 ? cosine_steps : max_iterations - warm_up;
    if (step - warm_up >= length) return cosine_to;
    const double done = static_cast<double>(step - warm_up) / static_cast<double>(length);
    return cosine_to + (1 - cosine_to) * (1 + std::cos(std::numbers::pi * done)) / 2;
  }

  /// **Errors** std::invalid_argument for a `cosine_to` outside [0, 1] and for numbers of steps
  /// below 0: "Adam: schedule.warm_up = -1; expected at least 0".
  void require_options(const char* owner) const {
    detail::require_option(warm_up >= 0, owner, "schedule.warm_up", warm_up, "at least 0");
    detail::require_option(cosine_to >= 0 && cosine_to <= 1, owner, "schedule.cosine_to", cosine_to,
                           "a number in [0, 1]");
    detail::require_option(cosine_steps >= 0, owner, "schedule.cosine_steps", cosine_steps,
                           "at least 0");
  }
};

}  // namespace scorematch
