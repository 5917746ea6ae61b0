// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/data/box.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/loss/weight_function.hpp>

#include <Eigen/Core>

#include <cmath>
#include <utility>

namespace scorematch {

/// A weight function of the distance to the nearer bound of a box: the `Weighting` of a
/// `QuadraticSummary`.
///
/// **Math** h_j(x_j) = h(min(x_j - lower_j, upper_j - x_j)); its slope is h' where the lower bound
/// is the nearer one, -h' where the upper one is.
template <Real Scalar_, int Dim_, WeightFunction<Scalar_> H>
class BoxWeighting {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  static constexpr bool uniform = false;

  struct At {
    Scalar h;
    Scalar slope;
  };

  BoxWeighting(Box<Scalar_, Dim_> box, H weight)
      : box_(std::move(box)), weight_(std::move(weight)) {}

  const Box<Scalar, Dim>& box() const { return box_; }

  /// That of the coordinate j, which is not checked.
  At weight(Eigen::Index j, Scalar x) const {
    const Bound bound = nearer(j, x);
    const auto slope = static_cast<Scalar>(weight_.derivative(bound.distance));
    return {static_cast<Scalar>(weight_.value(bound.distance)), bound.lower ? slope : -slope};
  }

  /// Throws std::invalid_argument where a sample lies outside the box, or h is no weight there.
  /// Samples of weight 0 are not looked at.
  template <class X, class W = detail::Unweighted>
  void require_inside(const X& samples, const W& weights = W()) const {
    using std::isfinite;
    const auto has_weights = [&](Eigen::Index i) {
      Scalar zero(0);  // or NaN
      Scalar least(0);
      for (Eigen::Index j = 0; j < box_.dimension(); ++j) {
        const Scalar distance = nearer(j, samples(j, i)).distance;
        const auto h = static_cast<Scalar>(weight_.value(distance));
        const Scalar both = h + static_cast<Scalar>(weight_.derivative(distance));
        zero += both - both;
        least = h < least ? h : least;
      }
      return zero == 0 && least == 0;
    };
    if (detail::all_inside(box_, samples, weights, has_weights)) return;
    detail::require_inside(box_, samples, weights);
    for (Eigen::Index i = 0; i < samples.cols(); ++i) {
      if (!(weights(i) > 0)) continue;
      for (Eigen::Index j = 0; j < samples.rows(); ++j) {
        const At at = weight(j, samples(j, i));
        if (!(at.h >= 0) || !isfinite(at.h) || !isfinite(at.slope)) {
          detail::fail("the weight function at ", detail::entry("samples", j, i, samples(j, i)),
                       " in [", box_.lower()(j), ", ", box_.upper()(j), "] has value ", at.h,
                       " and derivative ", at.slope,
                       "; expected finite numbers, the value at least 0");
        }
      }
    }
  }

 private:
  struct Bound {
    Scalar distance;
    bool lower;
  };

  // A choice of numbers, and not of what is called with them: which bound it is no one can predict.
  Bound nearer(Eigen::Index j, Scalar x) const {
    const Scalar above = x - box_.lower()(j);
    const Scalar below = box_.upper()(j) - x;
    return {above <= below ? above : below, above <= below};
  }

  Box<Scalar, Dim> box_;
  [[no_unique_address]] H weight_;
};

}  // namespace scorematch
