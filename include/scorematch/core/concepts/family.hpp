// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts/samples.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>

namespace scorematch {

template <class F>
concept FamilyTypes =
    requires {
      typename F::Scalar;
      typename F::Parameters;
      typename F::Distribution;
    } && Number<typename F::Scalar> && HasScalar<typename F::Parameters, typename F::Scalar> &&
    bool(F::Parameters::IsVectorAtCompileTime);

template <class F>
concept FamilyDimension = requires {
  std::integral_constant<int, F::Dim>{};  // Dim or Eigen::Dynamic
};

/// A set of densities on R^Dim and its coordinates.
///
/// Laws: `start()` and every argument of `distribution` have `parameter_count()` entries;
/// `distribution(start())` is valid; the same theta always gives the same distribution; a family is
/// a value (copies are interchangeable).
///
/// No derivative is asked for here: how a loss differentiates a family is between the two.
template <class F>
concept Family = FamilyTypes<F> && FamilyDimension<F> && std::copy_constructible<F> &&
                 requires(const F& family, const typename F::Parameters& theta) {
                   { family.dimension() } -> std::convertible_to<Eigen::Index>;
                   { family.parameter_count() } -> std::convertible_to<Eigen::Index>;
                   { family.start() } -> std::convertible_to<typename F::Parameters>;
                   { family.distribution(theta) } -> std::same_as<typename F::Distribution>;
                 };

/// A family that takes a start from what was seen. Law: it moves with the samples, and is a valid
/// argument of `distribution` for every summary with samples.
template <class F, class Summary>
concept StartsFrom = Family<F> && requires(const F& family, const Summary& summary) {
  { family.start(summary) } -> std::convertible_to<typename F::Parameters>;
};

/// Where a fit of the family may set out: a column of its parameters.
template <class X, class F>
concept StartFor = DenseExpression<X> && HasScalar<X, typename F::Scalar> &&
                   HasRows<X, int(F::Parameters::SizeAtCompileTime)>;

}  // namespace scorematch
