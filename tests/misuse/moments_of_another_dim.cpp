// Moments of three coordinates for a family of two.
// expect: Moments<double, 3>
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline void call(const sm::Moments<double, 2>& two, const sm::Moments<double, 3>& three) {
  const sm::GaussianFamily<double, 2> family;
#ifndef CORRECTED
  sm::fit(family, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, three);  // error here
#else
  sm::fit(family, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, two);
#endif
}
