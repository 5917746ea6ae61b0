#include "support.hpp"

#include <doctest/doctest.h>

#include <type_traits>

namespace {

using namespace support;
using Long = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
using LongVector = Eigen::Matrix<long double, Eigen::Dynamic, 1>;

// The notebook's own loss: the mean over the samples of |s|^2 / 2 + Laplacian, from the definition.
struct ScoreMatchingDefinition {
  static long double value(const LongVector& mean, const Long& covariance, const Long& samples) {
    const Long precision = covariance.inverse();
    long double sum = 0;
    for (Eigen::Index j = 0; j < samples.cols(); ++j) {
      sum += (precision * (samples.col(j) - mean)).squaredNorm() / 2 - precision.trace();
    }
    return sum / static_cast<long double>(samples.cols());
  }
};

struct LikelihoodDefinition {
  static long double value(const LongVector& mean, const Long& covariance, const Long& samples) {
    const Long precision = covariance.inverse();
    const long double log_2pi = 1.83787706640934548356L;
    long double sum = 0;
    for (Eigen::Index j = 0; j < samples.cols(); ++j) {
      const LongVector difference = samples.col(j) - mean;
      sum += difference.dot(precision * difference) / 2;
    }
    return sum / static_cast<long double>(samples.cols()) +
           (std::log(covariance.determinant()) + static_cast<long double>(mean.size()) * log_2pi) /
               2;
  }
};

// A point of order one in parameter space.
Eigen::VectorXd random_point(const sm::GaussianFamily<double>& family, Rng& rng) {
  return normals<double>(family.parameter_count(), 1, rng) * 0.5;
}

template <class Loss, class Definition>
void check_value(double tolerance) {
  Rng rng(1);
  for (int problem = 0; problem < 200; ++problem) {
    const Eigen::Index d = 1 + problem % 12;
    CAPTURE(d);
    CAPTURE(problem);
    const Eigen::Index n = 1 + static_cast<Eigen::Index>(rng() % 60);
    const Eigen::MatrixXd samples = random_samples(d, n, rng);
    const sm::GaussianFamily<double> family(d);
    const Eigen::VectorXd theta = random_point(family, rng);
    const auto gaussian = family.distribution(theta);
    auto summary = Loss{}.summary(family);
    summary.add(samples);
    auto objective = Loss{}.objective(family, summary);
    const Long lower = gaussian.cholesky().template cast<long double>();
    const double expected =
        double(Definition::value(gaussian.mean().template cast<long double>(),
                                 lower * lower.transpose(), samples.cast<long double>()));
    CHECK(std::abs(objective(theta) - expected) <= tolerance * std::abs(expected));
  }
}

// One problem at one scale, with `spread` the standard deviation along the narrowest direction of
// both samples and model: gradient against differences of the same objective in long double.
template <class Loss>
struct GradientProblem {
  sm::GaussianFamily<double> family;
  Eigen::VectorXd theta;
  decltype(Loss{}.objective(family, Loss{}.summary(family))) objective;
  sm::GaussianFamily<long double> long_family;
  decltype(Loss{}.objective(long_family, Loss{}.summary(long_family))) long_objective;

  GradientProblem(Eigen::Index d, double scale, double spread, Rng& rng)
      : GradientProblem(d, make_samples(d, scale, spread, rng), make_theta(d, scale, spread, rng)) {
  }

  GradientProblem(Eigen::Index d, const Eigen::MatrixXd& samples, const Eigen::VectorXd& point)
      : family(d),
        theta(point),
        objective(Loss{}.objective(family, moments_of<double>(samples))),
        long_family(d),
        long_objective(Loss{}.objective(long_family, moments_of<long double>(samples))) {}

  template <class Scalar>
  static sm::Moments<Scalar> moments_of(const Eigen::MatrixXd& samples) {
    sm::Moments<Scalar> moments(samples.rows());
    moments.add(samples.cast<Scalar>());
    return moments;
  }

  static Eigen::MatrixXd make_samples(Eigen::Index d, double scale, double spread, Rng& rng) {
    Eigen::MatrixXd samples = random_samples(d, 3 * d + 2, rng);
    samples.row(d - 1) *= spread;
    return samples * scale;
  }

  static Eigen::VectorXd make_theta(Eigen::Index d, double scale, double spread, Rng& rng) {
    const sm::GaussianFamily<double> family(d);
    Eigen::VectorXd theta = random_point(family, rng);
    theta(2 * d - 1) += std::log(spread);  // the last row of L, and of the mean
    theta(d - 1) *= spread;
    theta.tail(d - 1) *= d > 1 ? spread : 1;
    theta.segment(d, d).array() += std::log(scale);
    theta.head(d) *= scale;
    theta.tail(d * (d - 1) / 2) *= scale;
    return theta;
  }

  Eigen::VectorXd gradient() {
    Eigen::VectorXd result(theta.size());
    objective(theta, result);
    return result;
  }

  double error(const Eigen::VectorXd& gradient_to_check) {
    const auto value = [&](const LongVector& at) { return long_objective(at); };
    return gradient_error(value, theta, gradient_to_check, natural_scale(family, theta));
  }
};

}  // namespace

TEST_CASE("score matching from moments is the notebook's sum over samples") {
  check_value<sm::ScoreMatchingLoss, ScoreMatchingDefinition>(1e-12);
}

TEST_CASE("the likelihood from moments is the sum over samples") {
  check_value<sm::NegativeLogLikelihood, LikelihoodDefinition>(1e-12);
}

TEST_CASE_TEMPLATE("gradients equal central differences", Loss, sm::ScoreMatchingLoss,
                   sm::NegativeLogLikelihood) {
  Rng rng(2);
  for (const double scale : {1.0, 1e-8, 1e8}) {
    for (const double spread : {1.0, 1e-5}) {
      for (int trial = 0; trial < 24; ++trial) {
        const Eigen::Index d = 1 + trial % 8;
        CAPTURE(scale);
        CAPTURE(spread);
        CAPTURE(d);
        GradientProblem<Loss> problem(d, scale, spread, rng);
        CHECK(problem.error(problem.gradient()) <= 1e-7);
      }
    }
  }
  // Past the unrolled sizes, and past one tile.
  for (const Eigen::Index d : {17, 40}) {
    GradientProblem<Loss> problem(d, 1.0, 1.0, rng);
    CHECK(problem.error(problem.gradient()) <= 1e-7);
  }
}

TEST_CASE_TEMPLATE("the same checker catches planted errors", Loss, sm::ScoreMatchingLoss,
                   sm::NegativeLogLikelihood) {
  Rng rng(3);
  for (const double scale : {1.0, 1e-8, 1e8}) {
    for (const double spread : {1.0, 1e-5}) {
      for (const Eigen::Index d : {2, 5}) {
        CAPTURE(scale);
        CAPTURE(spread);
        GradientProblem<Loss> problem(d, scale, spread, rng);
        const Eigen::VectorXd right = problem.gradient();
        REQUIRE(problem.error(right) <= 1e-7);
        const Eigen::VectorXd natural =
            right.cwiseProduct(natural_scale(problem.family, problem.theta));
        for (Eigen::Index i = 0; i < right.size(); ++i) {
          // A component below rounding of the others cannot be told from zero.
          if (std::abs(natural(i)) < 1e-6 * natural.cwiseAbs().maxCoeff()) continue;
          CAPTURE(i);
          Eigen::VectorXd wrong = right;
          wrong(i) = -right(i);  // a sign
          CHECK(problem.error(wrong) > 1e-7);
          wrong(i) = right(i) * 1.00001;  // a scale
          CHECK(problem.error(wrong) > 1e-7);
          wrong(i) = 0;  // a component left out
          CHECK(problem.error(wrong) > 1e-7);
        }
        // A dropped term: the chain rule through the exponential.
        Eigen::VectorXd wrong = right;
        for (Eigen::Index i = 0; i < d; ++i) wrong(d + i) /= std::exp(problem.theta(d + i));
        CHECK(problem.error(wrong) > 1e-7);
        wrong(0) = std::numeric_limits<double>::quiet_NaN();
        CHECK(problem.error(wrong) > 1e-7);
      }
    }
  }
}

TEST_CASE_TEMPLATE("value and gradient together equal value alone to the bit", Loss,
                   sm::ScoreMatchingLoss, sm::NegativeLogLikelihood) {
  Rng rng(4);
  const auto check = [&](const auto& family) {
    using Family = std::decay_t<decltype(family)>;
    using Scalar = typename Family::Scalar;
    for (int trial = 0; trial < 20; ++trial) {
      auto summary = Loss{}.summary(family);
      summary.add(random_samples<Scalar>(family.dimension(), 30, rng));
      auto objective = Loss{}.objective(family, summary);
      const typename Family::Parameters theta =
          normals<Scalar>(family.parameter_count(), 1, rng) * Scalar(0.5);
      typename Family::Parameters gradient = family.start();
      const Scalar together = objective(theta, gradient);
      CHECK(together == objective(theta));
      typename Family::Parameters again = gradient;
      CHECK(objective(theta, again) == together);
      CHECK(same_bits(again, gradient));
    }
  };
  check(sm::GaussianFamily<double, 1>{});
  check(sm::GaussianFamily<double, 2>{});
  check(sm::GaussianFamily<float, 3>{});
  check(sm::GaussianFamily<long double, 5>{});
  check(sm::GaussianFamily<double>{2});
  check(sm::GaussianFamily<double>{20});
}

TEST_CASE_TEMPLATE("fixed, dynamic and tiled evaluations agree", Loss, sm::ScoreMatchingLoss,
                   sm::NegativeLogLikelihood) {
  Rng rng(5);
  const auto evaluate = [](const auto& family, const auto& samples, const auto& theta) {
    auto summary = Loss{}.summary(family);
    summary.add(samples);
    auto objective = Loss{}.objective(family, summary);
    typename std::decay_t<decltype(family)>::Parameters gradient(theta.size());
    const auto value = objective(theta, gradient);
    Eigen::VectorXd all(theta.size() + 1);
    all << double(value), gradient.template cast<double>();
    return all;
  };
  const Eigen::MatrixXd four = random_samples(4, 30, rng);
  const Eigen::VectorXd theta = random_point(sm::GaussianFamily<double>(4), rng);
  const Eigen::VectorXd dynamic = evaluate(sm::GaussianFamily<double>(4), four, theta);
  CHECK(relative_difference(evaluate(sm::GaussianFamily<double, 4>(), four, theta), dynamic) <=
        1e-13);
  // 150 is nine whole tiles of 16 and a rest.
  const Eigen::MatrixXd many = random_samples(150, 400, rng);
  const sm::GaussianFamily<double> family(150);
  const Eigen::VectorXd point = random_point(family, rng) * 0.1;
  const Eigen::VectorXd tiled = evaluate(family, many, point);
  const Eigen::VectorXd exact =
      evaluate(sm::GaussianFamily<long double>(150), many.cast<long double>().eval(),
               point.cast<long double>().eval());
  CHECK(relative_difference(tiled, exact) <= 1e-12);
}

TEST_CASE("a singular sample covariance still has the right loss and gradient") {
  Rng rng(6);
  for (const Eigen::Index d : {1, 2, 5, 9}) {
    for (Eigen::Index n = 1; n <= d; ++n) {
      const Eigen::MatrixXd samples = random_samples(d, n, rng);
      const Eigen::VectorXd theta = random_point(sm::GaussianFamily<double>(d), rng);
      GradientProblem<sm::ScoreMatchingLoss> problem(d, samples, theta);
      CHECK(problem.objective.info().unbounded);
      const auto gaussian = problem.family.distribution(theta);
      const Long lower = gaussian.cholesky().cast<long double>();
      const double expected = double(
          ScoreMatchingDefinition::value(gaussian.mean().cast<long double>(),
                                         lower * lower.transpose(), samples.cast<long double>()));
      CHECK(problem.objective(theta) == doctest::Approx(expected).epsilon(1e-11));
      CHECK(problem.error(problem.gradient()) <= 1e-7);
    }
  }
}

TEST_CASE("outside the range of the scalar the loss is infinite, never a false minimum") {
  const sm::GaussianFamily<double, 2> family;
  Rng rng(7);
  sm::Moments<double, 2> moments;
  moments.add(random_samples(2, 20, rng));
  auto score = sm::ScoreMatchingLoss{}.objective(family, moments);
  auto likelihood = sm::NegativeLogLikelihood{}.objective(family, moments);
  for (const double l : {400.0, -400.0, 1000.0, -1000.0, std::numeric_limits<double>::infinity(),
                         std::numeric_limits<double>::quiet_NaN()}) {
    Eigen::Vector<double, 5> theta = family.start();
    theta(3) = l;
    CHECK_FALSE(std::isfinite(score(theta)));
    CHECK_FALSE(std::isfinite(likelihood(theta)));
  }
}

TEST_CASE_TEMPLATE("the mismatch is the largest difference of whitened moments", Loss,
                   sm::ScoreMatchingLoss, sm::NegativeLogLikelihood) {
  Rng rng(8);
  for (int problem = 0; problem < 2000; ++problem) {
    const Eigen::Index d = 1 + problem % 6;
    CAPTURE(problem);
    const sm::GaussianFamily<double> family(d);
    sm::Moments<double> moments(d);
    moments.add(random_samples(d, d + 2 + problem % 20, rng));
    auto objective = Loss{}.objective(family, moments);
    const Eigen::VectorXd m = moments.mean();
    const Eigen::MatrixXd s = moments.covariance();
    // A point that is right but for one thing: a mean, a variance, one correlation; a covariance
    // that is wide enough to make up for a mean that is off; or anything.
    Eigen::VectorXd mean = m;
    Eigen::MatrixXd covariance = s;
    const Eigen::Index i = problem % d;
    const Eigen::Index j = (problem / 7) % d;
    switch (problem % 5) {
      case 0: mean(i) += 1e-3 * std::sqrt(s(i, i)); break;
      case 1: covariance(i, i) *= 1.01; break;
      case 2: covariance(i, j) = covariance(j, i) = s(i, j) * (i == j ? 1.01 : 0.99); break;
      case 3: mean.setZero(), covariance += m * m.transpose(); break;
      default: mean.setRandom(), covariance += Eigen::MatrixXd::Identity(d, d);
    }
    const Eigen::VectorXd theta = family.parameters({mean, covariance});
    const auto gaussian = family.distribution(theta);
    const Long inverse = gaussian.cholesky().cast<long double>().inverse();
    const LongVector a = inverse * (m - mean).cast<long double>();
    const Long error = Long::Identity(d, d) -
                       inverse * s.cast<long double>() * inverse.transpose() - a * a.transpose();
    const long double expected = std::max(a.cwiseAbs().maxCoeff(), error.cwiseAbs().maxCoeff());
    CHECK(std::abs(objective.distance_to_minimum(theta) - double(expected)) <= 1e-11);
    CHECK(objective.distance_to_minimum(objective.exact().parameters) <= 1e-11);
  }
}
