// SPDX-License-Identifier: MIT
//
// The loop shared by the optimizers that take one step per gradient.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/core/unroll.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

namespace scorematch::detail {

// A fixed-size gradient comes by value: its address would keep it out of registers.
template <class Vector>
using Argument =
    std::conditional_t<Vector::SizeAtCompileTime == Eigen::Dynamic, const Vector&, Vector>;

template <class Vector>
EIGEN_DONT_INLINE typename Vector::Scalar stable_norm(Argument<Vector> gradient) {
  // Eigen's stableNorm is a tenth of what the notebook costs the compiler.
  using std::abs;
  using std::sqrt;
  using Lane = LaneOf<typename Vector::Scalar>;
  typename Vector::Scalar norm(0);
  for (int k = 0; k < lanes_of<typename Vector::Scalar>; ++k) {
    Lane largest(0);
    for (Eigen::Index i = 0; i < gradient.size(); ++i) {
      const Lane size = abs(lane_of(gradient(i), k));
      if (size > largest || size != size) largest = size;
      if (size != size) break;
    }
    Lane square(0);
    if (largest > 0 && largest <= (std::numeric_limits<Lane>::max)()) {
      for (Eigen::Index i = 0; i < gradient.size(); ++i) {
        const Lane scaled = lane_of(gradient(i), k) / largest;
        square += scaled * scaled;
      }
      largest *= sqrt(square);
    }
    set_lane(norm, k, largest);
  }
  return norm;
}

template <class Vector>
EIGEN_ALWAYS_INLINE typename Vector::Scalar squared_norm(const Vector& gradient) {
  typename Vector::Scalar square(0);
  for_each_entry(gradient,
                 [&](Eigen::Index i) SCOREMATCH_INLINE { square += gradient(i) * gradient(i); });
  return square;
}

// The least square whose root is accurate, though some terms of it may have underflowed.
template <class Scalar>
inline constexpr LaneOf<Scalar> least_square =
    (std::numeric_limits<LaneOf<Scalar>>::min)() / std::numeric_limits<LaneOf<Scalar>>::epsilon();

// The Euclidean norm; zero only where the gradient is, and not finite only where an entry is not,
// though the square alone may underflow or overflow.
template <class Vector>
typename Vector::Scalar gradient_norm(const Vector& gradient) {
  using std::sqrt;
  using Scalar = typename Vector::Scalar;
  const Scalar square = squared_norm(gradient);
  const MaskOf<Scalar> above = square > least_square<Scalar>;
  const MaskOf<Scalar> below = is_finite(square);
  return all(above & below) ? Scalar(sqrt(square)) : stable_norm<Vector>(gradient);
}

// Of a pack the square of a norm stands for it where that is accurate: the root takes as long as
// thirty products, and only that of the last point is asked for.
template <class Pack>
struct PackNorm {
  Pack value;
  bool squared = false;
};

// What a walk keeps of the norm of its gradient. No class where a Scalar does: g++ would keep it in
// memory.
template <class Scalar>
using NormOf = std::conditional_t<Lockstep<Scalar>, PackNorm<Scalar>, Scalar>;

template <class Scalar>
EIGEN_ALWAYS_INLINE NormOf<Scalar> norm_of_square(const Scalar& square) {
  using std::sqrt;
  if constexpr (Lockstep<Scalar>) {
    return {square, true};
  } else {
    return sqrt(square);
  }
}

template <Real Scalar>
EIGEN_ALWAYS_INLINE Scalar value_of(const Scalar& norm) {
  return norm;
}
template <Lockstep Pack>
EIGEN_ALWAYS_INLINE Pack value_of(const PackNorm<Pack>& norm) {
  return norm.squared ? Pack(sqrt(norm.value)) : norm.value;
}

template <Real Scalar>
EIGEN_ALWAYS_INLINE bool at_most(const Scalar& norm, const Scalar& limit) {
  return norm <= limit;
}
template <Lockstep Pack>
EIGEN_ALWAYS_INLINE MaskOf<Pack> at_most(const PackNorm<Pack>& norm, const Pack& limit) {
  return norm.squared ? norm.value <= limit * limit : norm.value <= limit;
}

template <class Scalar>
Scalar number_or_infinity(const Scalar& value) {
  const Scalar infinity(std::numeric_limits<LaneOf<Scalar>>::infinity());
  return select(value == value, value, infinity);
}

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
    Scalar next_loss = objective(next, gradient);
    const Scalar square = squared_norm(gradient);
    NormOf<Scalar> next_norm = norm_of_square(square);
    const Mask above = square > least_square<Scalar>;
    const Mask below = is_finite(square + next_loss);
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
    const bool go_on = taken == 0 || observe(observer, IterationState<Parameters>{
                                                           taken, loss, value_of(norm), next});
    // Not Eigen's copy, which makes pairs.
    for_each_entry(theta, [&](Eigen::Index i) SCOREMATCH_INLINE { theta(i) = next(i); });
    loss = next_loss;
    norm = next_norm;
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
