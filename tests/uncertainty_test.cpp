// How sure a fit is, against formulas that know nothing of losses: where the estimate is the
// moments of the samples, its errors are those of means.
#include "support.hpp"

#include <doctest/doctest.h>

namespace {

using namespace support;

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// Samples of nothing normal: skewed, dependent coordinates.
MatrixXd skewed(Index d, Index n, Rng& rng) {
  const MatrixXd mixing = 0.3 * normals<double>(d, d, rng) + 2 * MatrixXd::Identity(d, d);
  return mixing * normals<double>(d, n, rng).unaryExpr([](double z) { return std::exp(z / 2); });
}

// What `covariances` lists of each sample's (x - m)(x - m)^T.
MatrixXd squares_about_mean(const MatrixXd& samples) {
  const Index d = samples.rows();
  const MatrixXd off = samples.colwise() - samples.rowwise().mean();
  MatrixXd result(d * (d + 1) / 2, samples.cols());
  for (Index i = 0, k = 0; i < d; ++i) {
    for (Index j = 0; j <= i; ++j, ++k) result.row(k) = off.row(i).cwiseProduct(off.row(j));
  }
  return result;
}

MatrixXd covariance_of(const MatrixXd& series) {
  const MatrixXd off = series.colwise() - series.rowwise().mean();
  return off * off.transpose() / double(series.cols());
}

double distance(const MatrixXd& a, const MatrixXd& b) {
  return (a - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff();
}

// The errors of mean and covariance are those of the means of x and (x - m)(x - m)^T, whatever the
// loss, the coordinates and the samples.
template <class F, class Loss>
void check_moments(const Loss& loss, Index d, Rng& rng) {
  CAPTURE(d);
  const F family(d);
  const Index n = 40 + 10 * d * d;
  const MatrixXd samples = skewed(d, n, rng);
  const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
  const auto sure = sm::uncertainty(fit, family, loss, samples);
  CHECK(sure.count == double(n));
  // Those of means over n - 1; of a full Gaussian the jackknife's, n / (n - 1) twice for a
  // covariance.
  const double freedom = double(n - 1);
  const double factor = sm::GaussianModel<F> ? double(n) / freedom : 1;
  const auto mean = sure.of(sm::means(family));
  CHECK(distance(mean.values, samples.rowwise().mean()) < 1e-8);
  CHECK(distance(mean.covariance, covariance_of(samples) / freedom) < 1e-7);
  const auto covariance = sure.of(sm::covariances(family));
  CHECK(distance(covariance.covariance,
                 factor * factor * covariance_of(squares_about_mean(samples)) / freedom) < 1e-7);
  const auto precision = sure.of(sm::precisions(family));
  const MatrixXd inverse = covariance_of(samples).inverse();
  for (Index i = 0, k = 0; i < d; ++i) {
    for (Index j = 0; j <= i; ++j, ++k) {
      CHECK(std::abs(precision.values(k) - inverse(i, j)) < 1e-8 * inverse.norm());
    }
  }
}

const auto nothing = [](const auto&) {};
const auto first = [](const auto& theta) { return theta(0); };
static_assert(sm::Quantity<decltype(first), double>);
static_assert(!sm::Quantity<decltype(nothing), double>);

}  // namespace

TEST_CASE("a Gaussian's Hessian is the derivative of its gradient") {
  Rng rng(1);
  for (int trial = 0; trial < 200; ++trial) {
    const Index d = 1 + trial % 5;
    const sm::GaussianFamily<double> family(d);
    sm::Moments<double> moments(d);
    moments.add(skewed(d, 3 * d + 2, rng));
    VectorXd theta = family.start(moments);
    theta += 0.3 * normals<double>(theta.size(), 1, rng);
    const VectorXd steps = 1e-3 * family.scales(theta);
    const auto check = [&](auto objective) {
      const MatrixXd expected = sm::detail::differenced_hessian(objective, theta, steps);
      const VectorXd unit = family.scales(theta);
      const MatrixXd off =
          unit.asDiagonal() * (objective.hessian(theta) - expected) * unit.asDiagonal();
      const MatrixXd size = unit.asDiagonal() * expected * unit.asDiagonal();
      CHECK(off.cwiseAbs().maxCoeff() < 1e-8 * size.cwiseAbs().maxCoeff());
    };
    check(sm::ScoreMatchingLoss{}.objective(family, moments));
    check(sm::NegativeLogLikelihood{}.objective(family, moments));
  }
}

TEST_CASE("the errors of mean and covariance are those of means, in any coordinates") {
  Rng rng(2);
  const sm::ScoreMatchingLoss score;
  const sm::NegativeLogLikelihood likelihood;
  for (int trial = 0; trial < 20; ++trial) {
    const Index d = 1 + trial % 4;
    check_moments<sm::GaussianFamily<double>>(score, d, rng);
    check_moments<sm::GaussianFamily<double>>(likelihood, d, rng);
    check_moments<sm::PairwiseGaussianFamily<double>>(score, d, rng);
  }
}

TEST_CASE("from moments, the errors are the closed forms of a normal distribution") {
  Rng rng(3);
  for (int trial = 0; trial < 50; ++trial) {
    const Index d = 1 + trial % 4;
    const Index n = 30 + d * d;
    const sm::GaussianFamily<double> family(d);
    sm::Moments<double> moments(d);
    moments.add(skewed(d, n, rng));
    const MatrixXd s = moments.covariance();
    const auto check = [&](const auto& loss) {
      const auto fit = sm::fit(family, loss, sm::ClosedForm{}, moments);
      const auto sure = sm::uncertainty(fit, family, loss, moments);
      CHECK(sure.from_model);
      CHECK(distance(sure.of(sm::means(family)).covariance, s / double(n)) < 1e-10);
      const auto covariance = sure.of(sm::covariances(family));
      const auto deviations = sure.of(sm::standard_deviations(family)).standard_errors();
      for (Index i = 0, k = 0; i < d; ++i) {
        for (Index j = 0; j <= i; ++j, ++k) {
          const double expected = (s(i, i) * s(j, j) + s(i, j) * s(i, j)) / double(n);
          CHECK(std::abs(covariance.covariance(k, k) - expected) < 1e-10 * expected);
        }
        CHECK(std::abs(deviations(i) - std::sqrt(s(i, i) / (2 * double(n)))) <
              1e-10 * deviations(i));
      }
      const auto correlation = sure.of(sm::correlations(family));
      const auto partial = sure.of(sm::partial_correlations(family));
      for (Index k = 0; k < correlation.values.size(); ++k) {
        for (const auto& one : {correlation, partial}) {
          const double r = one.values(k);
          CHECK(std::abs(one.standard_errors()(k) - (1 - r * r) / std::sqrt(double(n))) < 1e-10);
        }
      }
    };
    check(sm::ScoreMatchingLoss{});
    check(sm::NegativeLogLikelihood{});
  }
}

TEST_CASE("an energy by differences has the errors of the Gaussian that it is") {
  Rng rng(4);
  const auto energy = [](const auto& x, const auto& theta) {
    using std::exp;
    return -exp(theta(0)) * (x(0) - theta(1)) * (x(0) - theta(1)) / 2.0 -
           exp(theta(2)) * x(1) * x(1) / 2.0;
  };
  for (const double unit : {1.0, 1e-6, 1e5}) {
    const MatrixXd samples = unit * skewed(2, 300, rng);
    const double scale = -2 * std::log(unit);
    const auto family = sm::energy_family<2>(energy, Eigen::Vector3d(scale, unit, scale));
    const sm::ScoreMatchingLoss loss;
    const auto fit = sm::fit(family, loss, sm::Lbfgs{}, samples);
    REQUIRE(fit.status == sm::Status::converged);
    const auto sure = sm::uncertainty(fit, family, loss, samples);
    const auto first = covariance_of(samples.row(0));
    CHECK(std::abs(sure.standard_errors()(1) - std::sqrt(first(0, 0) / 299)) <
          1e-6 * sure.standard_errors()(1));
    const MatrixXd squares = squares_about_mean(samples.row(0));
    const double expected = std::sqrt(covariance_of(squares)(0, 0) / 299) / first(0, 0);
    CHECK(std::abs(sure.standard_errors()(0) - expected) < 1e-6 * expected);
  }
}

TEST_CASE("families of pairs: H is Gamma, and V of the gradients of each sample") {
  Rng rng(5);
  const auto check = [&](const auto& family, const auto& loss, const MatrixXd& samples) {
    const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
    REQUIRE(fit.status == sm::Status::converged);
    const auto sure = sm::uncertainty(fit, family, loss, samples);
    auto point = loss.point(family);
    MatrixXd gradients(fit.parameters.size(), samples.cols());
    auto gradient = fit.parameters;
    for (Index j = 0; j < samples.cols(); ++j) {
      point(samples.col(j), fit.parameters, gradient);
      gradients.col(j) = gradient;
    }
    auto summary = loss.summary(family);
    summary.add(samples);
    const auto objective = loss.objective(family, summary);
    const MatrixXd inverse = MatrixXd(objective.quadratic()).inverse();
    const MatrixXd expected =
        inverse * covariance_of(gradients) * inverse / double(samples.cols() - 1);
    CHECK(distance(sure.covariance, expected) < 1e-8);
    const auto pairs = sure.of(sm::couplings(family));
    const auto couplings = family.couplings();
    CHECK(pairs.values(0) == fit.parameters(couplings[0].first));
    CHECK(pairs.standard_errors()(0) == sure.standard_errors()(couplings[0].first));
  };
  const MatrixXd samples = normals<double>(4, 200, rng);
  check(sm::PhiFourFamily<double>(4, sm::ring(4)), sm::ScoreMatchingLoss{}, samples);
  check(sm::VonMisesFamily<double>(4, sm::ring(4)), sm::ScoreMatchingLoss{}, samples);
  check(sm::TruncatedGaussianFamily<double>(4), sm::GeneralizedScoreMatchingLoss{},
        samples.cwiseAbs());
}

TEST_CASE("the criterion of a likelihood spends a parameter where the family is right") {
  Rng rng(6);
  const sm::GaussianFamily<double, 2> family;
  const sm::NegativeLogLikelihood loss;
  const MatrixXd samples = normals<double>(2, 200000, rng);
  const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
  const auto sure = sm::uncertainty(fit, family, loss, samples);
  CHECK(std::abs(sure.optimism() - 5) < 0.1);
  CHECK(sure.information_criterion() == doctest::Approx(200000 * fit.loss + sure.optimism()));
}

TEST_CASE(
    "95 % intervals hold the truth in 95 of 100 fits; those of the model not where it is wrong") {
  Rng rng(7);
  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
  constexpr int fits = 1500;
  Eigen::Matrix2d root;
  root << 1.2, 0, 0.9, 0.7;
  const Eigen::Matrix2d truth = root * root.transpose();
  const double correlation = truth(1, 0) / std::sqrt(truth(0, 0) * truth(1, 1));
  const auto covered = [&](bool heavy, bool from_model) {
    int count = 0;
    std::gamma_distribution<double> gamma(4, 0.25);  // of a Student t with 8 degrees of freedom
    for (int k = 0; k < fits; ++k) {
      MatrixXd samples = root * normals<double>(2, 400, rng);
      if (heavy) {
        for (Index j = 0; j < samples.cols(); ++j) samples.col(j) /= std::sqrt(gamma(rng));
      }
      sm::Moments<double, 2> moments;
      moments.add(samples);
      const auto fit = sm::fit(family, loss, sm::ClosedForm{}, moments);
      const auto sure = from_model ? sm::uncertainty(fit, family, loss, moments)
                                   : sm::uncertainty(fit, family, loss, samples);
      const auto within = sure.of(sm::correlations(family)).interval(0.95);
      if (within.lower(0) <= correlation && correlation <= within.upper(0)) ++count;
    }
    return double(count) / fits;
  };
  const double error = std::sqrt(0.95 * 0.05 / fits);  // 0.6 points
  CHECK(std::abs(covered(false, false) - 0.95) < 4 * error);
  CHECK(std::abs(covered(false, true) - 0.95) < 4 * error);
  CHECK(covered(true, false) > 0.92);
  CHECK(covered(true, true) < 0.92);
}

TEST_CASE("samples of a chain: their errors are those of a chain") {
  Rng rng(8);
  constexpr double r = 0.8;
  constexpr int fits = 600;
  const sm::GaussianFamily<double, 1> family;
  const sm::ScoreMatchingLoss loss;
  int independent = 0, batches = 0, overlapping = 0, newey_west = 0;
  for (int k = 0; k < fits; ++k) {
    MatrixXd chain = normals<double>(1, 4000, rng);
    chain(0, 0) /= std::sqrt(1 - r * r);
    for (Index j = 1; j < chain.cols(); ++j) chain(0, j) += r * chain(0, j - 1);
    const auto fit = sm::fit(family, loss, sm::ClosedForm{}, chain);
    const auto holds = [&](const auto& dependence) {
      const auto within = sm::uncertainty(fit, family, loss, chain, dependence).interval();
      return within.lower(0) <= 0 && within.upper(0) >= 0 ? 1 : 0;
    };
    independent += holds(sm::Independent{});
    batches += holds(sm::BatchMeans{});
    overlapping += holds(sm::OverlappingBatchMeans{});
    newey_west += holds(sm::NeweyWest{});
  }
  // The autocorrelation time is 9, and an error too small by 3 covers 49 %.
  CHECK(independent < 0.6 * fits);
  for (const int count : {batches, overlapping, newey_west}) {
    CHECK(count > 0.90 * fits);
    CHECK(count < 0.98 * fits);
  }
}

TEST_CASE("neither units nor correlations cost the errors their digits") {
  Rng rng(11);
  const auto check = [&](const auto& family, double unit, double r, double tolerance) {
    using Scalar = typename std::remove_cvref_t<decltype(family)>::Scalar;
    CAPTURE(unit);
    CAPTURE(r);
    MatrixXd x = normals<double>(2, 1000, rng);
    x.row(1) = r * x.row(0) + std::sqrt(1 - r * r) * x.row(1);
    x.row(0) *= unit;
    x.row(1) /= unit;
    const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> samples = x.cast<Scalar>();
    sm::Moments<Scalar> moments(2);
    moments.add(samples);
    const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
    REQUIRE(fit.status == sm::Status::converged);
    const auto sure = sm::uncertainty(fit, family, sm::ScoreMatchingLoss{}, samples);
    const auto model = sm::uncertainty(fit, family, sm::ScoreMatchingLoss{}, moments);
    for (Index i = 0; i < 2; ++i) {
      const double deviation = std::sqrt(double(moments.covariance()(i, i)));
      const double error = double(sure.of(sm::means(family)).standard_errors()(i));
      CHECK(std::abs(error / (deviation / std::sqrt(999)) - 1) < tolerance);
      const double of_model = double(model.of(sm::means(family)).standard_errors()(i));
      CHECK(std::abs(of_model / (deviation / std::sqrt(1000)) - 1) < tolerance);
    }
  };
  const sm::GaussianFamily<double> family(2);
  for (const double unit : {1.0, 1e2, 1e4, 1e-7}) check(family, unit, 0.5, 1e-9);
  for (const double r : {0.99, 0.99999, 0.9999999}) check(family, 1, r, 1e-6);
  const sm::GaussianFamily<float> single(2);
  for (const double unit : {1.0, 10.0, 1e3}) check(single, unit, 0.5, 1e-3);
  check(single, 1, 0.999, 1e-2);
}

TEST_CASE("a parameter of a small part of an energy has its own step") {
  Rng rng(12);
  const auto energy = [](const auto& x, const auto& theta) {
    using std::exp;
    return -exp(theta(0)) * x(0) * x(0) / 2.0 - exp(theta(1)) * x(1) * x(1) / 2.0;
  };
  for (const double unit : {1.0, 0.03, 0.01, 1e-3}) {
    CAPTURE(unit);
    MatrixXd samples = normals<double>(2, 400, rng);
    samples.row(0) *= unit;
    const auto family = sm::energy_family<2>(energy, Eigen::Vector2d(-2 * std::log(unit), 0));
    const sm::ScoreMatchingLoss loss;
    const auto fit = sm::fit(family, loss, sm::Lbfgs{.gradient_tolerance = 1e-13}, samples);
    const auto sure = sm::uncertainty(fit, family, loss, samples);
    const MatrixXd squares = samples.row(1).cwiseAbs2();
    const double expected = std::sqrt(covariance_of(squares)(0, 0) / 399) / squares.mean();
    CHECK(std::abs(sure.standard_errors()(1) / expected - 1) < 1e-4);
  }
}

TEST_CASE("what has no errors is refused, by name") {
  Rng rng(9);
  const sm::GaussianFamily<double> family(2);
  const sm::ScoreMatchingLoss loss;
  const MatrixXd samples = normals<double>(2, 100, rng);
  auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
  const auto says = [&](const std::string& words, const auto& call) {
    const std::string said = message_of(call);
    CAPTURE(said);
    CHECK(contains(said, words));
  };
  says("samples have 3 rows; expected 2",
       [&] { sm::uncertainty(fit, family, loss, MatrixXd(normals<double>(3, 100, rng))); });
  says("5 samples for 5 parameters",
       [&] { sm::uncertainty(fit, family, loss, MatrixXd(samples.leftCols(5))); });
  MatrixXd holed = samples;
  holed(1, 7) = not_a_number;
  says("samples(row 1, column 7) = nan", [&] { sm::uncertainty(fit, family, loss, holed); });
  const auto sure = sm::uncertainty(fit, family, loss, samples);
  for (const double level : {0.0, 1.0, -1.0, not_a_number}) {
    says("level = ", [&] { sure.interval(level); });
  }
  says("is not finite", [&] {
    sure.of([](const auto& theta) {
      using std::log;
      return log(theta(0) - theta(0));
    });
  });
  says("index = 9; expected 0 to 4", [&] { sure.estimate().subset({9}); });
  says("singular", [&] {
    const auto twice = [](const auto& theta) {
      auto both = theta;
      both(1) = both(0);
      return both;
    };
    sure.of(twice).joint_test();
  });
  says("samples have 2 rows; expected 3", [&] {
    const sm::GaussianFamily<double> other(3);
    sm::Moments<double> three(3);
    three.add(normals<double>(3, 100, rng));
    sm::uncertainty(sm::fit(other, loss, sm::ClosedForm{}, three), other, loss, samples);
  });
  says("theta has 5 entries; expected 9", [&] {
    const sm::GaussianFamily<double> other(3);
    sm::Moments<double> three(3);
    three.add(normals<double>(3, 100, rng));
    sm::uncertainty(fit, other, loss, three);
  });
  says("not the minimum of this loss on these samples",
       [&] { sm::uncertainty(fit, family, loss, MatrixXd(1.1 * samples)); });
  says("not the minimum of this loss on these samples", [&] {
    sm::Moments<double> others(2);
    others.add(MatrixXd(1.1 * samples));
    sm::uncertainty(fit, family, loss, others);
  });
  says("the gradients of the samples by theta(0) have variance 0",
       [&] {  // of wells so far apart, nothing tells the weight
         MatrixXd wells = normals<double>(1, 2000, rng);
         wells.leftCols(1000).array() += 40;
         const sm::GaussianMixtureFamily<double, 1, 2> mixture;
         const auto of_wells = sm::fit(mixture, loss, sm::Lbfgs{}, wells);
         REQUIRE(of_wells.status == sm::Status::converged);
         sm::uncertainty(of_wells, mixture, loss, wells);
       });
  fit.status = sm::Status::iteration_limit;
  says("ended as iteration_limit", [&] { sm::uncertainty(fit, family, loss, samples); });

  // A parameter that no sample determines, and a chain that remembers all of itself.
  const auto energy = [](const auto& x, const auto& theta) {
    using std::exp;
    return -exp(theta(0) + theta(1)) * x.squaredNorm();
  };
  const auto flat = sm::energy_family<2>(energy, Eigen::Vector2d(0, 0));
  const auto anywhere = sm::fit(flat, loss, sm::Lbfgs{}, samples);
  says("along some direction of theta(0) and theta(1)",
       [&] { sm::uncertainty(anywhere, flat, loss, samples); });
  MatrixXd walk = samples;
  for (Index j = 1; j < walk.cols(); ++j) walk.col(j) += walk.col(j - 1);
  const auto of_walk = sm::fit(family, loss, sm::ClosedForm{}, walk);
  says("the chain of 100 samples is too short",
       [&] { sm::uncertainty(of_walk, family, loss, walk, sm::BatchMeans{}); });
  says("length = -1; expected at least 0",
       [&] { sm::uncertainty(of_walk, family, loss, walk, sm::BatchMeans{.length = -1}); });
  says("too short to take 60 at a time; expected at most a quarter",
       [&] { sm::uncertainty(of_walk, family, loss, walk, sm::NeweyWest{.lag = 60}); });
}

TEST_CASE("quantiles and tails of the normal and the chi-squared distribution") {
  for (double p = 1e-12; p < 1; p = p < 0.5 ? p * 1.7 : p + 0.01) {
    const double x = sm::detail::normal_upper_quantile(p);
    CHECK(std::abs(sm::detail::normal_tail(x) - p) < 1e-13 * (p + 1e-3));
  }
  // 5 % points, as tables have them.
  CHECK(sm::detail::chi_squared_tail(3.841458820694124, 1) == doctest::Approx(0.05));
  CHECK(sm::detail::chi_squared_tail(5.991464547107979, 2) == doctest::Approx(0.05));
  CHECK(sm::detail::chi_squared_tail(18.307038053275146, 10) == doctest::Approx(0.05));
  CHECK(sm::detail::chi_squared_tail(124.34211340400408, 101) ==
        doctest::Approx(0.05).epsilon(0.02));
  CHECK(sm::detail::chi_squared_tail(0, 3) == 1);
  // Student's, as tables have it.
  const double z = sm::detail::normal_upper_quantile(0.025);
  CHECK(sm::detail::student_of_normal(z, 4) == doctest::Approx(2.776).epsilon(0.01));
  CHECK(sm::detail::student_of_normal(z, 10) == doctest::Approx(2.2281).epsilon(1e-3));
  CHECK(sm::detail::student_of_normal(z, 99) == doctest::Approx(1.98422).epsilon(1e-4));
  for (const double nu : {1.0, 3.0, 40.0, 1e6, infinity}) {
    for (const double x : {-6.0, -1.0, 0.0, 0.3, 2.0, 5.0}) {
      CHECK(std::abs(sm::detail::normal_of_student(sm::detail::student_of_normal(x, nu), nu) - x) <
            1e-9);
    }
  }
  CHECK(sm::detail::chi_squared_tail(infinity, 3) == 0);
}

TEST_CASE("tests of many couplings name no more than they may") {
  Rng rng(10);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int trial = 0; trial < 300; ++trial) {
    VectorXd p(1 + trial % 12);
    for (Index i = 0; i < p.size(); ++i) p(i) = std::pow(uniform(rng), 3);
    const auto named = sm::benjamini_hochberg(p, 0.1);
    // By its definition: the largest k of which k tests are at most 0.1 k / m.
    Index most = 0;
    for (Index k = 1; k <= p.size(); ++k) {
      const double bound = 0.1 * double(k) / double(p.size());
      if ((p.array() <= bound).count() >= k) most = k;
    }
    CHECK(Index(named.size()) ==
          (most == 0 ? 0 : (p.array() <= 0.1 * double(most) / double(p.size())).count()));
    CHECK(std::is_sorted(named.begin(), named.end()));
  }
  CHECK(sm::benjamini_hochberg(VectorXd()).empty());
  CHECK(contains(message_of([] { sm::benjamini_hochberg(VectorXd::Ones(1), 1.5); }), "rate = 1.5"));
  CHECK(contains(message_of([] { sm::benjamini_hochberg(2 * VectorXd::Ones(1)); }),
                 "p_values(0) = 2"));
}

TEST_CASE("a joint test is chi-squared, and the intervals of a correlation stay within its range") {
  sm::Estimate<double> one{Eigen::Vector2d(0.98, 2), MatrixXd(2, 2), sm::IntervalScale::fisher_z};
  one.covariance << 0.04, 0.01, 0.01, 0.25;
  CHECK(one.interval().upper(0) < 1);
  CHECK(one.interval().lower(0) > -1);
  const auto test = one.joint_test();
  const Eigen::Vector2d v = one.values;
  CHECK(test.statistic == doctest::Approx(v.dot(one.covariance.inverse() * v)));
  CHECK(test.p_value == doctest::Approx(std::exp(-test.statistic / 2)));
  CHECK(one.subset({1}).p_values()(0) == doctest::Approx(std::erfc(4 / std::sqrt(2.0))));
  CHECK(one.subset({0}).joint_test().p_value == doctest::Approx(one.p_values()(0)));
  CHECK(one.subset({}).joint_test().p_value == 1);
  // A value at the end of its interval is significant at just that level, with t as with z.
  for (const double nu : {6.0, 100.0, infinity}) {
    sm::Estimate<double> edge{Eigen::VectorXd::Ones(1), MatrixXd::Identity(1, 1)};
    edge.degrees_of_freedom = nu;
    edge.values(0) = edge.interval(0.95).upper(0) - 1;
    CHECK(edge.p_values()(0) == doctest::Approx(0.05));
  }
  CHECK(contains(message_of([&] { one.joint_test(not_a_number); }), "null = nan"));
  CHECK(contains(message_of([&] { one.p_values(infinity); }), "null = inf"));

  // Numbers that follow from others, up to rounding.
  Rng rng(13);
  for (int trial = 0; trial < 200; ++trial) {
    const MatrixXd factor = normals<double>(3, 3, rng);
    MatrixXd sum(4, 3);
    sum << MatrixXd::Identity(3, 3), Eigen::RowVector3d::Ones();
    const Eigen::Vector3d at = normals<double>(3, 1, rng);
    const sm::Estimate<double> dependent{sum * at,
                                         sum * factor * factor.transpose() * sum.transpose()};
    CHECK(contains(message_of([&] { dependent.joint_test(1.0); }), "is singular"));
  }
  const sm::Estimate<float> far{Eigen::Vector3f::Constant(1e10F),
                                1e-20F * Eigen::Matrix3f::Identity()};
  CHECK(far.joint_test().p_value == 0);
}
