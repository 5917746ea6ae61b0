#pragma once

#include <scorematch/scalar.hpp>

#include <Eigen/Core>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace scorematch {

/// One truth value for each lane: what a comparison of packs gives.
template <Real T, int W>
class PackMask {
 public:
  // As wide as T, so that a choice between two packs is one instruction a register.
  using Lane = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;

  PackMask() = default;
  PackMask(bool value) { lanes_.fill(value ? Lane(-1) : Lane(0)); }

  bool operator[](int k) const { return lanes_[std::size_t(k)] != 0; }
  void set(int k, bool value) { lanes_[std::size_t(k)] = value ? Lane(-1) : Lane(0); }

  friend PackMask operator&(const PackMask& a, const PackMask& b) {
    PackMask result;
    for (std::size_t k = 0; k < W; ++k) result.lanes_[k] = a.lanes_[k] & b.lanes_[k];
    return result;
  }
  friend PackMask operator|(const PackMask& a, const PackMask& b) {
    PackMask result;
    for (std::size_t k = 0; k < W; ++k) result.lanes_[k] = a.lanes_[k] | b.lanes_[k];
    return result;
  }
  friend PackMask operator!(const PackMask& a) {
    PackMask result;
    for (std::size_t k = 0; k < W; ++k) result.lanes_[k] = ~a.lanes_[k];
    return result;
  }

  friend bool any(const PackMask& mask) {
    Lane some(0);
    for (std::size_t k = 0; k < W; ++k) some |= mask.lanes_[k];
    return some != 0;
  }
  friend bool all(const PackMask& mask) {
    Lane every(-1);
    for (std::size_t k = 0; k < W; ++k) every &= mask.lanes_[k];
    return every != 0;
  }

 private:
  alignas(sizeof(T) * W <= 64 ? sizeof(T) * W : 64) std::array<Lane, W> lanes_;
};

/// W numbers computed in lockstep: a scalar for families, losses and optimizers, which then run W
/// independent fits at once. `fit_batch` is the easy way to use it.
///
/// **Math** all operations lane by lane. Comparisons give a `PackMask`, not a bool: code that
/// branches on numbers has to choose with `select(mask, yes, no)` instead.
///
/// **Shapes** W a power of two; the best W is one to four vector registers' worth.
///
/// **Example** tests/pack_test.cpp
template <Real T, int W>
class Pack {
 public:
  static_assert(std::same_as<T, float> || std::same_as<T, double>,
                "a Pack holds floats or doubles: no vector register holds anything else");
  static_assert(W >= 2 && (W & (W - 1)) == 0, "a Pack has a power of two lanes, at least 2");

  using Lane = T;
  using Array = Eigen::Array<T, W, 1>;
  using Mask = PackMask<T, W>;

  Pack() = default;  // not set, as T itself

  /// The same value in every lane.
  template <class N>
  requires std::is_arithmetic_v<N> Pack(N value) : lanes_(Array::Constant(static_cast<T>(value))) {}

  explicit Pack(const Array& lanes) : lanes_(lanes) {}

  const Array& array() const { return lanes_; }
  T operator[](int k) const { return lanes_(k); }
  T& operator[](int k) { return lanes_(k); }

  Pack& operator+=(const Pack& b) { return *this = *this + b; }
  Pack& operator-=(const Pack& b) { return *this = *this - b; }
  Pack& operator*=(const Pack& b) { return *this = *this * b; }
  Pack& operator/=(const Pack& b) { return *this = *this / b; }

  friend Pack operator-(const Pack& a) { return Pack(-a.lanes_); }
  friend Pack operator+(const Pack& a, const Pack& b) { return Pack(a.lanes_ + b.lanes_); }
  friend Pack operator-(const Pack& a, const Pack& b) { return Pack(a.lanes_ - b.lanes_); }
  friend Pack operator*(const Pack& a, const Pack& b) { return Pack(a.lanes_ * b.lanes_); }
  friend Pack operator/(const Pack& a, const Pack& b) { return Pack(a.lanes_ / b.lanes_); }

  friend Pack abs(const Pack& a) { return Pack(a.lanes_.abs()); }
  friend Pack sqrt(const Pack& a) { return Pack(a.lanes_.sqrt()); }
  friend Pack exp(const Pack& a) { return Pack(a.lanes_.exp()); }
  friend Pack log(const Pack& a) { return Pack(a.lanes_.log()); }
  friend Pack max EIGEN_NOT_A_MACRO(const Pack& a, const Pack& b) { return select(a < b, b, a); }
  friend Pack min EIGEN_NOT_A_MACRO(const Pack& a, const Pack& b) { return select(b < a, b, a); }

  friend Mask operator<(const Pack& a, const Pack& b) {
    return compare(a, b, [](T x, T y) { return x < y; });
  }
  friend Mask operator<=(const Pack& a, const Pack& b) {
    return compare(a, b, [](T x, T y) { return x <= y; });
  }
  friend Mask operator==(const Pack& a, const Pack& b) {
    return compare(a, b, [](T x, T y) { return x == y; });
  }
  friend Mask operator!=(const Pack& a, const Pack& b) { return !(a == b); }
  friend Mask operator>(const Pack& a, const Pack& b) { return b < a; }
  friend Mask operator>=(const Pack& a, const Pack& b) { return b <= a; }

  /// yes where the mask holds, no elsewhere.
  friend Pack select(const Mask& mask, const Pack& yes, const Pack& no) {
    Pack result;
    for (int k = 0; k < W; ++k) result.lanes_(k) = mask[k] ? yes.lanes_(k) : no.lanes_(k);
    return result;
  }

  friend Mask is_finite(const Pack& a) { return a - a == Pack(0); }

 private:
  // A plain loop: Eigen compares one coefficient at a time.
  template <class Compare>
  static Mask compare(const Pack& a, const Pack& b, Compare holds) {
    Mask mask;
    for (int k = 0; k < W; ++k) mask.set(k, holds(a.lanes_(k), b.lanes_(k)));
    return mask;
  }

  Array lanes_;
};

template <Real T, int W>
struct ScalarTraits<Pack<T, W>> {
  using Lane = T;
  static constexpr int lanes = W;
  using Mask = PackMask<T, W>;
  template <class Value>
  using Each = std::array<Value, std::size_t(W)>;
};

namespace detail {

template <Real T, int W>
T lane_of(const Pack<T, W>& pack, int k) {
  return pack[k];
}

template <class Matrix>
requires(lanes_of<typename Matrix::Scalar> > 1) auto lane_of(const Matrix& packs, int k) {
  Eigen::Matrix<LaneOf<typename Matrix::Scalar>, Matrix::RowsAtCompileTime,
                Matrix::ColsAtCompileTime>
      result(packs.rows(), packs.cols());
  for (Eigen::Index i = 0; i < packs.size(); ++i) {
    result.coeffRef(i) = packs.coeff(i)[k];
  }
  return result;
}

template <Real T, int W>
void set_lane(PackMask<T, W>& mask, int k, bool value) {
  mask.set(k, value);
}

template <class Matrix, class Part>
requires(lanes_of<typename Matrix::Scalar> > 1) void set_lane(Matrix& packs, int k,
                                                              const Part& part) {
  for (Eigen::Index i = 0; i < packs.size(); ++i) packs.coeffRef(i)[k] = part.coeff(i);
}

template <class Value, int W, Real T>
void set_where(const PackMask<T, W>& mask, std::array<Value, std::size_t(W)>& values,
               const Value& value) {
  for (int k = 0; k < W; ++k) {
    if (mask[k]) values[std::size_t(k)] = value;
  }
}

}  // namespace detail
}  // namespace scorematch

template <scorematch::Real T, int W>
struct Eigen::NumTraits<scorematch::Pack<T, W>> : Eigen::GenericNumTraits<scorematch::Pack<T, W>> {
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
