// Inside a simulation: two Langevin chains of four coupled real spins on a ring, each feeding an
// Estimator step by step. They stop when the two, which know nothing of each other, agree.
#include "expect.hpp"
#include "print.hpp"

#include <scorematch/scorematch.hpp>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace sm = scorematch;

namespace {

constexpr int spins = 4;
using Spins = Eigen::Matrix<double, spins, 1>;
using Matrix = Eigen::Matrix<double, spins, spins>;

// Energy x^T K x / 2 at temperature 1: the stationary precision matrix is K.
Matrix couplings() {
  Matrix k = 2 * Matrix::Identity();
  for (int i = 0; i < spins; ++i) {
    k(i, (i + 1) % spins) = k((i + 1) % spins, i) = -0.6;
  }
  return k;
}

struct Chain {
  Spins x = Spins::Zero();
  std::mt19937_64 rng;
  std::normal_distribution<double> normal;

  explicit Chain(unsigned seed) : rng(seed) {}

  void step(const Matrix& k, double dt) {
    Spins noise;
    for (double& e : noise) e = normal(rng);
    x += -dt * (k * x) + std::sqrt(2 * dt) * noise;
  }
};

}  // namespace

int main() {
  using Estimator =
      sm::Estimator<sm::GaussianFamily<double, spins>, sm::ScoreMatchingLoss, sm::ClosedForm>;
  const Matrix k = couplings();
  const double dt = 0.01;
  const double good_enough = 0.05;
  std::array<Chain, 2> chains{Chain(1), Chain(2)};
  std::array<Estimator, 2> estimators{Estimator({}, {}, {}), Estimator({}, {}, {})};

  std::printf("      steps   K_00     K_01     K_02     disagreement of the chains\n");
  double disagreement = 1;
  for (long steps = 1; disagreement > good_enough && steps <= 20'000'000; ++steps) {
    for (std::size_t c = 0; c < chains.size(); ++c) {
      chains[c].step(k, dt);
      estimators[c].observe(chains[c].x);
    }
    if (steps < 1000 || (steps & (steps - 1)) != 0) continue;  // report at powers of two
    Estimator both = estimators[0];
    both.merge(estimators[1]);
    const Matrix a = estimators[0].fit().distribution.precision();
    const Matrix b = estimators[1].fit().distribution.precision();
    const Matrix estimate = both.fit().distribution.precision();
    disagreement = (a - b).norm() / estimate.norm();
    std::printf("%11ld %8.4f %8.4f %8.4f     %.3f\n", steps, estimate(0, 0), estimate(0, 1),
                estimate(0, 2), disagreement);
  }

  estimators[0].merge(estimators[1]);
  const auto fit = estimators[0].fit();
  // Euler steps of size dt sample K - dt K^2 / 2 in place of K, exactly.
  const Matrix sampled = k - dt / 2 * k * k;
  std::printf("\nsamples: %.0f, status: %s\n", estimators[0].count(),
              std::string(to_string(fit.status)).c_str());
  std::printf("estimated couplings, first row: %s\n",
              text(Eigen::VectorXd(fit.distribution.precision().row(0).transpose())).c_str());
  std::printf("simulated couplings, first row: %s\n",
              text(Eigen::VectorXd(sampled.row(0).transpose())).c_str());
  const double error = (fit.distribution.precision() - sampled).norm() / sampled.norm();
  std::printf("relative error: %.3f\n", error);
  const bool good = expect(disagreement <= good_enough, "the two chains agree") &&
                    expect(error < 0.1, "the estimate is within a tenth of what was simulated");
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
