#include "support.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace support;

using P8 = sm::Pack<double, 8>;
using P16 = sm::Pack<float, 16>;

template <class P>
P pack_of(Rng& rng) {
  std::normal_distribution<double> normal;
  P result;
  for (int k = 0; k < sm::lanes_of<P>; ++k) {
    result.set(k, static_cast<typename P::Lane>(normal(rng)));
  }
  return result;
}

// One operation on packs against the same on each lane.
template <class P, class Packed, class Single>
void check_lanes(const P& a, const P& b, Packed packed, Single single) {
  const auto result = packed(a, b);
  for (int k = 0; k < sm::lanes_of<P>; ++k) {
    const auto expected = single(a[k], b[k]);
    if (expected != expected) {
      CHECK(result[k] != result[k]);
    } else {
      CHECK(result[k] == expected);
    }
  }
}

template <class P>
void check_operations() {
  using T = typename P::Lane;
  Rng rng(3);
  P special = pack_of<P>(rng);
  const T values[] = {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN(), T(0),
                      -T(0)};
  constexpr int lanes = sm::lanes_of<P>;
  for (int k = 0; k < std::min(lanes, 4); ++k) special.set(k, values[k]);
  P same = special;
  same.set(lanes - 1, T(1));
  for (const P& b : {pack_of<P>(rng), special, same}) {
    for (const P& a : {pack_of<P>(rng), special}) {
      check_lanes(
          a, b, [](auto x, auto y) { return x + y; }, [](T x, T y) { return x + y; });
      check_lanes(
          a, b, [](auto x, auto y) { return x - y; }, [](T x, T y) { return x - y; });
      check_lanes(
          a, b, [](auto x, auto y) { return x * y; }, [](T x, T y) { return x * y; });
      check_lanes(
          a, b, [](auto x, auto y) { return x / y; }, [](T x, T y) { return x / y; });
      check_lanes(
          a, b, [](auto x, auto y) { return x < y; }, [](T x, T y) { return x < y; });
      check_lanes(
          a, b, [](auto x, auto y) { return x <= y; }, [](T x, T y) { return x <= y; });
      check_lanes(
          a, b, [](auto x, auto y) { return x > y; }, [](T x, T y) { return x > y; });
      check_lanes(
          a, b, [](auto x, auto y) { return x >= y; }, [](T x, T y) { return x >= y; });
      check_lanes(
          a, b, [](auto x, auto y) { return x == y; }, [](T x, T y) { return x == y; });
      check_lanes(
          a, b, [](auto x, auto y) { return x != y; }, [](T x, T y) { return x != y; });
      check_lanes(
          a, b, [](auto x, auto y) { return select(x < y, x, y); },
          [](T x, T y) { return x < y ? x : y; });
      check_lanes(
          a, b, [](auto x, auto) { return is_finite(x); }, [](T x, T) { return std::isfinite(x); });
      check_lanes(
          a, b, [](auto x, auto) { return -abs(x); }, [](T x, T) { return -std::abs(x); });
      check_lanes(
          a, b, [](auto x, auto y) { return (x < y) | !(y == x); },
          [](T x, T y) { return x < y || !(y == x); });
    }
  }
  sm::PackMask<T, sm::lanes_of<P>> mask = false;
  CHECK_FALSE(any(mask));
  CHECK(all(!mask));
  mask.set(sm::lanes_of<P> - 1, true);
  CHECK(any(mask));
  CHECK_FALSE(all(mask));
  CHECK(mask[sm::lanes_of<P> - 1]);
  CHECK_FALSE(mask[0]);
  mask = true;
  CHECK(all(mask));
  mask.set(1, false);
  CHECK_FALSE(all(mask));
  CHECK_FALSE(mask[1]);
  CHECK(mask[0]);
}

template <class Scalar, int Dim>
std::vector<sm::Moments<Scalar, Dim>> random_problems(std::size_t count) {
  Rng rng(7);
  std::vector<sm::Moments<Scalar, Dim>> result(count);
  for (auto& moments : result) moments.add(random_samples<Scalar, Dim>(Dim, 40, rng));
  return result;
}

template <class F>
void check_same(const sm::Fit<F>& together, const sm::Fit<F>& alone, double tolerance) {
  CHECK(together.status == alone.status);
  CHECK(together.iterations == alone.iterations);
  CHECK(relative_difference(together.parameters, alone.parameters) <= tolerance);
  CHECK(relative_difference(together.distribution.covariance(), alone.distribution.covariance()) <=
        tolerance);
  const double loss = double(alone.loss);
  CHECK(std::abs(double(together.loss) - loss) <= tolerance * (1 + std::abs(loss)));
  CHECK(std::abs(double(together.gradient_norm - alone.gradient_norm)) <=
        tolerance * (1 + std::abs(loss)));
}

template <class Scalar, int Dim, class Loss, class Optimizer>
void check_batch(const Loss& loss, const Optimizer& optimizer, std::size_t count,
                 double tolerance) {
  const sm::GaussianFamily<Scalar, Dim> family;
  const auto problems = random_problems<Scalar, Dim>(count);
  const auto fits = sm::fit_batch(family, loss, optimizer, problems);
  REQUIRE(fits.size() == count);
  for (std::size_t k = 0; k < count; ++k) {
    CAPTURE(k);
    check_same(fits[k], sm::fit(family, loss, optimizer, problems[k]), tolerance);
  }
}

const sm::GradientDescent descent{.learning_rate = 1e-2, .max_iterations = 300};

}  // namespace

TEST_CASE("operations on packs are those on their lanes") {
  check_operations<P8>();
  check_operations<P16>();
  check_operations<sm::Pack<double, 2>>();
  check_operations<sm::Pack<double, 32>>();
}

TEST_CASE("exp of a pack is within a unit in the last place") {
  double worst = 0;
  for (double x = -745; x < 710; x += 0.0137) {
    const double value = exp(P8(x))[5];
    const long double expected = std::exp(static_cast<long double>(x));
    const double next = std::nextafter(static_cast<double>(expected), infinity);
    const double unit = next - static_cast<double>(expected);
    if (std::isfinite(next)) {
      const long double error = static_cast<long double>(value) - expected;
      worst = std::max(worst, std::abs(static_cast<double>(error)) / unit);
    }
  }
  CHECK(worst <= 1);  // met where the result is subnormal
  CHECK(exp(P8(0))[0] == 1);
  CHECK(exp(P8(-0.0))[0] == 1);
  CHECK(exp(P8(709.78))[0] == doctest::Approx(std::exp(709.78)).epsilon(1e-15));
  CHECK(exp(P8(709.79))[0] == infinity);
  CHECK(exp(P8(1e300))[0] == infinity);
  CHECK(exp(P8(infinity))[0] == infinity);
  CHECK(exp(P8(-746))[0] == 0);
  CHECK(exp(P8(-infinity))[0] == 0);
  CHECK(std::isnan(exp(P8(not_a_number))[0]));
  CHECK(double(exp(P16(1.5F))[3]) == doctest::Approx(std::exp(1.5)).epsilon(1e-6));
  CHECK(log(P8(7.5))[1] == doctest::Approx(std::log(7.5)).epsilon(1e-15));
  CHECK(sqrt(P8(7.5))[1] == doctest::Approx(std::sqrt(7.5)).epsilon(1e-15));
}

TEST_CASE("sine and cosine of a pack") {
  for (const double x : {-1e5, -3.0, -0.0, 1e-9, 0.7, 40.0}) {
    CHECK(sin(P8(x))[2] == doctest::Approx(std::sin(x)).epsilon(1e-15));
    CHECK(cos(P8(x))[2] == doctest::Approx(std::cos(x)).epsilon(1e-15));
    const auto narrow = static_cast<float>(x);
    CHECK(std::abs(double(sin(P16(narrow))[9]) - std::sin(double(narrow))) < 1e-6);
    CHECK(std::abs(double(cos(P16(narrow))[9]) - std::cos(double(narrow))) < 1e-6);
  }
}

TEST_CASE("a batch equals its problems fitted alone, whatever their number") {
  for (const std::size_t count : {0U, 1U, 2U, 7U, 8U, 9U, 33U}) {
    CAPTURE(count);
    check_batch<double, 2>(sm::ScoreMatchingLoss{}, descent, count, 1e-12);
  }
  check_batch<double, 2>(sm::NegativeLogLikelihood{}, descent, 11, 1e-12);
  check_batch<double, 1>(sm::ScoreMatchingLoss{}, sm::Momentum{.max_iterations = 100}, 11, 1e-12);
  check_batch<double, 3>(sm::ScoreMatchingLoss{}, sm::Adam{.amsgrad = true, .max_iterations = 100},
                         11, 1e-11);
  check_batch<double, 2>(sm::ScoreMatchingLoss{}, sm::ClosedForm{}, 11, 1e-12);
  check_batch<float, 2>(sm::ScoreMatchingLoss{}, descent, 21, 1e-4);
}

TEST_CASE("what cannot run in lockstep is fitted one by one") {
  check_batch<double, 9>(sm::ScoreMatchingLoss{}, sm::ClosedForm{}, 3, 1e-12);
  check_batch<long double, 2>(sm::ScoreMatchingLoss{}, sm::ClosedForm{}, 3, 1e-12);
  const sm::GaussianFamily<double> family(2);
  Rng rng(5);
  const std::vector<Eigen::MatrixXd> blocks(3, random_samples(2, 30, rng));
  const auto fits = sm::fit_batch(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, blocks);
  REQUIRE(fits.size() == 3);
  CHECK(same_bits(fits[0].parameters, fits[2].parameters));
}

namespace {

// The family over packs would not have its start.
struct Elsewhere : sm::GaussianFamily<double, 2> {
  Parameters start() const { return (Parameters() << 1, 2, 0, 0, 0).finished(); }
};

static_assert(sm::LockstepFamily<sm::GaussianFamily<double, 2>, P8>);
static_assert(!sm::LockstepFamily<sm::GaussianFamily<double, 2>, P16>);  // of floats
static_assert(!sm::LockstepFamily<sm::StudentTFamily<double, 2>, P8>);
static_assert(!sm::LockstepFamily<Elsewhere, P8>);

}  // namespace

TEST_CASE("a family with a start of its own sets out from there in a batch, too") {
  const auto problems = random_problems<double, 2>(9);
  const sm::GradientDescent few{.learning_rate = 1e-2, .max_iterations = 5};
  const auto fits = sm::fit_batch(Elsewhere{}, sm::ScoreMatchingLoss{}, few, problems);
  for (std::size_t k = 0; k < problems.size(); ++k) {
    const auto alone = sm::fit(Elsewhere{}, sm::ScoreMatchingLoss{}, few, problems[k]);
    CHECK(same_bits(fits[k].parameters, alone.parameters));
  }
}

TEST_CASE("each lane ends in its own way and keeps what it has") {
  const sm::GaussianFamily<double, 2> family;
  auto problems = random_problems<double, 2>(21);
  // Narrow samples make the first step overshoot the domain; two samples are singular; the standard
  // normal converges long before the others.
  Rng rng(9);
  problems[3] = {};
  problems[3].add((1e-4 * normals<double, 2>(2, 30, rng)).eval());
  problems[5] = {};
  problems[5].add(normals<double, 2>(2, 2, rng));
  problems[20] = problems[5];
  problems[7] = {};
  problems[7].add(Eigen::Matrix<double, 2, 4>{{1, 1, -1, -1}, {1, -1, 1, -1}});
  const sm::GradientDescent optimizer{.learning_rate = 0.05, .max_iterations = 3000};
  const auto fits = sm::fit_batch<8>(family, sm::ScoreMatchingLoss{}, optimizer, problems);
  int kinds[6] = {};
  for (std::size_t k = 0; k < problems.size(); ++k) {
    CAPTURE(k);
    const auto alone = sm::fit(family, sm::ScoreMatchingLoss{}, optimizer, problems[k]);
    CHECK(fits[k].status == alone.status);
    // Rounding may move the step at which a slow tail crosses the tolerance.
    CHECK(std::abs(double(fits[k].iterations - alone.iterations)) <= 2);
    CHECK((fits[k].parameters - alone.parameters).norm() <= 1e-7);
    ++kinds[int(fits[k].status)];
  }
  CHECK(kinds[int(sm::Status::converged)] > 10);
  CHECK(fits[3].status == sm::Status::diverged);
  CHECK(fits[5].status == sm::Status::unbounded);
  CHECK(fits[20].status == sm::Status::unbounded);
  CHECK(fits[5].parameters.isZero(0));
  CHECK(fits[7].status == sm::Status::converged);
  CHECK(fits[7].iterations == 0);

  // All lanes unbounded, and the exact minimum beside lanes that have none.
  const std::vector<sm::Moments<double, 2>> singular(5, problems[5]);
  for (const auto& fit : sm::fit_batch(family, sm::ScoreMatchingLoss{}, optimizer, singular)) {
    CHECK(fit.status == sm::Status::unbounded);
  }
  const auto exact = sm::fit_batch<8>(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, problems);
  CHECK(exact[5].status == sm::Status::unbounded);
  CHECK(exact[5].parameters.isZero(0));
  CHECK(exact[4].status == sm::Status::converged);
  CHECK(exact[4].distribution.covariance().isApprox(problems[4].covariance(), 1e-13));
}

TEST_CASE("blocks of samples, and the errors of one among them") {
  const sm::GaussianFamily<double, 2> family;
  Rng rng(11);
  std::vector<Eigen::Matrix2Xd> blocks;
  for (int k = 0; k < 10; ++k) blocks.push_back(random_samples<double, 2>(2, 20 + k, rng));
  const auto fits = sm::fit_batch(family, sm::ScoreMatchingLoss{}, descent, blocks);
  REQUIRE(fits.size() == blocks.size());
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    check_same(fits[k], sm::fit(family, sm::ScoreMatchingLoss{}, descent, blocks[k]), 1e-12);
  }
  blocks[4](1, 3) = not_a_number;
  CHECK(
      contains(message_of([&] { sm::fit_batch(family, sm::ScoreMatchingLoss{}, descent, blocks); }),
               "samples(row 1, column 3) = nan"));
  const std::vector<sm::Moments<double, 2>> empty(3);
  CHECK(
      contains(message_of([&] { sm::fit_batch(family, sm::ScoreMatchingLoss{}, descent, empty); }),
               "no samples"));
}

TEST_CASE("packs fit as a scalar of their own: lanes of a lockstep simulation") {
  Rng rng(13);
  const sm::GaussianFamily<P8, 2> family;
  sm::Moments<P8, 2> moments;
  std::vector<sm::Moments<double, 2>> alone(8);
  for (int n = 0; n < 30; ++n) {
    Eigen::Matrix<P8, 2, 1> x;
    x << pack_of<P8>(rng), pack_of<P8>(rng);
    moments.add(x);
    for (int k = 0; k < 8; ++k) alone[std::size_t(k)].add(Eigen::Vector2d(x(0)[k], x(1)[k]));
  }
  int steps = 0;
  const auto observer = [&](const sm::IterationState<sm::GaussianFamily<P8, 2>::Parameters>&) {
    return ++steps < 50;
  };
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, descent, moments, observer);
  CHECK(steps == 50);
  for (int k = 0; k < 8; ++k) {
    const auto lane = std::size_t(k);
    CHECK(fit.status[lane] == sm::Status::stopped);
    CHECK(fit.iterations[lane] == 50);
    const auto single =
        sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
                sm::GradientDescent{.learning_rate = 1e-2, .max_iterations = 50}, alone[lane]);
    CHECK(fit.distribution[lane].mean().isApprox(single.distribution.mean(), 1e-12));
  }

  // A lane that rejects its sample leaves all as they were.
  Eigen::Matrix<P8, 2, 1> bad;
  bad << pack_of<P8>(rng), pack_of<P8>(rng);
  bad(1).set(6, not_a_number);
  CHECK(contains(message_of([&] { moments.add(bad); }), "samples(row 1, column 0) = nan"));
  CHECK(all(moments.count() == sm::Pack<double, 8>(30)));
  moments.merge(moments);
  CHECK(moments.count()[0] == 60);
}

TEST_CASE("packs of a dimension known at run time fit as each lane alone") {
  Rng rng(14);
  const Eigen::Index d = 19;  // more than a tile
  const sm::GaussianFamily<P8> family(d);
  sm::Moments<P8> moments(d);
  std::vector<sm::Moments<double>> alone(8, sm::Moments<double>(d));
  for (int n = 0; n < 60; ++n) {
    Eigen::Matrix<P8, Eigen::Dynamic, 1> x(d);
    for (Eigen::Index i = 0; i < d; ++i) x(i) = pack_of<P8>(rng);
    if (n >= 10) {
      for (Eigen::Index i = 0; i < d; ++i) x(i).set(3, 0.5);  // too few samples in this lane
    }
    moments.add(x);
    for (int k = 0; k < 8; ++k) {
      alone[std::size_t(k)].add(
          Eigen::VectorXd::NullaryExpr(d, [&](Eigen::Index i) { return x(i)[k]; }));
    }
  }
  const auto check = [&](const auto& loss, const auto& optimizer) {
    const auto together = sm::fit(family, loss, optimizer, moments);
    for (int k = 0; k < 8; ++k) {
      CAPTURE(k);
      const auto lane = std::size_t(k);
      const auto single = sm::fit(sm::GaussianFamily<double>(d), loss, optimizer, alone[lane]);
      CHECK(together.status[lane] == single.status);
      CHECK(together.iterations[lane] == single.iterations);
      CHECK(together.distribution[lane].covariance().isApprox(single.distribution.covariance(),
                                                              1e-12));
      CHECK(std::abs(together.loss[k] - single.loss) <= 1e-12 * std::abs(single.loss));
    }
    CHECK(together.status[3] == sm::Status::unbounded);
  };
  check(sm::ScoreMatchingLoss{}, sm::ClosedForm{});
  check(sm::NegativeLogLikelihood{}, sm::ClosedForm{});
  check(sm::ScoreMatchingLoss{}, sm::GradientDescent{.learning_rate = 1e-2, .max_iterations = 50});
}

TEST_CASE("a batch names the problem that it refuses") {
  const sm::GaussianFamily<double, 2> family;
  const auto refused = [&](const std::vector<Eigen::Matrix2Xd>& blocks) {
    return message_of(
        [&] { sm::fit_batch(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, blocks); });
  };
  std::vector<Eigen::Matrix2Xd> blocks(3, Eigen::Matrix2Xd::Random(2, 9));
  blocks[1](0, 4) = not_a_number;
  CHECK(contains(refused(blocks), "blocks[1]: samples(row 0, column 4) = nan"));
  blocks[1].resize(2, 0);
  CHECK(contains(refused(blocks), "problem 1 has no samples (count = 0)"));
}

namespace {

// Score matching that refuses few samples; `alone_only`, packs of any.
struct PickyLoss {
  double least = 0;
  bool alone_only = false;

  template <class F>
  auto summary(const F& family) const {
    return sm::ScoreMatchingLoss{}.summary(family);
  }
  template <class F, class Summary>
  auto objective(const F& family, const Summary& summary) const {
    using sm::all;
    if (!all(summary.count() >= least)) throw std::invalid_argument("scorematch: too few samples");
    if (alone_only && sm::Lockstep<typename F::Scalar>) throw std::invalid_argument("packs");
    return sm::ScoreMatchingLoss{}.objective(family, summary);
  }
};

// The closed form, but where the first entry of the mean is above `largest`: there it is no number.
struct Overshooting {
  double largest;

  template <class Parameters, sm::HasExactMinimum<Parameters> Obj, sm::Observer<Parameters> Obs>
  sm::Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs& observer) const {
    using sm::select;
    using Scalar = typename Parameters::Scalar;
    auto at = sm::ClosedForm{}.minimize(objective, start, observer);
    const sm::MaskOf<Scalar> beyond = at.parameters(0) > Scalar(largest);
    at.parameters(2) = select(beyond, Scalar(infinity), at.parameters(2));
    return at;
  }
};

}  // namespace

TEST_CASE("a batch names the problem that is refused in lockstep") {
  const sm::GaussianFamily<double, 2> family;
  auto problems = random_problems<double, 2>(21);
  const auto refused = [&](const auto& loss, const auto& optimizer) {
    return message_of([&] { sm::fit_batch<8>(family, loss, optimizer, problems); });
  };
  // Of the second pack, and one of the last, which comes too late to be named.
  problems[13] = {};
  problems[13].add(Eigen::Matrix2d::Identity());
  problems[20] = problems[13];
  CHECK(refused(PickyLoss{.least = 3}, descent) == "scorematch: summaries[13]: too few samples");
  CHECK(refused(PickyLoss{.least = 2}, descent) == "no exception");

  problems = random_problems<double, 2>(21);
  const auto usual = problems[9];
  problems[9] = {};
  problems[9].add(Eigen::Matrix<double, 2, 3>{{1001, 1000, 1002}, {1, -2, 1}});
  CHECK(refused(sm::ScoreMatchingLoss{}, Overshooting{500}) ==
        "scorematch: summaries[9]: theta(2) = inf; expected a finite value");

  // Options are no problem's own, in lockstep as one by one.
  problems[9] = usual;
  const sm::Momentum backwards{.learning_rate = -1};
  const std::string options =
      "scorematch: Momentum: learning_rate = -1; expected a finite number above 0";
  CHECK(refused(sm::ScoreMatchingLoss{}, backwards) == options);
  CHECK(message_of([&] {
          sm::fit_batch<1>(family, sm::ScoreMatchingLoss{}, backwards, problems);
        }) == options);
  CHECK(refused(sm::ScoreMatchingLoss{}, sm::Lbfgs{.history = 0}) ==
        "scorematch: Lbfgs: history = 0; expected a number from 1 to 20");

  // What is refused as a pack alone is fitted one by one.
  const auto fits = sm::fit_batch<8>(family, PickyLoss{.alone_only = true}, descent, problems);
  REQUIRE(fits.size() == problems.size());
  for (std::size_t k = 0; k < fits.size(); ++k) {
    check_same(fits[k], sm::fit(family, sm::ScoreMatchingLoss{}, descent, problems[k]), 0);
  }
}
