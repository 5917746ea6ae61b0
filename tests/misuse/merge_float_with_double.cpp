// Moments of float merged with moments of double.
// expect: Moments<double, 2>
// expect: float
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

inline void call(sm::Moments<double, 2>& a, const sm::Moments<float, 2>& b) {
  const sm::Moments<double, 2> c;
#ifndef CORRECTED
  a.merge(b);  // error here
#else
  a.merge(c);
#endif
}
