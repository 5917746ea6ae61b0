// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/fit/fit.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <utility>
#include <vector>

namespace scorematch {

/// What `multi_start` found: the best fit, and how every start ended.
template <class F>
struct MultiStart {
  Fit<F> best;
  Eigen::Index best_start;                 ///< its column among the starts
  std::vector<typename F::Scalar> losses;  ///< one for each start
  std::vector<Status> statuses;            ///< one for each start
};

namespace detail {

template <class Obj, class Parameters>
auto mean_loss(Obj& objective, const Parameters& theta, int evaluations) {
  typename Parameters::Scalar sum(0);  // infinite where one of them is
  for (int k = 0; k < evaluations; ++k) sum += objective(theta);
  return sum / static_cast<typename Parameters::Scalar>(evaluations);
}

}  // namespace detail

/// Fits from several starts and keeps the best: for losses with many local minima.
///
/// The best is the lowest loss among the fits that converged, since a loss that has no lower bound
/// (of a mixture, say) is lowest where a walk went astray; where none converged, the lowest of
/// all. Of a stochastic loss (`ObjectiveInfo::stochastic`) one value is noise, so the losses
/// compared and reported are means over 100 evaluations; one that draws from a seed draws the same
/// for each fit.
///
/// **Shapes** starts: parameter_count() x m, one start per column.
///
/// **Errors** std::invalid_argument for no starts, or of another length, and those of `fit`.
///
/// **Cost** of m fits.
///
/// **Example** docs/snippets/energies.cpp
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          DenseExpression Starts>
MultiStart<F> multi_start(const F& family, const L& loss, const Optimizer& optimizer,
                          const SummaryOf<L, F>& summary, const Starts& starts) {
  using Parameters = typename F::Parameters;
  if (starts.cols() < 1) detail::fail("starts have 0 columns; expected at least one start");
  if (starts.rows() != family.parameter_count()) {
    detail::fail("starts have ", starts.rows(), " rows; expected ", family.parameter_count(),
                 " (one start per column, one row per parameter)");
  }
  auto objective = loss.objective(family, summary);
  std::vector<Minimum<Parameters>> minima;
  for (Eigen::Index s = 0; s < starts.cols(); ++s) {
    const Parameters start = starts.col(s);
    detail::with_place("starts", static_cast<std::size_t>(s), [&] {
      minima.push_back(scorematch::minimize(optimizer, objective, start));
    });
  }
  if (detail::info_of<Parameters>(objective).stochastic) {
    for (auto& minimum : minima) {
      auto judge = loss.objective(family, summary);
      minimum.loss = detail::mean_loss(judge, minimum.parameters, 100);
    }
  }
  const auto better = [](const Minimum<Parameters>& a, const Minimum<Parameters>& b) {
    const bool a_converged = a.status == Status::converged;
    const bool b_converged = b.status == Status::converged;
    return a_converged != b_converged ? a_converged : a.loss < b.loss;
  };
  std::size_t best = 0;
  std::vector<typename F::Scalar> losses;
  std::vector<Status> statuses;
  for (std::size_t s = 0; s < minima.size(); ++s) {
    if (better(minima[s], minima[best])) best = s;
    losses.push_back(minima[s].loss);
    statuses.push_back(minima[s].status);
  }
  const auto& found = minima[best];
  return {{found, family.distribution(found.parameters)},
          static_cast<Eigen::Index>(best),
          std::move(losses),
          std::move(statuses)};
}

/// The same from samples, one per column.
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          SamplesOf<typename F::Scalar, F::Dim> X, DenseExpression Starts>
MultiStart<F> multi_start(const F& family, const L& loss, const Optimizer& optimizer,
                          const X& samples, const Starts& starts) {
  auto summary = loss.summary(family);
  summary.add(samples);
  return scorematch::multi_start(family, loss, optimizer, std::as_const(summary), starts);
}

}  // namespace scorematch
