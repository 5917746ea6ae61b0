// The loss of one sample, by which the objectives of every loss and family are taken apart: the
// mean of it over the samples is the objective, and so of its gradient.
#include "support.hpp"

#include <doctest/doctest.h>

namespace {

using namespace support;

using Eigen::Index;
using Eigen::MatrixXd;

// The objective is what each loss makes of its own summary: moments, a quadratic form, samples.
template <class Loss, class F>
void check_point(const Loss& loss, const F& family, const MatrixXd& samples, double spread,
                 Rng& rng) {
  CAPTURE(family.dimension());
  auto summary = loss.summary(family);
  summary.add(samples);
  auto objective = loss.objective(family, summary);
  auto point = loss.point(family);
  using Parameters = typename F::Parameters;
  const Parameters theta =
      family.start() + spread * Parameters(normals<double>(family.parameter_count(), 1, rng));
  Parameters expected(theta.size());
  Parameters gradient(theta.size());
  const double value = objective(theta, expected);
  REQUIRE(std::isfinite(value));
  double mean = 0, size = 0;
  Parameters slope = Parameters::Zero(theta.size());
  Parameters slope_size = slope;
  for (Index j = 0; j < samples.cols(); ++j) {
    const double at = point(samples.col(j), theta, gradient);
    CHECK(std::abs(point(samples.col(j), theta) - at) <= 1e-13 * (1 + std::abs(at)));
    mean += at / double(samples.cols());
    size += std::abs(at) / double(samples.cols());
    slope += gradient / double(samples.cols());
    slope_size += gradient.cwiseAbs() / double(samples.cols());
  }
  CHECK(std::abs(mean - value) <= 1e-11 * (size + std::abs(value)));
  CHECK((slope - expected).cwiseAbs().maxCoeff() <= 1e-10 * (1 + slope_size.maxCoeff()));
}

const auto energy = [](const auto& x, const auto& theta) {
  return -x.squaredNorm() * exp(theta(0)) + theta(1) * tanh(x(0));
};

// A family of a user's that is recorded.
struct Bowl : sm::Differentiated<Bowl, double, 3> {
  using Scalar = double;
  static constexpr int Dim = 3;
  static constexpr bool recorded = true;
  using Parameters = Eigen::Vector2d;
  struct Distribution {};
  Index dimension() const { return 3; }
  Index parameter_count() const { return 2; }
  Parameters start() const { return {0, 1}; }
  Distribution distribution(const Parameters&) const { return {}; }
  template <class X, class Theta>
  auto log_density(const X& x, const Theta& theta) const {
    return energy(x, theta);
  }
};

}  // namespace

TEST_CASE("the mean of the loss of one sample is the objective") {
  Rng rng(1);
  const sm::ScoreMatchingLoss score;
  const sm::GeneralizedScoreMatchingLoss generalized;
  const sm::NegativeLogLikelihood likelihood;
  for (int trial = 0; trial < 100; ++trial) {
    const Index n = 1 + trial % 7;
    const MatrixXd one = normals<double>(1, n, rng);
    const MatrixXd three = normals<double>(3, n, rng);
    const MatrixXd positive = three.cwiseAbs();
    check_point(score, sm::GaussianFamily<double, 1>{}, one, 0.3, rng);
    check_point(score, sm::GaussianFamily<double, 3>{}, three, 0.3, rng);
    check_point(score, sm::GaussianFamily<double>(3), three, 0.3, rng);
    check_point(likelihood, sm::GaussianFamily<double, 3>{}, three, 0.3, rng);
    check_point(likelihood, sm::GaussianFamily<double>(3), three, 0.3, rng);
    check_point(score, sm::PairwiseGaussianFamily<double, 3>{}, three, 0.3, rng);
    check_point(score, sm::PolynomialFamily<double, 4>{}, one, 0.3, rng);
    check_point(score, sm::PhiFourFamily<double>(3, sm::ring(3)), three, 0.3, rng);
    check_point(score, sm::VonMisesFamily<double>(3, sm::ring(3)), three, 0.3, rng);
    check_point(score, sm::StudentTFamily<double, 3>{}, three, 0.2, rng);
    check_point(score, sm::GaussianMixtureFamily<double, 3, 2>{}, three, 0.2, rng);
    check_point(score, sm::energy_family(energy, Eigen::Vector2d(0, 1), 3), three, 0.2, rng);
    check_point(score, Bowl(), three, 0.2, rng);
    check_point(generalized, sm::TruncatedGaussianFamily<double, 3>{}, positive, 0.3, rng);
    check_point(generalized, sm::PairwiseGaussianFamily<double>(3), positive, 0.3, rng);
    check_point(generalized, sm::energy_family(energy, Eigen::Vector2d(0, 1), 3), positive, 0.2,
                rng);
  }
}

TEST_CASE("the loss of one sample refuses sizes of another family") {
  auto point = sm::ScoreMatchingLoss{}.point(sm::GaussianFamily<double>(2));
  const Eigen::VectorXd theta = Eigen::VectorXd::Zero(5);
  Eigen::VectorXd gradient;
  for (const Index wrong : {0, 1, 3}) {
    const Eigen::VectorXd x = Eigen::VectorXd::Ones(wrong);
    CHECK(contains(message_of([&] { point(x, theta); }), "expected 2 x 1"));
    CHECK(contains(message_of([&] { point(x, theta, gradient); }), "expected 2 x 1"));
  }
  for (const Index wrong : {0, 4, 6}) {
    const Eigen::VectorXd other = Eigen::VectorXd::Zero(wrong);
    CHECK(contains(message_of([&] { point(Eigen::Vector2d(1, 2), other); }), "expected 5 x 1"));
  }
  static_assert(sm::HasPoint<sm::ScoreMatchingLoss, sm::GaussianFamily<double>>);
  static_assert(!sm::HasPoint<sm::ScoreMatchingLoss, sm::TruncatedGaussianFamily<double>>);
  static_assert(!sm::HasPoint<sm::NegativeLogLikelihood, sm::PolynomialFamily<double, 4>>);
}
