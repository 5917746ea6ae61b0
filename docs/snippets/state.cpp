// Quoted in docs/getting-started.md: a simulation that stops and goes on, and published moments.
#include <scorematch/scorematch.hpp>

#if __has_include(<cereal/archives/binary.hpp>)
#include <cereal/archives/binary.hpp>
#define HAS_CEREAL 1
#else
#define HAS_CEREAL 0
#endif

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

namespace sm = scorematch;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "state.cpp: " << what << '\n';
  std::exit(EXIT_FAILURE);
}

using Estimator =
    sm::Estimator<sm::GaussianFamily<double, 2>, sm::ScoreMatchingLoss, sm::ClosedForm>;

Eigen::Matrix2Xd next_block(unsigned seed) {
  std::mt19937_64 rng(seed);
  return sm::Gaussian<double, 2>(Eigen::Vector2d(1, -1), Eigen::Matrix2d{{2, 0.5}, {0.5, 1}})
      .sample(500, rng);
}

void stop_and_go_on() {
  Estimator whole({}, {}, {});
  whole.observe(next_block(1));
  whole.observe(next_block(2));
#if HAS_CEREAL
  {
    Estimator estimator({}, {}, {});
    estimator.observe(next_block(1));

    std::ofstream file("checkpoint.bin", std::ios::binary);
    cereal::BinaryOutputArchive archive(file);
    archive(estimator);
  }
  {
    Estimator estimator({}, {}, {});  // the same family, loss and optimizer
    std::ifstream file("checkpoint.bin", std::ios::binary);
    cereal::BinaryInputArchive archive(file);
    archive(estimator);

    estimator.observe(next_block(2));  // the same bits as without the stop
    expect(estimator == whole && estimator.fit() == whole.fit(), "it goes on");
  }
  std::remove("checkpoint.bin");
#endif
  Estimator restored({}, {}, {});
  restored.restore(whole.state());  // without an archive: plain numbers, to keep as you like
  expect(restored == whole, "a state is all there is");
}

void published() {
  const double n = 88;  // samples; deviations and correlation as a table gives them, by n - 1
  const Eigen::Vector2d mean(50.6, 46.7), deviations(10.6, 14.8);
  const Eigen::Matrix2d correlation{{1, 0.71}, {0.71, 1}};
  const Eigen::Matrix2d covariance =
      (n - 1) / n * (deviations.asDiagonal() * correlation * deviations.asDiagonal());

  const auto moments = sm::Moments<double, 2>::from(n, mean, covariance);
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, moments);
  expect(fit.status == sm::Status::converged, "published");
  expect((fit.distribution.covariance() - covariance).norm() < 1e-12 * covariance.norm(),
         "published, covariance");
}

}  // namespace

int main() {
  stop_and_go_on();
  published();
}
