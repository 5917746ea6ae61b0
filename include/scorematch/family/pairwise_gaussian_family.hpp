// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/distribution/gaussian.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/family/graph.hpp>
#include <scorematch/linalg/cholesky.hpp>

#include <Eigen/Core>

#include <string>
#include <type_traits>
#include <vector>

namespace scorematch {

/// x_i, then -x_i^2 / 2, then -x_i x_j for i > j row by row.
template <Real Scalar, int Dim, int ParameterCount>
struct PairwiseGaussianStatistics {
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Values = Eigen::Matrix<Scalar, ParameterCount, 1>;

  Values operator()(const Vector& x) const {
    const Eigen::Index d = x.size();
    Values t(2 * d + d * (d - 1) / 2);
    for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
      t(i) = x(i);
      t(d + i) = -x(i) * x(i) / 2;
      for (Eigen::Index j = 0; j < i; ++j) t(k++) = -x(i) * x(j);
    }
    return t;
  }

  static constexpr bool takes_packs = true;

  template <class X, class Visit>
  void for_each_derivative(const X& x, Eigen::Index j, Visit&& visit) const {
    using T = std::remove_cvref_t<decltype(x(j))>;
    const Eigen::Index d = Dim == Eigen::Dynamic ? x.size() : Eigen::Index(Dim);
    visit(j, T(1), T(0));
    visit(d + j, T(-x(j)), T(-1));
    for (Eigen::Index i = 0; i < d; ++i) {
      if (i != j) visit(pair(d, i, j), T(-x(i)), T(0));
    }
  }

  // As TranslatableStatistics asks: moved by v, eta becomes eta + K v.
  Vector anchor(const Vector& x) const { return x; }

  template <class Theta, class Shift>
  void translate(Theta& theta, const Shift& v) const {
    const Eigen::Index d = v.size();
    for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
      theta(i) += theta(d + i) * v(i);
      for (Eigen::Index j = 0; j < i; ++j, ++k) {
        theta(i) += theta(k) * v(j);
        theta(j) += theta(k) * v(i);
      }
    }
  }

  template <class Gradient, class Shift>
  void pull_back(Gradient& gradient, const Shift& v) const {
    const auto at = [&v](Eigen::Index i) { return static_cast<typename Gradient::Scalar>(v(i)); };
    const Eigen::Index d = v.size();
    for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
      gradient(d + i) += at(i) * gradient(i);
      for (Eigen::Index j = 0; j < i; ++j) {
        gradient(k++) += at(j) * gradient(i) + at(i) * gradient(j);
      }
    }
  }

  // The mean: Gamma has E[h_i] and -E[h_i x_i].
  template <class Matrix, class Linear>
  Vector middle(const Matrix& gamma, const Linear& g) const {
    const Eigen::Index d = dimension_of(g.size());
    Vector v(d);
    for (Eigen::Index i = 0; i < d; ++i) {
      v(i) = gamma(i, i) > 0 ? Scalar(-gamma(d + i, i) / gamma(i, i)) : Scalar(0);
    }
    return v;
  }

  // The parameter of the pair i != j.
  static Eigen::Index pair(Eigen::Index d, Eigen::Index i, Eigen::Index j) {
    return i > j ? 2 * d + i * (i - 1) / 2 + j : 2 * d + j * (j - 1) / 2 + i;
  }

 private:
  // Of count = d (d + 3) / 2 parameters.
  static Eigen::Index dimension_of(Eigen::Index count) {
    if constexpr (Dim != Eigen::Dynamic) return Dim;
    Eigen::Index d = 0;
    while (d * (d + 3) / 2 < count) ++d;
    return d;
  }
};

/// All Gaussians in natural parameters, as a pairwise interaction model: the parameter of a pair is
/// an entry of the precision matrix, zero where the two are independent given all others.
///
/// **Math** log p(x) = eta^T x - 1/2 x^T K x + const; mean K^-1 eta, covariance K^-1. The score
/// matching estimate is K = S^-1, eta = K m, that of `GaussianFamily` in other coordinates.
///
/// **Shapes** theta, in order: eta (Dim), K_ii (Dim), K_ij for i > j row by row
/// (Dim (Dim - 1) / 2).
///
/// **Units** x in u: eta in 1/u, K in 1/u^2. K and the loss keep their digits wherever the samples
/// are. eta = K mean is rounded as any number is: at a mean of c standard deviations, K^-1 eta has
/// an error of about 1e-16 c, times the condition number of K, in deviations.
///
/// **Cost** O(Dim^3) a sample, where `Moments` takes O(Dim^2): for a full Gaussian use
/// `GaussianFamily`.
///
/// **Example** tests/ready_families_test.cpp
template <Real Scalar_, int Dim_ = Eigen::Dynamic,
          int K_ = Dim_ == Eigen::Dynamic ? Eigen::Dynamic : Dim_ + Dim_*(Dim_ + 1) / 2>
class PairwiseGaussianFamily
    : public ExponentialFamily<Scalar_, Dim_, K_, PairwiseGaussianStatistics<Scalar_, Dim_, K_>> {
  using Parent =
      ExponentialFamily<Scalar_, Dim_, K_, PairwiseGaussianStatistics<Scalar_, Dim_, K_>>;

 public:
  using typename Parent::Parameters;
  using typename Parent::Scalar;
  using Matrix = Eigen::Matrix<Scalar_, Dim_, Dim_>;
  using typename Parent::Vector;

  PairwiseGaussianFamily()
    requires(Dim_ != Eigen::Dynamic)
      : PairwiseGaussianFamily(Dim_) {}

  explicit PairwiseGaussianFamily(Eigen::Index dimension)
      : Parent(dimension, dimension + dimension * (dimension + 1) / 2) {}

  /// "eta(1)", "K(2, 0)".
  std::string parameter_name(Eigen::Index k) const {
    detail::require_index("PairwiseGaussianFamily::parameter_name", "k", k,
                          this->parameter_count());
    const Eigen::Index d = this->dimension();
    if (k < d) return detail::text_of("eta(", k, ")");
    if (k < 2 * d) return detail::text_of("K(", k - d, ", ", k - d, ")");
    Eigen::Index row = 1;
    Eigen::Index column = k - 2 * d;
    while (column >= row) column -= row++;
    return detail::text_of("K(", row, ", ", column, ")");
  }

  /// K_ij for i > j, row by row.
  std::vector<Coupling> couplings() const {
    std::vector<Coupling> result;
    for (Eigen::Index i = 0, k = 2 * this->dimension(); i < this->dimension(); ++i) {
      for (Eigen::Index j = 0; j < i; ++j) result.push_back({{i, j}, k++});
    }
    return result;
  }

  /// K, symmetric.
  ///
  /// **Errors** std::invalid_argument where theta has the wrong size.
  Matrix precision(const Parameters& theta) const {
    detail::require_parameter_count(theta, this->parameter_count());
    const Eigen::Index d = this->dimension();
    Matrix result(d, d);
    for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
      result(i, i) = theta(d + i);
      for (Eigen::Index j = 0; j < i; ++j) result(i, j) = result(j, i) = theta(k++);
    }
    return result;
  }
  template <detail::SizedLater<Parameters> Theta>
  Matrix precision(const Theta& theta) const {
    return precision(detail::sized<Parameters>("theta", theta));
  }

  /// The normalized density at theta.
  ///
  /// **Errors** std::invalid_argument where theta has the wrong size or K is not positive definite.
  Gaussian<Scalar, Dim_> gaussian(const Parameters& theta) const {
    const Eigen::Index d = this->dimension();
    const Matrix k = precision(theta);
    // K is the covariance of a Gaussian of precision Sigma.
    const detail::SemidefiniteRoot<Scalar, Dim_> root(k);
    if (!root.positive_definite) {
      detail::fail("PairwiseGaussianFamily: the precision, theta(", d, ") = ", theta(d),
                   " and after, is not positive definite; expected every eigenvalue above 0");
    }
    return detail::gaussian_of_precision<Scalar, Dim_>(root, theta.head(d));
  }
  template <detail::SizedLater<Parameters> Theta>
  Gaussian<Scalar, Dim_> gaussian(const Theta& theta) const {
    return gaussian(detail::sized<Parameters>("theta", theta));
  }

  /// The natural parameters of a Gaussian: the inverse of `gaussian`.
  Parameters parameters(const Gaussian<Scalar, Dim_>& gaussian) const {
    const Eigen::Index d = this->dimension();
    if (gaussian.dimension() != d) {
      detail::fail("PairwiseGaussianFamily::parameters: the Gaussian has dimension ",
                   gaussian.dimension(), "; expected ", d);
    }
    const Matrix precision = gaussian.precision();
    Parameters theta(this->parameter_count());
    theta.head(d) = precision.lazyProduct(gaussian.mean());
    for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
      theta(d + i) = precision(i, i);
      for (Eigen::Index j = 0; j < i; ++j) theta(k++) = precision(i, j);
    }
    return theta;
  }
};

}  // namespace scorematch
