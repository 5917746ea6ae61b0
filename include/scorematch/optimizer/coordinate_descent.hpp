// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/optimizer/descent.hpp>
#include <scorematch/optimizer/norm.hpp>
#include <scorematch/optimizer/support_step.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace scorematch {

namespace detail {

// The parameters that a walk looks at. What is zero and stays so leaves.
template <class Coordinate>
class ActiveSet {
 public:
  explicit ActiveSet(Eigen::Index count) : in_(std::size_t(count), false) {}

  bool has(const Coordinate& c) const { return in_[std::size_t(c.k)]; }
  void add(const Coordinate& c) {
    if (has(c)) return;
    in_[std::size_t(c.k)] = true;
    list_.push_back(c);
  }
  template <class Keep>
  void keep(Keep&& keep) {
    std::erase_if(list_, [&](const Coordinate& c) {
      if (keep(c)) return false;
      in_[std::size_t(c.k)] = false;
      return true;
    });
  }
  const std::vector<Coordinate>& list() const { return list_; }

 private:
  std::vector<bool> in_;
  std::vector<Coordinate> list_;
};

}  // namespace detail

/// How a walk of `CoordinateDescent` over a point ended; the point holds where.
struct Descended {
  Eigen::Index iterations;  ///< sweeps over the active set
  Status status;
};

/// Coordinate descent for a quadratic loss with a penalty that is a sum over the parameters, such
/// as `L1`: each step puts one parameter at its minimum, the others held.
///
/// **Math** with c the curvature and s the slope of the smooth part in theta_k,
/// theta_k <- prox(theta_k - s / c, 1 / c), which for L1 is a soft threshold. A sweep goes once
/// over the *active set*. Zeros that stay zero leave it; when the others are settled, all slopes
/// are computed, and the parameters whose zero is not optimal enter. A group of parameters takes a
/// proximal gradient step with the sum of its curvatures. Where sweeps are slow, the equations of
/// the parameters that are not zero are solved by conjugate gradients, signs held; a step that
/// would raise the objective is cut off at the first change of sign. The objective never rises.
///
/// Converged where no parameter would move by more than `tolerance`, in units of u / sqrt(c) with u
/// the point's `unit()`, about |dJ/dtheta| / sqrt(c) at the origin, and never less than the
/// rounding of a slope allows. (A Gaussian of unit variances has u = 1; then all slopes are within
/// about `tolerance` of optimal.)
///
/// `unbounded` where a direction without curvature leads down for ever: too few samples for so
/// small a penalty.
///
/// **Errors** std::invalid_argument for an option out of range.
///
/// **Cost** with z parameters that are not zero at a site and p sites: a sweep O(p z^2), all slopes
/// O(p^2 z). Friedman, Hastie and Tibshirani (2010) for the active set.
///
/// **Example** docs/snippets/graphical_models.cpp
struct CoordinateDescent {
  Eigen::Index max_iterations = 1000;  ///< sweeps
  double tolerance = 1e-8;

  /// From an objective that is quadratic and a penalty (`HasQuadraticPoint`). The observer is
  /// called after each sweep.
  template <class Parameters, HasQuadraticPoint<Parameters> Obj, Observer<Parameters> Obs>
    requires Objective<Obj, Parameters>
  Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs& observer) const {
    using Scalar = typename Parameters::Scalar;
    Parameters gradient(start.size());
    const Scalar at_start = objective(start, gradient);
    if (!is_finite(at_start)) {
      return {start, at_start, detail::gradient_norm(gradient), 0, Status::diverged};
    }
    auto point = objective.at(start);
    Descended end{};
    if constexpr (std::same_as<Obs, NoObserver>) {
      end = walk(point, objective.point_penalty());
    } else {
      Scalar loss = at_start;
      end = walk(point, objective.point_penalty(), [&](const auto& at, Eigen::Index sweep) {
        const Parameters theta = objective.parameters(at);
        const Scalar norm = detail::gradient_norm(gradient);
        const bool go_on =
            detail::observe(observer, IterationState<Parameters>{sweep, loss, norm, theta});
        loss = objective(theta, gradient);
        return go_on;
      });
    }
    if (end.status == Status::unbounded) {
      objective(start, gradient);
      return {start, at_start, detail::gradient_norm(gradient), end.iterations, end.status};
    }
    Parameters theta = objective.parameters(point);
    const Scalar loss = objective(theta, gradient);
    return {std::move(theta), loss, detail::gradient_norm(gradient), end.iterations, end.status};
  }

  /// The walk itself, from a point and in place. `look(point, sweep)` is called after each sweep,
  /// where false stops. Where it ends `unbounded`, the point is far down and has no meaning.
  template <QuadraticPoint Point, class Penalty, class Look>
    requires SeparablePenalty<Penalty, typename Point::Scalar, typename Point::Coordinate>
  Descended walk(Point& point, const Penalty& penalty, Look&& look) const {
    Ahead<typename Point::Coordinate> ahead;
    return walk_on(point, penalty, static_cast<const Penalty*>(nullptr), ahead, look);
  }
  template <QuadraticPoint Point, class Penalty>
    requires SeparablePenalty<Penalty, typename Point::Scalar, typename Point::Coordinate>
  Descended walk(Point& point, const Penalty& penalty) const {
    return walk(point, penalty, [](const Point&, Eigen::Index) { return true; });
  }

  /// What the last look at all slopes has seen for the next walk, if that sets out from there.
  template <class Coordinate>
  struct Ahead {
    bool known = false;
    std::vector<Coordinate> likely = {};  ///< zeros that may move
  };

  /// One walk of several, each from where the last one ended: `ahead` is what the last one left.
  /// The last look at all slopes serves the next walk as well: the parameters that would move under
  /// `likely` are swept there, and looked at first. With the weight 2 next - now these are nearly
  /// all that will (the sequential strong rule of Tibshirani et al. 2012). Whatever they are, a
  /// walk ends by a look at all.
  template <QuadraticPoint Point, class Penalty, class Look>
    requires SeparablePenalty<Penalty, typename Point::Scalar, typename Point::Coordinate>
  Descended walk_on(Point& point, const Penalty& penalty, const Penalty* likely,
                    Ahead<typename Point::Coordinate>& ahead, Look&& look) const {
    using Scalar = typename Point::Scalar;
    using Coordinate = typename Point::Coordinate;
    require_options();
    detail::ActiveSet<Coordinate> active(point.parameter_count());
    const Ahead<Coordinate> before = std::exchange(ahead, Ahead<Coordinate>{});
    Descended end{0, Status::converged};
    bool settled = before.known;
    if (before.known) {
      point.for_each_nonzero([&](const Coordinate& c) { active.add(c); });
      for (const Coordinate& c : before.likely) active.add(c);
      end.status = settle_with(point, penalty, active, before.likely, look, end.iterations);
      if (end.status != Status::converged) return end;
    }
    for (;;) {
      // A step along a line can take back what has left.
      point.for_each_nonzero([&](const Coordinate& c) { active.add(c); });
      const Scalar limit = smallest_move(point, active);
      bool found = false;
      ahead.likely.clear();
      point.for_each_slope([&](const Coordinate& c, const Scalar* slopes) {
        const bool in = active.has(c);
        if (moves(point, penalty, c, slopes, in, limit)) {
          found = true;
          active.add(c);
        }
        if (likely != nullptr && !in && moves(point, *likely, c, slopes, in, limit)) {
          ahead.likely.push_back(c);
        }
      });
      if (settled && !found) {
        ahead.known = likely != nullptr;
        return end;
      }
      end.status = settle_with(point, penalty, active, before.likely, look, end.iterations);
      if (end.status != Status::converged) return end;
      settled = true;
    }
  }

  /// What `minimize` checks first.
  void require_options() const {
    constexpr const char* owner = "CoordinateDescent";
    detail::require_option(max_iterations >= 1, owner, "max_iterations", max_iterations,
                           "at least 1");
    detail::require_option(tolerance > 0 && tolerance < 1, owner, "tolerance", tolerance,
                           "a number above 0 and below 1");
  }

 private:
  // Sweeps that are still worth their time: beyond them the equations are solved together.
  static constexpr double patience = 30;

  // Below this a move is lost in the rounding of the products that a slope sums.
  template <class Point, class Active>
  typename Point::Scalar smallest_move(const Point& point, const Active& active) const {
    using Scalar = typename Point::Scalar;
    const Scalar rounding = 64 * std::numeric_limits<Scalar>::epsilon();
    return (std::max)(static_cast<Scalar>(tolerance) * point.unit(),
                      rounding * detail::largest_term(point, active.list()));
  }

  // Whether a parameter would move; one that is not active is zero.
  template <class Point, class Penalty, class Scalar>
  static bool moves(const Point& point, const Penalty& penalty, const typename Point::Coordinate& c,
                    const Scalar* slopes, bool active, Scalar limit) {
    if constexpr (AbsolutePenalty<Penalty, Scalar, typename Point::Coordinate>) {
      // The most frequent answer, without a look for the value.
      if (!active && c.count == 1 && std::abs(slopes[0]) <= penalty.weight(c)) return false;
    }
    return detail::move_of(point, penalty, c, slopes) > limit;
  }

  // Sweeps until nothing moves in the active set, nor in a list.
  template <class Point, class Penalty, class Active, class List, class Look>
  Status settle_with(Point& point, const Penalty& penalty, Active& active, const List& list,
                     Look& look, Eigen::Index& sweeps) const {
    using Scalar = typename Point::Scalar;
    for (;;) {
      const Status status = settle(point, penalty, active, look, sweeps);
      if (status != Status::converged) return status;
      const Scalar limit = smallest_move(point, active);
      bool found = false;
      for (const auto& c : list) {
        if (active.has(c)) continue;
        const Scalar moved = detail::step(point, penalty, c);
        if (!is_finite(moved)) return Status::unbounded;
        if (moved > 0) active.add(c);
        found = found || moved > limit;
      }
      if (!found) return status;
    }
  }

  // Sweeps until nothing in the active set moves.
  template <class Point, class Penalty, class Active, class Look>
  Status settle(Point& point, const Penalty& penalty, Active& active, Look& look,
                Eigen::Index& sweeps) const {
    using Scalar = typename Point::Scalar;
    // Larger than any solution of equations whose matrix is regular to rounding.
    const Scalar largest = point.unit() / (256 * std::numeric_limits<Scalar>::epsilon());
    Scalar before = std::numeric_limits<Scalar>::infinity();
    detail::Stride<Point> stride;
    stride.begin(point);
    for (Eigen::Index here = 1;; ++here) {
      if (sweeps >= max_iterations) return Status::iteration_limit;
      Scalar farthest(0);
      for (const auto& c : active.list()) {
        const Scalar moved = detail::step(point, penalty, c);
        if (!is_finite(moved)) return Status::unbounded;
        farthest = (std::max)(farthest, moved);
      }
      ++sweeps;
      active.keep([&](const auto& c) { return detail::is_nonzero(point, c); });
      if (!look(std::as_const(point), sweeps)) return Status::stopped;
      const Scalar limit = smallest_move(point, active);
      const auto lost = [&] { return detail::largest_term(point, active.list()) > largest; };
      // So far out that no move is left to see.
      if (farthest <= limit) return lost() ? Status::unbounded : Status::converged;
      const double rate = std::log(static_cast<double>(farthest / before));
      const double left = std::log(static_cast<double>(limit / farthest));
      before = farthest;
      if (here % 4 != 0 || left > patience * rate) continue;
      if (lost()) return Status::unbounded;
      if constexpr (AbsolutePenalty<Penalty, Scalar, typename Point::Coordinate>) {
        if (!stride.lengthen(point, penalty) ||
            !detail::solve_support(point, penalty, active.list(), limit)) {
          return Status::unbounded;
        }
        before = std::numeric_limits<Scalar>::infinity();
      }
    }
  }
};

}  // namespace scorematch
