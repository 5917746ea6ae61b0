// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/machine.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/block_sums.hpp>
#include <scorematch/data/covariance.hpp>
#include <scorematch/data/moment_sums.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/linalg/triangular.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

namespace scorematch {

/// Count, mean and covariance of samples: all that a Gaussian loss needs of them.
///
/// Streaming (`add`), mergeable (`merge`, for threads, ranks and chains) and weighted.
///
/// **Math** W = sum of weights, m = sum w x / W, S = sum w (x - m)(x - m)^T / W. In each coordinate
/// the value of a sample is kept as a pivot and only differences from values of samples are summed,
/// so an offset common to all samples costs no digits. Blocks are summed about their mean, or a
/// sample's value within 1.4 standard deviations of it, and combined by the update of Chan, Golub
/// and LeVeque (1983); single samples by its case of one (Welford 1962). Of two pivots the heavier
/// part's is kept, and a mean that has gone far from its pivot becomes the pivot: no sample costs
/// digits of others that outweigh it, whatever the order.
///
/// **Shapes** samples Dim x n, one per column; mean Dim; covariance Dim x Dim, divided by W.
///
/// **Units** x in u: mean in u, covariance in u^2.
///
/// **Errors** std::invalid_argument for a wrong number of rows, a NaN or infinity (with row and
/// column), a negative or non-finite weight, and samples so far apart that their squared
/// differences overflow, or weights so large that they do. A call that throws changes nothing.
/// `mean` and `covariance` of no samples throw too.
///
/// **Cost** O(Dim^2) a sample and O(Dim^2) memory whatever the count. A block in memory's order
/// (Dim x n, column after column) is read in place. Sums are kept in double for float samples, and
/// counts in double (exact to 2^53).
///
/// **Allocation** none for a fixed Dim of at most 16.
///
/// **Example** examples/simulation.cpp
template <Number Scalar_, int Dim_ = Eigen::Dynamic>
class Moments {
 public:
  static_assert(Dim_ == Eigen::Dynamic || Dim_ >= 1, "Dim is a positive size or Eigen::Dynamic");

  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;
  /// Counts and weights; float would stop counting at 2^24.
  using Weight = std::common_type_t<Scalar, double>;

  /// No samples yet, of a fixed dimension.
  Moments()
    requires(Dim != Eigen::Dynamic)
      : Moments(Dim) {}

  /// No samples yet, of `dimension` coordinates (which must be Dim where that is fixed).
  explicit Moments(Eigen::Index dimension)
      : sums_((detail::require_size("Moments", "dimension", dimension, Dim), dimension)) {}

  /// Moments that are known without their samples: of a publication, or of another program.
  ///
  /// **Math** covariance as maximum likelihood has it, divided by count: one that was divided by
  /// n - 1 is to be multiplied by (n - 1) / n first. It may be singular. `mean` gives the mean to
  /// the bit, `covariance` the covariance up to rounding.
  ///
  /// **Errors** std::invalid_argument for a count that is negative or not finite, shapes that
  /// differ, entries that are not finite, a covariance that is not symmetric (to rounding) and
  /// positive semidefinite, and sums, covariance times count, that overflow.
  ///
  /// **Cost** O(Dim^3).
  ///
  /// **Example** docs/snippets/state.cpp
  template <DenseExpression M, DenseExpression C>
    requires HasScalar<M, Scalar_> && HasRows<M, Dim_> && HasScalar<C, Scalar_> && HasRows<C, Dim_>
  static Moments from(Weight count, const M& mean, const C& covariance) {
    constexpr const char* owner = "Moments::from";
    detail::require_count(owner, count);
    const Eigen::Index d = Dim == Eigen::Dynamic ? Eigen::Index(mean.rows()) : Eigen::Index(Dim);
    if (d < 1) detail::fail(owner, ": mean has 0 entries; expected at least 1");
    const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> c = covariance.matrix();
    detail::require_state(owner, "mean", mean.eval(), d, 1);
    detail::require_state(owner, "covariance", c, d, d);
    detail::require_semidefinite(owner, c);
    Moments result(d);
    if (count == 0) return result;
    Sums& sums = result.sums_;
    sums.weight = count;
    sums.pivot = mean.matrix().template cast<Sum>();
    for (Eigen::Index j = 0; j < d; ++j) {
      for (Eigen::Index i = j; i < d; ++i) {
        sums.scatter(i, j) = static_cast<Sum>(c(i, j)) * count;
      }
    }
    if (!sums.representable()) {
      detail::fail(owner, ": count = ", count, ", ", detail::entry("covariance", 0, 0, c(0, 0)),
                   " and on; expected products that do not overflow (rescale the samples or the "
                   "weights)");
    }
    return result;
  }

  Eigen::Index dimension() const { return sums_.pivot.size(); }

  /// Sum of the weights: the number of samples where none was weighted.
  Weight count() const { return sums_.weight; }

  /// m, in the units of the samples.
  Vector mean() const {
    require_samples("mean");
    Vector result(dimension());
    for (Eigen::Index i = 0; i < dimension(); ++i) {
      result(i) = static_cast<Scalar>(sums_.pivot(i) + sums_.offset(i));
    }
    return result;
  }

  /// S, divided by `count()` as maximum likelihood and score matching have it; symmetric to the
  /// bit.
  Matrix covariance() const {
    require_samples("covariance");
    Matrix result(dimension(), dimension());
    detail::write_symmetric(result, [this](Eigen::Index i, Eigen::Index j) {
      return static_cast<Scalar>(sums_.scatter(i, j) / sums_.weight);
    });
    return result;
  }

  /// Adds one sample (a Dim-vector) or a block of them (Dim x n). An empty block changes nothing.
  template <SamplesOf<Scalar, Dim> X>
  void add(const X& samples) {
    detail::require_rows(samples, dimension());
    if constexpr (int(X::ColsAtCompileTime) == 1) {
      detail::with_coefficients(samples, [this](const auto& x) { this->add_one(x); });
    } else {
      detail::with_samples<Dim>(
          samples, [this](const auto& block) { this->add_block(block, detail::Unweighted{}); });
    }
  }

  /// Adds samples with weights: weight k counts as k copies, weight 0 as absence.
  template <SamplesOf<Scalar, Dim> X, WeightsOf<Scalar> W>
  void add(const X& samples, const W& weights) {
    detail::with_weighted<Dim>(
        samples, weights, dimension(),
        [this](const auto& block, const auto& weight) { this->add_block(block, weight); });
  }

  /// Adds everything `other` has seen. Merging with an empty one is the identity to the bit.
  void merge(const Moments& other) {
    if (other.dimension() != dimension()) {
      detail::fail("Moments::merge: other has dimension ", other.dimension(), "; expected ",
                   dimension());
    }
    if (!take(other.sums_)) {
      detail::fail("Moments::merge: other has mean(0) = ", other.mean()(0), " and count ",
                   other.count(), ", this has mean(0) = ", mean()(0), " and count ", count(),
                   "; expected squared differences that do not overflow (rescale the samples or "
                   "the weights)");
    }
  }

 private:
  using Sum = Weight;  // the type the sums are kept in
  using SumVector = Eigen::Matrix<Sum, Dim, 1>;
  using SumMatrix = Eigen::Matrix<Sum, Dim, Dim>;
  using Sums = detail::MomentSums<Scalar, Dim>;

 public:
  /// All there is of the moments, as plain numbers.
  ///
  /// **Math** mean = pivot + offset; scatter = sum w (x - mean)(x - mean)^T, its lower triangle.
  struct State {
    Weight count;
    SumVector pivot;
    SumVector offset;
    SumMatrix scatter;

    bool operator==(const State& other) const {
      return detail::same_number(count, other.count) && detail::same_entries(pivot, other.pivot) &&
             detail::same_entries(offset, other.offset) &&
             detail::same_entries(scatter, other.scatter);
    }
  };

  State state() const {
    return {sums_.weight, sums_.pivot, sums_.offset, detail::lower_triangle(sums_.scatter)};
  }

  /// Becomes what gave the state, to the bit.
  ///
  /// **Errors** std::invalid_argument for another dimension, and for numbers that are those of no
  /// samples. A call that throws changes nothing.
  void restore(const State& state) {
    constexpr const char* owner = "Moments::restore";
    const Eigen::Index d = dimension();
    detail::require_count(owner, state.count);
    detail::require_state(owner, "pivot", state.pivot, d, 1);
    detail::require_state(owner, "offset", state.offset, d, 1);
    detail::require_state(owner, "scatter", state.scatter, d, d);
    Sums sums(d);
    sums.weight = state.count;
    sums.pivot = state.pivot;
    sums.offset = state.offset;
    sums.scatter = detail::lower_triangle(state.scatter);
    for (Eigen::Index i = 0; i < d; ++i) {
      using std::isfinite;
      if (!(sums.scatter(i, i) >= 0)) {
        detail::fail(owner, ": ", detail::entry("scatter", i, i, sums.scatter(i, i)),
                     "; expected a sum of squares, at least 0");
      }
      const Sum mean = sums.pivot(i) + sums.offset(i);
      if (!isfinite(static_cast<Scalar>(mean))) {
        detail::fail(owner, ": ", detail::entry("mean", i, mean),
                     "; expected one that does not overflow");
      }
    }
    if (!sums.representable()) {
      detail::fail(owner, ": count = ", state.count, ", ",
                   detail::entry("scatter", 0, 0, sums.scatter(0, 0)),
                   " and on; expected a covariance that does not overflow");
    }
    if (state.count == 0 &&
        !(sums.pivot.isZero(0) && sums.offset.isZero(0) && sums.scatter.isZero(0))) {
      detail::fail(owner, ": count = 0, ", detail::entry("pivot", 0, sums.pivot(0)),
                   " and on; expected zeros where there are no samples");
    }
    sums_ = std::move(sums);
  }

  /// Whether the states are equal to the bit: what follows is, too.
  bool operator==(const Moments& other) const { return state() == other.state(); }

  /// Writes the state to an archive, or restores it from one: of cereal, of Boost.Serialization, or
  /// any class with a type `is_loading` and an `&` that takes numbers. (Both hand over a version;
  /// it is not used.)
  ///
  /// **Errors** reading, as those of `restore`, and std::invalid_argument where the archive holds
  /// something else; also what the archive itself throws at its end. All leave this as it was.
  ///
  /// **Example** docs/snippets/state.cpp
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    detail::archive_mark<Scalar>(archive, "Moments", detail::Kept::moments);
    detail::archive_size(archive, "Moments", "dimension", dimension());
    State all = state();
    detail::archive_number(archive, all.count);
    detail::archive_entries(archive, all.pivot);
    detail::archive_entries(archive, all.offset);
    detail::archive_lower(archive, all.scatter);
    if constexpr (detail::reads<Archive>) restore(all);
  }

 private:
  template <class W>
  static constexpr bool weighted = !std::is_same_v<W, detail::Unweighted>;

  // Up to this size blocks stay on the stack and go through detail::BlockSums; beyond, they are
  // copied to a heap buffer for a symmetric rank update.
  static constexpr bool on_stack = Sums::on_stack;
  static constexpr int block_size = on_stack ? detail::numbers_in_cache / (std::max)(Dim, 1) : 256;

  void require_samples(const char* what) const {
    if (!(sums_.weight > 0)) {
      detail::fail("Moments::", what, ": no samples (count = 0); expected at least one");
    }
  }

  template <class X>
  void add_one(const X& x) {
    const SumVector sample = x.matrix().template cast<Sum>();
    if (sums_.weight < 1) {  // the first, or heavier than all before it
      detail::require_finite(x);
      Sums one(dimension());
      one.weight = 1;
      one.pivot = sample;
      if (!take(one)) explain_rejection(x, detail::Unweighted{});
      return;
    }
    const SumVector shift = (sample - sums_.pivot) - sums_.offset;
    // Almost always enough, and without a branch or a division for each coordinate: squares that
    // small change no sum near the largest number, and no variance by more than themselves.
    constexpr Sum negligible = static_cast<Sum>((std::numeric_limits<Scalar>::max)()) / (1LL << 60);
    int outlying = 0;
    for (Eigen::Index i = 0; i < shift.size(); ++i)
      outlying |= !(shift(i) * shift(i) <= negligible);
    if (outlying != 0) {
      const Sum total = sums_.weight + 1;
      const Sum largest = static_cast<Sum>((std::numeric_limits<Scalar>::max)());
      bool finite = true;
      for (Eigen::Index i = 0; i < shift.size(); ++i) {
        const Sum variance = (sums_.scatter(i, i) + shift(i) * shift(i)) / total;
        finite = finite && variance <= largest;
      }
      if (!finite) explain_rejection(x, detail::Unweighted{});
    }
    sums_.shift_mean(shift, 1);
  }

  template <class X, class W>
  void add_block(const X& samples, const W& weights) {
    // Summed apart and merged at the end, so that a rejected block leaves no trace.
    Sums part(dimension());
    if constexpr (on_stack) {
      sum_small(part, samples, weights);
    } else {
      sum_large(part, samples, weights);
    }
    if (!part.representable() || !take(part)) explain_rejection(samples, weights);
  }

  // False, and nothing changed, where the total would not be representable.
  bool take(const Sums& part) {
    Sums total = sums_;
    total.merge(part);
    if (!total.representable()) return false;
    sums_ = std::move(total);
    return true;
  }

  template <class W>
  static Sum weight_of(const W& weights, Eigen::Index j) {
    return static_cast<Sum>(weights(j));
  }

  // Block by block, reading samples in place where they lie one after the other.
  template <class X, class W>
  void sum_small(Sums& part, const X& samples, const W& weights) const {
    const Eigen::Index n = samples.cols();
    const Scalar* const in_place = detail::address_of_contiguous(samples);
    std::array<Scalar, std::size_t(block_size) * Dim> copies;
    std::array<Sum, weighted<W> ? std::size_t(block_size) : 1> block_weights;

    // About one centre as long as it stays near the means of the blocks.
    SumVector centre = sums_.pivot;
    bool known = sums_.weight > 0;
    detail::BlockSums<Sum, Dim> sums;
    const auto add_sums = [&](const Scalar* block, Eigen::Index size, const auto& of_block) {
      if (known) {
        const auto added = detail::block_sums(centre, block, size, of_block);
        if (added.centred()) {
          sums += added;
          return;
        }
      }
      part.merge(Sums(centre, sums));
      sums = detail::recentred_block_sums(centre, block, size, of_block);
      known = true;
    };

    for (Eigen::Index start = 0; start < n; start += block_size) {
      const Eigen::Index size = (std::min<Eigen::Index>)(block_size, n - start);
      Eigen::Index present = size;
      Sum total = static_cast<Sum>(size);
      if constexpr (weighted<W>) {
        total = 0;
        bool absent = false;
        for (Eigen::Index k = 0; k < size; ++k) {
          const Sum weight = weight_of(weights, start + k);
          block_weights[std::size_t(k)] = weight;
          total += weight;
          absent |= !(weight > 0);
        }
        if (!(total > 0)) continue;
        if (absent) {
          const auto end = block_weights.begin() + size;
          present = std::remove(block_weights.begin(), end, Sum(0)) - block_weights.begin();
        }
      }
      const Scalar* block = copies.data();
      if (in_place != nullptr && present == size) {
        block = in_place + start * Dim;
      } else {
        Scalar* next = copies.data();
        for (Eigen::Index k = start; k < start + size; ++k) {
          if (!(weights(k) > 0)) continue;
          for (Eigen::Index i = 0; i < Dim; ++i) *next++ = samples(i, k);
        }
      }
      if constexpr (weighted<W>) {
        add_sums(block, present, detail::BlockWeights<Sum>{total, block_weights.data()});
      } else {
        add_sums(block, size, detail::NoWeights<Sum>{total});
      }
    }
    part.merge(Sums(centre, sums));
  }

  template <class X, class W>
  void sum_large(Sums& part, const X& samples, const W& weights) const {
    const Eigen::Index d = dimension();
    const Eigen::Index n = samples.cols();
    const Eigen::Index longest = (std::min<Eigen::Index>)(n, block_size);
    Eigen::Matrix<Sum, Eigen::Dynamic, Eigen::Dynamic> block(d, longest);
    Eigen::Matrix<Sum, Eigen::Dynamic, 1> weight(weighted<W> ? longest : 0);
    SumVector centre(d);
    SumVector shift(d);
    for (Eigen::Index start = 0; start < n; start += longest) {
      const Eigen::Index end = (std::min)(n, start + longest);
      // About the heaviest sample, which is within sqrt(longest) standard deviations of the mean.
      Eigen::Index heaviest = start;
      Eigen::Index size = end - start;
      Sum added = static_cast<Sum>(size);
      if constexpr (weighted<W>) {
        size = 0;
        added = 0;
        for (Eigen::Index j = start; j < end; ++j) {
          const Sum w = weight_of(weights, j);
          if (!(w > 0)) continue;
          if (w > weight_of(weights, heaviest)) heaviest = j;
          weight(size++) = w;
          added += w;
        }
        if (size == 0) continue;
      }
      for (Eigen::Index i = 0; i < d; ++i) centre(i) = static_cast<Sum>(samples(i, heaviest));
      auto columns = block.leftCols(size);
      // Column by column, so that weights of one give the bits of no weights.
      shift.setZero();
      for (Eigen::Index j = start, k = 0; j < end; ++j) {
        if (!(weights(j) > 0)) continue;
        for (Eigen::Index i = 0; i < d; ++i) {
          columns(i, k) = static_cast<Sum>(samples(i, j)) - centre(i);
        }
        if constexpr (weighted<W>) {
          shift += weight(k) * columns.col(k);
        } else {
          shift += columns.col(k);
        }
        ++k;
      }
      shift /= added;
      columns.colwise() -= shift;
      if constexpr (weighted<W>) columns *= weight.head(size).cwiseSqrt().asDiagonal();
      part.scatter.template selfadjointView<Eigen::Lower>().rankUpdate(columns);
      if (part.weight > 0) {
        part.take_mean(centre, shift, added);
      } else {
        part.pivot = centre;
        part.offset = shift;
        part.weight = added;
      }
    }
  }

  // Called when the sums are not finite: finds what to blame. That is the weights where the same
  // samples could be summed with weights of at most one.
  template <class X, class W>
  [[noreturn]] void explain_rejection(const X& samples, const W& weights) const {
    using std::abs;
    detail::require_finite(samples, weights);
    Sum total = sums_.weight;
    Sum heaviest = (std::max)(Sum(1), sums_.weight);
    Eigen::Index row = 0;
    Eigen::Index column = -1;
    Eigen::Index first = 0;
    for (Eigen::Index j = 0; j < samples.cols(); ++j) {
      const Sum weight = weight_of(weights, j);
      if (!(weight > 0)) continue;
      total += weight;
      heaviest = (std::max)(heaviest, weight);
      if (column < 0) first = column = j;
      for (Eigen::Index i = 0; i < samples.rows(); ++i) {
        if (abs(samples(i, j)) > abs(samples(row, column))) {
          row = i;
          column = j;
        }
      }
    }
    const Sum centre = sums_.weight > 0 ? sums_.pivot(row) + sums_.offset(row)
                                        : static_cast<Sum>(samples(row, first));
    const Sum shift = static_cast<Sum>(samples(row, column)) - centre;
    const Sum largest = static_cast<Sum>((std::numeric_limits<Scalar>::max)());
    if (heaviest > 1 && shift * shift <= largest / static_cast<Sum>(samples.cols() + 1)) {
      detail::fail("the sum of the weights is ", total,
                   "; expected one that does not overflow, by itself or times squared differences "
                   "of the samples (scale the weights)");
    }
    detail::fail(detail::entry("samples", row, column, samples(row, column)),
                 "; expected samples whose squared differences do not overflow (rescale them)");
  }

  Sums sums_;
};

}  // namespace scorematch
