// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/scalar.hpp>
#include <scorematch/core/vector_register.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

// Packs are kept in the vector extension that g++ and clang share. Other compilers, and nvcc, go
// without: `fit_batch` then fits one by one.
#if !defined(SCOREMATCH_HAS_PACKS)
#error "scorematch/core/pack.hpp needs the vector extension of g++ and clang; nvcc cannot use it"
#endif

// Lets clang fuse a product and a sum that stand in different functions, as g++ does by default;
// and keeps it from cancelling a number that is added to round and subtracted again, which
// -fassociative-math allows. Of that mode clang has no macro; g++ has, and is refused in
// require.hpp.
#if defined(__clang__)
#define SCOREMATCH_FUSE _Pragma("clang fp contract(fast)")
#define SCOREMATCH_AS_WRITTEN _Pragma("clang fp reassociate(off)")
#else
#define SCOREMATCH_FUSE
#define SCOREMATCH_AS_WRITTEN
#endif

namespace scorematch {

namespace detail {

// registers[r] = make(r) for each; not a loop, which would keep them in memory until it is
// unrolled.
template <class R, std::size_t Count, class Make, int... r>
EIGEN_ALWAYS_INLINE void fill_registers(R (&registers)[Count], Make make,
                                        std::integer_sequence<int, r...>) {
  ((registers[r] = make(r)), ...);
}

// How W lanes of T are cut into registers of the widest kind that Eigen was compiled for.
template <class T, int W>
struct Layout {
  static constexpr int widest = (std::max)(int(EIGEN_MAX_STATIC_ALIGN_BYTES), 16) / int(sizeof(T));
  static constexpr int width = (std::min)(W, widest);
  static constexpr int count = W / width;
};

}  // namespace detail

/// One truth value for each lane: what a comparison of packs gives.
template <VectorLane T, int W>
class PackMask {
 public:
  // As wide as T, so that a choice between two packs is one instruction a register.
  using Lane = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;

  PackMask() = default;
  PackMask(bool value) {
    *this = of([&](int) {
      if constexpr (in_bits) {
        return value ? Bits(-1) : Bits(0);
      } else {
        return Bits{} - Lane(value);
      }
    });
  }

  bool operator[](int k) const {
    if constexpr (in_bits) {
      return (registers_[k / width] >> (k % width) & 1) != 0;
    } else {
      return registers_[k / width][k % width] != 0;
    }
  }
  void set(int k, bool value) {
    if constexpr (in_bits) {
      const Bits others = Bits(registers_[k / width] & ~(1 << (k % width)));
      registers_[k / width] = Bits(others | int(value) << (k % width));
    } else {
      registers_[k / width][k % width] = value ? Lane(-1) : Lane(0);
    }
  }

  friend PackMask operator&(const PackMask& a, const PackMask& b) {
    return of([&](int r) { return Bits(a.registers_[r] & b.registers_[r]); });
  }
  friend PackMask operator|(const PackMask& a, const PackMask& b) {
    return of([&](int r) { return Bits(a.registers_[r] | b.registers_[r]); });
  }
  friend PackMask operator!(const PackMask& a) {
    return of([&](int r) { return Bits(~a.registers_[r]); });
  }

  friend bool any(const PackMask& mask) {
    Bits some = mask.registers_[0];
    for (int r = 1; r < count; ++r) some = Bits(some | mask.registers_[r]);
    if constexpr (in_bits) {
      return some != 0;
    } else {
      // A byte a lane, so that a register is one or two integers.
      const auto narrow = __builtin_convertvector(some, detail::Register<signed char, width>);
      constexpr int words = (width + 7) / 8;
      std::uint64_t bytes[std::size_t(words)] = {};
      std::memcpy(&bytes, &narrow, sizeof narrow);
      for (int k = 1; k < words; ++k) bytes[0] |= bytes[k];
      return bytes[0] != 0;
    }
  }
  friend bool all(const PackMask& mask) { return !any(!mask); }

 private:
  template <VectorLane, int>
  friend class Pack;

  static constexpr int width = detail::Layout<T, W>::width;
  static constexpr int count = detail::Layout<T, W>::count;
#if defined(__AVX512F__)
  // There a comparison gives bits, which as lanes of a vector would have to be made bits again.
  static constexpr bool in_bits = width * int(sizeof(T)) == 64;
#else
  static constexpr bool in_bits = false;
#endif
  using Bits =
      std::conditional_t<in_bits, std::conditional_t<sizeof(T) == 8, std::uint8_t, std::uint16_t>,
                         detail::Register<Lane, width>>;

  template <class Make>
  static PackMask of(Make make) {
    PackMask mask;
    detail::fill_registers(mask.registers_, make, std::make_integer_sequence<int, count>{});
    return mask;
  }

  Bits registers_[std::size_t(count)];
};

/// W numbers computed in lockstep: a scalar for families, losses and optimizers, which then run W
/// independent fits at once. `fit_batch` is the easy way to use it.
///
/// **Math** all operations lane by lane; the elementary functions are Eigen's vectorized ones.
/// Comparisons give a `PackMask`, not a bool: code that branches on numbers has to choose with
/// `select(mask, yes, no)` instead.
///
/// **Shapes** W a power of two; the best W is one to four vector registers' worth.
///
/// **Example** tests/batch_test.cpp
template <VectorLane T, int W>
class Pack {
 public:
  static_assert(W >= 2 && (W & (W - 1)) == 0, "a Pack has a power of two lanes, at least 2");

  using Lane = T;
  using Array = Eigen::Array<T, W, 1>;
  using Mask = PackMask<T, W>;

  Pack() = default;  // not set, as T itself

  /// The same value in every lane.
  template <class N>
    requires std::is_arithmetic_v<N>
  Pack(N value) {
    *this = of([&](int) { return static_cast<T>(value) - Values{}; });  // of which -0 stays -0
  }

  explicit Pack(const Array& lanes) { std::memcpy(registers_, lanes.data(), sizeof registers_); }

  /// The lanes as an array of Eigen's.
  Eigen::Map<const Array> array() const {
    return Eigen::Map<const Array>(reinterpret_cast<const T*>(registers_));
  }

  T operator[](int k) const { return registers_[k / width][k % width]; }
  void set(int k, T value) { registers_[k / width][k % width] = value; }

  Pack& operator+=(const Pack& b) { return *this = *this + b; }
  Pack& operator-=(const Pack& b) { return *this = *this - b; }
  Pack& operator*=(const Pack& b) { return *this = *this * b; }
  Pack& operator/=(const Pack& b) { return *this = *this / b; }

  friend Pack operator-(const Pack& a) {
    return of([&](int r) { return -a.registers_[r]; });
  }
  friend Pack operator+(const Pack& a, const Pack& b) {
    return of([&](int r) {
      SCOREMATCH_FUSE
      return a.registers_[r] + b.registers_[r];
    });
  }
  friend Pack operator-(const Pack& a, const Pack& b) {
    return of([&](int r) {
      SCOREMATCH_FUSE
      return a.registers_[r] - b.registers_[r];
    });
  }
  friend Pack operator*(const Pack& a, const Pack& b) {
    return of([&](int r) {
      SCOREMATCH_FUSE
      return a.registers_[r] * b.registers_[r];
    });
  }
  friend Pack operator/(const Pack& a, const Pack& b) {
    return of([&](int r) { return a.registers_[r] / b.registers_[r]; });
  }

  friend Pack abs(const Pack& a) { return Pack(Array(a.array().abs())); }
  friend Pack sqrt(const Pack& a) { return Pack(Array(a.array().sqrt())); }
  friend Pack exp(const Pack& a) {
    if constexpr (std::same_as<T, double>) {
      return of([&](int r) { return exponential(a.registers_[r]); });
    } else {
      return Pack(Array(a.array().exp()));
    }
  }
  /// e^a and e^a - 1 for a <= 0, both to the last digits.
  friend void exp_below_zero(const Pack& a, Pack& exp_of_it, Pack& less_one) {
    if constexpr (std::same_as<T, double>) {
      for (int r = 0; r < count; ++r) {
        exponential_and_less_one(a.registers_[r], exp_of_it.registers_[r], less_one.registers_[r]);
      }
    } else {
      exp_of_it = exp(a);
      less_one = Pack(Array(a.array().expm1()));
    }
  }
  friend Pack log1p(const Pack& a) { return Pack(Array(a.array().log1p())); }
  friend Pack log(const Pack& a) { return Pack(Array(a.array().log())); }
  friend Pack sin(const Pack& a) { return Pack(Array(a.array().sin())); }
  friend Pack cos(const Pack& a) { return Pack(Array(a.array().cos())); }
  friend Pack max EIGEN_NOT_A_MACRO(const Pack& a, const Pack& b) { return select(a < b, b, a); }
  friend Pack min EIGEN_NOT_A_MACRO(const Pack& a, const Pack& b) { return select(b < a, b, a); }

  friend Mask operator<(const Pack& a, const Pack& b) { return a.below(b); }
  friend Mask operator<=(const Pack& a, const Pack& b) { return a.at_most(b); }
  friend Mask operator==(const Pack& a, const Pack& b) { return a.equal(b); }
  friend Mask operator!=(const Pack& a, const Pack& b) { return !(a == b); }
  friend Mask operator>(const Pack& a, const Pack& b) { return b < a; }
  friend Mask operator>=(const Pack& a, const Pack& b) { return b <= a; }

  /// yes where the mask holds, no elsewhere.
  friend Pack select(const Mask& mask, const Pack& yes, const Pack& no) {
    return yes.or_else(mask, no);
  }

  friend Mask is_finite(const Pack& a) { return a - a == Pack(0); }

 private:
  template <class Make>
  EIGEN_ALWAYS_INLINE static Pack of(Make make) {
    Pack pack;
    detail::fill_registers(pack.registers_, make, std::make_integer_sequence<int, count>{});
    return pack;
  }

  // Members, for they see into a mask, which a friend of this class does not.
  Mask below(const Pack& b) const {
    return compared<1>(b, [](const auto& x, const auto& y) { return x < y; });
  }
  Mask at_most(const Pack& b) const {
    return compared<2>(b, [](const auto& x, const auto& y) { return x <= y; });
  }
  Mask equal(const Pack& b) const {
    return compared<0>(b, [](const auto& x, const auto& y) { return x == y; });
  }
  // `predicate` is that of AVX-512: _CMP_EQ_OQ, _CMP_LT_OS or _CMP_LE_OS.
  template <int predicate, class Compare>
  Mask compared(const Pack& b, Compare compare) const {
    return Mask::of([&](int r) {
#if defined(__AVX512F__)
      if constexpr (Mask::in_bits && std::same_as<T, double>) {
        return _mm512_cmp_pd_mask(registers_[r], b.registers_[r], predicate);
      } else if constexpr (Mask::in_bits) {
        return _mm512_cmp_ps_mask(registers_[r], b.registers_[r], predicate);
      } else
#endif
      {
        return compare(registers_[r], b.registers_[r]);
      }
    });
  }
  Pack or_else(const Mask& mask, const Pack& no) const {
    return of([&](int r) {
#if defined(__AVX512F__)
      if constexpr (Mask::in_bits && std::same_as<T, double>) {
        return _mm512_mask_blend_pd(mask.registers_[r], no.registers_[r], registers_[r]);
      } else if constexpr (Mask::in_bits) {
        return _mm512_mask_blend_ps(mask.registers_[r], no.registers_[r], registers_[r]);
      } else
#endif
      {
        return mask.registers_[r] ? registers_[r] : no.registers_[r];
      }
    });
  }

  using Values = detail::Register<T, detail::Layout<T, W>::width>;
  using Bits = detail::Register<typename Mask::Lane, detail::Layout<T, W>::width>;

  // 2^n for a whole n of -1022 to 1023, by way of the bits of a double: above 2^52 its last ones
  // count units.
  static Values power_of_two(Values n) {
    SCOREMATCH_AS_WRITTEN
    return std::bit_cast<Values>(std::bit_cast<Bits>(n + (0x1.8p52 + 1023)) << 52);
  }

#if defined(__AVX512F__)
  // 2^(k / 16) for the last four bits of each k, and what it lacks.
  static Values root_of_two(Bits k) {
    return _mm512_permutex2var_pd(
        Values{0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0,
               0x1.2387a6e756238p+0, 0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0,
               0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0},
        std::bit_cast<__m512i>(k),
        Values{0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0,
               0x1.9c49182a3f090p+0, 0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0,
               0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0});
  }
  static Values rest_of_root(Bits k) {
    return _mm512_permutex2var_pd(
        Values{0x0.0000000000000p+0, 0x1.8a62e4adc610bp-54, -0x1.19041b9d78a76p-55,
               0x1.9b07eb6c70573p-54, 0x1.6f46ad23182e4p-55, 0x1.ada0911f09ebcp-55,
               0x1.d4397afec42e2p-56, 0x1.6324c054647adp-54},
        std::bit_cast<__m512i>(k),
        Values{-0x1.bdd3413b26456p-54, -0x1.41577ee04992fp-55, 0x1.6e9f156864b27p-54,
               0x1.c7c46b071f2bep-56, 0x1.7a1cd345dcc81p-54, 0x1.11065895048ddp-55,
               0x1.2ed02d75b3707p-55, -0x1.e9c23179c2893p-54});
  }

  // e^x = 2^n e^r, n in sixteenths and |r| <= log(2) / 32: the fraction of n by a table, the rest
  // by the exponent; the series of e^r to r^6, economized by the Chebyshev polynomial of degree 7.
  // An error of at most one unit in the last place, by half the instructions of `exponential`.
  static Values exponential_by_table(Values x) {
    SCOREMATCH_FUSE
    SCOREMATCH_AS_WRITTEN
    constexpr double magic = 0x1.8p48;
    // Beyond these the result is infinity and zero; a NaN passes.
    x = _mm512_max_pd(Values{} - 760., _mm512_min_pd(Values{} + 760., x));
    const Values sixteenths = x * 1.4426950408889634 + magic;
    const Values n = sixteenths - magic;
    const Values r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
    const Values r2 = r * r;
    const Values odd = 1.0000000000000022 + r2 * (0.16666666662844765 + r2 * 0.008333496247359863);
    const Values even = 1. / 2 + r2 * (1. / 24 + r2 * (1. / 720));
    const Values series = r * odd + r2 * even;
    const Values root = root_of_two(std::bit_cast<Bits>(sixteenths));
    const Values rest = rest_of_root(std::bit_cast<Bits>(sixteenths));
    return _mm512_scalef_pd(root + (root * series + rest), n);
  }
#endif

  // e^x = 2^n e^r, |r| <= log(2) / 2, n log(2) in two parts (Cody and Waite 1980), the Taylor
  // series of e^r to r^13; an error of at most one unit in the last place. Eigen 3.4 divides
  // polynomials and scales in four steps, which takes half the time of a step of gradient descent.
  static Values exponential(Values x) {
    SCOREMATCH_FUSE
    SCOREMATCH_AS_WRITTEN
#if defined(__AVX512F__)
    if constexpr (sizeof(Values) == 64) return exponential_by_table(x);
#endif
    constexpr double magic = 0x1.8p52;
    // Beyond these the result is infinity and zero; a NaN passes.
    x = x > 711. ? Values{} + 711. : x;
    x = x < -760. ? Values{} - 760. : x;
    const Values n = (x * 1.4426950408889634 + magic) - magic;
    const Values r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
    const Values series = 1. + (r + r * r * rest_of_series(r));
    const Values half = (n * 0.5 + magic) - magic;  // 2^n itself may be out of range
    return series * power_of_two(half) * power_of_two(n - half);
  }

  // e^x and e^x - 1 for x <= 0: 2^n + 2^n (e^r - 1) and (2^n - 1) + 2^n (e^r - 1), n and r as in
  // the two above.
  static void exponential_and_less_one(Values x, Values& e, Values& less) {
    SCOREMATCH_FUSE
    SCOREMATCH_AS_WRITTEN
    x = x < -708. ? Values{} - 708. : x;
    Values scale, rest;
#if defined(__AVX512F__)
    if constexpr (sizeof(Values) == 64) {
      constexpr double magic = 0x1.8p48;
      const Values sixteenths = x * 1.4426950408889634 + magic;
      const Values n = sixteenths - magic;
      const Values r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
      const Values r2 = r * r;
      const Values series =
          r + r2 * ((1. / 2 + 1. / 6 * r) +
                    r2 * ((1. / 24 + 1. / 120 * r) + r2 * (1. / 720 + 1. / 5040 * r)));
      scale = _mm512_scalef_pd(root_of_two(std::bit_cast<Bits>(sixteenths)), n);
      rest = scale * series + _mm512_scalef_pd(rest_of_root(std::bit_cast<Bits>(sixteenths)), n);
    } else
#endif
    {
      constexpr double magic = 0x1.8p52;
      const Values n = (x * 1.4426950408889634 + magic) - magic;
      const Values r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
      scale = power_of_two(n);
      rest = scale * (r + r * r * rest_of_series(r));
    }
    e = scale + rest;
    less = (scale - 1.) + rest;
  }
  // (e^r - 1 - r) / r^2 to r^13.
  static Values rest_of_series(Values r) {
    SCOREMATCH_FUSE
    const Values r2 = r * r;
    const Values r4 = r2 * r2;
    const Values low = (1. / 6 * r + 1. / 2) + r2 * (1. / 120 * r + 1. / 24);
    const Values middle = (1. / 5040 * r + 1. / 720) + r2 * (1. / 362880 * r + 1. / 40320);
    const Values high =
        (1. / 39916800 * r + 1. / 3628800) + r2 * (1. / 6227020800 * r + 1. / 479001600);
    return low + r4 * (middle + r4 * high);
  }

  static constexpr int width = detail::Layout<T, W>::width;
  static constexpr int count = detail::Layout<T, W>::count;
  Values registers_[std::size_t(count)];
};

#undef SCOREMATCH_FUSE
#undef SCOREMATCH_AS_WRITTEN

template <VectorLane T, int W>
struct ScalarTraits<Pack<T, W>> {
  using Lane = T;
  static constexpr int lanes = W;
  using Mask = PackMask<T, W>;
  template <class Value>
  using Each = std::array<Value, std::size_t(W)>;
};

}  // namespace scorematch

namespace Eigen {

template <scorematch::VectorLane T, int W>
struct NumTraits<scorematch::Pack<T, W>> : GenericNumTraits<scorematch::Pack<T, W>> {
  using Pack = scorematch::Pack<T, W>;
  using Real = Pack;
  using NonInteger = Pack;
  using Nested = Pack;
  using Literal = T;
  enum {
    IsInteger = 0,
    IsSigned = 1,
    IsComplex = 0,
    RequireInitialization = 0,
    ReadCost = W,
    AddCost = W,
    MulCost = W
  };
  static Pack epsilon() { return Pack(NumTraits<T>::epsilon()); }
  static Pack dummy_precision() { return Pack(NumTraits<T>::dummy_precision()); }
  static Pack highest() { return Pack(NumTraits<T>::highest()); }
  static Pack lowest() { return Pack(NumTraits<T>::lowest()); }
  static int digits10() { return NumTraits<T>::digits10(); }
};

}  // namespace Eigen
