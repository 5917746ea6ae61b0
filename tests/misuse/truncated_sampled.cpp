// A family that ends at an edge, with a loss that knows of none, from the samples themselves.
// expect: NoEdgeOrGeneralizedScoreMatchingLoss
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline void call(const Eigen::Matrix2Xd& samples) {
  const sm::TruncatedGaussianFamily<double, 2> family;
#ifndef CORRECTED
  const sm::SampledLoss loss(sm::DenoisingScoreMatchingLoss{});
#else
  const sm::GeneralizedScoreMatchingLoss loss;
#endif
  sm::fit(family, loss, sm::Lbfgs{}, samples);  // error here
}
