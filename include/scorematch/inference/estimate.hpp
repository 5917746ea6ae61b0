// SPDX-License-Identifier: MIT
//
// Numbers with their errors: intervals, tests, and which of many tests to believe.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/inference/normal.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace scorematch {

/// Where numbers lie, one entry for each.
template <Real Scalar>
struct Interval {
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> lower;
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> upper;
};

/// On which scale an estimate is nearly normal.
enum class IntervalScale {
  itself,
  /// artanh of it, for correlations (Fisher 1915): an interval stays within (-1, 1).
  fisher_z
};

/// Estimates of m numbers and the covariance of their errors.
///
/// **Shapes** `values` m, `covariance` m x m.
///
/// **Example** docs/snippets/uncertainty.cpp
template <Real Scalar_>
class Estimate {
 public:
  using Scalar = Scalar_;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

  Vector values;
  Matrix covariance;
  IntervalScale scale = IntervalScale::itself;
  /// Of Student's t, which intervals and p-values take in place of the normal distribution: one
  /// less than the number of samples that the covariance was found from.
  double degrees_of_freedom = std::numeric_limits<double>::infinity();

  /// Square roots of the diagonal of the covariance.
  Vector standard_errors() const { return covariance.diagonal().cwiseMax(Scalar(0)).cwiseSqrt(); }

  /// An interval for each number alone that holds the true one with probability `level`, where the
  /// estimates are nearly normal.
  ///
  /// **Math** value +- t se, with t the (1 + level) / 2 quantile of Student's distribution (by
  /// Wallace 1959, to 0.1 % from 10 degrees of freedom on); on the scale `fisher_z`,
  /// tanh(artanh(value) +- t se / (1 - value^2)).
  ///
  /// **Errors** std::invalid_argument for a level that is not between 0 and 1.
  Interval<Scalar> interval(double level = 0.95) const {
    using std::atanh;
    using std::tanh;
    detail::require_level("Estimate::interval", level);
    const auto t = static_cast<Scalar>(detail::student_of_normal(
        detail::normal_upper_quantile((1 - level) / 2), degrees_of_freedom));
    const Vector reach = t * standard_errors();
    Interval<Scalar> result{values - reach, values + reach};
    if (scale == IntervalScale::fisher_z) {
      for (Eigen::Index i = 0; i < values.size(); ++i) {
        const Scalar slope = 1 - values(i) * values(i);
        if (!(slope > 0)) {
          result.lower(i) = result.upper(i) = values(i);
          continue;
        }
        result.lower(i) = tanh(atanh(values(i)) - reach(i) / slope);
        result.upper(i) = tanh(atanh(values(i)) + reach(i) / slope);
      }
    }
    return result;
  }

  /// For each number alone, the probability of an estimate as far from `null`, if that were the
  /// true one (Wald's test, two-sided). NaN where value and standard error are both exactly that of
  /// a number without spread.
  ///
  /// **Errors** std::invalid_argument where `null` is not finite.
  Eigen::VectorXd p_values(Scalar null = 0) const {
    detail::require_option(std::isfinite(null), "Estimate::p_values", "null", null,
                           "a finite number");
    const Vector errors = standard_errors();
    Eigen::VectorXd result(values.size());
    for (Eigen::Index i = 0; i < values.size(); ++i) {
      const auto t = static_cast<double>(std::abs(values(i) - null) / errors(i));
      result(i) = 2 * detail::normal_tail(detail::normal_of_student(t, degrees_of_freedom));
    }
    return result;
  }

  /// Whether all m numbers may be `null` together: Wald's statistic, chi-squared with m degrees of
  /// freedom, and its probability. So nested models are compared: with the numbers that the smaller
  /// one sets to zero.
  ///
  /// **Errors** std::invalid_argument where the covariance is singular, or `null` not finite.
  struct JointTest {
    double statistic;
    Eigen::Index degrees_of_freedom;
    double p_value;
  };
  JointTest joint_test(Scalar null = 0) const {
    detail::require_option(std::isfinite(null), "Estimate::joint_test", "null", null,
                           "a finite number");
    const auto m = values.size();
    const Eigen::VectorXd inverse = standard_errors().template cast<double>().cwiseInverse();
    const Eigen::MatrixXd correlation =
        inverse.asDiagonal() * covariance.template cast<double>() * inverse.asDiagonal();
    const Eigen::VectorXd off =
        inverse.cwiseProduct((values - Vector::Constant(m, null)).template cast<double>());
    const Eigen::LLT<Eigen::MatrixXd> root(correlation);
    // (A macro of X11 has Eigen's name for 0.) What is left of a pivot after rounding is none.
    bool regular = correlation.allFinite() && int(root.info()) == 0;
    const double negligible = static_cast<double>(m) * std::sqrt(epsilon());
    for (Eigen::Index k = 0; regular && k < m; ++k) {
      const double pivot = root.matrixLLT()(k, k);
      regular = pivot * pivot > negligible;
    }
    if (!regular) {
      detail::fail("Estimate::joint_test: the covariance of the ", m,
                   " numbers is singular; expected numbers of which none follows from the others");
    }
    const double statistic = m > 0 ? off.dot(root.solve(off)) : 0;
    return {statistic, m, detail::chi_squared_tail(statistic, m)};
  }

  /// The numbers with the given indices alone.
  ///
  /// **Errors** std::invalid_argument for an index that is none.
  Estimate subset(const std::vector<Eigen::Index>& indices) const {
    const auto m = static_cast<Eigen::Index>(indices.size());
    Estimate result{Vector(m), Matrix(m, m), scale, degrees_of_freedom};
    for (Eigen::Index i = 0; i < m; ++i) {
      const Eigen::Index from = indices[static_cast<std::size_t>(i)];
      detail::require_index("Estimate::subset", "index", from, values.size());
      result.values(i) = values(from);
      for (Eigen::Index j = 0; j < i + 1; ++j) {
        result.covariance(i, j) = covariance(from, indices[static_cast<std::size_t>(j)]);
        result.covariance(j, i) = result.covariance(i, j);
      }
    }
    return result;
  }

 private:
  static constexpr double epsilon() {
    return static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  }
};

/// Which of many tests are discoveries, where at most a share `rate` of those named is to be false
/// on average (Benjamini and Hochberg 1995). The tests are independent, or depend positively.
///
/// **Returns** the indices of the tests, in increasing order.
///
/// **Errors** std::invalid_argument for a rate outside (0, 1) and for a p-value outside [0, 1].
///
/// **Cost** O(m log m).
inline std::vector<Eigen::Index> benjamini_hochberg(const Eigen::VectorXd& p_values,
                                                    double rate = 0.05) {
  if (!(rate > 0 && rate < 1)) {
    detail::fail("benjamini_hochberg: rate = ", rate, "; expected a number between 0 and 1");
  }
  const Eigen::Index m = p_values.size();
  for (Eigen::Index i = 0; i < m; ++i) {
    if (!(p_values(i) >= 0 && p_values(i) <= 1)) {
      detail::fail("benjamini_hochberg: ", detail::entry("p_values", i, p_values(i)),
                   "; expected a probability");
    }
  }
  std::vector<Eigen::Index> order(static_cast<std::size_t>(m));
  std::iota(order.begin(), order.end(), Eigen::Index(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](Eigen::Index a, Eigen::Index b) { return p_values(a) < p_values(b); });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (p_values(order[i]) * static_cast<double>(m) <= rate * static_cast<double>(i + 1)) {
      kept = i + 1;
    }
  }
  order.resize(kept);
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace scorematch
