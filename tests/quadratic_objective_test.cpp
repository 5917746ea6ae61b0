// The quadratic objective by itself: minimum, null space, mismatch, of random forms in any units.
#include "support.hpp"

#include <doctest/doctest.h>

#include <cstdint>

namespace {

using namespace support;

struct Problem {
  sm::QuadraticForm<double> form;
  Eigen::MatrixXd null;   // orthonormal, of the matrix before units
  Eigen::VectorXd units;  // sqrt(Gamma_kk) but for a factor of order one
};

// A form of K parameters in units 2^-40 to 2^40 with `nullity` null directions, from columns with
// noise of which Gamma has the square. Its linear term is `in_null` in the null space, in units of
// what it is elsewhere.
Problem random_problem(Eigen::Index k, Eigen::Index nullity, double in_null, Rng& rng,
                       double noise = 0) {
  Eigen::MatrixXd q;
  do {  // each parameter has a part in the range
    const Eigen::MatrixXd square = normals<double>(k, k, rng);
    q = square.householderQr().householderQ();
  } while (q.rightCols(k - nullity).rowwise().norm().minCoeff() < 0.3);
  Problem problem{sm::QuadraticForm<double>(k), q.leftCols(nullity), Eigen::VectorXd(k)};
  for (double& unit : problem.units) unit = std::ldexp(1.0, int(rng() % 81) - 40);
  const Eigen::MatrixXd range = q.rightCols(k - nullity);
  Eigen::VectorXd linear = range * normals<double>(k - nullity, 1, rng);
  if (nullity > 0) linear += in_null * linear.norm() * problem.null.col(0);
  linear = linear.cwiseProduct(problem.units);
  for (int sample = 0; sample < 50; ++sample) {
    const Eigen::VectorXd column =
        problem.units.cwiseProduct(range * normals<double>(k - nullity, 1, rng));
    problem.form.add(column, linear, 0.25);
  }
  problem.form.add(noise * problem.units.cwiseProduct(normals<double>(k, 1, rng)), linear, 0.25);
  return problem;
}

Eigen::VectorXd scale_of(const sm::QuadraticObjective<double>& objective) {
  return objective.quadratic().diagonal().cwiseSqrt();
}

}  // namespace

TEST_CASE("the minimizer solves the equations, and of a flat it is the shortest solution") {
  Rng rng(1);
  for (int problem = 0; problem < 200; ++problem) {
    const Eigen::Index k = 2 + Eigen::Index(rng() % 7);
    const Eigen::Index nullity = Eigen::Index(rng() % std::uint64_t(k / 2 + 1));
    // Gamma as rounding may leave it of a long sum.
    const Problem p = random_problem(k, nullity, 0, rng, 3e-7);
    const Eigen::Index flat = p.null.cols();
    const sm::QuadraticObjective<double> objective(p.form);
    CAPTURE(k);
    CAPTURE(flat);
    REQUIRE_FALSE(objective.info().unbounded);
    CHECK(objective.info().ambiguous == (flat > 0));
    REQUIRE(objective.flat_directions() == flat);
    const Eigen::VectorXd theta = objective.exact().parameters;
    Eigen::VectorXd gradient(k);
    const double loss = objective(theta, gradient);
    const Eigen::VectorXd scale = scale_of(objective);
    CHECK(gradient.cwiseQuotient(scale).norm() <=
          1e-8 * objective.linear().cwiseQuotient(scale).norm());
    CHECK(std::abs(loss - objective.exact().loss) <= 1e-12 * (std::abs(loss) + 1));
    CHECK(same_bits(objective.scales(), scale.cwiseInverse().eval()));
    const Eigen::VectorXd y = theta.cwiseProduct(scale);
    for (Eigen::Index c = 0; c < flat; ++c) {
      const Eigen::VectorXd n = objective.flat_direction(c).cwiseProduct(scale);
      CHECK(std::abs(n.norm() - 1) < 1e-12);
      CHECK(std::abs(n.dot(y)) <= 2e-15 * y.norm());
      // It is one of the null space that the form was made with.
      const Eigen::VectorXd known = objective.flat_direction(c).cwiseProduct(p.units);
      CHECK((known - p.null * (p.null.transpose() * known)).norm() <= 1e-8 * known.norm());
    }
  }
}

TEST_CASE("a linear term in the null space is unbounded, however small its unit") {
  Rng rng(2);
  for (int problem = 0; problem < 200; ++problem) {
    const Eigen::Index k = 2 + Eigen::Index(rng() % 7);
    const auto unbounded = [&](double in_null) {
      Rng same(static_cast<unsigned>(problem));
      return sm::QuadraticObjective<double>(random_problem(k, 1, in_null, same).form)
          .info()
          .unbounded;
    };
    CAPTURE(k);
    CHECK_FALSE(unbounded(0));
    CHECK_FALSE(unbounded(1e-11));
    CHECK(unbounded(1e-6));
    CHECK(unbounded(1));
  }
  // One parameter that nothing determines beside one that is determined in units of 1e-8.
  for (const double unit : {1.0, 1e-4, 1e-8, 1e-10}) {
    CAPTURE(unit);
    sm::QuadraticForm<double> form(3);
    form.add(Eigen::Vector3d(unit, 0, 0), Eigen::Vector3d(-1, -1, 1));
    form.add(Eigen::Vector3d(0, 1, 1), Eigen::Vector3d(-1, -1, 1));
    CHECK(sm::QuadraticObjective<double>(form).info().unbounded);
    sm::QuadraticForm<double> balanced(3);
    balanced.add(Eigen::Vector3d(unit, 0, 0), Eigen::Vector3d(-1, -1, -1));
    balanced.add(Eigen::Vector3d(0, 1, 1), Eigen::Vector3d(-1, -1, -1));
    CHECK(sm::QuadraticObjective<double>(balanced).info().ambiguous);
  }
}

TEST_CASE("the mismatch is zero at the minimum alone, parameter by parameter, in any units") {
  Rng rng(3);
  for (int problem = 0; problem < 200; ++problem) {
    const Eigen::Index k = 2 + Eigen::Index(rng() % 7);
    const Problem p = random_problem(k, Eigen::Index(rng() % 2), 0, rng);
    sm::QuadraticObjective<double> objective(p.form);
    const Eigen::VectorXd theta = objective.exact().parameters;
    CHECK(objective.distance_to_minimum(theta) == 0);
    // As close as a number can be is close enough for every tolerance.
    Eigen::VectorXd rounded = theta;
    for (double& entry : rounded) entry = std::nextafter(entry, 1e300);
    CHECK(objective.distance_to_minimum(rounded) <= 1e-15);
    if (p.null.cols() > 0) {
      const Eigen::VectorXd along =
          10 * objective.flat_direction(0) * theta.cwiseProduct(scale_of(objective)).norm();
      CHECK(objective.distance_to_minimum(theta + along) <= 1e-12);
      CHECK(objective.distance_to_minimum(theta + along +
                                          theta.cwiseProduct(normals<double>(k, 1, rng))) > 1e-4);
      continue;
    }
    // One parameter that was not fitted, whatever the others.
    for (Eigen::Index missed = 0; missed < k; ++missed) {
      Eigen::VectorXd off = theta;
      off(missed) += objective.scales()(missed) * std::abs(objective.linear()(missed)) *
                     objective.scales()(missed);
      CHECK(objective.distance_to_minimum(off) >= 1e-3);
    }
    // It has no units.
    Eigen::VectorXd units(k);
    for (double& unit : units) unit = std::ldexp(1.0, int(rng() % 41) - 20);
    sm::QuadraticForm<double> other(k);
    const Eigen::MatrixXd root = objective.quadratic().llt().matrixL();
    other.add(units.asDiagonal() * root, units.cwiseProduct(objective.linear()));
    const Eigen::VectorXd point =
        theta + objective.scales().cwiseProduct(normals<double>(k, 1, rng));
    const double expected = objective.distance_to_minimum(point);
    CHECK(std::abs(sm::QuadraticObjective<double>(other).distance_to_minimum(
                       point.cwiseQuotient(units)) -
                   expected) <= 1e-6 * expected);
  }
  // Two scales, ten orders apart, each fitted or not by itself.
  sm::QuadraticForm<double> form(2);
  form.add(Eigen::Vector2d(1, 0), Eigen::Vector2d(-1, -1));
  form.add(Eigen::Vector2d(0, 1e-10), Eigen::Vector2d(-1, -1));
  const sm::QuadraticObjective<double> objective(form);
  const Eigen::Vector2d minimizer = objective.exact().parameters;
  CHECK(objective.distance_to_minimum(Eigen::VectorXd(Eigen::Vector2d(0, minimizer(1)))) >= 0.4);
  CHECK(objective.distance_to_minimum(Eigen::VectorXd(Eigen::Vector2d(minimizer(0), 0))) >= 0.4);
  CHECK(objective.distance_to_minimum(Eigen::VectorXd(minimizer)) == 0);
  CHECK(objective.distance_to_minimum(Eigen::VectorXd::Constant(2, infinity)) == infinity);
}

namespace {

// A pairwise Gaussian of samples that come with their mirror images: eta and the precision of a
// pair are zero, exactly or by rounding.
template <class Scalar, class Optimizer>
void check_zeros_are_reached(const Optimizer& optimizer, double tolerance, Rng& rng) {
  const Eigen::Matrix<Scalar, 2, Eigen::Dynamic> half = normals<Scalar, 2>(2, 200, rng);
  Eigen::Matrix<Scalar, 2, Eigen::Dynamic> samples(2, 800);
  samples.leftCols(200) = half;
  samples.middleCols(200, 200) = -half;
  samples.rightCols(400) = samples.leftCols(400);
  samples.row(1).tail(400) *= Scalar(-1);
  const sm::PairwiseGaussianFamily<Scalar, 2> family;
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  summary.add(samples);
  auto objective = sm::ScoreMatchingLoss{}.objective(family, summary);
  const auto expected = objective.exact().parameters;
  using Start = typename decltype(family)::Parameters;
  for (const Start& start : {Start(Start::Zero()), Start(Start::Ones()), Start(3 * expected)}) {
    const auto found = sm::minimize(optimizer, objective, start);
    CHECK(found.status == sm::Status::converged);
    CHECK(relative_difference(found.parameters, expected) < tolerance);
  }
}

}  // namespace

TEST_CASE("the mismatch lets optimizers arrive where parameters are zero") {
  Rng rng(4);
  check_zeros_are_reached<double>(sm::Lbfgs{}, 1e-4, rng);
  check_zeros_are_reached<double>(
      sm::GradientDescent{.learning_rate = 0.1, .max_iterations = 100000}, 1e-4, rng);
  check_zeros_are_reached<float>(sm::Lbfgs{}, 2e-3, rng);
  check_zeros_are_reached<float>(
      sm::GradientDescent{.learning_rate = 0.1, .max_iterations = 100000}, 2e-3, rng);
}
