// The programs that docs/exponential-families.md quotes. Returns 0 where each does what the page
// says.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <random>
#include <vector>

namespace sm = scorematch;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not as documented: %s\n", what);
  std::exit(1);
}

// t(x) = (cos x, cos 2x, log(1 + x^2)), written once.
struct Ripples {
  template <class X>
  auto operator()(const X& x) const {
    using std::cos;
    using std::log1p;
    using T = typename X::Scalar;
    return Eigen::Matrix<T, 3, 1>(cos(x(0)), cos(2 * x(0)), log1p(x(0) * x(0)));
  }
};

// A double well, by Metropolis: exp(x^2 - x^4 / 2).
Eigen::RowVectorXd draw_samples(Eigen::Index n) {
  std::mt19937_64 rng(1);
  std::uniform_real_distribution<double> step(-2, 2), unit(0, 1);
  const auto log_density = [](double x) { return x * x - x * x * x * x / 2; };
  Eigen::RowVectorXd samples(n);
  double x = 0;
  for (double& sample : samples) {
    for (int k = 0; k < 5; ++k) {
      const double y = x + step(rng);
      if (unit(rng) < std::exp(log_density(y) - log_density(x))) x = y;
    }
    sample = x;
  }
  return samples;
}

void ready_family() {
  const Eigen::RowVectorXd samples = draw_samples(20000);  // 1 x n, of exp(x^2 - x^4 / 2)

  const sm::PolynomialFamily<double, 4> family;  // exp(a x + b x^2 + c x^3 + d x^4)
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);

  std::cout << explain(fit.status) << '\n'
            << "theta: " << fit.parameters.transpose() << '\n'  // near 0, 1, 0, -1/2
            << "a density: " << family.normalizable(fit.parameters) << '\n';
  expect((fit.parameters - Eigen::Vector4d(0, 1, 0, -0.5)).norm() < 0.1, "ready family");
}

void own_statistics() {
  const Eigen::RowVectorXd samples = draw_samples(2000);

  const sm::ExponentialFamily<double, 1, 3, Ripples> family;
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);

  const Eigen::Matrix<double, 1, 1> x(0.5);
  std::cout << "score at 0.5: " << fit.distribution.score(x) << '\n';
  expect(fit.status == sm::Status::converged, "own statistics");
}

struct Collinear {  // x^2 and its double, and x^4
  template <class X>
  auto operator()(const X& x) const {
    const auto square = x(0) * x(0);
    return Eigen::Matrix<typename X::Scalar, 3, 1>(square, 2 * square, square * square);
  }
};

void not_identifiable() {
  const Eigen::RowVectorXd samples = draw_samples(2000);
  const sm::ExponentialFamily<double, 1, 3, Collinear> family;
  const sm::ScoreMatchingLoss loss;

  auto summary = loss.summary(family);
  summary.add(samples);
  const auto objective = loss.objective(family, summary);
  for (const auto k : objective.unidentifiable()) std::cout << "not determined: " << k << '\n';

  const auto fit = sm::fit(family, loss, sm::ClosedForm{}, summary);
  std::cout << explain(fit.status) << '\n';
  expect(fit.status == sm::Status::ambiguous, "not identifiable");
  expect(objective.unidentifiable() == std::vector<Eigen::Index>{0, 1}, "the names");
}

}  // namespace

int main() {
  ready_family();
  own_statistics();
  not_identifiable();
}
