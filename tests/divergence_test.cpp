#include "support.hpp"

#include <doctest/doctest.h>

#include <numbers>

namespace {

using namespace support;
using Gaussian = sm::Gaussian<double>;
using Eigen::MatrixXd;
using Eigen::VectorXd;

MatrixXd random_factor(Eigen::Index d, Rng& rng) {
  MatrixXd lower = normals<double>(d, d, rng) * 0.5;
  lower.diagonal() = (normals<double>(d, 1, rng) * 0.5).array().exp().matrix();
  lower.triangularView<Eigen::StrictlyUpper>().setZero();
  return lower;
}

Gaussian random_gaussian(Eigen::Index d, Rng& rng) {
  return Gaussian::from_cholesky(normals<double>(d, 1, rng), random_factor(d, rng));
}

// f of a symmetric matrix, by its eigenvalues.
template <class F>
MatrixXd spectral(const MatrixXd& matrix, F&& f) {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> axes(matrix);
  VectorXd values = axes.eigenvalues();
  for (double& value : values) value = f(value);
  return axes.eigenvectors() * values.asDiagonal() * axes.eigenvectors().transpose();
}

MatrixXd root(const MatrixXd& matrix) {
  return spectral(matrix, [](double x) { return std::sqrt(x); });
}

MatrixXd inverse(const MatrixXd& matrix) {
  return spectral(matrix, [](double x) { return 1 / x; });
}

double log_determinant(const MatrixXd& matrix) {
  return spectral(matrix, [](double x) { return std::log(x); }).trace();
}

// The optimal map between the centered Gaussians: x -> A x, A symmetric, A Sigma_p A = Sigma_q.
MatrixXd transport(const Gaussian& p, const Gaussian& q) {
  const MatrixXd r = root(p.covariance());
  const MatrixXd r_inverse = inverse(r);
  return r_inverse * root(r * q.covariance() * r) * r_inverse;
}

Gaussian transformed(const Gaussian& p, const MatrixXd& a, const VectorXd& b) {
  return Gaussian(a * p.mean() + b, a * p.covariance() * a.transpose());
}

// Trapezoidal rule, exact to rounding for what falls like a Gaussian.
template <class F>
double integral(F&& f) {
  double sum = 0;
  const double h = 0.01;
  for (int k = -3000; k <= 3000; ++k) sum += h * f(h * k);
  return sum;
}

// doctest's Approx takes all that is far below 1 for equal.
bool close(double actual, double expected, double tolerance) {
  return std::abs(actual - expected) <= tolerance * std::abs(expected);
}

double normal_density(double x, double mean, double deviation) {
  const double z = (x - mean) / deviation;
  return std::exp(-z * z / 2) / deviation / std::sqrt(2 * std::numbers::pi);
}

sm::Gaussian<double, 1> line(double mean, double deviation) {
  using One = Eigen::Matrix<double, 1, 1>;
  return sm::Gaussian<double, 1>::from_cholesky(One(mean), One(deviation));
}

}  // namespace

TEST_CASE("distances of Gaussians on the line are the integrals that define them") {
  const double m = 0.3, s = 0.8, n = -0.5, t = 1.7;
  const auto p = line(m, s);
  const auto q = line(n, t);
  const double fisher = integral([&](double x) {
    const double difference = -(x - m) / (s * s) + (x - n) / (t * t);
    return normal_density(x, m, s) * difference * difference;
  });
  const double kl = integral([&](double x) {
    const double log_ratio =
        std::log(t / s) - (x - m) * (x - m) / (2 * s * s) + (x - n) * (x - n) / (2 * t * t);
    return normal_density(x, m, s) * log_ratio;
  });
  // On the line the optimal map sends each quantile to its own.
  const double moved = integral([&](double z) {
    const double step = (m + s * z) - (n + t * z);
    return normal_density(z, 0, 1) * step * step;
  });
  CHECK(sm::fisher_divergence(p, q) == doctest::Approx(fisher).epsilon(1e-12));
  CHECK(sm::kullback_leibler(p, q) == doctest::Approx(kl).epsilon(1e-12));
  CHECK(sm::wasserstein2(p, q) == doctest::Approx(std::sqrt(moved)).epsilon(1e-12));
}

TEST_CASE("distances of Gaussians are their textbook formulas") {
  Rng rng(1);
  for (Eigen::Index d = 1; d <= 20; d += d < 5 ? 1 : 6) {
    CAPTURE(d);
    const Gaussian p = random_gaussian(d, rng);
    const Gaussian q = random_gaussian(d, rng);
    const VectorXd shift = p.mean() - q.mean();
    const MatrixXd inverse_p = inverse(p.covariance());
    const MatrixXd inverse_q = inverse(q.covariance());
    const MatrixXd ratio = inverse_q * p.covariance();
    const MatrixXd change = inverse_q - inverse_p;
    const double fisher =
        (change * p.covariance() * change).trace() + (inverse_q * shift).squaredNorm();
    const double kl = (ratio.trace() - double(d) - log_determinant(p.covariance()) +
                       log_determinant(q.covariance()) + shift.dot(inverse_q * shift)) /
                      2;
    const MatrixXd r = root(p.covariance());
    const double trace =
        (p.covariance() + q.covariance() - 2 * root(r * q.covariance() * r)).trace();
    CHECK(sm::fisher_divergence(p, q) == doctest::Approx(fisher).epsilon(1e-8));
    CHECK(sm::kullback_leibler(p, q) == doctest::Approx(kl).epsilon(1e-9));
    CHECK(sm::wasserstein2(p, q) ==
          doctest::Approx(std::sqrt(trace + shift.squaredNorm())).epsilon(1e-9));
  }
}

TEST_CASE("distances in three dimensions agree with averages over many samples") {
  Rng rng(2);
  const Gaussian p = random_gaussian(3, rng);
  const Gaussian q = random_gaussian(3, rng);
  const Eigen::Index n = 100000;
  const MatrixXd samples = p.sample(n, rng);

  const auto fisher = sm::fisher_divergence(p, q, samples);
  CHECK(fisher.standard_error < 0.05 * fisher.value);
  CHECK(std::abs(fisher.value - sm::fisher_divergence(p, q)) <= 4 * fisher.standard_error);

  const MatrixXd map = transport(p, q);
  VectorXd log_ratio(n), moved(n);
  for (Eigen::Index j = 0; j < n; ++j) {
    const VectorXd x = samples.col(j);
    log_ratio(j) = p.log_density(x) - q.log_density(x);
    moved(j) = (x - q.mean() - map * (x - p.mean())).squaredNorm();
  }
  const auto agrees = [&](const VectorXd& values, double expected) {
    const double mean = values.mean();
    const double error = std::sqrt((values.array() - mean).square().sum()) / double(n);
    return std::abs(mean - expected) <= 4 * error;
  };
  CHECK(agrees(log_ratio, sm::kullback_leibler(p, q)));
  const double distance = sm::wasserstein2(p, q);
  CHECK(agrees(moved, distance * distance));
}

TEST_CASE("the laws of the distances") {
  Rng rng(3);
  for (int trial = 0; trial < 60; ++trial) {
    CAPTURE(trial);
    const Eigen::Index d = 1 + trial % 6;
    const Gaussian p = random_gaussian(d, rng);
    const Gaussian q = random_gaussian(d, rng);
    const Gaussian r = random_gaussian(d, rng);
    CHECK(sm::fisher_divergence(p, p) == 0);
    CHECK(sm::kullback_leibler(p, p) == 0);
    CHECK(sm::wasserstein2(p, p) == 0);
    CHECK(sm::fisher_divergence(p, q) > 0);
    CHECK(sm::kullback_leibler(p, q) > 0);
    const double pq = sm::wasserstein2(p, q);
    CHECK(sm::wasserstein2(q, p) == doctest::Approx(pq).epsilon(1e-13));
    CHECK(pq <= (sm::wasserstein2(p, r) + sm::wasserstein2(r, q)) * (1 + 1e-14));

    const MatrixXd a = normals<double>(d, d, rng) + 2 * MatrixXd::Identity(d, d);
    const VectorXd b = normals<double>(d, 1, rng);
    CHECK(sm::kullback_leibler(transformed(p, a, b), transformed(q, a, b)) ==
          doctest::Approx(sm::kullback_leibler(p, q)).epsilon(1e-8));

    // The others keep their values under rotations, and have units.
    const MatrixXd turn = Eigen::SelfAdjointEigenSolver<MatrixXd>(a + a.transpose()).eigenvectors();
    const double fisher = sm::fisher_divergence(p, q);
    CHECK(sm::fisher_divergence(transformed(p, turn, b), transformed(q, turn, b)) ==
          doctest::Approx(fisher).epsilon(1e-8));
    CHECK(sm::wasserstein2(transformed(p, turn, b), transformed(q, turn, b)) ==
          doctest::Approx(pq).epsilon(1e-10));
    const MatrixXd scale = 3 * MatrixXd::Identity(d, d);
    CHECK(sm::fisher_divergence(transformed(p, scale, b), transformed(q, scale, b)) ==
          doctest::Approx(fisher / 9).epsilon(1e-10));
    CHECK(sm::wasserstein2(transformed(p, scale, b), transformed(q, scale, b)) ==
          doctest::Approx(3 * pq).epsilon(1e-12));

    // Covariances that commute: the distance of the standard deviations along common axes.
    const VectorXd along_p = normals<double>(d, 1, rng).array().exp().matrix();
    const VectorXd along_q = normals<double>(d, 1, rng).array().exp().matrix();
    const auto with_axes = [&](const VectorXd& mean, const VectorXd& deviations) {
      const MatrixXd covariance = turn * deviations.cwiseAbs2().asDiagonal() * turn.transpose();
      return Gaussian(mean, (covariance + covariance.transpose()) / 2);
    };
    const double expected =
        std::sqrt((p.mean() - q.mean()).squaredNorm() + (along_p - along_q).squaredNorm());
    CHECK(sm::wasserstein2(with_axes(p.mean(), along_p), with_axes(q.mean(), along_q)) ==
          doctest::Approx(expected).epsilon(1e-11));
  }
}

TEST_CASE("distances of Gaussians keep their digits where these are near each other") {
  for (const double k : {0.3, 1e-3, -1e-5, 1e-7, -1e-9, 1e-12}) {
    CAPTURE(k);
    const double deviation = 0.8;
    const double other = deviation / (1 + k);
    const long double s = static_cast<long double>(deviation);
    const long double t = static_cast<long double>(other);
    const long double exact = (s - t) / t;
    long double excess = 0;  // exact - log(1 + exact), by its series
    long double power = exact;
    for (int n = 2; n < 60; ++n) {
      power *= -exact;
      excess -= power / static_cast<long double>(n);
    }
    const long double precision_change = (s - t) * (s + t) / s / t / t;
    const auto p = line(2, deviation);
    const auto q = line(2, other);
    CHECK(close(sm::kullback_leibler(p, q), double(exact * exact / 2 + excess), 1e-14));
    CHECK(close(sm::fisher_divergence(p, q), double(precision_change * precision_change), 1e-14));
    CHECK(close(sm::wasserstein2(p, q), double(std::abs(s - t)), 1e-15));
  }
  Rng rng(4);
  for (Eigen::Index d = 2; d <= 5; ++d) {
    CAPTURE(d);
    const MatrixXd lower = random_factor(d, rng);
    const VectorXd mean = normals<double>(d, 1, rng);
    const auto p = Gaussian::from_cholesky(mean, lower);
    for (const double t : {1e-4, 1e-7, 1e-10}) {
      CAPTURE(t);
      // Sigma_q = (1 + t)^2 Sigma_p: KL = d (log(1 + t) + ((1 + t)^-2 - 1) / 2)
      // = d (t^2 - 5/3 t^3 ...), D_F = ((1 + t)^-2 - 1)^2 tr P = (4 t^2 - 12 t^3 ...) tr P.
      const auto q = Gaussian::from_cholesky(mean, (1 + t) * lower);
      const double tolerance = 20 * t * t + 1e-14 / t;
      CHECK(close(sm::kullback_leibler(p, q), double(d) * t * t * (1 - 5 * t / 3), tolerance));
      CHECK(
          close(sm::fisher_divergence(p, q), -p.laplacian() * 4 * t * t * (1 - 3 * t), tolerance));
      CHECK(close(sm::wasserstein2(p, q), t * lower.norm(), 1e-14 / t));
    }
  }
}

TEST_CASE("distances of Gaussians on extreme scales are right, or infinite") {
  using Lower = Eigen::Matrix2d;
  const auto make = [](double scale, const Eigen::Vector2d& mean, const Lower& lower) {
    return sm::Gaussian<double, 2>::from_cholesky(scale * mean, scale * lower);
  };
  const Lower first{{1, 0}, {0.5, 2}};
  const Lower second{{0.7, 0}, {-0.4, 1.5}};
  const Eigen::Vector2d mean(1, -1), other(0.5, 2);
  const double fisher = sm::fisher_divergence(make(1, mean, first), make(1, other, second));
  const double kl = sm::kullback_leibler(make(1, mean, first), make(1, other, second));
  const double wasserstein = sm::wasserstein2(make(1, mean, first), make(1, other, second));
  for (const double scale : {1e-150, 1e-70, 1e70, 1e150}) {
    CAPTURE(scale);
    const auto p = make(scale, mean, first);
    const auto q = make(scale, other, second);
    CHECK(sm::fisher_divergence(p, q) * scale * scale == doctest::Approx(fisher).epsilon(1e-9));
    CHECK(sm::kullback_leibler(p, q) == doctest::Approx(kl).epsilon(1e-12));
    CHECK(sm::wasserstein2(p, q) / scale == doctest::Approx(wasserstein).epsilon(1e-12));
  }
  const auto wide = make(1e150, mean, first);
  const auto narrow = make(1e-150, mean, first);
  CHECK(sm::kullback_leibler(wide, narrow) == infinity);
  // E log(p / q) = 2 log 1e300 - 1 + terms of order 1e-300 and the means.
  CHECK(sm::kullback_leibler(narrow, wide) ==
        doctest::Approx(600 * std::log(10.0) - 1 +
                        0.5 * first.triangularView<Eigen::Lower>().solve(mean).squaredNorm())
            .epsilon(1e-12));
  CHECK(sm::fisher_divergence(wide, narrow) == infinity);
  CHECK(
      sm::wasserstein2(wide, narrow) ==
      doctest::Approx(1e150 * std::sqrt(first.squaredNorm() + mean.squaredNorm())).epsilon(1e-12));
  CHECK(sm::wasserstein2(line(1e200, 1), line(-1e200, 2)) == doctest::Approx(2e200).epsilon(1e-15));
  // A thin factor that no covariance could hold.
  const auto thin = make(1, mean, Lower{{1, 0}, {1, 1e-12}});
  CHECK(sm::kullback_leibler(thin, thin) == 0);
  CHECK(sm::wasserstein2(thin, make(1, mean, Lower{{1, 0}, {1, 0}} + 1e-6 * Lower::Identity())) <
        2e-6);
}

TEST_CASE("distances in float agree with those in double") {
  Rng rng(5);
  const Gaussian p = random_gaussian(2, rng);
  const Gaussian q = random_gaussian(2, rng);
  const auto narrow = [](const Gaussian& g) {
    return sm::Gaussian<float, 2>::from_cholesky(g.mean().cast<float>(),
                                                 g.cholesky().cast<float>());
  };
  CHECK(sm::fisher_divergence(narrow(p), narrow(q)) ==
        doctest::Approx(sm::fisher_divergence(p, q)).epsilon(1e-5));
  CHECK(sm::kullback_leibler(narrow(p), narrow(q)) ==
        doctest::Approx(sm::kullback_leibler(p, q)).epsilon(1e-5));
  CHECK(sm::wasserstein2(narrow(p), narrow(q)) ==
        doctest::Approx(sm::wasserstein2(p, q)).epsilon(1e-5));
  const Eigen::Matrix2Xf samples = narrow(p).sample(1000, rng);
  const auto average = sm::fisher_divergence(narrow(p), narrow(q), samples);
  const auto wide = sm::fisher_divergence(p, q, samples.cast<double>());
  CHECK(average.value == doctest::Approx(wide.value).epsilon(1e-4));
  CHECK(average.standard_error == doctest::Approx(wide.standard_error).epsilon(1e-4));
}

TEST_CASE("the averaged Fisher divergence takes any model, also one given by its score alone") {
  // A Student t distribution with 3 degrees of freedom, without its constant.
  const auto student = [](const auto& x) {
    return (-4 * x.array() / (3 + x.array().square())).matrix().eval();
  };
  const double exact = integral([&](double x) {
    const double difference = -x + 4 * x / (3 + x * x);
    return normal_density(x, 0, 1) * difference * difference;
  });
  Rng rng(6);
  const auto p = line(0, 1);
  const auto average = sm::fisher_divergence(p, student, p.sample(20000, rng));
  CHECK(average.standard_error < 0.05 * exact);
  CHECK(std::abs(average.value - exact) <= 4 * average.standard_error);
  // Twice a mean of squares: the coverage of its standard error.
  int covered = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const auto small = sm::fisher_divergence(student, p, p.sample(200, rng));
    if (std::abs(small.value - exact) <= 2 * small.standard_error) ++covered;
  }
  CHECK(covered > 170);  // of 191 expected, fewer for the skewness
}

TEST_CASE("weights of the averaged Fisher divergence") {
  Rng rng(7);
  const Gaussian p = random_gaussian(2, rng);
  const Gaussian q = random_gaussian(2, rng);
  const Eigen::Matrix2Xd samples = p.sample(50, rng);
  const auto plain = sm::fisher_divergence(p, q, samples);

  VectorXd values(50);
  for (Eigen::Index j = 0; j < 50; ++j) {
    values(j) = (p.score(samples.col(j)) - q.score(samples.col(j))).squaredNorm();
  }
  const double error = std::sqrt((values.array() - values.mean()).square().sum() / 49 / 50);
  CHECK(plain.value == doctest::Approx(values.mean()).epsilon(1e-13));
  CHECK(plain.standard_error == doctest::Approx(error).epsilon(1e-13));

  const auto equal = sm::fisher_divergence(p, q, samples, VectorXd::Constant(50, 0.01));
  CHECK(equal.value == doctest::Approx(plain.value).epsilon(1e-13));
  CHECK(equal.standard_error == doctest::Approx(plain.standard_error).epsilon(1e-13));

  VectorXd half = VectorXd::Zero(50);
  half.tail(20).setOnes();
  const auto part = sm::fisher_divergence(p, q, samples.rightCols(20));
  const auto absent = sm::fisher_divergence(p, q, samples, half);
  CHECK(absent.value == doctest::Approx(part.value).epsilon(1e-13));
  CHECK(absent.standard_error == doctest::Approx(part.standard_error).epsilon(1e-13));

  // Samples of p, weighted by r / p, are samples of r: the divergence of r.
  const Gaussian r = Gaussian(p.mean(), 0.7 * p.covariance());
  const MatrixXd many = p.sample(20000, rng);
  VectorXd ratio(many.cols());
  for (Eigen::Index j = 0; j < many.cols(); ++j) {
    ratio(j) = std::exp(r.log_density(many.col(j)) - p.log_density(many.col(j)));
  }
  const auto weighted = sm::fisher_divergence(r, q, many, ratio);
  CHECK(std::abs(weighted.value - sm::fisher_divergence(r, q)) <= 4 * weighted.standard_error);
}

TEST_CASE("misuse of the distances is named") {
  Rng rng(8);
  const Gaussian p = random_gaussian(2, rng);
  const Gaussian three = random_gaussian(3, rng);
  CHECK(message_of([&] { sm::fisher_divergence(p, three); }) ==
        "scorematch: q has dimension 3; expected 2, as p has it");
  CHECK(message_of([&] { sm::kullback_leibler(p, three); }) != "no exception");
  CHECK(message_of([&] { sm::wasserstein2(p, three); }) != "no exception");

  MatrixXd samples = p.sample(5, rng);
  CHECK(message_of([&] { sm::fisher_divergence(p, three, samples); }) ==
        "scorematch: samples have 2 rows; expected 3, the dimension of the model (one sample per "
        "column, one row per coordinate)");
  CHECK(contains(message_of([&] { sm::fisher_divergence(p, p, samples.leftCols(0)); }),
                 "no samples (0 columns"));
  CHECK(contains(message_of([&] { sm::fisher_divergence(p, p, samples, VectorXd::Zero(5)); }),
                 "sum of weights = 0"));
  CHECK(contains(message_of([&] { sm::fisher_divergence(p, p, samples, VectorXd::Ones(4)); }),
                 "weights have 4 entries"));
  const auto one = sm::fisher_divergence(p, random_gaussian(2, rng), samples.leftCols(1));
  CHECK(one.value > 0);
  CHECK(one.standard_error == infinity);

  const auto broken = [&](const VectorXd& x) -> VectorXd {
    return x == samples.col(3) ? VectorXd::Constant(2, not_a_number) : x;
  };
  CHECK(message_of([&] { sm::fisher_divergence(p, broken, samples); }) ==
        "scorematch: the score of q at sample 3: score(0) = nan; expected a finite value");
  const auto short_score = [](const VectorXd& x) -> VectorXd { return x.head(1); };
  CHECK(message_of([&] { sm::fisher_divergence(short_score, p, samples); }) ==
        "scorematch: the score of p at sample 0 is 1 x 1; expected 2 x 1");
  const auto large = [](const VectorXd& x) -> VectorXd { return 1e200 * x; };
  CHECK(sm::fisher_divergence(large, p, samples).value == infinity);
  CHECK(sm::fisher_divergence(large, p, samples).standard_error == infinity);
  samples(1, 4) = not_a_number;
  CHECK(contains(message_of([&] { sm::fisher_divergence(p, p, samples); }),
                 "samples(row 1, column 4) = nan"));
}

TEST_CASE("the weighted standard error is its formula, about the weighted mean") {
  // p's score is 0 and q's is x: the numbers averaged are the squares of the samples.
  const auto none = [](const Eigen::Matrix<double, 1, 1>&) -> Eigen::Matrix<double, 1, 1> {
    return Eigen::Matrix<double, 1, 1>::Zero();
  };
  const auto own = [](const Eigen::Matrix<double, 1, 1>& x) -> Eigen::Matrix<double, 1, 1> {
    return x;
  };
  Rng rng(30);
  for (int trial = 0; trial < 200; ++trial) {
    CAPTURE(trial);
    const Eigen::Index n = 2 + trial % 40;
    const double offset = trial % 3 == 0 ? 0 : 100;  // where the mean of w^2 x is far from 0
    const Eigen::RowVectorXd x = normals<double>(1, n, rng).array() + offset;
    const VectorXd weights = (2 * normals<double>(n, 1, rng)).array().exp();
    const Eigen::Matrix<long double, Eigen::Dynamic, 1> v = weights.cast<long double>();
    const Eigen::Matrix<long double, 1, Eigen::Dynamic> y = x.cast<long double>();
    long double total = 0, squares = 0, mean = 0, spread = 0;
    for (Eigen::Index j = 0; j < n; ++j) {
      total += v(j);
      squares += v(j) * v(j);
      mean += v(j) * y(j) * y(j);
    }
    mean /= total;
    for (Eigen::Index j = 0; j < n; ++j) {
      const long double off = y(j) * y(j) - mean;
      spread += v(j) * v(j) * off * off;
    }
    const long double effective = total * total / squares;
    const double error = double(std::sqrt(spread / (total * total) * effective / (effective - 1)));
    const auto average = sm::fisher_divergence(none, own, x, weights);
    CHECK(average.value == doctest::Approx(double(mean)).epsilon(1e-13));
    CHECK(average.standard_error == doctest::Approx(error).epsilon(1e-9));
  }
}

TEST_CASE("only ratios of weights count, whatever their scale") {
  Rng rng(31);
  const Eigen::Matrix2Xd x = random_samples<double, 2>(2, 50, rng);
  const sm::Gaussian<double, 2> p(Eigen::Vector2d(0, 0), Eigen::Matrix2d::Identity());
  const sm::Gaussian<double, 2> q(Eigen::Vector2d(0.3, 0), 2 * Eigen::Matrix2d::Identity());
  const Eigen::VectorXd weights = Eigen::VectorXd::LinSpaced(50, 1, 3);
  const auto expected = sm::fisher_divergence(p, q, x, weights);
  for (const double scale : {1e-300, 1e-165, 1e155, 1e300}) {
    const Eigen::VectorXd scaled = weights * scale;
    const auto average = sm::fisher_divergence(p, q, x, scaled);
    CHECK(average.value == doctest::Approx(expected.value).epsilon(1e-13));
    CHECK(average.standard_error == doctest::Approx(expected.standard_error).epsilon(1e-13));
  }
  // Weights of Boltzmann's kind, the smallest first.
  const Eigen::VectorXd energies = Eigen::VectorXd::LinSpaced(50, -400, -302);
  const Eigen::VectorXd boltzmann = energies.array().exp();
  const Eigen::VectorXd relative = (energies.array() + 302).exp();
  const auto raw = sm::fisher_divergence(p, q, x, boltzmann);
  const auto normalized = sm::fisher_divergence(p, q, x, relative);
  CHECK(raw.value == doctest::Approx(normalized.value).epsilon(1e-12));
  CHECK(raw.standard_error == doctest::Approx(normalized.standard_error).epsilon(1e-12));
}
