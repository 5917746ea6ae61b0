// SPDX-License-Identifier: MIT
//
// Products of matrices of numbers with matrices of jets: the layers of a program.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/unroll.hpp>
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

// Jets of `size` packs that follow one another.
template <VectorLane T, std::uint32_t size>
struct JetProducts {
  using P = ReplayPack<T>;
  using Id = std::uint32_t;

  // Packs that half of the registers hold: what a product keeps of its sums.
  static constexpr int packs_kept =
      (std::max)(vector_registers * vector_bytes / int(2 * sizeof(P)), 1);
  static constexpr int columns_kept = (std::min)(packs_kept, 4);
  static constexpr int rows_kept = packs_kept / columns_kept;

  // to_j += sum_k coefficient(j, k) from_k in the entries from `begin` to `end`, some sums at a
  // time.
  template <class Coefficient>
  static EIGEN_DONT_INLINE void multiply(P* to, Id rows, const P* from, Id count,
                                         Coefficient coefficient, Id begin = 0, Id end = size) {
    const auto some = [&]<int part>(std::integral_constant<int, part>, Id e, Id j) {
      P* const at = to + j * size + e;
      P s[std::size_t(part)];
      for_each_entry<part>([&](auto i) SCOREMATCH_INLINE { s[i] = at[Id(i) * size]; });
      for (Id k = 0; k < count; ++k) {
        const P& entry = from[k * size + e];
        for_each_entry<part>(
            [&](auto i) SCOREMATCH_INLINE { s[i] += P(coefficient(j + Id(i), k)) * entry; });
      }
      for_each_entry<part>([&](auto i) SCOREMATCH_INLINE { at[Id(i) * size] = s[i]; });
    };
    for (Id e = begin; e < end; ++e) {
      Id j = 0;
      for (; j + columns_kept <= rows; j += columns_kept) {
        some(std::integral_constant<int, columns_kept>(), e, j);
      }
      for (; j < rows; ++j) some(std::integral_constant<int, 1>(), e, j);
    }
  }

  // sums(j, k) += <from_j, to_k> over jets and lanes.
  static void add_products(const P* from, Id rows, const P* to, Id count, T* sums) {
    Id j = 0;
    for (; j + rows_kept <= rows; j += rows_kept) {
      add_rows<rows_kept>(from + j * size, to, count, sums + j * count);
    }
    for (; j < rows; ++j) add_rows<1>(from + j * size, to, count, sums + j * count);
  }

 private:
  // For `rows` of j and some k at a time.
  template <int rows>
  static EIGEN_DONT_INLINE void add_rows(const P* from, const P* to, Id count, T* sums) {
    const auto tile = [&]<int columns>(std::integral_constant<int, columns>, Id k) {
      P s[std::size_t(rows * columns)];
      for_each_entry<rows * columns>([&](auto i) SCOREMATCH_INLINE { s[i] = P(T(0)); });
      for (Id e = 0; e < size; ++e) {
        // Nothing is copied: g++ would copy a pack through memory, in halves.
        for_each_entry<rows * columns>([&](auto i) SCOREMATCH_INLINE {
          s[i] += from[Id(i / columns) * size + e] * to[(k + Id(i % columns)) * size + e];
        });
      }
      for_each_entry<rows * columns>([&](auto i) SCOREMATCH_INLINE {
        sums[Id(i / columns) * count + k + Id(i % columns)] += s[i].array().sum();
      });
    };
    Id k = 0;
    for (; k + columns_kept <= count; k += columns_kept) {
      tile(std::integral_constant<int, columns_kept>(), k);
    }
    for (; k < count; ++k) tile(std::integral_constant<int, 1>(), k);
  }
};

}  // namespace scorematch::detail
