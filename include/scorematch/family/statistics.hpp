// SPDX-License-Identifier: MIT
//
// Sufficient statistics and base measures of exponential families: what a class must offer.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/forward_curvature.hpp>
#include <scorematch/derivative/functions.hpp>

#include <Eigen/Core>

#include <concepts>

namespace scorematch {

namespace detail {

template <class Scalar>
struct DerivativeVisitor {
  void operator()(Eigen::Index, Scalar, Scalar) const {}
};

template <class Scalar, int Dim>
using ForwardPoint = Eigen::Matrix<ForwardCurvature<Scalar, pass_width<Dim>>, Dim, 1>;

// Whether a result is a Number or consists of them.
template <class Result, class Number>
inline constexpr bool carries = std::same_as<Result, Number>;
template <DenseExpression Result, class Number>
inline constexpr bool carries<Result, Number> = std::same_as<typename Result::Scalar, Number>;

}  // namespace detail

/// Statistics that say, coordinate by coordinate, which of them depend on it and how:
/// `s.for_each_derivative(x, j, visit)` calls `visit(k, d_j t_k, d_jj t_k)` once for each statistic
/// k that depends on x_j: the same ones in the same order at every x. The way to write many
/// statistics of few coordinates each (a lattice).
template <class S, class Scalar, int Dim>
concept SparseStatistics =
    requires(const S& s, const Eigen::Matrix<Scalar, Dim, 1>& x, Eigen::Index j,
             detail::DerivativeVisitor<Scalar> visit) { s.for_each_derivative(x, j, visit); };

/// Sparse statistics that several samples can be put into at once: `for_each_derivative` is a
/// template over x, and takes one whose entries x(j) are `Pack`s. A class says so with
/// `static constexpr bool takes_packs = true`; its sums are then several times as fast.
template <class S>
concept PackedStatistics = requires { requires S::takes_packs; };

/// Statistics whose Jacobian is written by hand: `s.jacobian(x)` is K x Dim, D_kj = d_j t_k.
template <class S, class Scalar, int Dim>
concept HasJacobian =
    requires(const S& s, const Eigen::Matrix<Scalar, Dim, 1>& x) { s.jacobian(x); };

/// `s.laplacian(x)` has K entries, sum_j d_jj t_k.
template <class S, class Scalar, int Dim>
concept HasStatisticLaplacian =
    requires(const S& s, const Eigen::Matrix<Scalar, Dim, 1>& x) { s.laplacian(x); };

/// `s.curvature(x)` is K x Dim, d_jj t_k: what generalized score matching asks for.
template <class S, class Scalar, int Dim>
concept HasStatisticCurvature =
    requires(const S& s, const Eigen::Matrix<Scalar, Dim, 1>& x) { s.curvature(x); };

/// Statistics by hand, in one of the two ways.
template <class S, class Scalar, int Dim>
concept StatisticsByHand = SparseStatistics<S, Scalar, Dim> ||
                           (HasJacobian<S, Scalar, Dim> && (HasStatisticLaplacian<S, Scalar, Dim> ||
                                                            HasStatisticCurvature<S, Scalar, Dim>));

/// A function of x that takes numbers which carry derivatives and returns such numbers: statistics
/// or a base measure written once, as a generic callable, and differentiated by the library.
// Eigen converts matrices of any scalar types to each other, so that the result has to be asked.
template <class S, class Scalar, int Dim>
concept DifferentiableFunction = requires(const S& s, const detail::ForwardPoint<Scalar, Dim>& x) {
  s(x);
  requires detail::carries<std::decay_t<decltype(s(x))>,
                           typename detail::ForwardPoint<Scalar, Dim>::Scalar>;
};

/// What an `ExponentialFamily` takes for its statistics.
template <class S, class Scalar, int Dim>
concept StatisticsFor = StatisticsByHand<S, Scalar, Dim> || DifferentiableFunction<S, Scalar, Dim>;

/// Statistics whose second derivatives are known one by one, as generalized score matching needs
/// them.
template <class S, class Scalar, int Dim>
concept KnowsCurvature = SparseStatistics<S, Scalar, Dim> ||
                         (HasJacobian<S, Scalar, Dim> && HasStatisticCurvature<S, Scalar, Dim>) ||
                         DifferentiableFunction<S, Scalar, Dim>;

/// Statistics of which a density that is moved is again one: theta . t(x - v) is theta' . t(x) up
/// to a constant. The sums over samples are then taken about a point among them (with a flat base
/// measure), and a fit moves with its samples, however far from the origin they are.
///
/// - `s.anchor(x)` has Dim entries: a point that is as good an origin as x itself; x where
///   densities can be moved by any vector, else the v near x by which they can be moved;
/// - `s.translate(theta, v)` overwrites theta with theta', for such a v;
/// - `s.pull_back(gradient, v)` overwrites a gradient by theta' with that by theta: the transposed
///   map;
/// - `s.middle(gamma, g)` has Dim entries: the v from the origin to the middle of samples whose
///   `QuadraticForm` has this Gamma and g.
///
/// Laws: `translate` is linear in theta, and by v, then w, is that by v + w. theta, gradient and v
/// are vectors of any number type, read and written by index.
template <class S, class Scalar, int Dim, int Count>
concept TranslatableStatistics = requires(const S& s, const Eigen::Matrix<Scalar, Dim, 1>& x,
                                          Eigen::Matrix<Scalar, Count, 1>& theta,
                                          const Eigen::Matrix<Scalar, Count, Count>& gamma) {
  { s.anchor(x) } -> std::convertible_to<Eigen::Matrix<Scalar, Dim, 1>>;
  s.translate(theta, x);
  s.pull_back(theta, x);
  { s.middle(gamma, theta) } -> std::convertible_to<Eigen::Matrix<Scalar, Dim, 1>>;
};

/// A base measure b(x) by hand: `b.gradient(x)` and `b.curvature(x)` have Dim entries, d_j b and
/// d_jj b, and `b(x)` is its value.
template <class B, class Scalar, int Dim>
concept BaseByHand = requires(const B& b, const Eigen::Matrix<Scalar, Dim, 1>& x) {
  { b(x) } -> std::convertible_to<Scalar>;
  b.gradient(x);
  b.curvature(x);
};

/// No base measure: b = 0.
struct FlatBase {};

/// What an `ExponentialFamily` takes for its base measure.
template <class B, class Scalar, int Dim>
concept BaseFor = std::same_as<B, FlatBase> || BaseByHand<B, Scalar, Dim> ||
                  DifferentiableFunction<B, Scalar, Dim>;

namespace detail {

template <class Base>
inline constexpr bool flat = std::same_as<Base, FlatBase>;

}  // namespace detail

}  // namespace scorematch
