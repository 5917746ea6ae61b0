// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/data/quadratic_form.hpp>
#include <scorematch/linalg/cholesky.hpp>
#include <scorematch/linalg/semidefinite_solve.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <vector>

namespace scorematch {

namespace detail {

// A typical size of a change of each parameter: 1 / sqrt(Gamma_kk), 1 where that is no number.
template <class Matrix>
auto scales_of(const Matrix& gamma) {
  using std::sqrt;
  using Scalar = typename Matrix::Scalar;
  Eigen::Matrix<Scalar, Matrix::RowsAtCompileTime, 1> scales(gamma.rows());
  for (Eigen::Index k = 0; k < scales.size(); ++k) {
    const Scalar scale = Scalar(1) / sqrt(gamma(k, k));
    scales(k) = scale > 0 && scale <= (std::numeric_limits<Scalar>::max)() ? scale : Scalar(1);
  }
  return scales;
}

}  // namespace detail

/// A quadratic function of the parameters: what score matching of an exponential family minimizes.
///
/// **Math** J(theta) = 1/2 theta^T Gamma theta + g^T theta + c. With Gamma positive definite its
/// minimum is theta = -Gamma^-1 g. Singularity is judged after scaling Gamma to unit diagonal, so
/// the units of the statistics do not matter. Where Gamma is singular, the parameters along its
/// null space have no effect on the quadratic term: J falls for ever where g has a component there
/// (`unbounded`), else every point of a flat is a minimum (`ambiguous`) and `exact` is the one
/// with the least sum_k Gamma_kk theta_k^2.
///
/// **Units** J in 1/u^2 for samples in u.
///
/// **Errors** std::invalid_argument for a form without samples.
///
/// **Cost** construction O(K^3), value and gradient 2 K^2 flops. No allocation after construction.
template <Real Scalar_, int K_ = Eigen::Dynamic>
class QuadraticObjective {
 public:
  using Scalar = Scalar_;
  static constexpr int ParameterCount = K_;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount, 1>;
  using Matrix = Eigen::Matrix<Scalar, ParameterCount, ParameterCount>;

  explicit QuadraticObjective(const QuadraticForm<Scalar, ParameterCount>& form)
      : quadratic_(form.quadratic()),
        linear_(form.linear()),
        constant_(form.constant()),
        unit_(detail::scales_of(quadratic_)),
        solution_(quadratic_, Parameters(-linear_)) {
    const Scalar size = linear_.cwiseProduct(unit_).cwiseAbs().maxCoeff();
    if (size > 0 && size <= (std::numeric_limits<Scalar>::max)()) unit_ *= size;
  }

  Eigen::Index parameter_count() const { return linear_.size(); }

  /// `unbounded` where Gamma is singular and J falls for ever along its null space; `ambiguous`
  /// where it is singular and J does not: some parameters are not determined.
  ObjectiveInfo<Scalar> info() const {
    return {.unbounded = !solution_.consistent,
            .ambiguous = solution_.singular && solution_.consistent,
            .constant = constant_,
            .parameter_count = parameter_count()};
  }

  /// J(theta); infinity where it overflows.
  Scalar operator()(const Parameters& theta) const {
    Parameters gradient(theta.size());
    return (*this)(theta, gradient);
  }

  /// J(theta) and its gradient Gamma theta + g.
  Scalar operator()(const Parameters& theta, Parameters& gradient) const {
    // Plain loops over columns: a vectorized axpy each, and no temporary.
    Scalar linear_part(0);
    gradient = linear_;
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      gradient += theta(k) * quadratic_.col(k);
      linear_part += theta(k) * linear_(k);
    }
    Scalar twice = linear_part;
    for (Eigen::Index k = 0; k < theta.size(); ++k) twice += theta(k) * gradient(k);
    return detail::finite_or_infinity(twice / 2 + constant_);
  }

  /// Gamma, at any theta.
  const Matrix& hessian(const Parameters&) const { return quadratic_; }

  /// The minimum; where it is not unique, the one with the least sum_k Gamma_kk theta_k^2.
  ExactMinimum<Parameters> exact() const {
    return {solution_.x, linear_.dot(solution_.x) / 2 + constant_};
  }

  /// The parameters that the samples do not determine, in increasing order: those that some
  /// direction in the null space of Gamma changes. Statistics that are linearly dependent (up to
  /// a constant) are all named. Empty where Gamma is regular.
  std::vector<Eigen::Index> unidentifiable() const { return solution_.undetermined(); }

  /// With theta* the exact minimum, the largest |theta_k - theta*_k| Gamma_kk relative to
  /// sum_j |Gamma_kj theta*_j| + |g_k|:
  /// each parameter in units of the terms that its own equation balances, whatever the units of
  /// this and the other ones. Directions that are not determined do not count.
  Scalar distance_to_minimum(const Parameters& theta) const { return solution_.distance(theta); }
  /// The same in local coordinates.
  Scalar local_distance_to_minimum(const Parameters& u) const {
    return solution_.distance(u.cwiseProduct(unit_));
  }

  /// Local coordinates (`HasLocalCoordinates`): u_k = theta_k sqrt(Gamma_kk) / Y without units, Y
  /// the largest |g_k| / sqrt(Gamma_kk).
  Scalar local(const Parameters& u, Parameters& gradient) const {
    // The same loops with R, of unit diagonal, in place of Gamma.
    Scalar linear_part(0);
    for (Eigen::Index k = 0; k < u.size(); ++k) gradient(k) = unit_(k) * linear_(k);
    Scalar twice(0);
    for (Eigen::Index k = 0; k < u.size(); ++k) linear_part += u(k) * gradient(k);
    for (Eigen::Index k = 0; k < u.size(); ++k) {
      const Scalar theta = unit_(k) * u(k);
      for (Eigen::Index i = 0; i < u.size(); ++i) {
        gradient(i) += unit_(i) * (quadratic_(i, k) * theta);
      }
    }
    for (Eigen::Index k = 0; k < u.size(); ++k) twice += u(k) * gradient(k);
    return detail::finite_or_infinity((linear_part + twice) / 2 + constant_);
  }
  Parameters to_local(const Parameters& theta) const { return theta.cwiseQuotient(unit_); }
  Parameters from_local(const Parameters& u) const { return u.cwiseProduct(unit_); }

  /// A typical size of a change of each parameter: 1 / sqrt(Gamma_kk), and 1 where Gamma_kk is 0.
  Parameters scales() const { return detail::scales_of(quadratic_); }

  /// The dimension of the null space of Gamma, and direction c of a basis of it.
  Eigen::Index flat_directions() const { return solution_.nullity(); }
  Parameters flat_direction(Eigen::Index c) const { return solution_.null_vector(c); }
  static constexpr Scalar negligible_part() { return Solution::negligible_part(); }

  const Matrix& quadratic() const { return quadratic_; }
  const Parameters& linear() const { return linear_; }
  Scalar constant() const { return constant_; }

 private:
  using Solution = detail::SemidefiniteSolution<Scalar, ParameterCount>;

  Matrix quadratic_;
  Parameters linear_;
  Scalar constant_;
  Parameters unit_;  // a change of one in local coordinates
  Solution solution_;
};

}  // namespace scorematch
