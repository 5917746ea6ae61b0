// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/derivative/variables.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/family/statistic_derivatives.hpp>
#include <scorematch/family/statistics.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <type_traits>
#include <utility>

namespace scorematch {

/// One density of an exponential family, its normalizing constant unknown.
///
/// **Math** log p(x) = theta . t(x) + b(x) + const.
///
/// **Shapes** x any dense Dim-vector.
template <Real Scalar_, int Dim_, int K_, class Statistics, class Base = FlatBase>
class ExponentialDistribution {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Parameters = Eigen::Matrix<Scalar, K_, 1>;
  /// Whether x are angles: the statistics say so, and the base measure where there is one.
  static constexpr bool periodic = Periodic<Statistics> && (detail::flat<Base> || Periodic<Base>);

  ExponentialDistribution(Eigen::Index dimension, const Statistics& statistics, const Base& base,
                          const Parameters& theta)
      : dimension_(dimension), statistics_(statistics), base_(base), theta_(theta) {
    detail::require_size("ExponentialDistribution", "dimension", dimension, Dim);
  }
  template <detail::SizedLater<Parameters> Theta>
  ExponentialDistribution(Eigen::Index dimension, const Statistics& statistics, const Base& base,
                          const Theta& theta)
      : ExponentialDistribution(dimension, statistics, base,
                                detail::sized<Parameters>("theta", theta)) {}

  Eigen::Index dimension() const { return dimension_; }
  /// theta: the natural parameters.
  const Parameters& parameters() const { return theta_; }

  /// theta . t(x) + b(x).
  template <SamplesOf<Scalar, Dim> X>
  Scalar unnormalized_log_density(const X& x) const {
    const Vector at = point(x);
    const Parameters t = statistics_(at);
    Scalar result = theta_.dot(t);
    if constexpr (!detail::flat<Base>) result += base_(at);
    return result;
  }

  /// Gradient in x of log p: D^T theta + grad b.
  template <SamplesOf<Scalar, Dim> X>
  Vector score(const X& x) const {
    return derivatives(x).score;
  }

  /// Laplacian in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    return derivatives(x).laplacian;
  }

 private:
  template <class X>
  ScoreAndLaplacian<Scalar, Dim> derivatives(const X& x) const {
    return detail::score_and_laplacian<Scalar, Dim, K_>(statistics_, base_, point(x), theta_);
  }

  template <class X>
  Vector point(const X& x) const {
    if (x.rows() != dimension_ || x.cols() != 1) {
      detail::fail("x is ", x.rows(), " x ", x.cols(), "; expected ", dimension_, " x 1");
    }
    return x.matrix();
  }

  Eigen::Index dimension_;
  Statistics statistics_;
  [[no_unique_address]] Base base_;
  Parameters theta_;
};

/// All densities exp(theta . t(x) + b(x)) of given statistics t, whatever their normalizing
/// constants: linear in the parameters, so that score matching is a quadratic form of them and
/// `ClosedForm` one linear solve.
///
/// **Math** the score is D^T theta + grad b with D = dt/dx. theta = 0 is the base measure alone,
/// which need not be normalizable; nor need the estimate be (docs/exponential-families.md).
///
/// **Shapes** t has K entries, theta too; D is K x Dim. Either may be Eigen::Dynamic.
///
/// **Statistics** a copyable class with `operator()(x)` -> K values, called with
/// `const Eigen::Matrix<Scalar, Dim, 1>&`. Where it is generic in the number type (it returns a
/// column of the entries' type of x, made of the library's elementary functions) that is all, and
/// the derivatives come from forward passes. Else they are by hand: `jacobian(x)` (K x Dim) with
/// `laplacian(x)` (K) or `curvature(x)` (K x Dim); or `for_each_derivative(x, j, visit)`
/// (`SparseStatistics`). The base measure likewise.
///
/// **Errors** std::invalid_argument for a dimension or parameter count below 1, or other than a
/// fixed one.
///
/// **Example** docs/snippets/exponential_families.cpp
template <Real Scalar_, int Dim_, int K_, class Statistics_, class Base_ = FlatBase>
class ExponentialFamily {
 public:
  static_assert(Dim_ == Eigen::Dynamic || Dim_ >= 1, "Dim is a positive size or Eigen::Dynamic");
  static_assert(K_ == Eigen::Dynamic || K_ >= 1, "K is a positive size or Eigen::Dynamic");
  static_assert(
      StatisticsFor<Statistics_, Scalar_, Dim_>,
      "Statistics is a generic operator()(x), or has its derivatives by hand: jacobian(x) "
      "with laplacian(x) or curvature(x), or for_each_derivative(x, j, visit)");
  static_assert(BaseFor<Base_, Scalar_, Dim_>,
                "a base measure is a generic operator()(x), or has gradient(x) and curvature(x)");

  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  static constexpr int ParameterCount = K_;
  using Statistics = Statistics_;
  using Base = Base_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Parameters = Eigen::Matrix<Scalar, K_, 1>;
  using Distribution = ExponentialDistribution<Scalar, Dim, K_, Statistics, Base>;
  /// This class, also seen from a family derived from it.
  using Exponential = ExponentialFamily;

  explicit ExponentialFamily(Statistics statistics = Statistics(), Base base = Base())
    requires(Dim != Eigen::Dynamic && K_ != Eigen::Dynamic)
      : ExponentialFamily(Dim, K_, std::move(statistics), std::move(base)) {}

  ExponentialFamily(Eigen::Index dimension, Eigen::Index parameter_count,
                    Statistics statistics = Statistics(), Base base = Base())
      : dimension_(dimension),
        parameter_count_(parameter_count),
        statistics_(std::move(statistics)),
        base_(std::move(base)) {
    detail::require_size("ExponentialFamily", "dimension", dimension, Dim);
    detail::require_size("ExponentialFamily", "parameter_count", parameter_count, K_);
  }

  Eigen::Index dimension() const { return Dim == Eigen::Dynamic ? dimension_ : Eigen::Index(Dim); }
  Eigen::Index parameter_count() const {
    return K_ == Eigen::Dynamic ? parameter_count_ : Eigen::Index(K_);
  }
  const Statistics& statistics() const { return statistics_; }
  const Base& base() const { return base_; }

  /// All zeros: the base measure alone.
  Parameters start() const { return Parameters::Zero(parameter_count()); }

  /// **Errors** std::invalid_argument where theta has the wrong size or is not finite.
  Distribution distribution(const Parameters& theta) const {
    detail::require_parameters(theta, parameter_count());
    return Distribution(dimension(), statistics_, base_, theta);
  }
  template <detail::SizedLater<Parameters> Theta>
  Distribution distribution(const Theta& theta) const {
    return distribution(detail::sized<Parameters>("theta", theta));
  }

  /// The parameters of the density at theta, moved by v: log p at x + v is what it was at x, up to
  /// a constant. Far away they are as large as the statistics are there, and a moved density keeps
  /// as many digits as they do.
  ///
  /// **Shapes** v Dim, one of those by which the family can be moved (`TranslatableStatistics`):
  /// any for Gaussians and polynomials, one angle for all that share a field or are coupled for
  /// `VonMisesFamily`.
  ///
  /// **Errors** std::invalid_argument where theta or v has the wrong size.
  Parameters translated(Parameters theta, const Vector& v) const
    requires(detail::flat<Base> && TranslatableStatistics<Statistics, Scalar, Dim, K_>)
  {
    if (theta.size() != parameter_count() || v.size() != dimension()) {
      detail::fail("translated: theta has ", theta.size(), " entries, v has ", v.size(),
                   "; expected ", parameter_count(), " and ", dimension());
    }
    statistics_.translate(theta, v);
    return theta;
  }

  // theta below holds Scalar, or numbers that carry derivatives by theta (`Dual`).

  /// Gradient in x of log p_theta.
  template <DenseExpression Theta>
  Eigen::Matrix<typename Theta::Scalar, Dim, 1> score(const Vector& x, const Theta& theta) const {
    return score_and_laplacian(x, theta).score;
  }

  template <DenseExpression Theta>
  ScoreAndLaplacian<typename Theta::Scalar, Dim> score_and_laplacian(const Vector& x,
                                                                     const Theta& theta) const {
    return detail::score_and_laplacian<Scalar, Dim, K_>(statistics_, base_, x, theta);
  }

  template <DenseExpression Theta>
    requires KnowsCurvature<Statistics, Scalar, Dim>
  ScoreAndCurvature<typename Theta::Scalar, Dim> score_and_curvature(const Vector& x,
                                                                     const Theta& theta) const {
    using T = typename Theta::Scalar;
    Eigen::Matrix<Scalar, K_, Dim> jacobian(theta.size(), x.size());
    Eigen::Matrix<Scalar, K_, Dim> curvature(theta.size(), x.size());
    Vector base_gradient(x.size());
    Vector base_curvature(x.size());
    detail::write_curvature<Scalar, Dim, K_>(statistics_, x, jacobian, curvature);
    detail::write_base<Scalar, Dim>(base_, x, base_gradient, base_curvature);
    ScoreAndCurvature<T, Dim> result{Eigen::Matrix<T, Dim, 1>(x.size()),
                                     Eigen::Matrix<T, Dim, 1>(x.size())};
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      result.score(j) = T(base_gradient(j));
      result.curvature(j) = T(base_curvature(j));
      for (Eigen::Index k = 0; k < theta.size(); ++k) {
        result.score(j) += theta(k) * jacobian(k, j);
        result.curvature(j) += theta(k) * curvature(k, j);
      }
    }
    return result;
  }

  /// v . grad log p_theta and v^T (Hessian of log p_theta) v.
  template <DenseExpression Theta>
    requires(DifferentiableFunction<Statistics, Scalar, Dim> &&
             (detail::flat<Base> || DifferentiableFunction<Base, Scalar, Dim>))
  Directional<typename Theta::Scalar> directional(const Vector& x, const Vector& v,
                                                  const Theta& theta) const {
    using T = typename Theta::Scalar;
    const auto along = variables_along<Scalar>(x, v);
    const auto t = statistics_(along);
    Directional<T> result{T(0), T(0)};
    if constexpr (!detail::flat<Base>) {
      const auto b = base_(along);
      result = {T(b.first), T(b.second)};
    }
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      result.first += theta(k) * t(k).first;
      result.second += theta(k) * t(k).second;
    }
    return result;
  }

  /// theta . t(x) + b(x): log p_theta up to a constant in x.
  template <DenseExpression Theta>
  typename Theta::Scalar log_density(const Vector& x, const Theta& theta) const {
    using T = typename Theta::Scalar;
    const Eigen::Matrix<Scalar, K_, 1> t = statistics_(x);
    T result(0);
    if constexpr (!detail::flat<Base>) result = T(base_(x));
    for (Eigen::Index k = 0; k < theta.size(); ++k) result += theta(k) * t(k);
    return result;
  }

 private:
  Eigen::Index dimension_;
  Eigen::Index parameter_count_;
  Statistics statistics_;
  [[no_unique_address]] Base base_;
};

/// An `ExponentialFamily`, or a family derived from one.
template <class F>
concept ExponentialModel =
    requires { typename F::Exponential; } && std::derived_from<F, typename F::Exponential>;

}  // namespace scorematch
