// SPDX-License-Identifier: MIT
//
// Sums over samples of an exponential family's statistics, taken coordinate by coordinate: for many
// statistics, of which few depend on any one coordinate.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/family/statistic_derivatives.hpp>
#include <scorematch/loss/quadratic/block_factors.hpp>
#include <scorematch/loss/quadratic/block_points.hpp>
#include <scorematch/loss/quadratic/summand.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace scorematch::detail {

// Samples whose statistics are taken coordinate by coordinate: for all of them together, so that
// the sums are dot products of the derivatives' columns.
template <class S, BlockPoints Points, BlockFactors<S, Points> Factors>
class CoordinateBlock {
  using Sum = typename S::Sum;

 public:
  // Room for as many of `samples` as fit.
  CoordinateBlock(const S& summand, Eigen::Index samples)
      : summand_(summand),
        size_((std::min)(samples, capacity(summand.family.dimension()))),
        points_(size_, summand.family.dimension()),
        factors_(summand, size_),
        statistic_(std::size_t(summand.family.parameter_count())),
        listed_(statistic_.size(), 0),
        first_(size_ + block_padding, 0),
        second_(size_ + block_padding, 0) {}

  bool empty() const { return used_ == 0; }
  bool full() const { return used_ == size_; }
  void clear() { used_ = 0; }

  template <class X>
  void push(const X& samples, Eigen::Index n, Sum weight) {
    points_.write(samples, n, used_, summand_.origin);
    factors_.write(samples, n, used_, weight);
    ++used_;
  }

  // Adds the samples to sums of which each entry (k, l) of `quadratic` with k >= l, and of
  // `linear`, can be had.
  template <class Sums>
  void add_to(Sums& sums) {
    points_.fill_up(used_);
    sums.weight += factors_.weight(used_);
    // What no statistic depends on is refused all the same.
    sums.constant += static_cast<Sum>(points_.zero_if_finite(used_));
    for (Eigen::Index j = 0; j < summand_.family.dimension(); ++j) {
      const Eigen::Index size = write_derivatives(j);
      factors_.prepare(j, points_, used_, sums.constant);
      for (Eigen::Index a = 0; a < size; ++a) {
        sums.linear(statistic_[std::size_t(a)]) +=
            factors_.linear(first_.col(a).head(used_), second_.col(a).head(used_));
      }
      for (Eigen::Index a = 0; a < size; ++a) {
        const Eigen::Index k = statistic_[std::size_t(a)];
        auto column = first_.col(a).head(used_);
        factors_.scale(column);
        for (Eigen::Index b = 0; b <= a; ++b) {
          const Eigen::Index other = statistic_[std::size_t(b)];
          sums.quadratic((std::max)(k, other), (std::min)(k, other)) +=
              column.dot(first_.col(b).head(used_));
        }
      }
    }
  }

 private:
  using Number = typename Points::Number;
  using Matrix = Eigen::Matrix<Sum, Eigen::Dynamic, Eigen::Dynamic>;
  static constexpr Eigen::Index lanes = Points::lanes;

  // Samples that the first levels of the cache have room for.
  static Eigen::Index capacity(Eigen::Index d) {
    return std::clamp<Eigen::Index>(2 * numbers_in_cache / d, 32, 256);
  }

  // Writes the derivatives by coordinate j of the statistics that depend on it, lists those in
  // `statistic_`, and counts them.
  Eigen::Index write_derivatives(Eigen::Index j) {
    const auto& statistics = summand_.family.statistics();
    const Eigen::Index count = summand_.family.parameter_count();
    Eigen::Index size = 0;
    ++lists_;
    const auto list = [&](Eigen::Index k, const Number&, const Number&) {
      if (k < 0 || k >= count || listed_[std::size_t(k)] == lists_) refuse_statistic(k, j, count);
      listed_[std::size_t(k)] = lists_;
      statistic_[std::size_t(size++)] = k;
    };
    statistics.for_each_derivative(points_.at(0), j, list);
    if (size > first_.cols()) {  // few of many: room for all would be most of the memory
      first_.resize(size_ + block_padding, size);
      second_.resize(size_ + block_padding, size);
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

  const S& summand_;
  Eigen::Index size_;
  Points points_;
  Factors factors_;
  std::vector<Eigen::Index> statistic_;
  std::vector<std::size_t> listed_;  // in which list a statistic was last
  std::size_t lists_ = 0;
  Matrix first_;   // d_j t: entry (s, a) is of sample s and the a-th statistic that depends on x_j
  Matrix second_;  // d_jj t
  Eigen::Index used_ = 0;
};

// The terms of one sample, coordinate by coordinate, evaluated once: `add_to` calls nothing of the
// user's, and so cannot fail half way.
template <class S>
class SampleTerms {
  using Sum = typename S::Sum;
  using Scalar = typename S::Scalar;
  using Vector = typename S::Vector;

 public:
  // Of statistics at `point` and weights h at `sample`.
  SampleTerms(const S& summand, const Vector& sample, const Vector& point, Sum weight)
      : weight_(weight), constant_(static_cast<Sum>(zero_if_finite(point))) {
    const auto& family = summand.family;
    const Eigen::Index count = family.parameter_count();
    Vector base_gradient(sample.size());
    Vector base_curvature(sample.size());
    write_base<Scalar, S::Dim>(family.base(), sample, base_gradient, base_curvature);
    std::vector<Eigen::Index> listed(std::size_t(count), -1);  // at which coordinate it was last
    for (Eigen::Index j = 0; j < sample.size(); ++j) {
      const auto at = coordinate_factors(summand, j, sample(j), static_cast<Sum>(base_gradient(j)),
                                         static_cast<Sum>(base_curvature(j)));
      constant_ += weight * at.constant;
      family.statistics().for_each_derivative(
          point, j, [&](Eigen::Index k, Scalar first, Scalar second) {
            if (k < 0 || k >= count || listed[std::size_t(k)] == j) refuse_statistic(k, j, count);
            listed[std::size_t(k)] = j;
            const Sum d = static_cast<Sum>(first);
            terms_.push_back({k, d, weight * (at.h * static_cast<Sum>(second) + at.drift * d)});
          });
      factor_.push_back(weight * at.h);
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
