// Student t and Gaussian mixture: families that are differentiated by the library.
#include "support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

namespace {
using namespace support;
}

namespace {

// Values, score and Laplacian of a distribution against each other (differences in double) and
// against its family.
template <class F>
void check_distribution(const F& family, const Eigen::VectorXd& theta, Rng& rng) {
  const auto p = family.distribution(theta);
  const Eigen::Index d = family.dimension();
  const double at_zero =
      p.log_density(Eigen::VectorXd::Zero(d)) - family.log_density(Eigen::VectorXd::Zero(d), theta);
  for (int trial = 0; trial < 20; ++trial) {
    const Eigen::VectorXd x = 2 * normals<double>(d, 1, rng);
    const auto both = family.score_and_laplacian(x, theta);
    CHECK(p.log_density(x) - family.log_density(x, theta) ==
          doctest::Approx(at_zero).epsilon(1e-12));
    CHECK(relative_difference(p.score(x), both.score) <= 1e-11);
    CHECK(p.laplacian(x) == doctest::Approx(both.laplacian).epsilon(1e-10));
    double laplacian = 0;
    for (Eigen::Index i = 0; i < d; ++i) {
      const double h = 1e-3;
      const Eigen::VectorXd step = h * Eigen::VectorXd::Unit(d, i);
      const double slope = (p.log_density(x + step) - p.log_density(x - step)) / (2 * h);
      CHECK(slope == doctest::Approx(p.score(x)(i)).epsilon(1e-4));
      laplacian += (p.score(x + step)(i) - p.score(x - step)(i)) / (2 * h);
    }
    CHECK(laplacian == doctest::Approx(p.laplacian(x)).epsilon(1e-4));
  }
  CHECK(relative_difference(family.parameters(p), theta) <= 1e-10);
}

template <class Distribution>
double integral(const Distribution& p) {
  // x = sinh(t): the tails of a Student t end within range.
  double sum = 0;
  const double h = 1e-2;
  for (double t = -25; t <= 25; t += h) {
    sum += h * std::cosh(t) * std::exp(p.log_density(Eigen::Matrix<double, 1, 1>(std::sinh(t))));
  }
  return sum;
}

}  // namespace

TEST_CASE("Student t and mixture: density, score, Laplacian and family agree") {
  Rng rng(6);
  for (const Eigen::Index d : {1, 3}) {
    const sm::StudentTFamily<double> student(d);
    check_distribution(student, normals<double>(student.parameter_count(), 1, rng) * 0.5, rng);
    const sm::GaussianMixtureFamily<double, Eigen::Dynamic, 3> mixture(d);
    const Eigen::VectorXd theta = normals<double>(mixture.parameter_count(), 1, rng) * 0.5;
    check_distribution(mixture, theta, rng);
    const Eigen::VectorXd at = normals<double>(d, 1, rng);
    CHECK(mixture.log_density(at, theta) ==
          doctest::Approx(mixture.distribution(theta).log_density(at)).epsilon(1e-12));
  }
  const sm::StudentTFamily<double, 1> student;
  const sm::GaussianMixtureFamily<double, 1, 2> mixture;
  CHECK(integral(student.distribution(Eigen::Vector3d(0.3, 0.5, 0.4))) ==
        doctest::Approx(1).epsilon(1e-9));
  Eigen::Matrix<double, 5, 1> theta;
  theta << 0.7, -1, 0.3, 2, -0.4;
  CHECK(integral(mixture.distribution(theta)) == doctest::Approx(1).epsilon(1e-9));
  // Far out, where every component's density underflows.
  const auto p = mixture.distribution(theta);
  CHECK(std::isfinite(p.log_density(Eigen::Matrix<double, 1, 1>(1e3))));
  CHECK(std::isfinite(p.score(Eigen::Matrix<double, 1, 1>(-1e3))(0)));
  // A Student t of many degrees of freedom is a Gaussian.
  const sm::StudentT<double, 1> wide(Eigen::Matrix<double, 1, 1>(1.0),
                                     Eigen::Matrix<double, 1, 1>(4.0), 1e9);
  const sm::Gaussian<double, 1> gaussian(Eigen::Matrix<double, 1, 1>(1.0),
                                         Eigen::Matrix<double, 1, 1>(4.0));
  const Eigen::Matrix<double, 1, 1> x(2.5);
  CHECK(wide.score(x)(0) == doctest::Approx(gaussian.score(x)(0)).epsilon(1e-7));
  CHECK(wide.log_density(x) == doctest::Approx(gaussian.log_density(x)).epsilon(1e-6));

  CHECK(contains(message_of([&] { sm::StudentT<double, 1>(gaussian, -1); }),
                 "degrees_of_freedom = -1"));
  CHECK(contains(message_of([&] {
                   sm::GaussianMixture<double, 1, 2>({1, -1}, {gaussian, gaussian});
                 }),
                 "weights(1) = -1"));
  CHECK(contains(message_of([&] {
                   sm::GaussianMixture<double, 1, 2>({0, 0}, {gaussian, gaussian});
                 }),
                 "sum to 0"));
}

namespace {

// BFGS from a known Hessian, with step halving: a few evaluations a fit, for many fits near the
// truth.
struct NearTruth {
  Eigen::MatrixXd inverse_hessian;

  template <class Parameters, sm::Objective<Parameters> Obj, sm::Observer<Parameters> Obs>
  sm::Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs&) const {
    Eigen::MatrixXd inverse = inverse_hessian;
    const Eigen::Index p = start.size();
    Parameters theta = start, gradient(p), next_gradient(p);
    double loss = objective(theta, gradient);
    for (Eigen::Index k = 1; k <= 50; ++k) {
      Parameters step(p);
      step.noalias() = inverse * gradient;
      step *= -std::min(1.0, 0.3 / step.norm());
      double next = objective(Parameters(theta + step), next_gradient);
      for (int halved = 0; halved < 20 && !(next <= loss + 1e-14 * std::abs(loss)); ++halved) {
        step /= 2;
        next = objective(Parameters(theta + step), next_gradient);
      }
      theta += step;
      loss = next;
      const Eigen::VectorXd y = next_gradient - gradient;
      gradient = next_gradient;
      if (step.norm() <= 1e-5) return {theta, loss, gradient.norm(), k, sm::Status::converged};
      const double curvature = y.dot(step);
      if (curvature > 0) {
        const Eigen::MatrixXd left =
            Eigen::MatrixXd::Identity(p, p) - step * y.transpose() / curvature;
        inverse = left * inverse * left.transpose() + step * step.transpose() / curvature;
      }
    }
    return {theta, loss, gradient.norm(), 50, sm::Status::iteration_limit};
  }
};

// The same family, whose fits set out from a given point.
template <class F>
struct From : F {
  typename F::Parameters point;
  From(const F& family, const typename F::Parameters& start) : F(family), point(start) {}
  typename F::Parameters start() const { return point; }
};

// Fits to samples of the family's own.
template <class F>
void check_own_recovery(const F& plain, const typename F::Parameters& truth, Eigen::Index n) {
  using Parameters = typename F::Parameters;
  const From<F> family(plain, truth);
  const sm::ScoreMatchingLoss loss;
  const auto distribution = family.distribution(truth);
  const Eigen::Index p = truth.size();
  Rng rng(7);

  // The Hessian once, from differences of the gradient on a large sample.
  auto large = loss.summary(family);
  large.add(distribution.sample(20000, rng));
  auto objective = loss.objective(family, large);
  Eigen::MatrixXd hessian(p, p);
  for (Eigen::Index i = 0; i < p; ++i) {
    Parameters up = truth, down = truth, g_up(p), g_down(p);
    up(i) += 1e-4;
    down(i) -= 1e-4;
    objective(up, g_up);
    objective(down, g_down);
    hessian.col(i) = (g_up - g_down) / 2e-4;
  }
  const NearTruth optimizer{((hessian + hessian.transpose()) / 2).inverse()};

  check_recovery(
      truth, n, [&](Rng& seeded, Eigen::Index count) { return distribution.sample(count, seeded); },
      [&](const Eigen::MatrixXd& samples) {
        const auto fit = sm::fit(family, loss, optimizer, samples);
        if (samples.cols() > n) REQUIRE(fit.status == sm::Status::converged);
        return Eigen::VectorXd(fit.parameters);
      });
}

}  // namespace

TEST_CASE("Student t recovers its parameters") {
  const sm::StudentTFamily<double, 1> family;
  check_own_recovery(family, Eigen::Vector3d(0.5, 0.2, std::log(3.0)), 2000);
}

TEST_CASE("a mixture recovers its parameters") {
  const sm::GaussianMixtureFamily<double, 1, 2> family;
  Eigen::Matrix<double, 5, 1> truth;
  truth << std::log(1.5), -1, std::log(0.6), 1.2, std::log(0.7);
  check_own_recovery(family, truth, 600);
}

TEST_CASE("many starts find the minimum that one start misses") {
  const sm::GaussianMixtureFamily<double, 1, 3> family;
  Eigen::Matrix<double, 8, 1> truth;
  truth << 0.2, -0.1, -3, -0.5, 0, -0.4, 3, -0.6;
  Rng rng(8);
  const auto distribution = family.distribution(truth);
  const auto samples = distribution.sample(300, rng);
  const sm::Adam optimizer{
      .learning_rate = 0.03, .max_iterations = 3000, .gradient_tolerance = 1e-6};
  const auto starts = family.random_starts(samples, 6, rng);
  CHECK(starts.allFinite());
  const auto found = sm::multi_start(family, sm::ScoreMatchingLoss{}, optimizer, samples, starts);
  CHECK(found.losses.size() == 6);
  CHECK(found.best.status == found.statuses[static_cast<std::size_t>(found.best_start)]);
  CHECK(found.best.loss == found.losses[static_cast<std::size_t>(found.best_start)]);
  for (std::size_t s = 0; s < found.losses.size(); ++s) {
    CAPTURE(s);
    if (found.statuses[s] == sm::Status::converged) CHECK(found.best.loss <= found.losses[s]);
  }
  // Every component of the truth has one of the fit at its place.
  for (Eigen::Index k = 0; k < 3; ++k) {
    double nearest = infinity;
    for (Eigen::Index l = 0; l < 3; ++l) {
      nearest = std::min(nearest, std::abs(distribution.component(k).mean()(0) -
                                           found.best.distribution.component(l).mean()(0)));
    }
    CHECK(nearest < 0.3);
  }
  CHECK(contains(message_of([&] {
                   sm::multi_start(family, sm::ScoreMatchingLoss{}, optimizer, samples,
                                   starts.topRows(3));
                 }),
                 "starts have 3 rows; expected 8"));
  CHECK(contains(message_of([&] {
                   sm::multi_start(family, sm::ScoreMatchingLoss{}, optimizer, samples,
                                   starts.leftCols(0));
                 }),
                 "starts have 0 columns"));
}

TEST_CASE("the best of several starts is not the luckiest mini-batch") {
  // Two parameters close by, of which one value on a small batch cannot tell the better.
  const sm::GaussianFamily<double, 1> family;
  const sm::Adam still{.learning_rate = 1e-9, .max_iterations = 1};
  Eigen::Matrix2d starts;
  starts << 0.8, 0.0, 0.0, 0.0;
  Rng rng(4);
  const auto samples = random_samples<double, 1>(1, 60, rng);
  const sm::DenoisingScoreMatchingLoss exact{.sigma = 0.5};
  const auto expected = sm::multi_start(family, exact, still, samples, starts);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const sm::SampledLoss noisy(
        sm::DenoisingScoreMatchingLoss{.sigma = 0.5, .seed = seed, .batch_size = 1});
    const auto found = sm::multi_start(family, noisy, still, samples, starts);
    CHECK(found.best_start == expected.best_start);
    CHECK(std::abs(found.best.loss - expected.best.loss) < 1.5);
    CHECK(found.best.loss == found.losses[static_cast<std::size_t>(found.best_start)]);
  }
}

TEST_CASE("a mini-batch of infinite loss makes the mean infinite, not a NaN") {
  int calls = 0;
  const auto loss = [&](const Eigen::Vector2d&) { return ++calls % 2 == 0 ? infinity : 1.0; };
  CHECK(sm::detail::mean_loss(loss, Eigen::Vector2d(0, 0), 10) == infinity);
  CHECK(calls == 10);
  const auto constant = [](const Eigen::Vector2d&) { return 3.0; };
  CHECK(sm::detail::mean_loss(constant, Eigen::Vector2d(0, 0), 10) == doctest::Approx(3));
}

TEST_CASE("a start that is not finite is named") {
  Eigen::Matrix2d starts = Eigen::Matrix2d::Zero();
  starts(0, 1) = not_a_number;
  CHECK(contains(message_of([&] {
                   sm::multi_start(sm::GaussianFamily<double, 1>{}, sm::ScoreMatchingLoss{},
                                   sm::Momentum{}, Eigen::RowVector3d(1, 2, 4), starts);
                 }),
                 "starts[1]: start(0) = nan"));
}

TEST_CASE("random starts of no samples are refused") {
  Rng rng(1);
  const sm::GaussianMixtureFamily<double, 1, 2> family;
  CHECK(contains(message_of([&] { family.random_starts(Eigen::RowVectorXd(0), 2, rng); }),
                 "random_starts: samples have 0 columns"));
}
