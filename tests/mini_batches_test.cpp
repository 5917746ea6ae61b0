// Losses on mini-batches: an epoch of them is the loss, and fits end where the whole loss does.
#include "support.hpp"

#include <doctest/doctest.h>

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdint>

namespace sm = scorematch;
using support::message_of;
using support::random_samples;
using support::Rng;

namespace {

struct Wells {
  auto operator()(const auto& x, const auto& theta) const {
    using std::pow;
    return theta(0) * x.squaredNorm() / 2 - (pow(x(0), 4) + pow(x(1), 4)) / 4 +
           theta(1) * x(0) * x(1);
  }
};

// The mean of value and gradient over one epoch, beside the loss over all samples.
template <class Loss, class F, class Samples>
void check_epoch(const Loss& loss, const F& family, const Samples& samples,
                 const typename F::Parameters& theta, Eigen::Index size) {
  const Eigen::Index n = samples.cols();
  const Eigen::RowVectorXd weights = Eigen::RowVectorXd::LinSpaced(n, 0.5, 2);
  auto all = sm::MiniBatches(loss, {.size = n}).summary(family);
  all.add(samples, weights);
  auto whole = sm::MiniBatches(loss, {.size = n}).objective(family, all);
  auto batches = sm::MiniBatches(loss, {.size = size, .seed = 3}).objective(family, all);
  CHECK(batches.info().stochastic);
  typename F::Parameters gradient = theta, sum = 0 * theta, expected = theta;
  double mean = 0;
  const Eigen::Index epoch = n / size;
  REQUIRE(epoch * size == n);
  for (Eigen::Index k = 0; k < epoch; ++k) {
    mean += batches(theta, gradient) / static_cast<double>(epoch);
    sum += gradient / static_cast<double>(epoch);
  }
  const double wanted = whole(theta, expected);
  CHECK(mean == doctest::Approx(wanted).epsilon(1e-12));
  CHECK((sum - expected).norm() <= 1e-12 * (1 + expected.norm()));

  // The plain loss over all samples, where it is one over stored samples.
  auto summary = loss.summary(family);
  summary.add(samples, weights);
  CHECK(loss.objective(family, summary)(theta) == doctest::Approx(wanted).epsilon(1e-12));
}

}  // namespace

TEST_CASE("an epoch of mini-batches is the loss over all samples") {
  Rng rng(1);
  const Eigen::Matrix2Xd samples = random_samples<double, 2>(2, 60, rng);
  const Eigen::Vector2d theta(0.7, -0.2);
  const auto recorded = sm::energy_family<2>(Wells{}, theta);
  const auto plain = sm::energy_family<2>(sm::not_recorded(Wells{}), theta);
  for (const Eigen::Index size : {1, 20, 60}) {
    CAPTURE(size);
    check_epoch(sm::ScoreMatchingLoss{}, recorded, samples, theta, size);
    check_epoch(sm::ScoreMatchingLoss{}, plain, samples, theta, size);
    check_epoch(sm::GeneralizedScoreMatchingLoss(), recorded, samples.cwiseAbs().eval(), theta,
                size);
    const sm::GaussianFamily<double, 2> gaussians;
    check_epoch(sm::ScoreMatchingLoss{}, gaussians, samples, gaussians.start(), size);
  }
}

TEST_CASE("a fit on mini-batches ends near that to all samples") {
  Rng rng(2);
  const Eigen::Matrix2Xd samples = random_samples<double, 2>(2, 600, rng);
  const auto family = sm::energy_family<2>(Wells{}, Eigen::Vector2d(0, 0));
  const auto exact = sm::fit(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, samples);
  const auto noisy =
      sm::fit(family, sm::MiniBatches(sm::ScoreMatchingLoss{}, {.size = 50}),
              sm::Adam{.learning_rate = 0.05, .decay = 0.01, .max_iterations = 2000}, samples);
  REQUIRE(exact.status == sm::Status::converged);
  CHECK((noisy.parameters - exact.parameters).norm() <= 0.05);
}

TEST_CASE("what mini-batches do not take") {
  CHECK(support::contains(message_of([] { sm::MiniBatches(sm::ScoreMatchingLoss{}, {.size = 0}); }),
                          "MiniBatches: size = 0; expected at least 1"));
  const auto family = sm::energy_family<2>(Wells{}, Eigen::Vector2d(0, 0));
  const sm::MiniBatches loss{sm::ScoreMatchingLoss{}};
  CHECK(support::contains(message_of([&] { loss.objective(family, loss.summary(family)); }),
                          "no samples"));
  Eigen::Matrix2Xd samples = Eigen::Matrix2Xd::Zero(2, 3);
  samples(1, 2) = 1e200;
  CHECK(support::contains(
      message_of([&] { sm::fit(family, loss, sm::Adam{.decay = 0.1}, samples); }), "column 2"));
}
