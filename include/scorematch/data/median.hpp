// SPDX-License-Identifier: MIT
//
// Where samples lie and how far they spread, by order alone: a few far ones do not matter.
#pragma once

#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace scorematch::detail {

// Coordinate by coordinate, Dim entries each.
template <Real Scalar, int Dim>
struct MedianAndSpread {
  Eigen::Matrix<Scalar, Dim, 1> median;
  // Half the distance of the quartiles, in units in which it is 1 for a standard normal; where the
  // quartiles are equal, the mean distance from the median; 1 where all samples are.
  Eigen::Matrix<Scalar, Dim, 1> spread;
};

// The value below which `part` of the weight lies.
template <class Pairs, class Weight>
auto quantile(const Pairs& sorted, Weight part) {
  Weight below(0);
  std::size_t k = 0;
  while (k + 1 < sorted.size() && (below += sorted[k].second) < part) ++k;
  return sorted[k].first;
}

// `samples` is a SampleSet with at least one sample. Cost O(Dim n log n).
template <class Samples>
MedianAndSpread<typename Samples::Scalar, Samples::Dim> median_and_spread(const Samples& samples) {
  using Scalar = typename Samples::Scalar;
  using Weight = typename Samples::Weight;
  using std::abs;
  const Eigen::Index d = samples.dimension();
  const auto values = samples.samples();
  const auto weights = samples.weights();
  MedianAndSpread<Scalar, Samples::Dim> result;
  result.median.resize(d);
  result.spread.resize(d);
  std::vector<std::pair<Scalar, Weight>> sorted(static_cast<std::size_t>(samples.size()));
  for (Eigen::Index i = 0; i < d; ++i) {
    for (Eigen::Index j = 0; j < samples.size(); ++j) {
      sorted[static_cast<std::size_t>(j)] = {values(i, j), weights(j)};
    }
    std::sort(sorted.begin(), sorted.end());
    const Scalar median = quantile(sorted, samples.count() / 2);
    const Scalar low = quantile(sorted, samples.count() / 4);
    const Scalar high = quantile(sorted, samples.count() * Weight(0.75));
    Scalar spread = (high / 2 - low / 2) / Scalar(0.674489750196081743L);
    if (!(spread > 0)) {
      Weight sum(0);
      for (const auto& [value, weight] : sorted) {
        sum += weight / samples.count() * abs(static_cast<Weight>(value / 2 - median / 2));
      }
      spread = 2 * static_cast<Scalar>(sum);
    }
    result.median(i) = median;
    result.spread(i) = spread > 0 && is_finite(spread) ? spread : Scalar(1);
  }
  return result;
}

}  // namespace scorematch::detail
