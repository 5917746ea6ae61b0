// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/recorded/not_recorded.hpp>
#include <scorematch/distribution/student_t.hpp>
#include <scorematch/family/differentiated.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/family/log_cholesky.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>

namespace scorematch {

/// All Student t distributions of one dimension: location, scale and degrees of freedom, in
/// coordinates without constraints.
///
/// **Shapes** theta, in order: those of `GaussianFamily` for location and scale, then log nu.
///
/// **Math** log p = c - (nu + Dim)/2 log(1 + q/nu), q as in `StudentT`. Where the samples are no
/// heavier in the tails than a Gaussian, the loss falls as nu grows without end: the fit then
/// stops far out, at a Gaussian for all that matters. The loss also falls without end where nu goes
/// to 0 and the location sits on a single sample; such a walk does not converge. A thousand
/// samples or fewer may have no other minimum to offer.
///
/// **Example** tests/energy_test.cpp
template <Real Scalar_, int Dim_ = Eigen::Dynamic>
class StudentTFamily : public Differentiated<StudentTFamily<Scalar_, Dim_>, Scalar_, Dim_> {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Core = GaussianFamily<Scalar, Dim>;
  static constexpr int ParameterCount =
      Dim == Eigen::Dynamic ? Eigen::Dynamic : Core::ParameterCount + 1;
  static constexpr bool recorded = detail::is_recordable<Scalar, StudentTFamily>;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount, 1>;
  using Distribution = StudentT<Scalar, Dim>;

  StudentTFamily()
    requires(Dim != Eigen::Dynamic)
      : core_(Dim) {}

  /// **Errors** std::invalid_argument for a dimension below 1, or other than a fixed Dim.
  explicit StudentTFamily(Eigen::Index dimension) : core_(dimension) {}

  Eigen::Index dimension() const { return core_.dimension(); }
  Eigen::Index parameter_count() const { return core_.parameter_count() + 1; }

  /// Location 0, scale 1, nu = 5.
  Parameters start() const {
    Parameters theta = Parameters::Zero(parameter_count());
    theta(parameter_count() - 1) = std::log(Scalar(5));
    return theta;
  }

  /// The medians of the samples and a scale from their quartiles, nu = 5.
  Parameters start(const SampleSet<Scalar, Dim>& samples) const {
    return with_core(start(), core_.start(samples));
  }

  /// As of `GaussianFamily`, with 1 for log nu.
  Parameters scales(const Parameters& theta) const {
    return with_core(Parameters::Ones(parameter_count()), core_.scales(core(theta)));
  }

  /// As of `GaussianFamily`.
  template <class By>
  void move(Parameters& theta, const By& by) const {
    core_.move(theta, by);
  }

  /// **Errors** std::invalid_argument where theta has the wrong size, is not finite, or its exp
  /// overflows.
  Distribution distribution(const Parameters& theta) const {
    detail::require_parameters(theta, parameter_count());
    const Eigen::Index count = core_.parameter_count();
    return {core_.distribution(theta.head(count)), std::exp(theta(count))};
  }
  template <detail::SizedLater<Parameters> Theta>
  Distribution distribution(const Theta& theta) const {
    return distribution(detail::sized<Parameters>("theta", theta));
  }

  /// The coordinates of a distribution: the inverse of `distribution`.
  Parameters parameters(const Distribution& t) const {
    Parameters theta(parameter_count());
    theta.head(core_.parameter_count()) =
        core_.parameters(Gaussian<Scalar, Dim>(t.location(), t.scale()));
    theta(core_.parameter_count()) = std::log(t.degrees_of_freedom());
    return theta;
  }

  /// log p(x) up to a term of theta alone, in any numbers; NaN where the exponentials of theta
  /// leave the range of Scalar.
  template <DenseExpression X, DenseExpression Theta>
  auto log_density(const X& x, const Theta& theta) const {
    using std::exp;
    using std::log1p;
    using Number = typename X::Scalar;
    const Eigen::Index count = core_.parameter_count();
    const auto nu = exp(theta(count));
    const Number q = detail::log_cholesky_distance(x, theta, dimension());
    const Scalar inside =
        detail::log_cholesky_guard(theta, dimension()) + detail::range_guard(theta(count));
    return Number((nu + static_cast<Scalar>(dimension())) * log1p(q / nu) * Scalar(-0.5) + inside);
  }

 private:
  typename Core::Parameters core(const Parameters& theta) const {
    return theta.head(core_.parameter_count());
  }
  Parameters with_core(Parameters theta, const typename Core::Parameters& core) const {
    theta.head(core.size()) = core;
    return theta;
  }

  Core core_;
};

}  // namespace scorematch
