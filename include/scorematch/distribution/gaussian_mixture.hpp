#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/distribution/gaussian.hpp>

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <cstddef>
#include <random>
#include <utility>

namespace scorematch {

/// A weighted sum of Gaussians.
///
/// **Math** p = sum_k w_k p_k. With r_k(x) = w_k p_k(x) / p(x): score sum_k r_k s_k,
/// Laplacian of log p = sum_k r_k (Lap log p_k + |s_k|^2) - |score|^2.
///
/// **Shapes** weights Components, x any dense Dim-vector.
///
/// **Units** x in u: density in u^-Dim, score in 1/u, Laplacian in 1/u^2.
template <Real Scalar_, int Dim_, int Components_>
class GaussianMixture {
 public:
  static_assert(Components_ >= 1, "a mixture has at least one component");

  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  static constexpr int Components = Components_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Samples = Eigen::Matrix<Scalar, Dim, Eigen::Dynamic>;
  using Weights = Eigen::Matrix<Scalar, Components, 1>;
  using Component = Gaussian<Scalar, Dim>;

  /// Weights are scaled to the sum 1.
  ///
  /// **Errors** std::invalid_argument where a weight is negative or not finite, none is positive,
  /// or the components differ in dimension.
  GaussianMixture(const Weights& weights, std::array<Component, std::size_t(Components)> components)
      : weights_(weights), components_(std::move(components)) {
    for (Eigen::Index k = 0; k < Components; ++k) {
      if (!(weights(k) >= 0) || !std::isfinite(weights(k))) {
        detail::fail(detail::entry("weights", k, weights(k)),
                     "; expected a finite number, at least 0");
      }
      if (component(k).dimension() != dimension()) {
        detail::fail("component ", k, " has dimension ", component(k).dimension(), "; expected ",
                     dimension(), ", as component 0 has it");
      }
    }
    const Scalar sum = weights.sum();
    if (!(sum > 0)) detail::fail("the weights sum to ", sum, "; expected more than 0");
    weights_ /= sum;
  }

  Eigen::Index dimension() const { return components_[0].dimension(); }
  const Weights& weights() const { return weights_; }
  /// **Errors** std::invalid_argument for k that is not one of 0 ... Components - 1.
  const Component& component(Eigen::Index k) const {
    if (k < 0 || k >= Components) {
      detail::fail("GaussianMixture::component: k = ", k, "; expected 0 to ", Components - 1);
    }
    return components_[static_cast<std::size_t>(k)];
  }

  /// log p(x), normalized.
  template <SamplesOf<Scalar, Dim> X>
  Scalar log_density(const X& x) const {
    return logsumexp(log_terms(x));
  }

  /// Gradient in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Vector score(const X& x) const {
    const Weights shares = responsibilities(x);
    Vector result = shares(0) * component(0).score(x);
    for (Eigen::Index k = 1; k < Components; ++k) result += shares(k) * component(k).score(x);
    return result;
  }

  /// Laplacian in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    const Weights shares = responsibilities(x);
    Scalar sum(0);
    Vector score = Vector::Zero(dimension());
    for (Eigen::Index k = 0; k < Components; ++k) {
      const Vector own = component(k).score(x);
      sum += shares(k) * (component(k).laplacian() + own.squaredNorm());
      score += shares(k) * own;
    }
    return sum - score.squaredNorm();
  }

  /// r(x): how likely x stems from each component.
  template <SamplesOf<Scalar, Dim> X>
  Weights responsibilities(const X& x) const {
    const Weights terms = log_terms(x);
    return (terms.array() - logsumexp(terms)).exp();
  }

  /// n draws, one per column. `rng` is any std::uniform_random_bit_generator.
  template <std::uniform_random_bit_generator Rng>
  Samples sample(Eigen::Index n, Rng& rng) const {
    detail::require_option(n >= 0, "GaussianMixture::sample", "n", n, "at least 0");
    Samples result(dimension(), n);
    std::uniform_real_distribution<Scalar> uniform;
    for (Eigen::Index j = 0; j < n; ++j) {
      Scalar left = uniform(rng);
      Eigen::Index k = 0;
      while (k + 1 < Components && left >= weights_(k)) left -= weights_(k++);
      result.col(j) = component(k).sample(rng);
    }
    return result;
  }

 private:
  template <class X>
  Weights log_terms(const X& x) const {
    Weights terms;
    for (Eigen::Index k = 0; k < Components; ++k) {
      terms(k) = std::log(weights_(k)) + component(k).log_density(x);
    }
    return terms;
  }

  Weights weights_;
  std::array<Component, std::size_t(Components)> components_;
};

}  // namespace scorematch
