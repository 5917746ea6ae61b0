// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/family/score_model.hpp>

#include <Eigen/Core>

namespace scorematch {

/// Score, Laplacian, curvature and directional derivatives of a family from its log density alone:
/// a base class for families that have `log_density(x, theta)` as a template, generic in the
/// numbers of x and of theta.
///
/// A family that says `static constexpr bool recorded = true` has the losses of its samples, and
/// their gradients, from a program: `log_density` is called with `Recorded` numbers, and must not
/// ask them for plain values.
///
/// **Cost** each is one pass over `log_density` for a fixed Dim of at most 16.
///
/// **Allocation** none for a fixed Dim.
///
/// **Example** docs/energies.md
template <class F, class Scalar, int Dim>
class Differentiated {
 public:
  /// grad_x log p. **Shapes** x a Dim-vector, theta a column of parameters.
  template <DenseExpression X, DenseExpression Theta>
  Eigen::Matrix<typename Theta::Scalar, Dim, 1> score(const X& x, const Theta& theta) const {
    return gradient_of<typename Theta::Scalar>(at(theta), x);
  }

  template <DenseExpression X, DenseExpression Theta>
  ScoreAndLaplacian<typename Theta::Scalar, Dim> score_and_laplacian(const X& x,
                                                                     const Theta& theta) const {
    ScoreAndLaplacian<typename Theta::Scalar, Dim> result;
    result.score.resize(x.rows());
    result.laplacian =
        gradient_and_laplacian_of<typename Theta::Scalar>(at(theta), x, result.score);
    return result;
  }

  template <DenseExpression X, DenseExpression Theta>
  ScoreAndCurvature<typename Theta::Scalar, Dim> score_and_curvature(const X& x,
                                                                     const Theta& theta) const {
    ScoreAndCurvature<typename Theta::Scalar, Dim> result;
    result.score.resize(x.rows());
    result.curvature.resize(x.rows());
    gradient_and_curvature_of<typename Theta::Scalar>(at(theta), x, result.score, result.curvature);
    return result;
  }

  template <DenseExpression X, DenseExpression Direction, DenseExpression Theta>
  Directional<typename Theta::Scalar> directional(const X& x, const Direction& v,
                                                  const Theta& theta) const {
    const auto line = along<typename Theta::Scalar>(at(theta), x, v);
    return {line.first, line.second};
  }

 private:
  // log p as a function of x.
  template <class Theta>
  auto at(const Theta& theta) const {
    return [this, &theta](const auto& x) {
      return static_cast<const F&>(*this).log_density(x, theta);
    };
  }
};

}  // namespace scorematch
