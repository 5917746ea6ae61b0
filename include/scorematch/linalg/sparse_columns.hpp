// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <vector>

namespace scorematch::detail {

// Columns of few entries each, which are read often and change one at a time. The entries of a
// column stand in the order in which they became nonzero, until there are so many that the whole
// column takes less time to read.
template <class Scalar_>
class SparseColumns {
 public:
  using Scalar = Scalar_;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

  SparseColumns(Eigen::Index rows, Eigen::Index columns) : columns_(std::size_t(columns)) {
    for (Column& column : columns_) column.length = rows;
  }

  // Columns of lengths of their own.
  explicit SparseColumns(const std::vector<Eigen::Index>& lengths) : columns_(lengths.size()) {
    for (std::size_t j = 0; j < lengths.size(); ++j) columns_[j].length = lengths[j];
  }

  Eigen::Index columns() const { return Eigen::Index(columns_.size()); }

  Scalar value(Eigen::Index i, Eigen::Index j) const {
    const Column& column = columns_[std::size_t(j)];
    if (column.is_whole()) return column.whole(i);
    const std::size_t at = column.find(i);
    return at < column.rows.size() ? column.values[at] : Scalar(0);
  }

  // Zero takes the entry out.
  void set(Eigen::Index i, Eigen::Index j, Scalar value) {
    Column& column = columns_[std::size_t(j)];
    if (column.is_whole()) {
      column.whole(i) = value;
      return;
    }
    const std::size_t at = column.find(i);
    if (at < column.rows.size()) {
      if (value != 0) {
        column.values[at] = value;
      } else {
        column.rows.erase(column.rows.begin() + std::ptrdiff_t(at));
        column.values.erase(column.values.begin() + std::ptrdiff_t(at));
      }
    } else if (value != 0) {
      column.rows.push_back(i);
      column.values.push_back(value);
      if (whole_share * Eigen::Index(column.rows.size()) > column.length) column.fill();
    }
  }

  // Calls visit(i, value) for what is not zero in column j.
  template <class Visit>
  void for_each(Eigen::Index j, Visit&& visit) const {
    const Column& column = columns_[std::size_t(j)];
    if (column.is_whole()) {
      for (Eigen::Index i = 0; i < column.length; ++i) {
        if (column.whole(i) != 0) visit(i, column.whole(i));
      }
    } else {
      for (std::size_t e = 0; e < column.rows.size(); ++e) visit(column.rows[e], column.values[e]);
    }
  }

  // Column j times a dense one.
  template <class Dense>
  Scalar dot(Eigen::Index j, const Dense& dense) const {
    const Column& column = columns_[std::size_t(j)];
    if (column.is_whole()) return column.whole.dot(dense);
    Scalar sum(0);
    for (std::size_t e = 0; e < column.rows.size(); ++e) {
      sum += column.values[e] * dense(column.rows[e]);
    }
    return sum;
  }

 private:
  static constexpr Eigen::Index whole_share = 6;

  struct Column {
    Eigen::Index length = 0;
    std::vector<Eigen::Index> rows;
    std::vector<Scalar> values;
    Vector whole;

    bool is_whole() const { return whole.size() > 0; }

    std::size_t find(Eigen::Index i) const {
      std::size_t at = 0;
      while (at < rows.size() && rows[at] != i) ++at;
      return at;
    }

    void fill() {
      whole = Vector::Zero(length);
      for (std::size_t e = 0; e < rows.size(); ++e) whole(rows[e]) = values[e];
      rows = {};
      values = {};
    }
  };

  std::vector<Column> columns_;
};

}  // namespace scorematch::detail
