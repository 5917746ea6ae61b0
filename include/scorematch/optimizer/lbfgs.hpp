// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/machine.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/optimizer/descent.hpp>
#include <scorematch/optimizer/wolfe_search.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

namespace scorematch {

namespace detail {

inline constexpr int max_history = 20;

// The last pairs s = theta' - theta, y = g' - g, of which the inverse Hessian H is made.
template <class Parameters>
class SecantPairs {
 public:
  using Scalar = typename Parameters::Scalar;

  SecantPairs(Eigen::Index n, Eigen::Index history)
      : steps_(n, history), changes_(n, history), history_(history) {}

  bool empty() const { return count_ == 0; }
  void clear() { count_ = 0; }
  // s'y / y'y of the newest pair that ever was: an inverse curvature.
  Scalar scale() const { return scale_; }

  // A pair without positive curvature, or whose curvature is rounding, is left out: H stays
  // positive definite.
  void add(const Parameters& step, const Parameters& change) {
    using std::sqrt;
    const Scalar curvature = step.dot(change);
    const Scalar square = change.squaredNorm();
    const Scalar least = std::numeric_limits<Scalar>::epsilon() * sqrt(square) * step.norm();
    const Scalar scale = curvature / square;
    if (!(curvature > least && scale > 0 && is_finite(1 / curvature))) return;
    newest_ = (newest_ + 1) % history_;
    count_ = (std::min)(count_ + 1, history_);
    steps_.col(newest_) = step;
    changes_.col(newest_) = change;
    curvatures_(newest_) = curvature;
    scale_ = scale;
  }

  // direction = -H gradient by the two-loop recursion (Nocedal 1980), from H = s'y / y'y I (Liu and
  // Nocedal 1989).
  void aim(const Parameters& gradient, Parameters& direction) const {
    Weights along;
    direction = -gradient;
    for (Eigen::Index k = 0; k < count_; ++k) {
      const Eigen::Index i = nth_newest(k);
      along(i) = steps_.col(i).dot(direction) / curvatures_(i);
      direction -= along(i) * changes_.col(i);
    }
    direction *= scale_;
    for (Eigen::Index k = count_ - 1; k >= 0; --k) {
      const Eigen::Index i = nth_newest(k);
      const Scalar back = changes_.col(i).dot(direction) / curvatures_(i);
      direction += (along(i) - back) * steps_.col(i);
    }
  }

  // At most v'Gv, with G the Hessian: (v'y)^2 / s'y where y = G s, by Cauchy and Schwarz.
  Scalar curvature_along(const Parameters& v) const {
    Scalar largest(0);
    for (Eigen::Index k = 0; k < count_; ++k) {
      const Eigen::Index i = nth_newest(k);
      const Scalar product = changes_.col(i).dot(v);
      largest = (std::max)(largest, product / curvatures_(i) * product);
    }
    return largest;
  }

 private:
  static constexpr int Size = Parameters::SizeAtCompileTime;
  // On the stack while it has room; Eigen refuses fixed sizes of more than 128.
  static constexpr bool fixed =
      Size != Eigen::Dynamic && Size <= stack_bytes / (max_history * int(sizeof(Scalar)));
  using Columns =
      Eigen::Matrix<Scalar, Size, Eigen::Dynamic, Size == 1 ? Eigen::RowMajor : Eigen::ColMajor,
                    Size, fixed ? max_history : Eigen::Dynamic>;
  using Weights = Eigen::Matrix<Scalar, max_history, 1>;

  Eigen::Index nth_newest(Eigen::Index k) const { return (newest_ - k + history_) % history_; }

  Columns steps_;
  Columns changes_;
  Weights curvatures_;  // s'y
  Scalar scale_{1};
  Eigen::Index history_;
  Eigen::Index count_ = 0;
  Eigen::Index newest_ = 0;
};

// The objective in the coordinates in which Lbfgs walks: its own local ones where it has them.
template <class Obj, class Parameters>
struct WalkCoordinates {
  Obj& objective;

  typename Parameters::Scalar operator()(const Parameters& u, Parameters& gradient) {
    return objective(u, gradient);
  }
  const Parameters& enter(const Parameters& theta) { return theta; }
  const Parameters& leave(const Parameters& u) { return u; }
};

template <class Obj, class Parameters>
  requires HasLocalCoordinates<Obj, Parameters>
struct WalkCoordinates<Obj, Parameters> {
  Obj& objective;

  typename Parameters::Scalar operator()(const Parameters& u, Parameters& gradient) {
    return objective.local(u, gradient);
  }
  Parameters enter(const Parameters& theta) { return objective.to_local(theta); }
  Parameters leave(const Parameters& u) { return objective.from_local(u); }
};

// One run of Lbfgs: from `here` along `direction_` to `next`.
template <class Options, class Obj, class Parameters>
class LbfgsWalk {
 public:
  using Scalar = typename Parameters::Scalar;

  struct At {
    Parameters theta;
    Parameters gradient;
    Scalar loss;
    Scalar norm;

    bool finite() const { return is_finite(loss) && is_finite(norm); }
  };

  LbfgsWalk(const Options& options, Obj& objective, const Parameters& start)
      : coordinates{objective},
        here{coordinates.enter(start), Parameters::Zero(start.size()), Scalar(0), Scalar(0)},
        next(here),
        options_(options),
        objective_(objective),
        pairs_(start.size(), options.history),
        direction_(start.size()),
        start_(here.theta),
        travelled_(start.size()),
        tolerance_((std::max)(static_cast<Scalar>(options.gradient_tolerance), attainable)) {
    evaluate(here);
    lowest_ = here.loss;
  }

  // Chooses a direction, and counts for how long it has promised next to nothing.
  void aim() {
    if (here.norm == 0) return;
    if (!pairs_.empty()) {
      pairs_.aim(here.gradient, direction_);
      slope_ = here.gradient.dot(direction_);
      if (!(slope_ < 0 && is_finite(slope_))) pairs_.clear();
    }
    const bool close =
        !pairs_.empty() && is_level() && left() <= (is_flat() ? tolerance_ : epsilon) * size();
    in_a_row_ = close ? in_a_row_ + 1 : 0;
  }

  // Where the walk is, as far as this point and the last ones tell.
  enum class Place { on_the_way, at_minimum, at_minimum_if_each_parameter_is };
  Place place() {
    if (here.norm == 0) return Place::at_minimum;
    if (HasDistanceToMinimum<Obj, Parameters> && is_flat() && matches()) return Place::at_minimum;
    if (pairs_.empty()) return Place::on_the_way;
    if (is_zero(left())) return matches() ? Place::at_minimum : Place::on_the_way;
    return in_a_row_ >= 2 && matches() ? Place::at_minimum_if_each_parameter_is : Place::on_the_way;
  }

  // Has each parameter arrived, where there is no distance to tell? If not, H has not seen the one
  // that did not: it is forgotten, and no other look taken for some steps.
  bool each_has_arrived() {
    if constexpr (HasDistanceToMinimum<Obj, Parameters>) {
      return true;
    } else {
      if (steps_to_look_ > 0) return false;
      if (each_parameter_settled()) return true;
      pairs_.clear();
      in_a_row_ = 0;
      steps_to_look_ = 5;
      return false;
    }
  }

  // Finds `next`; false where there is no acceptable step, or where the last ones only went to and
  // fro within the rounding of the loss.
  bool search() {
    if (without_gain_ >= 20) return false;
    if (!pairs_.empty() && search(Scalar(1))) return true;
    pairs_.clear();
    direction_ = -here.gradient / here.norm;
    slope_ = -here.norm;
    return search(first_step());
  }

  // Where no step lowers the loss: as far as Scalar allows? With the pairs forgotten, their last
  // scale tells the decrease that is left.
  bool settled() {
    const Scalar decrease = pairs_.scale() / 2 * here.gradient.squaredNorm();
    return (in_a_row_ > 0 || (is_flat() && is_level() && decrease <= tolerance_ * size())) &&
           matches() && (HasDistanceToMinimum<Obj, Parameters> || each_parameter_settled());
  }

  void move() {
    // What was at `here` is not needed any more, and what is there later is written before.
    here.theta = next.theta - here.theta;
    here.gradient = next.gradient - here.gradient;
    pairs_.add(here.theta, here.gradient);
    if (steps_to_look_ > 0) --steps_to_look_;
    std::swap(here, next);
    without_gain_ = here.loss < lowest_ ? 0 : without_gain_ + 1;
    lowest_ = (std::min)(lowest_, here.loss);
  }

  Minimum<Parameters> end(Eigen::Index taken, Status status) {
    if constexpr (HasLocalCoordinates<Obj, Parameters>) {
      here.theta = coordinates.leave(here.theta);
      here.loss = objective_(std::as_const(here.theta), here.gradient);
      here.norm = gradient_norm(here.gradient);
    }
    return {here.theta, number_or_infinity(here.loss), number_or_infinity(here.norm), taken,
            status};
  }

  WalkCoordinates<Obj, Parameters> coordinates;
  At here;
  At next;

 private:
  static constexpr Scalar epsilon = std::numeric_limits<Scalar>::epsilon();
  static constexpr Scalar attainable = 32 * epsilon;

  void evaluate(At& at) {
    at.loss = coordinates(std::as_const(at.theta), at.gradient);
    at.norm = gradient_norm(at.gradient);
  }

  Scalar size() const {
    const Scalar loss = here.loss - info_of<Parameters>(objective_).constant;
    return (std::max)(std::abs(loss), static_cast<Scalar>(options_.loss_scale));
  }

  // Necessary for a minimum, whatever H says; also in the units of theta. The distance says more,
  // where it is known: at a minimum of zero the gradient may be of the size of the loss.
  bool is_level() const {
    if constexpr (HasDistanceToMinimum<Obj, Parameters>) return true;
    const Scalar root = std::sqrt(tolerance_);
    const Scalar scaled = here.gradient.cwiseProduct(here.theta).cwiseAbs().maxCoeff();
    return here.norm <= root * size() && scaled <= std::sqrt(root) * size();
  }

  // The decrease that is left if H is right.
  Scalar left() const { return -slope_ / 2; }

  bool is_flat() const { return here.norm <= tolerance_ * size(); }

  // Is the loss zero at its minimum, and theta within its rounding? Where theta is zero there too,
  // the way that it came stands for its size, if all of the loss is left to go and the next step is
  // nothing beside that way: on a slope that fades for ever it is not.
  bool is_zero(const Scalar& decrease) {
    const auto within = [&](const Parameters& size) {
      const Scalar zero = attainable * attainable / 2 * pairs_.curvature_along(size);
      return decrease <= zero && here.loss >= 0 && here.loss <= zero;
    };
    if (within(here.theta)) return true;
    if (!(here.loss >= 0 && here.loss <= 4 * decrease)) return false;
    travelled_ = here.theta - start_;
    return direction_.norm() <= std::sqrt(epsilon) * travelled_.norm() && within(travelled_);
  }

  bool matches() {
    if constexpr (requires { objective_.local_distance_to_minimum(here.theta); }) {
      return objective_.local_distance_to_minimum(here.theta) <= std::sqrt(tolerance_);
    } else if constexpr (HasDistanceToMinimum<Obj, Parameters>) {
      return detail::matches<Parameters>(objective_, coordinates.leave(here.theta),
                                         std::sqrt(tolerance_));
    } else {
      return true;
    }
  }

  bool each_parameter_settled() {
    return detail::each_settled<Parameters>(coordinates, here.theta, start_, here.gradient,
                                            here.loss, tolerance_);
  }

  // Along a direction of which nothing is known but the slope: where the loss would be zero if it
  // went on falling twice as slowly, but not farther than theta is from the origin.
  Scalar first_step() const {
    const Scalar length = gradient_norm(here.theta);
    const Scalar longest = length > 0 ? length : Scalar(1);
    const Scalar to_zero = 2 * std::abs(here.loss) / here.norm;
    return to_zero > 0 ? (std::min)(to_zero, longest) : longest;
  }

  bool search(Scalar step) {
    WolfeSearch<Scalar> wolfe(here.loss, slope_);
    for (Eigen::Index k = 0; k < options_.max_evaluations && !wolfe.exhausted(); ++k) {
      try_step(step);
      if (next.finite()) {
        const Scalar slope = next.gradient.dot(direction_);
        if (wolfe.accepts({step, next.loss, slope})) return true;
        step = wolfe.next({step, next.loss, slope});
      } else {
        step = wolfe.next_inside(step);
      }
    }
    if (!wolfe.has_decrease()) return false;
    try_step(wolfe.best_step());
    return next.finite();
  }

  void try_step(const Scalar& step) {
    next.theta = here.theta + step * direction_;
    evaluate(next);
  }

  const Options& options_;
  Obj& objective_;
  SecantPairs<Parameters> pairs_;
  Parameters direction_;
  Parameters start_;
  Parameters travelled_;  // where it is asked for
  Scalar tolerance_;
  Scalar slope_{0};        // along the direction
  int steps_to_look_ = 0;  // at each parameter again
  int in_a_row_ = 0;       // the last iterations that were close to a minimum
  Scalar lowest_{0};
  int without_gain_ = 0;  // steps since the lowest loss
};

}  // namespace detail

/// Limited-memory BFGS with a line search: steps along -H g, where H, an inverse Hessian made of
/// the last few steps and changes of the gradient, learns the scales of the loss on the way. No
/// learning rate; the fewest iterations of all where the loss is smooth and its gradient exact.
///
/// **Math** The two-loop recursion (Nocedal 1980) from H = (s'y / y'y) I (Liu and Nocedal 1989).
/// Steps meet the strong Wolfe conditions with 1e-4 and 0.9, by the search of More and Thuente
/// (1994); close to a minimum the approximate ones (Hager and Zhang 2005), with which a step may
/// raise the loss by its rounding, taken as epsilon^(2/3) |loss|. Where no step is found, H is
/// forgotten and the gradient followed.
///
/// Where the objective has local coordinates (`HasLocalCoordinates`), it walks in them.
///
/// With t the gradient_tolerance, but at least 32 epsilon, J = max(|loss|, loss_scale), and
/// r = g'Hg / 2, the decrease that is left if H is right, it has converged where
/// - the gradient is zero;
/// - the objective knows its distance: |g| <= t J, and the distance is at most sqrt(t);
/// - else, at two iterations in a row, |g| <= t J and r <= t J; or, at two in a row,
///   |g| <= sqrt(t) J and r <= epsilon J: the step between them has shown that H is right. In both,
///   |g_i theta_i| <= t^(1/4) J as well: no factor on theta_i would change the loss much;
/// - the loss is not negative, and it and r are at most (32 epsilon)^2 theta'G theta / 2, with G
/// the
///   Hessian: the loss is zero at the minimum, and theta within its rounding;
/// - no step lowers the loss, and the third test has held once, or its first form does with the
///   scale of the last pair for H.
///
/// docs/mathematics.md says why.
///
/// **Errors** std::invalid_argument for an option out of range and for a stochastic objective,
/// whose line searches would follow the noise. A trial where the loss or its gradient is not finite
/// is shortened, whether it left the domain or overflowed; `Status::diverged` is for a start that
/// is not finite. `Status::line_search_failed` where no step lowers the loss.
///
/// **Cost** mostly one value and gradient a step, and about 5 history inner products of parameter
/// vectors.
///
/// **Allocation** none for fixed sizes while 20 parameter vectors take at most 64 KiB; otherwise
/// 2 history + 8 parameter vectors, before the first step, and one a step for an observer of a walk
/// in local coordinates.
///
/// **Observer** sees parameters in the caller's coordinates, and the norm of the gradient in those
/// of the walk.
///
/// **Example** tests/lbfgs_test.cpp
struct Lbfgs {
  static constexpr Eigen::Index max_history = detail::max_history;
  static constexpr bool adaptive = true;

  Eigen::Index history = 10;  ///< pairs kept, from 1 to max_history
  Eigen::Index max_iterations = 10000;
  /// Relative to |loss|; 0 asks for all that the rounding of Scalar allows.
  double gradient_tolerance = 1e-8;
  /// Below this, a loss counts as zero for the relative tests: worth setting where the loss is zero
  /// at its minimum and not every digit of that zero is wanted.
  double loss_scale = 0;
  Eigen::Index max_evaluations = 20;  ///< for one line search, at least 2

  template <class Parameters, Objective<Parameters> Obj, Observer<Parameters> Obs>
    requires Real<typename Parameters::Scalar>
  Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs& observer) const {
    require_options();
    if (detail::info_of<Parameters>(objective).stochastic) {
      detail::fail(
          "Lbfgs: objective.info().stochastic = 1; expected a loss without fresh random draws "
          "(batch_size 0), or Adam");
    }
    using Walk = detail::LbfgsWalk<Lbfgs, Obj, Parameters>;
    Walk walk(*this, objective, start);
    if (!walk.here.finite()) return walk.end(0, Status::diverged);
    for (Eigen::Index taken = 0;;) {
      walk.aim();
      const auto place = walk.place();
      if (place == Walk::Place::at_minimum ||
          (place == Walk::Place::at_minimum_if_each_parameter_is && walk.each_has_arrived())) {
        return walk.end(taken, Status::converged);
      }
      if (taken >= max_iterations) return walk.end(taken, Status::iteration_limit);
      if (!walk.search()) {
        return walk.end(taken, walk.settled() ? Status::converged : Status::line_search_failed);
      }
      ++taken;
      bool go_on = true;
      if constexpr (!std::is_same_v<Obs, NoObserver>) {
        const Parameters& theta = walk.coordinates.leave(walk.next.theta);
        go_on = detail::observe(
            observer, IterationState<Parameters>{taken, walk.here.loss, walk.here.norm, theta});
      }
      walk.move();
      if (!go_on) return walk.end(taken, Status::stopped);
    }
  }

  /// What `minimize` checks first, before there is anything to minimize.
  void require_options() const {
    using std::isfinite;
    detail::require_option(history >= 1 && history <= max_history, "Lbfgs", "history", history,
                           "a number from 1 to 20");
    detail::require_option(max_iterations >= 1, "Lbfgs", "max_iterations", max_iterations,
                           "at least 1");
    detail::require_option(isfinite(gradient_tolerance) && gradient_tolerance >= 0, "Lbfgs",
                           "gradient_tolerance", gradient_tolerance, "a finite number, at least 0");
    detail::require_option(isfinite(loss_scale) && loss_scale >= 0, "Lbfgs", "loss_scale",
                           loss_scale, "a finite number, at least 0");
    detail::require_option(max_evaluations >= 2, "Lbfgs", "max_evaluations", max_evaluations,
                           "at least 2");
  }
};

}  // namespace scorematch
