// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/vector_register.hpp>

#include <utility>

namespace scorematch {

/// A callable that is not to be recorded: one that asks its numbers for `.value`, or hands them to
/// functions of plain ones. Made by `not_recorded(callable)`.
template <class Callable>
struct NotRecorded {
  Callable callable;

  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    return callable(x, theta);
  }
};

/// Keeps an energy from being recorded: its gradients then come from dual numbers, eight parameters
/// at a time and sample by sample.
///
/// **Example** docs/snippets/energies.cpp
template <class Callable>
NotRecorded<Callable> not_recorded(Callable callable) {
  return {std::move(callable)};
}

namespace detail {

template <class Callable>
inline constexpr bool keeps_to_duals = false;
template <class Callable>
inline constexpr bool keeps_to_duals<NotRecorded<Callable>> = true;

// Whether a callable on numbers over Scalar is recorded.
template <class Scalar, class Callable>
#ifdef SCOREMATCH_HAS_PACKS
inline constexpr bool is_recordable = VectorLane<Scalar> && !keeps_to_duals<Callable>;
#else
inline constexpr bool is_recordable = false;
#endif

}  // namespace detail
}  // namespace scorematch
