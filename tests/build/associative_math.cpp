// A batch is what its problems are alone: 0 where it is.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <vector>

namespace sm = scorematch;

int main() {
  Eigen::Matrix2Xd x(2, 5);
  x << 1, 2, 3, 4, 7, 2, 1, 5, 3, 3;
  const std::vector<Eigen::Matrix2Xd> blocks(17, x);
  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
  const sm::Momentum optimizer{.learning_rate = 1e-2};
  const auto alone = sm::fit(family, loss, optimizer, x);
  for (const auto& fit : sm::fit_batch(family, loss, optimizer, blocks)) {
    if (fit.status != alone.status || !(std::abs(fit.loss - alone.loss) < 1e-9)) return 1;
  }
  return alone.status == sm::Status::converged ? 0 : 1;
}
