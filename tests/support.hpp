// What several tests share: random problems, one gradient checker, comparisons to the bit.
#pragma once

#include <scorematch/scorematch.hpp>

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>

namespace support {

namespace sm = scorematch;

using Rng = std::mt19937_64;

inline constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

template <class Scalar, int Rows = Eigen::Dynamic>
Eigen::Matrix<Scalar, Rows, Eigen::Dynamic> normals(Eigen::Index rows, Eigen::Index columns,
                                                    Rng& rng) {
  std::normal_distribution<double> normal;
  Eigen::Matrix<Scalar, Rows, Eigen::Dynamic> matrix(rows, columns);
  for (Eigen::Index j = 0; j < columns; ++j) {
    for (Eigen::Index i = 0; i < rows; ++i) matrix(i, j) = static_cast<Scalar>(normal(rng));
  }
  return matrix;
}

// Samples of a random, well-conditioned Gaussian of order one.
template <class Scalar = double, int Rows = Eigen::Dynamic>
Eigen::Matrix<Scalar, Rows, Eigen::Dynamic> random_samples(Eigen::Index d, Eigen::Index n,
                                                           Rng& rng) {
  const Eigen::MatrixXd mix =
      Eigen::MatrixXd::Identity(d, d) + 0.3 / std::sqrt(double(d)) * normals<double>(d, d, rng);
  const Eigen::VectorXd mean = normals<double>(d, 1, rng);
  return ((mix * normals<double>(d, n, rng)).colwise() + mean).template cast<Scalar>();
}

template <class A, class B>
bool same_bits(const A& a, const B& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && (a.array() == b.array()).all();
}

// Largest difference of entries, relative to the largest entry of `expected`.
template <class A, class B>
double relative_difference(const A& actual, const B& expected) {
  return static_cast<double>((actual - expected).cwiseAbs().maxCoeff() /
                             expected.cwiseAbs().maxCoeff());
}

// Largest difference of two covariances in units of the standard deviations of `expected`.
inline double covariance_difference(const Eigen::MatrixXd& actual,
                                    const Eigen::MatrixXd& expected) {
  const Eigen::VectorXd s = expected.diagonal().cwiseSqrt().cwiseInverse();
  return (s.asDiagonal() * (actual - expected) * s.asDiagonal()).cwiseAbs().maxCoeff();
}

template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no exception";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// How far `gradient`, computed in double, is from the slope of `value`, a function of long double.
//
// Central differences with one Richardson step: (4 D(h) - D(2 h)) / 3, error O(h^4). Component i is
// measured in steps of scale(i), which gives all components one unit; the result is the largest
// relative error, where what lies within `floor` of the largest component counts as rounding.
template <class Value>
double gradient_error(Value&& value, const Eigen::VectorXd& theta, const Eigen::VectorXd& gradient,
                      const Eigen::VectorXd& scale, double floor = 1e-12) {
  using Long = Eigen::Matrix<long double, Eigen::Dynamic, 1>;
  const Long at = theta.cast<long double>();
  Long slope(theta.size());
  for (Eigen::Index i = 0; i < theta.size(); ++i) {
    const auto difference = [&](long double h) {
      Long up = at;
      Long down = at;
      up(i) += h * static_cast<long double>(scale(i));
      down(i) -= h * static_cast<long double>(scale(i));
      return (value(up) - value(down)) / (2 * h);
    };
    const long double h = 1e-4L;
    slope(i) = (4 * difference(h) - difference(2 * h)) / 3;
  }
  const Long scaled = gradient.cwiseProduct(scale).cast<long double>();
  const long double noise = static_cast<long double>(floor) * slope.cwiseAbs().maxCoeff();
  long double worst = 0;
  for (Eigen::Index i = 0; i < theta.size(); ++i) {
    const long double error = std::max(0.0L, std::abs(scaled(i) - slope(i)) - noise);
    // A gradient that is not finite must not pass.
    if (!(error >= 0)) return std::numeric_limits<double>::infinity();
    if (error > 0) worst = std::max(worst, error / std::abs(slope(i)));
  }
  return static_cast<double>(worst);
}

// How estimates of known parameters err, over many seeds.
struct Recovery {
  // The largest mean error of a parameter, in standard errors: at most 3 where there is no bias.
  double bias_of_few;
  double bias_of_many;
  // Root mean square error from 4 n samples over that from n, a mean over the parameters: 1/2 where
  // errors fall as the root of n. Known to about 0.02 from 200 seeds.
  double ratio;
};

// Each seed gives one estimate from 4 n samples, `draw(rng, 4 n)`, and four from their quarters.
template <class Draw, class Estimate>
Recovery recovery(const Eigen::VectorXd& truth, Eigen::Index n, Draw&& draw, Estimate&& estimate) {
  constexpr Eigen::Index seeds = 200;
  Eigen::MatrixXd few(truth.size(), 4 * seeds);  // the first quarters of all seeds, then the second
  Eigen::MatrixXd many(truth.size(), seeds);
  for (Eigen::Index seed = 0; seed < seeds; ++seed) {
    Rng rng(static_cast<unsigned>(1000 + seed));
    const auto samples = draw(rng, 4 * n);
    for (Eigen::Index q = 0; q < 4; ++q) {
      few.col(q * seeds + seed) = estimate(samples.middleCols(q * n, n).eval()) - truth;
    }
    many.col(seed) = estimate(samples) - truth;
  }
  const auto bias = [](const auto& errors) {
    const Eigen::VectorXd mean = errors.rowwise().mean();
    const Eigen::VectorXd sums = (errors.colwise() - mean).rowwise().squaredNorm();
    return (mean.array().abs() / (sums.array() / double(seeds * (seeds - 1))).sqrt()).maxCoeff();
  };
  return {bias(few.leftCols(seeds)), bias(many),
          (2 * many.rowwise().norm()).cwiseQuotient(few.rowwise().norm()).mean()};
}

// The natural step of each log-Cholesky parameter: row i of the mean and of L in units of L_ii.
inline Eigen::VectorXd natural_scale(const sm::GaussianFamily<double>& family,
                                     const Eigen::VectorXd& theta) {
  const Eigen::Index d = family.dimension();
  Eigen::VectorXd scale(theta.size());
  for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
    const double row = std::exp(theta(d + i));
    scale(i) = row;
    scale(d + i) = 1;
    for (Eigen::Index j = 0; j < i; ++j) scale(k++) = row;
  }
  return scale;
}

}  // namespace support
