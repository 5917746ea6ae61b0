// SPDX-License-Identifier: MIT
//
// What went wrong with a fit, in words that name coordinates and parameters.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/fit/fit.hpp>
#include <scorematch/inference/hessian.hpp>
#include <scorematch/linalg/semidefinite_solve.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace scorematch {

/// A family whose parameters have names: `family.parameter_name(k)`.
template <class F>
concept NamesParameters = requires(const F& family, Eigen::Index k) {
  { family.parameter_name(k) } -> std::convertible_to<std::string>;
};

namespace detail {

template <class F>
std::string parameter_name(const F& family, Eigen::Index k) {
  if constexpr (NamesParameters<F>) {
    return family.parameter_name(k);
  } else {
    return text_of("theta(", k, ")");
  }
}

// "a, b and c"; of more than eight the first ones and how many there are.
template <class Name>
std::string list_of(const std::vector<Eigen::Index>& indices, const Name& name) {
  const std::size_t shown = (std::min)(indices.size(), std::size_t(8));
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) text += i + 1 == indices.size() ? " and " : ", ";
    text += name(indices[i]);
  }
  if (shown < indices.size()) text += text_of(" and ", indices.size() - shown, " more");
  return text;
}

// Where the columns of a basis have entries that are no rounding.
template <class Matrix>
std::vector<Eigen::Index> touched(const Matrix& basis, typename Matrix::Scalar negligible) {
  std::vector<Eigen::Index> result;
  for (Eigen::Index k = 0; k < basis.rows(); ++k) {
    if (basis.row(k).norm() > negligible) result.push_back(k);
  }
  return result;
}

// The null space of a symmetric positive semidefinite matrix in units of its diagonal; no columns
// where it has none. A pivot within `negligible` of zero is zero.
template <class Scalar>
Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> scaled_null_space(
    Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> matrix, Scalar negligible) {
  using std::sqrt;
  const Eigen::Index n = matrix.rows();
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> scale(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    scale(i) = matrix(i, i) > 0 ? Scalar(1) / sqrt(matrix(i, i)) : Scalar(0);
  }
  matrix = scale.asDiagonal() * matrix * scale.asDiagonal();
  auto basis = null_space<Scalar>(matrix, negligible);
  // `null_space` takes its last column for one even of a regular matrix.
  Eigen::Index kept = 0;
  for (Eigen::Index c = 0; c < basis.cols(); ++c) {
    if (basis.col(c).dot(matrix * basis.col(c)) <= negligible) basis.col(kept++) = basis.col(c);
  }
  return basis.leftCols(kept);
}

// "coordinate 1 is constant", "coordinates 0, 2 and 3 depend on each other linearly".
template <class Scalar, int Dim>
std::string explain_singular(const Moments<Scalar, Dim>& moments) {
  using std::abs;
  using std::sqrt;
  using Dense = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const Scalar epsilon = std::numeric_limits<Scalar>::epsilon();
  const Dense covariance = moments.covariance();
  const auto mean = moments.mean();
  const auto name = [](Eigen::Index i) { return text_of(i); };
  std::vector<Eigen::Index> constant;
  std::vector<Eigen::Index> others;
  for (Eigen::Index i = 0; i < mean.size(); ++i) {
    const bool varies = sqrt(covariance(i, i)) > epsilon * abs(mean(i));
    (varies ? others : constant).push_back(i);
  }
  std::string text;
  if (!constant.empty()) {
    text = text_of(" Constant: coordinate", constant.size() > 1 ? "s " : " ",
                   list_of(constant, name), ".");
  }
  const Eigen::Index d = Eigen::Index(others.size());
  Dense rest(d, d);
  for (Eigen::Index j = 0; j < d; ++j) {
    for (Eigen::Index i = 0; i < d; ++i) {
      rest(i, j) = covariance(others[std::size_t(i)], others[std::size_t(j)]);
    }
  }
  if (d < 2) return text;
  // The covariance of d + 1 samples has d directions: with fewer, all coordinates are dependent.
  const Dense basis = scaled_null_space<Scalar>(rest, Scalar(16 * d) * epsilon);
  if (basis.cols() == 0) return text;
  std::vector<Eigen::Index> dependent;
  for (const Eigen::Index i : touched(basis, Scalar(1e-6))) {
    dependent.push_back(others[std::size_t(i)]);
  }
  text += text_of(" Linearly dependent: coordinates ", list_of(dependent, name), ".");
  return text;
}

// The directions along which the loss does not curve at theta, by central differences of the
// gradient: what no sample determines there.
template <class Obj, class Parameters>
std::vector<Eigen::Index> flat_parameters(Obj& objective, const Parameters& theta) {
  using std::abs;
  using std::cbrt;
  using std::sqrt;
  using Scalar = typename Parameters::Scalar;
  using Dense = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const Scalar epsilon = std::numeric_limits<Scalar>::epsilon();
  const Eigen::Index n = theta.size();
  Parameters steps = theta;
  for (Eigen::Index k = 0; k < n; ++k) {
    steps(k) = cbrt(epsilon) * (std::max)(Scalar(1), Scalar(abs(theta(k))));
  }
  Dense hessian = differenced_hessian(objective, theta, steps);
  if (!hessian.allFinite()) return {};
  // Differences know about as many digits.
  const Scalar rounding = cbrt(epsilon) * cbrt(epsilon);
  const Scalar largest = hessian.diagonal().cwiseAbs().maxCoeff();
  for (Eigen::Index k = 0; k < n; ++k) {
    if (hessian(k, k) <= rounding * rounding * largest) {
      hessian.row(k).setZero();
      hessian.col(k).setZero();
    }
  }
  return touched(scaled_null_space<Scalar>(hessian, Scalar(16 * n) * rounding), Scalar(1e-3));
}

}  // namespace detail

/// What happened to a fit, as `explain(fit.status)` says it, and what in these samples it was:
/// constant and dependent coordinates, the parameters that the samples do not determine, samples
/// that look as if rows and columns were exchanged.
///
/// **Arguments** the fit, and what it was made from: family, loss, and samples or their summary.
///
/// **Math** Gaussians by the null space of the correlation matrix; exponential families by that of
/// Gamma, in units of its diagonal; any other loss, where the walk ended, by that of a Hessian of
/// central differences, to about five digits.
///
/// **Errors** those of the loss's `objective`, and of the summary's `add`.
///
/// **Cost** O(K^3) for K parameters; for other losses 4 K gradients as well.
///
/// **Example** tests/explain_test.cpp
template <class F, LossFor<F> L>
  requires Real<typename F::Scalar>
std::string explain(const Fit<F>& fit, const F& family, const L& loss,
                    const SummaryOf<L, F>& summary) {
  const Status status = fit.status;
  std::string text{explain(status)};
  const auto name = [&](Eigen::Index k) { return detail::parameter_name(family, k); };
  const bool lacking = status == Status::unbounded || status == Status::ambiguous;
  auto objective = loss.objective(family, summary);
  if constexpr (requires { objective.unidentifiable(); }) {
    const std::vector<Eigen::Index> open = objective.unidentifiable();
    if (lacking && !open.empty()) {
      text += " The samples do not determine " + detail::list_of(open, name) + ".";
    }
  } else if constexpr (requires { detail::explain_singular(summary); }) {
    if (lacking) text += detail::explain_singular(summary);
  } else if (!detail::info_of<typename F::Parameters>(objective).stochastic) {
    const std::vector<Eigen::Index> open = detail::flat_parameters(objective, fit.parameters);
    if (!open.empty()) {
      text += " The loss does not curve here along some direction of " +
              detail::list_of(open, name) + ": the samples do not determine all of them.";
    }
  }
  if (lacking && 2 * summary.count() <= static_cast<double>(family.dimension())) {
    text += detail::text_of(" There are ", summary.count(), " samples of ", family.dimension(),
                            " coordinates: one sample per column?");
  }
  return text;
}

/// The same from samples, one per column.
template <class F, LossFor<F> L, SamplesOf<typename F::Scalar, F::Dim> X>
  requires Real<typename F::Scalar>
std::string explain(const Fit<F>& fit, const F& family, const L& loss, const X& samples) {
  auto summary = loss.summary(family);
  summary.add(samples);
  return scorematch::explain(fit, family, loss, std::as_const(summary));
}

}  // namespace scorematch
