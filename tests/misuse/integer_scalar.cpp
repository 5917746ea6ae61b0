// A Gaussian over the integers.
// expect: Real
// expect: int
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

#ifndef CORRECTED
using Family = sm::GaussianFamily<int, 2>;  // error here
#else
using Family = sm::GaussianFamily<double, 2>;
#endif
