// A family that does not say where to start.
// expect: family.start()
#include <scorematch/scorematch.hpp>

struct Location {
  using Scalar = double;
  static constexpr int Dim = 1;
  using Parameters = Eigen::Matrix<double, 1, 1>;
  using Distribution = double;
  Eigen::Index dimension() const { return 1; }
  Eigen::Index parameter_count() const { return 1; }
#ifdef CORRECTED
  Parameters start() const { return Parameters::Zero(); }
#endif
  double distribution(const Parameters& theta) const { return theta(0); }
};

struct AnyLoss {
  auto summary(const Location&) const { return scorematch::Moments<double, 1>(); }
  auto objective(const Location&, const scorematch::Moments<double, 1>&) const {
    return [](const auto&, auto& gradient) {
      gradient.setZero();
      return 0.0;
    };
  }
};

inline void call(const Eigen::RowVectorXd& samples) {
  scorematch::fit(Location{}, AnyLoss{}, scorematch::GradientDescent{}, samples);  // error here
}
