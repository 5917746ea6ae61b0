// An objective that computes no gradient.
// expect: objective(theta, gradient)
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

struct Parabola {
#ifndef CORRECTED
  double operator()(const Eigen::Vector2d& theta) const { return theta.squaredNorm(); }
#else
  double operator()(const Eigen::Vector2d& theta, Eigen::Vector2d& gradient) const {
    gradient = 2 * theta;
    return theta.squaredNorm();
  }
#endif
};

inline void call(const Eigen::Vector2d& start) {
  sm::minimize(sm::GradientDescent{}, Parabola{}, start);  // error here
}
