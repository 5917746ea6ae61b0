#include "support.hpp"

#include <doctest/doctest.h>

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
