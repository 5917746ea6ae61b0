// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>

namespace scorematch {

/// Plain score matching: every coordinate of every sample counts with weight one.
struct UniformWeighting {
  static constexpr bool uniform = true;
  template <class X, class W>
  void require_inside(const X&, const W&) const {}
};

/// How much coordinate j of a sample counts. `uniform` says that every one counts as one. Else
/// `weight(j, x_j)` is {h, slope}, the weight and its derivative by x_j.
///
/// Laws: h >= 0, and finite as the slope is, inside the domain; `require_inside(samples, weights)`
/// throws std::invalid_argument where samples of a weight above 0 lie outside, or h is no weight.
template <class W, class Scalar>
concept WeightingFor =
    std::copy_constructible<W> &&
    requires(const W& weighting, const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>& x,
             const Eigen::Matrix<Scalar, Eigen::Dynamic, 1>& weights) {
      std::bool_constant<W::uniform>{};
      weighting.require_inside(x, weights);
    } &&
    (W::uniform || requires(const W& weighting, Eigen::Index j, Scalar x) {
      { weighting.weight(j, x).h } -> std::convertible_to<Scalar>;
      { weighting.weight(j, x).slope } -> std::convertible_to<Scalar>;
    });

}  // namespace scorematch
