// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/machine.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/quadratic_form.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/loss/quadratic/coordinate_block.hpp>
#include <scorematch/loss/quadratic/weighting.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
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
    detail::with_samples<Dim>(samples,
                              [this](const auto& block) { this->add_block(block, Unweighted{}); });
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
  using Sum = Weight;
  using Sums = typename Form::Sums;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount, 1>;
  using Jacobian = Eigen::Matrix<Scalar, ParameterCount, Dim>;
  using Statistics = typename F::Statistics;
  using Base = typename F::Base;

  // Small enough for a block of samples on the stack.
  static constexpr bool unrolled = Dim != Eigen::Dynamic && ParameterCount != Eigen::Dynamic &&
                                   ParameterCount <= detail::largest_unrolled &&
                                   ParameterCount * Dim <= 128;
  static constexpr bool sparse = !unrolled && SparseStatistics<Statistics, Scalar, Dim>;
  static constexpr Eigen::Index gathered_columns = 256;

  using Unweighted = detail::Unweighted;
  template <class W>
  static constexpr bool weighted = !std::is_same_v<W, Unweighted>;

  struct Nothing {
    template <class... Sizes>
    explicit Nothing(Sizes...) {}
  };

  using Origin = std::conditional_t<has_origin, Vector, detail::NoOrigin>;

  // The terms of one sample.
  struct Terms {
    Vector x;  // where the statistics are taken
    [[no_unique_address]] std::conditional_t<Weighting::uniform || !has_origin, Nothing, Vector>
        sample;        // where the weights are, if elsewhere
    Jacobian columns;  // sqrt(h_j) D_j
    [[no_unique_address]] std::conditional_t<Weighting::uniform, Nothing, Jacobian> curvature;
    Parameters linear;
    Scalar constant{0};

    Terms(Eigen::Index d, Eigen::Index k)
        : x(d), sample(d), columns(k, d), curvature(k, d), linear(k) {}

    template <class X>
    EIGEN_ALWAYS_INLINE void read(const X& samples, Eigen::Index column, const Origin& origin) {
      // Entry by entry, not by whole registers.
      for (Eigen::Index i = 0; i < x.size(); ++i) {
        x(i) = detail::from_origin(samples(i, column), origin, i);
        if constexpr (!Weighting::uniform && has_origin) sample(i) = samples(i, column);
      }
    }

    Scalar sample_at(Eigen::Index j) const {
      if constexpr (!Weighting::uniform && has_origin) {
        return sample(j);
      } else {
        return x(j);
      }
    }
  };

  // The derivatives of the base measure at one sample; zeros where there is none.
  struct BaseAt {
    [[no_unique_address]] std::conditional_t<detail::flat<Base>, Nothing, Vector> gradient;
    [[no_unique_address]] std::conditional_t<detail::flat<Base>, Nothing, Vector> curvature;

    BaseAt(const Base& base, const Vector& x) : gradient(x.size()), curvature(x.size()) {
      if constexpr (!detail::flat<Base>) {
        detail::write_base<Scalar, Dim>(base, x, gradient, curvature);
      }
    }

    Scalar gradient_at([[maybe_unused]] Eigen::Index j) const {
      if constexpr (detail::flat<Base>) {
        return Scalar(0);
      } else {
        return gradient(j);
      }
    }

    Scalar constant([[maybe_unused]] Eigen::Index j, [[maybe_unused]] Scalar h,
                    [[maybe_unused]] Scalar slope) const {
      if constexpr (detail::flat<Base>) {
        return Scalar(0);
      } else {
        return h * (gradient(j) * gradient(j) / 2 + curvature(j)) + slope * gradient(j);
      }
    }
  };

  template <class W>
  static Sum weight_of(const W& weights, Eigen::Index j) {
    return static_cast<Sum>(weights(j));
  }

  template <class X>
  static void read(const X& samples, Eigen::Index column, Vector& x) {
    for (Eigen::Index i = 0; i < x.size(); ++i) x(i) = samples(i, column);
  }

  template <class X, class W>
  void add_block(const X& samples, const W& weights) {
    if (samples.cols() == 0) return;
    weighting_.require_inside(samples, weights);
    const Origin origin = origin_for(samples, weights);
    if constexpr (sparse) {
      if (samples.cols() == 1 && stays(origin)) {
        add_single(samples, weights);
        return;
      }
    }
    // Summed apart and merged at the end, so that a rejected block leaves no trace.
    Sums part(family_.parameter_count());
    if constexpr (sparse) {
      sum_sparse(part, samples, weights, origin);
    } else if constexpr (unrolled) {
      sum_small(part, samples, weights, origin);
    } else {
      sum_gathered(part, samples, weights, origin);
    }
    if (part.weight == 0) return;
    if (!detail::representable<Scalar>(part) || !take(part, origin)) {
      explain_rejection(samples, weights, origin);
    }
  }

  // The origin to sum the samples about: the present one, or the sample of the largest weight where
  // that is larger than all there was.
  template <class X, class W>
  Origin origin_for([[maybe_unused]] const X& samples, [[maybe_unused]] const W& weights) const {
    if constexpr (has_origin) {
      Eigen::Index heaviest = 0;
      if constexpr (weighted<W>) {
        for (Eigen::Index n = 1; n < samples.cols(); ++n) {
          if (weight_of(weights, n) > weight_of(weights, heaviest)) heaviest = n;
        }
      }
      if (form_.count() >= weight_of(weights, heaviest)) return origin_;
      Vector x(dimension());
      read(samples, heaviest, x);
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

  EIGEN_ALWAYS_INLINE void evaluate(Terms& at) const {
    const Statistics& statistics = family_.statistics();
    if constexpr (Weighting::uniform) {
      detail::write_laplacian<Scalar, Dim, ParameterCount>(statistics, at.x, at.columns, at.linear);
      if constexpr (!detail::flat<Base>) {
        const BaseAt base(family_.base(), at.x);
        at.linear.noalias() += at.columns.lazyProduct(base.gradient);
        at.constant = base.gradient.squaredNorm() / 2 + base.curvature.sum();
      }
    } else {
      using std::sqrt;
      detail::write_curvature<Scalar, Dim, ParameterCount>(statistics, at.x, at.columns,
                                                           at.curvature);
      const BaseAt base(family_.base(), at.x);
      at.linear.setZero();
      at.constant = 0;
      for (Eigen::Index j = 0; j < at.x.size(); ++j) {
        const auto h = weighting_.weight(j, at.sample_at(j));
        at.linear +=
            h.h * at.curvature.col(j) + (h.slope + h.h * base.gradient_at(j)) * at.columns.col(j);
        at.constant += base.constant(j, h.h, h.slope);
        at.columns.col(j) *= sqrt(h.h);
      }
    }
  }

  // A block of samples makes one long column of each derivative, and the sums are dot products of
  // those. What is zero all over the block is left out: most of D is, in most families.
  template <class X, class W>
  void sum_small(Sums& part, const X& samples, const W& weights, const Origin& origin) const {
    using std::sqrt;
    constexpr int entries = ParameterCount * Dim;
    constexpr int block_size = std::clamp(detail::numbers_in_cache / entries, 32, 256);
    // Columns a power of two apart would share the lines of the cache.
    constexpr int stride = block_size + 8;
    Eigen::Matrix<Sum, stride, entries> columns;  // entry (k, j) in column k + K j
    Eigen::Matrix<Sum, stride, ParameterCount> linear;
    Eigen::Matrix<Sum, block_size, 1> constant;
    std::array<Vector, std::size_t(block_size)> x;
    Eigen::Matrix<Sum, block_size, 1> weight;
    for (Eigen::Index n = 0; n < samples.cols();) {
      Eigen::Index used = 0;
      for (; n < samples.cols() && used < block_size; ++n) {
        if (!(weight_of(weights, n) > 0)) continue;
        read(samples, n, x[std::size_t(used)]);
        require_statistics(x[std::size_t(used)]);
        weight(used++) = weight_of(weights, n);
      }
      // No branch and no sum in here, so that the compiler can take several samples at once.
      for (Eigen::Index s = 0; s < used; ++s) {
        Terms at(Dim, ParameterCount);
        at.read(x[std::size_t(s)], 0, origin);
        evaluate(at);
        const Sum w = weighted<W> ? weight(s) : Sum(1);
        const Sum root = weighted<W> ? sqrt(w) : Sum(1);
        // What no statistic depends on is refused all the same.
        constant(s) =
            w * static_cast<Sum>(at.constant) + static_cast<Sum>(detail::zero_if_finite(at.x));
        for (int k = 0; k < ParameterCount; ++k) linear(s, k) = w * static_cast<Sum>(at.linear(k));
        for (int j = 0; j < Dim; ++j) {
          for (int k = 0; k < ParameterCount; ++k) {
            columns(s, k + ParameterCount * j) = root * static_cast<Sum>(at.columns(k, j));
          }
        }
      }
      part.weight += weight.head(used).sum();
      part.constant += constant.head(used).sum();
      for (int k = 0; k < ParameterCount; ++k) part.linear(k) += linear.col(k).head(used).sum();
      for (int j = 0; j < Dim; ++j) {
        std::array<bool, std::size_t(ParameterCount)> zero{};
        for (int a = 0; a < ParameterCount; ++a) {
          const auto column = columns.col(a + ParameterCount * j).head(used);
          const Sum square = column.dot(column);
          zero[std::size_t(a)] = square == 0;
          part.quadratic(a, a) += square;
        }
        for (int a = 0; a < ParameterCount; ++a) {
          if (zero[std::size_t(a)]) continue;
          for (int b = 0; b < a; ++b) {
            if (zero[std::size_t(b)]) continue;
            part.quadratic(a, b) += columns.col(a + ParameterCount * j)
                                        .head(used)
                                        .dot(columns.col(b + ParameterCount * j).head(used));
          }
        }
      }
    }
  }

  template <class X, class W>
  void sum_gathered(Sums& part, const X& samples, const W& weights, const Origin& origin) const {
    using std::sqrt;
    const Eigen::Index d = dimension();
    const Eigen::Index k = family_.parameter_count();
    const Eigen::Index room = (std::max<Eigen::Index>)(1, gathered_columns / d);
    Eigen::Matrix<Sum, Eigen::Dynamic, Eigen::Dynamic> columns(
        k, d * (std::min)(room, samples.cols()));
    Terms at(d, k);
    Eigen::Index used = 0;
    const auto flush = [&] {
      part.quadratic.template selfadjointView<Eigen::Lower>().rankUpdate(columns.leftCols(used));
      used = 0;
    };
    for (Eigen::Index n = 0; n < samples.cols(); ++n) {
      const Sum w = weight_of(weights, n);
      if (!(w > 0)) continue;
      at.read(samples, n, origin);
      evaluate(at);
      part.weight += w;
      part.constant +=
          w * static_cast<Sum>(at.constant) + static_cast<Sum>(detail::zero_if_finite(at.x));
      part.linear += w * at.linear.template cast<Sum>();
      columns.middleCols(used, d) = sqrt(w) * at.columns.template cast<Sum>();
      used += d;
      if (used + d > columns.cols()) flush();
    }
    if (used > 0) flush();
  }

  template <class X, class W>
  void sum_sparse(Sums& part, const X& samples, const W& weights, const Origin& origin) const {
    detail::CoordinateBlock<F, Weighting, Sum, Origin> block(family_, weighting_, origin,
                                                             samples.cols());
    for (Eigen::Index n = 0; n < samples.cols(); ++n) {
      const Sum w = weight_of(weights, n);
      if (!(w > 0)) continue;
      block.push(samples, n, w);
      if (block.full()) {
        block.template add_to<weighted<W>>(part);
        block.clear();
      }
    }
    if (!block.empty()) block.template add_to<weighted<W>>(part);
  }

  // Throws where the statistics visit one that is not theirs, or one twice. Costs nothing where the
  // compiler knows which they visit.
  void require_statistics(const Vector& x) const {
    if constexpr (SparseStatistics<Statistics, Scalar, Dim>) {
      const Eigen::Index count = family_.parameter_count();
      detail::for_each_coordinate<Dim>(x.size(), [&](Eigen::Index j) {
        unsigned visited = 0;  // K is at most 16
        family_.statistics().for_each_derivative(x, j, [&](Eigen::Index k, Scalar, Scalar) {
          if (k < 0 || k >= count || (visited >> unsigned(k) & 1U) != 0) {
            detail::refuse_statistic(k, j, count);
          }
          visited |= 1U << unsigned(k);
        });
      });
    }
  }

  // One sample of many statistics, without a K x K matrix of its own.
  template <class X, class W>
  void add_single(const X& samples, const W& weights) {
    const Sum w = weight_of(weights, 0);
    if (!(w > 0)) return;
    Vector sample(dimension());
    read(samples, 0, sample);
    Vector point = sample;
    if constexpr (has_origin) point -= origin_;
    const detail::SampleTerms<F, Weighting, Sum> terms(family_, weighting_, sample, point, w);
    if (!form_.take_terms(terms)) explain_rejection(samples, weights, origin_);
  }

  // Called when the sums are not finite: finds what to blame.
  template <class X, class W>
  [[noreturn]] void explain_rejection(const X& samples, const W& weights,
                                      const Origin& origin) const {
    using std::isfinite;
    detail::require_finite(samples, weights);
    const Eigen::Index count = family_.parameter_count();
    Terms at(dimension(), count);
    for (Eigen::Index n = 0; n < samples.cols(); ++n) {
      if (!(weight_of(weights, n) > 0)) continue;
      at.read(samples, n, origin);
      evaluate(at);
      for (Eigen::Index k = 0; k < count; ++k) {
        bool finite = isfinite(at.linear(k));
        for (Eigen::Index j = 0; j < at.x.size(); ++j) {
          finite = finite && isfinite(at.columns(k, j));
        }
        if (!finite) {
          detail::fail("the derivatives of statistic ", k, " at ",
                       detail::entry("samples", Eigen::Index(0), n, samples(0, n)),
                       " are not finite");
        }
      }
      if (!isfinite(at.constant)) {
        detail::fail("the derivatives of the base measure at ",
                     detail::entry("samples", Eigen::Index(0), n, samples(0, n)),
                     " are not finite");
      }
    }
    detail::fail("the squared derivatives of the statistics at the samples, ",
                 detail::entry("samples", 0, 0, samples(0, 0)),
                 " and after, overflow (rescale the samples)");
  }

  F family_;
  [[no_unique_address]] Weighting weighting_;
  [[no_unique_address]] Origin origin_;
  Form form_;
};

}  // namespace scorematch
