// A family where the optimizer of a bare objective goes.
// expect: optimizer.minimize(objective, start, observer)
// expect: GaussianFamily
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

struct Parabola {
  double operator()(const Eigen::Vector2d& theta, Eigen::Vector2d& gradient) const {
    gradient = 2 * theta;
    return theta.squaredNorm();
  }
};

inline void call(const Eigen::Vector2d& start) {
#ifndef CORRECTED
  sm::minimize(sm::GaussianFamily<double, 2>{}, Parabola{}, start);  // error here
#else
  sm::minimize(sm::GradientDescent{}, Parabola{}, start);
#endif
}
