// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/box.hpp>
#include <scorematch/distribution/truncated_gaussian.hpp>
#include <scorematch/family/pairwise_gaussian_family.hpp>

#include <Eigen/Core>

#include <cmath>
#include <utility>

namespace scorematch {

/// All Gaussians cut off by one box, the positive orthant unless given: an exponential family whose
/// normalizing constant nobody can compute in more than a few dimensions.
///
/// **Math** log p(x) = eta^T x - 1/2 x^T K x + const inside the box. Fit it with
/// `GeneralizedScoreMatchingLoss`, which takes the box from here. The losses that know no edge
/// refuse this family: of a `PairwiseGaussianFamily`, which has none, `ScoreMatchingLoss` would
/// return the mean and covariance of the samples, those after the cut.
///
/// **Shapes** theta, in order: eta (Dim), K_ii (Dim), K_ij for i > j row by row
/// (Dim (Dim - 1) / 2), as in `PairwiseGaussianFamily`.
///
/// **Units** x in u: eta in 1/u, K in 1/u^2.
///
/// **Cost** O(Dim^3) a sample.
///
/// **Example** docs/snippets/truncated_data.cpp
template <Real Scalar_, int Dim_ = Eigen::Dynamic>
class TruncatedGaussianFamily : public PairwiseGaussianFamily<Scalar_, Dim_> {
  using Parent = PairwiseGaussianFamily<Scalar_, Dim_>;

 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using typename Parent::Parameters;
  using Distribution = TruncatedGaussian<Scalar, Dim>;

  /// The positive orthant.
  TruncatedGaussianFamily()
    requires(Dim != Eigen::Dynamic)
      : TruncatedGaussianFamily(Dim) {}

  /// The positive orthant of R^dimension.
  explicit TruncatedGaussianFamily(Eigen::Index dimension)
      : Parent(dimension), box_(Box<Scalar, Dim>::positive_orthant(dimension)) {}

  explicit TruncatedGaussianFamily(Box<Scalar, Dim> box)
      : Parent(box.dimension()), box_(std::move(box)) {}

  const Box<Scalar, Dim>& box() const { return box_; }

  /// **Errors** std::invalid_argument where theta has the wrong size or is not finite.
  Distribution distribution(const Parameters& theta) const {
    detail::require_parameters(theta, this->parameter_count());
    return Distribution(theta.head(this->dimension()), this->precision(theta), box_);
  }
  template <detail::SizedLater<Parameters> Theta>
  Distribution distribution(const Theta& theta) const {
    return distribution(detail::sized<Parameters>("theta", theta));
  }

 private:
  Box<Scalar, Dim> box_;
};

template <Real Scalar, int Dim>
TruncatedGaussianFamily(Box<Scalar, Dim>) -> TruncatedGaussianFamily<Scalar, Dim>;

}  // namespace scorematch
