// SPDX-License-Identifier: MIT
//
// Distances between a fit and something to compare it with: between two Gaussians in closed form,
// between any two models by averaging over samples.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/distribution/gaussian.hpp>
#include <scorematch/inference/model_score.hpp>
#include <scorematch/linalg/triangular.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <type_traits>

namespace scorematch {
namespace detail {

template <Real Scalar, int Dim>
void require_same_dimension(const Gaussian<Scalar, Dim>& p, const Gaussian<Scalar, Dim>& q) {
  if (q.dimension() != p.dimension()) {
    fail("q has dimension ", q.dimension(), "; expected ", p.dimension(), ", as p has it");
  }
}

// A distance whose computation overflowed is infinite, never NaN.
template <Real Scalar>
Scalar nan_to_infinity(Scalar distance) {
  return distance <= (std::numeric_limits<Scalar>::max)() ? distance
                                                          : std::numeric_limits<Scalar>::infinity();
}

// k - log(1 + k) for k = a / b - 1, a and b positive; at least 0, accurate also where a is near b.
template <Real Scalar>
Scalar excess_over_log(Scalar a, Scalar b) {
  using std::abs;
  using std::log;
  const Scalar k = (a - b) / b;
  // Not log(1 + k): k may have rounded to -1.
  if (abs(k) > Scalar(0.5)) return k - (log(a) - log(b));
  // log(1 + k) = 2 artanh(r), r = k / (2 + k), and k - 2 r = k r.
  const Scalar r = k / (2 + k);
  const Scalar square = r * r;
  Scalar sum(0);
  Scalar power(1);
  for (int n = 3; power > std::numeric_limits<Scalar>::epsilon() / 4; n += 2) {
    sum += power / static_cast<Scalar>(n);
    power *= square;
  }
  return r * (k - 2 * square * sum);
}

// The orthogonal O of the polar decomposition matrix = O H, H symmetric positive semidefinite.
//
// One-sided Jacobi rotations (Hestenes 1958) make the columns of matrix * V orthogonal: they are
// then U Sigma, and O = U V^T. Small singular values keep their relative accuracy (Demmel and
// Veselic 1992). Cost about 9 d^3 flops a sweep, usually 5 to 10 sweeps.
template <class Matrix>
Matrix orthogonal_polar_factor(Matrix matrix) {
  using Scalar = typename Matrix::Scalar;
  using std::abs;
  using std::hypot;
  using std::sqrt;
  const Eigen::Index d = matrix.rows();
  const Scalar rounding = static_cast<Scalar>(d) * std::numeric_limits<Scalar>::epsilon();
  Matrix v = Matrix::Identity(d, d);
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < 40; ++sweep) {
    rotated = false;
    for (Eigen::Index j = 1; j < d; ++j) {
      for (Eigen::Index i = 0; i < j; ++i) {
        const Scalar alpha = matrix.col(i).squaredNorm();
        const Scalar beta = matrix.col(j).squaredNorm();
        const Scalar gamma = matrix.col(i).dot(matrix.col(j));
        if (!(abs(gamma) > rounding * sqrt(alpha) * sqrt(beta))) continue;
        rotated = true;
        const Scalar zeta = (beta - alpha) / (2 * gamma);
        const Scalar tangent =
            (zeta < 0 ? Scalar(-1) : Scalar(1)) / (abs(zeta) + hypot(Scalar(1), zeta));
        const Scalar cosine = 1 / hypot(Scalar(1), tangent);
        const Scalar sine = cosine * tangent;
        const auto rotate = [&](Matrix& m) {
          for (Eigen::Index k = 0; k < d; ++k) {
            const Scalar left = m(k, i);
            const Scalar right = m(k, j);
            m(k, i) = cosine * left - sine * right;
            m(k, j) = sine * left + cosine * right;
          }
        };
        rotate(matrix);
        rotate(v);
      }
    }
  }
  for (Eigen::Index j = 0; j < d; ++j) {
    Scalar norm(0);
    for (Eigen::Index i = 0; i < d; ++i) norm = hypot(norm, matrix(i, j));
    if (norm > 0) matrix.col(j) /= norm;
  }
  Matrix result(d, d);
  v.transposeInPlace();
  multiply(matrix, v, result);
  return result;
}

}  // namespace detail

/// The Fisher divergence of q from p, in closed form: twice what score matching minimizes when its
/// samples are those of p.
///
/// **Math** D_F(p, q) = E_p |s_p(x) - s_q(x)|^2, without a factor 1/2, as Lyu (2009) has it; the
/// score matching loss J is D_F / 2 up to a constant (Hyvarinen 2005). For Gaussians
/// |(P_q - P_p) L_p|^2 + |P_q (mu_p - mu_q)|^2, the first norm being Frobenius'. The difference of
/// the precisions is computed from that of the Cholesky factors, D = L_p - L_q:
/// (P_q - P_p) L_p = L_q^-T (L_q^-1 D + (L_p^-1 D)^T). Zero only where p is q; not symmetric.
///
/// **Units** x in u: 1/u^2.
///
/// **Errors** std::invalid_argument where the dimensions differ. Infinity where it overflows.
///
/// **Cost** about 4 Dim^3 flops. **Allocation** none for a fixed Dim.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <Real Scalar, int Dim>
Scalar fisher_divergence(const Gaussian<Scalar, Dim>& p, const Gaussian<Scalar, Dim>& q) {
  using Vector = typename Gaussian<Scalar, Dim>::Vector;
  using Matrix = typename Gaussian<Scalar, Dim>::Matrix;
  detail::require_same_dimension(p, q);
  const Eigen::Index d = p.dimension();
  const Matrix difference = p.cholesky() - q.cholesky();
  Matrix inverse = Matrix::Zero(d, d);
  Matrix half = Matrix::Zero(d, d);
  Matrix sum(d, d);
  detail::invert_lower(p.cholesky(), inverse);
  detail::multiply_lower(inverse, difference, half);
  sum = half.transpose();
  detail::invert_lower(q.cholesky(), inverse);
  detail::multiply_lower(inverse, difference, half);
  sum += half;
  inverse.transposeInPlace();
  detail::multiply(inverse, sum, half);
  Vector shift = p.mean() - q.mean();
  detail::solve_lower(q.cholesky(), shift);
  detail::solve_transposed_lower(q.cholesky(), shift);
  return detail::nan_to_infinity(half.squaredNorm() + shift.squaredNorm());
}

/// The Kullback-Leibler divergence of q from p, E_p[log p(x) - log q(x)], in closed form.
///
/// **Math** With K = L_q^-1 (L_p - L_q), lower triangular, a sum of terms that are not negative, so
/// that nothing cancels where p is near q:
/// 1/2 sum_{i>j} K_ij^2 + sum_i (K_ii^2 / 2 + K_ii - log(1 + K_ii)) + 1/2 |L_q^-1 (mu_p - mu_q)|^2.
/// It equals 1/2 (tr(P_q Sigma_p) - Dim - log det(P_q Sigma_p)) + 1/2 (mu_p - mu_q)^T P_q
/// (mu_p - mu_q) (Kullback and Leibler 1951). Zero only where p is q; not symmetric; the same in
/// all affine coordinates.
///
/// **Units** nats.
///
/// **Errors** std::invalid_argument where the dimensions differ. Infinity where it overflows.
///
/// **Cost** about 2/3 Dim^3 flops. **Allocation** none for a fixed Dim.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <Real Scalar, int Dim>
Scalar kullback_leibler(const Gaussian<Scalar, Dim>& p, const Gaussian<Scalar, Dim>& q) {
  using Vector = typename Gaussian<Scalar, Dim>::Vector;
  using Matrix = typename Gaussian<Scalar, Dim>::Matrix;
  detail::require_same_dimension(p, q);
  const Eigen::Index d = p.dimension();
  const Matrix difference = p.cholesky() - q.cholesky();
  Matrix inverse = Matrix::Zero(d, d);
  Matrix k = Matrix::Zero(d, d);
  detail::invert_lower(q.cholesky(), inverse);
  detail::multiply_lower(inverse, difference, k);
  Vector shift = p.mean() - q.mean();
  detail::solve_lower(q.cholesky(), shift);
  Scalar logs(0);
  for (Eigen::Index i = 0; i < d; ++i) {
    logs += detail::excess_over_log(p.cholesky()(i, i), q.cholesky()(i, i));
  }
  return detail::nan_to_infinity((k.squaredNorm() + shift.squaredNorm()) / 2 + logs);
}

/// The 2-Wasserstein distance of two Gaussians, in closed form: the root of the least mean squared
/// distance over which the mass of p can be moved to become q.
///
/// **Math** W_2^2 = |mu_p - mu_q|^2 + tr(Sigma_p + Sigma_q - 2 (Sigma_p^1/2 Sigma_q
/// Sigma_p^1/2)^1/2) (Olkin and Pukelsheim 1982; Givens and Shortt 1984). The trace is the least
/// |L_p - L_q O|^2 over orthogonal O, which is taken at the polar factor of L_q^T L_p. So its root
/// has an error of rounding, relative to the standard deviations, where the formula would leave the
/// root of rounding. A metric: zero only where p is q, symmetric, with the triangle inequality.
///
/// **Units** x in u: u.
///
/// **Errors** std::invalid_argument where the dimensions differ. Infinity where it overflows.
///
/// **Cost** about 9 Dim^3 flops a Jacobi sweep, usually 5 to 10 sweeps. **Allocation** none for a
/// fixed Dim.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <Real Scalar, int Dim>
Scalar wasserstein2(const Gaussian<Scalar, Dim>& p, const Gaussian<Scalar, Dim>& q) {
  using Matrix = typename Gaussian<Scalar, Dim>::Matrix;
  using std::hypot;
  detail::require_same_dimension(p, q);
  const Eigen::Index d = p.dimension();
  Scalar distance(0);
  for (Eigen::Index i = 0; i < d; ++i) distance = hypot(distance, p.mean()(i) - q.mean()(i));
  // The polar factor of equal factors is the identity only up to rounding.
  if (p.cholesky() != q.cholesky()) {
    // Without units: a product of two factors may leave the range of the scalar.
    Matrix transposed = q.cholesky().transpose() / q.cholesky().cwiseAbs().maxCoeff();
    Matrix moved = p.cholesky() / p.cholesky().cwiseAbs().maxCoeff();
    Matrix product(d, d);
    detail::multiply(transposed, moved, product);
    detail::multiply(q.cholesky(), detail::orthogonal_polar_factor(product), moved);
    for (Eigen::Index j = 0; j < d; ++j) {
      for (Eigen::Index i = 0; i < d; ++i) {
        distance = hypot(distance, p.cholesky()(i, j) - moved(i, j));
      }
    }
  }
  return detail::nan_to_infinity(distance);
}

/// A mean over samples and how far it may be from the expectation it estimates.
template <Real Scalar>
struct SampleAverage {
  Scalar value;
  /// Infinite where a single sample says nothing of the spread.
  Scalar standard_error;
};

namespace detail {

// Mean and standard error of a stream of weighted numbers, each an independent draw.
template <class Sum>
class Average {
 public:
  void add(Sum x, Sum weight) {
    if (weight == 0) return;
    const Sum w = scaled(weight);
    total_ += w;
    mean_ += (x - mean_) * (w / total_);
    // West (1979), for the weights squared: their mean is not the one above.
    const Sum square = w * w;
    squares_ += square;
    const Sum shift = x - center_;
    center_ += shift * (square / squares_);
    spread_ += square * shift * (x - center_);
  }

  // Positive once there was a weight; only ratios of weights count.
  Sum total() const { return total_; }

  // The variance of sum w x / sum w is sum w^2 (x - mean)^2 / (sum w)^2; with n_eff =
  // (sum w)^2 / sum w^2 draws, n_eff / (n_eff - 1) of it corrects for the mean being fitted.
  template <Real Scalar>
  SampleAverage<Scalar> result() const {
    using std::sqrt;
    const Sum off = mean_ - center_;
    const Sum variance = (spread_ + squares_ * off * off) / (total_ * total_);
    const Sum freedom = 1 - squares_ / (total_ * total_);
    const Sum error = freedom > 0 ? sqrt(variance / freedom) : std::numeric_limits<Sum>::infinity();
    return {nan_to_infinity(static_cast<Scalar>(mean_)),
            nan_to_infinity(static_cast<Scalar>(error))};
  }

 private:
  // Relative to the power of two below the largest so far, so that no square leaves the range.
  Sum scaled(Sum weight) {
    const int exponent = std::ilogb(weight);
    if (total_ == 0) exponent_ = exponent;
    if (exponent > exponent_) {
      const Sum factor = std::ldexp(Sum(1), exponent_ - exponent);
      total_ *= factor;
      squares_ *= factor * factor;
      spread_ *= factor * factor;
      exponent_ = exponent;
    }
    return std::ldexp(weight, -exponent_);
  }

  Sum total_{0}, mean_{0}, squares_{0}, center_{0}, spread_{0};
  int exponent_ = 0;
};

template <class P, class Q, class X, class W>
auto fisher_average(const P& p, const Q& q, const X& samples, const W& weights) {
  using Scalar = typename X::Scalar;
  using Sum = std::common_type_t<Scalar, double>;
  using Vector = Eigen::Matrix<Scalar, X::RowsAtCompileTime, 1>;
  require_model_dimension(p, samples.rows());
  require_model_dimension(q, samples.rows());
  if (samples.rows() < 1) fail("samples have 0 rows; expected at least 1");
  require_finite(samples, weights);
  Vector x(samples.rows());
  Vector of_p(samples.rows());
  Vector of_q(samples.rows());
  Average<Sum> average;
  for (Eigen::Index j = 0; j < samples.cols(); ++j) {
    if (!(weights(j) > 0)) continue;
    x = samples.col(j).matrix();
    score_at(p, "p", j, x, of_p);
    score_at(q, "q", j, x, of_q);
    Sum square(0);
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      const Sum difference = static_cast<Sum>(of_p(i)) - static_cast<Sum>(of_q(i));
      square += difference * difference;
    }
    average.add(square, static_cast<Sum>(weights(j)));
  }
  if (!(average.total() > 0)) {
    fail("no samples (", samples.cols(), " columns, sum of weights = ", average.total(),
         "); expected at least one of positive weight");
  }
  return average.template result<Scalar>();
}

}  // namespace detail

/// The Fisher divergence of any two models, averaged over samples.
///
/// **Math** mean over the samples of |s_p(x) - s_q(x)|^2, no factor 1/2; the expectation is
/// D_F(p, q) = E_p |s_p - s_q|^2 where the samples are independent draws of p. For correlated draws
/// (a Markov chain) the standard error is too small. Normalizing constants do not enter.
///
/// **Shapes** samples Dim x n, one per column; p and q have `score(x)`, or are callables x ->
/// score.
///
/// **Units** x in u: 1/u^2.
///
/// **Errors** std::invalid_argument for no samples, another dimension than a model has, a sample
/// that is not finite, and a score that is not finite or of the wrong size (with the index of its
/// sample). Infinity where squares overflow.
///
/// **Cost** two scores a sample. Sums are kept in double for float samples. **Allocation** none for
/// fixed rows, beyond what the models do.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <class P, class Q, DenseExpression X>
  requires ModelWithScore<P, typename X::Scalar, X::RowsAtCompileTime> &&
           ModelWithScore<Q, typename X::Scalar, X::RowsAtCompileTime>
SampleAverage<typename X::Scalar> fisher_divergence(const P& p, const Q& q, const X& samples) {
  SampleAverage<typename X::Scalar> result{};
  detail::with_coefficients(samples, [&](const auto& block) {
    result = detail::fisher_average(p, q, block, detail::Unweighted{});
  });
  return result;
}

/// The same with weights, as for reweighted simulations: each column is one independent draw,
/// whatever its weight, and only ratios of weights matter. One of weight 0 is absent.
template <class P, class Q, DenseExpression X, WeightsOf<typename X::Scalar> W>
  requires ModelWithScore<P, typename X::Scalar, X::RowsAtCompileTime> &&
           ModelWithScore<Q, typename X::Scalar, X::RowsAtCompileTime>
SampleAverage<typename X::Scalar> fisher_divergence(const P& p, const Q& q, const X& samples,
                                                    const W& weights) {
  SampleAverage<typename X::Scalar> result{};
  detail::with_weighted(samples, weights, samples.rows(),
                        [&](const auto& block, const auto& weight) {
                          result = detail::fisher_average(p, q, block, weight);
                        });
  return result;
}

}  // namespace scorematch
