// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/family/local_frame.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/loss/sampled/mean_of_terms.hpp>
#include <scorematch/loss/sampled/point_loss.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <utility>

namespace scorematch {

namespace detail {

// What every objective over stored samples asks of them.
template <class F, class Samples>
void require_samples_of(const F& family, const Samples& samples) {
  if (samples.dimension() != family.dimension()) {
    fail("the samples have dimension ", samples.dimension(), "; expected ", family.dimension(),
         ", as the family has it");
  }
  if (!(samples.count() > 0)) fail("no samples (count = 0); expected at least one");
}

template <class Scalar, class Samples>
void require_finite_loss(Scalar loss, const Samples& samples, Eigen::Index j) {
  if (!std::isfinite(loss)) {
    if (std::isnan(loss)) loss = std::numeric_limits<Scalar>::quiet_NaN();  // without a sign
    fail("the loss of samples(column ", j, ") is ", loss, " at the start, ",
         entry("samples", Eigen::Index(0), j, samples(0, j)),
         "; expected a finite value (is the log density smooth and finite there?)");
  }
}

}  // namespace detail

/// The mean over stored samples of a loss of one sample.
///
/// **Math** J(theta) = sum_j w_j l(x_j, theta) / sum_j w_j. The gradient comes from dual numbers
/// over theta, at most eight parameters in a pass: exact to rounding.
///
/// Of a `LocationScaleFamily` it sees samples and densities from the samples' medians, and has
/// local coordinates (`HasLocalCoordinates`).
///
/// **Errors** std::invalid_argument where there are no samples or the dimensions differ.
/// `check_start` where the loss of a sample is not finite (with its column): nothing can be fitted
/// from there. Elsewhere a value that is not finite is the edge of the domain, and is infinity.
/// The size of theta is not checked.
///
/// **Cost** of one evaluation with its gradient: size() calls of the point loss for each eight
/// parameters or part of them, on numbers up to nine times as wide.
///
/// **Allocation** a copy of the samples, unless they are given away (`std::move`); none in an
/// evaluation.
template <class F, PointLossFor<F> Point>
class SampleObjective {
 public:
  using Scalar = typename F::Scalar;
  using Parameters = typename F::Parameters;
  static constexpr int Dim = F::Dim;

  SampleObjective(const F& family, SampleSet<Scalar, Dim> samples, Point point = Point())
      : family_(family),
        samples_((detail::require_samples_of(family, samples), std::move(samples))),
        point_(std::move(point)),
        frame_(family, samples_),
        x_(family.dimension()),
        mean_(family.parameter_count()) {}

  Eigen::Index parameter_count() const { return family_.parameter_count(); }
  ObjectiveInfo<Scalar> info() const { return {.parameter_count = parameter_count()}; }

  /// Throws where the loss of a sample is not finite at `start`.
  void check_start(const Parameters& start) {
    const detail::Column<Parameters, detail::ColumnOf::theta> theta(frame_.centered(start));
    for (Eigen::Index j = 0; j < samples_.size(); ++j) {
      detail::require_finite_loss(loss_of(j, theta), samples_.samples(), j);
    }
  }

  /// The loss at theta; infinity outside the domain.
  Scalar operator()(const Parameters& theta) {
    return mean_(frame_.centered(theta), samples_.size(), samples_.count(), weight(), term());
  }

  /// The loss at theta and its gradient; both infinity outside the domain.
  Scalar operator()(const Parameters& theta, Parameters& gradient) {
    return at_centered(frame_.centered(theta), gradient);
  }

  Scalar local(const Parameters& u, Parameters& gradient)
    requires LocationScaleFamily<F>
  {
    const Scalar loss = at_centered(frame_.centered_at(u), gradient);
    frame_.scale(gradient);
    return loss;
  }
  Parameters to_local(const Parameters& theta)
    requires LocationScaleFamily<F>
  {
    return frame_.to_local(theta);
  }
  Parameters from_local(const Parameters& u)
    requires LocationScaleFamily<F>
  {
    return frame_.from_local(u);
  }

 private:
  Scalar at_centered(const Parameters& theta, Parameters& gradient) {
    return mean_(theta, gradient, samples_.size(), samples_.count(), weight(), term());
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
  auto term() {
    return [this](Eigen::Index j, const auto& theta) { return this->loss_of(j, theta); };
  }

  F family_;
  SampleSet<Scalar, Dim> samples_;
  Point point_;
  detail::LocalFrame<F> frame_;
  PointOf<F> x_;
  detail::MeanOfTerms<F> mean_;
};

}  // namespace scorematch
