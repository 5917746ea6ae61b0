// SPDX-License-Identifier: MIT
//
// What families and fits ask of a column of parameters.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <cmath>

namespace scorematch::detail {

// "start(3) = nan; expected a finite value"
template <class Column>
void require_finite_column(const char* argument, const Column& column) {
  using std::isfinite;
  int bad = 0;  // without a branch for each entry
  for (Eigen::Index i = 0; i < column.size(); ++i) bad |= !all(column(i) - column(i) == 0);
  for (Eigen::Index i = 0; bad != 0 && i < column.size(); ++i) {
    for (int k = 0; k < lanes_of<typename Column::Scalar>; ++k) {
      const auto value = lane_of(column(i), k);
      if (!isfinite(value)) fail(entry(argument, i, value), "; expected a finite value");
    }
  }
}

template <class Theta>
void require_parameter_count(const Theta& theta, Eigen::Index count) {
  if (theta.size() != count) fail("theta has ", theta.size(), " entries; expected ", count);
}

template <class Theta>
void require_parameters(const Theta& theta, Eigen::Index count) {
  require_parameter_count(theta, count);
  require_finite_column("theta", theta);
}

}  // namespace scorematch::detail
