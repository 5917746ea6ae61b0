// SPDX-License-Identifier: MIT
//
// Objectives with corners: a smooth part plus a penalty, and how one parameter of them is moved.
#pragma once

#include <scorematch/core/concepts/objective.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>

namespace scorematch {

/// A convex penalty that is a sum over the parameters, each on its own: sum_k value(k, theta_k).
/// A parameter is named by its index, or by another `Coordinate`.
///
/// Laws: `value(k, t)` is at least 0, zero at t = 0, and convex in t; `proximal(k, t, step)` is the
/// z that minimizes (z - t)^2 / 2 + step value(k, z), for step >= 0.
template <class P, class Scalar, class Coordinate = Eigen::Index>
concept SeparablePenalty =
    std::copy_constructible<std::remove_cvref_t<P>> &&
    requires(const std::remove_cvref_t<P>& penalty, const Coordinate& k, Scalar t, Scalar step) {
      { penalty.value(k, t) } -> std::convertible_to<Scalar>;
      { penalty.proximal(k, t, step) } -> std::convertible_to<Scalar>;
    };

/// One that is `weight(k)` |t|: linear but for the corner at 0. The weight is 0 where a parameter
/// is free, infinite where it is held at 0.
template <class P, class Scalar, class Coordinate = Eigen::Index>
concept AbsolutePenalty = SeparablePenalty<P, Scalar, Coordinate> &&
                          requires(const std::remove_cvref_t<P>& penalty, const Coordinate& k) {
                            { penalty.weight(k) } -> std::convertible_to<Scalar>;
                          };

/// An objective that is `smooth()`, an `Objective`, plus `penalty()`. Where the penalty has a
/// corner there is no gradient, and an optimizer that knows of corners asks for the two apart.
template <class O, class Parameters>
concept PenalizedObjective = requires(O& objective) {
  { objective.smooth() } -> Objective<Parameters>;
  { objective.penalty() } -> SeparablePenalty<typename Parameters::Scalar>;
};

/// A quadratic function J of many parameters, most of them zero, at a point of which one parameter
/// at a time is moved. A `Coordinate` c names the `c.count` parameters from index `c.k` on, which
/// are penalized together; m = 0, 1, ... is one of them. Mostly the count is 1.
///
/// Laws: `slope(c, m)` is dJ/dtheta here and `curvature(c, m)` >= 0 the second derivative, the same
/// everywhere; after `set(c, m, t)` the parameter is t and no other has changed; `for_each_slope`
/// visits every coordinate once, with the address of its slopes; `for_each_nonzero` those with a
/// parameter that is not zero, in an order that depends on the point alone; `direction()` is the
/// origin of J's quadratic part, 1/2 theta^T Gamma theta; `unit()` > 0 says what counts as a move
/// of one, times sqrt(curvature): about |dJ/dtheta| / sqrt(curvature) at the origin.
template <class P>
concept QuadraticPoint =
    requires(P& point, const P& at, const typename P::Coordinate& c, Eigen::Index m,
             typename P::Scalar t, void (*visit)(const typename P::Coordinate&),
             void (*look)(const typename P::Coordinate&, const typename P::Scalar*)) {
      requires Real<typename P::Scalar>;
      { c.k } -> std::convertible_to<Eigen::Index>;
      { c.count } -> std::convertible_to<Eigen::Index>;
      { at.parameter_count() } -> std::convertible_to<Eigen::Index>;
      { at.value(c, m) } -> std::convertible_to<typename P::Scalar>;
      { at.slope(c, m) } -> std::convertible_to<typename P::Scalar>;
      { at.curvature(c, m) } -> std::convertible_to<typename P::Scalar>;
      { at.loss() } -> std::convertible_to<typename P::Scalar>;
      { at.unit() } -> std::convertible_to<typename P::Scalar>;
      { at.direction() } -> std::same_as<P>;
      point.set(c, m, t);
      at.for_each_nonzero(visit);
      point.for_each_slope(look);
    };

/// An objective that can be taken up at a point: `at(theta)` is a `QuadraticPoint` of its smooth
/// part, `point_penalty()` the penalty on the point's coordinates, and `parameters(point)` leads
/// back.
///
/// Laws: `at(parameters(point))` is the point up to rounding. **Lifetime** the objective outlives
/// its points.
template <class O, class Parameters>
concept HasQuadraticPoint = requires(O& objective, const Parameters& theta) {
  requires QuadraticPoint<decltype(objective.at(theta))>;
  objective.point_penalty();
  { objective.parameters(objective.at(theta)) } -> std::convertible_to<Parameters>;
};

}  // namespace scorematch
