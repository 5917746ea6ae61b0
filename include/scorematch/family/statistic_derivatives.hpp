// SPDX-License-Identifier: MIT
//
// The derivatives of statistics and base measures, in the way that a class offers them: coordinate
// by coordinate, as matrices written by hand, or of a callable by forward passes.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/forward_curvature.hpp>
#include <scorematch/derivative/forward_laplacian.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/variables.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/family/statistics.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace scorematch::detail {

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

}  // namespace scorematch::detail
