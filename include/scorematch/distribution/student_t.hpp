// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/gamma.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/distribution/gaussian.hpp>
#include <scorematch/distribution/wide.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <numbers>
#include <random>

namespace scorematch {

/// One multivariate Student t distribution: heavy tails, the heavier the fewer its degrees of
/// freedom nu; a Cauchy at nu = 1, a Gaussian as nu grows.
///
/// **Math** log p(x) = c - (nu + Dim)/2 log(1 + q/nu) with q = (x - mu)^T P (x - mu) and
/// P^-1 = L L^T the scale matrix: the covariance is nu / (nu - 2) L L^T for nu > 2. With
/// f = (nu + Dim) / (nu + q): score -f P (x - mu),
/// Laplacian -f tr P + 2 f / (nu + q) |P (x - mu)|^2.
///
/// **Shapes** location Dim, scale Dim x Dim, x any dense Dim-vector.
///
/// **Units** x in u: density in u^-Dim, score in 1/u, Laplacian in 1/u^2.
///
/// **Errors** as of `Gaussian`: std::invalid_argument where x has the wrong size or an entry that
/// is not finite; never NaN.
template <Real Scalar_, int Dim_ = Eigen::Dynamic>
class StudentT {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;
  using Samples = Eigen::Matrix<Scalar, Dim, Eigen::Dynamic>;

  /// **Errors** std::invalid_argument where location or scale are not those of a `Gaussian`, or the
  /// degrees of freedom are not finite and above 0.
  StudentT(const Vector& location, const Matrix& scale, Scalar degrees_of_freedom)
      : StudentT(Gaussian<Scalar, Dim>(location, scale), degrees_of_freedom) {}
  template <detail::EigenExpression Location, detail::EigenExpression Scale>
    requires(detail::SizedLater<Location, Vector> || detail::SizedLater<Scale, Matrix>)
  StudentT(const Location& location, const Scale& scale, Scalar degrees_of_freedom)
      : StudentT(Gaussian<Scalar, Dim>(location, scale), degrees_of_freedom) {}

  /// From the Gaussian that has its location for a mean and its scale for a covariance.
  StudentT(const Gaussian<Scalar, Dim>& core, Scalar degrees_of_freedom)
      : core_(core), nu_(degrees_of_freedom), trace_(-core.laplacian()) {
    detail::require_option(std::isfinite(nu_) && nu_ > 0, "StudentT", "degrees_of_freedom", nu_,
                           "a finite number above 0");
    constant_ = core_.log_density_at(Scalar(0)) + detail::log_gamma_ratio(nu_, size());
  }

  Eigen::Index dimension() const { return core_.dimension(); }
  const Vector& location() const { return core_.mean(); }
  const Matrix& scale() const { return core_.covariance(); }
  Scalar degrees_of_freedom() const { return nu_; }

  /// log p(x), normalized.
  template <SamplesOf<Scalar, Dim> X>
  Scalar log_density(const X& x) const {
    using std::isfinite;
    using std::log;
    using std::log1p;
    const Scalar q = core_.whiten(x).squaredNorm();
    const Scalar ratio = q / nu_;
    Scalar growth = log1p(ratio);
    if (!in_range(nu_ + q) || !isfinite(ratio)) [[unlikely]] {
      const auto wide_q = detail::wide_point(core_, x.matrix()).distance;
      const Scalar wide_ratio = static_cast<Scalar>(wide_q / detail::Wide<Scalar>(nu_));
      growth = isfinite(wide_ratio) ? log1p(wide_ratio) : log(wide_q) - log(nu_);
    }
    return constant_ - (nu_ + size()) / 2 * growth;
  }

  /// Gradient in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Vector score(const X& x) const {
    Vector result = -core_.whiten(x);
    const Scalar spread = nu_ + result.squaredNorm();
    detail::solve_transposed_lower(core_.cholesky(), result);
    result *= (nu_ + size()) / spread;
    if (in_range(spread) && detail::all_finite(result)) return result;
    auto [distance, inner] = detail::wide_point(core_, x.matrix());
    const auto factor = wide_factor(distance);
    for (auto& entry : inner) entry = factor * entry;
    return detail::narrow<Vector>(inner);
  }

  /// Laplacian in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    Vector inner = core_.whiten(x);
    const Scalar spread = nu_ + inner.squaredNorm();
    detail::solve_transposed_lower(core_.cholesky(), inner);
    const Scalar inverse = 1 / spread;
    // Not the square of `inner` divided by the spread: it may leave the range.
    const Scalar bend = 2 * (inner * inverse).dot(inner);
    const Scalar result = (nu_ + size()) * inverse * (bend - trace_);
    if (in_range(spread) && std::isfinite(result)) return result;
    using W = detail::Wide<Scalar>;
    const auto at = detail::wide_point(core_, x.matrix());
    W square;
    for (const W& entry : at.score) square = square + entry * entry;
    return static_cast<Scalar>(wide_factor(at.distance) * (W(2) * square / (W(nu_) + at.distance) -
                                                           detail::wide_trace(core_)));
  }

  /// n draws, one per column. `rng` is any std::uniform_random_bit_generator.
  template <std::uniform_random_bit_generator Rng>
  Samples sample(Eigen::Index n, Rng& rng) const {
    detail::require_option(n >= 0, "StudentT::sample", "n", n, "at least 0");
    Samples result = core_.sample(n, rng);
    std::gamma_distribution<Scalar> chi_squared(nu_ / 2, Scalar(2));
    for (Eigen::Index j = 0; j < n; ++j) {
      const Scalar stretch = std::sqrt(nu_ / chi_squared(rng));
      result.col(j) = location() + stretch * (result.col(j) - location());
    }
    return result;
  }

 private:
  Scalar size() const { return static_cast<Scalar>(dimension()); }

  // Whether the inverse of nu + q is a normal number, and q has the digits that matter beside nu.
  static bool in_range(Scalar spread) {
    using Limits = std::numeric_limits<Scalar>;
    return spread >= std::sqrt((Limits::min)()) && spread <= (Limits::max)() / 4;
  }

  // (nu + Dim) / (nu + q).
  detail::Wide<Scalar> wide_factor(const detail::Wide<Scalar>& q) const {
    using W = detail::Wide<Scalar>;
    return (W(nu_) + W(size())) / (W(nu_) + q);
  }

  Gaussian<Scalar, Dim> core_;
  Scalar nu_;
  Scalar trace_;     // of P
  Scalar constant_;  // log p at the location
};

}  // namespace scorematch
