// Series that remember: their long-run covariance by its definition, and the diagnostics of chains
// as R's package posterior computes them.
#include "support.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

namespace {

using namespace support;

using Eigen::Index;
using Eigen::MatrixXd;

// Numbers that R makes alike: Lehmer's generator, and an AR(1) filter over each column.
MatrixXd chains_of(Index n, Index m, double r, double shift) {
  MatrixXd u(n, m);
  std::int64_t state = 12345;
  for (Index k = 0; k < u.size(); ++k) {
    state = state * 16807 % 2147483647;
    u.data()[k] = double(state) / 2147483647;
  }
  MatrixXd y = u;
  for (Index j = 0; j < m; ++j) {
    y(0, j) += shift * double(j + 1);
    for (Index i = 1; i < n; ++i) {
      y(i, j) = r * y(i - 1, j) + u(i, j) + (1 - r) * shift * double(j + 1);
    }
  }
  return y;
}

}  // namespace

// Of posterior 1.4.0:
//   lcg <- function(n, s) { x <- numeric(n)
//     for (i in 1:n) { s <- (s * 16807) %% 2147483647; x[i] <- s / 2147483647 }; x }
//   make <- function(n, m, r, shift) { u <- matrix(lcg(n * m, 12345), n, m); y <- u
//     for (j in 1:m) { y[, j] <- u[, j] + shift * j
//       for (i in 2:n) y[i, j] <- r * y[i - 1, j] + u[i, j] + (1 - r) * shift * j }; y }
//   y <- make(...); c(rhat(y), ess_bulk(y), ess_tail(y), ess_mean(y), mcse_mean(y))
TEST_CASE("chains are judged as posterior judges them") {
  struct Case {
    int n, m;
    double r, shift, r_hat, bulk, tail, mean, error;
  };
  for (const Case& c : {
           Case{200, 4, 0.6, 0, 1.01652308021, 152.306044715, 385.452006476, 153.82193481,
                0.0294960938173},
           Case{101, 1, 0.9, 0, 1.27035457313, 7.65757522981, 10.34499066, 7.40238165813,
                0.421095516328},
           Case{500, 3, -0.5, 0, 1.00059377827, 4764.13688858, 1589.02184518, 4764.13688858,
                0.00490985203304},
           Case{200, 2, 0.3, 0.4, 1.2296632318, 6.76003612956, 159.157810707, 6.65125762524,
                0.138176520883},
           Case{50, 2, 0.95, 0, 1.96204427325, 3.32497975484, 24.727992087, 3.15873739321,
                1.53443379548},
       }) {
    CAPTURE(c.n);
    const MatrixXd chains = chains_of(c.n, c.m, c.r, c.shift);
    CHECK(sm::r_hat(chains) == doctest::Approx(c.r_hat).epsilon(1e-9));
    CHECK(sm::bulk_effective_sample_size(chains) == doctest::Approx(c.bulk).epsilon(1e-9));
    CHECK(sm::tail_effective_sample_size(chains) == doctest::Approx(c.tail).epsilon(1e-9));
    CHECK(sm::effective_sample_size(chains) == doctest::Approx(c.mean).epsilon(1e-9));
    CHECK(sm::monte_carlo_error(chains) == doctest::Approx(c.error).epsilon(1e-9));
  }
}

TEST_CASE("chains: neither order, unit nor offset matters; constants are no chains") {
  Rng rng(1);
  for (int trial = 0; trial < 50; ++trial) {
    const MatrixXd chains = normals<double>(8 + trial, 1 + trial % 4, rng);
    const double size = sm::effective_sample_size(chains);
    CHECK(size > 0);
    CHECK(size <= double(chains.size()) * std::log10(double(chains.size())) * (1 + 1e-9));
    const MatrixXd moved = 3 - 1e3 * chains.rowwise().reverse().array();
    CHECK(sm::effective_sample_size(moved) == doctest::Approx(size).epsilon(1e-6));
    // (Of an even number, the two draws beside the median are equally far from it up to rounding.)
    if (chains.size() % 2 == 1) {
      CHECK(sm::r_hat(moved) == doctest::Approx(sm::r_hat(chains)).epsilon(1e-9));
    }
  }
  const MatrixXd constant = MatrixXd::Constant(20, 2, 3);
  CHECK(sm::r_hat(constant) == 1);
  CHECK(sm::monte_carlo_error(constant) == 0);
  MatrixXd middle = MatrixXd::Constant(9, 2, 3);
  middle(4, 0) = 5;  // in neither half
  CHECK(sm::r_hat(middle) == 1);
  const MatrixXd draws = normals<double>(50, 3, rng);
  for (const double unit : {1e-200, 1e200}) {
    CHECK(sm::effective_sample_size(unit * draws) ==
          doctest::Approx(sm::effective_sample_size(draws)));
    CHECK(sm::monte_carlo_error(unit * draws) / unit ==
          doctest::Approx(sm::monte_carlo_error(draws)));
  }
  MatrixXd holed = normals<double>(20, 2, rng);
  holed(3, 1) = not_a_number;
  CHECK(contains(message_of([&] { sm::r_hat(holed); }), "chains(row 3, column 1) = nan"));
  CHECK(contains(message_of([&] { sm::effective_sample_size(holed.topRows(7)); }),
                 "the chains are 7 x 2; expected one chain per column, of at least 8"));
}

namespace {

template <class Policy>
void check_laws(const Policy& policy, Rng& rng) {
  for (int trial = 0; trial < 50; ++trial) {
    const Index m = 1 + trial % 4;
    const MatrixXd series = normals<double>(m, 60 + trial, rng);
    const MatrixXd v = policy.template long_run<double>(series);
    CHECK((v - v.transpose()).cwiseAbs().maxCoeff() < 1e-13);
    CHECK(Eigen::SelfAdjointEigenSolver<MatrixXd>(v).eigenvalues()(0) > -1e-12);
    const MatrixXd a = normals<double>(2, m, rng);
    const MatrixXd b = (a * series).colwise() + Eigen::Vector2d(5, -1e3);
    CHECK((policy.template long_run<double>(b) - a * v * a.transpose()).cwiseAbs().maxCoeff() <
          1e-9);
  }
}

}  // namespace

TEST_CASE("long-run covariances are semidefinite and follow linear maps") {
  Rng rng(2);
  check_laws(sm::Independent{}, rng);
  check_laws(sm::BatchMeans{.length = 7}, rng);
  check_laws(sm::OverlappingBatchMeans{.length = 7}, rng);
  check_laws(sm::NeweyWest{.lag = 7}, rng);
}

TEST_CASE("long-run covariances by their definitions") {
  Rng rng(3);
  for (int trial = 0; trial < 30; ++trial) {
    const Index n = 50 + trial, b = 1 + trial % 9;
    const MatrixXd series = normals<double>(2, n, rng);
    const MatrixXd off = series.colwise() - series.rowwise().mean();
    MatrixXd windowed = MatrixXd::Zero(2, 2);
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        const double weight = 1 - double(std::abs(i - j)) / double(b + 1);
        if (weight > 0) windowed += weight * off.col(i) * off.col(j).transpose() / double(n);
      }
    }
    CHECK((sm::NeweyWest{.lag = b}.long_run<double>(series) - windowed).norm() < 1e-12);
    MatrixXd overlapping = MatrixXd::Zero(2, 2);
    for (Index k = 0; k + b <= n; ++k) {
      const Eigen::Vector2d mean = off.middleCols(k, b).rowwise().mean();
      overlapping += mean * mean.transpose();
    }
    overlapping *= double(n) * double(b) / (double(n - b) * double(n - b + 1));
    CHECK((sm::OverlappingBatchMeans{.length = b}.long_run<double>(series) - overlapping).norm() <
          1e-12);
    if (n % b == 0) {
      MatrixXd batches = MatrixXd::Zero(2, 2);
      for (Index k = 0; k < n; k += b) {
        const Eigen::Vector2d mean = off.middleCols(k, b).rowwise().mean();
        batches += mean * mean.transpose() * double(b) / (double(n / b) - 1);
      }
      CHECK((sm::BatchMeans{.length = b}.long_run<double>(series) - batches).norm() < 1e-12);
    }
  }
}

TEST_CASE("memory that neighbors do not show, and chains that have not moved on") {
  Rng rng(5);
  constexpr Index n = 40000;
  // A slow walker below white noise.
  MatrixXd slow = normals<double>(1, n, rng);
  for (Index j = 1; j < n; ++j) slow(0, j) += 0.99 * slow(0, j - 1);
  const MatrixXd noisy = slow + 30 * normals<double>(1, n, rng);
  const auto check = [&](const auto& policy) {
    const double of_noise = policy.template long_run<double>(noisy)(0, 0) / (1e4 + 900);
    CHECK(of_noise > 0.3);
    CHECK(of_noise < 1.5);
    for (int trial = 0; trial < 100; ++trial) {
      MatrixXd walk = normals<double>(1, 200 + 20 * trial, rng);
      for (Index j = 1; j < walk.cols(); ++j) walk(0, j) += walk(0, j - 1);
      CHECK(contains(message_of([&] { policy.template long_run<double>(walk); }), "too short"));
    }
    // A row that is constant up to rounding is constant.
    MatrixXd still = normals<double>(2, 1000, rng);
    still.row(1).setConstant(0.1);
    CHECK(policy.template long_run<double>(still)(1, 1) == 0);
  };
  check(sm::BatchMeans{});
  check(sm::OverlappingBatchMeans{});
  check(sm::NeweyWest{});
  const Index huge = std::numeric_limits<Index>::max();
  for (const Index length : {huge, huge / 4 + 1, Index(11)}) {
    const MatrixXd few = normals<double>(1, 40, rng);
    CHECK(contains(message_of([&] { sm::BatchMeans{length}.long_run<double>(few); }), "too short"));
    CHECK(contains(message_of([&] { sm::NeweyWest{length}.long_run<double>(few); }), "too short"));
  }
}

TEST_CASE("an AR(1) chain: its long-run variance is 1 / (1 - r)^2") {
  Rng rng(4);
  for (const double r : {0.0, 0.5, 0.9, -0.5}) {
    CAPTURE(r);
    MatrixXd chain = normals<double>(1, 400000, rng);
    for (Index j = 1; j < chain.cols(); ++j) chain(0, j) += r * chain(0, j - 1);
    const double expected = 1 / ((1 - r) * (1 - r));
    for (const double v : {sm::BatchMeans{}.long_run<double>(chain)(0, 0),
                           sm::OverlappingBatchMeans{}.long_run<double>(chain)(0, 0),
                           sm::NeweyWest{}.long_run<double>(chain)(0, 0)}) {
      CHECK(std::abs(v / expected - 1) < 0.1);
    }
    const MatrixXd draws = chain.transpose();
    CHECK(std::abs(sm::effective_sample_size(draws) / (4e5 * (1 - r) / (1 + r)) - 1) < 0.1);
  }
}
