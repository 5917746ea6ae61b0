// SPDX-License-Identifier: MIT
//
// How much the mean of a series varies: of independent terms, and of terms that follow each other.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/inference/chains.hpp>
#include <scorematch/linalg/dynamic.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>

namespace scorematch {

/// Estimates V = lim n Cov(mean of n terms) from a series of m-vectors: `long_run(series)` with the
/// series m x n, one term per column, gives m x m.
///
/// Laws: V is symmetric and positive semidefinite; a series times A has A V A^T; a constant that is
/// added changes nothing.
template <class P, class Scalar>
concept LongRunCovariance =
    requires(const P& policy, const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>& series) {
      {
        policy.long_run(series)
      } -> std::convertible_to<Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>>;
    };

namespace detail {

// The terms less their means; zero where they are constant up to rounding.
template <Real Scalar>
DynamicMatrix<Scalar> centered(const DynamicMatrix<Scalar>& series) {
  DynamicMatrix<Scalar> terms = series.colwise() - series.rowwise().mean();
  const Scalar rounding = 16 * std::numeric_limits<Scalar>::epsilon();
  for (Eigen::Index i = 0; i < terms.rows(); ++i) {
    const Scalar size = series.row(i).cwiseAbs().maxCoeff();
    if (terms.row(i).cwiseAbs().maxCoeff() <= rounding * size) terms.row(i).setZero();
  }
  return terms;
}

// How long the terms remember: the bias of a window of b terms is about sqrt(alpha) / b, for an
// AR(1) process of autocorrelation r with alpha = 4 r^2 / (1 - r^2)^2 (Andrews 1991). r is that of
// neighbors, or of the AR(1) process with the same integrated autocorrelation time (Geyer's initial
// sequence), for chains whose memory does not show between neighbors: whichever remembers more, of
// any row.
template <Real Scalar>
double memory_of(const DynamicMatrix<Scalar>& terms) {
  const Eigen::Index n = terms.cols();
  double largest = 0;
  for (Eigen::Index i = 0; i < terms.rows(); ++i) {
    Eigen::VectorXd row = terms.row(i).transpose().template cast<double>();
    const double size = row.cwiseAbs().maxCoeff();
    if (!(size > 0)) continue;
    row /= size;
    const double neighbors = row.head(n - 1).dot(row.tail(n - 1)) / row.squaredNorm();
    const double time = static_cast<double>(n) / plain_effective_size(row);
    for (const double r : {neighbors, (time - 1) / (time + 1)}) {
      const double rest = (std::max)(1 - r * r, 1e-12);
      largest = (std::max)(largest, 4 * r * r / (rest * rest));
    }
  }
  return largest;
}

// The window that was asked for, or factor (alpha n)^(1/3), and no less than n^(1/3). A chain has
// room for four of them, for twenty where nobody has asked: else it is hardly longer than what it
// remembers.
template <Real Scalar>
Eigen::Index window_of(const char* owner, const char* option, Eigen::Index asked, double factor,
                       const DynamicMatrix<Scalar>& terms) {
  const Eigen::Index n = terms.cols();
  require_option(asked >= 0, owner, option, asked, "at least 0 (automatic)");
  if (n < 8) fail(owner, ": the chain has ", n, " samples; expected at least 8");
  if (asked > 0) {
    if (asked > n / 4) {
      fail(owner, ": the chain of ", n, " samples is too short to take ", asked,
           " at a time; expected at most a quarter of it");
    }
    return asked;
  }
  const auto count = static_cast<double>(n);
  const double memory = factor * std::cbrt(memory_of(terms) * count);
  if (!(memory * 20 <= count)) {
    fail(owner, ": the chain of ", n, " samples is too short: it remembers so long that about ",
         memory, " should be taken at a time, and there is no room for twenty times as many");
  }
  const double least = (std::min)(std::cbrt(count), count / 4);
  return static_cast<Eigen::Index>((std::max)(memory, least));
}

}  // namespace detail

/// Terms that do not depend on each other: V is their covariance, divided by n.
struct Independent {
  template <Real Scalar>
  detail::DynamicMatrix<Scalar> long_run(const detail::DynamicMatrix<Scalar>& series) const {
    const auto terms = detail::centered<Scalar>(series);
    return terms * terms.transpose() / static_cast<Scalar>(terms.cols());
  }
};

/// Means of batches of consecutive terms, as good as independent where a batch is much longer than
/// the autocorrelation time.
///
/// **Math** V = b / (a - 1) sum_k (Y_k - Y)(Y_k - Y)^T with a batches of b terms; the first terms
/// that fill no batch are left out.
///
/// **Errors** std::invalid_argument for a negative length, for one of more than a quarter of the
/// chain, and where the automatic one is more than a twentieth: then the chain is hardly longer
/// than it remembers. A chain that has not yet left its surroundings cannot tell how long it
/// remembers: see `r_hat`.
///
/// **Cost** O(m n + m^2 a).
struct BatchMeans {
  /// b; 0 takes (alpha n)^(1/3) with Andrews' alpha, the largest of all rows, and n^(1/3) at least.
  Eigen::Index length = 0;

  template <Real Scalar>
  detail::DynamicMatrix<Scalar> long_run(const detail::DynamicMatrix<Scalar>& series) const {
    const auto terms = detail::centered<Scalar>(series);
    const Eigen::Index b = detail::window_of<Scalar>("BatchMeans", "length", length, 1, terms);
    const Eigen::Index batches = terms.cols() / b;
    const Eigen::Index first = terms.cols() - batches * b;
    detail::DynamicMatrix<Scalar> means(terms.rows(), batches);
    for (Eigen::Index k = 0; k < batches; ++k) {
      means.col(k) = terms.middleCols(first + k * b, b).rowwise().mean();
    }
    means = detail::centered<Scalar>(means);
    return means * means.transpose() * (static_cast<Scalar>(b) / static_cast<Scalar>(batches - 1));
  }
};

/// The same with all n - b + 1 batches of b terms: a third less variance (Meketon and Schmeiser
/// 1984).
///
/// **Math** V = n b / ((n - b)(n - b + 1)) sum_k (Y_k - Y)(Y_k - Y)^T.
///
/// **Errors** as of `BatchMeans`.
///
/// **Cost** O(m^2 n).
struct OverlappingBatchMeans {
  /// b; 0 takes 3/2 of what `BatchMeans` takes: bias costs intervals more than variance does.
  Eigen::Index length = 0;

  template <Real Scalar>
  detail::DynamicMatrix<Scalar> long_run(const detail::DynamicMatrix<Scalar>& series) const {
    using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
    const auto terms = detail::centered<Scalar>(series);
    const Eigen::Index b =
        detail::window_of<Scalar>("OverlappingBatchMeans", "length", length, 1.5, terms);
    const Eigen::Index n = terms.cols();
    Vector sum = terms.leftCols(b).rowwise().sum();
    detail::DynamicMatrix<Scalar> sums(terms.rows(), n - b + 1);
    sums.col(0) = sum;
    for (Eigen::Index k = 1; k <= n - b; ++k) {
      sum += terms.col(k + b - 1) - terms.col(k - 1);
      sums.col(k) = sum;
    }
    const auto size = static_cast<Scalar>(b);
    const auto all = static_cast<Scalar>(n);
    return sums * sums.transpose() * (all / (size * (all - size) * (all - size + 1)));
  }
};

/// A weighted sum of autocovariances (Newey and West 1987).
///
/// **Math** V = sum over |k| <= lag of (1 - |k| / (lag + 1)) Gamma_k.
///
/// **Errors** as of `BatchMeans`.
///
/// **Cost** O(m^2 n lag).
struct NeweyWest {
  Eigen::Index lag = 0;  ///< 0 takes 1.1447 (alpha n)^(1/3) (Andrews 1991), and n^(1/3) at least

  template <Real Scalar>
  detail::DynamicMatrix<Scalar> long_run(const detail::DynamicMatrix<Scalar>& series) const {
    const auto terms = detail::centered<Scalar>(series);
    const Eigen::Index most = detail::window_of<Scalar>("NeweyWest", "lag", lag, 1.1447, terms);
    const Eigen::Index n = terms.cols();
    detail::DynamicMatrix<Scalar> sum = terms * terms.transpose();
    for (Eigen::Index k = 1; k <= most; ++k) {
      const detail::DynamicMatrix<Scalar> product =
          terms.rightCols(n - k) * terms.leftCols(n - k).transpose();
      const Scalar weight = 1 - static_cast<Scalar>(k) / static_cast<Scalar>(most + 1);
      sum += weight * (product + product.transpose());
    }
    return sum / static_cast<Scalar>(n);
  }
};

}  // namespace scorematch
