// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/derivative/forward_laplacian.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/recorded/not_recorded.hpp>
#include <scorematch/distribution/unnormalized_density.hpp>
#include <scorematch/family/differentiated.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <utility>

namespace scorematch {

namespace detail {

template <class T, int Size>
using NumbersOf = Column<Eigen::Matrix<T, Size, 1>>;

// x in numbers whose derivatives are T.
template <class T, int Dim>
using PointInNumbers = NumbersOf<ForwardLaplacian<T, pass_width<Dim>>, Dim>;

}  // namespace detail

/// A callable whose x need not be plain: `const auto& x`, not `const Eigen::Vector2d& x`.
template <class Callable, class Scalar, int Dim, int ParameterCount>
concept TakesAnyX = requires(const Callable& energy, const detail::PointInNumbers<Scalar, Dim>& x,
                             const Eigen::Matrix<Scalar, ParameterCount, 1>& theta) {
  ForwardLaplacian<Scalar, detail::pass_width<Dim>>(energy(x, theta));
};

/// A callable whose theta need not be plain: `const auto& theta`, not `const Eigen::Vector2d&`.
template <class Callable, class Scalar, int Dim, int ParameterCount>
concept TakesAnyTheta =
    requires(const Callable& energy, const detail::PointInNumbers<Dual<Scalar, 1>, Dim>& x,
             const detail::NumbersOf<Dual<Scalar, 1>, ParameterCount>& theta) { energy(x, theta); };

/// A generic callable `energy(x, theta)` that returns log p_theta(x) up to a constant (minus an
/// energy in the physicist's sense): x and theta are Eigen columns of numbers that it must not ask
/// to be plain.
template <class Callable, class Scalar, int Dim, int ParameterCount>
concept EnergyFunction =
    std::copy_constructible<Callable> && TakesAnyX<Callable, Scalar, Dim, ParameterCount> &&
    TakesAnyTheta<Callable, Scalar, Dim, ParameterCount>;

/// The densities exp(energy(x, theta)) / Z(theta), Z unknown, of one callable that the user writes.
///
/// **Math** score and Laplacian in x by one forward pass over the callable (`ForwardLaplacian`). A
/// loss records the callable, on numbers of the type `Recorded`, and replays it over packs of
/// samples, forward for these and backward for the derivatives by theta: exact to rounding. An
/// energy wrapped in `not_recorded` has them from dual numbers.
///
/// **Cost** of a loss with its gradient: a few evaluations of the energy and its Laplacian a
/// sample, whatever the number of parameters.
///
/// **Shapes** x Dim, theta ParameterCount; either may be Eigen::Dynamic.
///
/// **Errors** std::invalid_argument for a start that is empty or not finite, and for a dimension
/// below 1. An energy that reads an entry which x or theta does not have, found in the first
/// evaluation of a fit, or of a distribution. An energy that is not finite at a sample and the
/// start is found by the loss, which names the sample; elsewhere it is the edge of the domain of
/// theta, where the loss is infinite.
///
/// **Allocation** a loss keeps the program between evaluations, of which the first alone allocates,
/// beyond what the callable itself does.
///
/// **Example** docs/snippets/energies.cpp; `energy_family` deduces most of the arguments.
template <Real Scalar_, int Dim_, int ParameterCount_,
          EnergyFunction<Scalar_, Dim_, ParameterCount_> Energy>
class EnergyFamily
    : public Differentiated<EnergyFamily<Scalar_, Dim_, ParameterCount_, Energy>, Scalar_, Dim_> {
 public:
  static_assert(Dim_ == Eigen::Dynamic || Dim_ >= 1, "Dim is a positive size or Eigen::Dynamic");
  static_assert(ParameterCount_ == Eigen::Dynamic || ParameterCount_ >= 1,
                "ParameterCount is a positive size or Eigen::Dynamic");

  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  static constexpr int ParameterCount = ParameterCount_;
  static constexpr bool recorded = detail::is_recordable<Scalar, Energy>;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount, 1>;
  using Distribution = UnnormalizedDensity<Scalar, Dim, ParameterCount, Energy>;

  /// `start` is where a fit sets out, and how many parameters there are.
  EnergyFamily(Energy energy, Parameters start)
    requires(Dim != Eigen::Dynamic)
      : EnergyFamily(std::move(energy), std::move(start), Dim) {}

  EnergyFamily(Energy energy, Parameters start, Eigen::Index dimension)
      : energy_(std::move(energy)), start_(std::move(start)), dimension_(dimension) {
    detail::require_size("EnergyFamily", "dimension", dimension, Dim);
    if (start_.size() < 1) detail::fail("EnergyFamily: start has 0 entries; expected at least 1");
    detail::require_finite_column("start", start_);
  }

  Eigen::Index dimension() const { return dimension_; }
  Eigen::Index parameter_count() const { return start_.size(); }
  const Parameters& start() const { return start_; }

  /// **Errors** std::invalid_argument where theta has the wrong size or is not finite.
  Distribution distribution(const Parameters& theta) const {
    detail::require_parameters(theta, parameter_count());
    return {energy_, theta, dimension_};
  }
  template <detail::SizedLater<Parameters> Theta>
  Distribution distribution(const Theta& theta) const {
    return distribution(detail::sized<Parameters>("theta", theta));
  }

  /// log p_theta(x) up to a constant, in any numbers.
  template <DenseExpression X, DenseExpression Theta>
  auto log_density(const X& x, const Theta& theta) const {
    return energy_(x, theta);
  }

 private:
  Energy energy_;
  Parameters start_;
  Eigen::Index dimension_;
};

/// `energy_family<2>(energy, Eigen::Vector3d(...))`: the family of a callable on R^2 with three
/// parameters, whose fits set out from the given point.
template <int Dim, class Energy, DenseExpression Start>
  requires EnergyFunction<Energy, typename Start::Scalar, Dim, Start::RowsAtCompileTime>
auto energy_family(Energy energy, const Start& start) {
  return EnergyFamily<typename Start::Scalar, Dim, Start::RowsAtCompileTime, Energy>(
      std::move(energy), start);
}

/// The same where the dimension is known at run time only.
template <class Energy, DenseExpression Start>
  requires EnergyFunction<Energy, typename Start::Scalar, Eigen::Dynamic, Start::RowsAtCompileTime>
auto energy_family(Energy energy, const Start& start, Eigen::Index dimension) {
  return EnergyFamily<typename Start::Scalar, Eigen::Dynamic, Start::RowsAtCompileTime, Energy>(
      std::move(energy), start, dimension);
}

}  // namespace scorematch
