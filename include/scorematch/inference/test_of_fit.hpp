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

#include <type_traits>

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

namespace detail {

template <class T>
struct FamilyOfFit {};
template <class F>
struct FamilyOfFit<Fit<F>> {
  using type = F;
};

}  // namespace detail

/// The family that a fitter fits to samples of type X.
template <class Fitter, class X>
using FamilyFitted = typename detail::FamilyOfFit<
    std::remove_cvref_t<std::invoke_result_t<Fitter&, const X&>>>::type;

/// Fits samples: `fitter(samples)` is a `Fit<F>` of a family F of the same scalar and dimension.
///
/// Law: it does the same to every set of samples, and keeps nothing of one for the next.
template <class Fitter, class X>
concept FitterFor =
    Family<FamilyFitted<Fitter, X>> &&
    SamplesOf<X, typename FamilyFitted<Fitter, X>::Scalar, FamilyFitted<Fitter, X>::Dim>;

/// Tests whether samples are those of any density of a family, by the Stein discrepancy from the
/// fit to these same samples: no sample is held out. The fit is yours: from several starts
/// (`multi_start`), say, where the loss of a family has many minima.
///
/// **Math** the parametric bootstrap (for this statistic Key, Gretton, Briol and Fernandez 2025):
/// fit, T = U / mean of u_ii; then `draws` times: as many samples of the fit, a fit to them, and
/// its T. p = (1 + how many are at least as large) / (1 + draws). What is drawn has been fitted as
/// the samples have, so that the level is right where that of `stein_test` on fitted samples is
/// not. A kernel without a length takes the median distance anew for each.
///
/// **Fitter** any callable that takes what `samples` is evaluated to and what the sampler returns:
/// mostly a lambda of `const auto&`. It may draw, also from `rng`. Where it throws
/// std::invalid_argument for a set that was drawn, that one was refused.
///
/// **Sampler** `sampler(distribution, n, rng)`; none where the distribution has a `sample(n, rng)`,
/// as `Gaussian`, `StudentT` and `GaussianMixture` have. The same state of `rng` gives the same
/// p-value, as far as the sampler's stream is the same.
///
/// **Errors** those of the fitter to `samples` and of `stein_discrepancy`, for options of the
/// bootstrap, and where a sampler returns another shape. A fit that ends as `unbounded` or
/// `diverged` is no density to test: then nothing is drawn and p = 1. Look at `fit.status`: p says
/// something of the family where the fit converged. Where the statistic overflows, p = 1.
///
/// **Cost** of draws + 1 fits and discrepancies. **Allocation** of one at a time.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <class Fitter, DenseExpression X, RandomBits Rng,
          class F = FamilyFitted<Fitter, typename X::PlainObject>,
          class Kernel = DefaultSteinKernel<typename F::Distribution>,
          SamplerFor<F, Rng> Sampler = OwnSample>
  requires FitterFor<Fitter, typename X::PlainObject>
SteinTestOfFit<F> stein_test_of_fit(Fitter&& fitter, const X& samples, Rng& rng,
                                    const ParametricBootstrap& bootstrap = {},
                                    const Kernel& kernel = {}, const Sampler& sampler = {}) {
  bootstrap.require_options();
  // U over the mean of u_ii, which is n V - (n - 1) U.
  const auto n = static_cast<typename F::Scalar>(samples.cols());
  const auto relative = [n](const auto& found) {
    return found.u_statistic / (n * found.v_statistic - (n - 1) * found.u_statistic);
  };
  const typename X::PlainObject own = samples;
  SteinTestOfFit<F> result{{}, fitter(own), 0};
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
                          const auto again = fitter(drawn);
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

/// The same by the fit of a loss and an optimizer.
///
/// **Errors** also those of `fit`.
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
  const auto fitter = [&](const auto& x) { return scorematch::fit(family, loss, optimizer, x); };
  return scorematch::stein_test_of_fit(fitter, samples, rng, bootstrap, kernel, sampler);
}

}  // namespace scorematch
