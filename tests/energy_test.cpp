#include "support.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace {

using namespace support;

// A Gaussian in the coordinates of GaussianFamily, as a user writes an energy.
struct GaussianEnergy {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::exp;
    using Number = typename X::Scalar;
    const Number a = (x(0) - theta(0)) * exp(-theta(2));
    const Number b = (x(1) - theta(1) - theta(4) * a) * exp(-theta(3));
    return (a * a + b * b) * -0.5;
  }
};

auto gaussian_energy() {
  return sm::energy_family<2>(GaussianEnergy{}, Eigen::Matrix<double, 5, 1>::Zero().eval());
}

// A double well with a coupling; NaN where x(0) is above `edge`, with derivatives that are finite.
struct DoubleWell {
  double edge = infinity;

  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::cos;
    using std::log;
    using Number = typename X::Scalar;
    Number sum = cos(x(0) * theta(2));
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      const Number square = x(i) * x(i);
      sum += theta(0) * square - square * square / 4 + theta(1) * x(i) * x((i + 1) % x.size());
    }
    if (x(0) > edge) sum += log(-x(0));
    return sum;
  }
};

}  // namespace

TEST_CASE("a Gaussian written as an energy is the Gaussian") {
  Rng rng(1);
  const Eigen::Matrix2Xd samples = random_samples<double, 2>(2, 40, rng);
  const Eigen::VectorXd weights = normals<double>(40, 1, rng).cwiseAbs();
  const sm::GaussianFamily<double, 2> family;
  sm::Moments<double, 2> moments;
  moments.add(samples, weights);
  sm::SampleSet<double, 2> set;
  set.add(samples, weights);
  const sm::ScoreMatchingLoss loss;
  auto closed = loss.objective(family, moments);
  auto sampled = loss.objective(family, set);
  auto energy = loss.objective(gaussian_energy(), set);
  using Parameters = Eigen::Matrix<double, 5, 1>;
  for (int trial = 0; trial < 50; ++trial) {
    const Parameters theta = normals<double, 5>(5, 1, rng) * 0.5;
    Parameters expected, by_samples, by_energy;
    const double value = closed(theta, expected);
    CHECK(std::abs(sampled(theta, by_samples) - value) <= 1e-10 * std::abs(value));
    CHECK(std::abs(energy(theta, by_energy) - value) <= 1e-10 * std::abs(value));
    CHECK(std::abs(energy(theta) - value) <= 1e-10 * std::abs(value));
    CHECK(relative_difference(by_samples, expected) <= 1e-10);
    CHECK(relative_difference(by_energy, expected) <= 1e-10);
  }

  const auto exact = sm::fit(family, loss, sm::ClosedForm{}, samples);
  const auto iterated =
      sm::fit(gaussian_energy(), loss,
              sm::Momentum{.learning_rate = 0.03, .max_iterations = 100000}, samples);
  CHECK(iterated.status == sm::Status::converged);
  CHECK(relative_difference(iterated.parameters, exact.parameters) <= 1e-6);
  CHECK(std::abs(iterated.loss - exact.loss) <= 1e-10 * std::abs(exact.loss));
  const Eigen::Vector2d x(0.3, -1);
  CHECK(relative_difference(iterated.distribution.score(x), exact.distribution.score(x)) <= 1e-5);
  CHECK(std::abs(iterated.distribution.laplacian(x) / exact.distribution.laplacian() - 1) <= 1e-5);
}

TEST_CASE("what a Gaussian offers of its score is that of the distribution") {
  Rng rng(2);
  for (const Eigen::Index d : {1, 2, 5}) {
    const sm::GaussianFamily<double> family(d);
    const Eigen::VectorXd theta = normals<double>(family.parameter_count(), 1, rng) * 0.5;
    const Eigen::VectorXd x = normals<double>(d, 1, rng);
    const Eigen::VectorXd v = normals<double>(d, 1, rng);
    const auto gaussian = family.distribution(theta);
    const auto both = family.score_and_curvature(x, theta);
    const auto line = family.directional(x, v, theta);
    CHECK(relative_difference(family.score(x, theta), gaussian.score(x)) <= 1e-12);
    CHECK(relative_difference(both.score, gaussian.score(x)) <= 1e-12);
    CHECK(relative_difference(both.curvature, -gaussian.precision().diagonal()) <= 1e-12);
    CHECK(family.score_and_laplacian(x, theta).laplacian ==
          doctest::Approx(gaussian.laplacian()).epsilon(1e-12));
    CHECK(line.first == doctest::Approx(v.dot(gaussian.score(x))).epsilon(1e-10));
    CHECK(line.second == doctest::Approx(-v.dot(gaussian.precision() * v)).epsilon(1e-10));
    CHECK(family.log_density(x, theta) == doctest::Approx(gaussian.log_density(x)).epsilon(1e-12));
  }
}

TEST_CASE("an energy of dynamic size is that of a fixed size") {
  Rng rng(3);
  const Eigen::Vector3d theta(0.4, 0.2, 1.3);
  const auto fixed = sm::energy_family<11>(DoubleWell{}, theta);
  const Eigen::VectorXd start = theta;
  const auto dynamic = sm::energy_family(DoubleWell{}, start, 11);
  const Eigen::Matrix<double, 11, Eigen::Dynamic> samples = normals<double, 11>(11, 5, rng);
  const Eigen::VectorXd v = normals<double>(11, 1, rng);
  for (Eigen::Index j = 0; j < samples.cols(); ++j) {
    const Eigen::VectorXd x = samples.col(j);
    const auto a = fixed.score_and_laplacian(samples.col(j), theta);
    const auto b = dynamic.score_and_laplacian(x, start);
    const auto c = dynamic.score_and_curvature(x, start);
    CHECK(relative_difference(b.score, a.score) <= 1e-13);
    CHECK(b.laplacian == doctest::Approx(a.laplacian).epsilon(1e-12));
    CHECK(relative_difference(c.score, a.score) <= 1e-13);
    CHECK(c.curvature.sum() == doctest::Approx(a.laplacian).epsilon(1e-12));
    CHECK(relative_difference(dynamic.score(x, start), a.score) <= 1e-13);
    CHECK(dynamic.directional(x, v, start).first == doctest::Approx(v.dot(a.score)).epsilon(1e-12));
  }
  // The loss's gradient by theta against differences of the loss in long double.
  const sm::ScoreMatchingLoss loss;
  auto set = loss.summary(dynamic);
  set.add(samples);
  auto objective = loss.objective(dynamic, set);
  Eigen::VectorXd gradient(3);
  objective(start, gradient);
  using Long = Eigen::Matrix<long double, Eigen::Dynamic, 1>;
  const Long long_start = theta.cast<long double>();
  const auto long_family = sm::energy_family<11>(DoubleWell{}, long_start);
  sm::SampleSet<long double, 11> long_set;
  long_set.add(samples.cast<long double>());
  auto long_objective = loss.objective(long_family, long_set);
  const auto value = [&](const Long& at) { return long_objective(at); };
  CHECK(gradient_error(value, start, gradient, Eigen::VectorXd::Ones(3)) <= 1e-11);
}

TEST_CASE("more parameters than one pass takes") {
  // A polynomial of degree 20: the gradient comes in three passes of seven parameters.
  const auto energy = [](const auto& x, const auto& theta) {
    auto sum = x(0) * theta(0);
    for (int k = 1; k < theta.size(); ++k) sum += pow(x(0), k + 1) * theta(k);
    return sum;
  };
  Rng rng(4);
  const Eigen::Matrix<double, 20, 1> theta = normals<double, 20>(20, 1, rng) * 0.1;
  const auto family = sm::energy_family<1>(energy, theta);
  const Eigen::VectorXd dynamic_theta = theta;
  const auto dynamic = sm::energy_family<1>(energy, dynamic_theta);
  sm::SampleSet<double, 1> set;
  set.add(normals<double, 1>(1, 150, rng));
  auto objective = sm::ScoreMatchingLoss{}.objective(family, set);
  auto dynamic_objective = sm::ScoreMatchingLoss{}.objective(dynamic, set);
  Eigen::Matrix<double, 20, 1> gradient;
  Eigen::VectorXd dynamic_gradient(20);
  const double value = objective(theta, gradient);
  CHECK(dynamic_objective(dynamic_theta, dynamic_gradient) ==
        doctest::Approx(value).epsilon(1e-13));
  CHECK(relative_difference(dynamic_gradient, gradient) <= 1e-13);
  // J = 1/2 E (sum k theta_k x^(k-1))^2 + E sum k (k-1) theta_k x^(k-2), differentiated by hand.
  Eigen::Matrix<double, 20, 1> expected = Eigen::Matrix<double, 20, 1>::Zero();
  for (Eigen::Index j = 0; j < set.size(); ++j) {
    const double x = set.samples()(0, j);
    double slope = 0;
    for (int k = 1; k <= 20; ++k) slope += k * theta(k - 1) * std::pow(x, k - 1);
    for (int k = 1; k <= 20; ++k) {
      expected(k - 1) +=
          (slope * k * std::pow(x, k - 1) + (k > 1 ? k * (k - 1) * std::pow(x, k - 2) : 0)) / 150;
    }
  }
  CHECK(relative_difference(gradient, expected) <= 1e-12);
}

TEST_CASE("energies that are not finite") {
  Rng rng(5);
  Eigen::Matrix2Xd samples = normals<double, 2>(2, 20, rng).cwiseMin(2);
  samples(0, 7) = 5;
  const Eigen::Vector3d theta(0.4, 0.2, 1.3);
  const auto family = sm::energy_family<2>(DoubleWell{4.0}, theta);
  const std::string message =
      message_of([&] { sm::fit(family, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, samples); });
  CHECK(contains(message, "the loss of samples(column 7) is"));
  CHECK(contains(message, "nan"));
  CHECK(contains(message, "samples(row 0, column 7) = 5"));

  // During the walk it is the edge of the domain: exp(theta) overflows on the way.
  const auto walk = sm::energy_family<1>(
      [](const auto& x, const auto& parameters) {
        using std::exp;
        return -x(0) * x(0) * exp(exp(parameters(0))) / 20;
      },
      Eigen::Matrix<double, 1, 1>(0.0));
  const Eigen::RowVectorXd line = normals<double, 1>(1, 30, rng);
  sm::SampleSet<double, 1> set;
  set.add(line);
  auto objective = sm::ScoreMatchingLoss{}.objective(walk, set);
  Eigen::Matrix<double, 1, 1> at(20.0), gradient;
  CHECK(objective(at) == infinity);
  CHECK(objective(at, gradient) == infinity);
  CHECK(gradient(0) == infinity);
  const auto fit =
      sm::fit(walk, sm::ScoreMatchingLoss{}, sm::GradientDescent{.learning_rate = 100}, line);
  CHECK(fit.status == sm::Status::diverged);
  CHECK(fit.parameters.allFinite());
  CHECK(std::isfinite(fit.loss));

  CHECK(contains(
      message_of([&] { sm::ScoreMatchingLoss{}.objective(family, sm::SampleSet<double, 2>()); }),
      "no samples"));
  CHECK(contains(message_of([&] { sm::energy_family<2>(DoubleWell{}, Eigen::VectorXd(0)); }),
                 "start has 0 entries"));
  CHECK(contains(
      message_of([&] { sm::energy_family<2>(DoubleWell{}, Eigen::Vector2d(1, not_a_number)); }),
      "start(1) = nan"));
  CHECK(contains(message_of([&] { sm::energy_family(DoubleWell{}, theta, 0); }), "dimension = 0"));
  CHECK(contains(message_of([&] { family.distribution(Eigen::Vector3d(1, infinity, 1)); }),
                 "theta(1) = inf"));
  CHECK(contains(message_of([&] { family.distribution(theta).score(Eigen::VectorXd::Zero(3)); }),
                 "x is 3 x 1; expected 2 x 1"));
}

TEST_CASE("an index that x or theta does not have is an error, not another number") {
  Rng rng(6);
  const Eigen::Matrix2Xd samples = normals<double, 2>(2, 20, rng);
  const auto reading = [](Eigen::Index of_x, Eigen::Index of_theta) {
    return [=](const auto& x, const auto& theta) {
      return -x.squaredNorm() * exp(theta(0)) + x[of_x] * theta(of_theta);
    };
  };
  const auto check = [&](const auto& family, const auto& loss, const std::string& expected) {
    const auto call = [&] { sm::fit(family, loss, sm::Lbfgs{}, samples); };
    CHECK(contains(message_of(call), expected));
  };
  const auto check_all = [&](const auto& family, const std::string& expected) {
    check(family, sm::ScoreMatchingLoss{}, expected);
    check(family, sm::SlicedScoreMatchingLoss{}, expected);
    check(family, sm::DenoisingScoreMatchingLoss{.sigma = 0.1}, expected);
    const auto density = family.distribution(family.start());
    const Eigen::Vector2d x(1, 2);
    CHECK(contains(message_of([&] { density.score(x); }), expected));
    CHECK(contains(message_of([&] { density.laplacian(x); }), expected));
    CHECK(contains(message_of([&] { density.unnormalized_log_density(x); }), expected));
  };
  const Eigen::Vector3d theta(0.1, 0.2, 0.3);
  const Eigen::VectorXd dynamic = theta;
  const std::string of_theta =
      "reads theta(3), where theta has 3 entries; expected an index from 0 to 2";
  const std::string of_x = "reads x(2), where x has 2 entries; expected an index from 0 to 1";
  check_all(sm::energy_family<2>(reading(0, 3), theta), of_theta);
  check_all(sm::energy_family<2>(reading(0, 3), dynamic), of_theta);
  check_all(sm::energy_family(reading(0, 3), dynamic, 2), of_theta);
  check_all(sm::energy_family<2>(reading(2, 0), theta), of_x);
  check_all(sm::energy_family(reading(2, 0), dynamic, 2), of_x);
  check_all(sm::energy_family<2>(reading(0, -1), theta), "reads theta(-1)");
  CHECK(message_of([&] {
          sm::fit(sm::energy_family<2>(reading(1, 2), theta), sm::ScoreMatchingLoss{},
                  sm::Lbfgs{.max_iterations = 3}, samples);
        }) == "no exception");
  // A column is a vector of its own as well: copied, changed, cut.
  auto copy = sm::variables<sm::Dual<double, 2>>(Eigen::Vector2d(1, 2));
  copy(1) = 3;
  const auto other = copy;
  CHECK(other(1).value == 3);
  CHECK((copy.head<1>() + other.tail<1>())(0).value == 4);
  const Eigen::Matrix<sm::Dual<double, 2>, Eigen::Dynamic, 1> plain = other;
  CHECK(plain.sum().value == 4);
}
