// A fitter that returns all that multi_start found, not its best fit.
// expect: FamilyOfFit
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

struct NoRandomBits {
  static constexpr unsigned min() { return 0; }
  static constexpr unsigned max() { return ~0U; }
  unsigned operator()() { return 1; }
};

inline void call(const Eigen::RowVectorXd& samples, NoRandomBits& rng) {
  const sm::GaussianMixtureFamily<double, 1, 2> family;
  const sm::ScoreMatchingLoss loss;
  const auto found = [&](const auto& x) {
    return sm::multi_start(family, loss, sm::Lbfgs{}, x, family.random_starts(x, 5, rng));
  };
#ifndef CORRECTED
  sm::stein_test_of_fit(found, samples, rng);  // error here
#else
  const auto best = [&](const auto& x) { return found(x).best; };
  sm::stein_test_of_fit(best, samples, rng);
#endif
}
