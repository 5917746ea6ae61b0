#include "stein_samplers.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

#include <numbers>
#include <stdexcept>
#include <vector>

namespace {

using namespace support;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using stein_samplers::OnGrid;

const sm::GaussianFamily<double, 1> line;

template <class X, class Bits>
auto gaussian_test(const X& x, Bits& rng, const sm::ParametricBootstrap& bootstrap) {
  return sm::stein_test_of_fit(line, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, x, rng, bootstrap);
}

// Draws of a von Mises density with a field, by its distribution function on a grid.
const auto von_mises = [](const auto& density, Eigen::Index n, Rng& rng) {
  const OnGrid angle(
      [&](double x) {
        return density.unnormalized_log_density(Eigen::Matrix<double, 1, 1>::Constant(1, x));
      },
      -4, -4 + 2 * std::numbers::pi, 400);
  MatrixXd x(1, n);
  for (double& own : x.reshaped()) own = angle(rng);
  return x;
};

}  // namespace

TEST_CASE("the test of fit is the parametric bootstrap written out") {
  Rng rng(1);
  for (const Eigen::Index n : {5, 30}) {
    const Eigen::RowVectorXd x = normals<double>(1, n, rng).array() * 3 + 7;
    Rng copy = rng;
    const auto test = gaussian_test(x, rng, {.draws = 25});
    const auto of = [](const Eigen::RowVectorXd& y) {
      const double deviation = std::sqrt((y.array() - y.mean()).square().mean());
      const auto model = [&](const Eigen::Matrix<double, 1, 1>& at) -> Eigen::Matrix<double, 1, 1> {
        return -(at.array() - y.mean()) / (deviation * deviation);
      };
      const auto found = sm::stein_discrepancy(model, y);
      const double count = double(y.size());
      return found.u_statistic / (count * found.v_statistic - (count - 1) * found.u_statistic);
    };
    const auto fitted = sm::fit(line, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, x);
    int as_large = 0;
    for (int b = 0; b < 25; ++b) as_large += of(fitted.distribution.sample(n, copy)) >= of(x);
    CHECK(test.p_value == doctest::Approx((1.0 + as_large) / 26).epsilon(1e-14));
    CHECK(rng == copy);
    CHECK(test.unconverged == 0);
    CHECK(test.fit.status == sm::Status::converged);
    CHECK(test.length == sm::median_distance(x));
    CHECK(same_bits(test.fit.parameters, fitted.parameters));
  }
}

TEST_CASE("a fitter fits the samples and each set that is drawn") {
  Rng rng(6);
  const Eigen::RowVectorXd x = normals<double>(1, 25, rng).array().abs();
  const Rng before = rng;
  const auto by_loss = gaussian_test(x, rng, {.draws = 20});
  const Rng after = rng;
  const auto plain = [](const auto& y) {
    return sm::fit(line, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, y);
  };
  std::vector<Eigen::RowVectorXd> seen;
  const auto fitter = [&](const Eigen::RowVectorXd& y) {
    seen.push_back(y);
    return plain(y);
  };
  rng = before;
  const auto test = sm::stein_test_of_fit(fitter, x, rng, {.draws = 20});
  CHECK(rng == after);
  CHECK(test.p_value == by_loss.p_value);
  CHECK(same_bits(test.fit.parameters, by_loss.fit.parameters));
  REQUIRE(seen.size() == 21);
  CHECK(same_bits(seen[0], x));
  rng = before;
  for (std::size_t b = 1; b < seen.size(); ++b) {
    CHECK(same_bits(seen[b], test.fit.distribution.sample(25, rng)));
  }

  // A block of samples, and a fitter that draws from the same generator.
  const sm::GaussianMixtureFamily<double, 1, 2> two;
  const auto of_starts = [&](const auto& y) {
    const auto starts = two.random_starts(y, 2, rng);
    const sm::Lbfgs optimizer{.max_iterations = 30};
    return sm::multi_start(two, sm::ScoreMatchingLoss{}, optimizer, y, starts).best;
  };
  const MatrixXd rows = MatrixXd(normals<double>(2, 60, rng));
  const auto of_block = [&] {
    rng = before;
    return sm::stein_test_of_fit(of_starts, rows.topRows(1), rng, {.draws = 2});
  };
  CHECK(of_block().p_value == of_block().p_value);
}

TEST_CASE("a fit of what is drawn may fail") {
  Rng rng(7);
  const Eigen::RowVectorXd x = normals<double>(1, 25, rng).array().abs();
  int calls = 0;
  // Ends in a way of ours: the first call, of the samples, and all others.
  const auto ending = [&](sm::Status first, sm::Status later) {
    calls = 0;
    return [&calls, first, later](const auto& y) {
      auto fit = sm::fit(line, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, y);
      fit.status = calls++ == 0 ? first : later;
      return fit;
    };
  };
  using enum sm::Status;
  const Rng before = rng;
  const double p = gaussian_test(x, rng, {.draws = 30}).p_value;
  CHECK(p < 1);
  rng = before;
  const auto slow =
      sm::stein_test_of_fit(ending(converged, iteration_limit), x, rng, {.draws = 30});
  CHECK(slow.unconverged == 30);
  CHECK(slow.p_value == p);
  for (const auto status : {diverged, unbounded}) {
    rng = before;
    const auto none = sm::stein_test_of_fit(ending(status, converged), x, rng, {.draws = 30});
    CHECK(none.fit.status == status);
    CHECK(none.p_value == 1);
    CHECK(calls == 1);
    CHECK(rng == before);
  }
#ifdef __cpp_exceptions
  const auto refusing = [&](int from) {
    calls = 0;
    return [&calls, from](const auto& y) {
      if (calls++ >= from) throw std::invalid_argument("not these");
      return sm::fit(line, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, y);
    };
  };
  const auto refused = sm::stein_test_of_fit(refusing(1), x, rng, {.draws = 30});
  CHECK(refused.unconverged == 30);
  CHECK(refused.p_value == 1);
  CHECK(message_of([&] { sm::stein_test_of_fit(refusing(0), x, rng); }) == "not these");
#endif
}

TEST_CASE("p goes with neither the place nor the unit of the samples") {
  Rng rng(2);
  for (int trial = 0; trial < 20; ++trial) {
    const Eigen::RowVectorXd x = normals<double>(1, 25, rng).array().abs();
    Rng one(3), other(3);
    const double p = gaussian_test(x, one, {.draws = 49}).p_value;
    const double scale = std::ldexp(1.0, trial - 10);
    const Eigen::RowVectorXd moved = x.array() * scale - 5 * scale;
    CHECK(std::abs(gaussian_test(moved, other, {.draws = 49}).p_value - p) <= 1.01 / 50);
  }
}

TEST_CASE("the level of the test of fit is right where that of fitted samples is not") {
  Rng rng(4);
  const int runs = 1000;
  int gaussian = 0, fitted = 0, round = 0, heavy = 0, uniform = 0;
  const OnGrid angle([](double x) { return std::cos(x); }, -4, -4 + 2 * std::numbers::pi);
  const sm::VonMisesFamily<double> circle(1);
  for (int run = 0; run < runs; ++run) {
    const Eigen::RowVectorXd x = normals<double>(1, 40, rng);
    const auto test = gaussian_test(x, rng, {.draws = 39});
    gaussian += test.p_value <= 0.05;
    fitted +=
        sm::stein_test(test.fit.distribution, x, rng, sm::InverseMultiquadric{}, {.draws = 39})
            .p_value <= 0.05;
    if (run % 2 == 0) {
      MatrixXd y(1, 40);
      for (double& own : y.reshaped()) own = angle(rng);
      round += sm::stein_test_of_fit(circle, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, y, rng,
                                     {.draws = 19}, sm::PeriodicKernel<>{}, von_mises)
                   .p_value <= 0.05;
    }
    if (run < 30) {
      heavy +=
          gaussian_test((x.array() * x.array() * x.array()).matrix(), rng, {.draws = 39}).p_value <=
          0.05;
      Eigen::RowVectorXd two(100);
      for (double& own : two) own = 0.3 * normals<double>(1, 1, rng)(0) + (rng() % 2 == 0 ? 1 : -1);
      uniform += gaussian_test(two, rng, {.draws = 39}).p_value <= 0.05;
    }
  }
  // 5 % of 1000 has the standard error 0.7 %, of 500 1.0 %.
  CHECK(gaussian >= 0.025 * runs);
  CHECK(gaussian <= 0.075 * runs);
  CHECK(round >= 0.015 * runs / 2);
  CHECK(round <= 0.085 * runs / 2);
  CHECK(fitted <= 0.02 * runs);  // the wild bootstrap on fitted samples hardly ever rejects
  CHECK(heavy >= 27);
  CHECK(uniform >= 27);
}

TEST_CASE("what is no fit is not tested, and misuse is named") {
  Rng rng(5);
  const Eigen::RowVectorXd x = normals<double>(1, 20, rng);
  const Rng before = rng;
  const Eigen::Matrix2Xd flat = x.replicate(2, 1);
  const auto unbounded = sm::stein_test_of_fit(
      sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, flat, rng);
  CHECK(unbounded.fit.status == sm::Status::unbounded);
  CHECK(unbounded.p_value == 1);
  CHECK(rng == before);

  const auto with = [&](const auto& sampler) {
    return sm::stein_test_of_fit(line, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, x, rng,
                                 {.draws = 9}, sm::InverseMultiquadric{}, sampler);
  };
  const auto far = with([](const auto&, Eigen::Index n, Rng&) -> Eigen::RowVectorXd {
    return Eigen::RowVectorXd::Constant(n, infinity);
  });
  CHECK(far.unconverged == 9);
  CHECK(far.p_value == 1);
  const auto one_place = with([](const auto&, Eigen::Index n, Rng&) -> Eigen::RowVectorXd {
    return Eigen::RowVectorXd::Constant(n, 0.1);
  });
  CHECK(one_place.unconverged == 9);
  CHECK(one_place.p_value == 1);
  const auto few = [](const auto&, Eigen::Index n, Rng&) -> Eigen::RowVectorXd {
    return Eigen::RowVectorXd::Zero(n - 1);
  };
  CHECK(message_of([&] { with(few); }) ==
        "scorematch: the sampler returned 1 x 19; expected 1 x 20");
  CHECK(contains(message_of([&] { gaussian_test(x, rng, {.draws = 0}); }),
                 "ParametricBootstrap: draws = 0; expected at least 1"));
  const Eigen::RowVectorXf single = x.cast<float>();
  CHECK(sm::stein_test_of_fit(sm::GaussianFamily<float, 1>{}, sm::ScoreMatchingLoss{},
                              sm::ClosedForm{}, single, rng, {.draws = 19})
            .p_value > 0.05);
}
