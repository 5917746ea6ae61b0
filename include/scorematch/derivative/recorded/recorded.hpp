// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/recorded/elementary.hpp>
#include <scorematch/derivative/recorded/writer.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>

namespace scorematch {

/// A number that writes down what is done with it. A callable that runs once on such numbers leaves
/// a program, which then runs forward and backward over packs of samples: all derivatives by theta
/// at the cost of a few evaluations.
///
/// It behaves as T does at one sample, the leader: it can be compared, and a branch that other
/// samples would not take is found when they run. It has no `.value`, and does not convert to T:
/// a callable that asks for them is to be wrapped in `not_recorded`.
///
/// **Cost** a few words of memory an operation; sums of products, however they are written, become
/// one instruction.
///
/// **Example** docs/energies.md
template <VectorLane T>
class Recorded {
 public:
  using Id = typename detail::ProgramWriter<T>::Id;

  /// Zero.
  Recorded() = default;

  template <class C>
    requires std::is_arithmetic_v<C>
  Recorded(C value) : at_leader_(static_cast<T>(value)) {}

  friend Recorded operator+(const Recorded& x) { return x; }
  friend Recorded operator-(const Recorded& x) { return x * Recorded(T(-1)); }
  friend Recorded operator+(const Recorded& x, const Recorded& y) { return sum(x, y, false); }
  friend Recorded operator-(const Recorded& x, const Recorded& y) { return sum(x, y, true); }
  friend Recorded operator*(const Recorded& x, const Recorded& y) { return product(x, y); }
  friend Recorded operator/(const Recorded& x, const Recorded& y) {
    if (y.kind() == Kind::constant && x.kind() == Kind::constant)
      return x.at_leader_ / y.at_leader_;
    if (y.kind() == Kind::constant) {
      // Of the smallest numbers the inverse is not finite: then in two steps.
      const T unit = std::isfinite(1 / y.at_leader_) ? T(1) : T(0x1p60);
      return x * Recorded(unit) * Recorded(1 / (y.at_leader_ * unit));
    }
    return x * y.map([](const auto& v) { return 1 / v; }, detail::Reciprocal());
  }
  Recorded& operator+=(const Recorded& y) { return *this = *this + y; }
  Recorded& operator-=(const Recorded& y) { return *this = *this - y; }
  Recorded& operator*=(const Recorded& y) { return *this = *this * y; }
  Recorded& operator/=(const Recorded& y) { return *this = *this / y; }

  friend bool operator==(const Recorded& x, const Recorded& y) {
    return guard(x, y, Relation::equal, x.at_leader_ == y.at_leader_);
  }
  friend bool operator!=(const Recorded& x, const Recorded& y) { return !(x == y); }
  friend bool operator<(const Recorded& x, const Recorded& y) {
    return guard(x, y, Relation::below, x.at_leader_ < y.at_leader_);
  }
  friend bool operator<=(const Recorded& x, const Recorded& y) {
    return guard(x, y, Relation::at_most, x.at_leader_ <= y.at_leader_);
  }
  friend bool operator>(const Recorded& x, const Recorded& y) { return y < x; }
  friend bool operator>=(const Recorded& x, const Recorded& y) { return y <= x; }

  friend bool isfinite(const Recorded& x) {
    return guard(x, Recorded(), Relation::finite, std::isfinite(x.at_leader_));
  }
  friend bool isnan(const Recorded& x) {
    return guard(x, Recorded(), Relation::nan, std::isnan(x.at_leader_));
  }

  // What follows is for the library: users have functions (`exp(x)`, `pow(x, y)`).

  /// phi(x) for a function of any numbers, phi(v), and the same over packs with its derivatives.
  template <class Phi, class OnPacks = detail::LaneByLane>
  Recorded map(const Phi& phi, const OnPacks& = {}) const {
    return with_parameter([&phi](const auto& v, T) { return phi(v); },
                          detail::Unparametrized<Phi, OnPacks>(), T(0));
  }

  /// phi(x, parameter), the parameter a constant.
  template <class Phi, class OnPacks>
  Recorded with_parameter(const Phi& phi, const OnPacks&, T parameter) const {
    if (kind() == Kind::constant) return Recorded(static_cast<T>(phi(at_leader_, parameter)));
    if (kind() == Kind::uniform) {
      const auto at = phi(Dual<T, 1>::variable(at_leader_, 0), parameter);
      return of_uniform(*program_, program_->made_of(at.value, number(), at.gradient[0],
                                                     detail::ProgramWriter<T>::one, T(0)));
    }
    const Id base = program_->scaled(node(), coefficient_);
    const detail::UnaryFunction<T> function{&detail::for_each_of<OnPacks, T>, parameter};
    return of_node(*program_, program_->composed(function, base),
                   static_cast<T>(phi(at_leader_, parameter)));
  }

  /// phi(x, y) for a function of any two numbers.
  template <class Phi, class OnPacks = detail::PairByPair<Phi>>
  static Recorded map(const Phi& phi, const Recorded& x, const Recorded& y, const OnPacks& = {}) {
    const T at = static_cast<T>(phi(x.at_leader_, y.at_leader_));
    if (x.kind() == Kind::constant && y.kind() == Kind::constant) return Recorded(at);
    detail::ProgramWriter<T>& program = *(x.program_ ? x.program_ : y.program_);
    if (!x.of_sample() && !y.of_sample()) {
      using Number = Dual<T, 2>;
      const auto number = [](const Recorded& z, int index) {
        return z.program_ ? Number::variable(z.at_leader_, index) : Number(z.at_leader_);
      };
      const Number both = phi(number(x, 0), number(y, 1));
      return of_uniform(program, program.made_of(both.value, x.uniform(program), both.gradient[0],
                                                 y.uniform(program), both.gradient[1]));
    }
    const detail::BinaryFunction<T> function{&OnPacks::template at<T>};
    return of_node(program, program.binary(function, x.as_node(program), y.as_node(program)), at);
  }

  /// log of the sum of exp over some numbers, of which at least one depends on the sample.
  template <class Vector>
  static Recorded logsumexp(const Vector& of, T at_leader) {
    detail::ProgramWriter<T>* program = nullptr;
    for (Eigen::Index k = 0; k < of.size(); ++k) {
      if (of(k).program_) program = of(k).program_;
    }
    program->gathered.clear();
    for (Eigen::Index k = 0; k < of.size(); ++k) {
      program->gathered.push_back(of(k).as_node(*program));
    }
    return of_node(*program, program->logsumexp(), at_leader);
  }

  static Recorded coordinate(detail::ProgramWriter<T>& program, Eigen::Index i) {
    return of_node(program, Id(i), program.leader[std::size_t(i)]);
  }
  static Recorded parameter(detail::ProgramWriter<T>& program, Eigen::Index k) {
    return of_uniform(program, Id(k) + 1);
  }
  bool is_constant() const { return kind() == Kind::constant; }
  bool of_sample() const { return program_ && (number_ & kinds) != 0; }
  T at_leader() const { return at_leader_; }
  /// Ends the program with this number.
  void finish(detail::ProgramWriter<T>& program) const { program.finish(as_node(program)); }

 private:
  using Relation = typename detail::ProgramWriter<T>::Relation;
  enum class Kind { constant, uniform, node, link };

  static constexpr Id kinds = Id(3) << 29;  // of number_, below the bit of constants
  static constexpr Id node_bit = Id(1) << 29;
  static constexpr Id link_bit = Id(1) << 30;

  Kind kind() const {
    if (!program_) return Kind::constant;
    return (number_ & kinds) == node_bit   ? Kind::node
           : (number_ & kinds) == link_bit ? Kind::link
                                           : Kind::uniform;
  }
  Id number() const { return number_ & ~kinds; }
  Id node() const { return kind() == Kind::link ? program_->placed(number()) : number(); }
  Id uniform(detail::ProgramWriter<T>& program) const {
    return program_ ? number() : program.constant(at_leader_);
  }
  Id as_node(detail::ProgramWriter<T>& program) const {
    return of_sample() ? program.scaled(node(), coefficient_) : program.lifted(uniform(program));
  }

  static Recorded made(detail::ProgramWriter<T>& program, Id number, Id coefficient, T at_leader) {
    Recorded result;
    result.program_ = &program;
    result.at_leader_ = at_leader;
    result.number_ = number;
    result.coefficient_ = coefficient;
    return result;
  }
  static Recorded of_uniform(detail::ProgramWriter<T>& program, Id uniform) {
    return made(program, uniform, detail::ProgramWriter<T>::one, program.uniform(uniform));
  }
  static Recorded of_node(detail::ProgramWriter<T>& program, Id node, T at_leader) {
    return made(program, node | node_bit, detail::ProgramWriter<T>::one, at_leader);
  }

  static Recorded sum(const Recorded& x, const Recorded& y, bool minus) {
    const T at = minus ? x.at_leader_ - y.at_leader_ : x.at_leader_ + y.at_leader_;
    if (!x.program_ && !y.program_) return Recorded(at);
    if (!y.program_ && y.at_leader_ == T(0)) return x;
    if (!x.program_ && x.at_leader_ == T(0)) return minus ? -y : y;
    using Program = detail::ProgramWriter<T>;
    Program& program = *(x.program_ ? x.program_ : y.program_);
    if (!x.of_sample() && !y.of_sample()) {
      return of_uniform(program, program.made_of(at, x.uniform(program), T(1), y.uniform(program),
                                                 minus ? T(-1) : T(1)));
    }
    const Id minus_one = minus ? program.constant(T(-1)) : Program::one;
    const auto term = [&](Id base, const Recorded& z, Id sign) {
      return z.of_sample()
                 ? program.link(base, z.node(), program.times(z.coefficient_, sign))
                 : program.link(base, Program::none, program.times(z.uniform(program), sign));
    };
    // A sum goes on where one is open.
    const auto open = [](const Recorded& z) {
      return z.kind() == Kind::link && z.coefficient_ == Program::one;
    };
    Id link;
    if (open(x)) {
      link = term(x.number(), y, minus_one);
    } else if (open(y) && !minus) {
      link = term(y.number(), x, Program::one);
    } else {
      link = term(term(Program::none, x, Program::one), y, minus_one);
    }
    return made(program, link | link_bit, Program::one, at);
  }

  static Recorded product(const Recorded& x, const Recorded& y) {
    const T at = x.at_leader_ * y.at_leader_;
    detail::ProgramWriter<T>* const either = x.program_ ? x.program_ : y.program_;
    if (!either) return Recorded(at);
    if ((!x.program_ && x.at_leader_ == T(0)) || (!y.program_ && y.at_leader_ == T(0))) {
      return Recorded();
    }
    detail::ProgramWriter<T>& program = *either;
    if (!x.of_sample() && !y.of_sample()) {
      return of_uniform(program, program.times(x.uniform(program), y.uniform(program)));
    }
    if (!x.of_sample()) return product(y, x);
    if (!y.of_sample()) {
      Recorded result = x;
      result.coefficient_ = program.times(x.coefficient_, y.uniform(program));
      result.at_leader_ = at;
      return result;
    }
    const Id a = x.node(), b = y.node();
    const Id coefficient = program.times(x.coefficient_, y.coefficient_);
    if (a == b) {
      const detail::UnaryFunction<T> square{&detail::for_each_of<detail::Square, T>, T(0)};
      return made(program, program.composed(square, a) | node_bit, coefficient, at);
    }
    return made(program, program.product(a, b) | node_bit, coefficient, at);
  }

  static bool guard(const Recorded& x, const Recorded& y, Relation relation, bool outcome) {
    if (!x.of_sample() && !y.of_sample()) return outcome;
    detail::ProgramWriter<T>& program = *(x.program_ ? x.program_ : y.program_);
    program.guard(x.as_node(program), y.as_node(program), relation, outcome);
    return outcome;
  }

  detail::ProgramWriter<T>* program_ = nullptr;  // none: a constant
  T at_leader_ = T(0);
  Id number_ = 0;
  Id coefficient_ = detail::ProgramWriter<T>::one;
};

namespace detail {
template <class T>
inline constexpr bool is_recorded<Recorded<T>> = true;
}  // namespace detail

/// A recorded number stands for all samples: it has no plain value.
template <class T>
T value(const Recorded<T>&) {
  static_assert(
      !std::same_as<T, T>,
      "a recorded number has no plain value: wrap the energy in scorematch::not_recorded");
}

}  // namespace scorematch

/// @cond
template <scorematch::VectorLane T>
class std::numeric_limits<scorematch::Recorded<T>> : public std::numeric_limits<T> {
  using X = scorematch::Recorded<T>;
  using Plain = std::numeric_limits<T>;

 public:
  static X min EIGEN_NOT_A_MACRO() noexcept { return X((Plain::min)()); }
  static X max EIGEN_NOT_A_MACRO() noexcept { return X((Plain::max)()); }
  static X lowest() noexcept { return X(Plain::lowest()); }
  static X epsilon() noexcept { return X(Plain::epsilon()); }
  static X round_error() noexcept { return X(Plain::round_error()); }
  static X infinity() noexcept { return X(Plain::infinity()); }
  static X quiet_NaN() noexcept { return X(Plain::quiet_NaN()); }
  static X signaling_NaN() noexcept { return X(Plain::signaling_NaN()); }
  static X denorm_min() noexcept { return X(Plain::denorm_min()); }
};
/// @endcond

namespace Eigen {

template <scorematch::VectorLane T>
struct NumTraits<scorematch::Recorded<T>> : GenericNumTraits<scorematch::Recorded<T>> {
  using X = scorematch::Recorded<T>;
  using Real = X;
  using NonInteger = X;
  using Nested = X;
  using Literal = T;
  enum {
    IsInteger = 0,
    IsSigned = 1,
    IsComplex = 0,
    RequireInitialization = 1,
    ReadCost = 2,
    AddCost = 8,
    MulCost = 8
  };
  static X epsilon() { return X(NumTraits<T>::epsilon()); }
  static X dummy_precision() { return X(NumTraits<T>::dummy_precision()); }
  static X highest() { return X(NumTraits<T>::highest()); }
  static X lowest() { return X(NumTraits<T>::lowest()); }
  static int digits10() { return NumTraits<T>::digits10(); }
};

template <scorematch::VectorLane T, class C, class BinaryOp>
  requires std::is_arithmetic_v<C>
struct ScalarBinaryOpTraits<scorematch::Recorded<T>, C, BinaryOp> {
  using ReturnType = scorematch::Recorded<T>;
};
template <scorematch::VectorLane T, class C, class BinaryOp>
  requires std::is_arithmetic_v<C>
struct ScalarBinaryOpTraits<C, scorematch::Recorded<T>, BinaryOp> {
  using ReturnType = scorematch::Recorded<T>;
};

}  // namespace Eigen
