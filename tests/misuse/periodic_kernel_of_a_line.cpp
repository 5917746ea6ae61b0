// The kernel of angles for a score that does not say that its coordinates are angles.
// expect-header
// expect: for models of angles, which this one does not say to be: give on_torus(model)
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline double call(const Eigen::RowVectorXd& angles) {
  const auto score = [](const Eigen::Matrix<double, 1, 1>& x) -> Eigen::Matrix<double, 1, 1> {
    return -x.array().sin();
  };
#ifndef CORRECTED
  return sm::stein_discrepancy(score, angles, sm::PeriodicKernel<>{}).u_statistic;  // error here
#else
  return sm::stein_discrepancy(sm::on_torus(score), angles).u_statistic;
#endif
}
