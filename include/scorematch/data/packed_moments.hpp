// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/data/samples.hpp>

#include <Eigen/Core>

#include <array>
#include <cstddef>
#include <utility>

namespace scorematch {

/// The moments of W problems side by side, one `Moments<T, Dim>` for each lane: the summary of a
/// fit that runs in lockstep.
///
/// **Errors** as those of `Moments`. Where one lane rejects its sample, no lane has taken it.
///
/// **Example** tests/batch_test.cpp
template <VectorLane T, int W, int Dim_>
class Moments<Pack<T, W>, Dim_> {
 public:
  using Scalar = Pack<T, W>;
  static constexpr int Dim = Dim_;
  using Lane = Moments<T, Dim>;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;
  using Weight = Pack<typename Lane::Weight, W>;

  Moments()
    requires(Dim != Eigen::Dynamic)
      : Moments(Dim) {}

  explicit Moments(Eigen::Index dimension)
      : Moments(dimension, std::make_integer_sequence<int, W>{}) {}

  Eigen::Index dimension() const { return lanes_[0].dimension(); }

  /// **Errors** std::invalid_argument for k that is not one of 0 ... W - 1.
  const Lane& lane(int k) const { return lanes_[checked(k)]; }
  Lane& lane(int k) { return lanes_[checked(k)]; }

  Weight count() const {
    Weight result;
    for (int k = 0; k < W; ++k) result.set(k, lane(k).count());
    return result;
  }

  Vector mean() const {
    Vector result(dimension());
    for (int k = 0; k < W; ++k) detail::set_lane(result, k, lane(k).mean());
    return result;
  }

  Matrix covariance() const {
    Matrix result(dimension(), dimension());
    for (int k = 0; k < W; ++k) detail::set_lane(result, k, lane(k).covariance());
    return result;
  }

  /// Adds to each lane its own sample, or block of samples.
  template <SamplesOf<Scalar, Dim> X>
  void add(const X& samples) {
    auto total = lanes_;
    detail::with_coefficients(samples, [&](const auto& block) {
      for (int k = 0; k < W; ++k) total[std::size_t(k)].add(detail::lane_of(block, k));
    });
    lanes_ = total;
  }

  void merge(const Moments& other) {
    auto total = lanes_;
    for (int k = 0; k < W; ++k) total[std::size_t(k)].merge(other.lane(k));
    lanes_ = total;
  }

 private:
  static std::size_t checked(int k) {
    if (k < 0 || k >= W) detail::fail("Moments::lane: k = ", k, "; expected 0 to ", W - 1);
    return std::size_t(k);
  }

  template <int... k>
  Moments(Eigen::Index dimension, std::integer_sequence<int, k...>)
      : lanes_{((void)k, Lane(dimension))...} {}

  std::array<Lane, std::size_t(W)> lanes_;
};

}  // namespace scorematch
