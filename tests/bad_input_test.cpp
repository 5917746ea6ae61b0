// Every kind of bad input through every way in: a clear sentence, and nothing lost.
#include "support.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace support;

using Family = sm::GaussianFamily<double, 2>;
using FreeFamily = sm::GaussianFamily<double>;
using Block = Eigen::MatrixXd;

// A sentence is made of words and numbers: what has a wrong size is named by it, for its entries do
// not compile.
template <class Part>
concept PartOfMessage =
    requires(std::string& sentence, const Part& part) { sm::detail::append(sentence, part); };
static_assert(PartOfMessage<double> && PartOfMessage<Eigen::Index> && PartOfMessage<std::string>);
static_assert(!PartOfMessage<Eigen::MatrixXd> && !PartOfMessage<Eigen::Vector2d>);
static_assert(!PartOfMessage<Eigen::Matrix<double, 1, 1>> && !PartOfMessage<std::vector<double>>);

struct BadSamples {
  std::string name;
  Block samples;
  std::vector<std::string> words;  // what the message must contain
};

Block good(Eigen::Index n) {
  Rng rng(1);
  return random_samples(2, n, rng);
}

Block with(Block samples, Eigen::Index row, Eigen::Index column, double value) {
  samples(row, column) = value;
  return samples;
}

std::vector<BadSamples> bad_samples() {
  const Eigen::Index stream = 100000;
  return {
      {"NaN first",
       with(good(5), 0, 0, not_a_number),
       {"samples(row 0, column 0) = nan", "finite"}},
      {"NaN in the middle", with(good(5), 1, 2, not_a_number), {"samples(row 1, column 2) = nan"}},
      {"NaN last in a long stream",
       with(good(stream), 1, stream - 1, not_a_number),
       {"samples(row 1, column 99999) = nan", "finite"}},
      {"infinity", with(good(5), 1, 4, infinity), {"samples(row 1, column 4) = inf", "finite"}},
      {"minus infinity", with(good(5), 0, 3, -infinity), {"samples(row 0, column 3) = -inf"}},
      {"infinity last in a long stream",
       with(good(stream), 0, stream - 1, infinity),
       {"samples(row 0, column 99999) = inf"}},
      {"too few rows", Block::Ones(1, 5), {"samples have 1 rows", "expected 2"}},
      {"too many rows", Block::Ones(3, 5), {"samples have 3 rows", "expected 2"}},
      {"transposed", good(50).transpose(), {"samples have 50 rows", "one sample per column"}},
      {"no rows", Block(0, 5), {"samples have 0 rows"}},
      {"1e200 apart",
       with(good(5), 1, 3, 1e200),
       {"samples(row 1, column 3) = 1e+200", "overflow"}},
      {"-1e200 first",
       with(good(5), 0, 0, -1e200),
       {"samples(row 0, column 0) = -1e+200", "rescale"}},
      {"largest finite", with(good(5), 0, 1, 1.7e308), {"samples(row 0, column 1) = 1.7e+308"}},
  };
}

// A way to hand over a block. Those that keep a state say whether it is as it was.
struct Entry {
  std::string name;
  std::function<void(const Block&)> give;
  std::function<bool()> unchanged = [] { return true; };
};

template <class Moments>
Entry moments_entry(const std::string& name, Eigen::Index seen, bool one_by_one, bool weighted) {
  auto moments = std::make_shared<Moments>(2);
  moments->add(good(7).leftCols(seen));
  const auto before = std::make_shared<Moments>(*moments);
  return {name,
          [=](const Block& block) {
            if (one_by_one) {
              // A stream: what came before the bad sample stays, so start over each time.
              auto fresh = *before;
              for (Eigen::Index j = 0; j < block.cols(); ++j) {
                try {
                  fresh.add(block.col(j));
                } catch (const std::invalid_argument&) {
                  *moments = *before;
                  for (Eigen::Index k = 0; k < j; ++k) moments->add(block.col(k));
                  const bool same = fresh.count() == moments->count() &&
                                    (fresh.count() == 0 ||
                                     (same_bits(fresh.mean(), moments->mean()) &&
                                      same_bits(fresh.covariance(), moments->covariance())));
                  CHECK(same);
                  *moments = *before;
                  throw;
                }
              }
            } else if (weighted) {
              moments->add(block, Eigen::VectorXd::Ones(block.cols()));
            } else {
              moments->add(block);
            }
          },
          [=] {
            return moments->count() == before->count() &&
                   (seen == 0 || (same_bits(moments->mean(), before->mean()) &&
                                  same_bits(moments->covariance(), before->covariance())));
          }};
}

template <class F>
Entry estimator_entry(const std::string& name, const F& family, Eigen::Index seen) {
  using Estimator = sm::Estimator<F, sm::ScoreMatchingLoss, sm::ClosedForm>;
  auto estimator = std::make_shared<Estimator>(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{});
  estimator->observe(good(7).leftCols(seen));
  const auto before = std::make_shared<Estimator>(*estimator);
  return {name, [=](const Block& block) { estimator->observe(block); },
          [=] {
            return estimator->count() == before->count() &&
                   (seen == 0 || same_bits(estimator->fit().parameters, before->fit().parameters));
          }};
}

template <class F, class Loss, class Optimizer>
Entry fit_entry(const std::string& name, const F& family, const Loss& loss,
                const Optimizer& optimizer) {
  return {name, [=](const Block& block) { sm::fit(family, loss, optimizer, block); }};
}

std::vector<Entry> entries() {
  const sm::ScoreMatchingLoss score;
  const sm::NegativeLogLikelihood likelihood;
  std::vector<Entry> all;
  for (const Eigen::Index seen : {0, 7}) {
    const std::string after = seen == 0 ? ", empty" : ", after some";
    using Fixed = sm::Moments<double, 2>;
    using Free = sm::Moments<double>;
    all.push_back(moments_entry<Fixed>("Moments<2>::add" + after, seen, false, false));
    all.push_back(moments_entry<Free>("Moments<>::add" + after, seen, false, false));
    all.push_back(moments_entry<Fixed>("Moments<2>::add weighted" + after, seen, false, true));
    all.push_back(moments_entry<Free>("Moments<>::add weighted" + after, seen, false, true));
    all.push_back(estimator_entry("Estimator<2>" + after, Family{}, seen));
    all.push_back(estimator_entry("Estimator<>" + after, FreeFamily{2}, seen));
  }
  all.push_back(fit_entry("fit fixed, score, descent", Family{}, score, sm::GradientDescent{}));
  all.push_back(fit_entry("fit fixed, score, momentum", Family{}, score, sm::Momentum{}));
  all.push_back(fit_entry("fit fixed, likelihood, Adam", Family{}, likelihood, sm::Adam{}));
  all.push_back(
      fit_entry("fit dynamic, score, closed form", FreeFamily{2}, score, sm::ClosedForm{}));
  all.push_back(fit_entry("fit dynamic, likelihood, descent", FreeFamily{2}, likelihood,
                          sm::GradientDescent{}));
  return all;
}

void check_message(const std::string& message, const std::vector<std::string>& words) {
  CAPTURE(message);
  CHECK(contains(message, "scorematch: "));
  CHECK(contains(message, "expected"));
  for (const std::string& word : words) CHECK(contains(message, word));
}

}  // namespace

TEST_CASE("bad samples through every way in") {
  const auto all = bad_samples();
  for (const Entry& entry : entries()) {
    CAPTURE(entry.name);
    for (const BadSamples& bad : all) {
      CAPTURE(bad.name);
      check_message(message_of([&] { entry.give(bad.samples); }), bad.words);
      CHECK(entry.unchanged());
    }
    entry.give(good(20));  // a corrected call goes through
  }
}

TEST_CASE("bad samples one by one: what came before stays, the bad one leaves no trace") {
  using Fixed = sm::Moments<double, 2>;
  using Free = sm::Moments<double>;
  for (const Eigen::Index seen : {0, 7}) {
    for (const Entry& entry : {moments_entry<Fixed>("fixed", seen, true, false),
                               moments_entry<Free>("dynamic", seen, true, false)}) {
      for (const double value : {not_a_number, infinity, 1e200}) {
        for (const Eigen::Index column : {0, 1, 9}) {
          CAPTURE(value);
          CAPTURE(column);
          // The first sample of all is a pivot that any finite value will do for; the next is not.
          const Eigen::Index at = std::isfinite(value) && seen == 0 && column == 0 ? 1 : column;
          const std::string message = message_of([&] { entry.give(with(good(12), 1, at, value)); });
          check_message(message, {"samples(row 1, column 0) = ", "expected"});
          CHECK(entry.unchanged());
        }
      }
    }
  }
}

TEST_CASE("bad weights") {
  for (const double value : {-1.0, -1e-300, not_a_number, infinity}) {
    for (const Eigen::Index at : {0, 4}) {
      Eigen::VectorXd weights = Eigen::VectorXd::Ones(5);
      weights(at) = value;
      const auto check = [&](auto moments) {
        moments.add(good(3));
        const auto before = moments;
        const std::string message = message_of([&] { moments.add(good(5), weights); });
        check_message(message, {"weights(" + std::to_string(at) + ") = ", "at least 0"});
        CHECK(moments.count() == before.count());
        CHECK(same_bits(moments.covariance(), before.covariance()));
      };
      check(sm::Moments<double, 2>{});
      check(sm::Moments<double>{2});
      sm::Estimator estimator(Family{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{});
      check_message(message_of([&] { estimator.observe(good(5), weights); }), {"weights("});
      CHECK(estimator.count() == 0);
    }
  }
  sm::Moments<double, 2> moments;
  check_message(message_of([&] { moments.add(good(5), Eigen::VectorXd::Ones(4)); }),
                {"weights have 4 entries", "5 samples"});
  // All weights zero is no samples.
  moments.add(good(5), Eigen::VectorXd::Zero(5));
  check_message(
      message_of([&] { sm::fit(Family{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, moments); }),
      {"no samples"});
}

TEST_CASE("no samples") {
  const auto expect = [](auto&& call) { check_message(message_of(call), {"no samples"}); };
  for (const auto& block : {Block(2, 0)}) {
    expect([&] { sm::fit(Family{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, block); });
    expect([&] { sm::fit(FreeFamily{2}, sm::NegativeLogLikelihood{}, sm::Adam{}, block); });
  }
  expect([] { sm::Moments<double, 2>{}.mean(); });
  expect([] { sm::Moments<double>{2}.covariance(); });
  expect([] { sm::Estimator(Family{}, sm::ScoreMatchingLoss{}, sm::Adam{}).fit(); });
  expect([] { sm::ScoreMatchingLoss{}.objective(Family{}, sm::Moments<double, 2>{}); });
}

TEST_CASE("dimensions") {
  for (const Eigen::Index d : {Eigen::Index(0), Eigen::Index(-3)}) {
    check_message(message_of([&] { FreeFamily{d}; }), {"dimension = " + std::to_string(d)});
    check_message(message_of([&] { sm::Moments<double>{d}; }),
                  {"dimension = " + std::to_string(d)});
  }
  check_message(message_of([] { Family{3}; }), {"dimension = 3", "expected 2"});
  check_message(message_of([] { sm::Moments<double, 2>{3}; }), {"dimension = 3", "expected 2"});
  sm::Moments<double> three(3);
  three.add(Block::Random(3, 9));
  sm::Moments<double> two(2);
  check_message(message_of([&] { two.merge(three); }), {"dimension 3", "expected 2"});
  CHECK(two.count() == 0);
  check_message(
      message_of([&] { sm::fit(FreeFamily{2}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, three); }),
      {"dimension 3", "expected 2"});
  sm::Moments<double> far(2);
  far.add(Eigen::MatrixXd::Constant(2, 3, 1e200));
  two.add(good(5));
  const auto before = two;
  check_message(message_of([&] { two.merge(far); }), {"1e+200", "overflow"});
  CHECK(same_bits(two.covariance(), before.covariance()));
}

TEST_CASE("bad covariances, means and factors of a Gaussian") {
  const Eigen::Vector2d mean(1, 2);
  const auto matrix = [](double a, double b, double c, double d) {
    return (Eigen::Matrix2d() << a, b, c, d).finished();
  };
  struct Case {
    Eigen::Matrix2d covariance;
    std::vector<std::string> words;
  };
  const std::vector<Case> cases{
      {matrix(1, 0.5, 0.4, 1), {"not symmetric", "covariance(row 1, column 0) = 0.4", "= 0.5"}},
      {matrix(1, 2, 2, 1), {"not positive definite"}},
      {matrix(1, 1, 1, 1), {"not positive definite"}},
      {matrix(1, 0, 0, 0), {"covariance(row 1, column 1) = 0", "above 0"}},
      {matrix(-1, 0, 0, 1), {"covariance(row 0, column 0) = -1", "above 0"}},
      {matrix(not_a_number, 0, 0, 1), {"covariance(row 0, column 0) = nan", "finite"}},
      {matrix(1, not_a_number, not_a_number, 1), {"covariance(row 1, column 0) = nan", "finite"}},
      {matrix(1, 0, 0, infinity), {"covariance(row 1, column 1) = inf", "finite"}},
  };
  for (const Case& c : cases) {
    check_message(message_of([&] { sm::Gaussian<double, 2>(mean, c.covariance); }), c.words);
    check_message(message_of([&] {
                    sm::Gaussian<double>(Eigen::VectorXd(mean), Eigen::MatrixXd(c.covariance));
                  }),
                  c.words);
  }
  check_message(message_of([&] {
                  sm::Gaussian<double, 2>(Eigen::Vector2d(0, not_a_number),
                                          Eigen::Matrix2d::Identity());
                }),
                {"mean(row 1, column 0) = nan"});
  check_message(message_of([&] {
                  sm::Gaussian<double>(Eigen::VectorXd(mean), Eigen::MatrixXd::Identity(3, 3));
                }),
                {"3 x 3", "expected 2 x 2"});
  check_message(message_of([] { sm::Gaussian<double>(Eigen::VectorXd(0), Eigen::MatrixXd(0, 0)); }),
                {"mean has 0 entries"});
  check_message(
      message_of([&] { sm::Gaussian<double, 2>::from_cholesky(mean, matrix(1, 0, 0, -1)); }),
      {"cholesky(row 1, column 1) = -1", "above 0"});
  // Rounding is not asymmetry.
  const sm::Gaussian<double, 2> rounded(mean, matrix(1, 0.3 + 1e-16, 0.3, 1));
  CHECK(rounded.covariance()(0, 1) == rounded.covariance()(1, 0));
  check_message(message_of([&] { rounded.log_density(Eigen::VectorXd(Eigen::Vector3d(1, 2, 3))); }),
                {"x is 3 x 1", "expected 2 x 1"});
  Rng rng(1);
  check_message(message_of([&] { rounded.sample(-1, rng); }), {"n = -1", "at least 0"});
}

TEST_CASE("parameters of the wrong size or value") {
  check_message(message_of([] { FreeFamily{2}.distribution(Eigen::VectorXd::Zero(4)); }),
                {"theta has 4 entries", "expected 5"});
  Eigen::Vector<double, 5> theta = Family{}.start();
  theta(3) = not_a_number;
  check_message(message_of([&] { Family{}.distribution(theta); }), {"theta(3) = nan"});
  theta(3) = 1000;
  check_message(message_of([&] { Family{}.distribution(theta); }), {"= inf"});
}

TEST_CASE("options out of range, of every optimizer, through fit and minimize") {
  const Block samples = good(20);
  const auto expect = [&](const auto& optimizer, const std::vector<std::string>& words) {
    check_message(
        message_of([&] { sm::fit(Family{}, sm::ScoreMatchingLoss{}, optimizer, samples); }), words);
    const auto bowl = [](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
      gradient = x;
      return x.squaredNorm() / 2;
    };
    check_message(message_of([&] { sm::minimize(optimizer, bowl, Eigen::Vector2d(1, 1)); }), words);
  };
  const auto common = [&](const auto& optimizer, const std::string& name) {
    for (const double value : {0.0, -1.0, not_a_number, infinity}) {
      auto bad = optimizer;
      bad.learning_rate = value;
      expect(bad, {name + ": learning_rate = ", "above 0"});
    }
    for (const Eigen::Index value : {0, -5}) {
      auto bad = optimizer;
      bad.max_iterations = value;
      expect(bad, {name + ": max_iterations = " + std::to_string(value), "at least 1"});
    }
    for (const double value : {-1e-9, not_a_number, infinity}) {
      auto bad = optimizer;
      bad.gradient_tolerance = value;
      expect(bad, {name + ": gradient_tolerance = "});
    }
  };
  common(sm::GradientDescent{}, "GradientDescent");
  common(sm::Momentum{}, "Momentum");
  common(sm::Adam{}, "Adam");
  for (const double value : {-0.1, 1.0, not_a_number}) {
    expect(sm::Momentum{.momentum = value}, {"Momentum: momentum = "});
    expect(sm::Adam{.beta1 = value}, {"Adam: beta1 = "});
    expect(sm::Adam{.beta2 = value}, {"Adam: beta2 = "});
  }
  for (const double value : {0.0, -1.0, not_a_number, infinity}) {
    expect(sm::Adam{.epsilon = value}, {"Adam: epsilon = "});
  }
  check_message(message_of([&] {
                  sm::fit(Family{}, sm::ScoreMatchingLoss{}, sm::GradientDescent{}, samples,
                          sm::PrintEvery{0});
                }),
                {"interval = 0"});
}

TEST_CASE("a bad start") {
  const auto bowl = [](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    gradient = x;
    return x.squaredNorm() / 2;
  };
  for (const double value : {not_a_number, infinity}) {
    check_message(message_of([&] {
                    sm::minimize(sm::Adam{}, bowl, Eigen::VectorXd(Eigen::Vector3d(0, value, 0)));
                  }),
                  {"start(1) = ", "finite"});
  }
  check_message(message_of([&] { sm::minimize(sm::Adam{}, bowl, Eigen::VectorXd(0)); }),
                {"start has 0 entries"});
}

TEST_CASE("numbers of every kind stand in a sentence as they are") {
  CHECK(sm::detail::text_of("n = ", std::numeric_limits<std::uint64_t>::max()) ==
        "n = 18446744073709551615");
  CHECK(sm::detail::text_of(std::numeric_limits<std::int64_t>::min(), ", ", -1) ==
        "-9223372036854775808, -1");
  CHECK(sm::detail::text_of(0.1F, " ", -1e300, " ", std::numeric_limits<long double>::infinity()) ==
        "0.1 -1e+300 inf");
  // As many digits as tell a number from its neighbors.
  const double above = std::nextafter(1.0, 2.0);
  CHECK(sm::detail::text_of(1.0, " ", above, " ", 1e5, " ", 0.1, " ", 1234567.0F) ==
        "1 1.0000000000000002 100000 0.1 1234567");
  Rng rng(2);
  for (int k = 0; k < 1000; ++k) {
    const auto any = std::bit_cast<double>(std::uint64_t(rng()));
    const auto narrow = std::bit_cast<float>(std::uint32_t(rng()));
    if (std::isfinite(any)) CHECK(std::stod(sm::detail::text_of(any)) == any);
    if (std::isnormal(narrow)) CHECK(std::stof(sm::detail::text_of(narrow)) == narrow);
  }
  const sm::Box<double, 1> box(Eigen::Matrix<double, 1, 1>(0.0), Eigen::Matrix<double, 1, 1>(1.0));
  CHECK(contains(message_of([&] { box.require_inside(Eigen::Matrix<double, 1, 1>(above)); }),
                 "= 1.0000000000000002 lies outside the box; expected a value in [0, 1]"));
  CHECK(sm::detail::size_text(3) == "3");
  CHECK(sm::detail::size_text(Eigen::Dynamic) == "at least 1");
}
