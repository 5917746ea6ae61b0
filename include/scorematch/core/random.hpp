// SPDX-License-Identifier: MIT
//
// The random numbers of the losses that draw. Their own few lines: the numbers of a seed are then
// the same with every standard library, and <random> is not read.
#pragma once

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace scorematch::detail {

// The layers of a ziggurat (Marsaglia and Tsang 2000; Doornik 2005): rectangles of one area that
// cover exp(-x^2 / 2), x > 0, from the widest, of which `edge` 0 is as wide as its area says and
// which has the tail, to the top.
struct Ziggurat {
  static constexpr int layers = 128;
  static constexpr double tail = 3.442619855899;
  static constexpr double area = 9.91256303526217e-3;

  std::array<double, layers + 1> edge{};
  std::array<double, layers> inside{};  // the share of a layer that lies below the next edge

  Ziggurat() {
    edge[0] = area / std::exp(-tail * tail / 2);
    edge[1] = tail;
    for (std::size_t i = 2; i < layers; ++i) {
      const double below = edge[i - 1];
      edge[i] = std::sqrt(-2 * std::log(area / below + std::exp(-below * below / 2)));
    }
    for (std::size_t i = 0; i < layers; ++i) inside[i] = edge[i + 1] / edge[i];
  }
  static const Ziggurat& get() {
    static const Ziggurat one;
    return one;
  }
};

// SplitMix64 (Steele, Lea and Flood 2014), with normals by the ziggurat: a product and a comparison
// 99 times of 100.
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

  double normal() {
    for (;;) {
      // The layer by the lowest bits, the place in it by the highest.
      const std::uint64_t random = bits();
      const std::size_t i = random % Ziggurat::layers;
      const double place =
          (static_cast<double>(static_cast<std::int64_t>(random) >> 11) + 0.5) * 0x1p-52;
      const double x = place * ziggurat_->edge[i];
      if (std::abs(place) < ziggurat_->inside[i]) return x;
      if (i == 0) return std::copysign(in_tail(), x);
      const auto above = [x](double edge) { return std::exp((x * x - edge * edge) / 2); };
      const double low = above(ziggurat_->edge[i]), high = above(ziggurat_->edge[i + 1]);
      if (low + uniform() * (high - low) < 1) return x;
    }
  }

 private:
  // Beyond the last edge (Marsaglia 1964).
  double in_tail() {
    for (;;) {
      const double x = -std::log(uniform()) / Ziggurat::tail;
      if (-2 * std::log(uniform()) > x * x) return Ziggurat::tail + x;
    }
  }

  std::uint64_t state_;
  const Ziggurat* ziggurat_ = &Ziggurat::get();
};

}  // namespace scorematch::detail
