// The programs that docs/denoising-and-sliced.md quotes. Returns 0 where each does what the page
// says.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace sm = scorematch;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not as documented: %s\n", what);
  std::exit(1);
}

void singular_samples() {
  Eigen::Matrix2Xd line(2, 3);  // all on one line: no Gaussian fits them best
  line << 1, 2, 3, 2, 4, 6;
  const sm::GaussianFamily<double, 2> family;
  const auto fit =
      sm::fit(family, sm::DenoisingScoreMatchingLoss{.sigma = 0.5}, sm::ClosedForm{}, line);
  // the covariance of the samples, plus 0.25 on its diagonal
  expect(std::abs(fit.distribution.covariance()(0, 0) - (2.0 / 3 + 0.25)) < 1e-12, "S + sigma^2 I");
  expect(fit.status == sm::Status::converged, "a minimum exists");
}

void energy() {
  // A double well: log p = -a x^2 / 2 - x^4 / 4.
  const auto well = [](const auto& x, const auto& theta) {
    const auto square = x(0) * x(0);
    return square * theta(0) * -0.5 - square * square * 0.25;
  };
  std::mt19937_64 rng(1);
  std::uniform_real_distribution<double> place(-4, 4), level(0, 1);
  Eigen::RowVectorXd samples(2000);  // of a = -1
  for (Eigen::Index j = 0; j < samples.size();) {
    const double x = place(rng);
    if (std::log(level(rng)) < x * x / 2 - x * x * x * x / 4 - 0.25) samples(j++) = x;
  }

  const auto family = sm::energy_family<1>(well, Eigen::Vector<double, 1>(0.0));
  const sm::DenoisingScoreMatchingLoss fixed_noise{.sigma = 0.1, .draws = 4, .seed = rng()};
  const auto denoised = sm::fit(family, fixed_noise, sm::Momentum{.learning_rate = 0.05}, samples);

  const sm::SlicedScoreMatchingLoss batches{.projections = 1, .batch_size = 50};
  const auto sliced =
      sm::fit(family, batches,
              sm::Adam{.learning_rate = 0.05, .decay = 0.05, .max_iterations = 2000}, samples);
  expect(denoised.status == sm::Status::converged, "fixed noise converges");
  expect(sliced.status == sm::Status::iteration_limit, "mini-batches end at the limit");
  expect(std::abs(denoised.parameters(0) + 1) < 0.2, "a, denoised");
  expect(std::abs(sliced.parameters(0) + 1) < 0.2, "a, sliced");
  expect(batches
             .objective(family,
                        [&] {
                          auto set = batches.summary(family);
                          set.add(samples);
                          return set;
                        }())
             .info()
             .stochastic,
         "stochastic");
}

void noise_for_a_gaussian() {
  const Eigen::RowVector3d samples(1, 2, 4);
  const sm::GaussianFamily<double, 1> family;
  const sm::SampledLoss sampled(sm::DenoisingScoreMatchingLoss{.sigma = 0.5, .draws = 1000});
  const auto fit = sm::fit(family, sampled, sm::Momentum{.learning_rate = 0.02}, samples);
  expect(std::abs(fit.distribution.covariance()(0, 0) - (14.0 / 9 + 0.25)) < 0.1, "near the exact");
}

}  // namespace

int main() {
  singular_samples();
  energy();
  noise_for_a_gaussian();
}
