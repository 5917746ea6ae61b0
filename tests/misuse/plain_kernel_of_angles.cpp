// A kernel without the period of the angles.
// expect-header
// expect: one of angles, where Stein's identity needs a kernel with their period
// expect: PeriodicKernel{kernel}
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline double call(const sm::VonMisesFamily<double>::Distribution& model,
                   const Eigen::MatrixXd& angles) {
  const sm::GaussianKernel kernel{.length = 0.5};
#ifndef CORRECTED
  return sm::stein_discrepancy(model, angles, kernel).u_statistic;  // error here
#else
  return sm::stein_discrepancy(model, angles, sm::PeriodicKernel{kernel}).u_statistic;
#endif
}
