// The loss on samples that were left out, against loops by hand.
#include "support.hpp"

#include <doctest/doctest.h>

namespace {

using namespace support;

using Eigen::Index;
using Eigen::MatrixXd;

}  // namespace

TEST_CASE("each sample is left out alone: the loss of the fits of all others") {
  Rng rng(1);
  const sm::GaussianFamily<double> family(2);
  const sm::ScoreMatchingLoss loss;
  for (int trial = 0; trial < 20; ++trial) {
    const Index n = 6 + trial;
    const MatrixXd samples = normals<double>(2, n, rng);
    const auto found =
        sm::cross_validate(family, loss, sm::ClosedForm{}, samples, {.folds = n, .threads = 2});
    auto point = loss.point(family);
    double sum = 0;
    for (Index j = 0; j < n; ++j) {
      MatrixXd rest(2, n - 1);
      rest << samples.leftCols(j), samples.rightCols(n - 1 - j);
      const auto fit = sm::fit(family, loss, sm::ClosedForm{}, rest);
      sum += point(samples.col(j), fit.parameters);
    }
    CHECK(found.mean == doctest::Approx(sum / double(n)).epsilon(1e-9));
    CHECK(found.unconverged == 0);
    CHECK(found.folds.size() == n);
    CHECK(found.mean == doctest::Approx(found.folds.mean()).epsilon(1e-12));
    const double spread = (found.folds.array() - found.mean).square().sum() / double(n - 1);
    CHECK(found.standard_error == doctest::Approx(std::sqrt(spread / double(n))).epsilon(1e-9));
  }
}

TEST_CASE("folds of unequal size count by their samples, and threads change nothing") {
  Rng rng(2);
  const sm::GaussianFamily<double, 2> family;
  const MatrixXd samples = normals<double>(2, 23, rng);
  const auto with = [&](Index threads, std::uint64_t seed) {
    return sm::cross_validate(family, sm::NegativeLogLikelihood{}, sm::ClosedForm{}, samples,
                              {.folds = 5, .seed = seed, .threads = threads});
  };
  const auto one = with(1, 1), three = with(3, 1), other = with(1, 2);
  CHECK(same_bits(one.folds, three.folds));
  CHECK_FALSE(same_bits(one.folds, other.folds));
  // Three folds of five, two of four.
  CHECK(one.mean ==
        doctest::Approx((5 * one.folds.head(3).sum() + 4 * one.folds.tail(2).sum()) / 23));
}

TEST_CASE("the wider family loses where the narrower one is true, and wins where it is not") {
  Rng rng(3);
  const sm::GaussianFamily<double, 1> narrow;
  const sm::PolynomialFamily<double, 6> wide;
  const sm::ScoreMatchingLoss loss;
  const auto wins = [&](const auto& draw) {
    int count = 0;
    for (int trial = 0; trial < 40; ++trial) {
      const MatrixXd samples = draw();
      const auto of_narrow = sm::cross_validate(narrow, loss, sm::ClosedForm{}, samples);
      const auto of_wide = sm::cross_validate(wide, loss, sm::ClosedForm{}, samples);
      if (of_wide.mean < of_narrow.mean) ++count;
    }
    return count;
  };
  CHECK(wins([&] { return MatrixXd(normals<double>(1, 100, rng)); }) < 15);
  CHECK(wins([&] {
          MatrixXd x = 0.3 * normals<double>(1, 200, rng);
          x.leftCols(100).array() += 1;
          x.rightCols(100).array() -= 1;
          return x;
        }) > 30);
}

TEST_CASE("what cannot be left out is refused") {
  Rng rng(4);
  const sm::GaussianFamily<double> family(2);
  const MatrixXd samples = normals<double>(2, 10, rng);
  const auto says = [&](const MatrixXd& x, const sm::CrossValidation& criterion) {
    return message_of([&] {
      sm::cross_validate(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, x, criterion);
    });
  };
  CHECK(contains(says(samples, {.folds = 1}), "folds = 1; expected 2 to 10"));
  CHECK(contains(says(samples, {.folds = 11}), "folds = 11; expected 2 to 10"));
  CHECK(contains(says(samples, {.folds = 2, .threads = -1}), "threads = -1"));
  CHECK(contains(says(normals<double>(3, 10, rng), {}), "samples have 3 rows; expected 2"));
  MatrixXd holed = samples;
  holed(0, 3) = not_a_number;
  CHECK(contains(says(holed, {}), "expected a finite value"));
  const auto few = sm::cross_validate(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{},
                                      samples.leftCols(3), {.folds = 3});
  CHECK(few.unconverged == 3);
}
