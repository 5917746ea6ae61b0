#include <scorematch/scorematch.hpp>

#include <iostream>
#include <random>

namespace sm = scorematch;

int main() {
  const sm::Gaussian<double, 2> truth(Eigen::Vector2d(1, -1), Eigen::Matrix2d{{2, 0.5}, {0.5, 1}});
  std::mt19937_64 rng(1);
  const Eigen::Matrix2Xd samples = truth.sample(10000, rng);  // one sample per column
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::Momentum{}, samples);
  std::cout << explain(fit.status) << "\nmean: " << fit.distribution.mean().transpose()
            << "\ncovariance:\n"
            << fit.distribution.covariance() << '\n';
}
