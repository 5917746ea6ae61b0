// SPDX-License-Identifier: MIT
//
// How a mean of losses is computed: by a recorded program, or by dual numbers.
#pragma once

#include <scorematch/core/vector_register.hpp>
#include <scorematch/loss/sampled/mean_of_terms.hpp>
#ifdef SCOREMATCH_HAS_PACKS
#include <scorematch/loss/sampled/recorded_mean.hpp>
#endif

#include <type_traits>

namespace scorematch::detail {

// A family that lets its log density be recorded, and a loss of one sample that can be computed
// from jets.
#ifdef SCOREMATCH_HAS_PACKS
template <class F, class Point>
inline constexpr bool recorded = requires {
  requires F::recorded;
  Point::order;
};
#else
template <class F, class Point>
inline constexpr bool recorded = false;
template <class F, class Point>
class RecordedMean;
#endif

template <class F, class Point>
using MeanFor = std::conditional_t<recorded<F, Point>, RecordedMean<F, Point>, MeanOfTerms<F>>;

}  // namespace scorematch::detail
