// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/coupling.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace scorematch {

/// Which penalties `fit_path` goes through.
struct PathOptions {
  /// As many weights, in equal ratios from the smallest one that lets no pair be coupled.
  Eigen::Index count = 30;
  /// The last weight over the first.
  double ratio = 0.1;
  /// A list of your own, decreasing, in place of count and ratio.
  std::vector<double> weights = {};
  /// As in `Penalized`.
  bool standardize = true;
};

/// One estimate of a path. What it is made of is the objective's `Estimate`: a sparse precision
/// matrix and its edges (`PrecisionEstimate`), or couplings (`CouplingEstimate`).
template <class Estimate>
struct PathPoint : Estimate {
  using typename Estimate::Scalar;

  Scalar weight;            ///< of the penalty
  Scalar loss;              ///< without the penalty, on the scale of the estimation
  Eigen::Index iterations;  ///< sweeps
  Status status;
};

/// What `fit_path` found, and how.
template <class F, class L, class P, class O, class Estimate>
struct Path {
  using Point = PathPoint<Estimate>;

  std::vector<Point> points;  ///< by decreasing weight
  double count;               ///< of the samples
  double gain;                ///< what `ExtendedBic` divides by; 0 where it needs the samples
  F family;
  L loss;
  P penalty;
  O optimizer;
  PathOptions options;
};

namespace detail {

// The loss with the penalty on it, as the rooms above see it.
template <class L, class P>
using PenalizedOf = decltype(penalize(std::declval<const L&>(), std::declval<const P&>(), true));

template <class L, class F, class P>
using PathObjective = ObjectiveOf<PenalizedOf<L, P>, F>;

inline void require_path_options(const PathOptions& options) {
  constexpr const char* owner = "PathOptions";
  require_option(options.count >= 1, owner, "count", options.count, "at least 1");
  require_option(options.ratio > 0 && options.ratio < 1, owner, "ratio", options.ratio,
                 "a number above 0 and below 1");
  const auto& weights = options.weights;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    if (!(weights[k] >= 0) || !std::isfinite(weights[k])) {
      fail(owner, ": ", entry("weights", k, weights[k]), "; expected a finite number, at least 0");
    }
    if (k > 0 && !(weights[k] < weights[k - 1])) {
      fail(owner, ": ", entry("weights", k - 1, weights[k - 1]), ", ",
           entry("weights", k, weights[k]), "; expected them to decrease");
    }
  }
}

// The smallest weight at which nothing that is penalized leaves zero, from a point where the rest
// is at its minimum.
template <class Obj, class Point>
double largest_weight(const Obj& objective, Point& point) {
  using Scalar = typename Point::Scalar;
  const auto unit = objective.point_penalty(Scalar(1));
  double largest = 0;
  point.for_each_slope([&](const auto& c, const Scalar* slopes) {
    const Scalar weight = unit.weight(c);
    if (!(weight > 0) || !is_finite(weight)) return;
    Scalar square(0);
    for (Eigen::Index m = 0; m < c.count; ++m) square += slopes[m] * slopes[m];
    largest = (std::max)(largest, static_cast<double>(std::sqrt(square) / weight));
  });
  return largest;
}

inline std::vector<double> weights_from(double largest, const PathOptions& options) {
  if (!(largest > 0)) return {0};
  std::vector<double> weights;
  for (Eigen::Index k = 0; k < options.count; ++k) {
    const double part = options.count > 1 ? double(k) / double(options.count - 1) : 0;
    weights.push_back(largest * std::pow(options.ratio, part));
  }
  return weights;
}

inline bool is_lost(Status status) {
  return status == Status::unbounded || status == Status::diverged;
}

// Everything at its minimum but what is penalized, which stays zero.
template <class Obj, class O, class Point>
auto walk_uncoupled(const Obj& objective, const O& optimizer, Point& point) {
  using Scalar = typename Point::Scalar;
  return optimizer.walk(point, objective.point_penalty(std::numeric_limits<Scalar>::infinity()));
}

// Goes through the weights, those of the options or, where there are none, those that follow from
// the largest one, each from where the last one ended. Calls `visit(point, weight, ended)`, where
// false stops. The first walk that does not converge is the last: where the loss is unbounded, it
// is at all smaller weights, and where it takes too long, they take longer. Where what is
// not penalized has no minimum, the only point is the origin, at weight 0.
template <class Obj, class O, class Visit>
std::vector<double> walk_path(const Obj& objective, const O& optimizer, const PathOptions& options,
                              Visit&& visit) {
  using Point = typename Obj::Point;
  using Scalar = typename Point::Scalar;
  Point point = objective.origin();
  typename O::template Ahead<typename Point::Coordinate> ahead;
  constexpr double least_share = 0.75;  // where weights are far apart
  const auto look = [](const Point&, Eigen::Index) { return true; };
  std::vector<double> weights = options.weights;
  if (weights.empty()) {
    const auto ended = walk_uncoupled(objective, optimizer, point);
    if (is_lost(ended.status)) {
      visit(objective.origin(), 0.0, ended);
      return {0};
    }
    weights = weights_from(largest_weight(objective, point), options);
    ahead.known = true;  // nothing moves at the first of them
  }
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const double weight = weights[k];
    Point before = point;
    const auto penalty = objective.point_penalty(static_cast<Scalar>(weight));
    const double next = k + 1 < weights.size() ? weights[k + 1] : 0;
    const auto likely = objective.point_penalty(
        static_cast<Scalar>((std::max)(2 * next - weight, least_share * next)));
    const auto ended = optimizer.walk_on(point, penalty, next > 0 ? &likely : nullptr, ahead, look);
    const bool lost = is_lost(ended.status);
    if (lost) point = std::move(before);
    if (!visit(std::as_const(point), weight, ended) || ended.status != Status::converged) break;
  }
  return weights;
}

template <class Observe, class Point>
bool observe_point(Observe& observer, const Point& point) {
  if constexpr (std::is_void_v<std::invoke_result_t<Observe&, const Point&>>) {
    observer(point);
    return true;
  } else {
    return static_cast<bool>(observer(point));
  }
}

template <class F, class L, class P, class O, class Obj, class Observe>
auto path_of(const F& family, const L& loss, const P& penalty, const O& optimizer,
             const Obj& objective, double count, const PathOptions& options, Observe& observer) {
  using Estimate = typename Obj::Estimate;
  using Scalar = typename Estimate::Scalar;
  Path<F, L, P, O, Estimate> path{{}, count, 0, family, loss, penalty, optimizer, options};
  if constexpr (requires { objective.gain(); }) path.gain = objective.gain();
  path.options.weights =
      walk_path(objective, optimizer, options, [&](const auto& point, double weight, auto ended) {
        path.points.push_back({objective.estimate(point), static_cast<Scalar>(weight), point.loss(),
                               ended.iterations, ended.status});
        return observe_point(observer, path.points.back());
      });
  return path;
}

}  // namespace detail

/// The observer of a path that looks at nothing.
struct NoPathObserver {
  template <class Point>
  void operator()(const Point&) const {}
};

/// Fits a family of pairs with ever smaller penalties on its couplings: from no edge to many, each
/// estimate from where the last one ended.
///
/// **Shapes** samples Dim x n, one per column.
///
/// **Errors** std::invalid_argument for options out of range, and those of the penalty (whose own
/// weight does not matter) and the loss. What the numbers do is in each point's `status`. The first
/// point that did not converge is the last one. Where the penalty becomes so small that the loss
/// has no minimum (more coordinates than samples), it is `unbounded` and holds the estimate before
/// it; where the minimum is hardly one, it may be at the optimizer's `iteration_limit`. Where what
/// is not penalized has no minimum, there is one point, of zeros.
///
/// **Observer** any callable that takes each `PathPoint` as it is found, and returns void, or false
/// to stop.
///
/// **Cost**, **Memory** of the objective: for Gaussians see `GaussianPairs`. Of samples with
/// n < Dim / 8 the n x Dim centred samples are kept, of more their Dim x Dim covariance.
///
/// **Example** docs/snippets/graphical_models.cpp
template <Family F, class L, class P, class O, SamplesOf<typename F::Scalar, F::Dim> X,
          class Observe = NoPathObserver>
  requires LossFor<detail::PenalizedOf<L, P>, F>
auto fit_path(const F& family, const L& loss, const P& penalty, const O& optimizer,
              const X& samples, const PathOptions& options = {}, Observe&& observer = {}) {
  detail::require_path_options(options);
  const auto objective = penalize(loss, penalty, options.standardize).objective_of(family, samples);
  return detail::path_of(family, loss, penalty, optimizer, objective,
                         static_cast<double>(samples.cols()), options, observer);
}

/// The same from what a summary has seen.
template <Family F, class L, class P, class O, class Observe = NoPathObserver>
  requires LossFor<detail::PenalizedOf<L, P>, F>
auto fit_path(const F& family, const L& loss, const P& penalty, const O& optimizer,
              const SummaryOf<detail::PenalizedOf<L, P>, F>& summary,
              const PathOptions& options = {}, Observe&& observer = {}) {
  detail::require_path_options(options);
  const auto objective = penalize(loss, penalty, options.standardize).objective(family, summary);
  return detail::path_of(family, loss, penalty, optimizer, objective,
                         static_cast<double>(summary.count()), options, observer);
}

}  // namespace scorematch
