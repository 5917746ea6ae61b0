// SPDX-License-Identifier: MIT
//
// Ready observers.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/status.hpp>

#include <Eigen/Core>

#include <cstdio>
#include <vector>

namespace scorematch {

/// Keeps the loss of every step: `losses[k]` is the loss at the point step k + 1 left from. Pass an
/// lvalue to `fit` and read it afterwards.
///
/// **Allocation** amortized, as a std::vector grows.
template <class Scalar = double>
struct LossHistory {
  std::vector<Scalar> losses;

  template <class Parameters>
  void operator()(const IterationState<Parameters>& state) {
    losses.push_back(static_cast<Scalar>(state.loss));
  }
};

/// Prints iteration, loss and gradient norm every `interval` steps.
struct PrintEvery {
  Eigen::Index interval = 100;
  std::FILE* stream = stdout;

  template <class Parameters>
  void operator()(const IterationState<Parameters>& state) const {
    detail::require_option(interval >= 1, "PrintEvery", "interval", interval, "at least 1");
    if (state.iteration % interval != 0) return;
    std::fprintf(stream, "iteration %lld: loss %.9Lg, gradient norm %.3Lg\n",
                 static_cast<long long>(state.iteration), static_cast<long double>(state.loss),
                 static_cast<long double>(state.gradient_norm));
  }
};

}  // namespace scorematch
