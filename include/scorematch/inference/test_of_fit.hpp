// SPDX-License-Identifier: MIT
//
// Whether any density of a family fits: a Stein test that allows for the fit.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/fit/fit.hpp>
#include <scorematch/inference/stein.hpp>
#include <scorematch/inference/stein_kernel.hpp>

#include <Eigen/Core>

namespace scorematch {

/// Draws samples of a distribution: `sampler(distribution, n, rng)` is Dim x n, one per column.
template <class S, class F, class Rng>
concept SamplerFor = requires(const S& sampler, const typename F::Distribution& distribution,
                              Eigen::Index n, Rng& rng) {
  { sampler(distribution, n, rng) } -> SamplesOf<typename F::Scalar, F::Dim>;
};

/// A distribution that draws: `distribution.sample(n, rng)`.
template <class D, class Rng>
concept HasSample =
    requires(const D& distribution, Eigen::Index n, Rng& rng) { distribution.sample(n, rng); };

/// The sampler of distributions that have a `sample` of their own.
struct OwnSample {
  template <class Rng, HasSample<Rng> Distribution>
  auto operator()(const Distribution& distribution, Eigen::Index n, Rng& rng) const {
    return distribution.sample(n, rng);
  }
};

/// How `stein_test_of_fit` finds what the discrepancy would be if the family were right.
struct ParametricBootstrap {
  /// The p-value is a multiple of 1 / (draws + 1).
  int draws = 199;

  void require_options() const {
    detail::require_option(draws >= 1, "ParametricBootstrap", "draws", draws, "at least 1");
  }
};

/// What `stein_test_of_fit` found: the discrepancy of the samples from the fit to them, and the
/// probability of one as large if a density of the family were the true one.
template <class F>
struct SteinTestOfFit : SteinTest<typename F::Scalar> {
  Fit<F> fit;
  /// How many of the drawn sets of samples were refused (they were not finite, or all in one place,
  /// say) or not fitted as `converged`. Those that were refused count as large.
  int unconverged;
};

/// Tests whether samples are those of any density of a family, by the Stein discrepancy from the
/// fit to these same samples: no sample is held out.
///
/// **Math** the parametric bootstrap (for this statistic Key, Gretton, Briol and Fernandez 2025):
/// fit, T = U / mean of u_ii; then `draws` times: as many samples of the fit, a fit to them, and
/// its T. p = (1 + how many are at least as large) / (1 + draws). What is drawn has been fitted as
/// the samples have, so that the level is right where that of `stein_test` on fitted samples is
/// not. A kernel without a length takes the median distance anew for each.
///
/// **Sampler** `sampler(distribution, n, rng)`; none where the distribution has a `sample(n, rng)`,
/// as `Gaussian`, `StudentT` and `GaussianMixture` have. The same state of `rng` gives the same
/// p-value, as far as the sampler's stream is the same.
///
/// **Errors** those of `fit` and `stein_discrepancy`, for options of the bootstrap, and where a
/// sampler returns another shape. A fit that ends as `unbounded` or `diverged` is no density to
/// test: then nothing is drawn and p = 1. Look at `fit.status`: p says something of the family
/// where the fit converged. Where the statistic overflows, p = 1.
///
/// **Cost** of draws + 1 fits and discrepancies. **Allocation** of one at a time.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          SamplesOf<typename F::Scalar, F::Dim> X, RandomBits Rng,
          class Kernel = DefaultSteinKernel<typename F::Distribution>,
          SamplerFor<F, Rng> Sampler = OwnSample>
SteinTestOfFit<F> stein_test_of_fit(const F& family, const L& loss, const Optimizer& optimizer,
                                    const X& samples, Rng& rng,
                                    const ParametricBootstrap& bootstrap = {},
                                    const Kernel& kernel = {}, const Sampler& sampler = {}) {
  bootstrap.require_options();
  // U over the mean of u_ii, which is n V - (n - 1) U.
  const auto n = static_cast<typename F::Scalar>(samples.cols());
  const auto relative = [n](const auto& found) {
    return found.u_statistic / (n * found.v_statistic - (n - 1) * found.u_statistic);
  };
  const typename X::PlainObject own = samples;
  SteinTestOfFit<F> result{{}, scorematch::fit(family, loss, optimizer, own), 0};
  const auto& fitted = result.fit;
  static_cast<SteinDiscrepancy<typename F::Scalar>&>(result) =
      stein_discrepancy(fitted.distribution, own, kernel);
  result.p_value = 1;
  if (fitted.status == Status::unbounded || fitted.status == Status::diverged) return result;
  int smaller = 0;
  for (int draw = 0; draw < bootstrap.draws; ++draw) {
    const auto drawn = sampler(fitted.distribution, own.cols(), rng);
    if (drawn.rows() != own.rows() || drawn.cols() != own.cols()) {
      detail::fail("the sampler returned ", drawn.rows(), " x ", drawn.cols(), "; expected ",
                   own.rows(), " x ", own.cols());
    }
    // Of a density of extremes, nearly a point or with tails beyond all numbers, what is drawn may
    // be no samples for a fit.
    bool converged = false;
    const bool usable = drawn.allFinite() && detail::accepted([&] {
                          const auto again = scorematch::fit(family, loss, optimizer, drawn);
                          const auto discrepancy =
                              stein_discrepancy(again.distribution, drawn, kernel);
                          converged = again.status == Status::converged;
                          if (relative(discrepancy) < relative(result)) ++smaller;
                        });
    if (!usable || !converged) ++result.unconverged;
  }
  result.p_value = (1.0 + bootstrap.draws - smaller) / (1.0 + bootstrap.draws);
  return result;
}

}  // namespace scorematch
