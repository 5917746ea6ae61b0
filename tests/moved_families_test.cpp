// A fit moves with its samples: families with a place and a width, by Lbfgs.
#include "support.hpp"

#include <doctest/doctest.h>

namespace {

using namespace support;

// Multiples of 2^-20, so that shifts up to 2^31 and powers of two lose nothing.
template <int Dim>
Eigen::Matrix<double, Dim, Eigen::Dynamic> on_grid(Eigen::Index d, Eigen::Index n, bool heavy,
                                                   Rng& rng) {
  std::exponential_distribution<double> exponential;
  Eigen::Matrix<double, Dim, Eigen::Dynamic> x = random_samples<double, Dim>(d, n, rng);
  for (Eigen::Index j = 0; j < n; ++j) {
    if (heavy) x.col(j) /= std::sqrt(exponential(rng));  // Student t with two degrees of freedom
    for (double& v : x.col(j)) v = std::ldexp(std::round(std::ldexp(v, 20)), -20);
  }
  return x;
}

// theta of the density at scale (x + shift), where theta is that at x: `own` are the coordinates of
// one Gaussian, which begin with its mean and log deviations.
void move_gaussian(auto own, Eigen::Index d, double shift, double scale) {
  for (Eigen::Index i = 0; i < d; ++i) {
    own(i) = scale * (own(i) + shift);
    own(d + i) += std::log(scale);
  }
  for (Eigen::Index k = 2 * d; k < own.size(); ++k) own(k) *= scale;
}

struct Law {
  double shift;  // in deviations, which are of order one
  double scale;
};
const Law laws[]{{30, 1},    {-1000, 1},        {0x1p18, 1},      {-0x1p30, 1},
                 {0, 1e-4},  {0, 1e4},          {0, 0x1p-40},     {0, 0x1p40},
                 {100, 1e3}, {0x1p30, 0x1p-40}, {0x1p30, 0x1p40}, {7, 0x1p-20}};

// `move(theta, shift, scale)` as above; the difference is taken in deviations.
template <class F, class L, class X, class Move, class... Start>
void check_moves(const F& family, const L& loss, const X& samples, const Move& move,
                 const Start&... start) {
  // A walk without a minimum goes where rounding leads it.
  const sm::Lbfgs optimizer{.max_iterations = 300};
  const auto fit = sm::fit(family, loss, optimizer, samples, start...);
  if constexpr (requires { fit.distribution.degrees_of_freedom(); }) {
    // At the ends, nu = 0 or infinity, the loss falls towards a limit, and any nu is as good.
    const double nu = fit.distribution.degrees_of_freedom();
    if (nu < 0.05 || nu > 20) return;
  }
  for (const Law& law : laws) {
    const double shift = law.shift, scale = law.scale;
    CAPTURE(shift);
    CAPTURE(scale);
    CAPTURE(fit.parameters.transpose());
    CAPTURE(fit.loss);
    const X there = scale * (samples.array() + shift).matrix();
    auto expected = fit.parameters;
    move(expected, shift, scale);
    [[maybe_unused]] const auto moved_start = [&](auto theta) {
      move(theta, shift, scale);
      return theta;
    };
    const auto moved = sm::fit(family, loss, optimizer, there, moved_start(start)...);
    CHECK((moved.status == sm::Status::converged) == (fit.status == sm::Status::converged));
    if (fit.status != sm::Status::converged) continue;
    CHECK(moved.iterations <= 1.5 * double(fit.iterations) + 2);
    CHECK(fit.iterations <= 1.5 * double(moved.iterations) + 2);
    const auto unit = family.scales(expected);
    CHECK((moved.parameters - expected).cwiseQuotient(unit).cwiseAbs().maxCoeff() <= 1e-6);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("a Gaussian from any start moves with its samples", Loss, sm::ScoreMatchingLoss,
                   sm::NegativeLogLikelihood) {
  Rng rng(1);
  for (int problem = 0; problem < 8; ++problem) {
    CAPTURE(problem);
    const Eigen::Index d = 1 + problem % 4;
    const sm::GaussianFamily<double> family(d);
    const auto x = on_grid<Eigen::Dynamic>(d, 3 * d + 5, problem % 2 == 0, rng);
    const auto move = [d](auto& theta, double shift, double scale) {
      move_gaussian(theta.head(theta.size()), d, shift, scale);
    };
    check_moves(family, Loss{}, x, move);
    check_moves(family, Loss{}, x, move,
                Eigen::VectorXd(0.3 * normals<double>(family.parameter_count(), 1, rng)));
  }
}

TEST_CASE("Gaussians of twelve to twenty dimensions, shifted or in small units, are right") {
  Rng rng(2);
  for (const Eigen::Index d : {12, 16, 20}) {
    const sm::GaussianFamily<double> family(d);
    const Eigen::MatrixXd x = random_samples(d, 10 * d, rng);
    for (const Law& law : laws) {
      const double shift = law.shift, scale = law.scale;
      const Eigen::MatrixXd there = scale * (x.array() + shift).matrix();
      const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, there);
      sm::Moments<double> moments(d);
      moments.add(there);
      CHECK(fit.status == sm::Status::converged);
      CHECK(covariance_difference(fit.distribution.covariance(), moments.covariance()) <= 1e-6);
    }
  }
}

TEST_CASE("a Student t moves with its samples") {
  Rng rng(3);
  for (int problem = 0; problem < 8; ++problem) {
    CAPTURE(problem);
    const auto move = [](auto& theta, double shift, double scale) {
      const Eigen::Index d = theta.size() == 3 ? 1 : 2;
      move_gaussian(theta.head(theta.size() - 1), d, shift, scale);
    };
    check_moves(sm::StudentTFamily<double, 1>{}, sm::ScoreMatchingLoss{},
                on_grid<1>(1, 200, true, rng), move);
    if (problem % 4 == 0) {
      check_moves(sm::StudentTFamily<double, 2>{}, sm::ScoreMatchingLoss{},
                  on_grid<2>(2, 100, true, rng), move);
    }
  }
}

TEST_CASE("a mixture moves with its samples, by drawn losses too") {
  Rng rng(4);
  const auto move = [](auto& theta, double shift, double scale) {
    move_gaussian(theta.segment(1, 2), 1, shift, scale);
    move_gaussian(theta.segment(3, 2), 1, shift, scale);
  };
  const sm::GaussianMixtureFamily<double, 1, 2> family;
  for (int problem = 0; problem < 5; ++problem) {
    CAPTURE(problem);
    auto x = on_grid<1>(1, 80, false, rng);
    x.leftCols(30).array() += 4;
    check_moves(family, sm::ScoreMatchingLoss{}, x, move);
    if (problem % 5 == 0) check_moves(family, sm::SlicedScoreMatchingLoss{}, x, move);
  }
}
