#include "state_archive.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace {

using namespace support;

template <class Scalar, int Dim>
using Block = Eigen::Matrix<Scalar, Dim, Eigen::Dynamic>;

// Random samples of any size and place: an offset of up to 10^6, a scale of 10^-3 to 10^3. Those
// of `positive` are all above zero.
template <class S>
Block<typename S::Scalar, S::Dim> draw(const S& summary, Eigen::Index n, bool positive, Rng& rng) {
  using Scalar = typename S::Scalar;
  std::uniform_real_distribution<double> uniform(-1, 1);
  const double offset = rng() % 2 == 0 ? 0 : 1e6 * uniform(rng);
  const double scale = std::pow(10, 3 * uniform(rng));
  Eigen::MatrixXd x = scale * normals<double>(summary.dimension(), n, rng);
  x.array() += offset;
  if (positive) x = x.cwiseAbs();
  return x.cast<Scalar>();
}

// One random step of a life: a sample, a block, a weighted block, another summary.
template <class S>
void grow(S& summary, const S& empty, bool positive, Rng& rng) {
  using Scalar = typename S::Scalar;
  using Weights = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  const auto n = static_cast<Eigen::Index>(rng() % 6);
  const Block<Scalar, S::Dim> x = draw(summary, n, positive, rng);
  switch (rng() % 4) {
    case 0: summary.add(draw(summary, 1, positive, rng).col(0)); break;
    case 1: summary.add(x); break;
    case 2: summary.add(x, Weights(normals<Scalar>(n, 1, rng).cwiseAbs())); break;
    default: {
      S other = empty;
      other.add(x, Weights(normals<Scalar>(n, 1, rng).cwiseAbs()));
      summary.merge(other);
    }
  }
}

// A restored summary, by its state and by an archive, is the original, also in what follows.
template <class S>
void check_laws(const S& empty, bool positive, int problems, Rng& rng) {
  int wrong = 0;
  int alike = 0;
  for (int problem = 0; problem < problems; ++problem) {
    S summary = empty;
    for (int step = problem % 7; step > 0; --step) grow(summary, empty, positive, rng);
    S restored = empty;
    restored.restore(summary.state());
    S read = empty;
    grow(read, empty, positive, rng);  // what it held is gone
    const bool differs = !(read == summary);
    read_into(read, written(summary));
    wrong += !(restored == summary) || !(read == summary) ||
             !(restored.state() == summary.state()) || restored.count() != summary.count() ||
             written(read) != written(summary);
    alike += !differs && summary.count() > 0;
    const S before = summary;
    for (int step = 0; step < 4; ++step) {
      Rng same = rng, again = rng;
      grow(summary, empty, positive, rng);
      grow(restored, empty, positive, same);
      grow(read, empty, positive, again);
      wrong += !(restored == summary) || !(read == summary);
    }
    S merged = empty;
    merged.merge(restored);
    merged.merge(before);
    S original = empty;
    original.merge(summary);
    original.merge(before);
    wrong += !(merged == original);
  }
  CHECK(wrong == 0);
  CHECK(alike == 0);  // == tells summaries of different samples apart
}

// Every part of a file is refused, and changes nothing; so is every file that begins otherwise.
template <class S>
void check_cut_short(S summary, S target) {
  const std::string bytes = written(summary);
  const S before = target;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CHECK_THROWS_AS(read_into(target, bytes.substr(0, length)), EndOfFile);
    REQUIRE(target == before);
  }
  std::string foreign = bytes;
  foreign[0] = static_cast<char>(foreign[0] ^ 1);
  CHECK(contains(message_of([&] { read_into(target, foreign); }), "the archive has the mark"));
  CHECK(target == before);
  read_into(target, bytes);
  CHECK(target == summary);
  CHECK(!(target == before));
}

// A file with one number replaced.
template <class T>
std::string with(std::string bytes, std::size_t position, T number) {
  std::memcpy(bytes.data() + position, &number, sizeof number);
  return bytes;
}

// What reading `bytes` into `target` says; the target must not change.
template <class S>
std::string refusal(const S& target, const std::string& bytes) {
  S changed = target;
  const std::string message = message_of([&] { read_into(changed, bytes); });
  CHECK(changed == target);
  return message;
}

template <class S>
std::string refused_state(const S& target, const typename S::State& state) {
  S changed = target;
  const std::string message = message_of([&] { changed.restore(state); });
  CHECK(changed == target);
  return message;
}

sm::Moments<double, 2> some_moments() {
  Rng rng(11);
  sm::Moments<double, 2> moments;
  moments.add(random_samples<double, 2>(2, 9, rng));
  return moments;
}

}  // namespace

TEST_CASE("moments and sample sets come back to the bit, and go on as they would have") {
  Rng rng(1);
  const auto both = [&](auto scalar, auto dim, int problems) {
    using Scalar = decltype(scalar);
    constexpr int Dim = decltype(dim)::value;
    const Eigen::Index d = Dim == Eigen::Dynamic ? 3 : Dim;
    check_laws(sm::Moments<Scalar, Dim>(d), false, problems, rng);
    check_laws(sm::SampleSet<Scalar, Dim>(d), false, problems, rng);
  };
  both(double(), std::integral_constant<int, 1>(), 1000);
  both(double(), std::integral_constant<int, 2>(), 1000);
  both(double(), std::integral_constant<int, Eigen::Dynamic>(), 1000);
  both(float(), std::integral_constant<int, 2>(), 1000);
  both(float(), std::integral_constant<int, Eigen::Dynamic>(), 1000);
  both(static_cast<long double>(0), std::integral_constant<int, 2>(), 300);
}

TEST_CASE("the summaries of exponential families come back to the bit, with their origin") {
  Rng rng(2);
  const sm::ScoreMatchingLoss loss;
  check_laws(loss.summary(sm::PolynomialFamily<double, 4>()), false, 500, rng);
  check_laws(loss.summary(sm::PairwiseGaussianFamily<double, 2>()), false, 500, rng);
  check_laws(loss.summary(sm::PairwiseGaussianFamily<float>(3)), false, 500, rng);
  check_laws(loss.summary(sm::PhiFourFamily<double>(4, sm::ring(4))), false, 300, rng);
  check_laws(loss.summary(sm::VonMisesFamily<double>(3, sm::ring(3))), false, 300, rng);
  check_laws(sm::GeneralizedScoreMatchingLoss{}.summary(sm::TruncatedGaussianFamily<double>(2)),
             true, 300, rng);
  const sm::PhiFourFamily<float> spins(4, sm::complete_graph(4), sm::Couplings::per_edge);
  check_laws(sm::penalize(loss, sm::L1{}, true).summary(spins), false, 300, rng);
  check_laws(sm::penalize(sm::GeneralizedScoreMatchingLoss{}, sm::L1{}, true)
                 .summary(sm::TruncatedGaussianFamily<double>(3)),
             true, 300, rng);
}

TEST_CASE("a quadratic form comes back to the bit") {
  Rng rng(3);
  for (int problem = 0; problem < 1000; ++problem) {
    sm::QuadraticForm<double> form(3), restored(3), read(3);
    for (int k = problem % 4; k > 0; --k) {
      form.add(normals<double>(3, 2, rng), normals<double>(3, 1, rng).col(0), 0.3 * k, 1.0 / k);
    }
    restored.restore(form.state());
    read_into(read, written(form));
    for (int k = 0; k < 2; ++k) {
      REQUIRE(restored == form);
      REQUIRE(read == form);
      REQUIRE(restored.state() == form.state());
      const Eigen::MatrixXd columns = normals<double>(3, 2, rng);
      const Eigen::VectorXd linear = normals<double>(3, 1, rng);
      for (auto* each : {&form, &restored, &read}) each->add(columns, linear);
    }
  }
}

TEST_CASE("samples in a box come back to the bit, and not into another box") {
  using Weighting = sm::BoxWeighting<double, 2, sm::MinWeight>;
  using Samples = sm::TruncatedSamples<Weighting>;
  using Box = sm::Box<double, 2>;
  Rng rng(4);
  const Samples empty(Weighting(Box::positive_orthant(2), sm::MinWeight{}));
  check_laws(empty, true, 500, rng);
  Samples samples = empty;
  samples.add(Eigen::Vector2d(2, 0.5));
  const Samples small(
      Weighting(Box(Eigen::Vector2d(0, 0), Eigen::Vector2d(1, 1)), sm::MinWeight{}));
  CHECK(contains(refusal(small, written(samples)),
                 "samples(row 0, column 0) = 2 lies outside the box"));
  CHECK(contains(refused_state(small, samples.state()),
                 "samples(row 0, column 0) = 2 lies outside the box"));
  Samples target = empty;
  target.add(Eigen::Vector2d(1, 1));
  check_cut_short(samples, target);
}

TEST_CASE("a file that is cut short or foreign changes nothing") {
  Rng rng(5);
  sm::Moments<double, 2> target;
  target.add(Eigen::Vector2d(1, 2));
  check_cut_short(some_moments(), target);
  sm::SampleSet<float> set(3), other(3);
  set.add(normals<float>(3, 4, rng));
  check_cut_short(set, other);
  auto polynomial = sm::ScoreMatchingLoss{}.summary(sm::PolynomialFamily<double, 4>());
  const auto none = polynomial;
  polynomial.add(normals<double, 1>(1, 5, rng));
  check_cut_short(polynomial, none);
  sm::QuadraticForm<double, 2> form, empty;
  form.add(Eigen::Matrix2d::Identity(), Eigen::Vector2d(1, 2));
  check_cut_short(form, empty);
}

TEST_CASE("what no summary has written is refused by name, and changes nothing") {
  constexpr std::size_t size_at = 4, numbers_at = 12;
  const sm::Moments<double, 2> moments = some_moments();
  sm::Moments<double, 2> copy = moments;
  const std::string bytes = written(copy);

  sm::Moments<double> three(3);
  CHECK(refusal(three, bytes) == "scorematch: Moments: the archive has dimension 2; expected 3");
  CHECK(refusal(moments, with(bytes, size_at, std::int64_t(1) << 60)) ==
        "scorematch: Moments: the archive has dimension 1152921504606846976; expected 2");
  CHECK(contains(refusal(sm::Moments<float, 2>(), bytes), "the archive has the mark"));
  CHECK(contains(refusal(sm::SampleSet<double, 2>(), bytes), "the archive has the mark"));
  CHECK(contains(refusal(moments, with(bytes, numbers_at, -1.0)),
                 "count = -1; expected a finite number, at least 0"));
  CHECK(contains(refusal(moments, with(bytes, numbers_at, infinity)), "count = inf"));
  for (std::size_t k = 1; k <= 7; ++k) {
    CAPTURE(k);
    CHECK(contains(refusal(moments, with(bytes, numbers_at + 8 * k, not_a_number)), "= nan"));
  }

  auto state = moments.state();
  state.scatter(1, 1) = -1;
  CHECK(
      contains(refused_state(moments, state), "scatter(row 1, column 1) = -1; expected a sum of"));
  state = moments.state();
  state.count = 0;
  CHECK(contains(refused_state(moments, state), "expected zeros where there are no samples"));
  state.pivot.setZero();
  state.offset.setZero();
  CHECK(contains(refused_state(moments, state), "expected zeros where there are no samples"));
  state = moments.state();
  state.count = 1e-310;
  CHECK(contains(refused_state(moments, state), "expected a covariance that does not overflow"));
  sm::Moments<float, 2> narrow;
  narrow.add(Eigen::Vector2f(1, 2));
  auto wide = narrow.state();
  wide.pivot(1) = 1e39;
  CHECK(contains(refused_state(narrow, wide), "mean(1) = 1e+39; expected one that does not"));

  // A size that was made up ends at the end of the file, before it is believed.
  sm::SampleSet<double, 2> set, empty;
  set.add(Eigen::Matrix2d{{1, 2}, {3, 4}});
  const std::string samples = written(set);
  const std::size_t first = 28;  // mark, dimension, size and count come before
  for (const std::int64_t size : {std::int64_t(3), std::int64_t(1) << 61}) {
    CHECK_THROWS_AS(read_into(empty, with(samples, numbers_at, size)), EndOfFile);
    CHECK(empty == sm::SampleSet<double, 2>());
  }
  CHECK(contains(refusal(empty, with(samples, numbers_at, std::int64_t(-1))), "-1 samples"));
  CHECK(contains(refusal(empty, with(samples, numbers_at, std::int64_t(1))),
                 "count = 2; expected 1"));
  CHECK(contains(refusal(empty, with(samples, first, 0.0)), "weights(0) = 0; expected a finite"));
  CHECK(contains(refusal(empty, with(samples, first + 32, infinity)),
                 "samples(row 0, column 1) = inf"));
  CHECK(contains(refusal(empty, with(samples, 20, 3.0)), "count = 3; expected 2, the sum of"));
  auto kept = set.state();
  kept.weights.conservativeResize(1);
  CHECK(contains(refused_state(empty, kept), "samples are 2 x 2, weights have 1 entries"));
  kept = set.state();
  kept.weights(1) = -1;
  CHECK(contains(refused_state(empty, kept), "weights(1) = -1"));

  sm::QuadraticForm<double, 2> form;
  form.add(Eigen::Matrix2d::Identity(), Eigen::Vector2d(1, 2), 1.5);
  auto sums = form.state();
  sums.linear(1) = not_a_number;
  CHECK(contains(refused_state(form, sums), "linear(row 1, column 0) = nan"));
  sums = form.state();
  sums.constant = infinity;
  CHECK(contains(refused_state(form, sums), "constant = inf"));
  sums = form.state();
  sums.count = 0;
  CHECK(contains(refused_state(form, sums), "expected zeros where there are no samples"));
  sums = form.state();
  sums.count = 1e-310;
  CHECK(contains(refused_state(form, sums), "expected means that do not overflow"));

  const auto lattice = sm::ScoreMatchingLoss{}.summary(sm::PhiFourFamily<double>(4, sm::ring(4)));
  auto seen = lattice.state();
  seen.origin(0) = 1;
  CHECK(contains(refused_state(lattice, seen), "origin(0) = 1 and on; expected zeros, as this"));
  const auto line = sm::ScoreMatchingLoss{}.summary(sm::PolynomialFamily<double, 4>());
  auto moved = line.state();
  moved.origin(0) = 1;
  CHECK(contains(refused_state(line, moved), "expected zeros, as there are no samples"));
}

TEST_CASE("equality is that of bits") {
  sm::Moments<double, 1> plus, minus;
  plus.add(Eigen::Matrix<double, 1, 1>(0.0));
  minus.add(Eigen::Matrix<double, 1, 1>(-0.0));
  CHECK(plus == plus);
  CHECK(!(plus == minus));
  sm::SampleSet<double, 1> once, twice;
  once.add(Eigen::Matrix<double, 1, 1>(1.0), Eigen::Matrix<double, 1, 1>(2.0));
  twice.add(Eigen::Matrix<double, 1, 2>(1.0, 1.0));
  CHECK(once.count() == twice.count());
  CHECK(!(once == twice));
}

TEST_CASE("moments are made from count, mean and covariance") {
  Rng rng(6);
  for (int problem = 0; problem < 1000; ++problem) {
    const auto d = Eigen::Index(1 + problem % 4);
    const auto n = Eigen::Index(1 + rng() % 6);  // also singular ones
    sm::Moments<double> seen(d);
    seen.add(draw(seen, n, false, rng));
    const double count = seen.count();
    auto made = sm::Moments<double>::from(count, seen.mean(), seen.covariance());
    REQUIRE(made.count() == count);
    REQUIRE(same_bits(made.mean(), seen.mean()));
    const Eigen::MatrixXd error = (made.covariance() - seen.covariance()).cwiseAbs();
    REQUIRE((error.array() <= 4e-16 * seen.covariance().cwiseAbs().array()).all());
    sm::Moments<double> restored(d);
    restored.restore(made.state());
    REQUIRE(restored == made);
    // It goes on as samples of those moments would.
    const Eigen::MatrixXd more = draw(seen, 3, false, rng);
    made.add(more);
    seen.add(more);
    REQUIRE((made.mean() - seen.mean()).norm() <= 1e-9 * seen.mean().norm());
    REQUIRE(covariance_difference(made.covariance(), seen.covariance()) < 1e-9);
  }
  sm::Moments<float, 2> narrow;
  narrow.add(random_samples<float, 2>(2, 7, rng));
  const auto made = sm::Moments<float, 2>::from(7, narrow.mean(), narrow.covariance());
  CHECK(same_bits(made.covariance(), narrow.covariance()));
  CHECK(sm::Moments<double, 2>::from(0, Eigen::Vector2d(1, 2), Eigen::Matrix2d::Identity()) ==
        sm::Moments<double, 2>());

  // A published covariance is fitted: the standard deviations and correlation of a table.
  const Eigen::Matrix2d published{{4, 1.2}, {1.2, 1}};
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{},
              sm::Moments<double, 2>::from(128, Eigen::Vector2d(1, 2), published));
  CHECK(fit.status == sm::Status::converged);
  CHECK(same_bits(fit.distribution.mean(), Eigen::Vector2d(1, 2)));
  CHECK(relative_difference(fit.distribution.covariance(), published) < 1e-15);
}

TEST_CASE("moments are not made from what is no covariance") {
  const auto refuse = [](double count, const Eigen::MatrixXd& mean, const Eigen::MatrixXd& c) {
    const std::string message = message_of([&] { sm::Moments<double>::from(count, mean, c); });
    if (mean.size() == 2 && c.rows() == 2 && c.cols() == 2) {
      const Eigen::Vector2d fixed = mean;
      const Eigen::Matrix2d matrix = c;
      CHECK(message_of([&] { sm::Moments<double, 2>::from(count, fixed, matrix); }) == message);
    }
    return message;
  };
  const Eigen::Vector2d mean(1, 2);
  const Eigen::Matrix2d good{{4, 1}, {1, 1}};
  CHECK(refuse(-1, mean, good) ==
        "scorematch: Moments::from: count = -1; expected a finite number, at least 0");
  CHECK(contains(refuse(not_a_number, mean, good), "count = nan; expected"));
  CHECK(contains(refuse(infinity, mean, good), "count = inf; expected"));
  CHECK(
      contains(refuse(3, Eigen::MatrixXd(0, 1), good), "mean has 0 entries; expected at least 1"));
  CHECK(contains(refuse(3, Eigen::MatrixXd(2, 2), good), "mean is 2 x 2; expected 2 x 1"));
  CHECK(contains(refuse(3, mean, Eigen::MatrixXd(2, 3)), "covariance is 2 x 3; expected 2 x 2"));
  CHECK(contains(refuse(3, Eigen::Vector2d(1, infinity), good), "mean(row 1, column 0) = inf"));
  CHECK(contains(refuse(3, mean, Eigen::Matrix2d{{4, not_a_number}, {1, 1}}),
                 "covariance(row 0, column 1) = nan; expected a finite value"));
  CHECK(contains(refuse(3, mean, Eigen::Matrix2d{{4, 1}, {1, -1}}),
                 "covariance(row 1, column 1) = -1; expected a variance, at least 0"));
  CHECK(contains(refuse(3, mean, Eigen::Matrix2d{{4, 1.001}, {1, 1}}),
                 "covariance(row 1, column 0) = 1, covariance(row 0, column 1) = 1.001; expected "
                 "them equal"));
  CHECK(contains(refuse(3, mean, Eigen::Matrix2d{{4, 2.1}, {2.1, 1}}),
                 "covariance(row 1, column 0) = 2.1, covariance(row 1, column 1) = 1, "
                 "covariance(row 0, column 0) = 4; expected at most the product"));
  CHECK(contains(refuse(3, mean, Eigen::Matrix2d{{4, 0.1}, {0.1, 0}}), "expected at most"));
  CHECK(contains(refuse(1e300, mean, 1e300 * good), "expected products that do not overflow"));
  // Each pair is possible, the three together are not.
  Eigen::Matrix3d three = Eigen::Matrix3d::Constant(-0.9);
  three.diagonal().setOnes();
  CHECK(contains(refuse(3, Eigen::Vector3d::Zero(), three), "is not positive semidefinite"));
  three = Eigen::Matrix3d::Constant(-0.5);  // singular: the sum of the three is constant
  three.diagonal().setOnes();
  CHECK(refuse(3, Eigen::Vector3d::Zero(), three) == "no exception");
  CHECK(refuse(3, mean, Eigen::Matrix2d::Zero()) == "no exception");
  CHECK(message_of([&] { sm::Moments<double, 2>::from(3, Eigen::VectorXd(3), good); }) ==
        "scorematch: Moments::from: mean is 3 x 1; expected 2 x 1");
}

TEST_CASE("a simulation stops and goes on: the same bits") {
  using Estimator =
      sm::Estimator<sm::GaussianFamily<double, 2>, sm::ScoreMatchingLoss, sm::Momentum>;
  Rng rng(7);
  for (int problem = 0; problem < 100; ++problem) {
    Estimator whole({}, {}, {.max_iterations = 50});
    for (int k = problem % 5; k > 0; --k) whole.observe(normals<double, 2>(2, k, rng));
    Estimator resumed({}, {}, {.max_iterations = 50});
    Estimator restored({}, {}, {.max_iterations = 50});
    read_into(resumed, written(whole));
    restored.restore(whole.state());
    for (int k = 0; k < 4; ++k) {
      const Eigen::Matrix2Xd more = normals<double, 2>(2, 4, rng);
      for (Estimator* each : {&whole, &resumed, &restored}) each->observe(more);
    }
    REQUIRE(resumed == whole);
    REQUIRE(restored == whole);
    REQUIRE(resumed.fit() == whole.fit());
    REQUIRE(restored.state() == whole.state());
  }
  Estimator seen({}, {}, {});
  seen.observe(normals<double, 2>(2, 4, rng));
  Estimator target({}, {}, {});
  target.observe(normals<double, 2>(2, 4, rng));
  check_cut_short(seen, target);

  // Of any summary: an energy keeps its samples.
  const auto family = sm::energy_family<1>(
      [](const auto& x, const auto& theta) { return -exp(theta(0)) * x(0) * x(0); },
      Eigen::Matrix<double, 1, 1>(0.0));
  sm::Estimator energy(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{});
  auto again = energy;
  energy.observe(normals<double, 1>(1, 20, rng));
  read_into(again, written(energy));
  CHECK(again == energy);
  CHECK(again.fit() == energy.fit());
}

TEST_CASE("a fit comes back to the bit, a Gaussian with its covariance") {
  Rng rng(8);
  for (int problem = 0; problem < 500; ++problem) {
    const auto d = Eigen::Index(1 + problem % 3);
    const sm::GaussianFamily<double> family(d);
    const auto n = Eigen::Index(1 + rng() % 9);  // also unbounded ones
    const Eigen::MatrixXd x = random_samples(d, n, rng);
    const auto check = [&](auto fit) {
      auto other = sm::fit(family, sm::NegativeLogLikelihood{},
                           sm::GradientDescent{.max_iterations = 5}, -x);
      REQUIRE(!(other == fit));
      read_into(other, written(fit));
      REQUIRE(other == fit);
      Writer writer;
      sm::write_fit(writer, fit);
      Reader reader(writer.bytes);
      REQUIRE(sm::read_fit(reader, family) == fit);
      REQUIRE(same_bits(other.distribution.covariance(), fit.distribution.covariance()));
      REQUIRE(same_bits(other.distribution.cholesky(), fit.distribution.cholesky()));
    };
    check(sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, x));
    check(sm::fit(family, sm::ScoreMatchingLoss{}, sm::Momentum{.max_iterations = 7}, x));
  }

  // The distribution of another family is made again by the family.
  const sm::PolynomialFamily<double, 4> family;
  const auto fit =
      sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, normals<double, 1>(1, 200, rng));
  Writer writer;
  sm::write_fit(writer, fit);
  Reader reader(writer.bytes);
  const auto read = sm::read_fit(reader, family);
  CHECK(read == fit);
  const Eigen::Matrix<double, 1, 1> at(0.3);
  CHECK(read.distribution.score(at) == fit.distribution.score(at));
}

TEST_CASE("what is no fit is refused, and changes nothing") {
  using Family = sm::GaussianFamily<double, 1>;
  Rng rng(9);
  auto fit =
      sm::fit(Family{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, normals<double, 1>(1, 20, rng));
  const auto other =
      sm::fit(Family{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, normals<double, 1>(1, 30, rng));
  check_cut_short(fit, other);
  const std::string bytes = written(fit);
  // mark, size, two parameters, loss, gradient norm, iterations, status; then the distribution
  CHECK(contains(refusal(other, with(bytes, 12, not_a_number)), "parameters(0) = nan"));
  CHECK(contains(refusal(other, with(bytes, 28, not_a_number)), "loss = nan"));
  CHECK(contains(refusal(other, with(bytes, 36, -1.0)), "gradient_norm = -1"));
  CHECK(contains(refusal(other, with(bytes, 44, std::int64_t(-1))), "iterations = -1"));
  CHECK(contains(refusal(other, with(bytes, 52, std::int64_t(7))), "status = 7; expected 0 to 6"));
  // mark, dimension, mean, covariance, Cholesky factor
  CHECK(contains(refusal(other, with(bytes, 72, infinity)), "mean(row 0, column 0) = inf"));
  CHECK(contains(refusal(other, with(bytes, 80, 1e3)), "as cholesky * cholesky^T has it"));
  CHECK(contains(refusal(other, with(bytes, 80, not_a_number)), "= nan; expected"));
  CHECK(contains(refusal(other, with(bytes, 88, -1.0)), "expected a diagonal above 0"));
}
