// Samples of three coordinates for a family of two.
// expect: HasRows
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline void call(const Eigen::Matrix3Xd& samples) {
  const sm::GaussianFamily<double, 2> family;
#ifndef CORRECTED
  sm::fit(family, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, samples);  // error here
#else
  sm::fit(family, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, samples.topRows<2>());
#endif
}
