// Fits of samples drawn again, against what their scatter is by formulas, and intervals against
// their definitions.
#include "support.hpp"

#include <doctest/doctest.h>

namespace {

using namespace support;

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

const sm::GaussianFamily<double, 1> line;
const sm::ScoreMatchingLoss score;

sm::Bootstrapped<sm::GaussianFamily<double, 1>> of(const MatrixXd& samples, const auto& resampling,
                                                   const sm::BootstrapOptions& options) {
  return sm::bootstrap(line, score, sm::ClosedForm{}, samples, resampling, options);
}

MatrixXd autoregressive(double r, Index n, Rng& rng) {
  MatrixXd chain = normals<double>(1, n, rng);
  for (Index j = 1; j < n; ++j) chain(0, j) += r * chain(0, j - 1);
  return chain;
}

}  // namespace

TEST_CASE("replicates are those of the seed, whatever the threads") {
  Rng rng(1);
  const sm::GaussianFamily<double, 2> family;
  const MatrixXd samples = normals<double>(2, 40, rng);
  const auto with = [&](std::uint64_t seed, Index threads) {
    return sm::bootstrap(family, score, sm::Momentum{.max_iterations = 100}, samples,
                         sm::DrawSamples{}, {.replicates = 150, .seed = seed, .threads = threads});
  };
  const auto one = with(1, 1), three = with(1, 3), other = with(2, 1);
  CHECK(same_bits(one.replicates, three.replicates));
  CHECK_FALSE(same_bits(one.replicates, other.replicates));
  CHECK(one.failed == 0);
  CHECK(one.replicates.cols() == 150);
  // Each alone, by hand.
  for (const Index k : {0, 64, 149}) {
    sm::detail::RandomNumbers random(sm::detail::seed_of_replicate(1, k));
    MatrixXd drawn(2, 40);
    for (Index j = 0; j < 40; ++j) drawn.col(j) = samples.col(random.below(40));
    const auto fit = sm::fit(family, score, sm::Momentum{.max_iterations = 100}, drawn);
    CHECK(relative_difference(one.replicates.col(k), fit.parameters) < 1e-9);
  }
}

TEST_CASE("samples drawn alone: the scatter of the mean is that of the samples") {
  Rng rng(2);
  const MatrixXd samples = normals<double>(1, 60, rng).array().exp();
  const auto boot = of(samples, sm::DrawSamples{}, {.replicates = 20000});
  const double variance = (samples.array() - samples.mean()).square().mean();
  const auto mean = boot.of(sm::means(line));
  CHECK(std::abs(mean.standard_errors()(0) / std::sqrt(variance / 60) - 1) < 0.02);
  const Eigen::ArrayXd off = samples.row(0).transpose().array() - samples.mean();
  const double acceleration = off.cube().sum() / (6 * std::pow(off.square().sum(), 1.5));
  CHECK(mean.acceleration(0) == doctest::Approx(acceleration).epsilon(1e-8));
  // Drawn from the fitted Gaussian, the scatter is that of one.
  const auto model = of(samples, sm::DrawFromFit{}, {.replicates = 20000});
  const double of_model = variance * std::sqrt(2.0 / 60);
  CHECK(std::abs(model.of(sm::covariances(line)).standard_errors()(0) / of_model - 1) < 0.03);
  CHECK(boot.of(sm::covariances(line)).standard_errors()(0) > 1.5 * of_model);
}

TEST_CASE("blocks: the whole chain is one draw, and single samples are independent draws") {
  Rng rng(3);
  const MatrixXd chain = autoregressive(0.5, 50, rng);
  const auto whole = of(chain, sm::MovingBlocks{.length = 50}, {.replicates = 5});
  const auto turned = of(chain, sm::CircularBlocks{.length = 50}, {.replicates = 5});
  for (Index k = 0; k < 5; ++k) {
    CHECK((whole.replicates.col(k) - whole.fit.parameters).norm() < 1e-14);
    CHECK((turned.replicates.col(k) - whole.fit.parameters).norm() < 1e-12);
  }
  for (int trial = 0; trial < 40; ++trial) {
    const Index n = 2 + trial, length = 1 + trial % (n - 1);
    sm::detail::RandomNumbers random(std::uint64_t(trial + 1));
    const auto draw = [&](const auto& blocks) {
      std::vector<Index> which;
      blocks.draw(n, random, which);
      REQUIRE(Index(which.size()) == n);
      Index breaks = 0;
      for (std::size_t j = 0; j < which.size(); ++j) {
        REQUIRE(which[j] >= 0);
        REQUIRE(which[j] < n);
        if (j > 0 && which[j] != (which[j - 1] + 1) % n) ++breaks;
      }
      return breaks;
    };
    CHECK(draw(sm::MovingBlocks{length}) <= (n - 1) / length);
    CHECK(draw(sm::CircularBlocks{length}) <= (n - 1) / length);
    draw(sm::StationaryBlocks{double(n)});
  }
  // The mean length of a run.
  sm::detail::RandomNumbers random(1);
  std::vector<Index> which;
  sm::StationaryBlocks{10}.draw(200000, random, which);
  Index breaks = 0;
  for (std::size_t j = 1; j < which.size(); ++j) {
    if (which[j] != (which[j - 1] + 1) % 200000) ++breaks;
  }
  CHECK(std::abs(double(breaks) / 200000 - 0.1) < 0.005);
}

TEST_CASE("blocks of a chain see what it remembers") {
  Rng rng(4);
  const MatrixXd chain = autoregressive(0.8, 20000, rng);
  const double expected = 5 / std::sqrt(20000.0);  // 1 / (1 - r) over the root of n
  const auto error = [&](const auto& resampling) {
    return of(chain, resampling, {.replicates = 1000}).of(sm::means(line)).standard_errors()(0);
  };
  CHECK(error(sm::DrawSamples{}) < 0.5 * expected);
  CHECK(std::abs(error(sm::MovingBlocks{100}) / expected - 1) < 0.15);
  CHECK(std::abs(error(sm::CircularBlocks{100}) / expected - 1) < 0.15);
  CHECK(std::abs(error(sm::StationaryBlocks{100}) / expected - 1) < 0.15);
}

TEST_CASE("intervals by their definitions") {
  Rng rng(5);
  sm::BootstrapEstimate<double> one;
  one.values = VectorXd::Constant(1, 0.2);
  one.replicates = normals<double>(1, 999, rng);
  std::vector<double> sorted(one.replicates.data(), one.replicates.data() + 999);
  std::sort(sorted.begin(), sorted.end());
  const auto within = one.percentile(0.9);
  CHECK(within.lower(0) == doctest::Approx(sorted[49]));   // the 50th of 999
  CHECK(within.upper(0) == doctest::Approx(sorted[949]));  // the 950th
  CHECK(one.basic(0.9).lower(0) == doctest::Approx(0.4 - within.upper(0)));
  CHECK(one.basic(0.9).upper(0) == doctest::Approx(0.4 - within.lower(0)));

  // Without bias and acceleration BCa is the percentile interval.
  one.values(0) = sorted[499];
  one.acceleration = VectorXd::Zero(1);
  CHECK(one.bca(0.9).lower(0) == doctest::Approx(within.lower(0)));
  CHECK(one.bca(0.9).upper(0) == doctest::Approx(within.upper(0)));
  // Efron's formula, with the bias of 600 below.
  one.values(0) = (sorted[599] + sorted[600]) / 2;
  one.acceleration(0) = 0.05;
  const double bias = 0.254902;  // the normal quantile of 600 / 999
  const double z = 1.6448536;
  const auto level = [&](double at) {
    return std::erfc(-(bias + (bias + at) / (1 - 0.05 * (bias + at))) / std::sqrt(2.0)) / 2;
  };
  const auto rank = [&](double at) { return std::size_t(level(at) * 1000) - 1; };
  CHECK(one.bca(0.9).lower(0) >= sorted[rank(-z)]);
  CHECK(one.bca(0.9).lower(0) <= sorted[rank(-z) + 1]);
  CHECK(one.bca(0.9).upper(0) >= sorted[rank(z)]);
  CHECK(one.bca(0.9).upper(0) <= sorted[rank(z) + 1]);
}

TEST_CASE("intervals of a skewed number: BCa is nearer to its level than the percentile") {
  Rng rng(6);
  constexpr int fits = 400;
  const double expected = std::exp(0.25) * (std::exp(0.25) - 1);  // the variance of exp(z / 2)
  int percentile = 0, bca = 0;
  for (int k = 0; k < fits; ++k) {
    const MatrixXd samples = (0.5 * normals<double>(1, 60, rng).array()).exp();
    const auto boot =
        of(samples, sm::DrawSamples{}, {.replicates = 400, .seed = std::uint64_t(k + 1)});
    const auto variance = boot.of(sm::covariances(line));
    const auto holds = [&](const auto& within) {
      return within.lower(0) <= expected && expected <= within.upper(0) ? 1 : 0;
    };
    percentile += holds(variance.percentile());
    bca += holds(variance.bca());
  }
  CHECK(bca >= percentile);
  CHECK(bca > 0.8 * fits);
}

TEST_CASE("a bootstrap refuses what it cannot do, and counts what it could not fit") {
  Rng rng(7);
  const MatrixXd samples = normals<double>(1, 30, rng);
  const auto says = [&](const std::string& words, const auto& call) {
    const std::string said = message_of(call);
    CAPTURE(said);
    CHECK(contains(said, words));
  };
  says("replicates = 0; expected at least 2",
       [&] { of(samples, sm::DrawSamples{}, {.replicates = 0}); });
  says("threads = -1", [&] { of(samples, sm::DrawSamples{}, {.threads = -1}); });
  says("MovingBlocks: length = 31; expected 1 to the number of samples",
       [&] { of(samples, sm::MovingBlocks{31}, {}); });
  says("CircularBlocks: length = 0", [&] { of(samples, sm::CircularBlocks{0}, {}); });
  says("StationaryBlocks: mean_length = nan",
       [&] { of(samples, sm::StationaryBlocks{not_a_number}, {}); });
  says("the fit ended as unbounded", [&] { of(MatrixXd::Ones(1, 5), sm::DrawSamples{}, {}); });
  says("rows", [&] { of(MatrixXd::Ones(2, 5), sm::DrawSamples{}, {}); });
  const auto blocks = of(samples, sm::MovingBlocks{3}, {}).of(sm::means(line));
  says("take percentile", [&] { blocks.bca(); });
  for (const double level : {0.0, 1.0, not_a_number}) {
    says("level = ", [&] { blocks.percentile(level); });
    says("level = ", [&] { blocks.basic(level); });
  }
  // Of three samples, one draw in nine is of one sample alone, and has no minimum.
  const auto few = of(samples.leftCols(3), sm::DrawSamples{}, {.replicates = 900});
  CHECK(few.failed > 60);
  CHECK(few.failed < 140);
  CHECK(few.replicates.cols() + few.failed == 900);
  CHECK(few.replicates.allFinite());
}
