// A kernel that does not vanish at the edge of the box.
// expect-header
// expect: ends at a box, where Stein's identity needs a kernel that vanishes at its edge
// expect: BoxKernel{kernel}
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline double call(const sm::TruncatedGaussian<double, 2>& model, const Eigen::Matrix2Xd& samples) {
  const sm::GaussianKernel kernel{.length = 0.5};
#ifndef CORRECTED
  return sm::stein_discrepancy(model, samples, kernel).u_statistic;  // error here
#else
  return sm::stein_discrepancy(model, samples, sm::BoxKernel{kernel}).u_statistic;
#endif
}
