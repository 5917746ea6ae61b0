// Samples of float for a family of double: convert them where the cost can be seen.
// expect: HasScalar
// expect: float
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline void call(const Eigen::Matrix2Xf& samples) {
  const sm::GaussianFamily<double, 2> family;
#ifndef CORRECTED
  sm::fit(family, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, samples);  // error here
#else
  sm::fit(family, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, samples.cast<double>());
#endif
}
