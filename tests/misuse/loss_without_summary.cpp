// A loss that keeps nothing of the samples.
// expect: loss.summary(family)
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

using Family = sm::GaussianFamily<double, 1>;
using Summary = sm::Moments<double, 1>;

struct Loss {
#ifdef CORRECTED
  Summary summary(const Family&) const { return {}; }
#endif
  auto objective(const Family&, const Summary&) const {
    return [](const auto&, auto& gradient) {
      gradient.setZero();
      return 0.0;
    };
  }
};

inline void call(const Eigen::RowVectorXd& samples) {
  sm::fit(Family{}, Loss{}, sm::GradientDescent{}, samples);  // error here
}
