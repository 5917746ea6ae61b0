// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <type_traits>

namespace scorematch {

namespace detail {

// Sums over samples, not yet divided by their weight.
template <class Sum, int ParameterCount>
struct QuadraticSums {
  using Vector = Eigen::Matrix<Sum, ParameterCount, 1>;
  using Matrix = Eigen::Matrix<Sum, ParameterCount, ParameterCount>;

  Sum weight{0};
  Sum constant{0};
  Vector linear;
  Matrix quadratic;  // lower triangle

  explicit QuadraticSums(Eigen::Index k) : linear(Vector::Zero(k)), quadratic(Matrix::Zero(k, k)) {}

  void merge(const QuadraticSums& other) {
    weight += other.weight;
    constant += other.constant;
    linear += other.linear;
    for (Eigen::Index b = 0; b < linear.size(); ++b) {
      for (Eigen::Index a = b; a < linear.size(); ++a) quadratic(a, b) += other.quadratic(a, b);
    }
  }

  // With N the transpose of pull_back: N^T quadratic N, column by column and row by row.
  template <class Statistics, class Shift>
  void translate(const Statistics& statistics, const Shift& v) {
    statistics.pull_back(linear, v);
    for (Eigen::Index b = 0; b < linear.size(); ++b) {
      for (Eigen::Index a = b + 1; a < linear.size(); ++a) quadratic(b, a) = quadratic(a, b);
    }
    for (int side = 0; side < 2; ++side) {
      for (Eigen::Index b = 0; b < linear.size(); ++b) {
        auto column = quadratic.col(b);
        statistics.pull_back(column, v);
      }
      quadratic.transposeInPlace();
    }
  }
};

// Whether the means fit into Scalar. A NaN or infinity in a column ends up on the diagonal.
template <class Scalar, class Sums>
bool representable(const Sums& sums) {
  using std::abs;
  using Sum = decltype(sums.weight + sums.weight);
  const Sum largest_sum = (std::numeric_limits<Sum>::max)();
  const Sum largest = static_cast<Sum>((std::numeric_limits<Scalar>::max)());
  const Sum divisor = sums.weight > 0 ? sums.weight : Sum(1);
  const auto fits = [&](Sum sum) {
    return abs(sum) <= largest_sum && abs(sum) / divisor <= largest;
  };
  bool all_fit = sums.weight <= largest_sum && fits(sums.constant);
  for (Eigen::Index k = 0; k < sums.linear.size(); ++k) {
    all_fit = all_fit && fits(sums.linear(k)) && fits(sums.quadratic(k, k));
  }
  return all_fit;
}

// Of sums the diagonal alone: by Cauchy and Schwarz, no entry of the quadratic term overflows
// before the diagonal does.
template <class Sum, int Count>
struct QuadraticMargins {
  struct Diagonal {
    Eigen::Matrix<Sum, Count, 1> entries;
    Sum elsewhere{0};
    Sum& operator()(Eigen::Index a, Eigen::Index b) { return a == b ? entries(a) : elsewhere; }
    Sum operator()(Eigen::Index a, Eigen::Index) const { return entries(a); }
  };
  Sum weight;
  Sum constant;
  Eigen::Matrix<Sum, Count, 1> linear;
  Diagonal quadratic;

  explicit QuadraticMargins(const QuadraticSums<Sum, Count>& sums)
      : weight(sums.weight),
        constant(sums.constant),
        linear(sums.linear),
        quadratic{sums.quadratic.diagonal()} {}
};

}  // namespace detail

/// A quadratic function of K parameters, as a mean over samples: all that score matching of an
/// exponential family needs of them.
///
/// **Math** J(theta) = 1/2 theta^T Gamma theta + g^T theta + c, each a weighted mean over the
/// samples: Gamma of C C^T for the sample's columns C (K x any), g of its linear term, c of its
/// constant.
///
/// Streaming (`add`), mergeable (`merge`) and weighted. `QuadraticSummary` fills one from samples.
///
/// **Shapes** quadratic() K x K, symmetric to the bit; linear() K.
///
/// **Errors** std::invalid_argument for terms of the wrong size or not finite, a negative or
/// non-finite weight, and sums that overflow. A call that throws changes nothing. Means of no
/// samples throw too.
///
/// **Cost** O(K^2) memory whatever the count; `add` O(K^2) a column. Sums are kept in double for
/// float terms.
///
/// **Allocation** none for a fixed K.
///
/// **Example** tests/exponential_test.cpp
template <Real Scalar_, int K_ = Eigen::Dynamic>
class QuadraticForm {
 public:
  static_assert(K_ == Eigen::Dynamic || K_ >= 1, "K is a positive size or Eigen::Dynamic");

  using Scalar = Scalar_;
  static constexpr int ParameterCount = K_;
  using Vector = Eigen::Matrix<Scalar, ParameterCount, 1>;
  using Matrix = Eigen::Matrix<Scalar, ParameterCount, ParameterCount>;
  using Weight = std::common_type_t<Scalar, double>;

  /// No samples yet, of a fixed number of parameters.
  QuadraticForm()
    requires(ParameterCount != Eigen::Dynamic)
      : QuadraticForm(ParameterCount) {}

  /// No samples yet, of `size` parameters (which must be K where that is fixed).
  explicit QuadraticForm(Eigen::Index size)
      : sums_((detail::require_size("QuadraticForm", "size", size, ParameterCount), size)) {}

  /// Number of parameters.
  Eigen::Index size() const { return sums_.linear.size(); }

  /// Sum of the weights: the number of samples where none was weighted.
  Weight count() const { return sums_.weight; }

  /// Gamma.
  Matrix quadratic() const {
    require_samples("quadratic");
    Matrix result(size(), size());
    for (Eigen::Index b = 0; b < size(); ++b) {
      for (Eigen::Index a = b; a < size(); ++a) {
        result(a, b) = static_cast<Scalar>(sums_.quadratic(a, b) / sums_.weight);
        result(b, a) = result(a, b);
      }
    }
    return result;
  }

  /// g.
  Vector linear() const {
    require_samples("linear");
    return (sums_.linear / sums_.weight).template cast<Scalar>();
  }

  /// c.
  Scalar constant() const {
    require_samples("constant");
    return static_cast<Scalar>(sums_.constant / sums_.weight);
  }

  /// Adds the terms of one sample: `columns` K x any, `linear` K.
  template <DenseExpression Columns, DenseExpression Linear>
  void add(const Columns& columns, const Linear& linear, Scalar constant = Scalar(0),
           Weight weight = Weight(1)) {
    if (columns.rows() != size() || linear.rows() != size() || linear.cols() != 1) {
      detail::fail("QuadraticForm::add: columns are ", columns.rows(), " x ", columns.cols(),
                   ", linear is ", linear.rows(), " x ", linear.cols(), "; expected ", size(),
                   " rows each and one column of linear");
    }
    if (!(weight >= 0) || !(weight <= (std::numeric_limits<Weight>::max)())) {
      detail::fail("QuadraticForm::add: weight = ", weight,
                   "; expected a finite number, at least 0");
    }
    if (weight == 0) return;
    Sums part(size());
    part.weight = weight;
    part.constant = weight * static_cast<Weight>(constant);
    part.linear = weight * linear.matrix().template cast<Weight>();
    for (Eigen::Index j = 0; j < columns.cols(); ++j) {
      for (Eigen::Index b = 0; b < size(); ++b) {
        const Weight factor = weight * static_cast<Weight>(columns(b, j));
        for (Eigen::Index a = b; a < size(); ++a) {
          part.quadratic(a, b) += static_cast<Weight>(columns(a, j)) * factor;
        }
      }
    }
    if (!take(part)) {
      detail::fail("QuadraticForm::add: the terms of a sample, linear(0) = ", linear(0, 0),
                   ", constant = ", constant, ", are not finite or their sums overflow");
    }
  }

  /// From the form of samples x that of the samples x - v, by the statistics that made it.
  ///
  /// **Errors** std::invalid_argument where a diagonal entry overflows.
  template <class Statistics, class Shift>
  void translate(const Statistics& statistics, const Shift& v) {
    Sums moved = sums_;
    moved.translate(statistics, v);
    if (!assign(moved)) {
      detail::fail("QuadraticForm::translate: the sums overflow when the samples are moved by ",
                   v(0), " and on; expected samples nearer to the origin");
    }
  }

  /// Adds everything `other` has seen. Merging with an empty one is the identity to the bit.
  void merge(const QuadraticForm& other) {
    if (other.size() != size()) {
      detail::fail("QuadraticForm::merge: other has ", other.size(), " parameters; expected ",
                   size());
    }
    if (!take(other.sums_)) {
      detail::fail("QuadraticForm::merge: the sums overflow; expected terms of smaller size");
    }
  }

  /// All there is of the form, as plain numbers: sums over the samples, not yet divided by their
  /// count. Of `quadratic` the lower triangle.
  struct State {
    Weight count;
    Weight constant;
    Eigen::Matrix<Weight, ParameterCount, 1> linear;
    Eigen::Matrix<Weight, ParameterCount, ParameterCount> quadratic;

    bool operator==(const State& other) const {
      return detail::same_number(count, other.count) &&
             detail::same_number(constant, other.constant) &&
             detail::same_entries(linear, other.linear) &&
             detail::same_entries(quadratic, other.quadratic);
    }
  };

  State state() const {
    return {sums_.weight, sums_.constant, sums_.linear, detail::lower_triangle(sums_.quadratic)};
  }

  /// Becomes what gave the state, to the bit.
  ///
  /// **Errors** std::invalid_argument for another number of parameters, and for numbers that are
  /// those of no samples. A call that throws changes nothing.
  void restore(const State& state) {
    using std::isfinite;
    constexpr const char* owner = "QuadraticForm::restore";
    detail::require_count(owner, state.count);
    if (!isfinite(state.constant)) {
      detail::fail(owner, ": constant = ", state.constant, "; expected a finite value");
    }
    detail::require_state(owner, "linear", state.linear, size(), 1);
    detail::require_state(owner, "quadratic", state.quadratic, size(), size());
    Sums sums(size());
    sums.weight = state.count;
    sums.constant = state.constant;
    sums.linear = state.linear;
    sums.quadratic = detail::lower_triangle(state.quadratic);
    if (state.count == 0 &&
        !(sums.constant == 0 && sums.linear.isZero(0) && sums.quadratic.isZero(0))) {
      detail::fail(owner, ": count = 0, ", detail::entry("linear", 0, sums.linear(0)),
                   " and on; expected zeros where there are no samples");
    }
    if (!assign(sums)) {
      detail::fail(owner, ": count = ", state.count, ", ",
                   detail::entry("quadratic", 0, 0, sums.quadratic(0, 0)),
                   " and on; expected means that do not overflow");
    }
  }

  /// Whether the states are equal to the bit.
  bool operator==(const QuadraticForm& other) const { return state() == other.state(); }

  /// Writes the state to an archive, or restores it from one, as `Moments::serialize` does.
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    State all = state();
    archive_state(archive, all);
    if constexpr (detail::reads<Archive>) restore(all);
  }

  // A state alone, for summaries that have more to check.
  template <class Archive>
  static void archive_state(Archive& archive, State& all) {
    detail::archive_mark<Scalar>(archive, "QuadraticForm", detail::Kept::quadratic_form);
    detail::archive_size(archive, "QuadraticForm", "size", all.linear.size());
    detail::archive_number(archive, all.count);
    detail::archive_number(archive, all.constant);
    detail::archive_entries(archive, all.linear);
    detail::archive_lower(archive, all.quadratic);
  }

  // For summaries that fill a form block by block.
  using Sums = detail::QuadraticSums<Weight, ParameterCount>;
  const Sums& sums() const { return sums_; }

  // False, and nothing changed, where the sums would not be representable.
  bool assign(const Sums& sums) {
    if (!detail::representable<Scalar>(sums)) return false;
    sums_ = sums;
    return true;
  }

  bool take(const Sums& part) {
    if (part.weight == 0) return true;
    Sums total = sums_;
    total.merge(part);
    return assign(total);
  }

  // Of what adds itself to sums by `add_to`, without a K x K matrix of its own.
  template <class Terms>
  bool take_terms(const Terms& terms) {
    detail::QuadraticMargins<Weight, ParameterCount> margins(sums_);
    terms.add_to(margins);
    if (!detail::representable<Scalar>(margins)) return false;
    terms.add_to(sums_);
    return true;
  }

 private:
  void require_samples(const char* what) const {
    if (!(sums_.weight > 0)) {
      detail::fail("QuadraticForm::", what, ": no samples (count = 0); expected at least one");
    }
  }

  Sums sums_;
};

}  // namespace scorematch
