// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/quadratic_form.hpp>
#include <scorematch/loss/quadratic/quadratic_objective.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace scorematch {

/// A `QuadraticObjective` whose sums are about the middle of the samples, however far from the
/// origin that is: score matching of an exponential family of `TranslatableStatistics`.
///
/// **Math** J(theta) = 1/2 theta'^T Gamma' theta' + g' . theta' + c with theta' = `enter`(theta):
/// the parameters of the density of x - center(), Gamma' and g' those of such samples.
///
/// Optimizers that adapt walk in theta', in its local coordinates (`HasLocalCoordinates`): there
/// the same samples elsewhere are the same problem, and the numbers that cancel far from the origin
/// do not meet.
///
/// **Errors**, **Cost** as of `QuadraticObjective`, and O(K) for theta', O(K^2) once. No allocation
/// after construction, other than for the accessors and `unidentifiable`. For an objective of a
/// dynamic size the calls share a workspace, so that one object is not for two threads at once.
template <class F>
class CenteredObjective {
 public:
  using Scalar = typename F::Scalar;
  static constexpr int ParameterCount = F::ParameterCount;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount, 1>;
  using Matrix = Eigen::Matrix<Scalar, ParameterCount, ParameterCount>;
  using Vector = Eigen::Matrix<Scalar, F::Dim, 1>;

  /// The form of x - origin for samples x.
  CenteredObjective(const F& family, const QuadraticForm<Scalar, ParameterCount>& form,
                    const Vector& origin)
      : statistics_(family.statistics()),
        origin_(origin),
        middle_(middle_of(statistics_, form)),
        within_(moved(statistics_, form, middle_)),
        local_(family.parameter_count()) {}

  /// J(theta); infinity where it overflows.
  Scalar operator()(const Parameters& theta) const {
    Parameters gradient(theta.size());
    return (*this)(theta, gradient);
  }

  /// J(theta) and its gradient.
  Scalar operator()(const Parameters& theta, Parameters& gradient) const {
    auto&& local = local_of(theta);
    const Scalar value = within_(local, gradient);
    pull_back(gradient);
    return value;
  }

  /// Gamma, at any theta.
  Matrix hessian(const Parameters&) const { return quadratic(); }

  /// The minimum, as of `within()`.
  ExactMinimum<Parameters> exact() const {
    auto result = within_.exact();
    leave(result.parameters);
    return result;
  }
  ObjectiveInfo<Scalar> info() const { return within_.info(); }

  /// The parameters that the samples do not determine, in increasing order: those that some
  /// direction along which J does not curve changes.
  std::vector<Eigen::Index> unidentifiable() const {
    using std::abs;
    const Parameters unit = scales();
    std::vector<bool> named(std::size_t(unit.size()), false);
    for (Eigen::Index c = 0; c < within_.flat_directions(); ++c) {
      Parameters direction = within_.flat_direction(c);
      leave(direction);
      direction.array() /= unit.array();
      const Scalar largest = direction.cwiseAbs().maxCoeff();
      for (Eigen::Index k = 0; k < direction.size(); ++k) {
        if (abs(direction(k)) > within_.negligible_part() * largest) named[std::size_t(k)] = true;
      }
    }
    std::vector<Eigen::Index> result;
    for (Eigen::Index k = 0; k < unit.size(); ++k) {
      if (named[std::size_t(k)]) result.push_back(k);
    }
    return result;
  }

  /// As of `within()`, at `enter`(theta).
  Scalar distance_to_minimum(const Parameters& theta) const {
    return within_.distance_to_minimum(local_of(theta));
  }

  /// The same in local coordinates, of which the rounding of theta far away takes nothing.
  Scalar local_distance_to_minimum(const Parameters& u) const {
    return within_.local_distance_to_minimum(u);
  }

  /// As of `QuadraticObjective`.
  Parameters scales() const { return detail::scales_of(quadratic()); }

  /// Gamma and g; far from the origin as large as the statistics are there.
  Matrix quadratic() const {
    Matrix result = within_.quadratic();
    for (int side = 0; side < 2; ++side) {
      for (Eigen::Index k = 0; k < result.cols(); ++k) {
        auto column = result.col(k);
        pull_back(column);
      }
      result.transposeInPlace();
    }
    return result;
  }
  Parameters linear() const {
    Parameters result = within_.linear();
    pull_back(result);
    return result;
  }
  Scalar constant() const { return within_.constant(); }

  /// The middle of the samples.
  Vector center() const { return origin_ + middle_; }
  /// J as a function of theta'.
  const QuadraticObjective<Scalar, ParameterCount>& within() const { return within_; }
  Eigen::Index parameter_count() const { return within_.parameter_count(); }

  /// Local coordinates: those of `within()` at theta'.
  Scalar local(const Parameters& u, Parameters& gradient) const {
    return within_.local(u, gradient);
  }
  Parameters to_local(const Parameters& theta) const { return within_.to_local(local_of(theta)); }
  Parameters from_local(const Parameters& u) const {
    Parameters theta = within_.from_local(u);
    leave(theta);
    return theta;
  }

  /// Overwrites theta with theta'.
  void enter(Parameters& theta) const {
    statistics_.translate(theta, -origin_);
    statistics_.translate(theta, -middle_);
  }
  /// Overwrites theta' with theta.
  void leave(Parameters& theta) const {
    statistics_.translate(theta, middle_);
    statistics_.translate(theta, origin_);
  }

 private:
  using Statistics = typename F::Statistics;
  struct Nothing {
    explicit Nothing(Eigen::Index) {}
  };
  static constexpr bool fixed = ParameterCount != Eigen::Dynamic;

  static Vector middle_of(const Statistics& statistics,
                          const QuadraticForm<Scalar, ParameterCount>& form) {
    const Vector middle = statistics.middle(form.quadratic(), form.linear());
    return middle.allFinite() ? middle : Vector(Vector::Zero(middle.size()));
  }

  static QuadraticForm<Scalar, ParameterCount> moved(const Statistics& statistics,
                                                     QuadraticForm<Scalar, ParameterCount> form,
                                                     const Vector& middle) {
    form.translate(statistics, middle);
    return form;
  }

  // From a gradient by theta' that by theta.
  template <class Gradient>
  void pull_back(Gradient& gradient) const {
    statistics_.pull_back(gradient, -middle_);
    statistics_.pull_back(gradient, -origin_);
  }

  std::conditional_t<fixed, Parameters, Parameters&> local_of(const Parameters& theta) const {
    if constexpr (fixed) {
      Parameters local = theta;
      enter(local);
      return local;
    } else {
      local_ = theta;
      enter(local_);
      return local_;
    }
  }

  Statistics statistics_;
  // Apart: their sum would be rounded by more than the samples' middle is.
  Vector origin_;
  Vector middle_;
  QuadraticObjective<Scalar, ParameterCount> within_;
  [[no_unique_address]] mutable std::conditional_t<fixed, Nothing, Parameters> local_;
};

/// What score matching of an exponential family F minimizes, by the summary of its samples.
template <class F, class Summary>
using QuadraticObjectiveOf =
    std::conditional_t<Summary::has_origin, CenteredObjective<typename F::Exponential>,
                       QuadraticObjective<typename F::Scalar, F::ParameterCount>>;

namespace detail {

template <class F, class Summary>
QuadraticObjectiveOf<F, Summary> quadratic_objective(const F& family, const Summary& summary) {
  const auto& form = summary.local_form();
  if (form.size() != family.parameter_count()) {
    fail("the summary has ", form.size(), " parameters; expected ", family.parameter_count(),
         ", as the family has them");
  }
  if (!(form.count() > 0)) fail("no samples (count = 0); expected at least one");
  if constexpr (Summary::has_origin) {
    return {family, form, summary.origin()};
  } else {
    return QuadraticObjectiveOf<F, Summary>(form);
  }
}

}  // namespace detail
}  // namespace scorematch
