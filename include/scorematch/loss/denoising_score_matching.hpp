#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/detail/random.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/loss/randomized_objective.hpp>
#include <scorematch/loss/score_matching.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdint>

namespace scorematch {

/// Denoising score matching of a full Gaussian, exactly: the mean over all noise.
///
/// **Math** score matching on S + sigma^2 I, plus d / (2 sigma^2). `minimizer()` is that of the
/// noisy samples, Sigma = S + sigma^2 I, and exists for singular S.
///
/// **Cost** that of `GaussianScoreMatching`.
template <Number Scalar_, int Dim_>
class GaussianDenoisingScoreMatching : public GaussianScoreMatching<Scalar_, Dim_> {
  using Base = GaussianScoreMatching<Scalar_, Dim_>;

 public:
  using typename Base::Family;
  using typename Base::Parameters;
  using typename Base::Scalar;

  GaussianDenoisingScoreMatching(const Family& family, const Moments<Scalar, Base::Dim>& moments,
                                 LaneOf<Scalar> sigma)
      : Base(family, moments, sigma * sigma),
        constant_(static_cast<LaneOf<Scalar>>(family.dimension()) / (2 * sigma * sigma)) {}

  /// d / (2 sigma^2).
  Scalar constant() const { return constant_; }

  /// The loss at `minimizer()`.
  Scalar minimum() const { return Base::minimum() + constant_; }

  /// The loss at theta; infinity where that of `GaussianScoreMatching` is.
  Scalar operator()(const Parameters& theta) { return Base::operator()(theta) + constant_; }

  /// The same with its gradient.
  EIGEN_ALWAYS_INLINE Scalar operator()(const Parameters& theta, Parameters& gradient) {
    return Base::operator()(theta, gradient) + constant_;
  }

  /// The loss at `from_local(u)` and its gradient by u.
  Scalar local(const Parameters& u, Parameters& gradient) requires Real<Scalar> {
    return Base::local(u, gradient) + constant_;
  }

 private:
  Scalar constant_;
};

/// 1/2 |s(x + sigma e)|^2 + s(x + sigma e) . e / sigma + d / (2 sigma^2): the denoising loss of one
/// sample and one standard normal e, with |e|^2 / 2 replaced by its mean d / 2, which changes
/// neither the mean nor the gradient.
template <Real Scalar>
struct DenoisingPoint {
  Scalar sigma;
  bool antithetic;

  template <class F, class Noise, DenseExpression Theta>
  requires(HasScore<F> || HasLaplacian<F>) typename Theta::Scalar operator()(
      const F& family, PointOf<F>& x, const Noise& e, const Theta& theta) const {
    x += sigma * e;
    const auto s = score(family, x, theta);
    typename Theta::Scalar sum = s.squaredNorm() / 2;
    for (Eigen::Index i = 0; i < x.size(); ++i) sum += s(i) * Scalar(e(i) / sigma);
    return sum + constant(x.size());
  }

  Scalar constant(Eigen::Index dimension) const {
    return static_cast<Scalar>(dimension) / (2 * sigma * sigma);
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
/// **Math** J(theta) = E[ 1/2 |s(x + sigma e) + e / sigma|^2 ] over samples x and standard normal
/// e. It differs from the score matching loss of the noisy density by d / (2 sigma^2). The minimum
/// is the model of the *noisy* samples: for a Gaussian, S + sigma^2 I.
///
/// **Summary** for `GaussianFamily`: `Moments`, and the mean over the noise is exact; `draws`,
/// `antithetic`, `seed` and `batch_size` are not used. For any other family with a score: the
/// samples (`SampleSet`), and noise is drawn. `SampledLoss` draws for the Gaussian too.
///
/// **Units** sigma in u, the unit of the samples; J in 1/u^2.
///
/// **Errors** std::invalid_argument for an option out of range.
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

  template <Number Scalar, int Dim>
  Moments<Scalar, Dim> summary(const GaussianFamily<Scalar, Dim>& family) const {
    require_options<LaneOf<Scalar>>();
    return Moments<Scalar, Dim>(family.dimension());
  }

  /// **Errors** std::invalid_argument where there are no samples or the dimensions differ.
  template <Number Scalar, int Dim>
  GaussianDenoisingScoreMatching<Scalar, Dim> objective(const GaussianFamily<Scalar, Dim>& family,
                                                        const Moments<Scalar, Dim>& moments) const {
    require_options<LaneOf<Scalar>>();
    return {family, moments, static_cast<LaneOf<Scalar>>(sigma)};
  }

  template <class F>
  requires(HasScore<F> ||
           HasLaplacian<F>) SampleSet<typename F::Scalar, F::Dim> summary(const F& family)
  const {
    require_options<typename F::Scalar>();
    return SampleSet<typename F::Scalar, F::Dim>(family.dimension());
  }

  /// **Errors** as of `RandomizedObjective`.
  template <class F>
  requires(HasScore<F> || HasLaplacian<F>)
      RandomizedObjective<F, DenoisingPoint<typename F::Scalar>> objective(
          const F& family, const SampleSet<typename F::Scalar, F::Dim>& samples)
  const {
    using Scalar = typename F::Scalar;
    require_options<Scalar>();
    return {family, samples,    DenoisingPoint<Scalar>{static_cast<Scalar>(sigma), antithetic},
            draws,  batch_size, seed};
  }

 private:
  template <class Scalar>
  void require_options() const {
    constexpr const char* owner = "DenoisingScoreMatchingLoss";
    const Scalar square = static_cast<Scalar>(sigma) * static_cast<Scalar>(sigma);
    detail::require_option(
        sigma > 0 && std::isfinite(square) && std::isfinite(1 / square), owner, "sigma", sigma,
        "a number above 0, the square of which and its inverse are in the range of the scalar");
    detail::require_random_options(owner, "draws", draws, *this);
    detail::require_option(!antithetic || draws % 2 == 0, owner, "draws", draws,
                           "an even number (or antithetic = false)");
  }
};

}  // namespace scorematch
