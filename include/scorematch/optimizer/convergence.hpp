// SPDX-License-Identifier: MIT
//
// When a walk has arrived at a minimum.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/optimizer/norm.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace scorematch::detail {

// |g| <= tolerance |J|, never asking for more than the rounding of a gradient allows. Relative,
// because a score matching loss has units: 1e-8 is tiny for samples of order one and huge for
// samples of order 1e5. A direction in which the model is far too wide adds next to nothing to
// either side, so an objective that knows its distance must find it small as well; where the
// gradient is small to first order, its square root is enough. Of any other objective the gradient
// must be small in the units of theta too: |g| / |J| also vanishes on the way to infinity, where
// |g . theta| is a multiple of |J|.
template <class Parameters, class Obj, class Scalar = typename Parameters::Scalar>
EIGEN_DONT_INLINE MaskOf<Scalar> matches(Obj& objective, Argument<Parameters> theta,
                                         LaneOf<Scalar> tolerance) {
  return objective.distance_to_minimum(theta) <= tolerance;
}

template <class Parameters, class Scalar = typename Parameters::Scalar>
EIGEN_DONT_INLINE MaskOf<Scalar> level(Argument<Parameters> theta, Argument<Parameters> gradient,
                                       const Scalar& limit) {
  using std::abs;
  Scalar sum(0);
  for (Eigen::Index i = 0; i < theta.size(); ++i) sum += abs(theta(i) * gradient(i));
  return sum <= limit;
}

// No less than the rounding of a gradient allows.
template <class Scalar>
LaneOf<Scalar> relative_tolerance(double tolerance) {
  using Lane = LaneOf<Scalar>;
  return (std::max)(static_cast<Lane>(tolerance), 32 * std::numeric_limits<Lane>::epsilon());
}

template <class Obj, class Parameters, class Scalar = typename Parameters::Scalar>
EIGEN_ALWAYS_INLINE MaskOf<Scalar> converged(Obj& objective, const Parameters& theta,
                                             const Parameters& gradient, const Scalar& loss,
                                             const NormOf<Scalar>& norm, double tolerance) {
  using std::abs;
  const LaneOf<Scalar> relative = relative_tolerance<Scalar>(tolerance);
  const auto info = info_of<Parameters>(objective);
  const Scalar size = abs(loss - info.constant);
  MaskOf<Scalar> flat = at_most(norm, Scalar(relative * size));
  if (info.stochastic) flat = false;  // a noisy gradient may be small by chance
  if constexpr (HasDistanceToMinimum<Obj, Parameters>) {
    if (any(flat)) {
      const MaskOf<Scalar> close = matches<Parameters>(objective, theta, std::sqrt(relative));
      flat = flat & close;
    }
  } else if (any(flat)) {
    const Scalar limit = size * std::sqrt(std::sqrt(relative));
    const MaskOf<Scalar> close = level<Parameters>(theta, gradient, limit);
    flat = flat & close;
  }
  return flat;
}

// Beside a stiff parameter, whose part of J dwarfs all others, the tests above are met where a soft
// one was never fitted. So an objective that knows no distance is looked at along each axis, and
// along the gradient, with the curvature from a difference of gradients: the minimum on that line
// must lie within sqrt(tolerance) of the size of theta_i (of theta) or of its way from the start,
// or what it would gain be lost in the rounding of J. One evaluation a parameter, at the end of a
// walk; of more than 64 parameters only the gradient and the way are followed.
template <class Parameters, class Obj, class Scalar = typename Parameters::Scalar>
EIGEN_DONT_INLINE bool each_settled(Obj& objective, Argument<Parameters> theta,
                                    Argument<Parameters> start, Argument<Parameters> gradient,
                                    const Scalar& loss, Scalar tolerance) {
  using std::abs;
  using std::sqrt;
  const Scalar rounding = std::numeric_limits<Scalar>::epsilon() * abs(loss);
  Parameters probe = theta;
  Parameters there(theta.size());
  // `move(step)` takes the probe along the line, `slope_of` is the slope of a gradient on it.
  const auto settled = [&](Scalar size, const auto& move, const auto& slope_of) {
    const Scalar slope = slope_of(gradient);
    const Scalar unit = size > 0 ? size : Scalar(1);
    Scalar step = Scalar(1e-4L) * unit;
    for (int side = 0; side < 2; ++side, step = -step) {
      move(step);
      const Scalar value = objective(std::as_const(probe), there);
      const Scalar curvature = (slope_of(there) - slope) / step;
      if (!is_finite(value) || !is_finite(curvature)) continue;
      const bool close = abs(slope) <= curvature * sqrt(tolerance) * size;
      const bool lost = slope * slope <= curvature * rounding || abs(slope) * unit <= rounding;
      return !(value < loss - tolerance * abs(loss)) && (close || lost);
    }
    return true;
  };
  const Parameters way = theta - start;
  const auto settled_along = [&](const Parameters& direction, Scalar size) {
    const Scalar length = gradient_norm(direction);
    return !(length > 0) ||
           settled(
               size, [&](Scalar step) { probe = theta + step / length * direction; },
               [&](const Parameters& at) { return Scalar(at.dot(direction) / length); });
  };
  const Scalar length = gradient_norm(way);
  const Scalar size = (std::max)(gradient_norm(Parameters(theta)), length);
  if (!settled_along(Parameters(gradient), size) || !settled_along(way, length)) return false;
  if (theta.size() > 64) return true;
  probe = theta;
  for (Eigen::Index i = 0; i < theta.size(); ++i) {
    const bool arrived = settled((std::max)(abs(theta(i)), abs(theta(i) - start(i))),
                                 [&](Scalar step) { probe(i) = theta(i) + step; },
                                 [i](const Parameters& at) { return at(i); });
    if (!arrived) return false;
    probe(i) = theta(i);
  }
  return true;
}

}  // namespace scorematch::detail
