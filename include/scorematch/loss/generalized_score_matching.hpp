// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/data/box.hpp>
#include <scorematch/derivative/second_order.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/loss/box_weighting.hpp>
#include <scorematch/loss/quadratic/centered_objective.hpp>
#include <scorematch/loss/quadratic/quadratic_summary.hpp>
#include <scorematch/loss/sampled/point_loss.hpp>
#include <scorematch/loss/sampled/sample_objective.hpp>
#include <scorematch/loss/sampled/truncated_samples.hpp>
#include <scorematch/loss/weight_function.hpp>

#include <Eigen/Core>

#include <concepts>
#include <utility>

namespace scorematch {

/// sum_j h_j (1/2 s_j^2 + d_jj log p) + h_j' s_j: the loss of one sample.
template <class Weighting>
struct GeneralizedScoreMatchingPoint {
  static constexpr auto order = detail::SecondOrder::weighted;
  static constexpr int beside = 2;

  Weighting weighting;

  template <HasCurvature F, DenseExpression Theta>
  typename Theta::Scalar operator()(const F& family, const PointOf<F>& x,
                                    const Theta& theta) const {
    using T = typename Theta::Scalar;
    const auto at = family.score_and_curvature(x, theta);
    T sum(0);
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      const auto h = weighting.weight(j, x(j));
      const T& s = at.score(j);
      sum += h.h * (s * s / 2 + at.curvature(j)) + h.slope * s;
    }
    return sum;
  }

  template <class X, class Put>
  void place(X& x, detail::NoVector, const Put& put) const {
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      const auto h = weighting.weight(j, x(j));
      put(0, j, h.h);
      put(1, j, h.slope);
    }
  }

  template <class Jet>
  auto loss(Jet& jet) const {
    auto sum = jet.second();
    jet.by_second(1);
    jet.each([&](Eigen::Index j, const auto& s, auto& by_s) {
      const auto weighted = jet.beside(0, j) * s;
      const auto slope = jet.beside(1, j);
      sum += weighted * s / 2 + slope * s;
      by_s = weighted + slope;
    });
    return sum;
  }
};

/// The family's own box where it has one, else the positive orthant.
struct NaturalDomain {};

namespace detail {

template <class Domain, class F>
inline constexpr bool domain_for = std::same_as<Domain, NaturalDomain>;
template <class Scalar, int Dim, class F>
inline constexpr bool domain_for<Box<Scalar, Dim>, F> =
    std::same_as<Scalar, typename F::Scalar> &&
    (Dim == F::Dim || Dim == Eigen::Dynamic || F::Dim == Eigen::Dynamic);

}  // namespace detail

/// Score matching of samples that a domain cuts off: non-negative ones, or those in a box
/// (Hyvarinen 2007; Yu, Drton and Shojaie, JMLR 20, 2019).
///
/// **Math** J(theta) = E[ sum_j h_j (1/2 (d_j log p)^2 + d_jj log p) + h_j' d_j log p ], with
/// h_j = h(distance of x_j to its nearer bound) and h(0) = 0: the weights take the boundary term
/// away that makes plain score matching wrong here. Up to a constant it is half the Fisher
/// divergence weighted by h.
///
/// **Domain** the box given to the loss; else the family's own, `box()`; else the positive orthant.
///
/// **Summary** for an `ExponentialFamily`, a `QuadraticForm`, so that `ClosedForm` is exact; for
/// any other family that offers its second derivatives (`HasCurvature`, every energy), the samples.
///
/// **Errors** std::invalid_argument for samples outside the domain (row, column, value, bounds), a
/// weight function that is not 0 at 0, or not finite or negative at a sample, a box of another
/// dimension than the family's, and one other than the family's own.
///
/// **Units** J in h's unit / u^2 for samples in u.
///
/// **Example** docs/snippets/truncated_data.cpp
template <class H = MinWeight, class Domain = NaturalDomain>
class GeneralizedScoreMatchingLoss {
  template <class F>
  using Weighting = BoxWeighting<typename F::Scalar, F::Dim, H>;

 public:
  explicit GeneralizedScoreMatchingLoss(H weight = H(), Domain domain = Domain())
      : weight_(std::move(weight)), domain_(std::move(domain)) {
    static_assert(WeightFunction<H, double> || WeightFunction<H, float>,
                  "a weight function has value(x) and derivative(x)");
    if constexpr (requires { weight_.require_options(); }) weight_.require_options();
    const double at_edge = static_cast<double>(weight_.value(0.0));
    if (!(at_edge == 0)) {
      detail::fail("GeneralizedScoreMatchingLoss: the weight function at 0 is ", at_edge,
                   "; expected 0");
    }
  }

  const H& weight() const { return weight_; }

  /// An empty summary.
  template <HasCurvature F>
    requires detail::domain_for<Domain, F>
  auto summary(const F& family) const {
    if constexpr (ExponentialModel<F>) {
      return QuadraticSummary<typename F::Exponential, Weighting<F>>(family, weighting(family));
    } else {
      return TruncatedSamples<Weighting<F>>(weighting(family));
    }
  }

  /// **Errors** as of `SampleObjective`.
  template <HasCurvature F>
  SampleObjective<F, GeneralizedScoreMatchingPoint<Weighting<F>>> objective(
      const F& family, TruncatedSamples<Weighting<F>> summary) const {
    const Weighting<F> weighting = summary.weighting();
    return {family, std::move(summary).samples(), {weighting}};
  }

  /// **Errors** std::invalid_argument where there are no samples or the parameter counts differ.
  template <HasCurvature F>
    requires ExponentialModel<F>
  QuadraticObjectiveOf<F, QuadraticSummary<typename F::Exponential, Weighting<F>>> objective(
      const F& family,
      const QuadraticSummary<typename F::Exponential, Weighting<F>>& summary) const {
    return detail::quadratic_objective(family, summary);
  }

  /// The loss of one sample, weighted by its distance from the edge.
  template <HasCurvature F>
    requires detail::domain_for<Domain, F>
  auto point(const F& family) const {
    return PointLoss(family, GeneralizedScoreMatchingPoint<Weighting<F>>{weighting(family)});
  }

  /// The weights h_j of the family's domain.
  template <class F>
  Weighting<F> weighting(const F& family) const {
    return {box(family), weight_};
  }

 private:
  template <class F>
  Box<typename F::Scalar, F::Dim> box(const F& family) const {
    using FamilyBox = Box<typename F::Scalar, F::Dim>;
    if constexpr (std::same_as<Domain, NaturalDomain>) {
      if constexpr (HasBox<F>) {
        return family.box();
      } else {
        return FamilyBox::positive_orthant(family.dimension());
      }
    } else {
      if (domain_.dimension() != family.dimension()) {
        detail::fail("GeneralizedScoreMatchingLoss: the box has dimension ", domain_.dimension(),
                     "; expected ", family.dimension(), ", as the family has it");
      }
      FamilyBox result(domain_.lower(), domain_.upper());
      if constexpr (HasBox<F>) {
        if (!(result == family.box())) {
          detail::fail("GeneralizedScoreMatchingLoss: the box, from ",
                       detail::entry("lower", 0, result.lower()(0)), " and ",
                       detail::entry("upper", 0, result.upper()(0)),
                       " on, is not that of the family; expected none or the same");
        }
      }
      return result;
    }
  }

  [[no_unique_address]] H weight_;
  [[no_unique_address]] Domain domain_;
};

template <class H>
GeneralizedScoreMatchingLoss(H) -> GeneralizedScoreMatchingLoss<H>;
template <class H, class Domain>
GeneralizedScoreMatchingLoss(H, Domain) -> GeneralizedScoreMatchingLoss<H, Domain>;

}  // namespace scorematch
