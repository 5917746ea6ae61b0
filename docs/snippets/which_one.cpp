// The program that docs/which-one.md quotes. Returns 0 where it does what the page says.
#include <scorematch/scorematch.hpp>

#include <iostream>
#include <random>

namespace sm = scorematch;

int main() {
  std::mt19937_64 rng(1);
  std::normal_distribution<double> normal;
  Eigen::Matrix3Xd samples(3, 200);
  for (double& x : samples.reshaped()) x = normal(rng);
  samples.row(2) = samples.row(0) - samples.row(1);

  const sm::GaussianFamily<double, 3> family;
  const sm::ScoreMatchingLoss loss;
  const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
  if (fit.status != sm::Status::converged) {
    std::cerr << sm::explain(fit, family, loss, samples) << '\n';
  }
  return fit.status == sm::Status::unbounded ? 0 : 1;
}
