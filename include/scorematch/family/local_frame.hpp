// SPDX-License-Identifier: MIT
//
// The coordinates in which an optimizer walks that a common offset and unit of the samples should
// not concern.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/data/median.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/family/score_model.hpp>

#include <Eigen/Core>

#include <concepts>

namespace scorematch {

/// A family whose densities have a place and a width: `start(samples)` finds them in the samples,
/// `move(theta, by)` makes theta that of the density moved by a vector, and `scales(theta)` says by
/// how much each parameter changes when the density changes by an amount of order one.
///
/// Laws: log p at x + by of the moved theta is that of theta at x, and so is its gradient by theta.
/// Where the samples are scaled by s, `scales` at the scaled density is s times as large for
/// parameters in their unit, and as it was for others.
template <class F>
concept LocationScaleFamily =
    StartsFrom<F, SampleSet<typename F::Scalar, F::Dim>> &&
    requires(const F& family, typename F::Parameters& theta, const PointOf<F>& by) {
      family.move(theta, by);
      { family.scales(theta) } -> std::convertible_to<typename F::Parameters>;
    };

namespace detail {

// Samples are seen from their medians, `center`; the origin of u is the start that the family takes
// from them, and its units are the family's `scales` there. Of another family all stays as it is.
template <class F>
class LocalFrame {
 public:
  using Parameters = typename F::Parameters;

  template <class Samples>
  LocalFrame(const F&, const Samples&) {}
  template <class X>
  void center(X&) const {}
  const Parameters& centered(const Parameters& theta) const { return theta; }
};

template <LocationScaleFamily F>
class LocalFrame<F> {
 public:
  using Parameters = typename F::Parameters;

  template <class Samples>
  LocalFrame(const F& family, const Samples& samples)
      : family_(family), center_(median_and_spread(samples).median) {
    const Parameters start = family.start(samples);
    scales_ = family.scales(start);
    origin_ = centered(start);
  }

  // Makes x what it is seen from the center.
  template <class X>
  void center(X& x) const {
    x -= center_;
  }

  // theta of the density seen from the center; of u in the other two. Valid until the next call.
  const Parameters& centered(const Parameters& theta) {
    theta_ = theta;
    family_.move(theta_, -center_);
    return theta_;
  }
  const Parameters& centered_at(const Parameters& u) {
    theta_ = origin_ + scales_.cwiseProduct(u);
    return theta_;
  }

  // The gradient by u of one by theta.
  void scale(Parameters& gradient) const { gradient.array() *= scales_.array(); }

  Parameters to_local(const Parameters& theta) {
    return (centered(theta) - origin_).cwiseQuotient(scales_);
  }
  Parameters from_local(const Parameters& u) {
    Parameters theta = centered_at(u);
    family_.move(theta, center_);
    return theta;
  }

 private:
  F family_;
  PointOf<F> center_;
  Parameters origin_;
  Parameters scales_;
  Parameters theta_;
};

}  // namespace detail
}  // namespace scorematch
