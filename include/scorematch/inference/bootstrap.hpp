// SPDX-License-Identifier: MIT
//
// The bootstrap: fits of samples drawn again, whose scatter is that of the fit.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/random.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/core/threads.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/fit/fit.hpp>
#include <scorematch/fit/fit_batch.hpp>
#include <scorematch/inference/estimate.hpp>
#include <scorematch/inference/long_run.hpp>
#include <scorematch/inference/normal.hpp>
#include <scorematch/inference/point_gradients.hpp>
#include <scorematch/inference/quantity.hpp>
#include <scorematch/inference/resampling.hpp>
#include <scorematch/linalg/dynamic.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace scorematch {

/// How a bootstrap is done.
struct BootstrapOptions {
  Eigen::Index replicates = 1000;
  std::uint64_t seed = 1;
  Eigen::Index threads = 1;  ///< 0: all there are. The result is the same for any number.
};

/// Numbers, and what they were in each replicate.
template <Real Scalar_>
struct BootstrapEstimate {
  using Scalar = Scalar_;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

  Vector values;        ///< m, of the fit to the samples themselves
  Matrix replicates;    ///< m x B
  Vector acceleration;  ///< m, for `bca`; of length 0 where samples depend on each other

  /// The standard deviations of the replicates.
  Vector standard_errors() const {
    const Matrix off = replicates.colwise() - replicates.rowwise().mean();
    return (off.rowwise().squaredNorm() / static_cast<Scalar>(replicates.cols() - 1)).cwiseSqrt();
  }

  /// Between the (1 - level) / 2 and (1 + level) / 2 quantiles of the replicates.
  ///
  /// **Errors** std::invalid_argument for a level outside (0, 1), as of all intervals.
  Interval<Scalar> percentile(double level = 0.95) const {
    detail::require_level("BootstrapEstimate::percentile", level);
    return quantiles([&](Eigen::Index, double& low, double& high) {
      low = (1 - level) / 2;
      high = (1 + level) / 2;
    });
  }

  /// The same mirrored at the value: the replicates are as far from it as it is from the truth.
  Interval<Scalar> basic(double level = 0.95) const {
    detail::require_level("BootstrapEstimate::basic", level);
    const Interval<Scalar> at = percentile(level);
    return {2 * values - at.upper, 2 * values - at.lower};
  }

  /// Quantiles corrected for bias and for a spread that changes with the value (Efron 1987): right
  /// to second order, and the same for every monotone function of the number.
  ///
  /// **Math** the level Phi(z0 + (z0 + z) / (1 - a (z0 + z))) in place of Phi(z), with Phi(z0) the
  /// share of replicates below the value, and the acceleration a = sum I^3 / (6 (sum I^2)^(3/2))
  /// over the influences I of the samples.
  ///
  /// **Errors** std::invalid_argument for blocks and parametric draws: the acceleration is that of
  /// independent samples. Take `percentile`.
  Interval<Scalar> bca(double level = 0.95) const {
    detail::require_level("BootstrapEstimate::bca", level);
    if (acceleration.size() != values.size()) {
      detail::fail(
          "BootstrapEstimate::bca: its acceleration is known for samples drawn one by one alone "
          "(DrawSamples), which this bootstrap did not; take percentile");
    }
    const double z = detail::normal_upper_quantile((1 + level) / 2);  // below 0
    return quantiles([&](Eigen::Index i, double& low, double& high) {
      const auto row = replicates.row(i).array();
      const double count = static_cast<double>(replicates.cols());
      // Ties count half, and no share is 0 or 1.
      const double below = static_cast<double>((row < values(i)).count()) +
                           static_cast<double>((row == values(i)).count()) / 2;
      const double share = (std::min)((std::max)(below, 0.5), count - 0.5) / count;
      const double bias = -detail::normal_upper_quantile(share);
      const auto a = static_cast<double>(acceleration(i));
      const auto level_of = [&](double at) {
        return detail::normal_tail(-bias - (bias + at) / (1 - a * (bias + at)));
      };
      low = level_of(z);
      high = level_of(-z);
    });
  }

 private:
  // Linear interpolation between order statistics, k of B at the level k / (B + 1).
  template <class Levels>
  Interval<Scalar> quantiles(const Levels& levels) const {
    const Eigen::Index count = replicates.cols();
    Interval<Scalar> result{Vector(values.size()), Vector(values.size())};
    std::vector<Scalar> sorted(static_cast<std::size_t>(count));
    const auto at = [&](double level) {
      const double place = level * static_cast<double>(count + 1) - 1;
      if (!(place > 0)) return sorted.front();
      const auto below = static_cast<std::size_t>(place);
      if (below + 1 >= sorted.size()) return sorted.back();
      const auto share = static_cast<Scalar>(place - static_cast<double>(below));
      return sorted[below] + share * (sorted[below + 1] - sorted[below]);
    };
    for (Eigen::Index i = 0; i < values.size(); ++i) {
      for (std::size_t k = 0; k < sorted.size(); ++k) {
        sorted[k] = replicates(i, static_cast<Eigen::Index>(k));
      }
      std::sort(sorted.begin(), sorted.end());
      double low = 0, high = 0;
      levels(i, low, high);
      result.lower(i) = at(low);
      result.upper(i) = at(high);
    }
    return result;
  }
};

/// What `bootstrap` found: the fit, and the parameters of the fits of samples drawn again.
template <class F>
struct Bootstrapped {
  using Scalar = typename F::Scalar;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

  Fit<F> fit;
  Matrix replicates;  ///< K x B, without those that failed
  /// Replicates that had no minimum, left the domain or were refused: left out. Where they are
  /// many, what is left is no picture of the errors.
  Eigen::Index failed = 0;
  Eigen::Index unconverged = 0;  ///< of those kept, the ones that are not `converged`
  Matrix influence;  ///< K x n for `bca`: n times how far one sample moves theta; or empty

  /// Any function of theta, evaluated at every replicate.
  template <Quantity<Scalar> Q>
  BootstrapEstimate<Scalar> of(const Q& quantity) const {
    using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
    BootstrapEstimate<Scalar> result;
    const auto store = [&](const Vector& theta, auto&& target) {
      const auto value = quantity(theta);
      for (Eigen::Index i = 0; i < target.size(); ++i) {
        target(i) = detail::entry_of_quantity(value, i);
      }
    };
    const Vector theta = fit.parameters;
    const Eigen::Index m = detail::size_of_quantity(quantity(theta));
    result.values.resize(m);
    result.replicates.resize(m, replicates.cols());
    store(theta, result.values);
    for (Eigen::Index k = 0; k < replicates.cols(); ++k) {
      store(replicates.col(k), result.replicates.col(k));
    }
    if (influence.size() > 0) {
      const Matrix effects = detail::derivative_of_quantity<Scalar>(quantity, theta) * influence;
      result.acceleration.resize(m);
      for (Eigen::Index i = 0; i < m; ++i) {
        using std::sqrt;
        const Scalar square = effects.row(i).squaredNorm();
        const Scalar cube = effects.row(i).array().cube().sum();
        result.acceleration(i) = square > 0 ? cube / (6 * square * sqrt(square)) : Scalar(0);
      }
    }
    return result;
  }
  /// theta itself.
  BootstrapEstimate<Scalar> parameters() const {
    return of([](const auto& theta) { return theta; });
  }
};

namespace detail {

// What draws from the samples, or from a distribution that can be sampled.
template <class R, class F>
concept ResamplesFits =
    ResamplingPolicy<R> || (std::same_as<R, DrawFromFit> &&
                            requires(const typename F::Distribution& distribution, Eigen::Index n,
                                     std::mt19937_64& rng) { distribution.sample(n, rng); });

// A generator of its own for each replicate: the same for any number of threads.
inline std::uint64_t seed_of_replicate(std::uint64_t seed, Eigen::Index k) {
  return RandomNumbers(RandomNumbers(seed).bits() + static_cast<std::uint64_t>(k)).bits();
}

template <class F, class X, class Resampling>
X drawn_again(const Fit<F>& fit, const X& samples, const Resampling& resampling,
              std::uint64_t seed) {
  if constexpr (std::same_as<Resampling, DrawFromFit>) {
    std::mt19937_64 rng(seed);
    return fit.distribution.sample(samples.cols(), rng);
  } else {
    RandomNumbers random(seed);
    std::vector<Eigen::Index> which;
    which.reserve(static_cast<std::size_t>(samples.cols()));
    resampling.draw(samples.cols(), random, which);
    return columns_of(samples, which);
  }
}

// -H^-1 g_j for every sample: what it has moved theta by, times n.
template <class F, class L, class X>
DynamicMatrix<typename F::Scalar> influence_of(const Fit<F>& fit, const F& family, const L& loss,
                                               const X& samples) {
  using Matrix = DynamicMatrix<typename F::Scalar>;
  auto summary = loss.summary(family);
  summary.add(samples);
  auto objective = loss.objective(family, std::move(summary));
  auto points = gradients_of(family, loss, samples, fit.parameters);
  const Matrix gradients = points.columns(0, samples.cols());
  const Matrix variability = Independent{}.long_run<typename F::Scalar>(gradients);
  const Matrix inverse = points.inverse_curvature(objective, variability.diagonal());
  return -points.to_theta(inverse * gradients);
}

}  // namespace detail

/// Fits samples drawn again and again, as the samples themselves were fitted.
///
/// **Resampling** `DrawSamples` for independent samples; `MovingBlocks`, `CircularBlocks` or
/// `StationaryBlocks` for chains, or a `ResamplingPolicy` of your own; `DrawFromFit` for samples of
/// the fitted density.
///
/// **Loss, optimizer** any. Small problems of fixed size run in lockstep, as in `fit_batch`.
///
/// **Intervals** `of(quantity)` gives `percentile`, `basic` and `bca`. The last is there for
/// independent draws, a loss with a `point`, and a fit that has converged.
///
/// **Errors** std::invalid_argument for options out of range, those of `fit` to the samples, and
/// where fewer than two replicates could be fitted. A fit of the samples that is `unbounded` or
/// `diverged` is refused.
///
/// **Cost** of B + 1 fits, and of n gradients of the loss of one sample. **Allocation** the samples
/// once for each thread, and K x B.
///
/// **Example** docs/snippets/uncertainty.cpp
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          SamplesOf<typename F::Scalar, F::Dim> X, class Resampling = DrawSamples>
  requires Real<typename F::Scalar> && detail::ResamplesFits<Resampling, F>
Bootstrapped<F> bootstrap(const F& family, const L& loss, const Optimizer& optimizer,
                          const X& samples, const Resampling& resampling = {},
                          const BootstrapOptions& options = {}) {
  using Block = Eigen::Matrix<typename F::Scalar, F::Dim, Eigen::Dynamic>;
  detail::require_option(options.replicates >= 2, "bootstrap", "replicates", options.replicates,
                         "at least 2");
  const Eigen::Index threads = detail::thread_count("bootstrap", options.threads);
  detail::require_rows(samples, family.dimension());
  const Block own = samples;
  resampling.require_options(own.cols());
  Bootstrapped<F> result{scorematch::fit(family, loss, optimizer, own), {}, 0, 0, {}};
  const auto stands = [](Status status) {
    return status != Status::unbounded && status != Status::diverged;
  };
  if (!stands(result.fit.status)) {
    detail::fail("bootstrap: the fit ended as ", std::string(to_string(result.fit.status)), ". ",
                 std::string(explain(result.fit.status)));
  }
  // A few packs of fits at a time.
  constexpr Eigen::Index chunk = 64;
  const Eigen::Index chunks = (options.replicates + chunk - 1) / chunk;
  const Eigen::Index parameters = result.fit.parameters.size();
  typename Bootstrapped<F>::Matrix found(parameters, options.replicates);
  std::vector<Status> ended(static_cast<std::size_t>(options.replicates), Status::diverged);
  detail::for_each_parallel(chunks, threads, [&](Eigen::Index c) {
    const Eigen::Index first = c * chunk;
    const Eigen::Index size = (std::min)(chunk, options.replicates - first);
    std::vector<SummaryOf<L, F>> summaries;
    std::vector<Eigen::Index> places;
    for (Eigen::Index k = first; k < first + size; ++k) {
      auto summary = loss.summary(family);
      const bool accepted = detail::accepted([&] {
        summary.add(detail::drawn_again(result.fit, own, resampling,
                                        detail::seed_of_replicate(options.seed, k)));
      });
      if (!accepted) continue;
      summaries.push_back(std::move(summary));
      places.push_back(k);
    }
    const auto keep = [&](Eigen::Index k, const Fit<F>& fit) {
      found.col(k) = fit.parameters;
      ended[static_cast<std::size_t>(k)] = fit.status;
    };
    const bool together = detail::accepted([&] {
      const auto fits =
          scorematch::fit_batch(family, loss, optimizer, std::span(std::as_const(summaries)));
      for (std::size_t k = 0; k < fits.size(); ++k) keep(places[k], fits[k]);
    });
    for (std::size_t k = 0; !together && k < places.size(); ++k) {
      detail::accepted(
          [&] { keep(places[k], scorematch::fit(family, loss, optimizer, summaries[k])); });
    }
  });
  Eigen::Index kept = 0;
  for (Eigen::Index k = 0; k < options.replicates; ++k) {
    const Status status = ended[static_cast<std::size_t>(k)];
    if (!stands(status) || !found.col(k).allFinite()) continue;
    found.col(kept++) = found.col(k);
    if (status != Status::converged) ++result.unconverged;
  }
  result.failed = options.replicates - kept;
  if (kept < 2) {
    detail::fail("bootstrap: ", result.failed, " of ", options.replicates,
                 " replicates could not be fitted; expected at least 2 that can");
  }
  result.replicates = found.leftCols(kept);
  if constexpr (std::same_as<Resampling, DrawSamples> && HasPoint<L, F>) {
    if (result.fit.status == Status::converged && own.cols() > parameters) {
      detail::accepted(
          [&] { result.influence = detail::influence_of(result.fit, family, loss, own); });
    }
  }
  return result;
}

}  // namespace scorematch
