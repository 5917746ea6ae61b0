// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/distribution/gaussian.hpp>
#include <scorematch/distribution/wide.hpp>

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <cstddef>
#include <random>
#include <utility>

namespace scorematch {

/// A weighted sum of Gaussians.
///
/// **Math** p = sum_k w_k p_k. With r_k(x) = w_k p_k(x) / p(x): score s = sum_k r_k s_k,
/// Laplacian of log p = sum_k r_k (Lap log p_k + |s_k - s|^2).
///
/// **Shapes** weights Components, x any dense Dim-vector.
///
/// **Units** x in u: density in u^-Dim, score in 1/u, Laplacian in 1/u^2.
///
/// **Errors** as of `Gaussian`: std::invalid_argument where x has the wrong size or an entry that
/// is not finite; never NaN.
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
    if (!std::isfinite(weights_.sum())) weights_ /= Scalar(Components);
    const Scalar sum = weights_.sum();
    if (!(sum > 0)) detail::fail("the weights sum to ", sum, "; expected more than 0");
    weights_ /= sum;
  }
  template <detail::SizedLater<Weights> W>
  GaussianMixture(const W& weights, std::array<Component, std::size_t(Components)> components)
      : GaussianMixture(detail::sized<Weights>("weights", weights), std::move(components)) {}

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
    if (!detail::all_finite(result)) [[unlikely]] {
      result = detail::narrow<Vector>(wide(x.matrix()).score);
    }
    return result;
  }

  /// Laplacian in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    const Weights shares = responsibilities(x);
    std::array<Vector, std::size_t(Components)> own;  // scores of the components
    Vector score = Vector::Zero(dimension());
    for (std::size_t k = 0; k < own.size(); ++k) {
      own[k] = components_[k].score(x);
      score += shares(Eigen::Index(k)) * own[k];
    }
    Scalar sum(0);
    for (std::size_t k = 0; k < own.size(); ++k) {
      sum +=
          shares(Eigen::Index(k)) * (components_[k].laplacian() + (own[k] - score).squaredNorm());
    }
    return std::isfinite(sum) ? sum : static_cast<Scalar>(wide(x.matrix()).laplacian);
  }

  /// r(x): how likely x stems from each component. They sum to 1.
  template <SamplesOf<Scalar, Dim> X>
  Weights responsibilities(const X& x) const {
    Weights terms = log_terms(x);
    const Scalar largest = terms.maxCoeff();
    if (!std::isfinite(largest)) [[unlikely]] {
      return wide(x.matrix()).shares;
    }
    // Not Eigen's exp, which is above 0 at -infinity.
    for (Scalar& term : terms) term = std::exp(term - largest);
    return shares_of(terms);
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
  static Weights shares_of(const Weights& parts) { return parts / parts.sum(); }

  template <class X>
  Weights log_terms(const X& x) const {
    Weights terms;
    for (Eigen::Index k = 0; k < Components; ++k) {
      terms(k) = std::log(weights_(k)) + component(k).log_density(x);
    }
    return terms;
  }

  struct Wide {
    Weights shares;
    detail::WideVector<Component> score;
    detail::Wide<Scalar> laplacian;
  };

  // The same where terms have left the range of Scalar.
  EIGEN_DONT_INLINE Wide wide(const Vector& x) const {
    using W = detail::Wide<Scalar>;
    std::array<detail::WidePoint<Component>, std::size_t(Components)> own;
    std::array<W, std::size_t(Components)> terms;
    std::size_t top = Components;
    for (std::size_t k = 0; k < own.size(); ++k) {
      own[k] = detail::wide_point(components_[k], x);
      if (!(weights_(Eigen::Index(k)) > 0)) continue;
      const Scalar constant = std::log(weights_(Eigen::Index(k))) -
                              components_[k].cholesky().diagonal().array().log().sum();
      terms[k] = W(constant) - own[k].distance * W(Scalar(0.5));
      if (top == own.size() || (terms[k] - terms[top]).positive()) top = k;
    }
    Wide at;
    for (std::size_t k = 0; k < own.size(); ++k) {
      at.shares(Eigen::Index(k)) = weights_(Eigen::Index(k)) > 0
                                       ? std::exp(static_cast<Scalar>(terms[k] - terms[top]))
                                       : Scalar(0);
    }
    at.shares = shares_of(at.shares);
    at.score.resize(dimension());
    for (Eigen::Index i = 0; i < dimension(); ++i) {
      for (std::size_t k = 0; k < own.size(); ++k) {
        at.score(i) = at.score(i) + W(at.shares(Eigen::Index(k))) * own[k].score(i);
      }
    }
    for (std::size_t k = 0; k < own.size(); ++k) {
      if (!(at.shares(Eigen::Index(k)) > 0)) continue;
      W term = -detail::wide_trace(components_[k]);
      for (Eigen::Index i = 0; i < dimension(); ++i) {
        const W difference = own[k].score(i) - at.score(i);
        term = term + difference * difference;
      }
      at.laplacian = at.laplacian + W(at.shares(Eigen::Index(k))) * term;
    }
    return at;
  }

  Weights weights_;
  std::array<Component, std::size_t(Components)> components_;
};

}  // namespace scorematch
