// An observer that returns what is neither nothing nor yes or no.
// expect: Observer
// expect: convertible_to
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline void call(const Eigen::Matrix2Xd& samples) {
  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
#ifndef CORRECTED
  const auto observer = [](const auto&) { return sm::LossHistory<>{}; };
  sm::fit(family, loss, sm::GradientDescent{}, samples, observer);  // error here
#else
  const auto observer = [](const auto&) { return true; };
  sm::fit(family, loss, sm::GradientDescent{}, samples, observer);
#endif
}
