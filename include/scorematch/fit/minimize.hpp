// SPDX-License-Identifier: MIT
//
// An optimizer and an objective, without families or samples.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/optimizer/norm.hpp>

#include <Eigen/Core>

namespace scorematch {

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

}  // namespace scorematch
