// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/coupling.hpp>
#include <scorematch/core/random.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/core/threads.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/fit/path.hpp>
#include <scorematch/fit/refit.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

namespace scorematch {

/// The extended Bayesian information criterion (Chen and Chen 2008; Foygel and Drton 2010).
///
/// **Math** 2 n J / c + |E| (log n + 4 gamma log p), J the loss of the estimate without penalty,
/// |E| its number of coupling parameters. A coupling that is zero lowers 2 n J by c on average when
/// it is fitted, where a likelihood would by 1; so c makes the two alike, whatever the unit of J.
/// It is the mean over the pairs of V / H at independence: variance and curvature of J in the
/// coupling.
struct ExtendedBic {
  double gamma = 0.5;  ///< 0 is the plain criterion; larger ones prefer fewer edges
  /// With the loss of the unpenalized fit on each graph (`refit`), which needs the samples.
  bool refit = false;
};

/// K-fold cross-validation of the loss without penalty.
struct CrossValidation {
  Eigen::Index folds = 10;
  std::uint64_t seed = 1;
  /// Takes the largest weight whose loss is within one standard error of the lowest.
  bool one_standard_error = false;
  Eigen::Index threads = 1;  ///< 0: all there are. The result is the same for any number.
};

/// Stability approach to regularization selection (Liu, Roeder and Wasserman 2010): the smallest
/// weight at which subsamples still agree on the edges.
///
/// **Math** with f the frequency of an edge among the subsamples, the instability is the mean of
/// 2 f (1 - f) over the pairs that may be edges or not, and its largest value at this and all
/// larger weights. Weights at which a subsample has no minimum are not taken; their score is
/// infinite.
struct Stars {
  Eigen::Index subsamples = 20;
  double share = 0;  ///< of the samples in each; 0: 10 / sqrt(n), and 0.8 for n of at most 144
  double instability = 0.05;
  std::uint64_t seed = 1;
  Eigen::Index threads = 1;
};

/// Stability selection (Meinshausen and Buhlmann 2010): edges that many subsamples find.
///
/// **Math** An edge is taken whose frequency reaches the threshold t at one of the weights that are
/// looked at: the largest ones, as long as a subsample has found no more than q edges at any of
/// them on average, with q^2 / ((2 t - 1) pairs) = false_edges. For subsamples of half of the
/// samples that bounds the expected number of false edges, where the false ones are alike. Edges
/// that are always present do not count.
struct StabilitySelection {
  Eigen::Index subsamples = 100;
  double share = 0.5;
  double threshold = 0.8;
  double false_edges = 1;
  std::uint64_t seed = 1;
  Eigen::Index threads = 1;
};

/// The point of a path that a criterion takes, and the score of every point.
template <class Point>
struct Selection : Point {
  Eigen::Index index;
  std::vector<double> scores;
};

/// Edges and how often they were found.
struct StableEdges {
  std::vector<Edge> edges;  ///< first < second, in increasing order
  std::vector<double> frequencies;
};

namespace detail {

template <class Path>
void require_points(const Path& path) {
  if (path.points.empty()) fail("select: the path has no points; expected at least 1");
}

// 0, ..., n - 1 in an order of the seed.
inline std::vector<Eigen::Index> shuffled(Eigen::Index n, std::uint64_t seed) {
  std::vector<Eigen::Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Eigen::Index(0));
  RandomNumbers random(seed);
  for (Eigen::Index k = n; k > 1; --k) {
    std::swap(order[std::size_t(k - 1)], order[std::size_t(random.below(k))]);
  }
  return order;
}

inline Eigen::Index fold_count(const CrossValidation& criterion, Eigen::Index samples) {
  if (criterion.folds < 2 || criterion.folds > samples) {
    fail("CrossValidation: folds = ", criterion.folds, "; expected 2 to ", samples,
         ", the number of samples");
  }
  return criterion.folds;
}

// Calls `use(fold, rest, left_out)` with samples for every fold, on several threads.
template <class X, class Use>
void for_each_fold(const X& samples, const CrossValidation& criterion, const Use& use) {
  const Eigen::Index n = samples.cols();
  const Eigen::Index folds = fold_count(criterion, n);
  const Eigen::Index threads = thread_count("CrossValidation", criterion.threads);
  const std::vector<Eigen::Index> order = shuffled(n, criterion.seed);
  for_each_parallel(folds, threads, [&](Eigen::Index fold) {
    std::vector<Eigen::Index> rest, held;
    for (Eigen::Index k = 0; k < n; ++k) {
      (k % folds == fold ? held : rest).push_back(order[std::size_t(k)]);
    }
    with_place("folds", std::size_t(fold),
               [&] { use(fold, columns_of(samples, rest), columns_of(samples, held)); });
  });
}

template <class Path, class X>
auto objective_of(const Path& path, const X& samples) {
  return penalize(path.loss, path.penalty, path.options.standardize)
      .objective_of(path.family, samples);
}

template <class Path>
auto selection_of(const Path& path, Eigen::Index index, std::vector<double> scores) {
  using Point = typename Path::Point;
  return Selection<Point>{path.points[std::size_t(index)], index, std::move(scores)};
}

inline Eigen::Index lowest(const std::vector<double>& scores) {
  return std::min_element(scores.begin(), scores.end()) - scores.begin();
}

// Edges that the penalty leaves in.
template <class Path>
double always_there([[maybe_unused]] const Path& path) {
  if constexpr (requires { path.penalty.present; }) {
    return static_cast<double>(path.penalty.present.size());
  } else {
    return 0;
  }
}

// Pairs of which a path says whether they are coupled.
template <class Path>
double pairs_of(const Path& path) {
  const double sites = static_cast<double>(path.family.dimension());
  double pairs = sites * (sites - 1) / 2;
  if constexpr (requires { path.points.front().strengths; }) {
    pairs = static_cast<double>(path.family.couplings().size());
  }
  if constexpr (requires { path.penalty.absent; }) {
    pairs -= static_cast<double>(path.penalty.absent.size());
  }
  return (std::max)(1.0, pairs - always_there(path));
}

template <class Path, class X>
double gain_of(const Path& path, const X& samples) {
  const auto objective = objective_of(path, samples);
  if constexpr (requires { objective.gain(); }) {
    return objective.gain();
  } else {
    auto point = objective.origin();
    walk_uncoupled(objective, path.optimizer, point);
    return objective.gain(point, samples);
  }
}

// A cosine and a sine are two.
template <class Path, class Point>
double parameters_of_edge([[maybe_unused]] const Path& path, [[maybe_unused]] const Point& point) {
  if constexpr (requires { point.strengths; }) {
    const std::vector<Coupling> couplings = path.family.couplings();
    return couplings.empty() ? 1 : static_cast<double>(couplings.front().count);
  } else {
    return 1;
  }
}

template <class Path, class LossAt>
auto by_extended_bic(const Path& path, const ExtendedBic& criterion, double gain,
                     const LossAt& loss_at) {
  require_points(path);
  require_option(criterion.gamma >= 0 && std::isfinite(criterion.gamma), "ExtendedBic", "gamma",
                 criterion.gamma, "a finite number, at least 0");
  if (!(gain > 0) || !std::isfinite(gain)) {
    fail(
        "select: ExtendedBic divides by ", gain,
        ", the gain of a coupling that is zero; expected samples that vary, so that it is a finite "
        "number above 0");
  }
  const double sites = static_cast<double>(path.family.dimension());
  const double price = std::log(path.count) + 4 * criterion.gamma * std::log(sites);
  std::vector<double> scores;
  for (const auto& point : path.points) {
    if (point.status != Status::converged) {
      scores.push_back(std::numeric_limits<double>::infinity());
      continue;
    }
    const double edges = static_cast<double>(point.edges.size()) * parameters_of_edge(path, point);
    scores.push_back(2 * path.count * static_cast<double>(loss_at(point)) / gain + edges * price);
  }
  const Eigen::Index index = lowest(scores);
  return selection_of(path, index, std::move(scores));
}

// What subsamples find, at the weights of a path at which all of them have a minimum.
struct Frequencies {
  std::vector<std::map<Edge, double>> of_edge;
  std::vector<double> edges_so_far;  // of a subsample at this and all larger weights, on average
};

template <class Path, class X, class Options>
Frequencies frequencies(const char* owner, const Path& path, const X& samples,
                        const Options& options, double share) {
  require_points(path);
  require_option(options.subsamples >= 2, owner, "subsamples", options.subsamples, "at least 2");
  require_option(share > 0 && share <= 1, owner, "share", share, "a number above 0, at most 1");
  const Eigen::Index threads = thread_count(owner, options.threads);
  const Eigen::Index size = static_cast<Eigen::Index>(share * double(samples.cols()));
  if (size < 2) {
    fail(owner, ": share = ", share, " of ", samples.cols(), " samples is ", size,
         "; expected at least 2");
  }
  const std::size_t weights = path.points.size();
  std::vector<std::vector<std::vector<Edge>>> found(std::size_t(options.subsamples));
  for_each_parallel(options.subsamples, threads, [&](Eigen::Index b) {
    std::vector<Eigen::Index> which =
        shuffled(samples.cols(), options.seed + static_cast<std::uint64_t>(b) * 0x9e3779b9U);
    which.resize(std::size_t(size));
    auto& mine = found[std::size_t(b)];
    with_place("subsamples", std::size_t(b), [&] {
      const auto objective = objective_of(path, columns_of(samples, which));
      walk_path(objective, path.optimizer, path.options,
                [&](const auto& point, double, auto ended) {
                  if (ended.status != Status::converged) return false;
                  mine.push_back(objective.edges(point));
                  return mine.size() < weights;
                });
    });
  });
  std::size_t known = weights;
  for (const auto& graphs : found) known = (std::min)(known, graphs.size());
  Frequencies result{std::vector<std::map<Edge, double>>(known), std::vector<double>(known, 0.0)};
  const double one = 1 / static_cast<double>(options.subsamples);
  for (const auto& graphs : found) {
    std::set<Edge> so_far;
    for (std::size_t k = 0; k < known; ++k) {
      for (const Edge& edge : graphs[k]) result.of_edge[k][edge] += one;
      so_far.insert(graphs[k].begin(), graphs[k].end());
      result.edges_so_far[k] += one * static_cast<double>(so_far.size());
    }
  }
  return result;
}

}  // namespace detail

/// The point of a path with the lowest criterion, of those that converged.
///
/// **Errors** std::invalid_argument for an empty path, options out of range, and where the
/// criterion needs the samples: `refit`, and a path of another family than Gaussians.
template <class F, class L, class P, class O, class Estimate>
auto select(const Path<F, L, P, O, Estimate>& path, const ExtendedBic& criterion) {
  if (criterion.refit) {
    detail::fail(
        "select: ExtendedBic: refit = true needs the samples; expected "
        "select(path, criterion, samples)");
  }
  if (!(path.gain > 0)) {
    detail::fail(
        "select: ExtendedBic needs the samples for this family; expected "
        "select(path, criterion, samples)");
  }
  return detail::by_extended_bic(path, criterion, path.gain,
                                 [](const auto& point) { return point.loss; });
}

/// The same with the samples of the path.
template <class F, class L, class P, class O, class Estimate,
          SamplesOf<typename F::Scalar, F::Dim> X>
auto select(const Path<F, L, P, O, Estimate>& path, const ExtendedBic& criterion,
            const X& samples) {
  detail::require_rows(samples, path.family.dimension());
  const double gain = path.gain > 0 ? path.gain : detail::gain_of(path, samples);
  const auto by = [&](const auto& objective_on) {
    return detail::by_extended_bic(path, criterion, gain, [&](const auto& point) {
      if (!criterion.refit) return point.loss;
      const auto again = detail::solve_at(
          objective_on(
              penalize_graph(path.loss, point.edges, path.options.standardize, path.penalty.ridge)),
          path.optimizer, 0);
      return again.status == Status::converged
                 ? again.loss
                 : std::numeric_limits<decltype(again.loss)>::infinity();
    });
  };
  if constexpr (requires { detail::objective_of(path, samples).gain(); }) {
    return by([&](const auto& loss) { return loss.objective_of(path.family, samples); });
  } else {
    // The sums are the same for all graphs, and cost more than the fits.
    auto sums = penalize_graph(path.loss, {}, path.options.standardize).summary(path.family);
    if (criterion.refit) sums.add(samples);
    return by([&](const auto& loss) { return loss.objective(path.family, sums); });
  }
}

/// The point of a path whose loss on samples that were left out is lowest.
///
/// **Errors** std::invalid_argument for less than 2 folds or more than there are samples, and for
/// an empty path.
///
/// **Cost** a path of each fold. The same for any number of threads.
template <class F, class L, class P, class O, class Estimate,
          SamplesOf<typename F::Scalar, F::Dim> X>
auto select(const Path<F, L, P, O, Estimate>& path, const CrossValidation& criterion,
            const X& samples) {
  detail::require_points(path);
  detail::require_rows(samples, path.family.dimension());
  const std::size_t points = path.points.size();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Eigen::Index folds = detail::fold_count(criterion, samples.cols());
  Eigen::MatrixXd losses = Eigen::MatrixXd::Constant(Eigen::Index(points), folds, infinity);
  detail::for_each_fold(
      samples, criterion, [&](Eigen::Index fold, const auto& rest, const auto& left_out) {
        const auto objective = detail::objective_of(path, rest);
        Eigen::Index k = 0;
        detail::walk_path(
            objective, path.optimizer, path.options, [&](const auto& point, double, auto ended) {
              if (ended.status != Status::converged) return false;
              losses(k, fold) = static_cast<double>(objective.loss_of(point, left_out));
              return ++k < Eigen::Index(points);
            });
      });
  std::vector<double> scores;
  for (std::size_t k = 0; k < points; ++k) scores.push_back(losses.row(Eigen::Index(k)).mean());
  Eigen::Index index = detail::lowest(scores);
  if (criterion.one_standard_error && std::isfinite(scores[std::size_t(index)])) {
    const Eigen::VectorXd best = losses.row(index).transpose();
    const double deviation =
        std::sqrt((best.array() - best.mean()).square().sum() / double(folds - 1) / double(folds));
    Eigen::Index first = 0;
    while (!(scores[std::size_t(first)] <= scores[std::size_t(index)] + deviation)) ++first;
    index = first;
  }
  return detail::selection_of(path, index, std::move(scores));
}

/// The point of a path with the smallest weight at which subsamples agree (`Stars`); the scores are
/// the instabilities. Where they never agree, the first point.
template <class F, class L, class P, class O, class Estimate,
          SamplesOf<typename F::Scalar, F::Dim> X>
auto select(const Path<F, L, P, O, Estimate>& path, const Stars& criterion, const X& samples) {
  detail::require_rows(samples, path.family.dimension());
  detail::require_option(criterion.instability > 0 && criterion.instability <= 0.5, "Stars",
                         "instability", criterion.instability, "a number above 0, at most 0.5");
  const double n = static_cast<double>(samples.cols());
  const double share = criterion.share != 0 ? criterion.share : n > 144 ? 10 / std::sqrt(n) : 0.8;
  const double pairs = detail::pairs_of(path);
  std::vector<double> scores;
  Eigen::Index index = 0;
  double largest = 0;
  const auto found = detail::frequencies("Stars", path, samples, criterion, share);
  for (const auto& edges : found.of_edge) {
    double sum = 0;
    for (const auto& [edge, f] : edges) sum += 2 * f * (1 - f);
    largest = (std::max)(largest, sum / pairs);
    if (largest <= criterion.instability) index = Eigen::Index(scores.size());
    scores.push_back(largest);
  }
  scores.resize(path.points.size(), std::numeric_limits<double>::infinity());
  return detail::selection_of(path, index, std::move(scores));
}

/// The edges that subsamples find as often as `StabilitySelection` asks.
template <class F, class L, class P, class O, class Estimate,
          SamplesOf<typename F::Scalar, F::Dim> X>
StableEdges select(const Path<F, L, P, O, Estimate>& path, const StabilitySelection& criterion,
                   const X& samples) {
  constexpr const char* owner = "StabilitySelection";
  detail::require_rows(samples, path.family.dimension());
  detail::require_option(criterion.threshold > 0.5 && criterion.threshold <= 1, owner, "threshold",
                         criterion.threshold, "a number above 0.5, at most 1");
  detail::require_option(criterion.false_edges > 0 && std::isfinite(criterion.false_edges), owner,
                         "false_edges", criterion.false_edges, "a finite number above 0");
  const double most =
      std::sqrt(criterion.false_edges * (2 * criterion.threshold - 1) * detail::pairs_of(path));
  std::map<Edge, double> largest;
  const auto found = detail::frequencies(owner, path, samples, criterion, criterion.share);
  for (std::size_t k = 0; k < found.of_edge.size(); ++k) {
    if (found.edges_so_far[k] - detail::always_there(path) > most) break;
    const auto& edges = found.of_edge[k];
    for (const auto& [edge, f] : edges) largest[edge] = (std::max)(largest[edge], f);
  }
  StableEdges result;
  for (const auto& [edge, f] : largest) {
    // Sums of 1 / subsamples.
    if (f < criterion.threshold - 1e-9) continue;
    result.edges.push_back(edge);
    result.frequencies.push_back((std::min)(f, 1.0));
  }
  return result;
}

}  // namespace scorematch
