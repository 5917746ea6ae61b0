// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/optimizer/descent.hpp>

#include <Eigen/Core>

namespace scorematch {

/// Gradient descent with momentum: the heavy ball of Polyak (1964).
///
/// **Math** v <- momentum v - learning_rate g, theta <- theta + v, from v = 0, until
/// |g| <= gradient_tolerance |loss|.
///
/// **Errors** as `GradientDescent`; momentum must lie in [0, 1).
///
/// **Cost** as `GradientDescent`, and one more parameter vector.
struct Momentum {
  double learning_rate = 1e-3;
  double momentum = 0.9;
  Eigen::Index max_iterations = 10000;
  /// Relative to |loss|.
  double gradient_tolerance = 1e-8;

  template <class Parameters, Objective<Parameters> Obj, Observer<Parameters> Obs>
  Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs& observer) const {
    using Scalar = typename Parameters::Scalar;
    require_options();
    const Scalar rate = static_cast<Scalar>(learning_rate);
    const Scalar keep = static_cast<Scalar>(momentum);
    Parameters velocity = Parameters::Zero(start.size());
    return detail::descend(*this, objective, start, observer,
                           [&](Parameters& theta, const Parameters& gradient, Eigen::Index) {
                             detail::for_each_entry(theta, [&](Eigen::Index i) SCOREMATCH_INLINE {
                               velocity(i) = keep * velocity(i) - rate * gradient(i);
                               theta(i) += velocity(i);
                             });
                           });
  }

  /// What `minimize` checks first, before there is anything to minimize.
  void require_options() const {
    detail::require_descent_options("Momentum", *this);
    detail::require_option(momentum >= 0 && momentum < 1, "Momentum", "momentum", momentum,
                           "a number in [0, 1)");
  }
};

}  // namespace scorematch
