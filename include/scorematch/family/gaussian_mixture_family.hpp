// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/recorded/not_recorded.hpp>
#include <scorematch/distribution/gaussian_mixture.hpp>
#include <scorematch/family/differentiated.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/family/log_cholesky.hpp>

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <random>
#include <utility>

namespace scorematch {

/// Mixtures of a given number of Gaussians, in coordinates without constraints.
///
/// **Shapes** theta, in order: log(w_k / w_0) for k = 1 ... Components - 1, then for each component
/// the coordinates of `GaussianFamily`.
///
/// **Math** score and Laplacian in one forward pass over log sum_k exp(log w_k + log p_k).
///
/// The loss has many local minima, so that one start is not enough: `random_starts` and
/// `multi_start`. It also falls without end where a component shrinks onto a single sample, which
/// no good fit is; such a walk does not converge. Far apart, components do not feel each other's
/// weights: score matching sees only slopes of log p, so that weights are known well only where
/// components overlap (Wenliang and Kanagawa 2020).
///
/// **Example** docs/snippets/energies.cpp
template <Real Scalar_, int Dim_, int Components_>
class GaussianMixtureFamily
    : public Differentiated<GaussianMixtureFamily<Scalar_, Dim_, Components_>, Scalar_, Dim_> {
 public:
  static_assert(Components_ >= 1, "a mixture has at least one component");

  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  static constexpr int Components = Components_;
  using Component = GaussianFamily<Scalar, Dim>;
  static constexpr int ParameterCount =
      Dim == Eigen::Dynamic ? Eigen::Dynamic : Components * (Component::ParameterCount + 1) - 1;
  static constexpr bool recorded = detail::is_recordable<Scalar, GaussianMixtureFamily>;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount, 1>;
  using Starts = Eigen::Matrix<Scalar, ParameterCount, Eigen::Dynamic>;
  using Distribution = GaussianMixture<Scalar, Dim, Components>;

  GaussianMixtureFamily()
    requires(Dim != Eigen::Dynamic)
      : component_(Dim) {}

  /// **Errors** std::invalid_argument for a dimension below 1, or other than a fixed Dim.
  explicit GaussianMixtureFamily(Eigen::Index dimension) : component_(dimension) {}

  Eigen::Index dimension() const { return component_.dimension(); }
  Eigen::Index parameter_count() const {
    return Components * (component_.parameter_count() + 1) - 1;
  }

  /// Equal weights, unit covariances, means spread over a diagonal from -1 to 1.
  Parameters start() const {
    Parameters theta = Parameters::Zero(parameter_count());
    for (Eigen::Index k = 0; k < Components; ++k) {
      const Scalar place = static_cast<Scalar>(2 * k - Components + 1) / Scalar(Components);
      theta.segment(offset(k), dimension()).setConstant(place);
    }
    return theta;
  }

  /// The same in the units of the samples: means spread about their medians, deviations from their
  /// quartiles.
  Parameters start(const SampleSet<Scalar, Dim>& samples) const {
    const auto at = detail::median_and_spread(samples);
    const Parameters plain = start();
    return for_each_component(plain, [&](const auto& own) {
      const Eigen::Matrix<Scalar, Dim, 1> place = own.head(dimension());
      return component_.located(at.median + at.spread.cwiseProduct(place), at.spread);
    });
  }

  /// As of `GaussianFamily` for each component, with 1 for the weights.
  Parameters scales(const Parameters& theta) const {
    Parameters result =
        for_each_component(theta, [this](const auto& own) { return component_.scales(own); });
    result.head(Components - 1).setOnes();
    return result;
  }

  /// As of `GaussianFamily`, all components together.
  template <class By>
  void move(Parameters& theta, const By& by) const {
    for (Eigen::Index k = 0; k < Components; ++k) {
      component_.move(theta.segment(offset(k), dimension()), by);
    }
  }

  /// `count` starts, one per column: means at samples drawn far from each other (as k-means++
  /// does; Arthur and Vassilvitskii 2007), equal weights, and the covariance of all samples scaled
  /// down to one component's share of the volume.
  ///
  /// **Errors** std::invalid_argument for no samples, and for samples whose covariance is singular.
  template <SamplesOf<Scalar, Dim> X, std::uniform_random_bit_generator Rng>
  Starts random_starts(const X& samples, Eigen::Index count, Rng& rng) const {
    detail::require_option(count >= 1, "GaussianMixtureFamily::random_starts", "count", count,
                           "at least 1");
    if (samples.cols() < 1) {
      detail::fail(
          "GaussianMixtureFamily::random_starts: samples have 0 columns; expected at least one");
    }
    Moments<Scalar, Dim> moments(dimension());
    moments.add(samples);
    const Scalar share =
        std::pow(Scalar(Components), Scalar(-2) / static_cast<Scalar>(dimension()));
    const Gaussian<Scalar, Dim> whole(moments.mean(), moments.covariance() * share);
    Starts starts(parameter_count(), count);
    for (Eigen::Index s = 0; s < count; ++s) {
      starts.col(s).setZero();
      Eigen::Matrix<Scalar, Eigen::Dynamic, 1> distances =
          Eigen::Matrix<Scalar, Eigen::Dynamic, 1>::Ones(samples.cols());
      for (Eigen::Index k = 0; k < Components; ++k) {
        const Eigen::Matrix<Scalar, Dim, 1> mean = samples.col(draw(distances, rng));
        const auto component = component_.pack(mean, whole.cholesky());
        for (Eigen::Index i = 0; i < component.size(); ++i) {
          starts(offset(k) + i, s) = component(i);
        }
        for (Eigen::Index j = 0; j < samples.cols(); ++j) {
          const Scalar distance = (samples.col(j) - mean).squaredNorm();
          if (k == 0 || distance < distances(j)) distances(j) = distance;
        }
      }
    }
    return starts;
  }

  /// **Errors** std::invalid_argument where theta has the wrong size, is not finite, or its exp
  /// overflows.
  Distribution distribution(const Parameters& theta) const {
    detail::require_parameters(theta, parameter_count());
    Eigen::Matrix<Scalar, Components, 1> logits;
    for (Eigen::Index k = 0; k < Components; ++k) logits(k) = logit(theta, k);
    const Scalar total = logsumexp(logits);
    for (Scalar& weight : logits) weight = std::exp(weight - total);
    return {logits, components(theta, std::make_index_sequence<std::size_t(Components)>())};
  }
  template <detail::SizedLater<Parameters> Theta>
  Distribution distribution(const Theta& theta) const {
    return distribution(detail::sized<Parameters>("theta", theta));
  }

  /// The coordinates of a mixture: the inverse of `distribution`.
  ///
  /// **Errors** std::invalid_argument where a weight is 0: its logarithm is not finite.
  Parameters parameters(const Distribution& mixture) const {
    Parameters theta(parameter_count());
    for (Eigen::Index k = 0; k < Components; ++k) {
      const Scalar weight = mixture.weights()(k);
      if (!(weight > 0)) {
        detail::fail(
            detail::entry("weights", k, weight),
            "; expected a weight above 0, of which GaussianMixtureFamily has the logarithm");
      }
      if (k > 0) theta(k - 1) = std::log(weight) - std::log(mixture.weights()(0));
      theta.segment(offset(k), component_.parameter_count()) =
          component_.parameters(mixture.component(k));
    }
    return theta;
  }

  /// log p(x), normalized, in any numbers; NaN where the exponentials of theta leave the range of
  /// Scalar.
  template <DenseExpression X, DenseExpression Theta>
  auto log_density(const X& x, const Theta& theta) const {
    using T = typename Theta::Scalar;
    using Number = typename X::Scalar;
    Eigen::Matrix<T, Components, 1> logits;
    Eigen::Matrix<Number, Components, 1> terms;
    const Eigen::Index d = dimension();
    for (Eigen::Index k = 0; k < Components; ++k) {
      const auto own = theta.segment(offset(k), component_.parameter_count());
      logits(k) = logit(theta, k);
      T constant = logits(k) + detail::log_cholesky_guard(own, d);
      for (Eigen::Index i = 0; i < d; ++i) constant -= own(d + i);
      terms(k) = detail::log_cholesky_distance(x, own, d) * Scalar(-0.5) + constant;
    }
    const Scalar log_2pi = std::log(2 * std::numbers::pi_v<Scalar>);
    return Number(logsumexp(terms) - logsumexp(logits) - static_cast<Scalar>(d) * log_2pi / 2);
  }

 private:
  // theta with the coordinates of each component replaced by change(them).
  template <class Change>
  Parameters for_each_component(Parameters theta, const Change& change) const {
    for (Eigen::Index k = 0; k < Components; ++k) {
      auto place = theta.segment(offset(k), component_.parameter_count());
      place = change(typename Component::Parameters(place));
    }
    return theta;
  }

  // Where the coordinates of component k begin.
  Eigen::Index offset(Eigen::Index k) const {
    return Components - 1 + k * component_.parameter_count();
  }

  template <class Theta>
  static typename Theta::Scalar logit(const Theta& theta, Eigen::Index k) {
    return k == 0 ? typename Theta::Scalar(0) : theta(k - 1);
  }

  template <std::size_t... Component>
  std::array<Gaussian<Scalar, Dim>, sizeof...(Component)> components(
      const Parameters& theta, std::index_sequence<Component...>) const {
    return {component_.distribution(
        theta.segment(offset(Eigen::Index(Component)), component_.parameter_count()))...};
  }

  // An index with a probability proportional to its weight.
  template <class W, class Rng>
  static Eigen::Index draw(const W& weights, Rng& rng) {
    std::uniform_real_distribution<Scalar> uniform(Scalar(0), weights.sum());
    Scalar left = uniform(rng);
    Eigen::Index j = 0;
    while (j + 1 < weights.size() && left >= weights(j)) left -= weights(j++);
    return j;
  }

  Component component_;
};

}  // namespace scorematch
