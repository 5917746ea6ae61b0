// SPDX-License-Identifier: MIT
//
// How much the mean of a series varies: of independent terms, and of terms that follow each other.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>

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

template <Real Scalar>
using DynamicMatrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

template <Real Scalar>
DynamicMatrix<Scalar> centered(const DynamicMatrix<Scalar>& series) {
  return series.colwise() - series.rowwise().mean();
}

// How long the terms remember, in terms of the bias of a window of b terms, which is about
// sqrt(alpha) / b: that of an AR(1) process with the first autocorrelation r of each row,
// alpha = 4 r^2 / (1 - r^2)^2 (Andrews 1991, equation 6.4 for one row). Of several rows the
// largest.
template <Real Scalar>
Scalar memory_of(const DynamicMatrix<Scalar>& terms) {
  const Eigen::Index n = terms.cols();
  Scalar largest(0);
  for (Eigen::Index i = 0; i < terms.rows(); ++i) {
    const auto row = terms.row(i);
    const Scalar square = row.squaredNorm();
    if (!(square > 0)) continue;
    const Scalar r = row.head(n - 1).dot(row.tail(n - 1)) / square;
    const Scalar bounded = (std::min)(r * r, Scalar(0.9999));
    largest = (std::max)(largest, 4 * bounded / ((1 - bounded) * (1 - bounded)));
  }
  return largest;
}

// The window that balances bias and variance: factor (alpha n)^(1/3), and at least 1.
template <Real Scalar>
Eigen::Index automatic_window(const DynamicMatrix<Scalar>& terms, double factor) {
  const double alpha = static_cast<double>(memory_of(terms));
  const double n = static_cast<double>(terms.cols());
  return (std::max)(Eigen::Index(1),
                    static_cast<Eigen::Index>(std::ceil(factor * std::cbrt(alpha * n))));
}

// The window that was asked for, or the automatic one; a chain has room for some of them.
template <Real Scalar>
Eigen::Index window_of(const char* owner, const char* option, Eigen::Index asked, double factor,
                       const DynamicMatrix<Scalar>& terms) {
  constexpr Eigen::Index least = 4;
  const Eigen::Index n = terms.cols();
  require_option(asked >= 0, owner, option, asked, "at least 0 (automatic)");
  if (n < 2) fail(owner, ": the chain has ", n, " samples; expected at least 2");
  const Eigen::Index window = asked > 0 ? asked : automatic_window(terms, factor);
  if (window * least > n) {
    fail(owner, ": the chain of ", n, " samples is too short: they ",
         asked > 0 ? "are to be taken " : "remember so long that they should be taken ", window,
         " at a time, which needs at least ", least * window);
  }
  return window;
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
/// **Errors** std::invalid_argument for a negative length, and where the chain has no four batches:
/// it is then not much longer than its autocorrelation time.
///
/// **Cost** O(m n + m^2 a).
struct BatchMeans {
  /// b; 0 takes (alpha n)^(1/3) with Andrews' alpha, the largest of all rows.
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
  Eigen::Index length = 0;  ///< b; 0 takes 3/2 of what `BatchMeans` takes

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
  Eigen::Index lag = 0;  ///< 0 takes 1.1447 (alpha n)^(1/3), Andrews' choice

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
