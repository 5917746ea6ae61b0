// The random numbers of the losses that draw.
#include "support.hpp"

#include <doctest/doctest.h>

#include <scorematch/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace {

using scorematch::detail::RandomNumbers;

double below(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

}  // namespace

TEST_CASE("normal numbers have the normal distribution, its tails and no memory") {
  constexpr std::size_t count = 2000000;
  const double n = static_cast<double>(count);
  RandomNumbers random(3);
  std::vector<double> x(count);
  for (double& each : x) each = random.normal();

  // Each of these has a standard deviation of about 1 where the numbers are as they should be.
  double sums[5] = {}, with_next = 0, squares_with_next = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const double next = x[(k + 1) % count];
    double power = x[k];
    for (double& sum : sums) {
      sum += power;
      power *= x[k];
    }
    with_next += x[k] * next;
    squares_with_next += (x[k] * x[k] - 1) * (next * next - 1);
  }
  CHECK(std::abs(sums[0]) < 5 * std::sqrt(n));
  CHECK(std::abs(sums[1] - n) < 5 * std::sqrt(2 * n));
  CHECK(std::abs(sums[2]) < 5 * std::sqrt(15 * n));
  CHECK(std::abs(sums[3] - 3 * n) < 5 * std::sqrt(96 * n));
  CHECK(std::abs(sums[4]) < 5 * std::sqrt(945 * n));
  CHECK(std::abs(with_next) < 5 * std::sqrt(n));
  CHECK(std::abs(squares_with_next) < 5 * 2 * std::sqrt(n));

  // Kolmogorov's distance, which exceeds 1.95 / sqrt(n) once in a thousand.
  std::sort(x.begin(), x.end());
  double farthest = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const double at = below(x[k]), rank = static_cast<double>(k);
    farthest = std::max({farthest, at - rank / n, (rank + 1) / n - at});
  }
  CHECK(farthest < 1.95 / std::sqrt(n));

  // The tails, beyond the last edge of the ziggurat as well.
  for (const double edge : {1.0, 2.5, 3.2, 3.442619855899, 3.7, 4.2}) {
    CAPTURE(edge);
    const auto above = static_cast<double>(x.end() - std::upper_bound(x.begin(), x.end(), edge));
    const auto under = static_cast<double>(std::lower_bound(x.begin(), x.end(), -edge) - x.begin());
    const double expected = n * below(-edge);
    CHECK(std::abs(above - expected) < 5 * std::sqrt(expected));
    CHECK(std::abs(under - expected) < 5 * std::sqrt(expected));
  }
  const double last = 3.442619855899;
  double beyond = 0, excess = 0;
  for (std::size_t k = 0; k < 10 * count; ++k) {
    const double far = std::abs(random.normal()) - last;
    if (far > 0) {
      ++beyond;
      excess += far;
    }
  }
  const double density = std::exp(-last * last / 2) / std::sqrt(2 * std::numbers::pi);
  CHECK(std::abs(excess / beyond - (density / below(-last) - last)) < 5 * 0.27 / std::sqrt(beyond));
}

TEST_CASE("a seed has its numbers") {
  RandomNumbers first(11), second(11), other(12);
  int equal = 0;
  for (int k = 0; k < 1000; ++k) {
    const double drawn = first.normal();
    CHECK(drawn == second.normal());
    equal += drawn == other.normal() ? 1 : 0;
  }
  CHECK(equal == 0);
}
