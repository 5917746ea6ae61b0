// SPDX-License-Identifier: MIT
//
// Sums over samples of an exponential family's statistics, taken coordinate by coordinate: for many
// statistics, of which few depend on any one coordinate.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/vector_register.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/family/statistic_derivatives.hpp>
#include <scorematch/family/statistics.hpp>
#include <scorematch/loss/quadratic/summand.hpp>
#if defined(SCOREMATCH_HAS_PACKS)
#include <scorematch/core/pack.hpp>
#endif

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace scorematch::detail {

// What statistics that take packs are asked with: several samples at once.
template <class Scalar>
struct Several {
  using Number = Scalar;
};
#if defined(SCOREMATCH_HAS_PACKS)
template <VectorLane Scalar>
struct Several<Scalar> {
  using Number = Pack<Scalar, 16>;
};
#endif

// Samples whose statistics are taken coordinate by coordinate: for all of them together, so that
// the sums are dot products of the derivatives' columns. `Origin` is a vector that is taken off
// each sample before its statistics, or has no entries. The number is an argument so that units
// compiled with and without packs can be linked.
template <class F, class Weighting, class Sum, class Origin,
          class SeveralNumber = typename Several<typename F::Scalar>::Number>
class CoordinateBlock {
 public:
  CoordinateBlock(const F& family, const Weighting& weighting, const Origin& origin,
                  Eigen::Index samples)
      : family_(family),
        weighting_(weighting),
        origin_(origin),
        size_((std::min)(samples, capacity(family.dimension()))),
        points_(size_, family.dimension()),
        weight_(size_),
        statistic_(std::size_t(family.parameter_count())),
        listed_(statistic_.size(), 0),
        first_(size_ + padding, 0),
        second_(size_ + padding, 0) {
    if constexpr (!plain) {
      by_second_.resize(size_);
      by_first_.resize(size_);
    }
    if constexpr (!flat<Base>) {
      base_gradient_.resize(size_, family.dimension());
      base_curvature_.resize(size_, family.dimension());
    }
    if constexpr (keeps_samples) samples_.resize(size_, family.dimension());
  }

  bool empty() const { return used_ == 0; }
  bool full() const { return used_ == size_; }
  void clear() { used_ = 0; }

  template <class X>
  void push(const X& samples, Eigen::Index n, Sum weight) {
    points_.write(samples, n, used_, origin_);
    if constexpr (keeps_samples) {
      for (Eigen::Index i = 0; i < samples_.cols(); ++i) samples_(used_, i) = samples(i, n);
    }
    if constexpr (!flat<Base>) {
      Vector x(family_.dimension());
      Vector gradient(x.size());
      Vector curvature(x.size());
      for (Eigen::Index i = 0; i < x.size(); ++i) x(i) = samples(i, n);
      write_base<Scalar, Dim>(family_.base(), x, gradient, curvature);
      base_gradient_.row(used_) = gradient.transpose();
      base_curvature_.row(used_) = curvature.transpose();
    }
    weight_(used_++) = weight;
  }

  /// Adds the samples to sums of which each entry (k, l) of `quadratic` with k >= l, and of
  /// `linear`, can be had; `Weighted` unless every weight is 1.
  template <bool Weighted, class Sums>
  void add_to(Sums& sums) {
    points_.fill_up(used_);
    sums.weight += part(weight_).sum();
    // What no statistic depends on is refused all the same.
    sums.constant += static_cast<Sum>(points_.zero_if_finite(used_));
    for (Eigen::Index j = 0; j < family_.dimension(); ++j) {
      const Eigen::Index size = write_derivatives(j);
      if constexpr (!plain) write_factors(j, sums);
      for (Eigen::Index a = 0; a < size; ++a) {
        sums.linear(statistic_[std::size_t(a)]) += linear_term<Weighted>(a);
      }
      for (Eigen::Index a = 0; a < size; ++a) {
        const Eigen::Index k = statistic_[std::size_t(a)];
        auto column = part(first_.col(a));
        if constexpr (!plain) {
          column.array() *= part(by_second_).array().sqrt();
        } else if constexpr (Weighted) {
          column.array() *= part(weight_).array().sqrt();
        }
        for (Eigen::Index b = 0; b <= a; ++b) {
          const Eigen::Index other = statistic_[std::size_t(b)];
          sums.quadratic((std::max)(k, other), (std::min)(k, other)) +=
              column.dot(part(first_.col(b)));
        }
      }
    }
  }

 private:
  using Scalar = typename F::Scalar;
  static constexpr int Dim = F::Dim;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Statistics = typename F::Statistics;
  using Base = typename F::Base;
  using Column = Eigen::Matrix<Sum, Eigen::Dynamic, 1>;
  using Matrix = Eigen::Matrix<Sum, Eigen::Dynamic, Eigen::Dynamic>;

  static constexpr bool packed = PackedStatistics<Statistics>;
  using Number = std::conditional_t<packed, SeveralNumber, Scalar>;
  static constexpr Eigen::Index lanes = lanes_of<Number>;
  // Samples that the first levels of the cache have room for.
  static Eigen::Index capacity(Eigen::Index d) {
    return std::clamp<Eigen::Index>(2 * numbers_in_cache / d, 32, 256);
  }
  // Room for the lanes to spare of the last pack. Columns a power of two apart would share the
  // lines of the cache.
  static constexpr Eigen::Index padding = 16;
  static_assert(lanes <= padding || lanes == 1);
  // All weights h are 1 and no base measure is there.
  static constexpr bool plain = Weighting::uniform && flat<Base>;
  // The weights h are functions of the samples as they are.
  static constexpr bool keeps_samples = !Weighting::uniform && moves<Origin>;

  // Samples one by one.
  class Apart {
   public:
    Apart(Eigen::Index samples, Eigen::Index d) : x_(std::size_t(samples), Vector::Zero(d)) {}
    template <class X>
    void write(const X& samples, Eigen::Index n, Eigen::Index s, const Origin& origin) {
      Vector& x = x_[std::size_t(s)];
      for (Eigen::Index i = 0; i < x.size(); ++i) x(i) = from_origin(samples(i, n), origin, i);
    }
    void fill_up(Eigen::Index) {}
    Scalar zero_if_finite(Eigen::Index used) const {
      Scalar sum(0);
      for (Eigen::Index s = 0; s < used; ++s) sum += detail::zero_if_finite(at(s));
      return sum;
    }
    const Vector& at(Eigen::Index s) const { return x_[std::size_t(s)]; }
    Scalar operator()(Eigen::Index s, Eigen::Index j) const { return at(s)(j); }

   private:
    std::vector<Vector> x_;
  };

  // Samples side by side.
  class Together {
   public:
    // Entry j of several samples.
    struct View {
      const Together& points;
      Eigen::Index sample;

      Eigen::Index size() const { return points.x_.cols(); }
      EIGEN_ALWAYS_INLINE Number operator()(Eigen::Index j) const {
        const Scalar* first = &points.x_.coeffRef(sample, j);
        if constexpr (lanes == 1) {
          return *first;
        } else {
          return Number(Eigen::Map<const typename Number::Array>(first));
        }
      }
    };

    Together(Eigen::Index samples, Eigen::Index d) : x_(samples + padding, d) {}
    template <class X>
    void write(const X& samples, Eigen::Index n, Eigen::Index s, const Origin& origin) {
      for (Eigen::Index i = 0; i < x_.cols(); ++i) {
        x_(s, i) = from_origin(samples(i, n), origin, i);
      }
    }
    // Lanes to spare repeat the last sample.
    void fill_up(Eigen::Index used) {
      for (Eigen::Index s = used; s % lanes != 0; ++s) x_.row(s) = x_.row(used - 1);
    }
    Scalar zero_if_finite(Eigen::Index used) const {
      return (x_.topRows(used) - x_.topRows(used)).sum();
    }
    View at(Eigen::Index s) const { return {*this, s}; }
    Scalar operator()(Eigen::Index s, Eigen::Index j) const { return x_(s, j); }

   private:
    Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> x_;
  };

  // Writes the derivatives by coordinate j of the statistics that depend on it, lists those in
  // `statistic_`, and counts them.
  Eigen::Index write_derivatives(Eigen::Index j) {
    const Statistics& statistics = family_.statistics();
    const Eigen::Index count = family_.parameter_count();
    Eigen::Index size = 0;
    ++lists_;
    const auto list = [&](Eigen::Index k, const Number&, const Number&) {
      if (k < 0 || k >= count || listed_[std::size_t(k)] == lists_) refuse_statistic(k, j, count);
      listed_[std::size_t(k)] = lists_;
      statistic_[std::size_t(size++)] = k;
    };
    statistics.for_each_derivative(points_.at(0), j, list);
    if (size > first_.cols()) {  // few of many: room for all would be most of the memory
      first_.resize(size_ + padding, size);
      second_.resize(size_ + padding, size);
    }
    bool same = true;
    for (Eigen::Index s = 0; s < used_; s += lanes) {
      Rows rows{*this, s, size};
      statistics.for_each_derivative(points_.at(s), j, rows);
      same = same && rows.same && rows.count == size;
    }
    if (!same) {
      fail("for_each_derivative of coordinate ", j,
           " visits other statistics at one sample than at another; expected the same, in the same "
           "order");
    }
    return size;
  }

  // Writes what is visited into rows of the block. A class rather than a lambda, for the attribute:
  // clang takes it for too large to inline.
  struct Rows {
    CoordinateBlock& block;
    Eigen::Index s;
    Eigen::Index size;
    Eigen::Index count = 0;
    bool same = true;

    EIGEN_ALWAYS_INLINE void operator()(Eigen::Index k, const Number& first, const Number& second) {
      if (count < size && block.statistic_[std::size_t(count)] == k) {
        store(first, &block.first_.coeffRef(s, count));
        store(second, &block.second_.coeffRef(s, count));
      } else {
        same = false;
      }
      ++count;
    }

    static EIGEN_ALWAYS_INLINE void store(const Number& number, Sum* to) {
      if constexpr (lanes == 1) {
        *to = static_cast<Sum>(number);
      } else {
        Eigen::Map<Eigen::Array<Sum, int(lanes), 1>>{to} = number.array().template cast<Sum>();
      }
    }
  };

  // The factors of the derivatives by coordinate j in the linear term, and the constant term:
  // w h of d_jj t, w (h' + h d_j b) of d_j t, w (h (1/2 (d_j b)^2 + d_jj b) + h' d_j b).
  template <class Sums>
  void write_factors(Eigen::Index j, Sums& sums) {
    for (Eigen::Index s = 0; s < used_; ++s) {
      Sum h(1);
      Sum slope(0);
      if constexpr (!Weighting::uniform) {
        const auto weight = weighting_.weight(j, sample(s, j));
        h = static_cast<Sum>(weight.h);
        slope = static_cast<Sum>(weight.slope);
      }
      Sum gradient(0);
      if constexpr (!flat<Base>) {
        gradient = static_cast<Sum>(base_gradient_(s, j));
        sums.constant +=
            weight_(s) * (h * (gradient * gradient / 2 + static_cast<Sum>(base_curvature_(s, j))) +
                          slope * gradient);
      }
      by_second_(s) = weight_(s) * h;
      by_first_(s) = weight_(s) * (slope + h * gradient);
    }
  }

  Scalar sample(Eigen::Index s, Eigen::Index j) const {
    if constexpr (keeps_samples) {
      return samples_(s, j);
    } else {
      return points_(s, j);
    }
  }

  // The entries of a column that are in use.
  template <class C>
  EIGEN_ALWAYS_INLINE auto part(C&& column) const {
    return column.head(used_);
  }

  template <bool Weighted>
  Sum linear_term(Eigen::Index a) const {
    const auto second = part(second_.col(a));
    if constexpr (!plain) {
      return part(by_second_).dot(second) + part(by_first_).dot(part(first_.col(a)));
    } else if constexpr (Weighted) {
      return part(weight_).dot(second);
    } else {
      return second.sum();
    }
  }

  const F& family_;
  const Weighting& weighting_;
  const Origin& origin_;
  Eigen::Index size_;
  std::conditional_t<packed, Together, Apart> points_;
  Column weight_;
  std::vector<Eigen::Index> statistic_;
  std::vector<std::size_t> listed_;  // in which list a statistic was last
  std::size_t lists_ = 0;
  Matrix first_;   // d_j t: entry (s, a) is of sample s and the a-th statistic that depends on x_j
  Matrix second_;  // d_jj t
  Column by_second_;
  Column by_first_;
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> base_gradient_;
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> base_curvature_;
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> samples_;
  Eigen::Index used_ = 0;
};

// The terms of one sample, coordinate by coordinate, evaluated once: `add_to` calls nothing of the
// user's, and so cannot fail half way.
template <class F, class Weighting, class Sum>
class SampleTerms {
 public:
  using Scalar = typename F::Scalar;
  using Vector = Eigen::Matrix<Scalar, F::Dim, 1>;

  // Of statistics at `point` and weights h at `sample`.
  SampleTerms(const F& family, const Weighting& weighting, const Vector& sample,
              const Vector& point, Sum weight)
      : weight_(weight), constant_(static_cast<Sum>(zero_if_finite(point))) {
    const Eigen::Index count = family.parameter_count();
    Vector base_gradient(sample.size());
    Vector base_curvature(sample.size());
    write_base<Scalar, F::Dim>(family.base(), sample, base_gradient, base_curvature);
    std::vector<Eigen::Index> listed(std::size_t(count), -1);  // at which coordinate it was last
    for (Eigen::Index j = 0; j < sample.size(); ++j) {
      Sum h(1);
      Sum slope(0);
      if constexpr (!Weighting::uniform) {
        const auto at = weighting.weight(j, sample(j));
        h = static_cast<Sum>(at.h);
        slope = static_cast<Sum>(at.slope);
      }
      const Sum gradient = static_cast<Sum>(base_gradient(j));
      constant_ += weight * (h * (gradient * gradient / 2 + static_cast<Sum>(base_curvature(j))) +
                             slope * gradient);
      family.statistics().for_each_derivative(
          point, j, [&](Eigen::Index k, Scalar first, Scalar second) {
            if (k < 0 || k >= count || listed[std::size_t(k)] == j) refuse_statistic(k, j, count);
            listed[std::size_t(k)] = j;
            const Sum d = static_cast<Sum>(first);
            terms_.push_back(
                {k, d, weight * (h * static_cast<Sum>(second) + (slope + h * gradient) * d)});
          });
      factor_.push_back(weight * h);
      end_.push_back(terms_.size());
    }
  }

  template <class Sums>
  void add_to(Sums& sums) const {
    sums.weight += weight_;
    sums.constant += constant_;
    std::size_t begin = 0;
    for (std::size_t j = 0; j < end_.size(); begin = end_[j++]) {
      for (std::size_t a = begin; a < end_[j]; ++a) {
        const Eigen::Index k = terms_[a].statistic;
        const Sum factor = factor_[j] * terms_[a].derivative;
        sums.linear(k) += terms_[a].linear;
        for (std::size_t b = begin; b <= a; ++b) {
          const Eigen::Index other = terms_[b].statistic;
          sums.quadratic((std::max)(k, other), (std::min)(k, other)) +=
              factor * terms_[b].derivative;
        }
      }
    }
  }

 private:
  struct Term {
    Eigen::Index statistic;
    Sum derivative;
    Sum linear;
  };

  Sum weight_;
  Sum constant_;
  std::vector<Term> terms_;       // of coordinate 0, then 1, ...
  std::vector<std::size_t> end_;  // of each coordinate's terms
  std::vector<Sum> factor_;       // w h_j
};

}  // namespace scorematch::detail
