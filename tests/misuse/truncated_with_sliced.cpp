// A family that ends at an edge, with a loss that knows of none.
// expect: NoEdgeOrGeneralizedScoreMatchingLoss
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline void call(const Eigen::Matrix2Xd& samples) {
  const sm::TruncatedGaussianFamily<double, 2> family;
#ifndef CORRECTED
  sm::fit(family, sm::SlicedScoreMatchingLoss{}, sm::Lbfgs{}, samples);  // error here
#else
  sm::fit(family, sm::GeneralizedScoreMatchingLoss{}, sm::Lbfgs{}, samples);
#endif
}
