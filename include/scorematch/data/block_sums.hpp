// SPDX-License-Identifier: MIT
//
// Sums over a block of samples that lie one after the other in memory, in one pass: of their
// differences y from a centre, and of the products y y^T.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/vector_register.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace scorematch::detail {

template <class Sum, int Dim>
struct BlockSums {
  using Vector = Eigen::Matrix<Sum, Dim, 1>;
  using Matrix = Eigen::Matrix<Sum, Dim, Dim>;

  Sum weight{0};                   // sum w
  Vector first = Vector::Zero();   // sum w y
  Matrix second = Matrix::Zero();  // sum w y y^T, lower triangle, zeros above

  BlockSums& operator+=(const BlockSums& other) {
    weight += other.weight;
    // Entry by entry: loading registers of entries just written one by one would stall.
    for (int j = 0; j < Dim; ++j) {
      first(j) += other.first(j);
      for (int i = j; i < Dim; ++i) second(i, j) += other.second(i, j);
    }
    return *this;
  }

  // Whether the centre was within 1.4 standard deviations of the mean, so that centring on the mean
  // afterwards costs at most half a digit. False for NaN and overflow.
  bool centred() const {
    bool result = true;
    for (int i = 0; i < Dim; ++i) {
      const Sum square = first(i) * (first(i) / weight);
      result = result && Sum(1.5) * square <= second(i, i) &&
               second(i, i) <= (std::numeric_limits<Sum>::max)();
    }
    return result;
  }
};

template <class Sum>
struct NoWeights {
  static constexpr bool weighted = false;
  Sum total;  // the number of samples
};

// All above 0.
template <class Sum>
struct BlockWeights {
  static constexpr bool weighted = true;
  Sum total;
  const Sum* values;
  Sum operator()(Eigen::Index k) const { return values[k]; }
};

template <class Sum, int Dim, class Scalar, class Weights>
void sum_one_by_one(BlockSums<Sum, Dim>& sums, const Eigen::Matrix<Sum, Dim, 1>& centre,
                    const Scalar* samples, Eigen::Index start, Eigen::Index count,
                    const Weights& weights) {
  for (Eigen::Index k = start; k < count; ++k) {
    Eigen::Matrix<Sum, Dim, 1> y;
    for (int i = 0; i < Dim; ++i) y(i) = static_cast<Sum>(samples[k * Dim + i]) - centre(i);
    for (int j = 0; j < Dim; ++j) {
      Sum weighted = y(j);
      if constexpr (Weights::weighted) weighted *= weights(k);
      sums.first(j) += weighted;
      for (int i = j; i < Dim; ++i) sums.second(i, j) += y(i) * weighted;
    }
  }
}

// A column for each coordinate, and dot products of columns.
template <class Sum, int Dim, class Scalar, class Weights>
void sum_columns(BlockSums<Sum, Dim>& sums, const Eigen::Matrix<Sum, Dim, 1>& centre,
                 const Scalar* samples, Eigen::Index count, const Weights& weights) {
  constexpr int longest = std::clamp(numbers_in_cache / 2 / Dim, 128, 512);
  Eigen::Matrix<Sum, longest, Dim> buffer;
  Eigen::Matrix<Sum, longest, 1> weighted;
  for (Eigen::Index start = 0; start < count; start += longest) {
    const Eigen::Index size = (std::min<Eigen::Index>)(longest, count - start);
    for (Eigen::Index k = 0; k < size; ++k) {
      for (int i = 0; i < Dim; ++i) {
        buffer(k, i) = static_cast<Sum>(samples[(start + k) * Dim + i]) - centre(i);
      }
    }
    for (int j = 0; j < Dim; ++j) {
      for (Eigen::Index k = 0; k < size; ++k) {
        weighted(k) = buffer(k, j);
        if constexpr (Weights::weighted) weighted(k) *= weights(start + k);
      }
      const auto column = weighted.head(size);
      sums.first(j) += column.sum();
      for (int i = j; i < Dim; ++i) sums.second(i, j) += column.dot(buffer.col(i).head(size));
    }
  }
}

// Without vectors, or where a register holds no whole sample, the sums are Eigen's.
#ifdef SCOREMATCH_HAS_VECTORS

// A register holds a whole number of samples. The products of coordinates r apart, r < Dim / 2, are
// those of a register with itself turned by r within each sample. Turned by Dim / 2 it would give
// every product twice, so two registers share one: half of each, times the other halves. Of the
// samples p and q, of four coordinates each, in registers of four:
//
//   p0 p1 p2 p3      p0 p1 p2 p3      p0 p1 q2 q3
//        x                x                x
//   p0 p1 p2 p3      p1 p2 p3 p0      p2 p3 q0 q1
//   itself           turned by 1      two halves
template <int Dim>
class RegisterSums {
 public:
  static constexpr int lanes = vector_bytes / int(sizeof(double));
  static constexpr bool possible = Dim <= lanes && lanes % Dim == 0;

  // Where lane k of a register turned by `turn` within each sample comes from.
  static constexpr int turned(int lane, int turn) {
    return lane / Dim * Dim + (lane % Dim + turn) % Dim;
  }

  // Where lane k comes from if two registers share one, its first halves of samples from the first
  // of them; and the lane of the other half of the same sample in the same register.
  static constexpr int shared(int lane) { return lane % Dim < Dim / 2 ? lane : lanes + lane; }
  static constexpr int shared_turned(int lane) {
    return lane % Dim < Dim / 2 ? lane + Dim / 2 : lanes + lane - Dim / 2;
  }

  // Returns how many samples it has summed: all but less than one step.
  template <class Scalar, class Weights>
  static Eigen::Index sum(BlockSums<double, Dim>& sums, const Eigen::Matrix<double, Dim, 1>& centre,
                          const Scalar* samples, Eigen::Index count, const Weights& weights) {
    Vector first[chains] = {};
    Vector second[chains][turns] = {};
    Vector halves[chains / 2] = {};
    Vector c;
    for (int k = 0; k < lanes; ++k) c[k] = centre(k % Dim);
    const Eigen::Index end = count - count % step;
    for (Eigen::Index start = 0; start < end; start += step) {
      Vector y[chains];
      Vector weighted[chains];
      for (int u = 0; u < unroll; ++u) {
        load(samples + start * Dim + u * lanes, y[u]);
        y[u] -= c;
        weighted[u] = y[u];
        if constexpr (Weights::weighted) {
          for (int k = 0; k < lanes; ++k) weighted[u][k] *= weights(start + (u * lanes + k) / Dim);
        }
        first[u] += weighted[u];
        second[u][0] += weighted[u] * y[u];
        add_turned(weighted[u], y[u], second[u], std::make_integer_sequence<int, int(turns) - 1>{});
      }
      if constexpr (Dim > 1) {
        for (int u = 0; u < unroll; u += 2) {
          add_halves(weighted[u], weighted[u + 1], y[u], y[u + 1], halves[u / 2], EachLane{});
        }
      }
    }
    for (int u = 1; u < unroll; ++u) {
      first[0] += first[u];
      for (int r = 0; r < int(turns); ++r) second[0][r] += second[u][r];
    }
    if constexpr (unroll == 4) halves[0] += halves[1];
    for (int r = 0; r < int(turns); ++r) add_products(sums, r, second[0][r], EachLane{});
    if constexpr (Dim > 1) add_products(sums, Dim / 2, halves[0], EachLane{});
    for (int k = 0; k < lanes; ++k) sums.first(k % Dim) += first[0][k];
    return end;
  }

 private:
  using Vector = double __attribute__((vector_size(vector_bytes)));
  using EachLane = std::make_integer_sequence<int, lanes>;

  static constexpr std::size_t turns = Dim < 4 ? 1 : std::size_t(Dim) / 2;
  // Enough chains of additions to hide their latency, as far as the registers suffice.
  static constexpr std::size_t chains = 4 * (turns + 1) + 2 <= vector_registers - 6 ? 4 : 2;
  static constexpr int unroll = int(chains);
  static constexpr Eigen::Index step = unroll * lanes / Dim;

  template <class Scalar>
  static void load(const Scalar* from, Vector& to) {
    if constexpr (std::same_as<Scalar, double>) {
      std::memcpy(&to, from, sizeof to);
    } else {
      Scalar __attribute__((vector_size(lanes * int(sizeof(Scalar))))) narrow;
      std::memcpy(&narrow, from, sizeof narrow);
      to = __builtin_convertvector(narrow, Vector);
    }
  }

  // Lane by lane, without a loop: the places are known when it is compiled.
  template <int... Lane>
  static void add_products(BlockSums<double, Dim>& sums, int turn, const Vector& products,
                           std::integer_sequence<int, Lane...>) {
    (add_product(sums, Lane % Dim, (Lane % Dim + turn) % Dim, products[Lane]), ...);
  }

  static void add_product(BlockSums<double, Dim>& sums, int i, int j, double value) {
    sums.second((std::max)(i, j), (std::min)(i, j)) += value;
  }

  template <int... R>
  static void add_turned(const Vector& weighted, const Vector& y,
                         [[maybe_unused]] Vector (&sums)[turns], std::integer_sequence<int, R...>) {
    (add_turned_by<R + 1>(weighted, y, sums[R + 1], EachLane{}), ...);
  }

  template <int R, int... Lane>
  static void add_turned_by(const Vector& weighted, const Vector& y, Vector& sum,
                            std::integer_sequence<int, Lane...>) {
    Vector other;
    shuffle_registers<turned(Lane, R)...>(y, y, other);
    sum += weighted * other;
  }

  template <int... Lane>
  static void add_halves(const Vector& weighted0, const Vector& weighted1, const Vector& y0,
                         const Vector& y1, Vector& sum, std::integer_sequence<int, Lane...>) {
    Vector weighted, other;
    shuffle_registers<shared(Lane)...>(weighted0, weighted1, weighted);
    shuffle_registers<shared_turned(Lane)...>(y0, y1, other);
    sum += weighted * other;
  }
};

#else

template <int Dim>
struct RegisterSums {
  static constexpr bool possible = false;
};

#endif

template <class Sum, int Dim, class Scalar, class Weights>
BlockSums<Sum, Dim> block_sums(const Eigen::Matrix<Sum, Dim, 1>& centre, const Scalar* samples,
                               Eigen::Index count, const Weights& weights) {
  BlockSums<Sum, Dim> sums;
  sums.weight = weights.total;
  if constexpr (std::same_as<Sum, double> && RegisterSums<Dim>::possible) {
    const Eigen::Index done = RegisterSums<Dim>::sum(sums, centre, samples, count, weights);
    sum_one_by_one(sums, centre, samples, done, count, weights);
  } else {
    sum_columns(sums, centre, samples, count, weights);
  }
  return sums;
}

// Of every `step`-th sample, in each coordinate, the value nearest to `from + shift`. A value that
// a sample has, so that subtracting it from others at the same offset does not round.
template <class Sum, int Dim, class Scalar>
Eigen::Matrix<Sum, Dim, 1> nearest_values(const Eigen::Matrix<Sum, Dim, 1>& from,
                                          const Eigen::Matrix<Sum, Dim, 1>& shift,
                                          const Scalar* samples, Eigen::Index count,
                                          Eigen::Index step) {
  using std::abs;
  Eigen::Matrix<Sum, Dim, 1> nearest = from;
  Eigen::Matrix<Sum, Dim, 1> least;
  for (int i = 0; i < Dim; ++i) least(i) = (std::numeric_limits<Sum>::max)();
  for (Eigen::Index k = 0; k < count; k += step) {
    for (int i = 0; i < Dim; ++i) {
      const Sum value = static_cast<Sum>(samples[k * Dim + i]);
      const Sum distance = abs((value - from(i)) - shift(i));
      if (distance < least(i)) {
        least(i) = distance;
        nearest(i) = value;
      }
    }
  }
  return nearest;
}

// A centre from eight samples: in each coordinate, the value of theirs nearest to their mean.
template <class Sum, int Dim, class Scalar>
Eigen::Matrix<Sum, Dim, 1> guess_centre(const Scalar* samples, Eigen::Index count) {
  using Vector = Eigen::Matrix<Sum, Dim, 1>;
  const Eigen::Index step = (std::max<Eigen::Index>)(1, count / 8);
  Vector origin;
  for (int i = 0; i < Dim; ++i) origin(i) = static_cast<Sum>(samples[i]);
  Vector shift = Vector::Zero();
  Sum seen(0);
  for (Eigen::Index k = 0; k < count; k += step) {
    for (int i = 0; i < Dim; ++i) shift(i) += static_cast<Sum>(samples[k * Dim + i]) - origin(i);
    seen += Sum(1);
  }
  for (int i = 0; i < Dim; ++i) shift(i) /= seen;
  return nearest_values<Sum, Dim>(origin, shift, samples, count, step);
}

// Sums about a centre within one standard deviation or so of the mean, which is put into `centre`.
template <class Sum, int Dim, class Scalar, class Weights>
BlockSums<Sum, Dim> recentred_block_sums(Eigen::Matrix<Sum, Dim, 1>& centre, const Scalar* samples,
                                         Eigen::Index count, const Weights& weights) {
  centre = guess_centre<Sum, Dim>(samples, count);
  BlockSums<Sum, Dim> sums = block_sums(centre, samples, count, weights);
  // The value nearest to the mean of all is within one standard deviation of it. A centre so far
  // away that the mean has lost its digits takes a second step.
  for (int step = 0; step < 2 && !sums.centred(); ++step) {
    Eigen::Matrix<Sum, Dim, 1> shift;
    for (int i = 0; i < Dim; ++i) shift(i) = sums.first(i) / sums.weight;
    centre = nearest_values<Sum, Dim>(centre, shift, samples, count, 1);
    sums = block_sums(centre, samples, count, weights);
  }
  return sums;
}

}  // namespace scorematch::detail
