// A family whose densities cannot draw samples, and no sampler.
// expect: SamplerFor
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

struct NoRandomBits {
  static constexpr unsigned min() { return 0; }
  static constexpr unsigned max() { return ~0U; }
  unsigned operator()() { return 1; }
};

inline void call(const Eigen::RowVectorXd& samples, NoRandomBits& rng) {
  const sm::PolynomialFamily<double, 4> family;
  const sm::ScoreMatchingLoss loss;
#ifndef CORRECTED
  sm::stein_test_of_fit(family, loss, sm::ClosedForm{}, samples, rng);  // error here
#else
  const auto sampler = [](const auto&, Eigen::Index n, auto&) -> Eigen::RowVectorXd {
    return Eigen::RowVectorXd::Random(n);
  };
  const sm::InverseMultiquadric kernel;
  sm::stein_test_of_fit(family, loss, sm::ClosedForm{}, samples, rng, {}, kernel, sampler);
#endif
}
