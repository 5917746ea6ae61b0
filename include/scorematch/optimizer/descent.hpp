// The loop shared by the optimizers that take one step per gradient.
#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/status.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

namespace scorematch::detail {

// The Euclidean norm; zero only where the gradient is, and not finite only where an entry is not,
// though the square alone may underflow or overflow.
template <class Vector>
typename Vector::Scalar gradient_norm(const Vector& gradient) {
  using Limits = std::numeric_limits<typename Vector::Scalar>;
  const typename Vector::Scalar square = gradient.squaredNorm();
  const bool in_range = square > (Limits::min)() / Limits::epsilon() && square <= (Limits::max)();
  return in_range ? std::sqrt(square) : gradient.stableNorm();
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
// either side, so an objective that knows its mismatch must find it small as well; where the
// gradient is small to first order, its square root is enough.
template <class Obj, class Scalar>
bool converged(const Obj& objective, Scalar norm, Scalar loss, double tolerance) {
  using std::abs;
  using std::sqrt;
  const Scalar attainable = 32 * std::numeric_limits<Scalar>::epsilon();
  const Scalar relative = (std::max)(static_cast<Scalar>(tolerance), attainable);
  if (!(norm <= relative * abs(loss))) return false;
  if constexpr (HasMismatch<Obj>) return objective.mismatch() <= sqrt(relative);
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

// `step(theta, gradient, iteration)` moves theta. A step to where the loss or its gradient is not
// finite is not taken.
template <class Options, class Obj, class Parameters, class Obs, class Step>
Minimum<Parameters> descend(const Options& options, Obj& objective, const Parameters& start,
                            Obs& observer, Step step) {
  using std::isfinite;
  using std::isnan;
  using Scalar = typename Parameters::Scalar;
  Minimum<Parameters> at{start, Scalar(0), Scalar(0), 0, Status::iteration_limit};
  Parameters gradient(start.size());
  Parameters next = start;
  Parameters next_gradient(start.size());

  at.loss = objective(at.parameters, gradient);
  at.gradient_norm = gradient_norm(gradient);
  if (!isfinite(at.loss) || !isfinite(at.gradient_norm)) {
    // Nothing better is known than the start, but a NaN is never returned.
    if (isnan(at.loss)) at.loss = std::numeric_limits<Scalar>::infinity();
    if (isnan(at.gradient_norm)) at.gradient_norm = std::numeric_limits<Scalar>::infinity();
    at.status = Status::diverged;
    return at;
  }
  while (true) {
    if (converged(objective, at.gradient_norm, at.loss, options.gradient_tolerance)) {
      at.status = Status::converged;
      return at;
    }
    if (at.iterations >= options.max_iterations) return at;

    next = at.parameters;
    step(next, gradient, at.iterations + 1);
    const Scalar loss = objective(next, next_gradient);
    const Scalar norm = gradient_norm(next_gradient);
    if (!isfinite(loss) || !isfinite(norm)) {
      at.status = Status::diverged;
      return at;
    }
    ++at.iterations;
    const bool go_on = observe(
        observer, IterationState<Parameters>{at.iterations, at.loss, at.gradient_norm, next});
    std::swap(at.parameters, next);
    std::swap(gradient, next_gradient);
    at.loss = loss;
    at.gradient_norm = norm;
    if (!go_on) {
      at.status = Status::stopped;
      return at;
    }
  }
}

}  // namespace scorematch::detail
