#include "support.hpp"

#include <doctest/doctest.h>

#include <numbers>

namespace {

using namespace support;

// A random covariance L L^T with its factor.
Eigen::MatrixXd random_factor(Eigen::Index d, Rng& rng) {
  Eigen::MatrixXd lower = normals<double>(d, d, rng) * 0.4;
  lower.diagonal() = (normals<double>(d, 1, rng) * 0.5).array().exp().matrix();
  lower.triangularView<Eigen::StrictlyUpper>().setZero();
  return lower;
}

}  // namespace

TEST_CASE(
    "the density is the formula of the definition, and the precision inverts the covariance") {
  Rng rng(1);
  for (Eigen::Index d = 1; d <= 10; ++d) {
    CAPTURE(d);
    const Eigen::MatrixXd lower = random_factor(d, rng);
    const Eigen::VectorXd mean = normals<double>(d, 1, rng);
    const Eigen::MatrixXd covariance = lower * lower.transpose();
    const sm::Gaussian<double> gaussian(mean, covariance);
    CHECK(relative_difference(gaussian.precision() * covariance,
                              Eigen::MatrixXd::Identity(d, d).eval()) <= 1e-12);
    CHECK(same_bits(gaussian.precision(), gaussian.precision().transpose()));
    const Eigen::VectorXd x = normals<double>(d, 1, rng);
    const double expected = -0.5 * (x - mean).dot(covariance.fullPivLu().solve(x - mean)) -
                            0.5 * std::log(covariance.determinant()) -
                            0.5 * double(d) * std::log(2 * std::numbers::pi);
    CHECK(gaussian.log_density(x) == doctest::Approx(expected).epsilon(1e-12));
    CHECK(gaussian.density(x) == doctest::Approx(std::exp(expected)).epsilon(1e-11));
    CHECK(gaussian.laplacian() == doctest::Approx(-covariance.inverse().trace()).epsilon(1e-11));
  }
}

TEST_CASE("score and Laplacian are derivatives of the log density") {
  Rng rng(2);
  for (Eigen::Index d = 1; d <= 6; ++d) {
    const Eigen::MatrixXd lower = random_factor(d, rng);
    const Eigen::VectorXd mean = normals<double>(d, 1, rng);
    const sm::Gaussian<double> gaussian(mean, lower * lower.transpose());
    using Long = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
    const auto exact = sm::Gaussian<long double>::from_cholesky(mean.cast<long double>(),
                                                                Long(lower.cast<long double>()));
    const Eigen::VectorXd x = normals<double>(d, 1, rng);
    const auto log_density = [&](const auto& y) { return exact.log_density(y); };
    CHECK(gradient_error(log_density, x, gaussian.score(x), Eigen::VectorXd::Ones(d)) <= 1e-9);
    // The Laplacian is the divergence of the score.
    long double divergence = 0;
    for (Eigen::Index i = 0; i < d; ++i) {
      Eigen::Matrix<long double, Eigen::Dynamic, 1> step(d);
      step.setZero();
      step(i) = 1e-3L;
      const auto at = x.cast<long double>().eval();
      divergence += (exact.score(at + step)(i) - exact.score(at - step)(i)) / 2e-3L;
    }
    CHECK(gaussian.laplacian() == doctest::Approx(double(divergence)).epsilon(1e-10));
  }
}

TEST_CASE("a Cholesky factor is taken in any type, fixed or not") {
  using Fixed = sm::Gaussian<double, 2>;
  const Eigen::Vector2d mean(1, -2);
  const Eigen::Matrix2d root{{2, 0}, {0.5, 3}};
  const Eigen::VectorXd any_mean = mean;
  const Eigen::MatrixXd any_root = root;
  const auto expected = Fixed::from_cholesky(mean, root);
  CHECK(Fixed::from_cholesky({1, -2}, Eigen::Matrix2d(root)) == expected);
  CHECK(Fixed::from_cholesky(mean, any_root) == expected);
  CHECK(Fixed::from_cholesky(any_mean, root) == expected);
  CHECK(Fixed::from_cholesky(any_mean, Eigen::Matrix2d(root)) == expected);
  CHECK(Fixed::from_cholesky(any_mean, any_root) == expected);
  CHECK(Fixed::from_cholesky(any_mean.head(2), Eigen::MatrixXd(any_root)) == expected);
  CHECK(Fixed::from_cholesky(any_mean.head<2>(), any_root.triangularView<Eigen::Lower>()) ==
        expected);
  CHECK(Fixed::from_cholesky(mean - mean, mean.cwiseAbs().asDiagonal()) ==
        Fixed::from_cholesky(Eigen::Vector2d(0, 0), Eigen::Matrix2d{{1, 0}, {0, 2}}));
  const auto of_any_size = sm::Gaussian<double>::from_cholesky(mean, root);
  CHECK(sm::Gaussian<double>::from_cholesky(any_mean, Eigen::MatrixXd(root)) == of_any_size);
  CHECK(sm::Gaussian<double>::from_cholesky(any_mean.array(), any_root.array()) == of_any_size);
}

TEST_CASE("a fixed Gaussian integrates to one") {
  const sm::Gaussian<double, 2> gaussian(Eigen::Vector2d(0.4, 0.5),
                                         (Eigen::Matrix2d() << 0.7, 0.2, 0.2, 0.13).finished());
  double sum = 0;
  const double h = 0.02;  // the trapezoidal rule converges faster than any power of h here
  for (double a = -8; a < 8; a += h) {
    for (double b = -4; b < 4; b += h) sum += h * h * gaussian.density(Eigen::Vector2d(a, b));
  }
  CHECK(sum == doctest::Approx(1).epsilon(1e-9));
}

TEST_CASE("samples have the distribution they are drawn from") {
  Rng rng(3);
  const sm::Gaussian<double, 3> gaussian(
      Eigen::Vector3d(1, -2, 30),
      (Eigen::Matrix3d() << 4, 1, 0.5, 1, 0.5, 0.1, 0.5, 0.1, 0.2).finished());
  const Eigen::Index n = 200000;
  sm::Moments<double, 3> moments;
  moments.add(gaussian.sample(n, rng));
  // Standard errors: Sigma_ii / n for the mean, (S_ii S_jj + S_ij^2) / n for the covariance.
  const Eigen::Matrix3d s = gaussian.covariance();
  for (Eigen::Index i = 0; i < 3; ++i) {
    CHECK(std::abs(moments.mean()(i) - gaussian.mean()(i)) <= 5 * std::sqrt(s(i, i) / double(n)));
    for (Eigen::Index j = 0; j < 3; ++j) {
      const double error = std::sqrt((s(i, i) * s(j, j) + s(i, j) * s(i, j)) / double(n));
      CHECK(std::abs(moments.covariance()(i, j) - s(i, j)) <= 5 * error);
    }
  }
  Rng again(4);
  Rng same(4);
  CHECK(same_bits(gaussian.sample(again), gaussian.sample(same)));
  CHECK(gaussian.sample(0, rng).cols() == 0);
}

TEST_CASE("a Gaussian keeps its covariance, symmetric to the bit, at every scale") {
  Rng rng(5);
  for (const double scale : {1e-150, 1e-8, 1.0, 1e8, 1e150}) {
    const Eigen::MatrixXd lower = random_factor(4, rng) * scale;
    const Eigen::MatrixXd covariance = lower * lower.transpose();
    const sm::Gaussian<double> gaussian(Eigen::VectorXd::Zero(4), covariance);
    CHECK(covariance_difference(gaussian.covariance(), covariance) <= 1e-15);
    CHECK(same_bits(gaussian.covariance(), gaussian.covariance().transpose()));
    CHECK(relative_difference(gaussian.cholesky(), lower) <= 1e-12);
  }
  // Very different scales are not a singular covariance.
  const Eigen::Vector3d variances(1e-200, 1, 1e200);
  const sm::Gaussian<double, 3> spread(Eigen::Vector3d::Zero(), variances.asDiagonal());
  CHECK(spread.cholesky()(0, 0) == doctest::Approx(1e-100));
  CHECK(spread.cholesky()(2, 2) == doctest::Approx(1e100));
}

TEST_CASE_TEMPLATE("log-Cholesky coordinates and Gaussians map to each other", Scalar, float,
                   double, long double) {
  Rng rng(6);
  for (Eigen::Index d = 1; d <= 8; ++d) {
    const sm::GaussianFamily<Scalar> family(d);
    using Vector = typename sm::GaussianFamily<Scalar>::Parameters;
    const Vector theta = normals<Scalar>(family.parameter_count(), 1, rng);
    const auto gaussian = family.distribution(theta);
    const Scalar tolerance = 8 * std::numeric_limits<Scalar>::epsilon();
    CHECK((family.parameters(gaussian) - theta).cwiseAbs().maxCoeff() <= tolerance);
    // The documented order: mean, log diagonal, strictly lower row by row.
    Eigen::Index k = 2 * d;
    for (Eigen::Index i = 0; i < d; ++i) {
      CHECK(gaussian.mean()(i) == theta(i));
      CHECK(std::abs(std::log(gaussian.cholesky()(i, i)) - theta(d + i)) <= tolerance);
      for (Eigen::Index j = 0; j < i; ++j) CHECK(gaussian.cholesky()(i, j) == theta(k++));
    }
    CHECK(k == theta.size());
    const auto standard = family.distribution(family.start());
    CHECK(standard.covariance().isIdentity(Scalar(0)));
    CHECK(standard.mean().isZero(Scalar(0)));
  }
  static_assert(sm::GaussianFamily<Scalar, 3>::ParameterCount == 9);
}
