// SPDX-License-Identifier: MIT
//
// Vector registers, in the extension that g++ (12 on) and clang share: no intrinsics, the same code
// for every processor.
#pragma once

#include <scorematch/core/machine.hpp>

#include <concepts>
#include <cstring>

#if defined(__GNUC__) && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector) && __has_builtin(__builtin_convertvector)
#define SCOREMATCH_HAS_VECTORS
#endif
#endif

// Whether a Pack, which keeps registers, can be the number of Eigen's matrices. Not under nvcc,
// where Eigen's functions are device functions too: those know no registers.
#if defined(__GNUC__) && !defined(__NVCC__)
#define SCOREMATCH_HAS_PACKS
#endif

namespace scorematch {

/// What a vector register holds.
template <class T>
concept VectorLane = std::same_as<T, float> || std::same_as<T, double>;

namespace detail {

#ifdef __GNUC__
// One vector register, as a value: compilers keep an array of numbers in memory, these they do not.
template <class T, int N>
struct RegisterOf {
  using Type [[gnu::vector_size(sizeof(T) * N)]] = T;
};
template <class T, int N>
using Register = typename RegisterOf<T, N>::Type;
#endif

// The register that takes most numbers at once: one, where they have no registers.
template <class Scalar>
struct WidestRegister {
  using Type = Scalar;
  static constexpr int lanes = 1;
};
#ifdef SCOREMATCH_HAS_VECTORS
template <VectorLane Scalar>
struct WidestRegister<Scalar> {
  static constexpr int lanes = vector_bytes / int(sizeof(Scalar));
  using Type = Register<Scalar, lanes>;
};
#endif

template <class Scalar, class R>
inline void load_register(const Scalar* from, R& to) {
  if constexpr (std::same_as<Scalar, R>) {
    to = *from;
  } else {
    std::memcpy(&to, from, sizeof to);
  }
}
template <class Scalar, class R>
inline void store_register(const R& from, Scalar* to) {
  if constexpr (std::same_as<Scalar, R>) {
    *to = from;
  } else {
    std::memcpy(to, &from, sizeof from);
  }
}

#ifdef SCOREMATCH_HAS_VECTORS
// The lanes `From` of a and b, those of b counted on from those of a.
template <int... From, class R>
inline void shuffle_registers(const R& a, const R& b, R& to) {
#if defined(__NVCC__)  // loses the dots of an expansion among the arguments of a builtin
  constexpr int count = sizeof...(From);
  to = R{(From < count ? a[From % count] : b[From % count])...};
#else
  to = __builtin_shufflevector(a, b, From...);
#endif
}
#endif

}  // namespace detail
}  // namespace scorematch
