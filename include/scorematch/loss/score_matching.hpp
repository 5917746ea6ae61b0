// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/unroll.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/derivative/second_order.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/loss/gaussian/gaussian_objective.hpp>
#include <scorematch/loss/quadratic/centered_objective.hpp>
#include <scorematch/loss/quadratic/quadratic_summary.hpp>
#include <scorematch/loss/sampled/point_loss.hpp>
#include <scorematch/loss/sampled/sample_objective.hpp>

#include <Eigen/Core>

#include <utility>

namespace scorematch {

/// The score matching objective of a full Gaussian, from moments.
///
/// **Math** J(theta) = 1/2 tr(P M P) - tr P with M = S + (m - mu)(m - mu)^T. Computed in whitened
/// coordinates: A = L^-1, B = A A^T, E = I - A M A^T, a = A (m - mu); then
/// J = -1/2 (tr B + tr(B E)), dJ/dmu = -A^T B a, dJ/dL = tril(A^T (B E + E B)).
///
/// **Units** J in 1/u^2 for samples in u.
///
/// **Cost** 11/3 d^3 flops for value and gradient, 4/3 d^3 for the value alone: 2 d^3 for B E and
/// d^3 / 3 for each of A, A C, E, B and the last product. Only the first allocates.
template <Number Scalar_, int Dim_>
class GaussianScoreMatching : public detail::GaussianObjective<Scalar_, Dim_> {
  using Base = detail::GaussianObjective<Scalar_, Dim_>;

 public:
  using Base::Base;
  using typename Base::Parameters;
  using typename Base::Scalar;

  /// J(theta); infinity where it, or a diagonal entry of the covariance or precision,
  /// leaves the range of Scalar.
  Scalar operator()(const Parameters& theta) {
    auto&& at = this->workspace();
    return value(theta, at);
  }

  /// J(theta) and its gradient; the value is that of `operator()(theta)` to the bit.
  EIGEN_ALWAYS_INLINE Scalar operator()(const Parameters& theta, Parameters& gradient) {
    return evaluate(theta, gradient);
  }

  /// The loss at `from_local(u)` and its gradient by u.
  Scalar local(const Parameters& u, Parameters& gradient)
    requires Real<Scalar>
  {
    const Scalar result = evaluate<true>(this->from_mean_at(u), gradient);
    this->scale(gradient);
    return result;
  }

  /// The second derivatives of J at theta, K x K.
  ///
  /// **Cost** O(K d^3) flops. Allocates.
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> hessian(const Parameters& theta) const
    requires Real<Scalar>
  {
    return this->hessian_at(theta, detail::GaussianLoss::score_matching);
  }

  /// mu = m, L = C, and J = -1/2 tr S^-1 there. Infinity as in an evaluation.
  ///
  /// **Cost** d^3 / 3 flops.
  ExactMinimum<Parameters> exact() const {
    const auto inside = this->minimizer_inside(3);
    Scalar loss = Base::outside();
    if (any(inside)) {
      loss = Base::finite_or_outside(inside, -detail::squared_norm_of_inverse(this->root_) / 2);
    }
    return {this->minimizer(), loss};
  }

 private:
  using typename Base::Workspace;

  template <bool from_mean = false>
  EIGEN_ALWAYS_INLINE Scalar evaluate(const Parameters& theta, Parameters& gradient) {
    auto&& at = this->workspace();
    Scalar result = Base::outside();
    const auto domain = this->template whiten<from_mean>(theta, 3, at);
    if (Base::worth_going_on(domain)) {
      result = Base::finite_or_outside(domain, value_at(at));
      write_gradient(at, gradient);
    }
    const auto inside = result < Base::outside();
    if (!all(inside)) detail::fill_where(!inside, gradient, Scalar(Base::outside()));
    return result;
  }

  EIGEN_ALWAYS_INLINE Scalar value(const Parameters& theta, Workspace& at) const {
    const auto inside = this->whiten(theta, 3, at);
    if (!Base::worth_going_on(inside)) return Base::outside();
    return Base::finite_or_outside(inside, value_at(at));
  }

  // Leaves B in at.first.
  EIGEN_ALWAYS_INLINE Scalar value_at(Workspace& at) const {
    auto& inner = at.first;
    detail::gram_of_rows(at.inverse, inner);
    return -detail::trace_with_product(inner, at.error) / 2;  // tr(B + B E)
  }

  EIGEN_ALWAYS_INLINE void write_gradient(Workspace& at, Parameters& gradient) const {
    const auto& inner = at.first;
    detail::multiply_symmetric(inner, at.residual, at.by_mean);
    detail::for_each_entry(
        at.by_mean, [&](Eigen::Index i) SCOREMATCH_INLINE { at.by_mean(i) = -at.by_mean(i); });
    detail::apply_transposed_lower(at.inverse, at.by_mean);

    detail::multiply(inner, at.error, at.second);
    detail::add_transposed(at.second, at.error);
    detail::multiply_transposed_lower(at.inverse, at.error, at.second);
    this->pack_gradient(at, gradient);
  }
};

/// 1/2 |s(x)|^2 + Laplacian_x log p(x): the score matching loss of one sample.
struct ScoreMatchingPoint {
  static constexpr auto order = detail::SecondOrder::laplacian;
  static constexpr int beside = 0;

  template <HasLaplacian F, DenseExpression Theta>
  typename Theta::Scalar operator()(const F& family, const PointOf<F>& x,
                                    const Theta& theta) const {
    const auto at = score_and_laplacian(family, x, theta);
    return at.score.squaredNorm() / 2 + at.laplacian;
  }

  template <class X, class Put>
  void place(X&, detail::NoVector, const Put&) const {}

  template <class Jet>
  auto loss(Jet& jet) const {
    auto sum = jet.second();
    jet.by_second(1);
    jet.each([&sum](Eigen::Index, const auto& s, auto& by_s) {
      sum += s * s / 2;
      by_s = s;
    });
    return sum;
  }
};

/// Score matching (Hyvarinen, JMLR 6, 2005): the normalizing constant of the model is never needed.
///
/// **Math** J(theta) = E[ 1/2 |s(x)|^2 + Laplacian_x log p_theta(x) ], with the score
/// s(x) = grad_x log p_theta(x) and the mean over the samples. Up to a constant of the samples
/// alone, it is half the Fisher divergence between data and model.
///
/// **Summary** for `GaussianFamily`: `Moments`. There, its minimum is the maximum of the
/// likelihood. For an `ExponentialFamily`, a `QuadraticForm`: J is quadratic in theta. For any
/// other family that offers its score and Laplacian (`HasLaplacian`): the samples themselves,
/// `SampleSet`.
///
/// A family that ends at an edge (`box()`) is refused: there the loss is wrong however many the
/// samples, and `GeneralizedScoreMatchingLoss` is right.
///
/// **Example** examples/notebook.cpp, docs/snippets/exponential_families.cpp
struct ScoreMatchingLoss {
  template <HasLaplacian F>
    requires WithoutEdge<F> && GaussianModel<F>
  Moments<typename F::Scalar, F::Dim> summary(const F& family) const {
    return Moments<typename F::Scalar, F::Dim>(family.dimension());
  }

  /// **Errors** std::invalid_argument where there are no samples or the dimensions differ.
  template <GaussianModel F>
  GaussianScoreMatching<typename F::Scalar, F::Dim> objective(
      const F& family, const Moments<typename F::Scalar, F::Dim>& moments) const {
    return {family, moments};
  }

  template <HasLaplacian F>
    requires WithoutEdge<F>
  SampleSet<typename F::Scalar, F::Dim> summary(const F& family) const {
    return SampleSet<typename F::Scalar, F::Dim>(family.dimension());
  }

  /// **Errors** as of `SampleObjective`.
  template <HasLaplacian F>
    requires WithoutEdge<F>
  SampleObjective<F, ScoreMatchingPoint> objective(
      const F& family, SampleSet<typename F::Scalar, F::Dim> samples) const {
    return {family, std::move(samples)};
  }

  template <HasLaplacian F>
    requires WithoutEdge<F> && ExponentialModel<F>
  QuadraticSummary<typename F::Exponential> summary(const F& family) const {
    return QuadraticSummary<typename F::Exponential>(family);
  }

  /// **Errors** std::invalid_argument where there are no samples or the parameter counts differ.
  template <HasLaplacian F>
    requires WithoutEdge<F> && ExponentialModel<F>
  QuadraticObjectiveOf<F, QuadraticSummary<typename F::Exponential>> objective(
      const F& family, const QuadraticSummary<typename F::Exponential>& summary) const {
    return detail::quadratic_objective(family, summary);
  }

  /// The loss of one sample.
  template <HasLaplacian F>
    requires WithoutEdge<F>
  PointLoss<F, ScoreMatchingPoint> point(const F& family) const {
    return {family, {}};
  }
};

}  // namespace scorematch
