#include "support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace {

using namespace support;

// exp(-a x^2 / 2 - b x^4 / 4) in one dimension, a = theta(0), b = exp(theta(1)).
struct Quartic {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::exp;
    const auto square = x(0) * x(0);
    return square * theta(0) * -0.5 - square * square * exp(theta(1)) * 0.25;
  }
};

auto quartic() { return sm::energy_family<1>(Quartic{}, Eigen::Vector2d(0, 0)); }

// Samples of a = -1, b = 1 (two wells) by rejection.
Eigen::RowVectorXd two_wells(Eigen::Index n, Rng& rng) {
  std::uniform_real_distribution<double> uniform(0, 1);
  Eigen::RowVectorXd samples(n);
  for (Eigen::Index j = 0; j < n;) {
    const double x = 8 * uniform(rng) - 4;
    if (std::log(uniform(rng)) < x * x / 2 - x * x * x * x / 4 - 0.25) samples(j++) = x;
  }
  return samples;
}

// The denoising loss of a Gaussian, exactly, in plain Eigen: score matching on M + sigma^2 I.
// (Vincent's has d / (2 sigma^2) on top.)
double expected_loss(const sm::Gaussian<double>& model, const Eigen::MatrixXd& samples,
                     double sigma) {
  const Eigen::Index d = samples.rows();
  const Eigen::MatrixXd off = samples.colwise() - model.mean();
  const Eigen::MatrixXd noisy = off * off.transpose() / double(samples.cols()) +
                                sigma * sigma * Eigen::MatrixXd::Identity(d, d);
  const Eigen::MatrixXd p = model.covariance().inverse();
  return (p * noisy * p).trace() / 2 - p.trace();
}

struct MeanAndError {
  double mean;
  double error;
};

// Of `draw(seed)` over seeds.
template <class Draw>
MeanAndError over_seeds(int seeds, const Draw& draw) {
  double sum = 0, squares = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    const double value = draw(static_cast<std::uint64_t>(seed));
    sum += value;
    squares += value * value;
  }
  const double mean = sum / seeds;
  return {mean, std::sqrt(std::max(0.0, squares / seeds - mean * mean) / (seeds - 1))};
}

template <class F>
auto set_of(const F& family, const Eigen::MatrixXd& samples) {
  sm::SampleSet<double, F::Dim> set(family.dimension());
  set.add(samples);
  return set;
}

}  // namespace

TEST_CASE("the exact loss of a Gaussian is score matching on the noisy covariance") {
  Rng rng(1);
  for (const Eigen::Index d : {1, 2, 5, 20}) {
    const Eigen::MatrixXd samples = random_samples(d, 3 * d + 10, rng);
    const sm::GaussianFamily<double> family(d);
    sm::Moments<double> moments(d);
    moments.add(samples);
    for (const double sigma : {0.03, 0.5, 4.0}) {
      const sm::DenoisingScoreMatchingLoss loss{.sigma = sigma};
      auto objective = loss.objective(family, moments);
      const Eigen::VectorXd theta = 0.3 * normals<double>(family.parameter_count(), 1, rng);
      Eigen::VectorXd gradient(theta.size());
      const double value = objective(theta, gradient);
      const double expected = expected_loss(family.distribution(theta), samples, sigma);
      CHECK(std::abs(value - expected) <= 1e-11 * std::abs(expected));
      CHECK(objective(theta) == value);
      const Eigen::MatrixXd noisy =
          moments.covariance() + sigma * sigma * Eigen::MatrixXd::Identity(d, d);
      const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
      CHECK(covariance_difference(fit.distribution.covariance(), noisy) <= 1e-11);
      CHECK(relative_difference(fit.distribution.mean(), moments.mean()) <= 1e-12);
      objective(fit.parameters, gradient);
      CHECK(gradient.norm() <= 1e-9 * std::abs(fit.loss));
      CHECK(fit.loss == doctest::Approx(objective(fit.parameters)).epsilon(1e-11));
    }
  }
}

TEST_CASE("the gradient of the exact loss") {
  Rng rng(2);
  const Eigen::MatrixXd samples = random_samples(3, 20, rng);
  const sm::GaussianFamily<double> family(3);
  const sm::GaussianFamily<long double> long_family(3);
  sm::Moments<double> moments(3);
  moments.add(samples);
  sm::Moments<long double> long_moments(3);
  long_moments.add(samples.cast<long double>());
  const sm::DenoisingScoreMatchingLoss loss{.sigma = 0.4};
  auto objective = loss.objective(family, moments);
  auto long_objective = loss.objective(long_family, long_moments);
  const Eigen::VectorXd theta = 0.3 * normals<double>(family.parameter_count(), 1, rng);
  Eigen::VectorXd gradient(theta.size());
  objective(theta, gradient);
  CHECK(gradient_error([&](const auto& at) { return long_objective(at); }, theta, gradient,
                       natural_scale(family, theta)) <= 1e-8);
}

TEST_CASE("singular samples have a minimum under noise") {
  const sm::GaussianFamily<double, 2> family;
  Eigen::Matrix2Xd line(2, 3);
  line << 1, 2, 3, 2, 4, 6;
  CHECK(sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, line).status ==
        sm::Status::unbounded);
  const sm::DenoisingScoreMatchingLoss loss{.sigma = 0.5};
  const auto exact = sm::fit(family, loss, sm::ClosedForm{}, line);
  CHECK(exact.status == sm::Status::converged);
  const Eigen::Vector2d one(0.3, -0.7);
  const auto single = sm::fit(family, loss, sm::ClosedForm{}, one);
  CHECK(single.status == sm::Status::converged);
  CHECK((single.distribution.covariance() - 0.25 * Eigen::Matrix2d::Identity()).norm() <= 1e-14);
  const auto walked =
      sm::fit(family, loss, sm::Momentum{.learning_rate = 0.01, .max_iterations = 200000}, line);
  CHECK(walked.status == sm::Status::converged);
  CHECK(covariance_difference(walked.distribution.covariance(), exact.distribution.covariance()) <=
        1e-4);
}

TEST_CASE("drawn noise has the exact loss for a mean, and comes closer with more draws") {
  Rng rng(3);
  const Eigen::MatrixXd samples = random_samples(2, 30, rng);
  const sm::GaussianFamily<double> family(2);
  const auto set = set_of(family, samples);
  const Eigen::VectorXd theta = 0.3 * normals<double>(5, 1, rng);
  const double sigma = 0.4;
  const double exact = expected_loss(family.distribution(theta), samples, sigma);
  sm::Moments<double> moments(2);
  moments.add(samples);
  Eigen::VectorXd exact_gradient(5);
  sm::DenoisingScoreMatchingLoss{.sigma = sigma}.objective(family, moments)(theta, exact_gradient);
  for (const bool antithetic : {false, true}) {
    const auto spread = [&](Eigen::Index draws) {
      const auto values = over_seeds(300, [&](std::uint64_t seed) {
        const sm::DenoisingScoreMatchingLoss loss{
            .sigma = sigma, .draws = draws, .antithetic = antithetic, .seed = seed};
        return loss.objective(family, set)(theta);
      });
      CHECK(std::abs(values.mean - exact) <= 4 * values.error);
      return values.error;
    };
    const double few = spread(2), many = spread(32);
    CHECK(many <= few / 2.8);  // a fourth, give or take
    CHECK(many >= few / 5.6);
  }
  for (Eigen::Index i = 0; i < 5; ++i) {
    const auto slopes = over_seeds(300, [&](std::uint64_t seed) {
      const sm::DenoisingScoreMatchingLoss loss{.sigma = sigma, .seed = seed};
      Eigen::VectorXd gradient(5);
      loss.objective(family, set)(theta, gradient);
      return gradient(i);
    });
    CHECK(std::abs(slopes.mean - exact_gradient(i)) <= 4 * slopes.error + 1e-12);
  }
}

TEST_CASE("antithetic noise keeps the variance finite as sigma shrinks") {
  Rng rng(4);
  const Eigen::MatrixXd samples = random_samples(2, 30, rng);
  const sm::GaussianFamily<double> family(2);
  const auto set = set_of(family, samples);
  const Eigen::VectorXd theta = 0.3 * normals<double>(5, 1, rng);
  const auto spread = [&](double sigma, bool antithetic) {
    return over_seeds(100,
                      [&](std::uint64_t seed) {
                        const sm::DenoisingScoreMatchingLoss loss{
                            .sigma = sigma, .antithetic = antithetic, .seed = seed};
                        return loss.objective(family, set)(theta);
                      })
        .error;
  };
  CHECK(spread(0.01, false) >= 50 * spread(0.1, true));
  CHECK(spread(0.01, true) <= 1.5 * spread(0.1, true));
}

TEST_CASE("the gradient of the sampled loss of an energy, at a fixed seed") {
  Rng rng(5);
  const Eigen::RowVectorXd samples = two_wells(25, rng);
  const sm::DenoisingScoreMatchingLoss loss{.sigma = 0.3, .draws = 4, .seed = 9};
  const auto family = quartic();
  const auto set = set_of(family, samples);
  auto objective = loss.objective(family, set);
  const Eigen::Vector2d theta(0.4, -0.3);
  Eigen::Vector2d gradient;
  const double value = objective(theta, gradient);
  CHECK(objective(theta) == doctest::Approx(value).epsilon(1e-12));
  const auto long_family = sm::energy_family<1>(Quartic{}, Eigen::Vector<long double, 2>(0, 0));
  sm::SampleSet<long double, 1> long_set;
  long_set.add(samples.cast<long double>());
  auto long_objective = loss.objective(long_family, long_set);
  CHECK(gradient_error([&](const auto& at) { return long_objective(at); }, theta, gradient,
                       Eigen::Vector2d::Ones()) <= 1e-10);
}

TEST_CASE("a seed is a stream: the same bits again, others with another seed") {
  Rng rng(6);
  const auto family = quartic();
  const auto set = set_of(family, two_wells(40, rng));
  const Eigen::Vector2d theta(0.4, -0.3);
  for (const Eigen::Index batch : {0, 8}) {
    const auto run = [&](std::uint64_t seed) {
      const sm::DenoisingScoreMatchingLoss loss{.sigma = 0.3, .seed = seed, .batch_size = batch};
      return sm::fit(family, loss, sm::Adam{.max_iterations = 50}, set).parameters;
    };
    CHECK(same_bits(run(1), run(1)));
    CHECK_FALSE(same_bits(run(1), run(2)));
  }
  // Fixed noise is the same at every call; a batch is not.
  auto fixed = sm::DenoisingScoreMatchingLoss{.sigma = 0.3}.objective(family, set);
  auto fresh = sm::DenoisingScoreMatchingLoss{.sigma = 0.3, .batch_size = 8}.objective(family, set);
  CHECK_FALSE(fixed.info().stochastic);
  CHECK(fresh.info().stochastic);
  CHECK(fixed(theta) == fixed(theta));
  CHECK(fresh(theta) != fresh(theta));
  // The noise of the first samples does not depend on those that follow.
  sm::SampleSet<double, 1> first;
  first.add(set.samples().leftCols(1).eval());
  auto one = sm::DenoisingScoreMatchingLoss{.sigma = 0.3}.objective(family, first);
  sm::SampleSet<double, 1> weighted;
  weighted.add(set.samples().leftCols(2).eval(), Eigen::Vector2d(1e16, 1e-16));
  auto two = sm::DenoisingScoreMatchingLoss{.sigma = 0.3}.objective(family, weighted);
  CHECK(one(theta) == doctest::Approx(two(theta)).epsilon(1e-12));
}

TEST_CASE("mini-batches have the loss of all samples for a mean, weighted or not") {
  Rng rng(7);
  const sm::GaussianFamily<double> family(2);
  const Eigen::MatrixXd samples = random_samples(2, 23, rng);
  const Eigen::VectorXd theta = 0.3 * normals<double>(5, 1, rng);
  const sm::DenoisingScoreMatchingLoss exact{.sigma = 0.4};
  for (const bool weigh : {false, true}) {
    Eigen::VectorXd weights = Eigen::VectorXd::Ones(23);
    if (weigh) weights = normals<double>(23, 1, rng).cwiseAbs();
    sm::SampleSet<double> set(2);
    set.add(samples, weights);
    sm::Moments<double> moments(2);
    moments.add(samples, weights);
    Eigen::VectorXd expected(5);
    const double loss = exact.objective(family, moments)(theta, expected);
    for (const Eigen::Index batch : {1, 5, 23, 1000}) {
      const sm::DenoisingScoreMatchingLoss sampled{.sigma = 0.4, .batch_size = batch};
      auto objective = sampled.objective(family, set);
      Eigen::VectorXd gradient(5);
      const auto values =
          over_seeds(3000, [&](std::uint64_t) { return objective(theta, gradient); });
      CHECK(std::abs(values.mean - loss) <= 4 * values.error);
      const auto slopes = over_seeds(3000, [&](std::uint64_t) {
        objective(theta, gradient);
        return gradient(3);
      });
      CHECK(std::abs(slopes.mean - expected(3)) <= 4 * slopes.error);
    }
  }
}

TEST_CASE("a stochastic loss never converges by chance") {
  const sm::GaussianFamily<double, 1> family;
  const Eigen::RowVector2d samples(1, 2);
  const sm::SampledLoss loss(sm::DenoisingScoreMatchingLoss{.sigma = 0.5, .batch_size = 1});
  // Any gradient is within this tolerance.
  const sm::Adam loose{.max_iterations = 20, .gradient_tolerance = 1e6};
  const auto fit = sm::fit(family, loss, loose, samples);
  CHECK(fit.status == sm::Status::iteration_limit);
  CHECK(fit.iterations == 20);
  const sm::SampledLoss fixed(sm::DenoisingScoreMatchingLoss{.sigma = 0.5});
  CHECK(sm::fit(family, fixed, loose, samples).status == sm::Status::converged);
}

TEST_CASE("the constant of the loss does not make a flat place a minimum") {
  // The learning rate is too large: the walk overshoots to where the model is flat.
  const sm::GaussianFamily<double, 1> family;
  const sm::SampledLoss loss(sm::DenoisingScoreMatchingLoss{.sigma = 0.5, .draws = 1000});
  const sm::Momentum momentum{.learning_rate = 0.1, .max_iterations = 1000};
  const auto fit = sm::fit(family, loss, momentum, Eigen::RowVector3d(1, 2, 4));
  CHECK(fit.distribution.covariance()(0, 0) > 1e4);
  CHECK(fit.status == sm::Status::iteration_limit);
}

TEST_CASE("fits from drawn noise recover what made the samples") {
  Rng rng(8);
  SUBCASE("a Gaussian, near its exact fit, by fixed noise and by mini-batches") {
    const sm::GaussianFamily<double, 2> family;
    const Eigen::Matrix2Xd samples = random_samples<double, 2>(2, 400, rng);
    const sm::DenoisingScoreMatchingLoss loss{.sigma = 0.5, .draws = 8};
    const auto exact = sm::fit(family, loss, sm::ClosedForm{}, samples);
    const auto fixed =
        sm::fit(family, sm::SampledLoss(loss),
                sm::Momentum{.learning_rate = 0.05, .gradient_tolerance = 1e-7}, samples);
    CHECK(fixed.status == sm::Status::converged);
    CHECK(covariance_difference(fixed.distribution.covariance(), exact.distribution.covariance()) <=
          0.05);
    auto batches = loss;
    batches.batch_size = 32;
    const auto noisy =
        sm::fit(family, sm::SampledLoss(batches),
                sm::Adam{.learning_rate = 0.05, .decay = 0.1, .max_iterations = 4000}, samples);
    CHECK(noisy.status == sm::Status::iteration_limit);
    CHECK(covariance_difference(noisy.distribution.covariance(), exact.distribution.covariance()) <=
          0.1);
    CHECK((noisy.distribution.mean() - exact.distribution.mean()).norm() <= 0.1);
  }
  SUBCASE("two wells") {
    // In other coordinates the family is exponential: its closed form on samples with very much
    // noise is what the fits with little of it scatter about.
    const Eigen::RowVectorXd samples = two_wells(1000, rng);
    constexpr double sigma = 0.3;
    auto summary = sm::ScoreMatchingLoss{}.summary(sm::PolynomialFamily<double, 4>());
    std::normal_distribution<double> normal;
    for (int copy = 0; copy < 1000; ++copy) {
      const Eigen::RowVectorXd noise =
          Eigen::RowVectorXd::NullaryExpr(1000, [&] { return sigma * normal(rng); });
      summary.add(Eigen::RowVectorXd(samples + noise));
      summary.add(Eigen::RowVectorXd(samples - noise));
    }
    const auto& form = summary.form();
    const Eigen::Matrix2d gamma = form.quadratic()({1, 3}, {1, 3});
    const Eigen::Vector2d powers = -gamma.inverse() * form.linear()({1, 3});
    const Eigen::Vector2d expected(-2 * powers(0), std::log(-4 * powers(1)));
    Eigen::Matrix2Xd found(2, 40);
    for (Eigen::Index seed = 0; seed < 40; ++seed) {
      const sm::DenoisingScoreMatchingLoss loss{
          .sigma = sigma, .draws = 8, .seed = std::uint64_t(seed)};
      const auto fit = sm::fit(quartic(), loss, sm::Lbfgs{}, samples);
      CHECK(fit.status == sm::Status::converged);
      found.col(seed) = fit.parameters;
    }
    for (const int k : {0, 1}) {
      const auto fits = over_seeds(
          40, [&](std::uint64_t seed) { return found(k, static_cast<Eigen::Index>(seed) - 1); });
      CAPTURE(expected(k));
      CHECK(fits.error < 0.02);
      CHECK(std::abs(fits.mean - expected(k)) <= 4 * fits.error);
    }
  }
}

TEST_CASE("a tiny sigma is plain score matching, or is refused") {
  Rng rng(9);
  const Eigen::RowVectorXd samples = two_wells(100, rng);
  const double largest = samples.cwiseAbs().maxCoeff();
  const double limit = 1000 * std::numeric_limits<double>::epsilon() * largest;
  const auto family = quartic();
  const auto plain = sm::fit(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, samples);
  // The mean over pairs of draws is known to about 1 / sqrt(draws n).
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  summary.add(samples);
  for (const double sigma : {1e-3, 1e-6, 1e-9, 2 * limit}) {
    CAPTURE(sigma);
    const sm::DenoisingScoreMatchingLoss loss{.sigma = sigma, .draws = 400};
    const auto fit = sm::fit(family, loss, sm::Lbfgs{.max_iterations = 100}, summary);
    CHECK((fit.parameters - plain.parameters).norm() <= 0.1);
    CHECK(fit.loss == doctest::Approx(plain.loss).epsilon(0.05));
    if (sigma >= 1e-6) CHECK(fit.status == sm::Status::converged);
    // The Gaussian's mean over the noise is exact, and its value has all its digits.
    const sm::GaussianFamily<double, 1> gaussian;
    const auto exact = sm::fit(gaussian, loss, sm::ClosedForm{}, samples);
    const auto expected = sm::fit(gaussian, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
    CHECK(exact.loss == doctest::Approx(expected.loss).epsilon(1e-12 + 10 * sigma * sigma));
  }
  for (const double sigma : {limit / 2, 1e-16, 1e-100}) {
    for (const Eigen::Index batch : {0, 10}) {
      const sm::DenoisingScoreMatchingLoss loss{.sigma = sigma, .batch_size = batch};
      const std::string message = message_of([&] { sm::fit(family, loss, sm::Lbfgs{}, summary); });
      CAPTURE(message);
      CHECK(contains(message, sm::detail::text_of("DenoisingScoreMatchingLoss: sigma = ", sigma)));
      CHECK(contains(message, "samples(row 0, column "));
      CHECK(contains(message, "expected at least "));
    }
  }
}

TEST_CASE("what the denoising loss does not take") {
  using Loss = sm::DenoisingScoreMatchingLoss;
  const sm::GaussianFamily<double, 1> family;
  const Eigen::RowVector2d samples(1, 2);
  const auto exact = [&](const Loss& loss) {
    return message_of([&] { sm::fit(family, loss, sm::ClosedForm{}, samples); });
  };
  const auto sampled = [&](const Loss& loss) {
    return message_of([&] { sm::fit(family, sm::SampledLoss(loss), sm::Momentum{}, samples); });
  };
  for (const double sigma : {0.0, -1.0, not_a_number, infinity, 1e-200, 1e200}) {
    CHECK(contains(exact({.sigma = sigma}), "DenoisingScoreMatchingLoss: sigma = "));
    CHECK(contains(sampled({.sigma = sigma}), "DenoisingScoreMatchingLoss: sigma = "));
  }
  CHECK(contains(sampled({.draws = 0}), "draws = 0; expected at least 1"));
  CHECK(contains(sampled({.draws = 3}), "draws = 3; expected an even number"));
  CHECK(sampled({.draws = 3, .antithetic = false}) == "no exception");
  CHECK(contains(sampled({.batch_size = -1}), "batch_size = -1; expected at least 0"));
  const Loss loss{};
  CHECK(contains(message_of([&] { loss.objective(quartic(), sm::SampleSet<double, 1>{}); }),
                 "no samples"));
  CHECK(contains(message_of([&] { loss.objective(family, sm::Moments<double, 1>{}); }),
                 "no samples"));
  const auto log_only = [](const auto& x, const auto& theta) {
    using std::log;
    return theta(0) * log(x(0)) - x(0);
  };
  const auto positive = sm::energy_family<1>(log_only, Eigen::Matrix<double, 1, 1>(1.0));
  for (const Eigen::Index batch : {0, 1}) {
    CHECK(contains(message_of([&] {
                     sm::fit(positive, Loss{.batch_size = batch}, sm::Momentum{},
                             Eigen::RowVector3d(1, 2, -3));
                   }),
                   "samples(row 0, column 2) = -3"));
  }
}
