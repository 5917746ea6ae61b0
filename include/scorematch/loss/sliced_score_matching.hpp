// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/random.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/derivative/second_order.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/loss/sampled/randomized_objective.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdint>
#include <utility>

namespace scorematch {

/// Where the directions of sliced score matching come from; E[v v^T] = I for each.
enum class Directions {
  normal,      ///< standard normal
  rademacher,  ///< every coordinate +1 or -1: the smallest variance of the second derivatives
  sphere,      ///< uniform on the sphere of radius sqrt(Dim)
};

/// v^T (Hessian log p) v + 1/2 (v . s)^2, or + 1/2 |s|^2 with reduced variance: the sliced loss of
/// one sample and one direction v.
template <Real Scalar>
struct SlicedPoint {
  static constexpr auto order = detail::SecondOrder::along;
  static constexpr int beside = 1;

  Directions directions;
  bool variance_reduced;

  template <HasDirectional F, class Direction, DenseExpression Theta>
  typename Theta::Scalar operator()(const F& family, const PointOf<F>& x, const Direction& v,
                                    const Theta& theta) const {
    const auto along = family.directional(x, v, theta);
    if constexpr (HasScore<F> || HasLaplacian<F>) {
      if (variance_reduced) return along.second + score(family, x, theta).squaredNorm() / 2;
    }
    return along.second + along.first * along.first / 2;
  }

  template <class X, class Direction, class Put>
  void place(X& x, const Direction& v, const Put& put) const {
    for (Eigen::Index i = 0; i < x.size(); ++i) put(0, i, v(i));
  }

  /// The part of the loss along v; |s|^2 is a part of its own.
  template <class Jet>
  auto loss(Jet& jet) const {
    auto sum = jet.second();
    jet.by_second(1);
    jet.each([&](Eigen::Index, const auto& s, auto& by_s) {
      if (variance_reduced) return;
      sum += s * s / 2;
      by_s = s;
    });
    return sum;
  }

  /// 1/2 |s|^2 of one sample.
  struct ScorePart {
    static constexpr auto order = detail::SecondOrder::none;
    static constexpr int beside = 0;

    template <class X, class Direction, class Put>
    void place(X&, const Direction&, const Put&) const {}

    template <class Jet>
    auto loss(Jet& jet) const {
      auto sum = jet.zero();
      jet.each([&sum](Eigen::Index, const auto& s, auto& by_s) {
        sum += s * s / 2;
        by_s = s;
      });
      return sum;
    }
  };
  using Part = ScorePart;
  bool has_part() const { return variance_reduced; }

  template <class Block>
  void draw(detail::RandomNumbers& random, Block& block) const {
    for (Eigen::Index k = 0; k < block.cols(); ++k) {
      auto v = block.col(k);
      for (Eigen::Index i = 0; i < block.rows(); ++i) {
        v(i) = static_cast<Scalar>(directions == Directions::rademacher ? random.sign()
                                                                        : random.normal());
      }
      if (directions == Directions::sphere)
        v *= std::sqrt(static_cast<Scalar>(v.size())) / v.norm();
    }
  }
};

/// Sliced score matching (Song, Garg, Shi and Ermon 2019): score matching along random directions,
/// so that one second derivative along a line stands for all Dim of them.
///
/// **Math** J(theta) = E[ v^T (Hessian_x log p) v + 1/2 (v . s)^2 ] over samples and directions v,
/// or with `variance_reduced` E[ v^T (Hessian_x log p) v + 1/2 |s|^2 ], which needs the score but
/// usually has the smaller variance. As E[v v^T] = I, both have the mean of `ScoreMatchingLoss`.
///
/// **Summary** `SampleSet`, for any family with `directional(x, v, theta)` (`HasDirectional`).
///
/// **Errors** std::invalid_argument for an option out of range. A family that ends at an edge
/// (`box()`) is refused when it is compiled: use `GeneralizedScoreMatchingLoss`.
///
/// **Example** docs/snippets/denoising_and_sliced.cpp
struct SlicedScoreMatchingLoss {
  /// Directions for each sample.
  Eigen::Index projections = 1;
  Directions distribution = Directions::rademacher;
  bool variance_reduced = false;
  /// Equal seeds draw equal directions; from a generator of yours: `.seed = rng()`.
  std::uint64_t seed = 0;
  /// 0: all samples, with directions drawn once. Else the samples of one evaluation, with fresh
  /// directions: for `Adam` with a `decay`.
  Eigen::Index batch_size = 0;

  template <HasDirectional F>
    requires WithoutEdge<F>
  SampleSet<typename F::Scalar, F::Dim> summary(const F& family) const {
    require_options<F>();
    return SampleSet<typename F::Scalar, F::Dim>(family.dimension());
  }

  /// **Errors** as of `RandomizedObjective`.
  template <HasDirectional F>
    requires WithoutEdge<F>
  RandomizedObjective<F, SlicedPoint<typename F::Scalar>> objective(
      const F& family, SampleSet<typename F::Scalar, F::Dim> samples) const {
    require_options<F>();
    detail::require_random_options(owner, "projections", projections, batch_size, samples);
    return {family,
            std::move(samples),
            SlicedPoint<typename F::Scalar>{distribution, variance_reduced},
            projections,
            batch_size,
            seed};
  }

 private:
  static constexpr const char* owner = "SlicedScoreMatchingLoss";

  template <class F>
  void require_options() const {
    detail::require_random_options(owner, "projections", projections, batch_size);
    if constexpr (!HasScore<F> && !HasLaplacian<F>) {
      detail::require_option(!variance_reduced, owner, "variance_reduced", variance_reduced,
                             "0, as the family offers no score");
    }
  }
};

}  // namespace scorematch
