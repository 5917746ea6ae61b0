#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/distribution/gaussian.hpp>

#include <Eigen/Core>

#include <cmath>
#include <string>

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

  GaussianFamily() requires(Dim != Eigen::Dynamic) : GaussianFamily(Dim) {}

  /// **Errors** std::invalid_argument for a dimension below 1, or other than a fixed Dim.
  explicit GaussianFamily(Eigen::Index dimension) : dimension_(dimension) {
    if (dimension < 1 || (Dim != Eigen::Dynamic && dimension != Dim)) {
      detail::fail("GaussianFamily: dimension = ", dimension, "; expected ",
                   Dim == Eigen::Dynamic ? std::string("at least 1") : detail::to_text(Dim));
    }
  }

  Eigen::Index dimension() const { return Dim == Eigen::Dynamic ? dimension_ : Eigen::Index(Dim); }

  Eigen::Index parameter_count() const { return dimension() + dimension() * (dimension() + 1) / 2; }

  /// All zeros: the standard normal.
  Parameters start() const { return Parameters::Zero(parameter_count()); }

  /// **Errors** std::invalid_argument where theta has the wrong size, is not finite, or its exp
  /// overflows.
  Distribution distribution(const Parameters& theta) const {
    return detail::for_each_lane<Scalar>([&](int k) {
      const GaussianFamily<LaneOf<Scalar>, Dim> family(dimension());
      return family.gaussian(detail::lane_of(theta, k));
    });
  }

  /// The coordinates of a Gaussian: the inverse of `distribution`.
  Parameters parameters(const Distribution& gaussian) const requires Real<Scalar> {
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
    theta.head(d) = mean;
    for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
      theta(d + i) = log(lower(i, i));
      for (Eigen::Index j = 0; j < i; ++j) theta(k++) = lower(i, j);
    }
    return theta;
  }

  /// Writes the lower triangle of L, and zeros above it; unchecked.
  EIGEN_ALWAYS_INLINE void unpack_cholesky(const Parameters& theta, Matrix& lower) const {
    using std::exp;
    const Eigen::Index d = dimension();
    for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
      for (Eigen::Index j = 0; j < i; ++j) {
        lower(i, j) = theta(k++);
        lower(j, i) = Scalar(0);
      }
      lower(i, i) = exp(theta(d + i));
    }
  }

 private:
  template <Number, int>
  friend class GaussianFamily;

  Distribution gaussian(const Parameters& theta) const {
    require_parameters(theta);
    Matrix lower(dimension(), dimension());
    unpack_cholesky(theta, lower);
    return Distribution::from_cholesky(theta.head(dimension()), lower);
  }

  void require_parameters(const Parameters& theta) const {
    using std::isfinite;
    if (theta.size() != parameter_count()) {
      detail::fail("theta has ", theta.size(), " entries; expected ", parameter_count());
    }
    for (Eigen::Index i = 0; i < theta.size(); ++i) {
      if (!isfinite(theta(i))) {
        detail::fail(detail::entry("theta", i, theta(i)), "; expected a finite value");
      }
    }
  }

  Eigen::Index dimension_;
};

}  // namespace scorematch
