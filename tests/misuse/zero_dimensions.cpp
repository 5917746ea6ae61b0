// No coordinates. A static_assert in the class says so, hence the first error is in the header.
// expect-header
// expect: Dim is a positive size or Eigen::Dynamic
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

#ifndef CORRECTED
inline const sm::GaussianFamily<double, 0> family;  // error here
#else
inline const sm::GaussianFamily<double, 1> family;
#endif
