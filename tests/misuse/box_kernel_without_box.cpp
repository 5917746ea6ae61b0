// The kernel of a box for a score that does not say where its density ends.
// expect-header
// expect: the model has no box(), give in_box(model, box)
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline double call(const Eigen::RowVectorXd& samples) {
  const auto rate = [](const Eigen::Matrix<double, 1, 1>& x) -> Eigen::Matrix<double, 1, 1> {
    return Eigen::Matrix<double, 1, 1>::Constant(x.size(), -2.0);
  };
#ifndef CORRECTED
  return sm::stein_discrepancy(rate, samples, sm::BoxKernel<>{}).u_statistic;  // error here
#else
  const auto box = sm::Box<double, 1>::positive_orthant(1);
  return sm::stein_discrepancy(sm::in_box(rate, box), samples, sm::BoxKernel<>{}).u_statistic;
#endif
}
