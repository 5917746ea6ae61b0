// Nothing of the library is called here: scripts/plant_faults.py compiles this once for all faults.
#include "support.hpp"

namespace support {

Eigen::MatrixXd normals_in_double(Eigen::Index rows, Eigen::Index columns, Rng& rng) {
  std::normal_distribution<double> normal;
  Eigen::MatrixXd matrix(rows, columns);
  for (Eigen::Index j = 0; j < columns; ++j) {
    for (Eigen::Index i = 0; i < rows; ++i) matrix(i, j) = normal(rng);
  }
  return matrix;
}

Eigen::MatrixXd random_samples_in_double(Eigen::Index d, Eigen::Index n, Rng& rng) {
  const Eigen::MatrixXd mix =
      Eigen::MatrixXd::Identity(d, d) + 0.3 / std::sqrt(double(d)) * normals_in_double(d, d, rng);
  const Eigen::VectorXd mean = normals_in_double(d, 1, rng);
  return (mix * normals_in_double(d, n, rng)).colwise() + mean;
}

bool same_bits(const View& a, const View& b) {
  if (a.rows != b.rows || a.columns != b.columns) return false;
  for (Eigen::Index j = 0; j < a.columns; ++j) {
    for (Eigen::Index i = 0; i < a.rows; ++i) {
      if (!(a(i, j) == b(i, j))) return false;
    }
  }
  return true;
}

double relative_difference(const View& actual, const View& expected) {
  // Sizes that differ, and a NaN, must not pass.
  if (actual.rows != expected.rows || actual.columns != expected.columns) return infinity;
  double difference = 0, largest = 0;
  for (Eigen::Index j = 0; j < expected.columns; ++j) {
    for (Eigen::Index i = 0; i < expected.rows; ++i) {
      const double here = std::abs(actual(i, j) - expected(i, j));
      if (!(here <= difference)) difference = here;
      if (difference != difference) return difference;
      largest = std::max(largest, std::abs(expected(i, j)));
    }
  }
  return difference / largest;
}

Spectrum spectrum_of(const Eigen::MatrixXd& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(symmetric);
  return {solver.eigenvalues(), solver.eigenvectors()};
}

double covariance_difference(const Eigen::MatrixXd& actual, const Eigen::MatrixXd& expected) {
  const Eigen::VectorXd s = expected.diagonal().cwiseSqrt().cwiseInverse();
  return (s.asDiagonal() * (actual - expected) * s.asDiagonal()).cwiseAbs().maxCoeff();
}

double gradient_error(const std::function<long double(const LongVector&)>& value,
                      const Eigen::VectorXd& theta, const Eigen::VectorXd& gradient,
                      const Eigen::VectorXd& scale, double floor) {
  const LongVector at = theta.cast<long double>();
  LongVector slope(theta.size());
  for (Eigen::Index i = 0; i < theta.size(); ++i) {
    const auto difference = [&](long double h) {
      LongVector up = at;
      LongVector down = at;
      up(i) += h * static_cast<long double>(scale(i));
      down(i) -= h * static_cast<long double>(scale(i));
      return (value(up) - value(down)) / (2 * h);
    };
    const long double h = 1e-4L;
    slope(i) = (4 * difference(h) - difference(2 * h)) / 3;
  }
  const LongVector scaled = gradient.cwiseProduct(scale).cast<long double>();
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

Recovery recovery(const Eigen::VectorXd& truth, Eigen::Index n, const DrawSamples& draw,
                  const Estimate& estimate) {
  constexpr Eigen::Index seeds = 200;
  Eigen::MatrixXd few(truth.size(), 4 * seeds);  // the first quarters of all seeds, then the second
  Eigen::MatrixXd many(truth.size(), seeds);
  for (Eigen::Index seed = 0; seed < seeds; ++seed) {
    Rng rng(static_cast<unsigned>(1000 + seed));
    const Eigen::MatrixXd samples = draw(rng, 4 * n);
    for (Eigen::Index q = 0; q < 4; ++q) {
      few.col(q * seeds + seed) = estimate(samples.middleCols(q * n, n)) - truth;
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

void check_recovery(const Eigen::VectorXd& truth, Eigen::Index n, const DrawSamples& draw,
                    const Estimate& estimate, bool also_of_few) {
  const Recovery found = recovery(truth, n, draw, estimate);
  if (also_of_few) CHECK(found.bias_of_few <= 3);
  CHECK(found.bias_of_many <= 3);
  CHECK(std::abs(found.ratio - 0.5) <= 0.05);
}

Eigen::VectorXd natural_scale(Eigen::Index d, const Eigen::VectorXd& theta) {
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
