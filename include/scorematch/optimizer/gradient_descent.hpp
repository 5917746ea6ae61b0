// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/optimizer/descent.hpp>

#include <Eigen/Core>

namespace scorematch {

/// Plain gradient descent with a constant learning rate.
///
/// **Math** theta <- theta - learning_rate g, until |g| <= gradient_tolerance |loss| (and, where
/// the objective knows its distance, that is at most the square root of the tolerance).
///
/// **Errors** std::invalid_argument for an option out of range. A learning rate that is too large
/// ends as `Status::diverged`, with the last finite point.
///
/// **Cost** one value and gradient a step, and one at the end; four parameter vectors.
///
/// **Example** examples/notebook.cpp
struct GradientDescent {
  double learning_rate = 1e-3;
  Eigen::Index max_iterations = 10000;
  /// Relative to |loss|, so that a unit of the loss does not matter; 0 asks for all that the
  /// rounding of Scalar allows. A loss whose minimum is zero meets it only where the gradient
  /// vanishes.
  double gradient_tolerance = 1e-8;

  template <class Parameters, Objective<Parameters> Obj, Observer<Parameters> Obs>
  Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs& observer) const {
    using Scalar = typename Parameters::Scalar;
    require_options();
    const Scalar rate = static_cast<Scalar>(learning_rate);
    return detail::descend(*this, objective, start, observer,
                           [rate](Parameters& theta, const Parameters& gradient, Eigen::Index) {
                             detail::for_each_entry(theta, [&](Eigen::Index i) SCOREMATCH_INLINE {
                               theta(i) -= rate * gradient(i);
                             });
                           });
  }

  /// What `minimize` checks first, before there is anything to minimize.
  void require_options() const { detail::require_descent_options("GradientDescent", *this); }
};

}  // namespace scorematch
