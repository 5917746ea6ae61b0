#include "support.hpp"

#include <doctest/doctest.h>

#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace support;
using Set = sm::SampleSet<double, 2>;

bool same(const Set& a, const Set& b) {
  return same_bits(a.samples(), b.samples()) && same_bits(a.weights(), b.weights()) &&
         a.count() == b.count();
}

}  // namespace

TEST_CASE("a sample set keeps what it is given, in order") {
  Rng rng(1);
  const Eigen::Matrix2Xd samples = normals<double, 2>(2, 37, rng);
  Set block, single, halves, other, row_major;
  block.add(samples);
  for (Eigen::Index j = 0; j < samples.cols(); ++j) single.add(samples.col(j));
  halves.add(samples.leftCols(10));
  other.add(samples.rightCols(27));
  halves.merge(other);
  const Eigen::Matrix<double, 2, Eigen::Dynamic, Eigen::RowMajor> rows = samples;
  row_major.add(rows);
  CHECK(same_bits(block.samples(), samples));
  CHECK(block.count() == 37);
  CHECK(same(block, single));
  CHECK(same(block, halves));
  CHECK(same(block, row_major));
  block.add(samples.leftCols(0));
  block.merge(Set());
  CHECK(same(block, single));
  block.merge(block);
  single.add(samples + Eigen::Matrix2Xd::Zero(2, 37));
  CHECK(same(block, single));
}

TEST_CASE("weights count as copies, and weight 0 as absence") {
  Rng rng(2);
  const Eigen::Matrix2Xd samples = normals<double, 2>(2, 3, rng);
  Set set;
  set.add(samples, Eigen::Vector3d(2, 0, 0.5));
  CHECK(set.size() == 2);
  CHECK(set.count() == 2.5);
  CHECK(same_bits(set.samples().col(1), samples.col(2)));
  CHECK(set.weights()(1) == 0.5);
}

TEST_CASE("a sample set refuses what the moments refuse, and is then as it was") {
  Rng rng(3);
  Set set;
  set.add(normals<double, 2>(2, 5, rng));
  const Set before = set;
  Eigen::Matrix2Xd bad = normals<double, 2>(2, 4, rng);
  bad(1, 2) = not_a_number;
  CHECK(contains(message_of([&] { set.add(bad); }), "samples(row 1, column 2) = nan"));
  CHECK(contains(message_of([&] { set.add(Eigen::MatrixXd::Zero(3, 4)); }),
                 "samples have 3 rows; expected 2"));
  const Eigen::Matrix2Xd good = Eigen::Matrix2Xd::Zero(2, 3);
  CHECK(contains(message_of([&] { set.add(good, Eigen::Vector3d(1, -1, 1)); }), "weights(1) = -1"));
  CHECK(contains(message_of([&] { set.add(good, Eigen::Vector2d(1, 1)); }),
                 "weights have 2 entries"));
  CHECK(same(set, before));
  CHECK(contains(message_of([] { sm::SampleSet<double>(0); }), "dimension = 0"));
  sm::SampleSet<double> two(2), three(3);
  CHECK(contains(message_of([&] { two.merge(three); }), "dimension 3; expected 2"));
}

TEST_CASE("weights whose sum overflows are refused, and change nothing") {
  sm::SampleSet<double, 2> set;
  set.add(Eigen::Vector2d(1, 2));
  const Eigen::Matrix2d x = Eigen::Matrix2d::Identity();
  CHECK(contains(message_of([&] { set.add(x, Eigen::Vector2d(1e308, 1e308)); }),
                 "the sum of the weights is inf"));
  CHECK(set.count() == 1);
  sm::SampleSet<double, 2> heavy;
  heavy.add(Eigen::Vector2d(1, 2), Eigen::Matrix<double, 1, 1>(1.7e308));
  CHECK(contains(message_of([&] { heavy.merge(heavy); }), "the sum of the weights is inf"));
  CHECK(heavy.size() == 1);
}

TEST_CASE("merging adds the weights, not the number of samples") {
  Rng rng(4);
  Set a, b;
  a.add(normals<double, 2>(2, 3, rng), Eigen::Vector3d(0.5, 2, 4));
  b.add(normals<double, 2>(2, 2, rng), Eigen::Vector2d(0.25, 8));
  b.merge(a);
  CHECK(b.size() == 5);
  CHECK(b.count() == 14.75);
  CHECK(b.count() == b.weights().sum());
}

TEST_CASE("a sample set that was moved from is empty and of use") {
  Rng rng(5);
  const Eigen::Matrix2Xd x = normals<double, 2>(2, 10, rng);
  Set expected;
  expected.add(x);
  const auto check = [&](Set& moved_from) {
    CHECK(moved_from.count() == 0);
    CHECK(moved_from.size() == 0);
    moved_from.add(x);
    CHECK(same(moved_from, expected));
  };
  Set set = expected;
  const Set taken = std::move(set);
  CHECK(same(taken, expected));
  check(set);
  Set assigned;
  assigned.add(x.leftCols(3));
  assigned = std::move(set);
  CHECK(same(assigned, expected));
  check(set);
  Set& itself = assigned;
  assigned = std::move(itself);
  CHECK(same(assigned, expected));
  sm::SampleSet<double> dynamic(2);
  dynamic.add(x);
  const auto moved = std::move(dynamic);
  CHECK(dynamic.dimension() == 2);
  CHECK(dynamic.count() == 0);
  CHECK(moved.count() == 10);
}

TEST_CASE("a sample of weight 0 may hold anything, in every summary and average") {
  Rng rng(6);
  // A block and more, for each way that samples are summed.
  for (const Eigen::Index n : {4, 700}) {
    Eigen::Matrix2Xd x = normals<double, 2>(2, n, rng).cwiseAbs();
    Eigen::VectorXd w = normals<double>(n, 1, rng).cwiseAbs();
    std::vector<Eigen::Index> present;
    for (Eigen::Index j = 0; j < n; ++j) {
      if (j % 3 == 0) {
        w(j) = 0;
        x(j % 2, j) = j % 4 == 0 ? not_a_number : j % 5 == 0 ? -infinity : -1e200;
      } else {
        present.push_back(j);
      }
    }
    const Eigen::Matrix2Xd kept = x(Eigen::all, present);
    const Eigen::VectorXd weights = w(present);
    const sm::ScoreMatchingLoss score;
    const sm::GeneralizedScoreMatchingLoss generalized;
    const auto energy = sm::energy_family<2>(
        [](const auto& at, const auto& theta) { return -at.squaredNorm() * theta(0); },
        Eigen::Matrix<double, 1, 1>(1.0));
    const auto check = [&](const auto& loss, const auto& family) {
      auto summary = loss.summary(family);
      summary.add(x, w);
      auto expected = loss.summary(family);
      expected.add(kept, weights);
      auto objective = loss.objective(family, summary);
      auto expected_objective = loss.objective(family, expected);
      typename std::decay_t<decltype(family)>::Parameters theta = family.start();
      theta.array() += 0.1;
      CHECK(summary.count() == doctest::Approx(expected.count()).epsilon(1e-14));
      CHECK(objective(theta) == doctest::Approx(expected_objective(theta)).epsilon(1e-12));
      // What is present is looked at.
      auto bad = w;
      bad(0) = 1;
      CHECK(contains(message_of([&] { summary.add(x, bad); }),
                     "samples(row 0, column 0) = nan; expected a finite value"));
    };
    check(score, sm::GaussianFamily<double, 2>());
    check(score, sm::GaussianFamily<double>(2));
    check(score, sm::PairwiseGaussianFamily<double, 2>());
    check(score, sm::PairwiseGaussianFamily<double>(2));
    check(score, energy);
    check(generalized, sm::TruncatedGaussianFamily<double, 2>());
    check(generalized, energy);
    const sm::Gaussian<double, 2> p(Eigen::Vector2d(0, 0), Eigen::Matrix2d::Identity());
    const sm::Gaussian<double, 2> q(Eigen::Vector2d(1, 0), 2 * Eigen::Matrix2d::Identity());
    CHECK(sm::fisher_divergence(p, q, x, w).value ==
          doctest::Approx(sm::fisher_divergence(p, q, kept, weights).value).epsilon(1e-12));
  }
}
