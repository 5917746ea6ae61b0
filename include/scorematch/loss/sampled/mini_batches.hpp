// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/loss/sampled/point_loss.hpp>
#include <scorematch/loss/sampled/randomized_objective.hpp>
#include <scorematch/loss/sampled/stored_samples.hpp>

#include <Eigen/Core>

#include <cstdint>
#include <utility>

namespace scorematch {

namespace detail {

// The loss of one sample, in the place of one that has a random vector beside it.
template <class P>
struct WithoutVector : P {
  template <class F, class Nothing, class Theta>
  auto operator()(const F& family, const PointOf<F>& x, const Nothing&, const Theta& theta) const {
    return static_cast<const P&>(*this)(family, x, theta);
  }
  template <class X, class Nothing, class Put>
  void place(X& x, const Nothing&, const Put& put) const {
    P::place(x, NoVector(), put);
  }
  template <class Block>
  void draw(RandomNumbers&, Block&) const {}
};

}  // namespace detail

/// Options of `MiniBatches`.
struct MiniBatchOptions {
  /// Samples of one evaluation.
  Eigen::Index size = 256;
  /// Equal seeds draw equal batches; from a generator of yours: `.seed = rng()`.
  std::uint64_t seed = 0;
};

/// A loss on mini-batches: each evaluation sees the next `size` samples of a random order, a new
/// one whenever all have had their turn. For `Adam` with a `decay`, and many samples.
///
/// **Math** the mean over an epoch of evaluations is the loss over all samples, whatever the
/// weights.
///
/// **Summary** the samples themselves, for any loss that says what one sample contributes
/// (`HasPoint`): `ScoreMatchingLoss`, also of a Gaussian, and `GeneralizedScoreMatchingLoss`.
/// `DenoisingScoreMatchingLoss` and `SlicedScoreMatchingLoss`, which draw vectors as well, have a
/// `batch_size` of their own.
///
/// **Errors** std::invalid_argument for a size below 1, and as of the loss.
///
/// **Cost** of an evaluation: that of the loss over `size` samples.
///
/// **Example** docs/snippets/energies.cpp
template <class L>
class MiniBatches {
 public:
  explicit MiniBatches(L loss, MiniBatchOptions options = {})
      : loss_(std::move(loss)), options_(options) {
    detail::require_option(options.size >= 1, "MiniBatches", "size", options.size, "at least 1");
  }

  template <class F>
    requires HasPoint<L, F>
  auto summary(const F& family) const {
    if constexpr (requires { loss_.summary(family).samples(); }) {
      return loss_.summary(family);
    } else {
      return SampleSet<typename F::Scalar, F::Dim>(family.dimension());
    }
  }

  /// **Errors** as of `RandomizedObjective`.
  template <class F, class Summary>
    requires HasPoint<L, F>
  auto objective(const F& family, Summary summary) const {
    if constexpr (requires { std::move(summary).weighting(); }) {
      return objective(family, std::move(summary).samples());
    } else {
      using Point = detail::WithoutVector<typename decltype(loss_.point(family))::Point>;
      return RandomizedObjective<F, Point>(family, std::move(summary),
                                           Point{loss_.point(family).loss()}, 1, options_.size,
                                           options_.seed);
    }
  }

 private:
  L loss_;
  MiniBatchOptions options_;
};

}  // namespace scorematch
