// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/linalg/smallest_eigenvalue.hpp>
#include <scorematch/loss/pairs/gaussian_pairs.hpp>
#include <scorematch/loss/pairs/pair_weights.hpp>
#include <scorematch/loss/pairs/precision_estimate.hpp>

#include <Eigen/Core>
#include <Eigen/SparseCore>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace scorematch {

/// The penalty on the coordinates of `GaussianPairs`. Models `AbsolutePenalty`.
template <Real Scalar_>
class PairPenalty {
 public:
  using Scalar = Scalar_;

  explicit PairPenalty(detail::PairWeights<Scalar> weights) : weights_(std::move(weights)) {}

  Scalar weight(const PairCoordinate& c) const {
    return c.diagonal() ? weights_.of_diagonal(c.i) : weights_.of_pair(c.i, c.j);
  }
  Scalar value(const PairCoordinate& c, Scalar t) const {
    return t == 0 ? Scalar(0) : weight(c) * std::abs(t);
  }
  Scalar proximal(const PairCoordinate& c, Scalar t, Scalar step) const {
    return detail::soft_threshold(t, weight(c), step);
  }

 private:
  detail::PairWeights<Scalar> weights_;
};

/// Score matching of a `PairwiseGaussianFamily` with a penalty on its couplings.
///
/// **Math** J = 1/2 tr(K R K) - tr K + 1/2 |s (eta - K' m)|^2 + sum_{i != j} w_ij |K_ij|. Where it
/// is standardized, s are the standard deviations, R the correlations, and K_ij = s_i s_j K'_ij the
/// precision of x / s; K' and eta are the parameters, m the mean. Else s = 1 and R is the
/// covariance. At the minimum eta = K' m, so that a walk is one of K alone. (A mean that is known:
/// `Moments::from` it and the covariance about it.)
///
/// **Cost** of a value and gradient O(p^3). `CoordinateDescent` takes points instead (`at`), which
/// cost what is not zero.
///
/// **Errors** std::invalid_argument for no samples, another dimension than the family's, a
/// coordinate that is constant (without a ridge) or whose square overflows, and a penalty that does
/// not fit the family.
template <class F>
class PenalizedGaussian {
 public:
  using Scalar = typename F::Scalar;
  using Parameters = typename F::Parameters;
  using Form = GaussianPairs<Scalar>;
  using Point = typename Form::Point;
  using Matrix = typename Form::Matrix;
  using Vector = typename Form::Vector;
  using Estimate = PrecisionEstimate<Scalar>;

  using PointPenalty = PairPenalty<Scalar>;

  /// The penalty on theta. Models `AbsolutePenalty`.
  class Penalty {
   public:
    explicit Penalty(const PenalizedGaussian& objective) : objective_(&objective) {}

    Scalar weight(Eigen::Index k) const {
      const Eigen::Index p = objective_->dimension();
      if (k < p) return 0;
      const PairCoordinate c = detail::pair_coordinate_of(p, k - p);
      return objective_->point_penalty().weight(c) * objective_->size_of(c);
    }
    Scalar value(Eigen::Index k, Scalar t) const {
      return t == 0 ? Scalar(0) : weight(k) * std::abs(t);
    }
    Scalar proximal(Eigen::Index k, Scalar t, Scalar step) const {
      return detail::soft_threshold(t, weight(k), step);
    }

   private:
    const PenalizedGaussian* objective_;
  };

  /// J without the penalty, and its gradient. Models `Objective`.
  class Smooth {
   public:
    explicit Smooth(const PenalizedGaussian& objective) : objective_(&objective) {}
    Scalar operator()(const Parameters& theta, Parameters& gradient) const {
      return objective_->evaluate(theta, gradient);
    }

   private:
    const PenalizedGaussian* objective_;
  };

  template <class PenaltyOptions>
  PenalizedGaussian(const F& family, const Moments<Scalar, F::Dim>& moments,
                    const PenaltyOptions& penalty, bool standardize)
      : weights_(penalty, family.dimension()) {
    require_dimension(family, moments.dimension());
    mean_ = moments.mean();
    Matrix covariance = moments.covariance();
    const Scalar ridge = static_cast<Scalar>(penalty.ridge);
    set_scale(covariance.diagonal(), standardize, ridge);
    if (standardize) {
      covariance = scale_.cwiseInverse().asDiagonal() * covariance;
      covariance = covariance * scale_.cwiseInverse().asDiagonal();
      for (Eigen::Index i = 0; i < dimension(); ++i) {
        if (covariance(i, i) > 0) covariance(i, i) = 1;
      }
    }
    form_ = Form::of_covariance(std::move(covariance), ridge);
  }

  /// The same from samples, Dim x n. Where there are few of them, n < Dim / 8, they are kept in
  /// place of a covariance, and there is no Dim x Dim matrix; a slope then costs O(n).
  template <class PenaltyOptions, SamplesOf<Scalar, F::Dim> X>
  PenalizedGaussian(const F& family, const X& samples, const PenaltyOptions& penalty,
                    bool standardize)
      : weights_(penalty, family.dimension()) {
    detail::require_rows(samples, family.dimension());
    detail::with_samples<F::Dim>(samples, [&](const auto& block) {
      detail::require_finite(block);
      const Eigen::Index n = block.cols();
      if (n == 0) detail::fail("PenalizedGaussian: there are no samples; expected at least 1");
      const Scalar count = static_cast<Scalar>(n);
      mean_ = block.col(0);
      mean_ += (block.colwise() - mean_).rowwise().sum() / count;
      Matrix centred = (block.colwise() - mean_).transpose();
      // The mean is rounded: far from zero by more than the samples differ.
      const Vector off = centred.colwise().sum().transpose() / count;
      centred.rowwise() -= off.transpose();
      centred /= std::sqrt(count);
      const Scalar ridge = static_cast<Scalar>(penalty.ridge);
      set_scale(centred.colwise().squaredNorm().transpose(), standardize, ridge);
      for (Eigen::Index i = 0; i < dimension(); ++i) centred.col(i) /= scale_(i);
      form_ = few * n < dimension() ? Form::of_samples(std::move(centred), ridge)
                                    : Form::of_covariance(gram_of(centred), ridge);
    });
  }

  Eigen::Index dimension() const { return mean_.size(); }
  const Vector& mean() const { return mean_; }
  /// s, all ones where it is not standardized.
  const Vector& scale() const { return scale_; }
  ObjectiveInfo<Scalar> info() const {
    return {.parameter_count = dimension() + form_.parameter_count()};
  }

  /// J, and the gradient of smallest norm: that of the smooth part where a parameter is not zero,
  /// and where it is, what the penalty leaves of it. Zero at the minimum alone.
  Scalar operator()(const Parameters& theta, Parameters& gradient) const {
    Scalar value = evaluate(theta, gradient);
    const Penalty on_theta(*this);
    for (Eigen::Index k = dimension(); k < theta.size(); ++k) {
      const Scalar weight = on_theta.weight(k);
      value += on_theta.value(k, theta(k));
      if (theta(k) == 0 || weight == 0) {
        gradient(k) = detail::soft_threshold(gradient(k), weight, Scalar(1));
      } else {
        gradient(k) += theta(k) > 0 ? weight : -weight;
      }
    }
    return detail::finite_or_infinity(value);
  }

  Smooth smooth() const { return Smooth(*this); }
  Penalty penalty() const { return Penalty(*this); }
  PointPenalty point_penalty() const { return PointPenalty(weights_); }
  /// At another weight.
  PointPenalty point_penalty(Scalar weight) const {
    return PointPenalty(weights_.with_weight(weight));
  }

  /// **Lifetime** this objective outlives the point.
  Point origin() const { return form_.origin(); }

  Point at(const Parameters& theta) const {
    Point point = form_.origin();
    const Eigen::Index p = dimension();
    for (Eigen::Index i = 0; i < p; ++i) {
      const PairCoordinate own = detail::diagonal_coordinate(i);
      point.set(own, 0, theta(p + own.k) * size_of(own));
      for (Eigen::Index j = 0; j < i; ++j) {
        const PairCoordinate pair = detail::pair_coordinate(p, i, j);
        if (theta(p + pair.k) != 0) point.set(pair, 0, theta(p + pair.k) * size_of(pair));
      }
    }
    return point;
  }

  Parameters parameters(const Point& point) const {
    const Eigen::Index p = dimension();
    Parameters theta = Parameters::Zero(p + form_.parameter_count());
    point.for_each_nonzero([&](const PairCoordinate& c) {
      const Scalar value = point.value(c) / size_of(c);
      theta(p + c.k) = value;
      theta(c.i) += value * mean_(c.j);
      if (!c.diagonal()) theta(c.j) += value * mean_(c.i);
    });
    return theta;
  }

  /// The pairs with K_ij != 0, first < second, in increasing order.
  std::vector<Edge> edges(const Point& point) const {
    std::vector<Edge> result;
    point.for_each_nonzero([&](const PairCoordinate& c) {
      if (!c.diagonal()) result.push_back({c.j, c.i});
    });
    std::sort(result.begin(), result.end());
    return result;
  }

  /// By how much fitting a coupling that is zero lowers 2 n J, on average over pairs and samples of
  /// independent Gaussians: the mean of V / H. With k_i = 1 / (R_ii + ridge) the slope is
  /// R_ij (k_i + k_j), so V = R_ii R_jj (k_i + k_j)^2, and H = R_ii + R_jj + 2 ridge. 2 where it is
  /// standardized and there is no ridge. Constant coordinates do not count.
  double gain() const {
    const Eigen::VectorXd r = form_.diagonal().template cast<double>();
    const double ridge = static_cast<double>(form_.ridge());
    double sum = 0, pairs = 0;
    for (Eigen::Index i = 0; i < dimension(); ++i) {
      for (Eigen::Index j = 0; j < i; ++j) {
        if (!(r(i) > 0 && r(j) > 0)) continue;
        const double root = std::sqrt(r(i)) * std::sqrt(r(j));
        const double slope = root / (r(i) + ridge) + root / (r(j) + ridge);
        sum += slope * slope / (r(i) + r(j) + 2 * ridge);
        ++pairs;
      }
    }
    return sum > 0 ? sum / pairs : 2;
  }
  /// What a user asks for.
  Estimate estimate(const Point& point) const {
    const Eigen::Index p = dimension();
    Estimate result{Eigen::SparseMatrix<Scalar>(p, p), {}, {}, Scalar(0)};
    std::vector<Eigen::Triplet<Scalar>> entries;
    point.for_each_nonzero([&](const PairCoordinate& c) {
      const Scalar value = point.value(c) / size_of(c);
      entries.emplace_back(c.i, c.j, value);
      if (!c.diagonal()) entries.emplace_back(c.j, c.i, value);
    });
    result.precision.setFromTriplets(entries.begin(), entries.end());
    result.edges = edges(point);
    for (const Edge& edge : result.edges) {
      const auto on_diagonal = [&](Eigen::Index i) {
        return point.value(detail::diagonal_coordinate(i));
      };
      const Scalar first = on_diagonal(edge.first), second = on_diagonal(edge.second);
      const Scalar value = point.value(detail::pair_coordinate(p, edge.second, edge.first));
      const bool defined = first > 0 && second > 0;
      result.partial_correlations.push_back(
          defined ? -value / (std::sqrt(first) * std::sqrt(second)) : Scalar(0));
    }
    result.smallest_eigenvalue = detail::smallest_eigenvalue(point.precision());
    return result;
  }

  /// The loss without the penalty of other samples, Dim x n, at a point of this objective: about
  /// this one's mean, on its scale.
  ///
  /// **Cost** O(n) for each entry of K that is not zero.
  template <SamplesOf<Scalar, F::Dim> X>
  Scalar loss_of(const Point& point, const X& samples) const {
    detail::require_rows(samples, dimension());
    Matrix scaled = (samples.colwise() - mean_).transpose();
    for (Eigen::Index i = 0; i < dimension(); ++i) scaled.col(i) /= scale_(i);
    Scalar square(0);
    Scalar trace(0);
    Vector score(scaled.rows());
    for (Eigen::Index j = 0; j < dimension(); ++j) {
      score.setZero();
      point.precision().for_each(j, [&](Eigen::Index i, Scalar value) {
        score += value * scaled.col(i);
        if (i == j) trace += value;
      });
      square += score.squaredNorm();
    }
    return square / (2 * static_cast<Scalar>(scaled.rows())) - trace;
  }

 private:
  static constexpr Eigen::Index few = 8;

  static Matrix gram_of(const Matrix& centred) {
    Matrix gram = Matrix::Zero(centred.cols(), centred.cols());
    gram.template selfadjointView<Eigen::Lower>().rankUpdate(centred.transpose());
    for (Eigen::Index j = 1; j < gram.cols(); ++j) {
      for (Eigen::Index i = 0; i < j; ++i) gram(i, j) = gram(j, i);
    }
    return gram;
  }

  static void require_dimension(const F& family, Eigen::Index dimension) {
    if (dimension != family.dimension()) {
      detail::fail("PenalizedGaussian: the moments have dimension ", dimension, "; expected ",
                   family.dimension(), ", as the family has it");
    }
  }

  template <class Variances>
  void set_scale(const Variances& variances, bool standardize, Scalar ridge) {
    scale_ = Vector::Ones(dimension());
    for (Eigen::Index i = 0; i < dimension(); ++i) {
      if (!is_finite(variances(i))) {
        detail::fail("coordinate ", i, " of the samples differs from its mean (", mean_(i),
                     ") by so much that its square overflows; rescale it");
      }
      if (!(variances(i) > 0) && !(ridge > 0)) {
        detail::fail("coordinate ", i, " of the samples is constant (", mean_(i),
                     "), so that its precision has no bound; drop it, or give the penalty a ridge");
      }
      if (standardize && variances(i) > 0) scale_(i) = std::sqrt(variances(i));
    }
  }

  // K_ij over the precision of the samples.
  Scalar size_of(const PairCoordinate& c) const { return scale_(c.i) * scale_(c.j); }

  Scalar evaluate(const Parameters& theta, Parameters& gradient) const {
    const Eigen::Index p = dimension();
    Matrix precision(p, p);
    for_each_entry(p, [&](const PairCoordinate& c) {
      precision(c.i, c.j) = precision(c.j, c.i) = theta(p + c.k) * size_of(c);
    });
    const Matrix w = form_.times(precision);
    // s (eta - K' m): of the mean of the scores, in units of 1 / s.
    const Vector unit_mean = mean_.cwiseQuotient(scale_);
    const Vector off = theta.head(p).cwiseProduct(scale_) - precision * unit_mean;
    for (Eigen::Index i = 0; i < p; ++i) gradient(i) = scale_(i) * off(i);
    for_each_entry(p, [&](const PairCoordinate& c) {
      Scalar slope = w(c.i, c.j) - off(c.i) * unit_mean(c.j);
      slope += c.diagonal() ? Scalar(-1) : w(c.j, c.i) - off(c.j) * unit_mean(c.i);
      gradient(p + c.k) = slope * size_of(c);
    });
    return precision.cwiseProduct(w).sum() / 2 - precision.trace() + off.squaredNorm() / 2;
  }

  template <class Visit>
  static void for_each_entry(Eigen::Index p, Visit&& visit) {
    for (Eigen::Index i = 0; i < p; ++i) {
      visit(detail::diagonal_coordinate(i));
      for (Eigen::Index j = 0; j < i; ++j) visit(detail::pair_coordinate(p, i, j));
    }
  }

  detail::PairWeights<Scalar> weights_;
  Vector mean_;
  Vector scale_;
  Form form_;
};

}  // namespace scorematch
