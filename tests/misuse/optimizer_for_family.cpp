// The optimizer where the family goes.
// expect: FamilyTypes
// expect: GradientDescent
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

using Family = sm::GaussianFamily<double, 2>;

inline void call(const Eigen::Matrix2Xd& samples) {
#ifndef CORRECTED
  sm::fit(sm::GradientDescent{}, sm::ScoreMatchingLoss{}, Family{}, samples);  // error here
#else
  sm::fit(Family{}, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, samples);
#endif
}
