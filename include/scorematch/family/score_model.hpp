// SPDX-License-Identifier: MIT
//
// What a family may offer of its score, for losses that work from it.
#pragma once

#include <scorematch/core/concepts.hpp>

#include <Eigen/Core>

#include <concepts>

namespace scorematch {

/// grad_x log p (Dim, in 1/u for x in u) and its divergence, the Laplacian of log p (in 1/u^2).
template <class T, int Dim>
struct ScoreAndLaplacian {
  Eigen::Matrix<T, Dim, 1> score;
  T laplacian;
};

/// grad_x log p and the second derivatives d^2 log p / dx_j^2, one by one.
template <class T, int Dim>
struct ScoreAndCurvature {
  Eigen::Matrix<T, Dim, 1> score;
  Eigen::Matrix<T, Dim, 1> curvature;
};

/// Along v: v . grad_x log p and v^T (Hessian_x log p) v.
template <class T>
struct Directional {
  T first;
  T second;
};

/// One sample of a family.
template <class F>
using PointOf = Eigen::Matrix<typename F::Scalar, F::Dim, 1>;

// The members below take x, a PointOf<F>, and theta, a column of parameters whose entries are
// Scalar or `Dual<Scalar, N>`; the type of theta's entries is that of the result's. The concepts
// look at Scalar alone.

/// `score(x, theta)`: a vector.
template <class F>
concept HasScore =
    requires(const F& family, const PointOf<F>& x, const typename F::Parameters& theta) {
      { family.score(x, theta) } -> std::convertible_to<PointOf<F>>;
    };

/// `score_and_curvature(x, theta)`: a `ScoreAndCurvature`.
template <class F>
concept HasCurvature =
    requires(const F& family, const PointOf<F>& x, const typename F::Parameters& theta) {
      {
        family.score_and_curvature(x, theta)
      } -> std::same_as<ScoreAndCurvature<typename F::Scalar, F::Dim>>;
    };

template <class F>
concept HasOwnLaplacian =
    requires(const F& family, const PointOf<F>& x, const typename F::Parameters& theta) {
      {
        family.score_and_laplacian(x, theta)
      } -> std::same_as<ScoreAndLaplacian<typename F::Scalar, F::Dim>>;
    };

/// `score_and_laplacian(x, theta)`: a `ScoreAndLaplacian`; or else the curvature, whose sum is it.
/// `score_and_laplacian(family, x, theta)` calls the one or the other.
template <class F>
concept HasLaplacian = HasOwnLaplacian<F> || HasCurvature<F>;

/// `directional(x, v, theta)`: a `Directional`.
template <class F>
concept HasDirectional = requires(const F& family, const PointOf<F>& x, const PointOf<F>& v,
                                  const typename F::Parameters& theta) {
  { family.directional(x, v, theta) } -> std::same_as<Directional<typename F::Scalar>>;
};

/// Score and Laplacian of the family at x, however it offers them.
template <HasLaplacian F, DenseExpression Theta>
ScoreAndLaplacian<typename Theta::Scalar, F::Dim> score_and_laplacian(const F& family,
                                                                      const PointOf<F>& x,
                                                                      const Theta& theta) {
  if constexpr (HasOwnLaplacian<F>) {
    return family.score_and_laplacian(x, theta);
  } else {
    const auto both = family.score_and_curvature(x, theta);
    return {both.score, both.curvature.sum()};
  }
}

/// The score of the family at x, however it offers it.
template <class F, DenseExpression Theta>
  requires(HasScore<F> || HasLaplacian<F>)
Eigen::Matrix<typename Theta::Scalar, F::Dim, 1> score(const F& family, const PointOf<F>& x,
                                                       const Theta& theta) {
  if constexpr (HasScore<F>) {
    return family.score(x, theta);
  } else {
    return score_and_laplacian(family, x, theta).score;
  }
}

}  // namespace scorematch
