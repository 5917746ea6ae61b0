// An energy whose theta is a plain vector: derivatives by theta cannot pass through it.
// expect: TakesAnyTheta
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline void call() {
#ifndef CORRECTED
  const auto energy = [](const auto& x, const Eigen::Vector2d& theta) {
    return -theta(0) * x.squaredNorm();
  };
  sm::energy_family<2>(energy, Eigen::Vector2d(1, 0));  // error here
#else
  const auto energy = [](const auto& x, const auto& theta) { return -theta(0) * x.squaredNorm(); };
  sm::energy_family<2>(energy, Eigen::Vector2d(1, 0));
#endif
}
