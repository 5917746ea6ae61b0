// A bootstrap: the spread of an estimate, from fits to resampled data, many at once.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

namespace sm = scorematch;

int main() {
  std::mt19937_64 rng(1);
  const sm::Gaussian<double, 2> truth(Eigen::Vector2d(1, -1), Eigen::Matrix2d{{2, 0.5}, {0.5, 1}});
  const Eigen::Matrix2Xd samples = truth.sample(400, rng);

  std::vector<sm::Moments<double, 2>> replicas(1000);
  std::uniform_int_distribution<Eigen::Index> pick(0, samples.cols() - 1);
  for (auto& moments : replicas) {
    for (int n = 0; n < samples.cols(); ++n) moments.add(samples.col(pick(rng)));
  }

  const auto fits = sm::fit_batch(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
                                  sm::Momentum{.learning_rate = 1e-2}, replicas);

  double sum = 0;
  double squares = 0;
  for (const auto& fit : fits) {
    if (fit.status != sm::Status::converged) return 1;
    sum += fit.distribution.mean()(0);
    squares += fit.distribution.mean()(0) * fit.distribution.mean()(0);
  }
  const double count = static_cast<double>(fits.size());
  const double error = std::sqrt(squares / count - sum * sum / (count * count));
  std::printf("standard error of the first mean: %.4f\n", error);  // sqrt(2 / 400) = 0.0707
  return std::abs(error - 0.0707) < 0.01 ? 0 : 1;
}
