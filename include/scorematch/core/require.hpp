// SPDX-License-Identifier: MIT
//
// How the library says that it was called wrongly. Every public header reaches this file, so it is
// also where a build that the library cannot be right under is refused.
#pragma once

#include <Eigen/Core>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error \
    "scorematch cannot be compiled with -ffast-math or -ffinite-math-only: the compiler then assumes that NaN and infinity never occur and deletes the checks that keep them out of a fit. Use -O3 -fno-math-errno -ffp-contract=fast instead."
#endif

#if defined(__ASSOCIATIVE_MATH__)
#error \
    "scorematch cannot be compiled with -funsafe-math-optimizations or -fassociative-math: the compiler then takes differences of samples in another order, which loses the digits of their variances. Use -O3 -fno-math-errno -ffp-contract=fast instead."
#endif

#if defined(EIGEN_DEFAULT_TO_ROW_MAJOR)
#error \
    "scorematch cannot be compiled with EIGEN_DEFAULT_TO_ROW_MAJOR: it reads and writes its own matrices column by column. Samples and weights may have any storage order: name Eigen::RowMajor in the types of yours that are to have it."
#endif

namespace scorematch::detail {

// Not inlined, for C++20 has every user compile what is inlined of std::string.
EIGEN_DONT_INLINE inline void append(std::string& sentence, const char* words) {
  sentence += words;
}
inline void append(std::string& sentence, const std::string& words) {
  append(sentence, words.c_str());
}
template <class Number>
  requires std::is_arithmetic_v<Number>
EIGEN_DONT_INLINE void append(std::string& sentence, Number number) {
  char buffer[48];
  if constexpr (std::is_unsigned_v<Number>) {
    std::snprintf(buffer, sizeof buffer, "%llu", static_cast<unsigned long long>(number));
  } else if constexpr (std::is_integral_v<Number>) {
    std::snprintf(buffer, sizeof buffer, "%lld", static_cast<long long>(number));
  } else {
    // As few digits as read back as the same number, but no fewer than nine (six of float).
    using Limits = std::numeric_limits<Number>;
    int digits = Limits::digits10 < 9 ? Limits::digits10 : 9;
    do {
      std::snprintf(buffer, sizeof buffer, "%.*Lg", digits, static_cast<long double>(number));
    } while (static_cast<Number>(std::strtold(buffer, nullptr)) != number &&
             ++digits <= Limits::max_digits10);
  }
  append(sentence, buffer);
}

// The parts, words and numbers, as one text.
template <class... Parts>
std::string text_of(const Parts&... parts) {
  std::string text;
  (append(text, parts), ...);
  return text;
}

// What is expected of a size that may be fixed.
inline std::string size_text(int fixed) {
  return fixed == Eigen::Dynamic ? text_of("at least 1") : text_of(fixed);
}

// Throws std::invalid_argument with the parts, words and numbers, as one sentence. Without
// exceptions, prints the sentence and aborts.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::string sentence = text_of("scorematch: ", parts...);
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
  throw std::invalid_argument(sentence);
#else
  sentence += '\n';
  std::fputs(sentence.c_str(), stderr);
  std::abort();
#endif
}

// "Moments: dimension = 0; expected at least 1"
inline void require_size(const char* owner, const char* what, Eigen::Index size, int fixed) {
  if (size < 1 || (fixed != Eigen::Dynamic && size != fixed)) {
    fail(owner, ": ", what, " = ", size, "; expected ", size_text(fixed));
  }
}

// "VonMisesFamily::kappa: site = 7; expected 0 to 5"
inline void require_index(const char* owner, const char* what, Eigen::Index index,
                          Eigen::Index count) {
  if (index >= 0 && index < count) return;
  if (count < 1) fail(owner, ": ", what, " = ", index, "; there is none");
  fail(owner, ": ", what, " = ", index, "; expected 0 to ", count - 1);
}

// "samples(row 1, column 7) = nan"
template <class Number, class Index>
std::string entry(const char* argument, Index row, Index column, const Number& value) {
  return text_of(argument, "(row ", row, ", column ", column, ") = ", value);
}

// "start(3) = nan"
template <class Number, class Index>
std::string entry(const char* argument, Index index, const Number& value) {
  return text_of(argument, "(", index, ") = ", value);
}

// Calls `call`; what it refuses is refused with "blocks[7]: " in front.
template <class Call>
void with_place([[maybe_unused]] const char* list, [[maybe_unused]] std::size_t index,
                Call&& call) {
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
  try {
    call();
  } catch (const std::invalid_argument& error) {
    std::string sentence = error.what();
    const std::string prefix = "scorematch: ";
    if (sentence.compare(0, prefix.size(), prefix) == 0) sentence.erase(0, prefix.size());
    fail(list, "[", index, "]: ", sentence);
  }
#else
  call();
#endif
}

// Calls `call`; false where it refuses its arguments. Without exceptions that ends the program.
template <class Call>
bool accepted(Call&& call) {
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
  try {
    call();
  } catch (const std::invalid_argument&) {
    return false;
  }
#else
  call();
#endif
  return true;
}

// "GradientDescent: learning_rate = -1; expected a finite number above 0"
template <class Number>
void require_option(bool holds, const char* owner, const char* option, const Number& value,
                    const char* expected) {
  if (!holds) fail(owner, ": ", option, " = ", value, "; expected ", expected);
}

}  // namespace scorematch::detail
