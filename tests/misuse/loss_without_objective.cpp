// A loss that makes no objective of what it keeps.
// expect: loss.objective(family, summary)
#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

using Family = sm::GaussianFamily<double, 1>;
using Summary = sm::Moments<double, 1>;

struct Loss {
  Summary summary(const Family&) const { return {}; }
#ifdef CORRECTED
  auto objective(const Family&, const Summary&) const {
    return [](const auto&, auto& gradient) {
      gradient.setZero();
      return 0.0;
    };
  }
#endif
};

inline void call(const Eigen::RowVectorXd& samples) {
  sm::fit(Family{}, Loss{}, sm::GradientDescent{}, samples);  // error here
}
