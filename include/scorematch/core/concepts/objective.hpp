// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>
#include <utility>

namespace scorematch {

/// A function to minimize: `value = objective(theta, gradient)` writes all of `gradient`.
///
/// Laws: the gradient is that of the value; a point outside the domain gives a value that is not
/// finite, it does not throw. The call may change the objective (workspace, random draws).
template <class O, class Parameters>
concept Objective = requires(O& objective, const Parameters& theta, Parameters& gradient) {
  { objective(theta, gradient) } -> std::convertible_to<typename Parameters::Scalar>;
};

/// What an objective knows of itself as a whole, whatever theta is. An objective without `info()`,
/// or one that leaves out a member, is one of which the defaults are true.
template <Number Scalar>
struct ObjectiveInfo {
  /// There is no minimum: the value falls for ever. A mask, where Scalar is a pack.
  MaskOf<Scalar> unbounded = false;
  /// There is a minimum, but not only one. False where `unbounded`.
  bool ambiguous = false;
  /// It draws anew at every call, so that value and gradient are right on average only. Where not,
  /// equal arguments give equal bits.
  bool stochastic = false;
  /// The part of the value that theta does not change. Convergence is relative to what remains: in
  /// a large constant any flat place would pass for a minimum.
  Scalar constant{0};
  /// How many parameters it has; 0 where it takes any number.
  Eigen::Index parameter_count = 0;
};

/// An objective with an `info()`. Law: it is the same at every call.
template <class O, class Parameters>
concept HasInfo = requires(const O& objective) {
  { objective.info() } -> std::same_as<ObjectiveInfo<typename Parameters::Scalar>>;
};

/// The minimum of an objective, known without a walk. The gradient there is zero up to rounding.
template <class Parameters_>
struct ExactMinimum {
  using Parameters = Parameters_;
  using Scalar = typename Parameters::Scalar;

  Parameters parameters;
  Scalar loss;  ///< the value there, up to rounding; not finite where that is not
};

/// An objective that knows its minimum. Laws: those of `ExactMinimum`; where `info()` says that
/// there is none, the result means nothing; where there are many it is one of them.
template <class O, class Parameters>
concept HasExactMinimum = Objective<O, Parameters> && requires(O& objective) {
  { objective.exact() } -> std::same_as<ExactMinimum<Parameters>>;
};

/// One that also knows the distribution there, for less than `family.distribution(parameters)`
/// costs, to which it is equal up to rounding. It gives away what it holds: the last call.
template <class O, class F>
concept HasExactDistribution =
    HasExactMinimum<O, typename F::Parameters> && requires(O&& objective) {
      { std::move(objective).exact_distribution() } -> std::same_as<typename F::Distribution>;
    };

/// An objective that knows how far theta is from its minimum, without units. Laws: zero at a
/// minimum alone, up to rounding; of order one or more where the model at theta is nothing like the
/// samples, also in a single direction; the same whatever the units of samples and parameters.
template <class O, class Parameters>
concept HasDistanceToMinimum = requires(O& objective, const Parameters& theta) {
  { objective.distance_to_minimum(theta) } -> std::convertible_to<typename Parameters::Scalar>;
};

/// An objective with coordinates u of its own: their origin lies near the samples, and a change of
/// one is of the order of one. An optimizer that adapts walks in them, so that neither an offset
/// nor a unit of the samples makes its work harder.
///
/// Laws: `local(u, gradient)` is the value at `from_local(u)`, with the gradient by u;
/// `to_local(from_local(u))` is u up to rounding. Samples that are moved or scaled together leave u
/// of the moved parameters, and the ratio of values and gradients, as they are.
template <class O, class Parameters>
concept HasLocalCoordinates =
    Objective<O, Parameters> && requires(O& objective, const Parameters& u, Parameters& gradient) {
      { objective.local(u, gradient) } -> std::convertible_to<typename Parameters::Scalar>;
      { objective.to_local(u) } -> std::convertible_to<Parameters>;
      { objective.from_local(u) } -> std::convertible_to<Parameters>;
    };

/// An objective that knows its second derivatives, K x K at theta. Law: it is symmetric, and the
/// derivative of the gradient up to rounding.
template <class O, class Parameters>
concept HasHessian = requires(const O& objective, const Parameters& theta) {
  {
    objective.hessian(theta)
  } -> std::convertible_to<
      Eigen::Matrix<typename Parameters::Scalar, Eigen::Dynamic, Eigen::Dynamic>>;
};

/// An objective that can say what is wrong with a start, before any step: `check_start` throws
/// std::invalid_argument with a sentence that names the sample.
template <class O, class Parameters>
concept ChecksStart =
    requires(O& objective, const Parameters& start) { objective.check_start(start); };

namespace detail {

// The one place where objectives are asked for it.
template <class Parameters, class Obj>
EIGEN_ALWAYS_INLINE ObjectiveInfo<typename Parameters::Scalar> info_of(
    [[maybe_unused]] const Obj& objective) {
  if constexpr (HasInfo<Obj, Parameters>) {
    return objective.info();
  } else {
    return {};
  }
}

}  // namespace detail

}  // namespace scorematch
