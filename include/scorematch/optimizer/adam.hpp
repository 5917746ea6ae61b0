// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/optimizer/descent.hpp>
#include <scorematch/optimizer/step_schedule.hpp>

#include <Eigen/Core>

#include <cmath>

namespace scorematch {

/// Adam (Kingma and Ba 2015, Algorithm 1): a step size for each parameter from running means of
/// the gradient and its square.
///
/// **Math** m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2,
/// theta <- theta - learning_rate m^ / (sqrt(v^) + epsilon) with m^ = m / (1 - beta1^t) and
/// v^ = v / (1 - beta2^t), until |g| <= gradient_tolerance |loss|.
///
/// A step has about the size of the learning rate, whatever the size of the gradient while that is
/// well above `epsilon`, which is in its units: far from a minimum that is an advantage, near it a
/// constant learning rate may circle for ever. With `amsgrad` the largest v so far stands for v
/// (Reddi, Kale and Kumar 2018), so that steps shrink with the gradient and an exact gradient leads
/// to the minimum.
///
/// On a noisy gradient (mini-batches) a constant learning rate ends at a distance from the minimum
/// that it sets. With `decay` step t has the rate learning_rate / sqrt(1 + decay t), t = 0, 1, ...:
/// at first constant, then falling as 1 / sqrt(t), the schedule of the convergence theorem of
/// Kingma and Ba. A `schedule` multiplies with that: a warm-up, a cosine to a last fraction.
///
/// **Errors** as `GradientDescent`; beta1 and beta2 must lie in [0, 1), epsilon above 0 in
/// the scalar of the parameters too; decay must be finite and at least 0, and the schedule as it
/// says. A gradient whose square overflows ends the walk as `diverged`.
///
/// **Cost** as `GradientDescent`, and four more parameter vectors.
struct Adam {
  double learning_rate = 1e-2;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  bool amsgrad = false;
  /// The rate has halved after 3 / decay steps.
  double decay = 0;
  /// The fraction of the rate that each step has.
  StepSchedule schedule = {};
  Eigen::Index max_iterations = 10000;
  /// Relative to |loss|.
  double gradient_tolerance = 1e-8;

  template <class Parameters, Objective<Parameters> Obj, Observer<Parameters> Obs>
  Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs& observer) const {
    using std::sqrt;
    using Scalar = typename Parameters::Scalar;
    require_options();
    const Scalar rate = static_cast<Scalar>(learning_rate);
    const Scalar b1 = static_cast<Scalar>(beta1);
    const Scalar b2 = static_cast<Scalar>(beta2);
    const auto least = static_cast<LaneOf<Scalar>>(epsilon);
    detail::require_option(least > 0, "Adam", "epsilon", epsilon,
                           "a number that the scalar of the parameters can tell from 0");
    const Scalar guard(least);
    Scalar b1_power(1);
    Scalar b2_power(1);
    Parameters first = Parameters::Zero(start.size());
    Parameters second = Parameters::Zero(start.size());
    Parameters largest = Parameters::Zero(start.size());
    Parameters deviation(start.size());
    return detail::descend(
        *this, objective, start, observer,
        [&, b1, b2, guard, keeps_largest = amsgrad](Parameters& theta, const Parameters& gradient,
                                                    Eigen::Index iteration) {
          // Loops cost the compiler a fraction of what expressions do. The square root is Eigen's:
          // compilers vectorize their own only where errno is off.
          for (Eigen::Index i = 0; i < gradient.size(); ++i) {
            first(i) = b1 * first(i) + (1 - b1) * gradient(i);
            second(i) = b2 * second(i) + (1 - b2) * (gradient(i) * gradient(i));
            largest(i) = keeps_largest ? Eigen::numext::maxi(largest(i), second(i)) : second(i);
          }
          b1_power *= b1;
          b2_power *= b2;
          const Scalar fall =
              static_cast<Scalar>(std::sqrt(1 + decay * static_cast<double>(iteration - 1)));
          const Scalar part = static_cast<Scalar>(schedule(iteration - 1, max_iterations));
          const Scalar scale = rate * part / fall / (1 - b1_power);
          const Scalar correction = Scalar(1) / sqrt(1 - b2_power);
          deviation = largest.cwiseSqrt();
          for (Eigen::Index i = 0; i < gradient.size(); ++i) {
            // A NaN where the square of a gradient has overflowed: no step would ever move again.
            const Scalar lost = second(i) - second(i);
            theta(i) -= scale * first(i) / (deviation(i) * correction + guard) + lost;
          }
        });
  }

  /// What `minimize` checks first, but for what depends on the scalar of the parameters.
  void require_options() const {
    using std::isfinite;
    detail::require_descent_options("Adam", *this);
    detail::require_option(beta1 >= 0 && beta1 < 1, "Adam", "beta1", beta1, "a number in [0, 1)");
    detail::require_option(beta2 >= 0 && beta2 < 1, "Adam", "beta2", beta2, "a number in [0, 1)");
    detail::require_option(isfinite(epsilon) && epsilon > 0, "Adam", "epsilon", epsilon,
                           "a finite number above 0");
    detail::require_option(isfinite(decay) && decay >= 0, "Adam", "decay", decay,
                           "a finite number, at least 0");
    schedule.require_options("Adam");
  }
};

}  // namespace scorematch
