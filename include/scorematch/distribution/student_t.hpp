#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/distribution/gaussian.hpp>

#include <Eigen/Core>

#include <cmath>
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

  /// From the Gaussian that has its location for a mean and its scale for a covariance.
  StudentT(const Gaussian<Scalar, Dim>& core, Scalar degrees_of_freedom)
      : core_(core), nu_(degrees_of_freedom), trace_(-core.laplacian()) {
    detail::require_option(std::isfinite(nu_) && nu_ > 0, "StudentT", "degrees_of_freedom", nu_,
                           "a finite number above 0");
  }

  Eigen::Index dimension() const { return core_.dimension(); }
  const Vector& location() const { return core_.mean(); }
  const Matrix& scale() const { return core_.covariance(); }
  Scalar degrees_of_freedom() const { return nu_; }

  /// log p(x), normalized.
  template <SamplesOf<Scalar, Dim> X>
  Scalar log_density(const X& x) const {
    using std::lgamma;
    using std::log;
    using std::log1p;
    const Scalar d = static_cast<Scalar>(dimension());
    return lgamma((nu_ + d) / 2) - lgamma(nu_ / 2) - d * log(nu_ * std::numbers::pi_v<Scalar>) / 2 -
           core_.cholesky().diagonal().array().log().sum() -
           (nu_ + d) / 2 * log1p(distance(x, core_.score(x)) / nu_);
  }

  /// Gradient in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Vector score(const X& x) const {
    const Vector inner = core_.score(x);
    return factor(distance(x, inner)) * inner;
  }

  /// Laplacian in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    const Vector inner = core_.score(x);
    const Scalar q = distance(x, inner);
    return factor(q) * (2 * inner.squaredNorm() / (nu_ + q) - trace_);
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
  // q, from x and -P (x - mu).
  template <class X>
  Scalar distance(const X& x, const Vector& inner) const {
    const Vector difference = x.matrix() - location();
    return -difference.dot(inner);
  }

  Scalar factor(Scalar q) const { return (nu_ + static_cast<Scalar>(dimension())) / (nu_ + q); }

  Gaussian<Scalar, Dim> core_;
  Scalar nu_;
  Scalar trace_;  // of P
};

}  // namespace scorematch
