// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/samples.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace scorematch {

/// The samples themselves and their weights: what a loss keeps that needs every one of them.
///
/// Streaming (`add`), mergeable (`merge`, for threads, ranks and chains) and weighted. Order of
/// arrival is kept.
///
/// **Shapes** samples Dim x n, one per column; weights n.
///
/// **Errors** std::invalid_argument for a wrong number of rows, a NaN or infinity (with row and
/// column), a negative or non-finite weight, and weights of an infinite sum. A call that throws
/// changes nothing.
///
/// **Cost** Dim + 1 numbers a sample.
///
/// **Allocation** as a std::vector that grows.
template <Real Scalar_, int Dim_ = Eigen::Dynamic>
class SampleSet {
 public:
  static_assert(Dim_ == Eigen::Dynamic || Dim_ >= 1, "Dim is a positive size or Eigen::Dynamic");

  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  /// Counts and weights; float would stop counting at 2^24.
  using Weight = std::common_type_t<Scalar, double>;
  using Samples = Eigen::Map<const Eigen::Matrix<Scalar, Dim, Eigen::Dynamic>>;
  using Weights = Eigen::Map<const Eigen::Matrix<Weight, Eigen::Dynamic, 1>>;

  /// No samples yet, of a fixed dimension.
  SampleSet()
    requires(Dim != Eigen::Dynamic)
      : SampleSet(Dim) {}

  /// No samples yet, of `dimension` coordinates (which must be Dim where that is fixed).
  explicit SampleSet(Eigen::Index dimension) : dimension_(dimension) {
    detail::require_size("SampleSet", "dimension", dimension, Dim);
  }

  SampleSet(const SampleSet&) = default;
  SampleSet& operator=(const SampleSet&) = default;
  /// The other is left without samples.
  SampleSet(SampleSet&& other) noexcept : SampleSet(other.dimension_) { swap(other); }
  SampleSet& operator=(SampleSet&& other) noexcept {
    SampleSet taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~SampleSet() = default;

  Eigen::Index dimension() const { return Dim == Eigen::Dynamic ? dimension_ : Eigen::Index(Dim); }

  /// How many samples are kept; one of weight 0 is not.
  Eigen::Index size() const { return static_cast<Eigen::Index>(weights_.size()); }

  /// Sum of the weights: the number of samples where none was weighted.
  Weight count() const { return count_; }

  /// Dim x size(). **Lifetime** until the set changes.
  Samples samples() const { return {values_.data(), dimension(), size()}; }

  /// size() weights, each above 0. **Lifetime** until the set changes.
  Weights weights() const { return {weights_.data(), size()}; }

  /// Adds one sample (a Dim-vector) or a block of them (Dim x n). An empty block changes nothing.
  template <SamplesOf<Scalar, Dim> X>
  void add(const X& samples) {
    detail::require_rows(samples, dimension());
    detail::with_samples<Dim>(samples, [this](const auto& block) {
      this->add_checked(block, detail::Unweighted{}, require_finite);
    });
  }

  /// Adds samples with weights: weight k counts as k copies, weight 0 as absence.
  template <SamplesOf<Scalar, Dim> X, WeightsOf<Scalar> W>
  void add(const X& samples, const W& weights) {
    detail::with_weighted<Dim>(samples, weights, dimension(),
                               [this](const auto& block, const auto& weight) {
                                 this->add_checked(block, weight, require_finite);
                               });
  }

  /// For a summary that asks more of its samples, in one pass with what is asked here: in place of
  /// the latter, `must_hold(samples, weights)` throws where a sample of a weight above 0 is not
  /// finite. Sizes and weights are not checked.
  template <class X, class W, class Check>
  void add_checked(const X& samples, const W& weights, const Check& must_hold) {
    must_hold(samples, weights);
    Weight total = count_;
    for (Eigen::Index j = 0; j < samples.cols(); ++j) total += static_cast<Weight>(weights(j));
    require_finite_count(total);
    reserve(static_cast<std::size_t>(samples.cols()));
    if constexpr (std::is_same_v<W, detail::Unweighted>) {
      const Scalar* const all = detail::address_of_contiguous(samples);
      if (all != nullptr && samples.cols() > 1) {
        values_.insert(values_.end(), all, all + samples.size());
        weights_.insert(weights_.end(), std::size_t(samples.cols()), Weight(1));
        count_ = total;
        return;
      }
    }
    for (Eigen::Index j = 0; j < samples.cols(); ++j) {
      const auto weight = static_cast<Weight>(weights(j));
      if (!(weight > 0)) continue;
      for (Eigen::Index i = 0; i < dimension(); ++i) values_.push_back(samples(i, j));
      weights_.push_back(weight);
      count_ += weight;
    }
  }

  /// Adds everything `other` has seen.
  void merge(const SampleSet& other) {
    if (other.dimension() != dimension()) {
      detail::fail("SampleSet::merge: other has dimension ", other.dimension(), "; expected ",
                   dimension());
    }
    const std::size_t size = other.weights_.size();  // `other` may be *this
    const std::size_t length = other.values_.size();
    require_finite_count(count_ + other.count_);
    reserve(size);
    for (std::size_t i = 0; i < length; ++i) values_.push_back(other.values_[i]);
    for (std::size_t j = 0; j < size; ++j) weights_.push_back(other.weights_[j]);
    count_ += other.count_;
  }

  /// All there is of the set, as plain numbers. (The count is the sum of the weights in the order
  /// of arrival, a merged set's in one piece: rounding depends on it.)
  struct State {
    Weight count;
    Eigen::Matrix<Scalar, Dim, Eigen::Dynamic> samples;
    Eigen::Matrix<Weight, Eigen::Dynamic, 1> weights;

    bool operator==(const State& other) const {
      return detail::same_number(count, other.count) &&
             detail::same_entries(samples, other.samples) &&
             detail::same_entries(weights, other.weights);
    }
  };

  State state() const { return {count_, samples(), weights()}; }

  /// Becomes what gave the state, to the bit.
  ///
  /// **Errors** std::invalid_argument for another dimension, samples and weights of different
  /// numbers, a sample that is not finite, a weight that is not finite and above 0, and a count
  /// that is not their sum (to rounding). A call that throws changes nothing.
  void restore(const State& state) {
    const Eigen::Index n = state.samples.cols();
    if (state.samples.rows() != dimension_ || state.weights.size() != n) {
      detail::fail("SampleSet::restore: samples are ", state.samples.rows(), " x ", n,
                   ", weights have ", state.weights.size(), " entries; expected ", dimension_,
                   " rows, and a weight for each sample");
    }
    SampleSet read(dimension_);
    read.reserve(static_cast<std::size_t>(n));
    for (Eigen::Index j = 0; j < n; ++j) {
      read.weights_.push_back(state.weights(j));
      for (Eigen::Index i = 0; i < dimension_; ++i) read.values_.push_back(state.samples(i, j));
      read.require_last();
    }
    read.require_sum(state.count);
    swap(read);
  }

  /// Whether the states are equal to the bit.
  bool operator==(const SampleSet& other) const {
    return dimension_ == other.dimension_ && detail::same_number(count_, other.count_) &&
           detail::same_entries(samples(), other.samples()) &&
           detail::same_entries(weights(), other.weights());
  }

  /// Writes the state to an archive, or restores it from one, as `Moments::serialize` does.
  ///
  /// **Cost** memory grows with what is read: a size that was made up allocates nothing.
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    detail::archive_mark<Scalar>(archive, "SampleSet", detail::Kept::sample_set);
    detail::archive_size(archive, "SampleSet", "dimension", dimension_);
    const Eigen::Index n = detail::archive_index(archive, size());
    Weight total = count_;
    detail::archive_number(archive, total);
    if constexpr (detail::reads<Archive>) {
      if (n < 0) detail::fail("SampleSet: the archive has ", n, " samples; expected at least 0");
      SampleSet read(dimension_);
      for (Eigen::Index j = 0; j < n; ++j) {
        Weight weight(0);
        detail::archive_number(archive, weight);
        read.weights_.push_back(weight);
        for (Eigen::Index i = 0; i < dimension_; ++i) {
          Scalar value(0);
          detail::archive_number(archive, value);
          read.values_.push_back(value);
        }
        read.require_last();
      }
      read.require_sum(total);
      swap(read);
    } else {
      std::size_t next = 0;
      for (Weight& weight : weights_) {
        detail::archive_number(archive, weight);
        for (Eigen::Index i = 0; i < dimension_; ++i) {
          detail::archive_number(archive, values_[next++]);
        }
      }
    }
  }

 private:
  // Throws where the last sample that was read is none.
  void require_last() const {
    using std::isfinite;
    const Eigen::Index j = size() - 1;
    const Weight weight = weights_.back();
    if (!(weight > 0) || !isfinite(weight)) {
      detail::fail("SampleSet: ", detail::entry("weights", j, weight),
                   "; expected a finite number above 0");
    }
    for (Eigen::Index i = 0; i < dimension_; ++i) {
      const Scalar value = samples()(i, j);
      if (!isfinite(value)) {
        detail::fail("SampleSet: ", detail::entry("samples", i, j, value),
                     "; expected a finite value");
      }
    }
  }

  // Takes a count that was read, where it is the sum of the weights but for rounding.
  void require_sum(Weight count) {
    using std::abs;
    detail::require_count("SampleSet", count);
    Weight sum(0);
    for (const Weight weight : weights_) sum += weight;
    const Weight rounding =
        static_cast<Weight>(weights_.size()) * std::numeric_limits<Weight>::epsilon();
    if (!(abs(sum - count) <= 2 * rounding * count)) {
      detail::fail("SampleSet: count = ", count, "; expected ", sum, ", the sum of the weights");
    }
    count_ = count;
  }

  void swap(SampleSet& other) noexcept {
    std::swap(dimension_, other.dimension_);
    std::swap(count_, other.count_);
    values_.swap(other.values_);
    weights_.swap(other.weights_);
  }

  static constexpr auto require_finite = [](const auto& samples, const auto& weights) {
    detail::require_finite(samples, weights);
  };

  static void require_finite_count(Weight total) {
    if (!(total <= (std::numeric_limits<Weight>::max)())) {
      detail::fail("SampleSet: the sum of the weights is ", total,
                   "; expected a finite one (scale the weights)");
    }
  }

  // Room for more samples, growing at least by half, so that single ones arrive at constant cost.
  void reserve(std::size_t more) {
    const std::size_t needed = weights_.size() + more;
    if (needed <= weights_.capacity()) return;
    const std::size_t grown = weights_.size() + weights_.size() / 2;
    const std::size_t room = needed > grown ? needed : grown;
    values_.reserve(room * static_cast<std::size_t>(dimension()));
    weights_.reserve(room);
  }

  Eigen::Index dimension_;
  Weight count_{0};
  std::vector<Scalar> values_;  // column by column
  std::vector<Weight> weights_;
};

}  // namespace scorematch
