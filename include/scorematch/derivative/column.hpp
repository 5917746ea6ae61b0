// SPDX-License-Identifier: MIT
//
// The columns that callables of the user's are handed.
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <concepts>

namespace scorematch::detail {

enum class ColumnOf { x, theta };

// The Eigen::Matrix of one column that it derives from, with two differences: an index out of range
// is an error, also where Eigen's assertions are off; and numbers do not pass for plain ones, so
// that overload resolution sees a callable that takes `const Eigen::Vector2d&`.
template <class Base, ColumnOf argument = ColumnOf::x>
class Column : public Base {
 public:
  using Scalar = typename Base::Scalar;
  using Index = Eigen::Index;

  explicit Column(Index size) : Base(size) {}
  explicit Column(const Base& column) : Base(column) {}

  template <class Other, int Rows, int Options, int MaxRows>
    requires(!std::same_as<Other, Scalar>)
  operator Eigen::Matrix<Other, Rows, 1, Options, MaxRows, 1>() const = delete;

  using Base::operator();
  const Scalar& operator()(Index i) const { return Base::coeffRef(checked(i)); }
  Scalar& operator()(Index i) { return Base::coeffRef(checked(i)); }
  const Scalar& operator[](Index i) const { return Base::coeffRef(checked(i)); }
  Scalar& operator[](Index i) { return Base::coeffRef(checked(i)); }

 private:
  Index checked(Index i) const {
    if (i < 0 || i >= this->size()) [[unlikely]] {
      out_of_range(i, this->size());
    }
    return i;
  }

  [[noreturn]] EIGEN_DONT_INLINE static void out_of_range(Index i, Index size) {
    const char* name = argument == ColumnOf::x ? "x" : "theta";
    fail("a callable reads ", name, "(", i, "), where ", name, " has ", size,
         size == 1 ? " entry" : " entries", "; expected an index from 0 to ", size - 1);
  }
};

}  // namespace scorematch::detail
