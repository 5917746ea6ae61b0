// An energy that asks a number for its plain value, where it is recorded.
// expect-header
// expect: wrap the energy in scorematch::not_recorded
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline double call(const Eigen::RowVectorXd& samples) {
  const auto spring = [](const auto& x, const auto& theta) {
    const double side = sm::value(x(0)) < 0 ? 1 : 2;
    return -theta(0) * side * x(0) * x(0) / 2;
  };
  const Eigen::Matrix<double, 1, 1> start(1.0);
#ifndef CORRECTED
  const auto family = sm::energy_family<1>(spring, start);
#else
  const auto family = sm::energy_family<1>(sm::not_recorded(spring), start);
#endif
  return sm::fit(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, samples).loss;  // error here
}
