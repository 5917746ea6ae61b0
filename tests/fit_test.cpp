#include "support.hpp"

#include <doctest/doctest.h>

#include <array>
#include <utility>

namespace {

using namespace support;

template <class Family, class Check>
void for_losses(const Family& family, Check&& check) {
  check(family, sm::ScoreMatchingLoss{});
  check(family, sm::NegativeLogLikelihood{});
}

// Longley (1967), as NIST StRD has it: y, then x1 to x6.
Eigen::MatrixXd longley() {
  Eigen::MatrixXd rows(16, 7);
  rows << 60323, 83.0, 234289, 2356, 1590, 107608, 1947,  //
      61122, 88.5, 259426, 2325, 1456, 108632, 1948,      //
      60171, 88.2, 258054, 3682, 1616, 109773, 1949,      //
      61187, 89.5, 284599, 3351, 1650, 110929, 1950,      //
      63221, 96.2, 328975, 2099, 3099, 112075, 1951,      //
      63639, 98.1, 346999, 1932, 3594, 113270, 1952,      //
      64989, 99.0, 365385, 1870, 3547, 115094, 1953,      //
      63761, 100.0, 363112, 3578, 3350, 116219, 1954,     //
      66019, 101.2, 397469, 2904, 3048, 117388, 1955,     //
      67857, 104.6, 419180, 2822, 2857, 118734, 1956,     //
      68169, 108.4, 442769, 2936, 2798, 120445, 1957,     //
      66513, 110.8, 444546, 4681, 2637, 121950, 1958,     //
      68655, 112.6, 482704, 3813, 2552, 123366, 1959,     //
      69564, 114.2, 502601, 3931, 2514, 125368, 1960,     //
      69331, 115.7, 518173, 4806, 2572, 127852, 1961,     //
      70551, 116.9, 554894, 4007, 2827, 130081, 1962;
  return rows.transpose();
}

// Sample mean and covariance from the definition, in long double.
std::pair<Eigen::VectorXd, Eigen::MatrixXd> definition(const Eigen::MatrixXd& samples) {
  const auto x = samples.cast<long double>().eval();
  const auto mean = x.rowwise().mean().eval();
  const auto centred = (x.colwise() - mean).eval();
  const auto covariance =
      (centred * centred.transpose() / static_cast<long double>(x.cols())).eval();
  return {mean.cast<double>(), covariance.cast<double>()};
}

}  // namespace

TEST_CASE("the closed form is the sample mean and covariance, where the gradient vanishes") {
  Rng rng(1);
  const auto check = [&](const auto& family, const auto& loss) {
    for (int trial = 0; trial < 20; ++trial) {
      const Eigen::Index d = family.dimension();
      const Eigen::MatrixXd samples = random_samples(d, 5 * d + 5, rng);
      const auto [m, s] = definition(samples);
      const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
      CHECK(fit.status == sm::Status::converged);
      CHECK(relative_difference(fit.distribution.mean(), m) <= 1e-14);
      CHECK(relative_difference(fit.distribution.covariance(), s) <= 1e-13);
      CHECK(double(fit.gradient_norm) <= 1e-10 * std::abs(double(fit.loss)));
      const auto again = family.distribution(fit.parameters);
      CHECK(same_bits(again.mean(), fit.distribution.mean()));
      CHECK(relative_difference(again.covariance(), fit.distribution.covariance()) <= 1e-14);
      CHECK(relative_difference(again.cholesky(), fit.distribution.cholesky()) <= 1e-14);
      if (family.Dim == Eigen::Dynamic) {
        auto moments = loss.summary(family);
        moments.add(samples);
        CHECK(same_bits(fit.distribution.covariance(), moments.covariance()));
      }
    }
  };
  for_losses(sm::GaussianFamily<double, 1>{}, check);
  for_losses(sm::GaussianFamily<double, 2>{}, check);
  for_losses(sm::GaussianFamily<double, 8>{}, check);
  for_losses(sm::GaussianFamily<double>{1}, check);
  for_losses(sm::GaussianFamily<double>{20}, check);
}

TEST_CASE("at the minimum the score matching loss is -tr(S^-1) / 2") {
  Rng rng(2);
  for (Eigen::Index d = 1; d <= 10; ++d) {
    const Eigen::MatrixXd samples = random_samples(d, 60, rng);
    const auto fit =
        sm::fit(sm::GaussianFamily<double>(d), sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
    const double expected = -definition(samples).second.inverse().trace() / 2;
    CHECK(fit.loss == doctest::Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE_TEMPLATE("every iterative optimizer reaches the closed form", Optimizer,
                   sm::GradientDescent, sm::Momentum, sm::Adam) {
  Rng rng(3);
  const auto check = [&](const auto& family, const auto& loss) {
    for (int trial = 0; trial < 6; ++trial) {
      const Eigen::Index d = family.dimension();
      const Eigen::MatrixXd samples = random_samples(d, 30 * d, rng);
      const auto exact = sm::fit(family, loss, sm::ClosedForm{}, samples);
      Optimizer optimizer{.learning_rate = 1e-2, .max_iterations = 200000};
      if constexpr (requires { optimizer.amsgrad; }) optimizer.amsgrad = true;
      const auto fit = sm::fit(family, loss, optimizer, samples);
      CAPTURE(d);
      CHECK(fit.status == sm::Status::converged);
      CHECK((fit.distribution.mean() - exact.distribution.mean()).cwiseAbs().maxCoeff() <= 1e-6);
      CHECK(
          (fit.distribution.covariance() - exact.distribution.covariance()).cwiseAbs().maxCoeff() <=
          1e-6);
      CHECK(double(fit.loss) >= double(exact.loss) - 1e-12 * std::abs(double(exact.loss)));
    }
  };
  for_losses(sm::GaussianFamily<double, 1>{}, check);
  for_losses(sm::GaussianFamily<double, 4>{}, check);
  for_losses(sm::GaussianFamily<double>{3}, check);
}

TEST_CASE("amsgrad converges where Adam circles") {
  const Eigen::MatrixXd samples = longley().topRows(3);
  const Eigen::VectorXd mean = samples.rowwise().mean();
  const Eigen::MatrixXd centred = samples.colwise() - mean;
  const Eigen::VectorXd scale = centred.rowwise().norm() / 4;
  const Eigen::MatrixXd standardized = scale.cwiseInverse().asDiagonal() * centred;
  const sm::Adam adam{.amsgrad = true, .max_iterations = 200000};
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 3>{}, sm::NegativeLogLikelihood{}, adam, standardized);
  CHECK(fit.status == sm::Status::converged);
  CHECK(relative_difference(fit.distribution.covariance(), definition(standardized).second) <=
        1e-5);
}

TEST_CASE("score matching equals maximum likelihood for a full Gaussian, fixed and dynamic") {
  Rng rng(4);
  const Eigen::MatrixXd samples = random_samples(3, 100, rng);
  const sm::Adam adam{.amsgrad = true, .max_iterations = 100000};
  const auto score =
      sm::fit(sm::GaussianFamily<double, 3>{}, sm::ScoreMatchingLoss{}, adam, samples);
  const auto likelihood =
      sm::fit(sm::GaussianFamily<double>{3}, sm::NegativeLogLikelihood{}, adam, samples);
  CHECK(relative_difference(score.distribution.covariance(),
                            likelihood.distribution.covariance()) <= 1e-7);
  CHECK(relative_difference(score.distribution.mean(), likelihood.distribution.mean()) <= 1e-7);
}

TEST_CASE("Longley: condition 9e11 is a matter of scales, and 11 digits hold") {
  const Eigen::MatrixXd samples = longley();
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 7>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  CHECK(fit.status == sm::Status::converged);
  const auto [m, s] = definition(samples);
  CHECK(covariance_difference(fit.distribution.covariance(), s) <= 1e-14);
  // Regression of y on x from the fit, b = S_xx^-1 S_xy = -P_xy / P_yy, against NIST's certified
  // coefficients.
  const Eigen::MatrixXd precision = fit.distribution.precision();
  const Eigen::VectorXd b = -precision.col(0).tail(6) / precision(0, 0);
  const std::array<double, 6> certified{15.0618722713733,       -0.358191792925910e-01,
                                        -2.02022980381683,      -1.03322686717359,
                                        -0.511041056535807e-01, 1829.15146461355};
  for (std::size_t i = 0; i < certified.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(b(Eigen::Index(i)) / certified[i] - 1) <= 1e-11);
  }
}

TEST_CASE("permuting, shifting and scaling the samples moves the estimate with them") {
  Rng rng(5);
  const Eigen::Index d = 5;
  Eigen::MatrixXd samples = random_samples(d, 200, rng);
  for (double& x : samples.reshaped()) x = std::round(x * 4096) / 4096;  // shifts are exact
  const sm::GaussianFamily<double> family(d);
  for_losses(family, [&](const auto&, const auto& loss) {
    const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
    Eigen::PermutationMatrix<Eigen::Dynamic> permutation(d);
    permutation.indices() << 3, 0, 4, 1, 2;
    const auto permuted = sm::fit(family, loss, sm::ClosedForm{}, (permutation * samples).eval());
    CHECK(same_bits(permuted.distribution.mean(), (permutation * fit.distribution.mean()).eval()));
    CHECK(relative_difference(
              permuted.distribution.covariance(),
              (permutation * fit.distribution.covariance() * permutation.transpose()).eval()) <=
          1e-14);

    const auto shifted =
        sm::fit(family, loss, sm::ClosedForm{}, (samples.array() + 0x1p20).matrix());
    CHECK(same_bits(shifted.distribution.covariance(), fit.distribution.covariance()));
    CHECK(relative_difference(shifted.distribution.mean(),
                              (fit.distribution.mean().array() + 0x1p20).matrix().eval()) <= 1e-15);

    // log and exp of the Cholesky diagonal round, so the last digits may differ.
    for (const int power : {-100, -3, 3, 100}) {
      const double scale = std::ldexp(1.0, power);
      const auto scaled = sm::fit(family, loss, sm::ClosedForm{}, scale * samples);
      CHECK(same_bits(scaled.distribution.mean(), scale * fit.distribution.mean()));
      CHECK(relative_difference(scaled.distribution.covariance(),
                                (scale * scale * fit.distribution.covariance()).eval()) <= 1e-13);
    }
  });
  // An iterated fit moves with its samples as far as it has converged.
  const sm::Adam adam{.amsgrad = true, .max_iterations = 50000};
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, adam, samples);
  const auto moved =
      sm::fit(family, sm::ScoreMatchingLoss{}, adam, (2 * samples.array() - 1).matrix());
  CHECK(fit.status == sm::Status::converged);
  CHECK(moved.status == sm::Status::converged);
  CHECK(relative_difference(moved.distribution.covariance(),
                            (4 * fit.distribution.covariance()).eval()) <= 1e-6);
}

TEST_CASE_TEMPLATE("a refit is equal to the bit and the input is only read", Optimizer,
                   sm::GradientDescent, sm::Momentum, sm::Adam, sm::ClosedForm) {
  Rng rng(6);
  const Eigen::Matrix2Xd samples = random_samples<double, 2>(2, 40, rng);
  const Eigen::Matrix2Xd copy = samples;
  const Eigen::Map<const Eigen::Matrix2Xd> map(samples.data(), 2, 40);
  const sm::GaussianFamily<double, 2> family;
  const auto first = sm::fit(family, sm::ScoreMatchingLoss{}, Optimizer{}, samples);
  const auto again = sm::fit(family, sm::ScoreMatchingLoss{}, Optimizer{}, map);
  CHECK(same_bits(first.parameters, again.parameters));
  CHECK(first.loss == again.loss);
  CHECK(first.iterations == again.iterations);
  CHECK(same_bits(samples, copy));
  sm::Moments<double, 2> moments;
  moments.add(samples);
  const auto summarized = sm::fit(family, sm::ScoreMatchingLoss{}, Optimizer{}, moments);
  CHECK(same_bits(first.parameters, summarized.parameters));
}

TEST_CASE("row-major n x Dim memory, as NumPy has it, maps without a copy") {
  const std::array<double, 8> rows{0, 1, 2, 5, 4, 2, 1, 7};
  const Eigen::Map<const Eigen::Matrix2Xd> samples(rows.data(), 2, 4);
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  CHECK(fit.distribution.mean()(0) == doctest::Approx(1.75));
  CHECK(fit.distribution.mean()(1) == doctest::Approx(3.75));
}

namespace {

struct Steps {
  int& count;

  template <class State>
  void operator()(const State&) const {
    ++count;
  }
};

// An optimizer that has nothing to do.
struct NotAsked {
  template <class Parameters, sm::Objective<Parameters> Obj, sm::Observer<Parameters> Obs>
  sm::Minimum<Parameters> minimize(Obj&, const Parameters& start, Obs&) const {
    FAIL("an optimizer was asked for a minimum that is not there");
    return {start, 0, 0, {}, {}};
  }
};

template <class Optimizer>
void check_unbounded(const auto& family, const Eigen::MatrixXd& samples) {
  for_losses(family, [&](const auto&, const auto& loss) {
    using Scalar = typename std::decay_t<decltype(family)>::Scalar;
    int steps = 0;
    const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> x = samples.cast<Scalar>();
    const auto fit = sm::fit(family, loss, Optimizer{}, x, Steps{steps});
    CHECK(fit.status == sm::Status::unbounded);
    CHECK(steps == 0);
    CHECK(fit.iterations == 0);
    CHECK(same_bits(fit.parameters, family.start()));
    CHECK(fit.distribution.covariance().isIdentity(Scalar(0)));
    CHECK_FALSE(std::isnan(fit.loss));
    CHECK_FALSE(std::isnan(fit.gradient_norm));
  });
}

// Each optimizer, and each type of family: not each of one with each of the other, which takes the
// compiler long.
void check_unbounded(const Eigen::MatrixXd& samples) {
  const sm::GaussianFamily<double> family(samples.rows());
  check_unbounded<sm::GradientDescent>(family, samples);
  check_unbounded<sm::Momentum>(family, samples);
  check_unbounded<sm::Adam>(family, samples);
  check_unbounded<sm::ClosedForm>(family, samples);
  check_unbounded<NotAsked>(sm::GaussianFamily<long double>(samples.rows()), samples);
  if (samples.rows() != 3) return;
  check_unbounded<NotAsked>(sm::GaussianFamily<double, 3>{}, samples);
  check_unbounded<NotAsked>(sm::GaussianFamily<float, 3>{}, samples);
}

}  // namespace

TEST_CASE("a singular sample covariance is unbounded before any step") {
  Rng rng(7);
  for (const Eigen::Index d : {1, 2, 3, 7, 12}) {
    for (Eigen::Index n = 1; n <= d; ++n) {
      CAPTURE(d);
      CAPTURE(n);
      check_unbounded(random_samples(d, n, rng));
    }
  }
  Eigen::MatrixXd samples = random_samples(3, 50, rng);
  samples.row(1).setConstant(0.1);  // constant
  check_unbounded(samples);
  samples.row(1) = samples.row(0);  // duplicate
  check_unbounded(samples);
  samples.row(2) = (0.1 * samples.row(0) - 2 * samples.row(1)).eval();  // collinear
  check_unbounded(samples);
  samples = random_samples(3, 50, rng);
  samples.row(2) = 0.3 * samples.row(0) + 0.7 * samples.row(1);
  check_unbounded(samples);
  samples.row(0) *= 1e12;  // scales of their own do not hide it
  samples.row(1) *= 1e-12;
  check_unbounded<sm::ClosedForm>(sm::GaussianFamily<double>(3), samples);
  check_unbounded<NotAsked>(sm::GaussianFamily<double, 3>{},
                            Eigen::MatrixXd::Constant(3, 50, 1e200));
}

TEST_CASE("nearly collinear is not collinear, and scales are not singular") {
  Rng rng(8);
  Eigen::MatrixXd samples = random_samples(3, 500, rng);
  samples.row(2) = samples.row(0) + samples.row(1) + 1e-5 * samples.row(2);
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 3>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  CHECK(fit.status == sm::Status::converged);
  samples = random_samples(3, 500, rng);
  samples.row(0) *= 1e-100;
  samples.row(2) *= 1e100;
  const auto scaled = sm::fit(sm::GaussianFamily<double, 3>{}, sm::NegativeLogLikelihood{},
                              sm::ClosedForm{}, samples);
  CHECK(scaled.status == sm::Status::converged);
  CHECK(covariance_difference(scaled.distribution.covariance(), definition(samples).second) <=
        1e-12);
}

TEST_CASE_TEMPLATE("a learning rate far too large diverges to the last finite point", Optimizer,
                   sm::GradientDescent, sm::Momentum) {
  Rng rng(9);
  const Eigen::MatrixXd samples = random_samples(2, 50, rng);
  for (const double rate : {1e3, 1e10, 1e100, 1e300}) {
    const auto fit = sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
                             Optimizer{.learning_rate = rate}, samples);
    CHECK(fit.status == sm::Status::diverged);
    CHECK(fit.parameters.allFinite());
    CHECK(fit.distribution.covariance().allFinite());
    CHECK(std::isfinite(fit.loss));
  }
  // Samples of scale 1e3 at the default rate: the first step leaves for a flat, meaningless region.
  // Whatever the status, it is not `converged`.
  for (const double scale : {1e2, 1e3, 1e4}) {
    const auto fit = sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, Optimizer{},
                             (scale * samples).eval());
    CHECK(fit.status != sm::Status::converged);
  }
}

TEST_CASE_TEMPLATE("converged means at the minimum, whatever the learning rate", Scalar, float,
                   double) {
  // Too large a step leads to covariances of any size, up to where the loss and its gradient
  // vanish.
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  int converged = 0;
  const auto check = [&](const auto& family, const Matrix& samples, double rate) {
    const auto exact = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
    const auto compare = [&](const auto& optimizer) {
      const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, optimizer, samples);
      CAPTURE(rate);
      if (fit.status != sm::Status::converged) return;
      ++converged;
      CHECK(relative_difference(fit.distribution.covariance(), exact.distribution.covariance()) <=
            1e-2);
    };
    compare(sm::GradientDescent{.learning_rate = rate, .max_iterations = 300});
    compare(sm::Momentum{.learning_rate = rate, .max_iterations = 300});
    compare(sm::Adam{.learning_rate = rate, .max_iterations = 300});
  };
  Rng rng(11);
  const Matrix five = (Matrix(1, 5) << 1, 2, 3, 4, 6).finished();
  const Matrix pairs = random_samples<Scalar>(2, 50, rng);
  for (double rate = 1e-3; rate < 1e5; rate *= 1.03) {
    check(sm::GaussianFamily<Scalar, 1>{}, five, rate);
    check(sm::GaussianFamily<Scalar, 2>{}, pairs, rate);
  }
  CHECK(converged >= 20);  // and so there was something to check
}

TEST_CASE("an estimator equals a fit of all it has seen, in any order of calls") {
  Rng rng(10);
  const Eigen::MatrixXd samples = random_samples(3, 90, rng);
  using Estimator =
      sm::Estimator<sm::GaussianFamily<double, 3>, sm::ScoreMatchingLoss, sm::ClosedForm>;
  const auto expected =
      sm::fit(sm::GaussianFamily<double, 3>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  Estimator a({}, {}, {});
  Estimator b({}, {}, {});
  for (Eigen::Index j = 0; j < 30; ++j) a.observe(samples.col(j));
  CHECK(a.count() == 30);
  a.fit();  // changes nothing
  a.observe(samples.middleCols(30, 20));
  b.observe(samples.rightCols(40), Eigen::VectorXd::Ones(40));
  a.merge(b);
  CHECK(a.count() == 90);
  const auto fit = a.fit();
  CHECK(relative_difference(fit.distribution.covariance(), expected.distribution.covariance()) <=
        1e-14);
  CHECK(relative_difference(fit.distribution.mean(), expected.distribution.mean()) <= 1e-14);
  const sm::Estimator deduced(sm::GaussianFamily<double>{3}, sm::NegativeLogLikelihood{},
                              sm::Adam{});
  CHECK(deduced.count() == 0);
}

namespace {

// A user's own start and accessor; still a family of Gaussians.
struct Weather : sm::GaussianFamily<double, 2> {
  Parameters start() const { return (Parameters() << 1, 2, 0, 0, 0).finished(); }
  double correlation(const Parameters& theta) const {
    const auto covariance = distribution(theta).covariance();
    return covariance(1, 0) / std::sqrt(covariance(0, 0) * covariance(1, 1));
  }
};
static_assert(sm::GaussianModel<Weather>);

// With an edge it is none, and no loss takes it for one.
struct Truncated : sm::GaussianFamily<double, 2> {
  sm::Box<double, 2> box() const { return sm::Box<double, 2>::positive_orthant(2); }
};
static_assert(!sm::LossFor<sm::ScoreMatchingLoss, Truncated>);
static_assert(!sm::LossFor<sm::NegativeLogLikelihood, Truncated>);
static_assert(!sm::LossFor<sm::DenoisingScoreMatchingLoss, Truncated>);

}  // namespace

TEST_CASE("a family derived from GaussianFamily is fitted as that one is") {
  Rng rng(12);
  for (int trial = 0; trial < 200; ++trial) {
    const Eigen::Matrix2Xd x = random_samples<double>(2, 3 + trial % 20, rng);
    const auto same = [&](const auto& loss, const auto& optimizer) {
      const auto own = sm::fit(Weather{}, loss, optimizer, x);
      static_assert(std::same_as<std::remove_cvref_t<decltype(loss.summary(Weather{}))>,
                                 sm::Moments<double, 2>>);
      const auto expected =
          sm::fit(sm::GaussianFamily<double, 2>{}, loss, optimizer, x, Weather{}.start());
      CHECK(own.status == expected.status);
      CHECK(same_bits(own.parameters, expected.parameters));
      CHECK(same_bits(own.distribution.covariance(), expected.distribution.covariance()));
    };
    same(sm::ScoreMatchingLoss{}, sm::ClosedForm{});
    same(sm::ScoreMatchingLoss{}, sm::Adam{.learning_rate = 0.1, .max_iterations = 30});
    same(sm::NegativeLogLikelihood{}, sm::ClosedForm{});
    same(sm::DenoisingScoreMatchingLoss{.sigma = 0.1}, sm::ClosedForm{});
  }
}
