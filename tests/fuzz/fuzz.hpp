// What the fuzz targets share. A target reads an input as a list of operations, does them to a
// summary and to a plain model of it in long double, and aborts where the two differ.
#pragma once

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <vector>

namespace fuzz {

using Long = long double;

inline constexpr Long epsilon = Long(std::numeric_limits<double>::epsilon());

// Aborts: what the fuzzer takes for a find. `law` is what does not hold.
inline void require(bool holds, const char* law) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", law);
  std::abort();
}

template <class Actual, class Expected>
void require_near(Actual at, Expected reference, Long tolerance, const char* law) {
  const auto actual = Long(at), expected = Long(reference);
  if (std::abs(actual - expected) <= tolerance) return;  // false for a NaN
  std::fprintf(stderr, "not so: %s: %.20Lg, expected %.20Lg within %.3Lg\n", law, actual, expected,
               tolerance);
  std::abort();
}

// The bytes of an input, and zeros after its end.
class Input {
 public:
  Input(const std::uint8_t* bytes, std::size_t size) : next_(bytes), end_(bytes + size) {}

  bool empty() const { return next_ == end_; }
  unsigned byte() { return empty() ? 0 : *next_++; }
  // From 0 to n - 1.
  unsigned below(unsigned n) { return byte() % n; }

  template <std::size_t N>
  double one_of(const std::array<double, N>& numbers) {
    return numbers[below(N)];
  }

  // One of the given numbers, changed in its leading digits or not.
  template <std::size_t N>
  double near(const std::array<double, N>& numbers) {
    const double number = one_of(numbers);
    const unsigned how = byte();
    return (how & 1U) != 0 ? number * (1 + double(how) / 256) : number;
  }

 private:
  const std::uint8_t* next_;
  const std::uint8_t* end_;
};

// Numbers from 0 to 1, from one byte.
class Uniform {
 public:
  explicit Uniform(unsigned seed) : state_(seed * 2654435761U + 12345U) {}
  double operator()() {
    state_ = state_ * 1664525U + 1013904223U;
    return double(state_ >> 8U) / double(1U << 24U);
  }

 private:
  std::uint32_t state_;
};

// Samples, one per column, and their weights.
struct Block {
  Eigen::MatrixXd samples;
  Eigen::VectorXd weights;
};

// Each sample as often as its weight says, which is a small whole number.
inline Eigen::MatrixXd copies(const Block& block) {
  Eigen::MatrixXd result(block.samples.rows(), Eigen::Index(block.weights.sum()));
  Eigen::Index next = 0;
  for (Eigen::Index j = 0; j < block.samples.cols(); ++j) {
    for (int k = 0; k < int(block.weights(j)); ++k) result.col(next++) = block.samples.col(j);
  }
  return result;
}

// Whether the call threw what bad input throws.
template <class Call>
bool refused(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

template <class A, class B>
bool same_bits(const A& a, const B& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && (a.array() == b.array()).all();
}

// Does `change` to a summary. Where that throws, the summary must be what it was: `same` compares
// it with a copy. Returns whether it threw.
template <class Summary, class Change, class Same>
bool change_or_refuse(Summary& summary, const Change& change, const Same& same) {
  const Summary before = summary;
  const bool threw = refused([&] { change(summary); });
  if (threw) require(same(summary, before), "a call that throws changes nothing");
  return threw;
}

}  // namespace fuzz
