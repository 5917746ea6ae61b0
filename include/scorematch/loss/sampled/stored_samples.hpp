// SPDX-License-Identifier: MIT
//
// What the objectives over stored samples share.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/family/local_frame.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/loss/sampled/mean_for.hpp>

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

// Beside a sample of a loss that draws nothing.
struct NoVector {};

// The samples, the frame that they are seen from, and the calls in theta and in local coordinates.
// `Self` has `at_centered(theta)` and `at_centered(theta, gradient)`, the loss at a theta that is
// seen from the frame.
template <class Self, class F, class Point>
class StoredSamples {
 public:
  using Scalar = typename F::Scalar;
  using Parameters = typename F::Parameters;
  static constexpr int Dim = F::Dim;

  Eigen::Index parameter_count() const { return family_.parameter_count(); }

  /// The loss at theta; infinity outside the domain.
  Scalar operator()(const Parameters& theta) { return self().at_centered(frame_.centered(theta)); }

  /// The loss at theta and its gradient; both infinity outside the domain.
  Scalar operator()(const Parameters& theta, Parameters& gradient) {
    return self().at_centered(frame_.centered(theta), gradient);
  }

  Scalar local(const Parameters& u, Parameters& gradient)
    requires LocationScaleFamily<F>
  {
    const Scalar loss = self().at_centered(frame_.centered_at(u), gradient);
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

 protected:
  StoredSamples(const F& family, SampleSet<Scalar, Dim> samples)
      : family_(family),
        samples_((require_samples_of(family, samples), std::move(samples))),
        frame_(family, samples_),
        x_(family.dimension()),
        mean_(family) {}

  F family_;
  SampleSet<Scalar, Dim> samples_;
  LocalFrame<F> frame_;
  PointOf<F> x_;  // the sample that is looked at
  MeanFor<F, Point> mean_;

 private:
  Self& self() { return static_cast<Self&>(*this); }
};

}  // namespace detail
}  // namespace scorematch
