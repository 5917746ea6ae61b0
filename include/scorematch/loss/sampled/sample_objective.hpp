// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/loss/sampled/point_loss.hpp>
#include <scorematch/loss/sampled/stored_samples.hpp>

#include <Eigen/Core>

#include <utility>

namespace scorematch {

/// The mean over stored samples of a loss of one sample.
///
/// **Math** J(theta) = sum_j w_j l(x_j, theta) / sum_j w_j. The gradient of a recorded energy comes
/// from one run backward through its program, and otherwise from dual numbers over theta, at most
/// eight parameters in a pass: exact to rounding.
///
/// Of a `LocationScaleFamily` it sees samples and densities from the samples' medians, and has
/// local coordinates (`HasLocalCoordinates`).
///
/// **Errors** std::invalid_argument where there are no samples or the dimensions differ.
/// `check_start` where the loss of a sample is not finite (with its column): nothing can be fitted
/// from there. Elsewhere a value that is not finite is the edge of the domain, and is infinity.
/// The size of theta is not checked.
///
/// **Cost** of one evaluation with its gradient: a few runs of a recorded energy over size()
/// samples; else size() calls of the point loss for each eight parameters or part of them, on
/// numbers up to nine times as wide.
///
/// **Allocation** a copy of the samples, unless they are given away (`std::move`); none in an
/// evaluation, but for the first of a recorded energy.
template <class F, PointLossFor<F> Point>
class SampleObjective : public detail::StoredSamples<SampleObjective<F, Point>, F, Point> {
  using Base = detail::StoredSamples<SampleObjective, F, Point>;

 public:
  using typename Base::Parameters;
  using typename Base::Scalar;

  SampleObjective(const F& family, SampleSet<Scalar, F::Dim> samples, Point point = Point())
      : Base(family, std::move(samples)), point_(std::move(point)) {}

  ObjectiveInfo<Scalar> info() const { return {.parameter_count = this->parameter_count()}; }

  /// Throws where the loss of a sample is not finite at `start`.
  void check_start(const Parameters& start) {
    if constexpr (detail::recorded<F, Point>) {
      mean_.each(family_, point_, frame_.centered(start), samples_.size(), load(),
                 [this](Eigen::Index j, Scalar loss) {
                   detail::require_finite_loss(loss, samples_.samples(), j);
                 });
    } else {
      const detail::Column<Parameters, detail::ColumnOf::theta> theta(frame_.centered(start));
      for (Eigen::Index j = 0; j < samples_.size(); ++j) {
        detail::require_finite_loss(loss_of(j, theta), samples_.samples(), j);
      }
    }
  }

 private:
  friend Base;
  using Base::family_;
  using Base::frame_;
  using Base::mean_;
  using Base::samples_;
  using Base::x_;

  // With the gradient where it is asked for.
  template <class... Gradient>
  Scalar at_centered(const Parameters& theta, Gradient&... gradient) {
    if constexpr (detail::recorded<F, Point>) {
      return mean_(family_, point_, theta, gradient..., samples_.size(), samples_.count(), weight(),
                   load());
    } else {
      return mean_(theta, gradient..., samples_.size(), samples_.count(), weight(), term());
    }
  }

  template <class Theta>
  typename Theta::Scalar loss_of(Eigen::Index j, const Theta& theta) {
    x_ = samples_.samples().col(j);
    frame_.center(x_);
    return point_(std::as_const(family_), std::as_const(x_), theta);
  }

  auto weight() const {
    return [weights = samples_.weights()](Eigen::Index j) { return weights(j); };
  }
  auto load() {
    return [this](Eigen::Index j, const auto& place) {
      x_ = samples_.samples().col(j);
      frame_.center(x_);
      place(x_, detail::NoVector());
    };
  }
  auto term() {
    return [this](Eigen::Index j, const auto& theta) { return this->loss_of(j, theta); };
  }

  Point point_;
};

}  // namespace scorematch
