// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/family/statistics.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace scorematch {

namespace detail {

// An exponential family whose statistics say on which coordinates they depend.
template <class F>
concept SparseExponential =
    ExponentialModel<F> && flat<typename F::Exponential::Base> &&
    SparseStatistics<typename F::Exponential::Statistics, typename F::Scalar, F::Dim>;

// Of one coordinate j: which statistics depend on x_j, and the sums over the samples of
// h_j d d^T (lower triangle) and h_j d_jj t + h_j' d, with d = d_j t of those.
template <class Sum>
struct ColumnTerms {
  std::vector<Eigen::Index> parameters;
  Eigen::Matrix<Sum, Eigen::Dynamic, Eigen::Dynamic> quadratic;
  Eigen::Matrix<Sum, Eigen::Dynamic, 1> linear;

  Eigen::Index size() const { return Eigen::Index(parameters.size()); }
};

}  // namespace detail

/// What score matching of a family of pairs keeps of the samples: a quadratic form for each
/// coordinate of those parameters that its score depends on, and never one of all parameters.
/// Models `SummaryFor`.
///
/// **Math** J(theta) = sum_j 1/2 theta_j^T Gamma_j theta_j + g_j . theta_j, with theta_j the
/// parameters of the statistics that depend on x_j, Gamma_j = E[h_j d d^T],
/// g_j = E[h_j d_jj t + h_j' d], d = d_j t; h = 1 in plain score matching.
///
/// **Errors** as of `QuadraticSummary`. A call that throws changes nothing.
///
/// **Cost** with m parameters at a coordinate O(Dim m^2) a sample and in memory: O(Dim^3) where
/// every pair may be coupled.
template <class F, class Weighting>
class ColumnSums {
 public:
  using Family = F;
  using Scalar = typename F::Scalar;
  static constexpr int Dim = F::Dim;
  using Weight = std::common_type_t<Scalar, double>;
  using Column = detail::ColumnTerms<Weight>;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;

  explicit ColumnSums(F family, Weighting weighting = Weighting())
      : family_(std::move(family)), weighting_(std::move(weighting)) {
    const Vector x = Vector::Constant(dimension(), Scalar(0.5));
    columns_.resize(std::size_t(dimension()));
    for (Eigen::Index j = 0; j < dimension(); ++j) {
      Column& column = columns_[std::size_t(j)];
      family_.statistics().for_each_derivative(
          x, j, [&](Eigen::Index k, Scalar, Scalar) { column.parameters.push_back(k); });
      column.quadratic.setZero(column.size(), column.size());
      column.linear.setZero(column.size());
    }
  }

  Eigen::Index dimension() const { return family_.dimension(); }
  Weight count() const { return weight_; }
  const F& family() const { return family_; }
  /// Sums, not yet divided by `count()`.
  const std::vector<Column>& columns() const { return columns_; }

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

  /// Adds everything `other` has seen, of a family with the same statistics.
  void merge(const ColumnSums& other) {
    const auto same = [](const Column& a, const Column& b) { return a.parameters == b.parameters; };
    if (!std::equal(columns_.begin(), columns_.end(), other.columns_.begin(), other.columns_.end(),
                    same)) {
      detail::fail("ColumnSums::merge: other has other statistics, of dimension ",
                   other.dimension(), "; expected those of this summary's family, of dimension ",
                   dimension());
    }
    weight_ += other.weight_;
    for (std::size_t j = 0; j < columns_.size(); ++j) {
      columns_[j].quadratic += other.columns_[j].quadratic;
      columns_[j].linear += other.columns_[j].linear;
    }
  }

  /// All that was seen, as plain numbers: of each coordinate the sums of `columns()`, of
  /// `quadratic` the lower triangle. Family and weighting are not part of it.
  struct State {
    using Matrix = decltype(Column::quadratic);
    using Linear = decltype(Column::linear);

    Weight count;
    std::vector<Matrix> quadratic;
    std::vector<Linear> linear;

    bool operator==(const State& other) const {
      return detail::same_number(count, other.count) &&
             std::equal(quadratic.begin(), quadratic.end(), other.quadratic.begin(),
                        other.quadratic.end(), detail::same_entries<Matrix>) &&
             std::equal(linear.begin(), linear.end(), other.linear.begin(), other.linear.end(),
                        detail::same_entries<Linear>);
    }
  };

  State state() const {
    State result{weight_, {}, {}};
    for (const Column& column : columns_) {
      result.quadratic.push_back(detail::lower_triangle(column.quadratic));
      result.linear.push_back(column.linear);
    }
    return result;
  }

  /// Becomes what gave the state, to the bit, given the same family and weighting.
  ///
  /// **Errors** std::invalid_argument for another number of coordinates or parameters, and for
  /// numbers that are those of no samples. A call that throws changes nothing.
  void restore(const State& state) {
    constexpr const char* owner = "ColumnSums::restore";
    detail::require_count(owner, state.count);
    const std::size_t columns = columns_.size();
    if (state.quadratic.size() != columns || state.linear.size() != columns) {
      detail::fail(owner, ": the state has ", state.linear.size(), " coordinates; expected ",
                   columns);
    }
    for (std::size_t j = 0; j < columns; ++j) {
      const Eigen::Index size = columns_[j].size();
      detail::require_state(owner, "linear", state.linear[j], size, 1);
      detail::require_state(owner, "quadratic", state.quadratic[j], size, size);
      if (state.count == 0 && !(state.linear[j].isZero(0) && state.quadratic[j].isZero(0))) {
        detail::fail(owner, ": count = 0, and sums at coordinate ", j,
                     " that are not zero; expected zeros where there are no samples");
      }
    }
    weight_ = state.count;
    for (std::size_t j = 0; j < columns; ++j) {
      columns_[j].quadratic = detail::lower_triangle(state.quadratic[j]);
      columns_[j].linear = state.linear[j];
    }
  }

  /// Whether the states are equal to the bit. Families and weightings are not compared.
  bool operator==(const ColumnSums& other) const { return state() == other.state(); }

  /// Writes the state to an archive, or restores it from one, as `Moments::serialize` does. Read
  /// into a summary that was made with the same family and weighting.
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    detail::archive_mark<Scalar>(archive, "ColumnSums", detail::Kept::column_sums);
    detail::archive_size(archive, "ColumnSums", "dimension", dimension());
    State all = state();
    detail::archive_number(archive, all.count);
    for (std::size_t j = 0; j < columns_.size(); ++j) {
      detail::archive_size(archive, "ColumnSums", "parameters of a coordinate", columns_[j].size());
      detail::archive_entries(archive, all.linear[j]);
      detail::archive_lower(archive, all.quadratic[j]);
    }
    if constexpr (detail::reads<Archive>) restore(all);
  }

 private:
  static constexpr Eigen::Index block_size = 256;

  template <class X, class W>
  void add_block(const X& samples, const W& weights) {
    if (samples.cols() == 0) return;
    detail::require_finite(samples, weights);
    weighting_.require_inside(samples, weights);
    ColumnSums part(family_, weighting_);
    for (Eigen::Index n = 0; n < samples.cols(); ++n) part.weight_ += Weight(weights(n));
    for (Eigen::Index begin = 0; begin < samples.cols(); begin += block_size) {
      const Eigen::Index end = (std::min)(samples.cols(), begin + block_size);
      for (Eigen::Index j = 0; j < dimension(); ++j) {
        part.sum(samples, weights, begin, end, j);
      }
    }
    for (Eigen::Index j = 0; j < dimension(); ++j) {
      const Column& column = part.columns_[std::size_t(j)];
      if (!column.linear.allFinite() || !column.quadratic.allFinite()) {
        detail::fail("the statistics of coordinate ", j,
                     " are not finite at a sample, or their sums overflow; expected finite values");
      }
    }
    merge(part);
  }

  template <class X, class W>
  void sum(const X& samples, const W& weights, Eigen::Index begin, Eigen::Index end,
           Eigen::Index j) {
    Column& column = columns_[std::size_t(j)];
    Eigen::Matrix<Weight, Eigen::Dynamic, Eigen::Dynamic> factors =
        Eigen::Matrix<Weight, Eigen::Dynamic, Eigen::Dynamic>::Zero(column.size(), end - begin);
    Vector x(dimension());
    for (Eigen::Index n = begin; n < end; ++n) {
      const Weight weight = Weight(weights(n));
      if (!(weight > 0)) continue;
      x = samples.col(n);
      Weight h(1), slope(0);
      if constexpr (!Weighting::uniform) {
        const auto at = weighting_.weight(j, x(j));
        h = Weight(at.h);
        slope = Weight(at.slope);
      }
      const Weight root = std::sqrt(weight * h);
      Eigen::Index a = 0;
      family_.statistics().for_each_derivative(
          x, j, [&](Eigen::Index, Scalar first, Scalar second) {
            factors(a, n - begin) = root * Weight(first);
            column.linear(a) += weight * (h * Weight(second) + slope * Weight(first));
            ++a;
          });
    }
    column.quadratic.template selfadjointView<Eigen::Lower>().rankUpdate(factors);
  }

  F family_;
  [[no_unique_address]] Weighting weighting_;
  Weight weight_{0};
  std::vector<Column> columns_;
};

}  // namespace scorematch
