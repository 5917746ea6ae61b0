// SPDX-License-Identifier: MIT
//
// Sufficient statistics and base measures of exponential families: what a class must offer, and how
// the library comes by the derivatives that it does not.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/forward_curvature.hpp>
#include <scorematch/derivative/forward_laplacian.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/taylor2.hpp>
#include <scorematch/derivative/variables.hpp>
#include <scorematch/family/score_model.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

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

[[noreturn]] inline void refuse_statistic(Eigen::Index k, Eigen::Index j, Eigen::Index count) {
  fail("for_each_derivative of coordinate ", j, " visits statistic ", k, "; expected each of the ",
       count, " statistics at most once");
}

// What a user's member returns has the shape that the family promises.
template <class Matrix>
void require_shape(const char* what, const Matrix& matrix, Eigen::Index rows,
                   Eigen::Index columns) {
  if (matrix.rows() != rows || matrix.cols() != columns) {
    fail("the statistics' ", what, matrix.rows(), " x ", matrix.cols(), "; expected ", rows, " x ",
         columns);
  }
}

// Differentiates a callable of `count` values in passes over the coordinates of x:
// `visit(k, j, first, second)` takes what a pass yields of value k by coordinate j. Of a
// ForwardLaplacian, `second` is the Laplacian of the pass, given once, at its first coordinate; of
// a ForwardCurvature, the second derivative by j. It is NaN where the value is not finite: log(x)
// has derivatives at a negative x.
template <class Number, class Scalar, int Dim, class Function, class Visit>
void for_each_forward(const Function& function, const Eigen::Matrix<Scalar, Dim, 1>& x,
                      Eigen::Index count, Visit&& visit) {
  for (Eigen::Index begin = 0; begin < x.size(); begin += Number::Variables) {
    const auto t = function(variables<Number>(x, begin));
    require_shape("values are ", t, count, 1);
    const Eigen::Index end = (std::min)(x.size(), begin + Number::Variables);
    for (Eigen::Index k = 0; k < count; ++k) {
      const Scalar unless_finite = guard_of(t(k));
      for (Eigen::Index j = begin; j < end; ++j) {
        const std::size_t variable = std::size_t(j - begin);
        Scalar second(0);
        if constexpr (std::same_as<Number, ForwardLaplacian<Scalar, Number::Variables>>) {
          if (j == begin) second = t(k).laplacian;
        } else {
          second = t(k).curvature[variable];
        }
        visit(k, j, t(k).gradient[variable], second + unless_finite);
      }
    }
  }
}

// Calls visit(j) for each coordinate; written out where there are few, so that the compiler knows
// each j.
template <int Dim, class Visit>
EIGEN_ALWAYS_INLINE void for_each_coordinate(Eigen::Index d, Visit&& visit) {
  if constexpr (Dim != Eigen::Dynamic && Dim <= 8) {
    [&]<int... J>(std::integer_sequence<int, J...>) {
      (visit(Eigen::Index(J)), ...);
    }(std::make_integer_sequence<int, Dim>{});
  } else {
    for (Eigen::Index j = 0; j < d; ++j) visit(j);
  }
}

// D (K x Dim) and the Laplacian of t (K).
template <class Scalar, int Dim, int ParameterCount, class Statistics>
EIGEN_ALWAYS_INLINE void write_laplacian(const Statistics& statistics,
                                         const Eigen::Matrix<Scalar, Dim, 1>& x,
                                         Eigen::Matrix<Scalar, ParameterCount, Dim>& jacobian,
                                         Eigen::Matrix<Scalar, ParameterCount, 1>& laplacian) {
  if constexpr (SparseStatistics<Statistics, Scalar, Dim>) {
    jacobian.setZero();
    laplacian.setZero();
    for_each_coordinate<Dim>(x.size(), [&](Eigen::Index j) {
      statistics.for_each_derivative(x, j, [&](Eigen::Index k, Scalar first, Scalar second) {
        jacobian(k, j) = first;
        laplacian(k) += second;
      });
    });
  } else if constexpr (HasJacobian<Statistics, Scalar, Dim>) {
    const Eigen::Index count = laplacian.size();
    jacobian = statistics.jacobian(x);
    if constexpr (HasStatisticLaplacian<Statistics, Scalar, Dim>) {
      laplacian = statistics.laplacian(x);
    } else {
      laplacian = statistics.curvature(x).rowwise().sum();
    }
    require_shape("jacobian is ", jacobian, count, x.size());
    require_shape("laplacian is ", laplacian, count, 1);
  } else {
    laplacian.setZero();
    for_each_forward<ForwardLaplacian<Scalar, pass_width<Dim>>>(
        statistics, x, laplacian.size(),
        [&](Eigen::Index k, Eigen::Index j, Scalar first, Scalar second) {
          jacobian(k, j) = first;
          laplacian(k) += second;
        });
  }
}

// D and d_jj t, both K x Dim.
template <class Scalar, int Dim, int ParameterCount, class Statistics>
  requires KnowsCurvature<Statistics, Scalar, Dim>
EIGEN_ALWAYS_INLINE void write_curvature(const Statistics& statistics,
                                         const Eigen::Matrix<Scalar, Dim, 1>& x,
                                         Eigen::Matrix<Scalar, ParameterCount, Dim>& jacobian,
                                         Eigen::Matrix<Scalar, ParameterCount, Dim>& curvature) {
  if constexpr (SparseStatistics<Statistics, Scalar, Dim>) {
    jacobian.setZero();
    curvature.setZero();
    for_each_coordinate<Dim>(x.size(), [&](Eigen::Index j) {
      statistics.for_each_derivative(x, j, [&](Eigen::Index k, Scalar first, Scalar second) {
        jacobian(k, j) = first;
        curvature(k, j) = second;
      });
    });
  } else if constexpr (HasJacobian<Statistics, Scalar, Dim> &&
                       HasStatisticCurvature<Statistics, Scalar, Dim>) {
    const Eigen::Index count = jacobian.rows();
    jacobian = statistics.jacobian(x);
    curvature = statistics.curvature(x);
    require_shape("jacobian is ", jacobian, count, x.size());
    require_shape("curvature is ", curvature, count, x.size());
  } else {
    for_each_forward<ForwardCurvature<Scalar, pass_width<Dim>>>(
        statistics, x, jacobian.rows(),
        [&](Eigen::Index k, Eigen::Index j, Scalar first, Scalar second) {
          jacobian(k, j) = first;
          curvature(k, j) = second;
        });
  }
}

// d_j b and d_jj b, Dim entries each.
template <class Scalar, int Dim, class Base>
void write_base(const Base& base, const Eigen::Matrix<Scalar, Dim, 1>& x,
                Eigen::Matrix<Scalar, Dim, 1>& gradient, Eigen::Matrix<Scalar, Dim, 1>& curvature) {
  if constexpr (flat<Base>) {
    gradient.setZero();
    curvature.setZero();
  } else if constexpr (BaseByHand<Base, Scalar, Dim>) {
    gradient = base.gradient(x);
    curvature = base.curvature(x);
  } else {
    const auto one = [&base](const auto& at) {
      return Eigen::Matrix<std::decay_t<decltype(base(at))>, 1, 1>(base(at));
    };
    for_each_forward<ForwardCurvature<Scalar, pass_width<Dim>>>(
        one, x, 1, [&](Eigen::Index, Eigen::Index j, Scalar first, Scalar second) {
          gradient(j) = first;
          curvature(j) = second;
        });
  }
}

// Score and Laplacian of theta . t + b, for parameters of any number type.
template <class Scalar, int Dim, int ParameterCount, class Statistics, class Base, class Theta>
ScoreAndLaplacian<typename Theta::Scalar, Dim> score_and_laplacian(
    const Statistics& statistics, const Base& base, const Eigen::Matrix<Scalar, Dim, 1>& x,
    const Theta& theta) {
  using T = typename Theta::Scalar;
  Eigen::Matrix<Scalar, ParameterCount, Dim> jacobian(theta.size(), x.size());
  Eigen::Matrix<Scalar, ParameterCount, 1> laplacian(theta.size());
  Eigen::Matrix<Scalar, Dim, 1> base_gradient(x.size());
  Eigen::Matrix<Scalar, Dim, 1> base_curvature(x.size());
  write_laplacian<Scalar, Dim, ParameterCount>(statistics, x, jacobian, laplacian);
  write_base<Scalar, Dim>(base, x, base_gradient, base_curvature);
  ScoreAndLaplacian<T, Dim> result{Eigen::Matrix<T, Dim, 1>(x.size()), T(base_curvature.sum())};
  for (Eigen::Index j = 0; j < x.size(); ++j) {
    result.score(j) = T(base_gradient(j));
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      result.score(j) += theta(k) * jacobian(k, j);
    }
  }
  for (Eigen::Index k = 0; k < theta.size(); ++k) result.laplacian += theta(k) * laplacian(k);
  return result;
}

}  // namespace detail

}  // namespace scorematch
