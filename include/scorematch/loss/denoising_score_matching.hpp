// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/random.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/derivative/second_order.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/loss/sampled/randomized_objective.hpp>
#include <scorematch/loss/score_matching.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace scorematch {

/// Denoising score matching of a full Gaussian, exactly: the mean over all noise.
///
/// **Math** score matching on S + sigma^2 I. `exact()` is that of the noisy samples,
/// Sigma = S + sigma^2 I, and exists for singular S.
///
/// **Cost** that of `GaussianScoreMatching`.
template <Number Scalar_, int Dim_>
class GaussianDenoisingScoreMatching : public GaussianScoreMatching<Scalar_, Dim_> {
  using Base = GaussianScoreMatching<Scalar_, Dim_>;

 public:
  using typename Base::Family;
  using typename Base::Scalar;

  GaussianDenoisingScoreMatching(const Family& family, const Moments<Scalar, Base::Dim>& moments,
                                 LaneOf<Scalar> sigma)
      : Base(family, moments, sigma * sigma) {}
};

/// 1/2 |s(x + sigma e)|^2 + s(x + sigma e) . e / sigma: the denoising loss of one sample and one
/// standard normal e, without |e|^2 / (2 sigma^2), which does not depend on theta.
template <Real Scalar>
struct DenoisingPoint {
  static constexpr auto order = detail::SecondOrder::none;
  static constexpr int beside = 1;

  Scalar sigma;
  bool antithetic;

  template <class F, class Noise, DenseExpression Theta>
    requires(HasScore<F> || HasLaplacian<F>)
  typename Theta::Scalar operator()(const F& family, PointOf<F>& x, const Noise& e,
                                    const Theta& theta) const {
    x += sigma * e;
    const auto s = score(family, x, theta);
    typename Theta::Scalar sum = s.squaredNorm() / 2;
    for (Eigen::Index i = 0; i < x.size(); ++i) sum += s(i) * Scalar(e(i) / sigma);
    return sum;
  }

  template <class X, class Noise, class Put>
  void place(X& x, const Noise& e, const Put& put) const {
    x += sigma * e;
    for (Eigen::Index i = 0; i < x.size(); ++i) put(0, i, e(i));
  }

  template <class Jet>
  auto loss(Jet& jet) const {
    auto sum = jet.zero();
    const Scalar inverse = 1 / sigma;
    jet.each([&](Eigen::Index i, const auto& s, auto& by_s) {
      const auto noise = jet.beside(0, i) * inverse;
      sum += s * s / 2 + s * noise;
      by_s = s + noise;
    });
    return sum;
  }

  template <class Block>
  void draw(detail::RandomNumbers& random, Block& block) const {
    for (Eigen::Index k = 0; k < block.cols(); ++k) {
      if (antithetic && k % 2 == 1) {
        block.col(k) = -block.col(k - 1);
        continue;
      }
      for (Eigen::Index i = 0; i < block.rows(); ++i) {
        block(i, k) = static_cast<Scalar>(random.normal());
      }
    }
  }
};

/// Denoising score matching (Vincent 2011): no second derivative of the model is needed, and the
/// model is fitted to the samples with Gaussian noise of deviation `sigma` added.
///
/// **Math** J(theta) = E[ 1/2 |s(x + sigma e) + e / sigma|^2 ] - d / (2 sigma^2) over samples x and
/// standard normal e, computed as E[ 1/2 |s|^2 + s . e / sigma ]: the score matching loss of the
/// noisy density. The minimum is the model of the *noisy* samples: for a Gaussian, S + sigma^2 I.
///
/// **Summary** for `GaussianFamily`: `Moments`, and the mean over the noise is exact; `draws`,
/// `antithetic`, `seed` and `batch_size` are not used. For any other family with a score: the
/// samples (`SampleSet`), and noise is drawn. `SampledLoss` draws for the Gaussian too.
///
/// **Units** sigma in u, the unit of the samples; J in 1/u^2.
///
/// **Errors** std::invalid_argument for an option out of range, and where noise is drawn and sigma
/// is below 1000 roundings (eps |x|) of a sample: x + sigma e then has no digits of e. Just above,
/// the loss is known to a thousandth. A family that ends at an edge (`box()`) is refused when it is
/// compiled: use `GeneralizedScoreMatchingLoss`.
///
/// **Example** docs/snippets/denoising_and_sliced.cpp
struct DenoisingScoreMatchingLoss {
  double sigma = 0.1;
  /// Noise vectors for each sample.
  Eigen::Index draws = 2;
  /// Noise in pairs e, -e (an even `draws`): the terms of order 1 / sigma cancel, which would
  /// dominate the variance at a small sigma.
  bool antithetic = true;
  /// Equal seeds draw equal noise; from a generator of yours: `.seed = rng()`.
  std::uint64_t seed = 0;
  /// 0: all samples, with noise drawn once. Else the samples of one evaluation, with fresh noise:
  /// for `Adam` with a `decay`.
  Eigen::Index batch_size = 0;

  template <WithoutEdge F>
    requires((HasScore<F> || HasLaplacian<F>) && GaussianModel<F>)
  Moments<typename F::Scalar, F::Dim> summary(const F& family) const {
    require_options<LaneOf<typename F::Scalar>>();
    return Moments<typename F::Scalar, F::Dim>(family.dimension());
  }

  /// **Errors** std::invalid_argument where there are no samples or the dimensions differ.
  template <GaussianModel F>
  GaussianDenoisingScoreMatching<typename F::Scalar, F::Dim> objective(
      const F& family, const Moments<typename F::Scalar, F::Dim>& moments) const {
    require_options<LaneOf<typename F::Scalar>>();
    return {family, moments, static_cast<LaneOf<typename F::Scalar>>(sigma)};
  }

  template <WithoutEdge F>
    requires(HasScore<F> || HasLaplacian<F>)
  SampleSet<typename F::Scalar, F::Dim> summary(const F& family) const {
    require_options<typename F::Scalar>();
    return SampleSet<typename F::Scalar, F::Dim>(family.dimension());
  }

  /// **Errors** as of `RandomizedObjective`.
  template <WithoutEdge F>
    requires(HasScore<F> || HasLaplacian<F>)
  RandomizedObjective<F, DenoisingPoint<typename F::Scalar>> objective(
      const F& family, SampleSet<typename F::Scalar, F::Dim> samples) const {
    using Scalar = typename F::Scalar;
    require_options<Scalar>();
    detail::require_random_options(owner, "draws", draws, batch_size, samples);
    require_resolved(samples.samples());
    return {
        family, std::move(samples), DenoisingPoint<Scalar>{static_cast<Scalar>(sigma), antithetic},
        draws,  batch_size,         seed};
  }

 private:
  static constexpr const char* owner = "DenoisingScoreMatchingLoss";

  // Throws where noise is lost in the rounding of a sample.
  template <class X>
  void require_resolved(const X& samples) const {
    using std::abs;
    using Scalar = typename X::Scalar;
    const Scalar roundings = 1000 * std::numeric_limits<Scalar>::epsilon();
    for (Eigen::Index j = 0; j < samples.cols(); ++j) {
      for (Eigen::Index i = 0; i < samples.rows(); ++i) {
        const Scalar least = roundings * abs(samples(i, j));
        if (static_cast<Scalar>(sigma) < least) {
          detail::fail(owner, ": sigma = ", sigma, " is lost in the rounding of ",
                       detail::entry("samples", i, j, samples(i, j)), "; expected at least ", least,
                       " (or samples less far from 0: subtract what they have in common)");
        }
      }
    }
  }

  template <class Scalar>
  void require_options() const {
    const Scalar square = static_cast<Scalar>(sigma) * static_cast<Scalar>(sigma);
    detail::require_option(
        sigma > 0 && std::isfinite(square) && std::isfinite(1 / square), owner, "sigma", sigma,
        "a number above 0, the square of which and its inverse are in the range of the scalar");
    detail::require_random_options(owner, "draws", draws, batch_size);
    detail::require_option(!antithetic || draws % 2 == 0, owner, "draws", draws,
                           "an even number (or antithetic = false)");
  }
};

}  // namespace scorematch
