// A program with one fit of one energy, for compile_time.py.
#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cstdio>

struct DoubleWells {
  auto operator()(const auto& x, const auto& theta) const {
    return theta(0) * x.squaredNorm() / 2 - (pow(x(0), 4) + pow(x(1), 4)) / 4 +
           theta(1) * x(0) * x(1);
  }
};

int main() {
  const Eigen::Matrix2Xd samples = Eigen::Matrix2Xd::Random(2, 100);
  const auto family = scorematch::energy_family<2>(DoubleWells{}, Eigen::Vector2d(0, 0));
  const auto fit =
      scorematch::fit(family, scorematch::ScoreMatchingLoss{}, scorematch::Lbfgs{}, samples);
  std::printf("%g %g\n", fit.parameters(0), fit.parameters(1));
}
