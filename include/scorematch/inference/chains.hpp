// SPDX-License-Identifier: MIT
//
// Whether chains have mixed, and how many independent draws they are worth (Vehtari, Gelman,
// Simpson, Carpenter and Burkner 2021).
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/inference/normal.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

namespace scorematch {

namespace detail {

// (Templates all, so that a program that asks for none of this does not compile it.)
template <class X>
using DrawsOf = Eigen::Matrix<typename X::Scalar, Eigen::Dynamic, Eigen::Dynamic>;
template <class X>
using ColumnOfDraws = Eigen::Matrix<typename X::Scalar, Eigen::Dynamic, 1>;

// At least four draws a half, finite.
template <class Matrix>
void require_chains(const char* what, const Matrix& chains) {
  if (chains.cols() < 1 || chains.rows() < 8) {
    fail(what, ": the chains are ", chains.rows(), " x ", chains.cols(),
         "; expected one chain per column, of at least 8 draws each");
  }
  for (Eigen::Index j = 0; j < chains.cols(); ++j) {
    for (Eigen::Index i = 0; i < chains.rows(); ++i) {
      if (!std::isfinite(chains(i, j))) {
        fail(what, ": ", entry("chains", i, j, chains(i, j)), "; expected a finite value");
      }
    }
  }
}

// Both halves of every chain; the middle draw of an odd number is left out.
template <class Matrix>
Matrix halves_of(const Matrix& chains) {
  const Eigen::Index half = chains.rows() / 2;
  DrawsOf<Matrix> result(half, 2 * chains.cols());
  result << chains.topRows(half), chains.bottomRows(half);
  return result;
}

// Ranks over all chains, of equal draws their mean, as normal scores (Blom 1958).
template <class Matrix>
Matrix normal_scores(const Matrix& chains) {
  const Eigen::Index size = chains.size();
  std::vector<Eigen::Index> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), Eigen::Index(0));
  const double* draws = chains.data();
  std::sort(order.begin(), order.end(),
            [&](Eigen::Index a, Eigen::Index b) { return draws[a] < draws[b]; });
  DrawsOf<Matrix> result(chains.rows(), chains.cols());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && draws[order[last]] == draws[order[first]]) ++last;
    const double rank = static_cast<double>(first + last + 1) / 2;
    const double score =
        -normal_upper_quantile((rank - 0.375) / (static_cast<double>(size) + 0.25));
    for (std::size_t k = first; k < last; ++k) result.data()[order[k]] = score;
  }
  return result;
}

// The p-quantile by linear interpolation of the order statistics.
template <class Matrix>
double quantile_of(const Matrix& draws, double p) {
  std::vector<double> sorted(draws.data(), draws.data() + draws.size());
  const double place = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(place);
  std::nth_element(sorted.begin(), sorted.begin() + below, sorted.end());
  const double low = sorted[static_cast<std::size_t>(below)];
  if (static_cast<std::size_t>(below) + 1 == sorted.size()) return low;
  const double high = *std::min_element(sorted.begin() + below + 1, sorted.end());
  const double share = place - static_cast<double>(below);
  return (1 - share) * low + share * high;
}

template <class Matrix>
bool is_constant(const Matrix& chains) {
  return (chains.array() == chains(0, 0)).all();
}

// The variance of n - 1 degrees of freedom.
template <class X>
double variance_of(const X& x) {
  return (x.array() - x.mean()).square().sum() / static_cast<double>(x.size() - 1);
}

// Between and within variance, no halves taken.
template <class Matrix>
double plain_r_hat(const Matrix& chains) {
  const auto n = static_cast<double>(chains.rows());
  double within = 0;
  for (Eigen::Index j = 0; j < chains.cols(); ++j) within += variance_of(chains.col(j));
  within /= static_cast<double>(chains.cols());
  const ColumnOfDraws<Matrix> means = chains.colwise().mean().transpose();
  return std::sqrt(variance_of(means) / within + (n - 1) / n);
}

// Draws over the integrated autocorrelation time by Geyer's initial monotone sequence (Geyer 1992),
// with the autocorrelations of all chains together.
template <class Matrix>
double plain_effective_size(const Matrix& chains) {
  const Eigen::Index n = chains.rows();
  const auto draws = static_cast<double>(chains.size());
  if (is_constant(chains)) return draws;
  // In a unit of their own, so that no square leaves the range of numbers.
  DrawsOf<Matrix> off = chains.array() - chains(0, 0);
  off /= off.cwiseAbs().maxCoeff();
  const Eigen::Matrix<typename Matrix::Scalar, 1, Eigen::Dynamic> means = off.colwise().mean();
  off.rowwise() -= means;
  const auto covariance = [&](Eigen::Index lag) {
    return off.topRows(n - lag).cwiseProduct(off.bottomRows(n - lag)).sum() / draws;
  };
  const double within = covariance(0) * static_cast<double>(n) / static_cast<double>(n - 1);
  double total = covariance(0);
  if (chains.cols() > 1) total += variance_of(means.transpose());
  const auto correlation = [&](Eigen::Index lag) { return 1 - (within - covariance(lag)) / total; };
  // Sums of two neighbors are positive and fall, for any reversible chain.
  double even = 1, odd = correlation(1);
  double sum = even + odd, least = even + odd;
  Eigen::Index lag = 0;
  double last = even;
  while (lag < n - 5 && even + odd > 0) {
    lag += 2;
    even = correlation(lag);
    odd = correlation(lag + 1);
    last = even + odd >= 0 || even > 0 ? even : 0;
    if (!(even + odd >= 0)) break;
    if (lag < n - 5) {
      least = (std::min)(least, even + odd);
      sum += least;
    }
  }
  // The even one of the pair that ended the sum counts alone.
  const double time = -1 + 2 * sum + last;
  return draws / (std::max)(time, 1 / std::log10(draws));
}

}  // namespace detail

/// How many independent draws the mean of the chains is worth.
///
/// **Math** draws / tau, tau the integrated autocorrelation time by Geyer's initial monotone
/// sequence over halves of the chains: chains that disagree are worth little. Where they alternate,
/// it is more than there are draws.
///
/// **Shapes** one chain of a number per column, at least 8 draws each.
///
/// **Errors** std::invalid_argument for fewer draws, and for one that is not finite.
///
/// **Cost** O(draws tau).
///
/// **Example** docs/snippets/uncertainty.cpp
template <SamplesOf<double, Eigen::Dynamic> X>
double effective_sample_size(const X& draws) {
  const detail::DrawsOf<X> chains = draws;
  detail::require_chains("effective_sample_size", chains);
  return detail::plain_effective_size(detail::halves_of(chains));
}

/// The same of the normal scores of the draws: how well the bulk of the distribution is known,
/// also where it has no variance.
template <SamplesOf<double, Eigen::Dynamic> X>
double bulk_effective_sample_size(const X& draws) {
  const detail::DrawsOf<X> chains = draws;
  detail::require_chains("bulk_effective_sample_size", chains);
  return detail::plain_effective_size(detail::normal_scores(detail::halves_of(chains)));
}

/// The smaller one of the effective sample sizes of the 5 % and the 95 % quantile.
template <SamplesOf<double, Eigen::Dynamic> X>
double tail_effective_sample_size(const X& draws) {
  const detail::DrawsOf<X> chains = draws;
  detail::require_chains("tail_effective_sample_size", chains);
  const auto below = [&](double p) {
    const double cut = detail::quantile_of(chains, p);
    const detail::DrawsOf<X> is_below = (chains.array() <= cut).template cast<double>().matrix();
    return detail::plain_effective_size(detail::halves_of(is_below));
  };
  return (std::min)(below(0.05), below(0.95));
}

/// Whether chains, and both halves of each, have the same distribution: 1 where they do; from 1.01
/// on they have not mixed.
///
/// **Math** rank-normalized split R-hat, the larger one of that of the draws and of their distances
/// from the median. 1 for draws that are all equal.
///
/// **Errors** as of `effective_sample_size`.
template <SamplesOf<double, Eigen::Dynamic> X>
double r_hat(const X& draws) {
  const detail::DrawsOf<X> chains = draws;
  detail::require_chains("r_hat", chains);
  const auto scored = [](const auto& all) {
    const detail::DrawsOf<X> halves = detail::halves_of(all);
    return detail::is_constant(halves) ? 1 : detail::plain_r_hat(detail::normal_scores(halves));
  };
  const double median = detail::quantile_of(chains, 0.5);
  const detail::DrawsOf<X> folded = (chains.array() - median).abs().matrix();
  return (std::max)(scored(chains), scored(folded));
}

/// The standard error of the mean of the chains: the standard deviation over the root of the
/// effective sample size.
template <SamplesOf<double, Eigen::Dynamic> X>
double monte_carlo_error(const X& draws) {
  const detail::DrawsOf<X> chains = draws;
  detail::require_chains("monte_carlo_error", chains);
  const double unit = (chains.array() - chains.mean()).abs().maxCoeff();
  if (!(unit > 0)) return 0;
  const detail::ColumnOfDraws<X> scaled = (chains.array() - chains.mean()).reshaped() / unit;
  return unit * std::sqrt(detail::variance_of(scaled) / effective_sample_size(chains));
}

}  // namespace scorematch
