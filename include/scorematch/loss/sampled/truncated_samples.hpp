// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/data/box.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/data/samples.hpp>

#include <Eigen/Core>

#include <utility>

namespace scorematch {

/// The samples themselves, all of them inside the box of a weighting: a `SampleSet` that refuses
/// others.
template <class Weighting_>
class TruncatedSamples {
 public:
  using Weighting = Weighting_;
  using Scalar = typename Weighting::Scalar;
  static constexpr int Dim = Weighting::Dim;
  using Set = SampleSet<Scalar, Dim>;

  explicit TruncatedSamples(Weighting weighting)
      : weighting_(std::move(weighting)), set_(weighting_.box().dimension()) {}

  Eigen::Index dimension() const { return set_.dimension(); }
  typename Set::Weight count() const { return set_.count(); }
  const Set& samples() const& { return set_; }
  Set samples() && { return std::move(set_); }
  const Weighting& weighting() const { return weighting_; }

  /// **Errors** std::invalid_argument as of `SampleSet`, and for samples outside the box (with row,
  /// column and value). A call that throws changes nothing.
  template <SamplesOf<Scalar, Dim> X>
  void add(const X& samples) {
    detail::require_rows(samples, dimension());
    detail::with_samples<Dim>(
        samples, [this](const auto& block) { this->add_inside(block, detail::Unweighted{}); });
  }

  /// Adds samples with weights: weight k counts as k copies, weight 0 as absence.
  template <SamplesOf<Scalar, Dim> X, WeightsOf<Scalar> W>
  void add(const X& samples, const W& weights) {
    detail::with_weighted<Dim>(
        samples, weights, dimension(),
        [this](const auto& block, const auto& weight) { this->add_inside(block, weight); });
  }

  /// Adds everything `other` has seen.
  ///
  /// **Errors** std::invalid_argument where its box is another: all samples get the weights of this
  /// one, which vanish at its edges, and would not at those that have cut off the other's.
  /// (`QuadraticSummary` has weighted each sample by then, and merges different boxes.)
  void merge(const TruncatedSamples& other) {
    if (other.dimension() == dimension()) {
      detail::require_same_box("TruncatedSamples::merge", weighting_.box(), other.weighting_.box());
      weighting_.require_inside(other.set_.samples());  // its weight function may be another
    }
    set_.merge(other.set_);
  }

  /// All that was seen, as plain numbers: the state of `samples()`. The weighting is not part of
  /// it.
  using State = typename Set::State;

  State state() const { return set_.state(); }

  /// Becomes what gave the state, to the bit, given the same weighting.
  ///
  /// **Errors** as those of `SampleSet::restore` and `add`. A call that throws changes nothing.
  void restore(const State& state) {
    Set read(dimension());
    read.restore(state);
    take(std::move(read));
  }

  /// Whether the states are equal to the bit. Weightings are not compared.
  bool operator==(const TruncatedSamples& other) const { return set_ == other.set_; }

  /// Writes the state to an archive, or restores it from one, as `Moments::serialize` does. Not the
  /// weighting: read into a summary that was made with the same.
  template <class Archive>
  void serialize(Archive& archive, unsigned version) {
    if constexpr (detail::reads<Archive>) {
      Set read(dimension());
      read.serialize(archive, version);
      take(std::move(read));
    } else {
      set_.serialize(archive, version);
    }
  }

 private:
  template <class X, class W>
  void add_inside(const X& block, const W& weights) {
    set_.add_checked(block, weights,
                     [this](const auto& x, const auto& w) { weighting_.require_inside(x, w); });
  }

  void take(Set&& read) {
    weighting_.require_inside(read.samples());
    set_ = std::move(read);
  }

  Weighting weighting_;
  Set set_;
};

}  // namespace scorematch
