// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/loss/pairs/column_pairs.hpp>
#include <scorematch/loss/pairs/column_sums.hpp>
#include <scorematch/loss/pairs/coupling_estimate.hpp>
#include <scorematch/loss/pairs/pair_weights.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <utility>
#include <vector>

namespace scorematch {

/// The penalty on the coordinates of `ColumnPairs`. Models `AbsolutePenalty`.
///
/// **Lifetime** the form outlives it, in its place.
template <Real Scalar_>
class CouplingPenalty {
 public:
  using Scalar = Scalar_;

  CouplingPenalty(const ColumnPairs<Scalar>& form, detail::PairWeights<Scalar> weights,
                  bool standardize)
      : form_(&form), weights_(std::move(weights)), standardize_(standardize) {}

  Scalar weight(const CouplingCoordinate& c) const {
    if (!c.is_pair()) return 0;
    const Scalar weight = weights_.of_pair(c.i, c.j);
    return weight == 0 || !standardize_ || !is_finite(weight) ? weight : weight * size_of(c);
  }
  Scalar value(const CouplingCoordinate& c, Scalar t) const {
    return t == 0 ? Scalar(0) : weight(c) * std::abs(t);
  }
  Scalar proximal(const CouplingCoordinate& c, Scalar t, Scalar step) const {
    return detail::soft_threshold(t, weight(c), step);
  }

 private:
  Scalar size_of(const CouplingCoordinate& c) const {
    Scalar sum(0);
    for (Eigen::Index m = 0; m < c.count; ++m) sum += form_->curvature(c.k + m);
    return std::sqrt(sum / static_cast<Scalar>(2 * c.count));
  }

  const ColumnPairs<Scalar>* form_;
  detail::PairWeights<Scalar> weights_;
  bool standardize_;
};

/// Score matching, plain or generalized, of any exponential family of pairs with a penalty on its
/// couplings.
///
/// **Math** J = sum_j 1/2 theta_j^T Gamma_j theta_j + g_j . theta_j (`ColumnSums`) plus the sum
/// over the pairs of 2 w |theta_pair|, of several parameters their Euclidean norm. Where it is
/// standardized, w is multiplied by sqrt(c / 2), c the mean curvature of J in the pair's
/// parameters, so that couplings are compared in the units in which the samples determine them; and
/// a ridge multiplies the diagonals of Gamma_j by 1 + ridge.
///
/// **Errors** std::invalid_argument for no samples, edges that share their couplings, and a penalty
/// that does not fit the family.
template <class F, class Weighting>
class PenalizedColumns {
 public:
  using Scalar = typename F::Scalar;
  using Parameters = typename F::Parameters;
  using Sums = ColumnSums<F, Weighting>;
  using Form = ColumnPairs<Scalar>;
  using Point = typename Form::Point;
  using Estimate = CouplingEstimate<Parameters>;

  using PointPenalty = CouplingPenalty<Scalar>;

  /// J without the penalty, and its gradient. Models `Objective`.
  class Smooth {
   public:
    explicit Smooth(const PenalizedColumns& objective) : objective_(&objective) {}
    Scalar operator()(const Parameters& theta, Parameters& gradient) const {
      return objective_->evaluate(theta, gradient);
    }

   private:
    const PenalizedColumns* objective_;
  };

  template <class PenaltyOptions>
  PenalizedColumns(const F& family, const Sums& sums, const PenaltyOptions& penalty,
                   bool standardize, Weighting weighting = Weighting())
      : family_(family),
        weighting_(std::move(weighting)),
        weights_(penalty, family.dimension()),
        standardize_(standardize),
        form_(form_of(family, sums, penalty, standardize)) {}

  Eigen::Index dimension() const { return family_.dimension(); }
  ObjectiveInfo<Scalar> info() const { return {.parameter_count = form_.parameter_count()}; }

  /// J, and the gradient of smallest norm: where the parameters of a pair are zero, what the
  /// penalty leaves of their slopes. Zero at the minimum alone.
  Scalar operator()(const Parameters& theta, Parameters& gradient) const {
    Scalar value = evaluate(theta, gradient);
    const PointPenalty on_pairs = point_penalty();
    for (const CouplingCoordinate& c : form_.groups()) {
      const Scalar weight = on_pairs.weight(c);
      if (weight == 0) continue;
      const Scalar norm = theta.segment(c.k, c.count).norm();
      auto slopes = gradient.segment(c.k, c.count);
      value += on_pairs.value(c, norm);
      if (norm > 0) {
        slopes += weight / norm * theta.segment(c.k, c.count);
      } else {
        const Scalar length = slopes.norm();
        slopes *= length > weight ? 1 - weight / length : Scalar(0);
      }
    }
    return detail::finite_or_infinity(value);
  }

  Smooth smooth() const { return Smooth(*this); }
  PointPenalty point_penalty() const { return {form_, weights_, standardize_}; }
  /// At another weight.
  PointPenalty point_penalty(Scalar weight) const {
    return {form_, weights_.with_weight(weight), standardize_};
  }

  /// **Lifetime** this objective outlives the point.
  Point origin() const { return form_.origin(); }

  Point at(const Parameters& theta) const {
    Point point = form_.origin();
    for (const CouplingCoordinate& c : form_.groups()) {
      for (Eigen::Index m = 0; m < c.count; ++m) {
        if (theta(c.k + m) != 0) point.set(c, m, theta(c.k + m));
      }
    }
    return point;
  }

  Parameters parameters(const Point& point) const { return point.parameters(); }

  /// What a user asks for.
  Estimate estimate(const Point& point) const {
    Estimate result{point.parameters(), {}, {}};
    for (const auto& [edge, strength] : coupled(point)) {
      result.edges.push_back(edge);
      result.strengths.push_back(strength);
    }
    return result;
  }

  std::vector<Edge> edges(const Point& point) const {
    std::vector<Edge> result;
    for (const auto& [edge, strength] : coupled(point)) result.push_back(edge);
    return result;
  }

  /// By how much fitting a coupling that is zero lowers 2 n J, on average over the pairs: the mean
  /// of V / H, the variance over the samples of the slope of one, and the curvature, at a point
  /// where all couplings are zero.
  ///
  /// **Cost** O(Dim^2) a sample.
  template <SamplesOf<Scalar, F::Dim> X>
  double gain(const Point& point, const X& samples) const {
    using Vector = Eigen::VectorXd;
    const Eigen::Index parameters = form_.parameter_count();
    Vector sum = Vector::Zero(parameters), square = sum, slopes(parameters);
    Eigen::Matrix<Scalar, F::Dim, 1> x(dimension());
    for (Eigen::Index n = 0; n < samples.cols(); ++n) {
      x = samples.col(n);
      slopes.setZero();
      for (Eigen::Index j = 0; j < dimension(); ++j) add_slopes(point, x, j, slopes);
      sum += slopes;
      square += slopes.cwiseAbs2();
    }
    const double n = static_cast<double>(samples.cols());
    double ratio = 0, pairs = 0;
    for (const CouplingCoordinate& c : form_.groups()) {
      for (Eigen::Index k = c.k; c.is_pair() && k < c.k + c.count; ++k) {
        const double curvature = static_cast<double>(form_.curvature(k));
        if (!(curvature > 0)) continue;
        ratio += (square(k) / n - sum(k) * sum(k) / (n * n)) / curvature;
        ++pairs;
      }
    }
    return pairs > 0 ? ratio / pairs : 1;
  }

  /// The loss without the penalty of other samples, at a point of this objective.
  template <SamplesOf<Scalar, F::Dim> X>
  Scalar loss_of(const Point& point, const X& samples) const {
    Sums sums(family_, weighting_);
    sums.add(samples);
    const PenalizedColumns other(family_, sums, GivenGraph{}, false, weighting_);
    return other.at(parameters(point)).loss();
  }

 private:
  template <class PenaltyOptions>
  static Form form_of(const F& family, const Sums& sums, const PenaltyOptions& penalty,
                      bool standardize) {
    if (!(sums.count() > 0)) {
      detail::fail("PenalizedColumns: there are no samples; expected at least 1");
    }
    bool same = sums.family().parameter_count() == family.parameter_count() &&
                sums.dimension() == family.dimension();
    if constexpr (std::equality_comparable<typename F::Exponential::Statistics>) {
      same = same && sums.family().statistics() == family.statistics();
    }
    if (!same) {
      detail::fail("PenalizedColumns: the sums are of another family, of dimension ",
                   sums.dimension(), " and with ", sums.family().parameter_count(),
                   " parameters; expected dimension ", family.dimension(), ", ",
                   family.parameter_count(), " parameters and the same statistics");
    }
    return Form(sums.columns(), sums.count(), family.parameter_count(), family.couplings(),
                static_cast<Scalar>(penalty.ridge), standardize);
  }

  // The pairs that are coupled, in order, and how strongly.
  static std::vector<std::pair<Edge, Scalar>> coupled(const Point& point) {
    std::vector<std::pair<Edge, Scalar>> found;
    point.for_each_nonzero([&](const CouplingCoordinate& c) {
      if (!c.is_pair()) return;
      const Scalar strength =
          c.count == 1 ? point.value(c, 0) : point.parameters().segment(c.k, c.count).norm();
      found.push_back({{(std::min)(c.i, c.j), (std::max)(c.i, c.j)}, strength});
    });
    std::sort(found.begin(), found.end());
    return found;
  }

  // Of one sample, what coordinate j adds to the slopes.
  template <class X>
  void add_slopes(const Point& point, const X& x, Eigen::Index j, Eigen::VectorXd& slopes) const {
    const auto& statistics = family_.statistics();
    double h = 1, change = 0;
    if constexpr (!Weighting::uniform) {
      const auto at = weighting_.weight(j, x(j));
      h = static_cast<double>(at.h);
      change = static_cast<double>(at.slope);
    }
    double score = 0;
    statistics.for_each_derivative(x, j, [&](Eigen::Index k, Scalar first, Scalar) {
      score += static_cast<double>(point.parameters()(k) * first);
    });
    statistics.for_each_derivative(x, j, [&](Eigen::Index k, Scalar first, Scalar second) {
      slopes(k) +=
          (h * score + change) * static_cast<double>(first) + h * static_cast<double>(second);
    });
  }

  Scalar evaluate(const Parameters& theta, Parameters& gradient) const {
    Point point = at(theta);
    point.for_each_slope([&](const CouplingCoordinate& c, const Scalar* slopes) {
      for (Eigen::Index m = 0; m < c.count; ++m) gradient(c.k + m) = slopes[m];
    });
    return point.loss();
  }

  F family_;
  [[no_unique_address]] Weighting weighting_;
  detail::PairWeights<Scalar> weights_;
  bool standardize_;
  Form form_;
};

}  // namespace scorematch
