// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/data/median.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/distribution/gaussian.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/linalg/cholesky.hpp>
#include <scorematch/linalg/triangular.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <numbers>
#include <utility>

namespace scorematch {

/// All Gaussians of one dimension, in log-Cholesky coordinates (Pinheiro and Bates 1996): every
/// parameter vector is a valid covariance while its exponentials are in range, so an unconstrained
/// optimizer can walk them.
///
/// **Shapes** theta, in order: mean (Dim), log L_ii (Dim), strictly lower L_ij row by row
/// (Dim (Dim - 1) / 2); the covariance is L L^T. theta = 0 is the standard normal.
///
/// **Example** `GaussianFamily<double, 2>{}`, or `GaussianFamily<double>{dim}` where the dimension
/// is known at run time only; examples/notebook.cpp.
template <Number Scalar_, int Dim_ = Eigen::Dynamic>
class GaussianFamily {
 public:
  static_assert(Dim_ == Eigen::Dynamic || Dim_ >= 1, "Dim is a positive size or Eigen::Dynamic");

  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  static constexpr int ParameterCount =
      Dim == Eigen::Dynamic ? Eigen::Dynamic : Dim + Dim * (Dim + 1) / 2;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount, 1>;
  /// A Gaussian; of a `Pack`, an array of them, one for each lane.
  using Distribution = PerLane<Scalar, Gaussian<LaneOf<Scalar>, Dim>>;

  GaussianFamily()
    requires(Dim != Eigen::Dynamic)
      : GaussianFamily(Dim) {}

  /// **Errors** std::invalid_argument for a dimension below 1, or other than a fixed Dim.
  explicit GaussianFamily(Eigen::Index dimension) : dimension_(dimension) {
    detail::require_size("GaussianFamily", "dimension", dimension, Dim);
  }

  Eigen::Index dimension() const { return Dim == Eigen::Dynamic ? dimension_ : Eigen::Index(Dim); }

  Eigen::Index parameter_count() const { return dimension() + dimension() * (dimension() + 1) / 2; }

  /// All zeros: the standard normal.
  Parameters start() const { return Parameters::Zero(parameter_count()); }

  /// The mean and the covariance of the samples; of a singular covariance, its variances.
  template <std::same_as<Scalar> T>
  Parameters start(const Moments<T, Dim>& moments) const
    requires Real<T>
  {
    const Matrix covariance = moments.covariance();
    const detail::SemidefiniteRoot<Scalar, Dim> root(covariance);
    if (!root.singular) return pack(moments.mean(), root.lower);
    return located(moments.mean(), covariance.diagonal().cwiseSqrt());
  }

  /// The medians of the samples, and the variances of a normal distribution with their quartiles.
  template <std::same_as<Scalar> T>
  Parameters start(const SampleSet<T, Dim>& samples) const
    requires Real<T>
  {
    const auto at = detail::median_and_spread(samples);
    return located(at.median, at.spread);
  }

  /// Independent coordinates with the given means and standard deviations (1 for one of 0).
  Parameters located(const Vector& mean, const Vector& deviation) const {
    using std::log;
    Parameters theta = Parameters::Zero(parameter_count());
    for (Eigen::Index i = 0; i < dimension(); ++i) {
      theta(i) = mean(i);
      theta(dimension() + i) = deviation(i) > 0 ? Scalar(log(deviation(i))) : Scalar(0);
    }
    return theta;
  }

  /// Makes theta that of the density moved by `by` (Dim).
  template <class Theta, class By>
  void move(Theta&& theta, const By& by) const {
    for (Eigen::Index i = 0; i < dimension(); ++i) theta(i) += by(i);
  }

  /// By how much each parameter changes when the density changes by an amount of order one: the
  /// standard deviation of coordinate i for what has its unit (the mean, row i of L), else 1.
  Parameters scales(const Parameters& theta) const {
    using std::exp;
    using std::sqrt;
    const Eigen::Index d = dimension();
    Parameters result = Parameters::Ones(parameter_count());
    for (Eigen::Index i = 0, first = 2 * d; i < d; first += i, ++i) {
      Scalar variance = exp(2 * theta(d + i));
      for (Eigen::Index j = 0; j < i; ++j) variance += theta(first + j) * theta(first + j);
      result(i) = sqrt(variance);
      for (Eigen::Index j = 0; j < i; ++j) result(first + j) = result(i);
    }
    return result;
  }

  /// **Errors** std::invalid_argument where theta has the wrong size, is not finite, or its exp
  /// overflows.
  Distribution distribution(const Parameters& theta) const {
    return detail::for_each_lane<Scalar>([&](int k) {
      const GaussianFamily<LaneOf<Scalar>, Dim> family(dimension());
      return family.gaussian(detail::lane_of(theta, k));
    });
  }
  template <detail::SizedLater<Parameters> Theta>
  Distribution distribution(const Theta& theta) const {
    return distribution(detail::sized<Parameters>("theta", theta));
  }

  /// The coordinates of a Gaussian: the inverse of `distribution`.
  Parameters parameters(const Distribution& gaussian) const
    requires Real<Scalar>
  {
    if (gaussian.dimension() != dimension()) {
      detail::fail("GaussianFamily::parameters: the Gaussian has dimension ", gaussian.dimension(),
                   "; expected ", dimension());
    }
    return pack(gaussian.mean(), gaussian.cholesky());
  }

  /// The same family over another scalar.
  template <Number Other>
  GaussianFamily<Other, Dim> with_scalar() const {
    return GaussianFamily<Other, Dim>(dimension());
  }

  /// theta of a mean and a lower Cholesky factor, unchecked.
  Parameters pack(const Vector& mean, const Matrix& lower) const {
    using std::log;
    const Eigen::Index d = dimension();
    Parameters theta(parameter_count());
    for (Eigen::Index i = 0; i < d; ++i) {
      theta(i) = mean(i);
      theta(d + i) = log(lower(i, i));
    }
    detail::pack_below(lower, 2 * d, theta);
    return theta;
  }

  /// Writes the lower triangle of L, and zeros above it; unchecked.
  template <class Theta, class Lower>
  EIGEN_ALWAYS_INLINE void unpack_cholesky(const Theta& theta, Lower& lower) const {
    using std::exp;
    const Eigen::Index d = dimension();
    detail::for_each_entry(
        lower.col(0), [&](Eigen::Index j) SCOREMATCH_INLINE { lower(j, j) = exp(theta(d + j)); });
    detail::unpack_below(theta, 2 * d, lower);
  }

  /// grad_x log p = -P (x - mu), with theta in Scalar or in numbers over it. Unchecked, as are the
  /// members below.
  template <DenseExpression X, DenseExpression Theta>
  Eigen::Matrix<typename Theta::Scalar, Dim, 1> score(const X& x, const Theta& theta) const {
    auto at = whiten(x, theta);
    detail::solve_transposed_lower(at.lower, at.residual);
    return -at.residual;
  }

  /// The score and the Laplacian -tr P.
  template <DenseExpression X, DenseExpression Theta>
  ScoreAndLaplacian<typename Theta::Scalar, Dim> score_and_laplacian(const X& x,
                                                                     const Theta& theta) const {
    const auto both = score_and_curvature(x, theta);
    return {both.score, both.curvature.sum()};
  }

  /// The score and the second derivatives -P_jj.
  template <DenseExpression X, DenseExpression Theta>
  ScoreAndCurvature<typename Theta::Scalar, Dim> score_and_curvature(const X& x,
                                                                     const Theta& theta) const {
    using T = typename Theta::Scalar;
    auto at = whiten(x, theta);
    detail::solve_transposed_lower(at.lower, at.residual);
    Eigen::Matrix<T, Dim, 1> curvature(dimension());
    Eigen::Matrix<T, Dim, 1> column(dimension());
    for (Eigen::Index j = 0; j < dimension(); ++j) {
      for (Eigen::Index i = 0; i < dimension(); ++i) column(i) = T(i == j ? 1 : 0);
      detail::solve_lower(at.lower, column);
      curvature(j) = -column.squaredNorm();
    }
    return {-at.residual, curvature};
  }

  /// v . score and -v^T P v.
  template <DenseExpression X, DenseExpression Direction, DenseExpression Theta>
  Directional<typename Theta::Scalar> directional(const X& x, const Direction& v,
                                                  const Theta& theta) const {
    using T = typename Theta::Scalar;
    const auto at = whiten(x, theta);
    Eigen::Matrix<T, Dim, 1> direction(dimension());
    for (Eigen::Index i = 0; i < dimension(); ++i) direction(i) = T(v(i));
    detail::solve_lower(at.lower, direction);
    return {-at.residual.dot(direction), -direction.squaredNorm()};
  }

  /// log p(x), normalized.
  template <DenseExpression X, DenseExpression Theta>
  typename Theta::Scalar log_density(const X& x, const Theta& theta) const {
    using std::log;
    const Scalar log_2pi = log(2 * std::numbers::pi_v<LaneOf<Scalar>>);
    const Scalar constant = static_cast<Scalar>(dimension()) * log_2pi / 2;
    return -whiten(x, theta).residual.squaredNorm() / 2 -
           theta.segment(dimension(), dimension()).sum() - constant;
  }

 private:
  template <Number, int>
  friend class GaussianFamily;

  Distribution gaussian(const Parameters& theta) const {
    detail::require_parameters(theta, parameter_count());
    Matrix lower(dimension(), dimension());
    unpack_cholesky(theta, lower);
    return Distribution::from_cholesky(Vector(theta.head(dimension())), std::move(lower));
  }

  // L and L^-1 (x - mu).
  template <class T>
  struct Whitened {
    Eigen::Matrix<T, Dim, Dim> lower;
    Eigen::Matrix<T, Dim, 1> residual;
  };

  template <class X, class Theta>
  Whitened<typename Theta::Scalar> whiten(const X& x, const Theta& theta) const {
    Whitened<typename Theta::Scalar> at;
    at.lower.resize(dimension(), dimension());
    at.residual.resize(dimension());
    unpack_cholesky(theta, at.lower);
    for (Eigen::Index i = 0; i < dimension(); ++i) at.residual(i) = x(i) - theta(i);
    detail::solve_lower(at.lower, at.residual);
    return at;
  }

  Eigen::Index dimension_;
};

/// `GaussianFamily`, or a family derived from it: with coordinates or a start of its own, it is
/// still one of Gaussians, and the losses see it by its moments. (A family of other densities holds
/// a `GaussianFamily` instead.)
template <class F>
concept GaussianModel = WithoutEdge<F> && FamilyTypes<F> &&
                        std::derived_from<F, GaussianFamily<typename F::Scalar, F::Dim>>;

}  // namespace scorematch
