// An observer that asks for the loss and is given the state of the iteration.
// expect: observer(state)
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline void call(const Eigen::Matrix2Xd& samples) {
  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
#ifndef CORRECTED
  const auto observer = [](double) {};
  sm::fit(family, loss, sm::GradientDescent{}, samples, observer);  // error here
#else
  const auto observer = [](const auto&) {};
  sm::fit(family, loss, sm::GradientDescent{}, samples, observer);
#endif
}
