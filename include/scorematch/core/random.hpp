// SPDX-License-Identifier: MIT
//
// The random numbers of the losses that draw. Their own few lines: the numbers of a seed are then
// the same with every standard library, and <random> is not read.
#pragma once

#include <Eigen/Core>

#include <cmath>
#include <cstdint>
#include <numbers>

namespace scorematch::detail {

// SplitMix64 (Steele, Lea and Flood 2014), with normals by Box and Muller (1958).
class RandomNumbers {
 public:
  explicit RandomNumbers(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

  // In (0, 1].
  double uniform() { return static_cast<double>((bits() >> 11) + 1) * 0x1p-53; }

  // In {0, ..., n - 1}.
  Eigen::Index below(Eigen::Index n) {
    return static_cast<Eigen::Index>(bits() % static_cast<std::uint64_t>(n));
  }

  double sign() { return (bits() >> 63) != 0 ? 1.0 : -1.0; }

  // Box and Muller make two at a time.
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2 * std::log(uniform()));
    const double angle = 2 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  std::uint64_t state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace scorematch::detail
