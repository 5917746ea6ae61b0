// The programs that docs/truncated-data.md quotes. Returns 0 where each does what the page says.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <random>

namespace sm = scorematch;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not as documented: %s\n", what);
  std::exit(1);
}

// Of a Gaussian with mean (0.5, 0.8) and unit variances, what lies in the box.
Eigen::Matrix2Xd draw_samples(Eigen::Index n, const sm::Box<double, 2>& box) {
  const sm::Gaussian<double, 2> gaussian(Eigen::Vector2d(0.5, 0.8),
                                         Eigen::Matrix2d{{1, 0.5}, {0.5, 1}});
  std::mt19937_64 rng(1);
  Eigen::Matrix2Xd samples(2, n);
  for (Eigen::Index i = 0; i < n;) {
    const Eigen::Vector2d x = gaussian.sample(rng);
    if (box.contains(x)) samples.col(i++) = x;
  }
  return samples;
}

void non_negative() {
  const Eigen::Matrix2Xd samples =
      draw_samples(20000, sm::Box<double, 2>::positive_orthant(2));  // 2 x n, none below 0

  const sm::TruncatedGaussianFamily<double, 2> family;
  const auto fit = sm::fit(family, sm::GeneralizedScoreMatchingLoss{}, sm::ClosedForm{}, samples);

  const auto gaussian = fit.distribution.untruncated();  // as it was before the cut
  std::cout << explain(fit.status) << "\nmean: " << gaussian.mean().transpose() << "\ncovariance:\n"
            << gaussian.covariance() << '\n';

  expect((gaussian.mean() - Eigen::Vector2d(0.5, 0.8)).norm() < 0.1, "mean");
  expect((gaussian.covariance() - Eigen::Matrix2d{{1, 0.5}, {0.5, 1}}).norm() < 0.1, "covariance");
  const auto moments =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  expect(moments.distribution.mean()(0) > 0.9, "the mean of what is left");
}

void box() {
  const sm::Box<double, 2> window(Eigen::Vector2d(0, -1), Eigen::Vector2d(2, INFINITY));
  const Eigen::Matrix2Xd samples = draw_samples(20000, window);
  const sm::TruncatedGaussianFamily family(window);
  const auto fit =
      sm::fit(family, sm::GeneralizedScoreMatchingLoss{sm::LogWeight{}}, sm::ClosedForm{}, samples);
  std::cout << "K:\n" << fit.distribution.precision() << '\n';
  const Eigen::Matrix2d precision = Eigen::Matrix2d{{1, -0.5}, {-0.5, 1}} / 0.75;
  expect((fit.distribution.precision() - precision).norm() < 0.15, "precision");
}

struct SquareWeight {
  template <class T>
  T value(T x) const {
    return x * x;
  }
  template <class T>
  T derivative(T x) const {
    return 2 * x;
  }
};

// Gamma distributed waiting times of shape 3 and rate 2.
Eigen::RowVectorXd draw_times(Eigen::Index n) {
  std::mt19937_64 rng(2);
  std::gamma_distribution<double> gamma(3, 0.5);
  Eigen::RowVectorXd times(n);
  for (double& time : times) time = gamma(rng);
  return times;
}

void energy() {
  const Eigen::RowVectorXd samples = draw_times(20000);

  const auto log_density = [](const auto& x, const auto& theta) {
    using std::log;
    return (theta(0) - 1) * log(x(0)) - theta(1) * x(0);  // shape, rate
  };
  const auto family = sm::energy_family<1>(log_density, Eigen::Vector2d(1, 1));
  const auto fit =
      sm::fit(family, sm::GeneralizedScoreMatchingLoss{SquareWeight{}}, sm::Lbfgs{}, samples);
  std::cout << "shape and rate: " << fit.parameters.transpose() << '\n';

  expect((fit.parameters - Eigen::Vector2d(3, 2)).norm() < 0.3, "shape and rate");
}

}  // namespace

int main() {
  non_negative();
  box();
  energy();
}
