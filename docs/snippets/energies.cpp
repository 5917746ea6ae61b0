// The programs that docs/energies.md quotes. Returns 0 where each does what the page says.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

namespace sm = scorematch;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not as documented: %s\n", what);
  std::exit(1);
}

// Two coupled spins in double wells: log p = a |x|^2 / 2 - (x_0^4 + x_1^4) / 4 + c x_0 x_1 + const.
struct DoubleWells {
  auto operator()(const auto& x, const auto& theta) const {
    const auto& a = theta(0);
    const auto& c = theta(1);
    return a * x.squaredNorm() / 2 - (pow(x(0), 4) + pow(x(1), 4)) / 4 + c * x(0) * x(1);
  }
};

// Metropolis: it needs no normalizer either.
Eigen::Matrix2Xd draw_samples(Eigen::Index n) {
  using std::pow;
  const auto log_density = [](const Eigen::Vector2d& x) {
    return 1.5 * x.squaredNorm() / 2 - (pow(x(0), 4) + pow(x(1), 4)) / 4 + 0.4 * x(0) * x(1);
  };
  std::mt19937_64 rng(1);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  Eigen::Matrix2Xd samples(2, n);
  Eigen::Vector2d x(0, 0);
  for (Eigen::Index j = 0; j < n; ++j) {
    for (int sweep = 0; sweep < 20; ++sweep) {
      const Eigen::Vector2d proposal = x + Eigen::Vector2d(normal(rng), normal(rng));
      if (std::log(uniform(rng)) < log_density(proposal) - log_density(x)) x = proposal;
    }
    samples.col(j) = x;
  }
  return samples;
}

void first_energy() {
  const Eigen::Matrix2Xd samples = draw_samples(5000);  // of a = 1.5, c = 0.4

  const auto family = sm::energy_family<2>(DoubleWells{}, Eigen::Vector2d(0, 0));
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, samples);
  std::printf("a = %.3f, c = %.3f\n", fit.parameters(0), fit.parameters(1));

  const Eigen::Vector2d x(1, -0.5);
  const Eigen::Vector2d score = fit.distribution.score(x);
  const double laplacian = fit.distribution.laplacian(x);
  expect(fit.status == sm::Status::converged, "converged");
  expect(std::abs(fit.parameters(0) - 1.5) < 0.1 && std::abs(fit.parameters(1) - 0.4) < 0.1,
         "the parameters come back");
  const double a = fit.parameters(0), c = fit.parameters(1);
  expect(std::abs(score(0) - (a * 1 - 1 + c * -0.5)) < 1e-12, "the score is the derivative");
  expect(std::abs(laplacian - (2 * a - 3 * 1.25)) < 1e-12, "so is the Laplacian");
}

void any_function() {
  using Number = sm::ForwardLaplacian<double, 2>;
  const Eigen::Vector2d x(0.5, 2);
  const auto numbers = sm::variables<Number>(x);  // the coordinates, as variables
  const Number f = exp(numbers(0)) * numbers(1) + sm::logsumexp(numbers);
  // f.value, f.gradient[0], f.gradient[1], f.laplacian
  expect(std::abs(f.laplacian - (std::exp(0.5) * 2 + 2 * 0.149146452070332)) < 1e-12, "Laplacian");
}

void mixture() {
  const Eigen::Matrix<double, 1, 1> left(-1.5), right(1.0), narrow(0.25), wide(0.64);
  const sm::GaussianMixture<double, 1, 2> truth({0.3, 0.7}, {{{left, narrow}, {right, wide}}});
  std::mt19937_64 rng(2);
  const auto samples = truth.sample(2000, rng);

  const sm::GaussianMixtureFamily<double, 1, 2> family;
  const auto starts = family.random_starts(samples, 5, rng);  // one start per column
  const auto found =
      sm::multi_start(family, sm::ScoreMatchingLoss{},
                      sm::Adam{.learning_rate = 0.03, .max_iterations = 3000}, samples, starts);
  const auto& fitted = found.best.distribution;
  const Eigen::Index first = fitted.component(0).mean()(0) < fitted.component(1).mean()(0) ? 0 : 1;
  expect(std::abs(fitted.component(first).mean()(0) + 1.5) < 0.2, "the left mean");
  expect(std::abs(fitted.weights()(first) - 0.3) < 0.1, "the left weight");
}

void not_finite() {
  const auto gamma = [](const auto& x, const auto& theta) {
    using std::log;
    return theta(0) * log(x(0)) - x(0);  // a Gamma density: x > 0 only
  };
  const auto family = sm::energy_family<1>(gamma, Eigen::Matrix<double, 1, 1>(1.0));
  const Eigen::RowVector3d samples(0.5, -2, 1);
  std::string sentence;
  try {
    sm::fit(family, sm::ScoreMatchingLoss{}, sm::Momentum{}, samples);
  } catch (const std::invalid_argument& error) {
    sentence = error.what();
  }
  std::printf("%s\n", sentence.c_str());
  expect(sentence.find("samples(row 0, column 1) = -2") != std::string::npos,
         "the sample is named");
}

void many_points() {
  const Eigen::Matrix2Xd samples = draw_samples(500);
  const auto family = sm::energy_family<2>(DoubleWells{}, Eigen::Vector2d(1, 0));
  const auto density = family.distribution(Eigen::Vector2d(1.5, 0.4));
  const Eigen::Matrix2Xd scores = density.score(samples);  // one a column
  const Eigen::RowVectorXd laplacians = density.laplacian(samples);
  const Eigen::RowVectorXd values = density.unnormalized_log_density(samples);
  for (const Eigen::Index j : {0, 250, 499}) {
    const Eigen::Vector2d x = samples.col(j);
    expect((scores.col(j) - density.score(x)).norm() < 1e-12, "scores");
    expect(std::abs(laplacians(j) - density.laplacian(x)) < 1e-12, "Laplacians");
    expect(std::abs(values(j) - density.unnormalized_log_density(x)) < 1e-12, "values");
  }
}

void batches() {
  const Eigen::Matrix2Xd samples = draw_samples(5000);
  const auto family = sm::energy_family<2>(DoubleWells{}, Eigen::Vector2d(0, 0));
  const sm::MiniBatches loss(sm::ScoreMatchingLoss{}, {.size = 250, .seed = 1});
  const sm::Adam optimizer{.learning_rate = 0.05, .decay = 0.01, .max_iterations = 1000};
  const auto fit = sm::fit(family, loss, optimizer, samples);
  expect((fit.parameters - Eigen::Vector2d(1.5, 0.4)).norm() < 0.15, "mini-batches");
}

void schedules() {
  const Eigen::Matrix2Xd all = draw_samples(6000);
  const auto samples = all.leftCols(5000);
  const auto held_out = all.rightCols(1000);
  const auto family = sm::energy_family<2>(DoubleWells{}, Eigen::Vector2d(0, 0));
  const sm::MiniBatches loss(sm::ScoreMatchingLoss{}, {.size = 250, .seed = 1});

  const sm::Adam cosine{.learning_rate = 0.05,
                        .schedule = {.warm_up = 50, .cosine_to = 0.01},
                        .max_iterations = 1000};
  auto stop =
      sm::early_stopping(sm::ScoreMatchingLoss{}, family, held_out, {.every = 20, .patience = 10});
  sm::fit(family, loss, cosine, samples, stop);
  const auto& best = stop.best();  // parameters, their loss on held_out, and the step
  const auto density = family.distribution(best.parameters);

  const sm::Averaged averaged(sm::Adam{.learning_rate = 0.05, .max_iterations = 1000},
                              {.last = 500});
  const auto mean = sm::fit(family, loss, averaged, samples);

  expect((best.parameters - Eigen::Vector2d(1.5, 0.4)).norm() < 0.15, "early stopping");
  expect(density.score(Eigen::Vector2d(1, 1)).allFinite(), "the density there");
  expect((mean.parameters - Eigen::Vector2d(1.5, 0.4)).norm() < 0.15, "the mean of a walk");
}

void kept_from_recording() {
  const Eigen::RowVectorXd samples = draw_samples(500).row(0);
  const auto spring = [](const auto& x, const auto& theta) {
    const double where = sm::value(x(0));  // asks a number for its plain value
    const double stiffness = where < 0 ? 1 : 2;
    return -theta(0) * stiffness * x(0) * x(0) / 2;
  };
  const Eigen::Matrix<double, 1, 1> start(1.0);
  const auto family = sm::energy_family<1>(sm::not_recorded(spring), start);
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, samples);
  expect(fit.status == sm::Status::converged, "converged");
}

}  // namespace

int main() {
  first_energy();
  many_points();
  batches();
  schedules();
  kept_from_recording();
  any_function();
  mixture();
  not_finite();
}
