#include "support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using namespace support;

using Vector1 = Eigen::Matrix<double, 1, 1>;

constexpr sm::Directions all_directions[] = {sm::Directions::normal, sm::Directions::rademacher,
                                             sm::Directions::sphere};

// Coupled quartic wells in any dimension: theta = (a, log b, c).
struct Wells {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::exp;
    using Number = typename X::Scalar;
    Number sum(0.0);
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      const Number square = x(i) * x(i);
      sum += square * theta(0) * -0.5 - square * square * exp(theta(1)) * 0.25 +
             x(i) * x((i + 1) % x.size()) * theta(2);
    }
    return sum;
  }
};

// One directional derivative and no score.
struct DirectionalOnly {
  using Scalar = double;
  static constexpr int Dim = 1;
  using Parameters = Eigen::Matrix<double, 1, 1>;
  struct Distribution {};
  Eigen::Index dimension() const { return 1; }
  Eigen::Index parameter_count() const { return 1; }
  Parameters start() const { return Parameters::Zero(); }
  Distribution distribution(const Parameters&) const { return {}; }
  template <class X, class V, class Theta>
  sm::Directional<typename Theta::Scalar> directional(const X& x, const V& v,
                                                      const Theta& theta) const {
    using T = typename Theta::Scalar;
    const T k = exp(theta(0));
    return {k * -(v(0) * x(0)), k * -(v(0) * v(0))};
  }
};

}  // namespace

TEST_CASE("over directions, the sliced loss has score matching for a mean") {
  Rng rng(1);
  const sm::GaussianFamily<double, 3> family;
  const Eigen::Matrix3Xd samples = random_samples<double, 3>(3, 12, rng);
  const Eigen::Vector<double, 9> theta = 0.3 * normals<double>(9, 1, rng);
  sm::Moments<double, 3> moments;
  moments.add(samples);
  Eigen::Vector<double, 9> expected;
  const double loss = sm::ScoreMatchingLoss{}.objective(family, moments)(theta, expected);
  sm::SampleSet<double, 3> set;
  set.add(samples);
  for (const auto directions : all_directions) {
    double errors[2];
    for (const bool reduced : {false, true}) {
      double sum = 0, squares = 0, slope = 0, slope_squares = 0;
      constexpr int seeds = 400;
      for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        auto objective = sm::SlicedScoreMatchingLoss{.projections = 4,
                                                     .distribution = directions,
                                                     .variance_reduced = reduced,
                                                     .seed = seed}
                             .objective(family, set);
        Eigen::Vector<double, 9> gradient;
        const double value = objective(theta, gradient);
        CHECK(objective(theta) == doctest::Approx(value).epsilon(1e-12));
        sum += value, squares += value * value;
        slope += gradient(4), slope_squares += gradient(4) * gradient(4);
      }
      const auto error = [](double first, double second) {
        const double mean = first / seeds;
        return std::sqrt((second / seeds - mean * mean) / (seeds - 1));
      };
      errors[reduced] = error(sum, squares);
      CHECK(std::abs(sum / seeds - loss) <= 4 * errors[reduced]);
      CHECK(std::abs(slope / seeds - expected(4)) <= 4 * error(slope, slope_squares));
    }
    // Reduced, the variance is that of v^T P v, over 12 samples and 4 directions each.
    const Eigen::Matrix3d p = family.distribution(theta).precision();
    const double all = p.squaredNorm();
    const double variance = directions == sm::Directions::normal ? 2 * all
                            : directions == sm::Directions::rademacher
                                ? 2 * (all - p.diagonal().squaredNorm())
                                : 2.0 / 5 * (3 * all - p.trace() * p.trace());
    CHECK(errors[1] * std::sqrt(399.0) == doctest::Approx(std::sqrt(variance / 48)).epsilon(0.2));
  }
}

TEST_CASE("in one dimension a direction of length one loses nothing") {
  Rng rng(2);
  const sm::GaussianFamily<double, 1> family;
  const Eigen::RowVectorXd samples = random_samples(1, 9, rng);
  sm::Moments<double, 1> moments;
  moments.add(samples);
  sm::SampleSet<double, 1> set;
  set.add(samples);
  const Eigen::Vector2d theta(0.3, -0.4);
  Eigen::Vector2d expected, gradient;
  const double loss = sm::ScoreMatchingLoss{}.objective(family, moments)(theta, expected);
  for (const auto directions : {sm::Directions::rademacher, sm::Directions::sphere}) {
    for (const bool reduced : {false, true}) {
      auto objective =
          sm::SlicedScoreMatchingLoss{.distribution = directions, .variance_reduced = reduced}
              .objective(family, set);
      CHECK(std::abs(objective(theta, gradient) - loss) <= 1e-13 * std::abs(loss));
      CHECK(relative_difference(gradient, expected) <= 1e-12);
    }
  }
}

TEST_CASE("batches see every sample once before they see one again") {
  // In one dimension the directions do not matter, and a batch of one is the loss of its sample.
  Rng rng(12);
  const sm::GaussianFamily<double, 1> family;
  const Eigen::RowVectorXd samples = random_samples(1, 12, rng);
  const Eigen::Vector2d theta(0.3, -0.4);
  std::vector<double> each;
  for (const double x : samples) {
    sm::Moments<double, 1> moments;
    moments.add(Vector1(x));
    each.push_back(sm::ScoreMatchingLoss{}.objective(family, moments)(theta));
  }
  std::sort(each.begin(), each.end());
  sm::SampleSet<double, 1> set;
  set.add(samples);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    auto objective =
        sm::SlicedScoreMatchingLoss{.seed = seed, .batch_size = 1}.objective(family, set);
    for (int pass = 0; pass < 3; ++pass) {
      std::vector<double> seen;
      for (std::size_t k = 0; k < each.size(); ++k) seen.push_back(objective(theta));
      std::sort(seen.begin(), seen.end());
      for (std::size_t k = 0; k < each.size(); ++k) {
        CHECK(seen[k] == doctest::Approx(each[k]).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("the gradient of the sliced loss at a fixed seed, of a fixed and a dynamic energy") {
  Rng rng(3);
  const Eigen::Matrix3Xd samples = normals<double, 3>(3, 10, rng);
  const Eigen::VectorXd theta = Eigen::Vector3d(0.4, -0.3, 0.2);
  const auto fixed = sm::energy_family<3>(Wells{}, Eigen::Vector3d(0, 0, 0));
  const auto dynamic = sm::energy_family(Wells{}, Eigen::Vector3d(0, 0, 0), 3);
  const auto exact = sm::energy_family<3>(Wells{}, Eigen::Vector<long double, 3>(0, 0, 0));
  const auto objective_of = [&](const auto& family, const sm::SlicedScoreMatchingLoss& loss) {
    auto set = loss.summary(family);
    using Set = decltype(set);
    set.add(samples.cast<typename Set::Scalar>());
    return loss.objective(family, set);
  };
  for (const bool reduced : {false, true}) {
    const sm::SlicedScoreMatchingLoss loss{.projections = 2,
                                           .distribution = sm::Directions::sphere,
                                           .variance_reduced = reduced,
                                           .seed = 5};
    auto a = objective_of(fixed, loss);
    auto b = objective_of(dynamic, loss);
    auto c = objective_of(exact, loss);
    Eigen::Vector3d gradient, of_dynamic;
    CHECK(b(Eigen::Vector3d(theta), of_dynamic) ==
          doctest::Approx(a(Eigen::Vector3d(theta), gradient)).epsilon(1e-13));
    CHECK(relative_difference(of_dynamic, gradient) <= 1e-12);
    CHECK(gradient_error([&](const auto& at) { return c(Eigen::Vector<long double, 3>(at)); },
                         theta, gradient, Eigen::Vector3d::Ones()) <= 1e-10);
  }
}

TEST_CASE("directions come from the seed") {
  const auto family = sm::energy_family<3>(Wells{}, Eigen::Vector3d(0, 0, 0));
  Rng rng(4);
  sm::SampleSet<double, 3> set;
  set.add(normals<double, 3>(3, 20, rng));
  const Eigen::Vector3d theta(0.4, -0.3, 0.2);
  for (const Eigen::Index batch : {0, 7}) {
    const auto value = [&](std::uint64_t seed) {
      return sm::SlicedScoreMatchingLoss{.seed = seed, .batch_size = batch}.objective(family,
                                                                                      set)(theta);
    };
    CHECK(value(1) == value(1));
    CHECK(value(1) != value(2));
  }
  // An epoch of batches sees every sample once. In one dimension no direction adds noise.
  const sm::GaussianFamily<double, 1> gaussian;
  sm::SampleSet<double, 1> numbers;
  numbers.add(normals<double, 1>(1, 12, rng));
  const Eigen::Vector2d at(0.3, -0.4);
  auto all = sm::SlicedScoreMatchingLoss{}.objective(gaussian, numbers);
  auto batches = sm::SlicedScoreMatchingLoss{.batch_size = 4}.objective(gaussian, numbers);
  for (int epoch = 0; epoch < 3; ++epoch) {
    double sum = 0;
    for (int k = 0; k < 3; ++k) sum += batches(at);
    CHECK(sum / 3 == doctest::Approx(all(at)).epsilon(1e-13));
  }
}

TEST_CASE("sliced fits recover what made the samples") {
  Rng rng(5);
  const sm::GaussianFamily<double, 3> gaussians;
  const Eigen::Matrix3Xd samples = random_samples<double, 3>(3, 3000, rng);
  const auto exact = sm::fit(gaussians, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  const auto fit =
      sm::fit(gaussians, sm::SlicedScoreMatchingLoss{.variance_reduced = true},
              sm::Momentum{.learning_rate = 0.05, .gradient_tolerance = 1e-6}, samples);
  CHECK(fit.status == sm::Status::converged);
  CHECK(covariance_difference(fit.distribution.covariance(), exact.distribution.covariance()) <=
        0.1);

  // A Student t of four degrees of freedom, by mini-batches.
  for (int seed = 1; seed <= 3; ++seed) {
    std::chi_squared_distribution<double> chi(4);
    Eigen::Matrix2Xd heavy = normals<double, 2>(2, 4000, rng);
    for (Eigen::Index j = 0; j < heavy.cols(); ++j) heavy.col(j) *= std::sqrt(4 / chi(rng));
    const auto t = sm::fit(
        sm::StudentTFamily<double, 2>{},
        sm::SlicedScoreMatchingLoss{
            .variance_reduced = true, .seed = static_cast<std::uint64_t>(seed), .batch_size = 100},
        sm::Adam{.learning_rate = 0.03, .decay = 0.02, .max_iterations = 1500}, heavy);
    CHECK(t.status == sm::Status::iteration_limit);
    CHECK(t.distribution.location().norm() <= 0.15);
    CHECK((t.distribution.scale() - Eigen::Matrix2d::Identity()).norm() <= 0.3);
    CHECK(std::abs(std::log(t.distribution.degrees_of_freedom() / 4)) <= 0.35);
  }
}

TEST_CASE("what the sliced loss does not take") {
  using Loss = sm::SlicedScoreMatchingLoss;
  const auto fit = [&](const auto& family, const Loss& loss) {
    return message_of([&] { sm::fit(family, loss, sm::Momentum{}, Eigen::RowVector2d(1, 2)); });
  };
  const sm::GaussianFamily<double, 1> gaussian;
  CHECK(contains(fit(gaussian, Loss{.projections = 0}),
                 "SlicedScoreMatchingLoss: projections = 0; expected at least 1"));
  CHECK(contains(fit(gaussian, Loss{.batch_size = -1}), "batch_size = -1; expected at least 0"));
  CHECK(contains(fit(DirectionalOnly{}, Loss{.variance_reduced = true}),
                 "variance_reduced = 1; expected 0, as the family offers no score"));
  CHECK(fit(DirectionalOnly{}, Loss{}) == "no exception");
  CHECK(contains(message_of([&] { Loss{}.objective(gaussian, sm::SampleSet<double, 1>{}); }),
                 "no samples"));
}
