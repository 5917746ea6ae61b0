// Usage: no_exceptions [nan]   fits good samples, or some with a NaN in row 1, column 2
#include "mean.hpp"

#include <cstdio>
#include <limits>
#include <stdexcept>

static int run(bool good) {
  Eigen::Matrix<double, 2, 4> x = samples();
  if (!good) x(1, 2) = std::numeric_limits<double>::quiet_NaN();
  const auto fit =
      sm::fit(Centre{}, SquaredDistance{}, sm::GradientDescent{.learning_rate = 0.5}, x);
  return fit.status == sm::Status::converged ? 0 : 1;
}

int main(int argc, char**) {
#ifdef __cpp_exceptions
  try {
    return run(argc == 1);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
#else
  return run(argc == 1);
#endif
}
