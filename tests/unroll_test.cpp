#include "support.hpp"

#include <scorematch/core/unroll.hpp>

#include <doctest/doctest.h>

#include <Eigen/Core>

#include <utility>
#include <vector>

namespace {

using scorematch::detail::for_each_entry;
using scorematch::detail::for_each_index;
using scorematch::detail::for_each_place;

template <int d>
void check_indices() {
  for (int from = 0; from <= d; ++from) {
    for (int to = 0; to <= d; ++to) {
      std::vector<int> expected;
      for (int i = from; i < to; ++i) expected.push_back(i);
      std::vector<int> visited;
      for_each_index<Eigen::Matrix<double, d, d>>(
          from, to, [&](int i) SCOREMATCH_INLINE { visited.push_back(i); });
      CHECK(visited == expected);
    }
  }
}

template <int size>
void check_entries(Eigen::Index n) {
  const Eigen::Matrix<double, size, 1> vector(n);
  Eigen::Index count = 0;
  for_each_entry(vector, [&](Eigen::Index i) SCOREMATCH_INLINE {
    CHECK(i == count);
    ++count;
  });
  CHECK(count == n);
}

TEST_CASE("an index loop visits what is within its bounds, in order, written out or not") {
  [&]<int... d>(std::integer_sequence<int, d...>) {
    (check_indices<d + 1>(), ...);
  }(std::make_integer_sequence<int, 16>{});
}

TEST_CASE("a loop over entries visits each once, in order") {
  [&]<int... k>(std::integer_sequence<int, k...>) {
    (check_entries<k + 1>(k + 1), ...);
  }(std::make_integer_sequence<int, 40>{});
  for (Eigen::Index n = 0; n < 40; ++n) check_entries<Eigen::Dynamic>(n);
}

template <class T, int n>
void check_places() {
  int count = 0;
  for_each_place<T, n>([&](int i) SCOREMATCH_INLINE {
    CHECK(i == count);
    ++count;
  });
  CHECK(count == n);
}

TEST_CASE("a loop over the places of an array visits each once, in order") {
  struct Number {};
  [&]<int... k>(std::integer_sequence<int, k...>) {
    (check_places<double, k + 1>(), ...);
    (check_places<Number, k + 1>(), ...);
  }(std::make_integer_sequence<int, 12>{});
}

}  // namespace
