// SPDX-License-Identifier: MIT
//
// What the kernels take the processor to be, each said once.
#pragma once

namespace scorematch::detail {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int vector_registers = 32;
#else
inline constexpr int vector_registers = 16;
#endif

// Doubles in a first-level cache of 32 KiB, the smallest that is common.
inline constexpr int numbers_in_cache = 4096;

// The largest size whose loops are written out and whose matrices stay on the stack.
inline constexpr int largest_unrolled = 16;

// What one object may take of the stack.
inline constexpr int stack_bytes = 1 << 16;

}  // namespace scorematch::detail
