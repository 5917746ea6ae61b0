// SPDX-License-Identifier: MIT
//
// Products of matrices of numbers with matrices of jets: the layers of a program.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/core/vector_register.hpp>
#include <scorematch/derivative/recorded/program.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace scorematch::detail {

template <int count, class Visit>
EIGEN_ALWAYS_INLINE void for_each_entry(Visit visit) {
  [&]<int... i>(std::integer_sequence<int, i...>) SCOREMATCH_INLINE {
    (visit(std::integral_constant<int, i>{}), ...);
  }(std::make_integer_sequence<int, count>{});
}

// A matrix of numbers, transposed or not.
template <class T>
struct Coefficients {
  const T* first;
  std::size_t to_next_row;
  std::size_t to_next_column;
};

// Jets of `size` packs that follow one another.
template <VectorLane T, std::uint32_t size>
struct JetProducts {
  using P = ReplayPack<T>;
  using Id = std::uint32_t;

  // What a product keeps of its sums: of all registers at most three quarters.
  static constexpr int registers_kept = vector_registers * 3 / 4;
  static constexpr int rows_kept = std::clamp(registers_kept * vector_bytes / int(sizeof(P)), 1, 4);

  // to_j += sum_k c(j, k) from_k in the entries from `begin` to `end`, some sums at a time.
  static EIGEN_DONT_INLINE void multiply(P* to, Id rows, const P* from, Id count, Coefficients<T> c,
                                         Id begin = 0, Id end = size) {
    const auto some = [&]<int part>(std::integral_constant<int, part>, Id e, Id j) {
      P* const at = to + j * size + e;
      P s[std::size_t(part)];
      for_each_entry<part>([&](auto i) SCOREMATCH_INLINE { s[i] = at[Id(i) * size]; });
      const T* by = c.first + j * c.to_next_row;
      const P* entry = from + e;
      for (Id k = 0; k < count; ++k, entry += size, by += c.to_next_column) {
        for_each_entry<part>([&](auto i)
                                 SCOREMATCH_INLINE { s[i] += P(by[i * c.to_next_row]) * *entry; });
      }
      for_each_entry<part>([&](auto i) SCOREMATCH_INLINE { at[Id(i) * size] = s[i]; });
    };
    for (Id e = begin; e < end; ++e) {
      Id j = 0;
      for (; j + rows_kept <= rows; j += rows_kept) {
        some(std::integral_constant<int, rows_kept>(), e, j);
      }
      for (; j < rows; ++j) some(std::integral_constant<int, 1>(), e, j);
    }
  }

  // sums(j, k) += <from_j, to_k> over jets and lanes.
  static void add_products(const P* from, Id rows, const P* to, Id count, T* sums) {
    Id k = 0;
    for (; k + tile_columns <= count; k += tile_columns) {
      Id j = 0;
      for (; j + tile_rows <= rows; j += tile_rows) {
        add_tile<tile_rows>(from + j * size, to + k * size, count, sums + j * count + k);
      }
      for (; j < rows; ++j)
        add_tile<1>(from + j * size, to + k * size, count, sums + j * count + k);
    }
    for (; k < count; ++k) {
      for (Id j = 0; j < rows; ++j) {
        P sum(T(0));
        for (Id e = 0; e < size; ++e) sum += from[j * size + e] * to[k * size + e];
        sums[j * count + k] += sum.array().sum();
      }
    }
  }

 private:
  using R = typename WidestRegister<T>::Type;
  static constexpr int lanes = WidestRegister<T>::lanes;

  // In registers, not packs: a sum goes over all lanes in the end. Those of a row fill registers.
  static constexpr int tile_columns = (std::max)(lanes, 4);
  static constexpr int tile_rows = (std::max)(registers_kept / tile_columns, 1);

  // Lanes `at` and on.
  static EIGEN_ALWAYS_INLINE R load(const P* packs, int at) {
    R loaded;
    const void* const from = reinterpret_cast<const T*>(packs) + at;
    load_register(static_cast<const T*>(__builtin_assume_aligned(from, alignof(P))), loaded);
    return loaded;
  }

  template <int rows>
  static EIGEN_DONT_INLINE void add_tile(const P* from, const P* to, Id count, T* sums) {
    R s[std::size_t(rows * tile_columns)];
    for_each_entry<rows * tile_columns>([&](auto i) SCOREMATCH_INLINE { s[i] = R{}; });
    for (int at = 0; at < int(size) * replay_lanes<T>; at += lanes) {
      R a[std::size_t(rows)];
      for_each_entry<rows>([&](auto j) SCOREMATCH_INLINE { a[j] = load(from + Id(j) * size, at); });
      for_each_entry<tile_columns>([&](auto k) SCOREMATCH_INLINE {
        const R b = load(to + Id(k) * size, at);
        for_each_entry<rows>([&](auto j)
                                 SCOREMATCH_INLINE { s[j * tile_columns + k] += a[j] * b; });
      });
    }
    for_each_entry<rows * tile_columns / lanes>([&](auto i) SCOREMATCH_INLINE {
      constexpr int first = i * lanes;
      T* const to_sums = sums + Id(first / tile_columns) * count + Id(first % tile_columns);
      R sum;
      load_register(to_sums, sum);
      store_register(R(sum + over_lanes<lanes>(s + first)), to_sums);
    });
  }

  // Lane i: the sum over the lanes of s[i]. With two registers of four numbers each,
  //
  //   a0 a1 a2 a3      a0 b1 a2 b3     a1 b0 a3 b2      a01 b01 a23 b23
  //   b0 b1 b2 b3  ->               +               =
  //
  // and so on with pairs of lanes, and two of those.
  template <int count>
  static EIGEN_ALWAYS_INLINE R over_lanes(const R* s) {
    if constexpr (count == 1) {
      return s[0];
    } else {
      return fold<count / 2>(over_lanes<count / 2>(s), over_lanes<count / 2>(s + count / 2),
                             std::make_integer_sequence<int, lanes>{});
    }
  }
  template <int apart, int... lane>
  static EIGEN_ALWAYS_INLINE R fold(const R& a, const R& b, std::integer_sequence<int, lane...>) {
    R straight, crossed;
    shuffle_registers<(lane & apart ? lanes + lane : lane)...>(a, b, straight);
    shuffle_registers<((lane & apart ? lanes : 0) + (lane ^ apart))...>(a, b, crossed);
    return straight + crossed;
  }
};

}  // namespace scorematch::detail
