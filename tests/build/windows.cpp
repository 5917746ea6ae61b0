// scorematch after <windows.h>, which defines near, far, small, min and max.
#include <windows.h>
// <rpcndr.h> and <objbase.h>, which WIN32_LEAN_AND_MEAN leaves out
#include <objbase.h>
#include <rpc.h>
#include <rpcndr.h>

#include <scorematch/scorematch.hpp>

#include <vector>

namespace sm = scorematch;

int main() {
  Eigen::Matrix2Xd x(2, 5);
  x << 1, 2, 3, 4, 7, 2, 1, 5, 3, 3;
  const sm::GaussianFamily<double, 2> family;
  const auto one = sm::fit(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, x);
  const auto many = sm::fit_batch(family, sm::ScoreMatchingLoss{}, sm::Momentum{},
                                  std::vector<Eigen::Matrix2Xd>(9, x));
  return one.status == sm::Status::converged && many.size() == 9 ? 0 : 1;
}
