// The closed form of an objective that does not know its minimum.
// expect: HasExactMinimum
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
  sm::minimize(sm::ClosedForm{}, Parabola{}, start);  // error here
#else
  sm::minimize(sm::GradientDescent{}, Parabola{}, start);
#endif
}
