// Samples and optimizer exchanged.
// expect: optimizer.minimize(objective, start, observer)
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

using Family = sm::GaussianFamily<double, 2>;

inline void call(const Eigen::Matrix2Xd& samples) {
#ifndef CORRECTED
  sm::fit(Family{}, sm::ScoreMatchingLoss{}, samples, sm::GradientDescent{});  // error here
#else
  sm::fit(Family{}, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, samples);
#endif
}
