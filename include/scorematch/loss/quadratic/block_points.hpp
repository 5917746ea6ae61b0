// SPDX-License-Identifier: MIT
//
// Where a block of samples is kept while its statistics are taken: one by one, or side by side for
// statistics that take packs.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/vector_register.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/family/statistics.hpp>
#include <scorematch/loss/quadratic/summand.hpp>
#if defined(SCOREMATCH_HAS_PACKS)
#include <scorematch/core/pack.hpp>
#endif

#include <Eigen/Core>

#include <concepts>
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

// Room for the lanes to spare of the last pack. Columns a power of two apart would share the lines
// of the cache.
inline constexpr Eigen::Index block_padding = 16;

// The samples of a block, less the origin, written one at a time. Of sample s `at(s)` is what the
// statistics are asked with, a vector of Numbers: that of the `lanes` samples from s on. And (s, j)
// is a coordinate of one sample.
template <class P>
concept BlockPoints = requires(P points, const P& kept, Eigen::Index n) {
  typename P::Number;
  requires P::lanes >= 1 && (P::lanes == 1 || P::lanes <= block_padding);
  points.fill_up(n);
  { kept.at(n)(n) } -> std::convertible_to<typename P::Number>;
  { kept(n, n) } -> std::convertible_to<LaneOf<typename P::Number>>;
  { kept.zero_if_finite(n) } -> std::convertible_to<LaneOf<typename P::Number>>;
};

template <class S>
class PointsOneByOne {
 public:
  using Number = typename S::Scalar;
  static constexpr Eigen::Index lanes = 1;

  PointsOneByOne(Eigen::Index samples, Eigen::Index d)
      : x_(std::size_t(samples), Vector::Zero(d)) {}

  template <class X>
  void write(const X& samples, Eigen::Index n, Eigen::Index s, const typename S::Origin& origin) {
    Vector& x = x_[std::size_t(s)];
    for (Eigen::Index i = 0; i < x.size(); ++i) x(i) = from_origin(samples(i, n), origin, i);
  }
  void fill_up(Eigen::Index /*used*/) {}

  Number zero_if_finite(Eigen::Index used) const {
    Number sum(0);
    for (Eigen::Index s = 0; s < used; ++s) sum += detail::zero_if_finite(at(s));
    return sum;
  }
  const typename S::Vector& at(Eigen::Index s) const { return x_[std::size_t(s)]; }
  Number operator()(Eigen::Index s, Eigen::Index j) const { return at(s)(j); }

 private:
  using Vector = typename S::Vector;

  std::vector<Vector> x_;
};

template <class S, class SeveralNumber>
class PointsSideBySide {
  using Scalar = typename S::Scalar;

 public:
  using Number = SeveralNumber;
  static constexpr Eigen::Index lanes = lanes_of<Number>;

  // The coordinates of several samples.
  struct View {
    const PointsSideBySide& points;
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

  PointsSideBySide(Eigen::Index samples, Eigen::Index d) : x_(samples + block_padding, d) {}

  template <class X>
  void write(const X& samples, Eigen::Index n, Eigen::Index s, const typename S::Origin& origin) {
    for (Eigen::Index i = 0; i < x_.cols(); ++i) x_(s, i) = from_origin(samples(i, n), origin, i);
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

// The number is an argument so that units compiled with and without packs can be linked.
template <class S, class SeveralNumber = typename Several<typename S::Scalar>::Number>
using PointsOf = std::conditional_t<PackedStatistics<typename S::Statistics>,
                                    PointsSideBySide<S, SeveralNumber>, PointsOneByOne<S>>;

}  // namespace scorematch::detail
