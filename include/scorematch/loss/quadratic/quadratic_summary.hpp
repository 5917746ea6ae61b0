// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/quadratic_form.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/loss/quadratic/summand.hpp>
#include <scorematch/loss/quadratic/summation.hpp>
#include <scorematch/loss/quadratic/weighting.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>
#include <utility>

namespace scorematch {

/// What score matching of an exponential family keeps of the samples: a `QuadraticForm` filled by
/// the family's statistics. Models `SummaryFor`.
///
/// **Math** with D = dt/dx and the base measure b, for a sample x: Gamma of D D^T, g of
/// Laplacian t + D grad b, c of 1/2 |grad b|^2 + Laplacian b. With weights h_j(x_j): Gamma of
/// sum_j h_j D_j D_j^T, g of sum_j h_j (d_jj t + D_j d_j b) + h_j' D_j, c of
/// sum_j h_j (1/2 (d_j b)^2 + d_jj b) + h_j' d_j b, D_j the j-th column of D (Yu, Drton and Shojaie
/// 2019).
///
/// Of `TranslatableStatistics` with a flat base measure the sums are those of x - origin(), with
/// the first sample for an origin, or a later one of a larger weight than all before it: what is
/// common to all samples costs no digits. (The weights h are still those of x.) Which sample it is
/// has no effect on a fit beyond rounding.
///
/// **Errors** std::invalid_argument for a wrong number of rows, a NaN or infinity (with row and
/// column), a negative or non-finite weight, statistics that are not finite at a sample (with its
/// column), sums that overflow. A call that throws changes nothing, whatever it throws.
///
/// **Cost** O(Dim K^2) a sample; for `SparseStatistics` the sum over coordinates of the squared
/// number of statistics that depend on it.
///
/// **Allocation** none for fixed Dim and K up to 16.
template <class F, WeightingFor<typename F::Scalar> Weighting = UniformWeighting>
class QuadraticSummary {
 public:
  using Family = F;
  using Scalar = typename F::Scalar;
  static constexpr int Dim = F::Dim;
  static constexpr int ParameterCount = F::ParameterCount;
  using Form = QuadraticForm<Scalar, ParameterCount>;
  using Weight = typename Form::Weight;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  /// Whether the sums have an origin of their own.
  static constexpr bool has_origin =
      detail::flat<typename F::Base> &&
      TranslatableStatistics<typename F::Statistics, Scalar, Dim, ParameterCount>;

  explicit QuadraticSummary(F family, Weighting weighting = Weighting())
      : family_(std::move(family)),
        weighting_(std::move(weighting)),
        form_(family_.parameter_count()) {
    if constexpr (has_origin) origin_ = Vector::Zero(dimension());
  }

  Eigen::Index dimension() const { return family_.dimension(); }
  Weight count() const { return form_.count(); }
  const F& family() const { return family_; }

  /// The quadratic form of the parameters. Far from the origin its entries are as large as the
  /// statistics are there: `local_form` keeps the digits.
  std::conditional_t<has_origin, Form, const Form&> form() const {
    if constexpr (has_origin) {
      Form moved = form_;
      moved.translate(family_.statistics(), Vector(-origin_));
      return moved;
    } else {
      return form_;
    }
  }

  /// The quadratic form of the parameters of the density of x - origin().
  const Form& local_form() const { return form_; }

  /// What was taken off each sample before its statistics: zeros where there are no samples yet,
  /// and where nothing is.
  Vector origin() const {
    if constexpr (has_origin) {
      return origin_;
    } else {
      return Vector::Zero(dimension());
    }
  }

  /// Adds one sample (a Dim-vector) or a block of them (Dim x n). An empty block changes nothing.
  template <SamplesOf<Scalar, Dim> X>
  void add(const X& samples) {
    detail::require_rows(samples, dimension());
    detail::with_samples<Dim>(
        samples, [this](const auto& block) { this->add_block(block, detail::Unweighted{}); });
  }

  /// Adds samples with weights: weight k counts as k copies, weight 0 as absence.
  template <SamplesOf<Scalar, Dim> X, WeightsOf<Scalar> W>
  void add(const X& samples, const W& weights) {
    detail::with_weighted<Dim>(
        samples, weights, dimension(),
        [this](const auto& block, const auto& weight) { this->add_block(block, weight); });
  }

  /// Adds everything `other` has seen, with the same statistics (which is checked where they have
  /// an ==). Merging with an empty one is the identity to the bit.
  ///
  /// **Math** Weightings may differ: each sample keeps the weights that it came with. So samples of
  /// one density p, cut off to different boxes B, may be merged where each came with the weights
  /// h_B of its own box. Within B the score of what is cut off is that of p, and the sum of all is,
  /// up to a constant,
  ///   sum_B n_B / 2 E_B[ sum_j h_Bj (d_j log p_theta - d_j log p)^2 ]:
  /// no term is negative, and all of them vanish at p. The fit's distribution has the family's box.
  void merge(const QuadraticSummary& other) {
    if (other.dimension() != dimension()) {
      detail::fail("QuadraticSummary::merge: other has dimension ", other.dimension(),
                   "; expected ", dimension());
    }
    if constexpr (std::equality_comparable<Statistics>) {
      if (!(other.family_.statistics() == family_.statistics())) {
        detail::fail(
            "QuadraticSummary::merge: other has other statistics, of another graph, edges in "
            "another order, or other options; expected those of this summary's family");
      }
    }
    if constexpr (has_origin) {
      if (other.count() > 0 && other.origin_ != origin_) {
        // About the origin of the heavier one.
        Form total = count() >= other.count() ? other.form_ : form_;
        const bool stays = count() >= other.count();
        total.translate(family_.statistics(),
                        stays ? Vector(origin_ - other.origin_) : Vector(other.origin_ - origin_));
        total.merge(stays ? form_ : other.form_);
        form_ = total;
        if (!stays) origin_ = other.origin_;
        return;
      }
    }
    form_.merge(other.form_);
  }

  /// All that was seen, as plain numbers: `origin()`, and the state of `local_form()`. Family and
  /// weighting are not part of it.
  struct State {
    Vector origin;
    typename Form::State form;

    bool operator==(const State& other) const {
      return detail::same_entries(origin, other.origin) && form == other.form;
    }
  };

  State state() const { return {origin(), form_.state()}; }

  /// Becomes what gave the state, to the bit, given the same family and weighting.
  ///
  /// **Errors** as those of `QuadraticForm::restore`, and std::invalid_argument for an origin of
  /// another dimension or not finite, or other than zero where none was taken. A call that throws
  /// changes nothing.
  void restore(const State& state) {
    constexpr const char* owner = "QuadraticSummary::restore";
    detail::require_state(owner, "origin", state.origin, dimension(), 1);
    if ((!has_origin || state.form.count == 0) && !state.origin.isZero(0)) {
      detail::fail(owner, ": ", detail::entry("origin", 0, state.origin(0)),
                   " and on; expected zeros, as ",
                   has_origin ? "there are no samples" : "this family has no origin");
    }
    form_.restore(state.form);
    if constexpr (has_origin) origin_ = state.origin;
  }

  /// Whether the states are equal to the bit. Families and weightings are not compared.
  bool operator==(const QuadraticSummary& other) const { return state() == other.state(); }

  /// Writes the state to an archive, or restores it from one, as `Moments::serialize` does. Not the
  /// family and the weighting, which are code: read into a summary that was made with the same.
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    detail::archive_mark<Scalar>(archive, "QuadraticSummary", detail::Kept::quadratic_summary);
    detail::archive_size(archive, "QuadraticSummary", "dimension", dimension());
    State all = state();
    detail::archive_entries(archive, all.origin);
    Form::archive_state(archive, all.form);
    if constexpr (detail::reads<Archive>) restore(all);
  }

 private:
  using Sums = typename Form::Sums;
  using Statistics = typename F::Statistics;
  using Origin = std::conditional_t<has_origin, Vector, detail::NoOrigin>;
  using Summand = detail::Summand<F, Weighting, Origin>;

  template <class X, class W>
  void add_block(const X& samples, const W& weights) {
    if (samples.cols() == 0) return;
    weighting_.require_inside(samples, weights);
    const Origin origin = origin_for(samples, weights);
    const Summand summand{family_, weighting_, origin};
    if constexpr (detail::summed_by_coordinate<Summand>) {
      if (samples.cols() == 1 && stays(origin)) {
        if (!(detail::weight_of<Weight>(weights, 0) > 0)) return;
        if (!form_.take_terms(detail::terms_of_single(summand, samples, weights))) {
          detail::refuse_samples(summand, samples, weights);
        }
        return;
      }
    }
    // Summed apart and merged at the end, so that a rejected block leaves no trace.
    Sums part(family_.parameter_count());
    detail::sum_samples(part, summand, samples, weights);
    if (part.weight == 0) return;
    if (!detail::representable<Scalar>(part) || !take(part, origin)) {
      detail::refuse_samples(summand, samples, weights);
    }
  }

  // The origin to sum the samples about: the present one, or the sample of the largest weight where
  // that is larger than all there was.
  template <class X, class W>
  Origin origin_for([[maybe_unused]] const X& samples, [[maybe_unused]] const W& weights) const {
    if constexpr (has_origin) {
      const auto weight = [&](Eigen::Index n) { return detail::weight_of<Weight>(weights, n); };
      Eigen::Index heaviest = 0;
      if constexpr (detail::has_weights<W>) {
        for (Eigen::Index n = 1; n < samples.cols(); ++n) {
          if (weight(n) > weight(heaviest)) heaviest = n;
        }
      }
      if (form_.count() >= weight(heaviest)) return origin_;
      Vector x(dimension());
      detail::read_sample(samples, heaviest, x);
      return family_.statistics().anchor(x);
    } else {
      return {};
    }
  }

  bool stays([[maybe_unused]] const Origin& origin) const {
    if constexpr (has_origin) {
      return origin == origin_;
    } else {
      return true;
    }
  }

  // False, and nothing changed, where the total would not be representable.
  bool take(const Sums& part, [[maybe_unused]] const Origin& origin) {
    if constexpr (has_origin) {
      if (!stays(origin)) {
        Sums total = form_.sums();
        if (total.weight > 0) total.translate(family_.statistics(), Vector(origin - origin_));
        if (part.weight != 0) total.merge(part);
        if (!form_.assign(total)) return false;
        origin_ = origin;
        return true;
      }
    }
    return form_.take(part);
  }

  F family_;
  [[no_unique_address]] Weighting weighting_;
  [[no_unique_address]] Origin origin_;
  Form form_;
};

}  // namespace scorematch
