// SPDX-License-Identifier: MIT
//
// The line search of Lbfgs.
#pragma once

#include <scorematch/core/scalar.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace scorematch::detail {

// A step t that meets the strong Wolfe conditions along one direction, after More and Thuente
// (1994):
//
//   f(t) <= f(0) + decrease t f'(0),   |f'(t)| <= curvature |f'(0)|.
//
// It knows numbers only: the caller evaluates the loss at the step that `next` asks for. Each trial
// shrinks an interval that holds such a step, or reaches further out while there is none, by the
// minimizer of a cubic or a parabola through what is known, with safeguards.
template <Real Scalar>
class WolfeSearch {
 public:
  struct Point {
    Scalar step;
    Scalar value;
    Scalar slope;
  };

  WolfeSearch(const Scalar& value, const Scalar& slope)
      : start_{0, value, slope}, best_(start_), other_(start_) {}

  // True where the search may end. Close to a minimum the decrease drowns in the rounding of the
  // value while the slope still tells: there the first condition is asked of the parabola through
  // the two slopes (Hager and Zhang 2005, the approximate Wolfe conditions).
  bool accepts(const Point& at) const {
    using std::abs;
    if (!(abs(at.slope) <= curvature * abs(start_.slope))) return false;
    if (excess(at) <= 0) return true;
    const Scalar rounding = noise * abs(start_.value);
    return abs(at.value - start_.value) <= rounding &&
           at.slope <= (2 * decrease - 1) * start_.slope;
  }

  // The step to try after a trial that was not accepted.
  Scalar next(const Point& at) {
    using std::abs;
    // Until there is a trial with enough decrease and a slope that no longer falls steeply, the
    // interval may be chosen by f(t) - decrease t f'(0), whose minimizers meet the conditions.
    if (excess(at) <= 0 && at.slope >= decrease * start_.slope) first_stage_ = false;
    const bool tilted = first_stage_ && at.value <= best_.value && excess(at) > 0;
    const Scalar tilt = tilted ? decrease * start_.slope : Scalar(0);
    const Point trial = lean(at, tilt);
    const Point best = lean(best_, tilt);
    const Scalar step = propose(trial, best, lean(other_, tilt));
    if (!(trial.value <= best.value)) {
      other_ = at;
      bracketed_ = true;
    } else {
      if (trial.slope * best.slope < 0) {
        other_ = best_;
        bracketed_ = true;
      }
      best_ = at;
    }
    if (!bracketed_) return step;
    // Two trials must cut the interval to two thirds; else it is halved.
    const Scalar width = abs(other_.step - best_.step);
    const bool slow = width >= two_thirds * width_before_;
    width_before_ = width_;
    width_ = width;
    return slow || !inside(step) ? middle() : step;
  }

  // The step to try after one where the loss or its gradient is not finite.
  Scalar next_inside(const Scalar& step) {
    other_ = {step, infinity, infinity};
    bracketed_ = true;
    width_before_ = width_ = infinity;
    return best_.step + (step - best_.step) / 8;
  }

  // True where the interval is down to rounding.
  bool exhausted() const {
    using std::abs;
    return bracketed_ && abs(other_.step - best_.step) <=
                             4 * epsilon * (std::max)(abs(best_.step), abs(other_.step));
  }

  // The best trial so far, if it has enough decrease.
  bool has_decrease() const { return best_.step > 0 && excess(best_) <= 0; }
  Scalar best_step() const { return best_.step; }

 private:
  using Limits = std::numeric_limits<Scalar>;
  static constexpr Scalar epsilon = Limits::epsilon();
  static constexpr Scalar infinity = Limits::infinity();
  // What a sum of many terms that cancel may leave; epsilon^(2/3) is 4e-11 for double.
  static constexpr Scalar noise = Scalar(sizeof(Scalar) == 4   ? 2.5e-5L
                                         : sizeof(Scalar) == 8 ? 4e-11L
                                                               : 2.5e-13L);
  static constexpr Scalar decrease = Scalar(1e-4L);
  static constexpr Scalar curvature = Scalar(0.9L);
  static constexpr Scalar two_thirds = Scalar(2) / 3;

  Scalar excess(const Point& at) const {
    return at.value - start_.value - decrease * at.step * start_.slope;
  }

  static Point lean(const Point& at, const Scalar& tilt) {
    return {at.step, at.value - tilt * at.step, at.slope - tilt};
  }

  // More and Thuente's section 4: `at` is the trial, `best` the end of the interval with the lowest
  // value, `other` the other end.
  Scalar propose(const Point& at, const Point& best, const Point& other) const {
    using std::abs;
    const Scalar cubic = cubic_minimizer(best, at);
    if (!(at.value <= best.value)) {  // a minimizer lies between
      const Scalar length = at.step - best.step;
      const Scalar parabola =
          best.step + best.slope / ((best.value - at.value) / length + best.slope) / 2 * length;
      return abs(cubic - best.step) < abs(parabola - best.step) ? cubic
                                                                : cubic + (parabola - cubic) / 2;
    }
    const Scalar secant = at.step + at.slope / (at.slope - best.slope) * (best.step - at.step);
    if (at.slope * best.slope < 0) {  // a minimizer lies between
      return abs(cubic - at.step) > abs(secant - at.step) ? cubic : secant;
    }
    const Scalar ahead = at.step - best.step;
    if (abs(at.slope) < abs(best.slope)) {  // the slope flattens ahead
      const bool useful = (cubic - at.step) * ahead > 0;
      if (bracketed_) {
        const bool cubic_is_nearer = useful && abs(cubic - at.step) < abs(secant - at.step);
        const Scalar step = cubic_is_nearer ? cubic : secant;
        const Scalar limit = at.step + two_thirds * (other.step - at.step);
        return ahead > 0 ? (std::min)(step, limit) : (std::max)(step, limit);
      }
      const Scalar step = useful ? (std::max)(cubic, secant) : at.step + 4 * ahead;
      return (std::min)((std::max)(step, at.step + ahead / 10 * 11), at.step + 4 * ahead);
    }
    if (!bracketed_) return at.step + 4 * ahead;
    return cubic_minimizer(other, at);  // not a number where `other` is not finite
  }

  // Of the cubic with the values and slopes of a and b; not a number where it has none.
  static Scalar cubic_minimizer(const Point& a, const Point& b) {
    using std::abs;
    using std::sqrt;
    const Scalar length = b.step - a.step;
    const Scalar theta = 3 * (a.value - b.value) / length + a.slope + b.slope;
    const Scalar scale = (std::max)((std::max)(abs(theta), abs(a.slope)), abs(b.slope));
    const Scalar square = (theta / scale) * (theta / scale) - (a.slope / scale) * (b.slope / scale);
    const Scalar root = (length > 0 ? scale : -scale) * sqrt(square);
    return b.step - length * (b.slope + root - theta) / (b.slope - a.slope + 2 * root);
  }

  Scalar middle() const { return best_.step + (other_.step - best_.step) / 2; }

  bool inside(const Scalar& step) const {
    return step > (std::min)(best_.step, other_.step) && step < (std::max)(best_.step, other_.step);
  }

  Point start_;
  Point best_;
  Point other_;
  bool bracketed_ = false;
  bool first_stage_ = true;
  Scalar width_ = infinity;
  Scalar width_before_ = infinity;
};

}  // namespace scorematch::detail
