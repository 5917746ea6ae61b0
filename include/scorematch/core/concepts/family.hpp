// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts/samples.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>
#include <utility>

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

namespace detail {
template <class F, class Other>
using FamilyOver =
    std::remove_cvref_t<decltype(std::declval<const F&>().template with_scalar<Other>())>;
}  // namespace detail

/// A family that can be had over a pack: `with_scalar<Pack>()`, of which every lane is one fit.
/// `fit_batch` runs fits of it in lockstep.
///
/// Over its own scalar it is itself: what derives from such a family, with a start of its own, is
/// none.
///
/// Laws: the family over packs has the same Dim, start and coordinates, and what it computes is in
/// each lane what this one computes of that lane's numbers, up to rounding. No lane depends on what
/// another holds, infinities and NaN included: masks choose where numbers would branch.
template <class F, class Pack>
concept LockstepFamily =
    Family<F> && Lockstep<Pack> && std::same_as<typename F::Scalar, LaneOf<Pack>> &&
    requires(const F& family) {
      { family.template with_scalar<typename F::Scalar>() } -> std::same_as<F>;
      family.template with_scalar<Pack>();
    } && Family<detail::FamilyOver<F, Pack>> &&
    std::same_as<typename detail::FamilyOver<F, Pack>::Scalar, Pack> &&
    int(detail::FamilyOver<F, Pack>::Dim) == int(F::Dim);

/// Where a fit of the family may set out: a column of its parameters.
template <class X, class F>
concept StartFor = DenseExpression<X> && HasScalar<X, typename F::Scalar> &&
                   HasRows<X, int(F::Parameters::SizeAtCompileTime)>;

}  // namespace scorematch
