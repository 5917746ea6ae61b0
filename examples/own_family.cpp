// Your own family and loss: p(x) ~ exp(-a x^2 / 2 - b x^4 / 4), its normalizing constant unknown.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

struct Quartic {  // the family: what a Family must say, and no base class
  using Scalar = double;
  static constexpr int Dim = 1;
  using Parameters = Eigen::Vector2d;  // a, b
  struct Distribution {
    double a, b;
  };
  Eigen::Index dimension() const { return 1; }
  Eigen::Index parameter_count() const { return 2; }
  Parameters start() const { return {1, 0}; }
  Distribution distribution(const Parameters& theta) const { return {theta(0), theta(1)}; }
};

struct QuarticScoreMatching {  // the loss: what it keeps of the samples, what to minimize
  struct Summary {
    double n = 0, x2 = 0, x4 = 0, x6 = 0;
    template <class Samples>
    void add(const Samples& x) {
      const auto squares = x.array().square().eval();
      n += double(x.size()), x2 += squares.sum(), x4 += squares.square().sum();
      x6 += squares.cube().sum();
    }
    void merge(const Summary& o) { n += o.n, x2 += o.x2, x4 += o.x4, x6 += o.x6; }
    double count() const { return n; }
  };
  Summary summary(const Quartic&) const { return {}; }
  auto objective(const Quartic&,
                 const Summary& s) const {  // J = E[(a x + b x^3)^2 / 2 - a - 3 b x^2]
    return [m2 = s.x2 / s.n, m4 = s.x4 / s.n, m6 = s.x6 / s.n](const Eigen::Vector2d& theta,
                                                               Eigen::Vector2d& gradient) {
      const double a = theta(0), b = theta(1);
      gradient << a * m2 + b * m4 - 1, a * m4 + b * m6 - 3 * m2;
      return (a * a * m2 + 2 * a * b * m4 + b * b * m6) / 2 - a - 3 * b * m2;
    };
  }
};

int main() {
  scorematch::Estimator estimator(Quartic{}, QuarticScoreMatching{},
                                  scorematch::GradientDescent{.learning_rate = 0.1});
  std::mt19937 rng(1);
  std::uniform_real_distribution<double> step(-2, 2), unit(0, 1);
  const auto energy = [](double x) { return -x * x + x * x * x * x / 4; };  // a = -2, b = 1
  Eigen::Matrix<double, 1, 1> x(0.0);
  for (int k = 0; k < 1000000; ++k) {  // Metropolis
    const double y = x(0) + step(rng);
    if (unit(rng) < std::exp(energy(x(0)) - energy(y))) x(0) = y;
    estimator.observe(x);
  }
  const auto fit = estimator.fit();
  std::printf("a = %.3f (true -2), b = %.3f (true 1)\n", fit.parameters(0), fit.parameters(1));
  if ((fit.parameters - Eigen::Vector2d(-2, 1)).norm() < 0.1) return EXIT_SUCCESS;
  std::printf("not as expected: the estimate is within 0.1 of the truth\n");
  return EXIT_FAILURE;
}
