#pragma once

#include <scorematch/data/quadratic_form.hpp>
#include <scorematch/detail/cholesky.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/detail/semidefinite_solve.hpp>

#include <Eigen/Core>

#include <limits>
#include <vector>

namespace scorematch {

/// A quadratic function of the parameters: what score matching of an exponential family minimizes.
///
/// **Math** J(theta) = 1/2 theta^T Gamma theta + g^T theta + c. With Gamma positive definite its
/// minimum is theta = -Gamma^-1 g. Singularity is judged after scaling Gamma to unit diagonal, so
/// the units of the statistics do not matter. Where Gamma is singular, the parameters along its
/// null space have no effect on the quadratic term: J falls for ever where g has a component there
/// (`unbounded`), else every point of a flat is a minimum (`ambiguous`) and `minimizer` is the one
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
        solution_(quadratic_, Parameters(-linear_)) {}

  Eigen::Index parameter_count() const { return linear_.size(); }

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
    const Scalar value = twice / 2 + constant_;
    return value - value == 0 ? value : std::numeric_limits<Scalar>::infinity();
  }

  /// The minimum; where it is not unique, the one with the least sum_k Gamma_kk theta_k^2.
  Parameters minimizer() const { return solution_.x; }

  /// True where Gamma is singular and J falls for ever along its null space.
  bool unbounded() const { return !solution_.consistent; }

  /// True where J has a minimum but not only one: some parameters are not determined.
  bool ambiguous() const { return solution_.singular && solution_.consistent; }

  /// The parameters that the samples do not determine, in increasing order: those that some
  /// direction in the null space of Gamma changes. Statistics that are linearly dependent (up to
  /// a constant) are all named. Empty where Gamma is regular.
  std::vector<Eigen::Index> unidentifiable() const { return solution_.undetermined(); }

  /// The largest |theta_k - minimizer_k| sqrt(Gamma_kk), relative to the largest
  /// |minimizer_k| sqrt(Gamma_kk); directions that are not determined do not count.
  Scalar mismatch(const Parameters& theta) const { return solution_.distance(theta); }

  const Matrix& quadratic() const { return quadratic_; }
  const Parameters& linear() const { return linear_; }
  Scalar constant() const { return constant_; }

 private:
  Matrix quadratic_;
  Parameters linear_;
  Scalar constant_;
  detail::SemidefiniteSolution<Scalar, ParameterCount> solution_;
};

namespace detail {

template <class F, class Form>
QuadraticObjective<typename Form::Scalar, Form::ParameterCount> quadratic_objective(
    const F& family, const Form& form) {
  if (form.size() != family.parameter_count()) {
    fail("the summary has ", form.size(), " parameters; expected ", family.parameter_count(),
         ", as the family has them");
  }
  if (!(form.count() > 0)) fail("no samples (count = 0); expected at least one");
  return QuadraticObjective<typename Form::Scalar, Form::ParameterCount>(form);
}

}  // namespace detail
}  // namespace scorematch
