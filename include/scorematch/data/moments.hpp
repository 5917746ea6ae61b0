#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/detail/block_sums.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/detail/triangular.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

namespace scorematch {

/// Count, mean and covariance of samples: all that a Gaussian loss needs of them.
///
/// Streaming (`add`), mergeable (`merge`, for threads, ranks and chains) and weighted.
///
/// **Math** W = sum of weights, m = sum w x / W, S = sum w (x - m)(x - m)^T / W. In each coordinate
/// the value of an early sample is kept as a pivot and only differences from values of samples are
/// summed, so an offset common to all samples costs no digits. Blocks are summed about their mean,
/// or a sample's value within 1.4 standard deviations of it, and combined by the update of Chan,
/// Golub and LeVeque (1983); single samples by its case of one (Welford 1962).
///
/// **Shapes** samples Dim x n, one per column; mean Dim; covariance Dim x Dim, divided by W.
///
/// **Units** x in u: mean in u, covariance in u^2.
///
/// **Errors** std::invalid_argument for a wrong number of rows, a NaN or infinity (with row and
/// column), a negative or non-finite weight, and samples so far apart that their squared
/// differences overflow. A call that throws changes nothing. `mean` and `covariance` of no samples
/// throw too.
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
  Moments() requires(Dim != Eigen::Dynamic) : Moments(Dim) {}

  /// No samples yet, of `dimension` coordinates (which must be Dim where that is fixed).
  explicit Moments(Eigen::Index dimension)
      : sums_((detail::require_size("Moments", "dimension", dimension, Dim), dimension)) {}

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
      add_one(samples, Weight(1));
    } else {
      detail::with_coefficients(
          samples, [this](const auto& block) { this->add_block(block, Unweighted{}); });
    }
  }

  /// Adds samples with weights: weight k counts as k copies, weight 0 as absence.
  template <SamplesOf<Scalar, Dim> X, WeightsOf<Scalar> W>
  void add(const X& samples, const W& weights) {
    detail::require_rows(samples, dimension());
    detail::require_weights(weights, samples.cols());
    detail::with_coefficients(samples, [&](const auto& block) {
      detail::with_coefficients(weights,
                                [&](const auto& evaluated) { this->add_block(block, evaluated); });
    });
  }

  /// Adds everything `other` has seen. Merging with an empty one is the identity to the bit.
  void merge(const Moments& other) {
    if (other.dimension() != dimension()) {
      detail::fail("Moments::merge: other has dimension ", other.dimension(), "; expected ",
                   dimension());
    }
    Sums total = sums_;
    total.merge(other.sums_);
    if (!total.representable()) {
      detail::fail(
          "Moments::merge: other has mean(0) = ", other.mean()(0),
          ", this has mean(0) = ", mean()(0),
          "; expected means whose squared difference does not overflow (rescale the samples)");
    }
    sums_ = total;
  }

 private:
  using Sum = Weight;  // the type the sums are kept in
  using SumVector = Eigen::Matrix<Sum, Dim, 1>;
  using SumMatrix = Eigen::Matrix<Sum, Dim, Dim>;

  struct Unweighted {
    Sum operator()(Eigen::Index) const { return Sum(1); }
  };

  // Up to this size blocks stay on the stack and go through detail::BlockSums; beyond, they are
  // copied to a heap buffer for a symmetric rank update.
  static constexpr bool on_stack = Dim != Eigen::Dynamic && Dim <= 16;
  static constexpr int block_size = on_stack ? 4096 / (std::max)(Dim, 1) : 256;

  struct Sums {
    Sum weight{0};
    SumVector pivot;    // one of the first samples, or values of several
    SumVector offset;   // mean - pivot
    SumMatrix scatter;  // sum w (x - mean)(x - mean)^T in the lower triangle; the upper is not read

    explicit Sums(Eigen::Index d)
        : pivot(SumVector::Zero(d)), offset(SumVector::Zero(d)), scatter(SumMatrix::Zero(d, d)) {}

    Sums(const SumVector& centre, const detail::BlockSums<Sum, Dim>& sums) : Sums(Dim) {
      if (!(sums.weight > 0)) return;
      weight = sums.weight;
      pivot = centre;
      for (int i = 0; i < Dim; ++i) offset(i) = sums.first(i) / sums.weight;
      for (int j = 0; j < Dim; ++j) {
        for (int i = j; i < Dim; ++i) scatter(i, j) = sums.second(i, j) - sums.first(i) * offset(j);
        // Negative only where squares have lost their digits to underflow.
        if (scatter(j, j) < 0) scatter(j, j) = 0;
      }
    }

    // Moves the mean by taking in `added` weight whose mean is `shift` off the present one.
    void shift_mean(const SumVector& shift, Sum added) {
      const Sum total = weight + added;
      const Sum part = added / total;
      const SumVector scaled = (weight * part) * shift;
      for (Eigen::Index j = 0; j < shift.size(); ++j) {
        if constexpr (on_stack) {
          scatter.col(j) += scaled(j) * shift;  // whole columns are whole registers
        } else {
          const Eigen::Index rows = shift.size() - j;
          scatter.col(j).tail(rows) += scaled(j) * shift.tail(rows);
        }
      }
      offset += part * shift;
      weight = total;
    }

    void merge(const Sums& other) {
      if (other.weight == 0) return;
      if (weight == 0) {
        *this = other;
        return;
      }
      // Pivots within a factor of two of each other subtract without rounding (Sterbenz).
      SumVector shift(pivot.size());
      for (Eigen::Index i = 0; i < shift.size(); ++i) {
        shift(i) = (other.pivot(i) - pivot(i)) + (other.offset(i) - offset(i));
      }
      for (Eigen::Index j = 0; j < shift.size(); ++j) {
        for (Eigen::Index i = j; i < shift.size(); ++i) scatter(i, j) += other.scatter(i, j);
      }
      shift_mean(shift, other.weight);
    }

    // NaN or infinity anywhere in the samples, or an overflow, ends up on the diagonal.
    bool representable() const {
      if (weight == 0) return true;
      const Sum largest = static_cast<Sum>((std::numeric_limits<Scalar>::max)());
      bool finite = weight <= (std::numeric_limits<Sum>::max)();
      for (Eigen::Index i = 0; i < pivot.size(); ++i) {
        finite = finite && scatter(i, i) / weight <= largest &&
                 scatter(i, i) <= (std::numeric_limits<Sum>::max)();
      }
      return finite;
    }
  };

  void require_samples(const char* what) const {
    if (!(sums_.weight > 0)) {
      detail::fail("Moments::", what, ": no samples (count = 0); expected at least one");
    }
  }

  template <class X>
  void add_one(const X& x, Sum weight) {
    const SumVector sample = x.matrix().template cast<Sum>();
    if (sums_.weight == 0) {
      detail::require_finite(x);
      sums_.pivot = sample;
      sums_.weight = weight;
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
      const Sum total = sums_.weight + weight;
      const Sum largest = static_cast<Sum>((std::numeric_limits<Scalar>::max)());
      bool finite = true;
      for (Eigen::Index i = 0; i < shift.size(); ++i) {
        const Sum variance = (sums_.scatter(i, i) + shift(i) * shift(i)) / total;
        finite = finite && variance <= largest;
      }
      if (!finite) explain_rejection(x, Unweighted{});
    }
    sums_.shift_mean(shift, weight);
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
    bool representable = part.representable();
    if (representable) {
      Sums total = sums_;
      total.merge(part);
      representable = total.representable();
      if (representable) sums_ = total;
    }
    if (!representable) explain_rejection(samples, weights);
  }

  template <class W>
  static Sum weight_of(const W& weights, Eigen::Index j) {
    return static_cast<Sum>(weights(j));
  }

  // Block by block, reading samples in place where they lie one after the other.
  template <class X, class W>
  void sum_small(Sums& part, const X& samples, const W& weights) const {
    constexpr bool weighted = !std::is_same_v<W, Unweighted>;
    const Eigen::Index n = samples.cols();
    const Scalar* const in_place = detail::address_of_contiguous(samples);
    std::array<Scalar, std::size_t(block_size) * Dim> copies;
    std::array<Sum, weighted ? std::size_t(block_size) : 1> block_weights;

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
      const Scalar* block = copies.data();
      if (in_place != nullptr) {
        block = in_place + start * Dim;
      } else {
        Scalar* next = copies.data();
        for (Eigen::Index k = 0; k < size; ++k) {
          for (Eigen::Index i = 0; i < Dim; ++i) *next++ = samples(i, start + k);
        }
      }
      if constexpr (weighted) {
        Sum total(0);
        for (Eigen::Index k = 0; k < size; ++k) {
          block_weights[std::size_t(k)] = weight_of(weights, start + k);
          total += block_weights[std::size_t(k)];
        }
        if (total > 0)
          add_sums(block, size, detail::BlockWeights<Sum>{total, block_weights.data()});
      } else {
        add_sums(block, size, detail::NoWeights<Sum>{static_cast<Sum>(size)});
      }
    }
    part.merge(Sums(centre, sums));
  }

  template <class X, class W>
  void sum_large(Sums& part, const X& samples, const W& weights) const {
    constexpr bool weighted = !std::is_same_v<W, Unweighted>;
    const Eigen::Index d = dimension();
    const Eigen::Index n = samples.cols();
    Eigen::Index first = 0;
    while (first < n && !(weight_of(weights, first) > 0)) ++first;
    if (first == n) return;
    for (Eigen::Index i = 0; i < d; ++i) {
      part.pivot(i) = sums_.weight > 0 ? sums_.pivot(i) : static_cast<Sum>(samples(i, first));
    }

    const Eigen::Index longest = (std::min<Eigen::Index>)(n, block_size);
    Eigen::Matrix<Sum, Eigen::Dynamic, Eigen::Dynamic> block(d, longest);
    Eigen::Matrix<Sum, Eigen::Dynamic, 1> weight(weighted ? longest : 0);
    SumVector shift(d);
    for (Eigen::Index start = 0; start < n; start += longest) {
      const Eigen::Index size = (std::min)(longest, n - start);
      Sum added = static_cast<Sum>(size);
      if constexpr (weighted) {
        for (Eigen::Index j = 0; j < size; ++j) weight(j) = weight_of(weights, start + j);
        added = weight.head(size).sum();
        if (!(added > 0)) continue;
      }
      auto columns = block.leftCols(size);
      // Column by column, so that weights of one give the bits of no weights.
      shift.setZero();
      for (Eigen::Index j = 0; j < size; ++j) {
        for (Eigen::Index i = 0; i < d; ++i) {
          columns(i, j) = static_cast<Sum>(samples(i, start + j)) - part.pivot(i);
        }
        if constexpr (weighted) {
          shift += weight(j) * columns.col(j);
        } else {
          shift += columns.col(j);
        }
      }
      shift /= added;
      columns.colwise() -= shift;
      shift -= part.offset;
      if constexpr (weighted) columns *= weight.head(size).cwiseSqrt().asDiagonal();
      part.scatter.template selfadjointView<Eigen::Lower>().rankUpdate(columns);
      part.shift_mean(shift, added);
    }
  }

  // Called when the sums are not finite: finds the entry to blame.
  template <class X, class W>
  [[noreturn]] static void explain_rejection(const X& samples, const W& weights) {
    using std::abs;
    detail::require_finite(samples);
    Eigen::Index row = 0;
    Eigen::Index column = 0;
    for (Eigen::Index j = 0; j < samples.cols(); ++j) {
      if (!(weight_of(weights, j) > 0)) continue;
      for (Eigen::Index i = 0; i < samples.rows(); ++i) {
        if (abs(samples(i, j)) > abs(samples(row, column))) {
          row = i;
          column = j;
        }
      }
    }
    detail::fail(detail::entry("samples", row, column, samples(row, column)),
                 "; expected samples whose squared differences do not overflow (rescale them)");
  }

  Sums sums_;
};

}  // namespace scorematch
