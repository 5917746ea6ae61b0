// Which of several starts is the best: a converged one before any other, then the lowest loss.
#include "support.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>

namespace {

using namespace support;

using Family = sm::GaussianFamily<double, 1>;
using Parameters = Family::Parameters;

// Right of zero a bowl around (1, 0), whose minimum is 1; left of zero a slope that falls for ever.
// A walk stays on its side, so that starts on the left end lower, and not converged.
struct BowlAndSlope {
  double operator()(const Parameters& theta) const {
    Parameters gradient;
    return (*this)(theta, gradient);
  }
  double operator()(const Parameters& theta, Parameters& gradient) const {
    const bool bowl = theta(0) > 0;
    gradient << (bowl ? theta(0) - 1 : 1), theta(1);
    const double along = bowl ? 1 + (theta(0) - 1) * (theta(0) - 1) / 2 : theta(0);
    return along + theta(1) * theta(1) / 2;
  }
};

struct BowlAndSlopeLoss {
  sm::Moments<double, 1> summary(const Family& family) const {
    return sm::Moments<double, 1>(family.dimension());
  }
  BowlAndSlope objective(const Family&, const sm::Moments<double, 1>&) const { return {}; }
};

}  // namespace

TEST_CASE("a start that converged is better than any that did not, then the lowest loss is") {
  const Family family;
  const Eigen::RowVector3d samples(1, 2, 3);
  Rng rng(5);
  int mixed = 0;
  for (int problem = 0; problem < 200; ++problem) {
    CAPTURE(problem);
    const Eigen::Index count = 1 + problem % 5;
    Eigen::Matrix<double, 2, Eigen::Dynamic> starts = normals<double, 2>(2, count, rng);
    // From short walks to some that are long enough for the bowl.
    const sm::GradientDescent optimizer{.learning_rate = 0.5, .max_iterations = 20 + problem % 20};
    const auto found = sm::multi_start(family, BowlAndSlopeLoss{}, optimizer, samples, starts);

    std::array<Eigen::Index, 2> number{};  // of starts that did not, and did, converge
    Eigen::Index expected = -1;
    for (Eigen::Index s = 0; s < count; ++s) {
      const auto alone = sm::minimize(optimizer, BowlAndSlope{}, Parameters(starts.col(s)));
      const bool converged = alone.status == sm::Status::converged;
      CHECK(found.statuses[std::size_t(s)] == alone.status);
      CHECK(found.losses[std::size_t(s)] == alone.loss);
      if (starts(0, s) < 0) CHECK_FALSE(converged);
      const bool first = number[1] == 0 && (converged || expected < 0);
      if (first ||
          (converged == (number[1] > 0) && alone.loss < found.losses[std::size_t(expected)])) {
        expected = s;
      }
      ++number[converged ? 1 : 0];
    }
    CHECK(found.best_start == expected);
    CHECK(found.best.loss == found.losses[std::size_t(expected)]);
    CHECK(found.best.status == found.statuses[std::size_t(expected)]);
    if (number[0] > 0 && number[1] > 0) ++mixed;
  }
  CHECK(mixed > 50);
}
