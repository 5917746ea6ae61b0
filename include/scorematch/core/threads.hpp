// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace scorematch::detail {

// As many threads as are asked for; 0 asks for all that the machine has.
inline Eigen::Index thread_count(const char* owner, Eigen::Index threads) {
  require_option(threads >= 0, owner, "threads", threads, "at least 0 (all there are)");
  if (threads > 0) return threads;
  return (std::max)(Eigen::Index(1), Eigen::Index(std::thread::hardware_concurrency()));
}

// Calls `work(i)` for i = 0, ..., count - 1, on several threads, or on as many as the system gives.
// What a call throws is thrown again, that of the smallest i. The order of the calls is not that of
// i.
template <class Work>
void for_each_parallel(Eigen::Index count, Eigen::Index threads, Work&& work) {
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(count));
  std::atomic<Eigen::Index> next{0};
  const auto run = [&] {
    for (Eigen::Index i = next++; i < count; i = next++) {
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
      try {
        work(i);
      } catch (...) {
        thrown[static_cast<std::size_t>(i)] = std::current_exception();
      }
#else
      work(i);
#endif
    }
  };
  std::vector<std::thread> others;
  const auto start = [&] {
    for (Eigen::Index t = 1; t < (std::min)(threads, count); ++t) others.emplace_back(run);
  };
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
  try {
    start();
  } catch (const std::exception&) {
    // Those that are there do the work.
  }
#else
  start();
#endif
  run();
  for (std::thread& other : others) other.join();
  for (const std::exception_ptr& one : thrown) {
    if (one) std::rethrow_exception(one);
  }
}

}  // namespace scorematch::detail
