#include "mean.hpp"

#include <scorematch/scorematch.hpp>

#include <cstdio>
#include <string>

int main() {
  const auto here =
      sm::fit(Centre{}, SquaredDistance{}, sm::GradientDescent{.learning_rate = 0.5}, samples());
  const auto there = fit_in_the_other_unit();
  const std::string version = std::to_string(SCOREMATCH_VERSION_MAJOR) + "." +
                              std::to_string(SCOREMATCH_VERSION_MINOR) + "." +
                              std::to_string(SCOREMATCH_VERSION_PATCH);
  std::printf("mean = (%.9g, %.9g), expected (3, -1); %s; version %s, expected %s\n",
              here.parameters(0), here.parameters(1), std::string(to_string(here.status)).c_str(),
              version.c_str(), EXPECTED_VERSION);
  return here.status == sm::Status::converged && version == EXPECTED_VERSION &&
                 here.parameters == there.parameters &&
                 (here.parameters - Eigen::Vector2d(3, -1)).norm() < 1e-6
             ? 0
             : 1;
}
