#include "support.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using namespace support;

// Two passes over the samples in long double: the definition.
struct Reference {
  Eigen::Matrix<long double, Eigen::Dynamic, 1> mean;
  Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic> covariance;

  explicit Reference(const Eigen::MatrixXd& samples, Eigen::VectorXd weights = Eigen::VectorXd()) {
    if (weights.size() == 0) weights = Eigen::VectorXd::Ones(samples.cols());
    const auto x = samples.cast<long double>().eval();
    const auto w = weights.cast<long double>().eval();
    mean = x * w / w.sum();
    const auto centred = (x.colwise() - mean).eval();
    covariance = centred * w.asDiagonal() * centred.transpose() / w.sum();
  }
};

template <class M>
void check_against(const M& moments, const Reference& reference, double relative) {
  const auto tolerance = static_cast<long double>(relative);
  using Long = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
  const Long covariance = moments.covariance().template cast<long double>();
  const Long mean = moments.mean().template cast<long double>();
  for (Eigen::Index i = 0; i < mean.rows(); ++i) {
    const long double si = std::sqrt(reference.covariance(i, i));
    CHECK(std::abs(mean(i, 0) - reference.mean(i)) <=
          tolerance * (si + std::abs(reference.mean(i))));
    for (Eigen::Index j = 0; j < mean.rows(); ++j) {
      const long double sj = std::sqrt(reference.covariance(j, j));
      CHECK(std::abs(covariance(i, j) - reference.covariance(i, j)) <= tolerance * si * sj);
    }
  }
}

template <class Scalar, int Dim>
sm::Moments<Scalar, Dim> moments_of(
    const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>& x) {
  sm::Moments<Scalar, Dim> moments(x.rows());
  moments.add(x);
  return moments;
}

// Digits that agree with `certified`.
double digits(double actual, long double certified) {
  const long double error = std::abs(static_cast<long double>(actual) - certified) / certified;
  return error == 0 ? 17 : static_cast<double>(-std::log10(error));
}

// The n-1 standard deviation that NIST certifies.
double standard_deviation(const sm::Moments<double, 1>& moments) {
  return std::sqrt(moments.covariance()(0, 0) * moments.count() / (moments.count() - 1));
}

// 2 k + 1 values: middle, then low and high in turn.
Eigen::MatrixXd alternating(double middle, double low, double high, Eigen::Index pairs) {
  Eigen::MatrixXd x(1, 2 * pairs + 1);
  x(0, 0) = middle;
  for (Eigen::Index k = 0; k < pairs; ++k) {
    x(0, 2 * k + 1) = low;
    x(0, 2 * k + 2) = high;
  }
  return x;
}

}  // namespace

TEST_CASE(
    "moments equal the two-pass definition, block by block and one by one, fixed and dynamic") {
  Rng rng(1);
  const auto check = [&]<int Dim>(std::integral_constant<int, Dim>, Eigen::Index d) {
    for (const Eigen::Index n : {1, 2, 3, 127, 128, 129, 1000, 3001}) {
      CAPTURE(d);
      CAPTURE(n);
      const Eigen::MatrixXd x = random_samples(d, n, rng);
      const Reference reference(x);
      check_against(moments_of<double, Dim>(x), reference, 1e-14);
      sm::Moments<double, Dim> one_by_one(d);
      for (Eigen::Index j = 0; j < n; ++j) one_by_one.add(x.col(j));
      check_against(one_by_one, reference, 1e-14);
      CHECK(one_by_one.count() == double(n));
    }
  };
  check(std::integral_constant<int, 1>{}, 1);
  check(std::integral_constant<int, 2>{}, 2);
  check(std::integral_constant<int, 3>{}, 3);
  check(std::integral_constant<int, 8>{}, 8);
  check(std::integral_constant<int, 17>{}, 17);
  check(std::integral_constant<int, Eigen::Dynamic>{}, 1);
  check(std::integral_constant<int, Eigen::Dynamic>{}, 5);
  check(std::integral_constant<int, Eigen::Dynamic>{}, 40);
}

// Each of these would cost digits where blocks are summed about a point far from their mean.
TEST_CASE("many blocks of drifting, sorted, jumping, skewed and constant samples keep 13 digits") {
  Rng rng(11);
  const auto check = [&]<int Dim>(std::integral_constant<int, Dim>) {
    CAPTURE(Dim);
    const Eigen::Index n = 3 * 4096 / Dim + 77;
    const Eigen::MatrixXd noise = normals<double>(Dim, n, rng);
    const Eigen::MatrixXd mixed =
        (Eigen::MatrixXd::Identity(Dim, Dim) + 0.3 * normals<double>(Dim, Dim, rng)) * noise;
    const Eigen::RowVectorXd time = Eigen::RowVectorXd::LinSpaced(n, 0, 1);
    std::vector<Eigen::MatrixXd> cases(7, mixed);
    cases[1] += Eigen::VectorXd::Constant(Dim, 1e6) * time;  // drift far beyond the spread
    for (Eigen::Index i = 0; i < Dim; ++i) {
      std::sort(cases[2].row(i).begin(), cases[2].row(i).end());
    }
    cases[3].rightCols(n / 2).array() += 1e5;
    cases[4] = (cases[4].array() * 4).exp().matrix();
    cases[5].array() += 1e8;
    cases[5].col(0).setZero();
    cases[5].col(n / 2).setConstant(-1e8);
    cases[6].row(0).setConstant(0.1);
    for (std::size_t c = 0; c < cases.size(); ++c) {
      CAPTURE(c);
      Eigen::MatrixXd& x = cases[c];
      if (c == 6) {
        // No spread to measure errors by: exact.
        const auto covariance = moments_of<double, Dim>(x).covariance().eval();
        CHECK(covariance.row(0).isZero(0));
        CHECK(moments_of<double, Dim>(x).mean()(0) == 0.1);
        continue;
      }
      for (const double offset : {0.0, 0x1p23}) {
        CAPTURE(offset);
        x.array() += offset;
        const Reference reference(x);
        check_against(moments_of<double, Dim>(x), reference, 1e-13);
        // In two calls, the second not in place.
        sm::Moments<double, Dim> parts;
        parts.add(x.leftCols(n / 3));
        parts.add(Eigen::MatrixXd(x.transpose()).transpose().rightCols(n - n / 3));
        check_against(parts, reference, 1e-13);
        CHECK(parts.count() == double(n));
      }
    }
  };
  check(std::integral_constant<int, 1>{});
  check(std::integral_constant<int, 2>{});
  check(std::integral_constant<int, 3>{});
  check(std::integral_constant<int, 4>{});
  check(std::integral_constant<int, 8>{});
}

TEST_CASE("a centre that looks good but is not costs no digits") {
  const auto check = [&]<int Dim>(std::integral_constant<int, Dim>) {
    CAPTURE(Dim);
    // Every sample that a first guess might look at is an outlier.
    const Eigen::Index n = 4096 / Dim;
    Eigen::MatrixXd x = Eigen::MatrixXd::Constant(Dim, n, 0.1);
    for (Eigen::Index k = 0; k < n; k += n / 8) x.col(k).setConstant(-1e5 / 3);
    check_against(moments_of<double, Dim>(x), Reference(x), 1e-14);
    // So is the first sample, and with it the pivot, whose last digit is lost to the mean.
    Rng rng(13);
    x = normals<double>(Dim, 40'000 / Dim, rng);
    x.col(0).setConstant(1e7);
    sm::Moments<double, Dim> moments;
    moments.add(x.col(0));
    moments.add(x.rightCols(x.cols() - 1));
    check_against(moments, Reference(x), 5e-14);
  };
  check(std::integral_constant<int, 1>{});
  check(std::integral_constant<int, 2>{});
  check(std::integral_constant<int, 4>{});
  check(std::integral_constant<int, 8>{});
}

TEST_CASE_TEMPLATE("a sample that is not finite is found wherever it stands, and changes nothing",
                   Dim, std::integral_constant<int, 1>, std::integral_constant<int, 2>,
                   std::integral_constant<int, 4>, std::integral_constant<int, 8>) {
  constexpr int d = Dim::value;
  Rng rng(12);
  const Eigen::Index n = 2 * 4096 / d + 15;
  Eigen::Matrix<float, d, Eigen::Dynamic> x = normals<float, d>(d, n, rng);
  sm::Moments<float, d> moments;
  moments.add(x);
  const auto before = moments;
  for (const Eigen::Index column : {Eigen::Index(0), Eigen::Index(1), n / 2, n - 16, n - 1}) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      const float good = x(d - 1, column);
      x(d - 1, column) = bad;
      const std::string text = message_of([&] { moments.add(x); });
      CHECK(contains(text, "samples(row " + std::to_string(d - 1) + ", column " +
                               std::to_string(column) + ")"));
      CHECK(moments.count() == double(n));
      CHECK(same_bits(moments.mean(), before.mean()));
      CHECK(same_bits(moments.covariance(), before.covariance()));
      x(d - 1, column) = good;
    }
  }
}

TEST_CASE("samples count as far as their squares can be summed") {
  // Squared differences from the first block's values would overflow, those from the mean do not.
  sm::Moments<double, 2> moments;
  moments.add(Eigen::Vector2d(0, 0));
  const Eigen::Matrix2Xd far = Eigen::Matrix2Xd::Constant(2, 100'000, 0x1p510);
  moments.add(far);
  CHECK(moments.covariance()(0, 0) <= std::ldexp(1.0, 1020) / 99'999);
  const auto before = moments;
  const Eigen::Matrix2Xd spread = (Eigen::Matrix2Xd(2, 2) << 0, 0x1p513, 0, 0x1p513).finished();
  CHECK(contains(message_of([&] { moments.add(spread); }), "do not overflow"));
  CHECK(same_bits(moments.covariance(), before.covariance()));
}

TEST_CASE("NIST StRD: NumAcc1 to NumAcc4 keep 14 digits of the standard deviation") {
  // Certified values: mean 10000002, 1.2, 1000000.2, 10000000.2; standard deviation 1, 0.1, 0.1,
  // 0.1.
  const Eigen::MatrixXd one = (Eigen::MatrixXd(1, 3) << 10000001, 10000003, 10000002).finished();
  CHECK(digits(standard_deviation(moments_of<double, 1>(one)), 1) >= 14);
  CHECK(moments_of<double, 1>(one).mean()(0) == 10000002);
  const Eigen::MatrixXd two = alternating(1.2, 1.1, 1.3, 500);
  CHECK(digits(standard_deviation(moments_of<double, 1>(two)), 0.1L) >= 14);
  CHECK(digits(moments_of<double, 1>(two).mean()(0), 1.2L) >= 14);
  // Past these, the decimal values themselves lose digits as doubles: 14 digits of what the doubles
  // hold, and as many of the certified value as that leaves.
  const auto stored = [](const Eigen::MatrixXd& x) {
    const Reference reference(x);
    const auto n = static_cast<long double>(x.cols());
    return std::sqrt(reference.covariance(0, 0) * n / (n - 1));
  };
  const Eigen::MatrixXd three = alternating(1000000.2, 1000000.1, 1000000.3, 500);
  CHECK(digits(standard_deviation(moments_of<double, 1>(three)), stored(three)) >= 14);
  CHECK(digits(standard_deviation(moments_of<double, 1>(three)), 0.1L) >= 9);
  const Eigen::MatrixXd four = alternating(10000000.2, 10000000.1, 10000000.3, 500);
  CHECK(digits(standard_deviation(moments_of<double, 1>(four)), stored(four)) >= 14);
  CHECK(digits(standard_deviation(moments_of<double, 1>(four)), 0.1L) >= 8);
  CHECK(digits(moments_of<double, 1>(four).mean()(0), 10000000.2L) >= 14);
}

TEST_CASE("near-constant data around 1e7 keeps 14 digits in any order and any partition") {
  // 1e7 + k / 2^20 is exact, and so are the sums of the integers k: an exact reference.
  const Eigen::Index n = 20000;
  Rng rng(2);
  std::uniform_int_distribution<std::int64_t> integer(-100000, 100000);
  std::vector<std::int64_t> ks(static_cast<std::size_t>(n));
  std::int64_t sum = 0;
  std::int64_t squares = 0;
  for (auto& k : ks) {
    k = integer(rng);
    sum += k;
    squares += k * k;
  }
  const long double mean_k = static_cast<long double>(sum) / n;
  const long double deviation =
      std::sqrt(static_cast<long double>(squares) / n - mean_k * mean_k) / 1048576;
  const auto deviation_of = [](const auto& moments) {
    return std::sqrt(moments.covariance()(0, 0));
  };

  for (int order = 0; order < 4; ++order) {
    CAPTURE(order);
    if (order == 1) std::sort(ks.begin(), ks.end());
    if (order == 2) std::reverse(ks.begin(), ks.end());
    if (order == 3) std::shuffle(ks.begin(), ks.end(), rng);
    Eigen::MatrixXd x(1, n);
    for (Eigen::Index j = 0; j < n; ++j) {
      x(0, j) = 1e7 + std::ldexp(double(ks[static_cast<std::size_t>(j)]), -20);
    }
    CHECK(digits(deviation_of(moments_of<double, 1>(x)), deviation) >= 14);
    CHECK(digits(deviation_of(moments_of<double, Eigen::Dynamic>(x)), deviation) >= 14);
    sm::Moments<double, 1> single;
    for (Eigen::Index j = 0; j < n; ++j) single.add(x.col(j));
    CHECK(digits(deviation_of(single), deviation) >= 14);
    // Random partitions, merged from the left, from the right and as a tree.
    for (int trial = 0; trial < 10; ++trial) {
      std::vector<sm::Moments<double, 1>> parts;
      for (Eigen::Index start = 0; start < n;) {
        const Eigen::Index size =
            std::min<Eigen::Index>(n - start, 1 + static_cast<Eigen::Index>(rng() % 900));
        parts.push_back(moments_of<double, 1>(x.middleCols(start, size)));
        start += size;
      }
      sm::Moments<double, 1> left;
      for (const auto& part : parts) left.merge(part);
      sm::Moments<double, 1> right;
      for (auto it = parts.rbegin(); it != parts.rend(); ++it) right.merge(*it);
      for (std::size_t step = 1; step < parts.size(); step *= 2) {
        for (std::size_t i = 0; i + step < parts.size(); i += 2 * step) {
          parts[i].merge(parts[i + step]);
        }
      }
      CHECK(digits(deviation_of(left), deviation) >= 14);
      CHECK(digits(deviation_of(right), deviation) >= 14);
      CHECK(digits(deviation_of(parts.front()), deviation) >= 14);
      CHECK(left.count() == double(n));
    }
  }
}

TEST_CASE("an outlying first sample, the pivot, costs few digits") {
  Rng rng(3);
  Eigen::MatrixXd x = random_samples(3, 5000, rng);
  x.array() += 1e6;
  x.col(0).setZero();
  check_against(moments_of<double, 3>(x), Reference(x), 1e-13);
  sm::Moments<double> single(3);
  for (Eigen::Index j = 0; j < x.cols(); ++j) single.add(x.col(j));
  check_against(single, Reference(x), 1e-12);
}

TEST_CASE_TEMPLATE("merging with an empty one is the identity to the bit", Scalar, float, double,
                   long double) {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  Rng rng(4);
  for (const double magnitude : {1.0, 1e-8, 1e15, 1e155}) {
    if (magnitude > double(std::numeric_limits<Scalar>::max()) / 1e6) continue;
    CAPTURE(magnitude);
    // Spread far below the magnitude, so that squares of differences do not overflow.
    const Matrix x = ((normals<double>(3, 20, rng) * 1e-4).array() + 1.0).matrix().cast<Scalar>() *
                     static_cast<Scalar>(magnitude);
    const auto seen = moments_of<Scalar, Eigen::Dynamic>(x);
    auto left = seen;
    left.merge(sm::Moments<Scalar>(3));
    auto right = sm::Moments<Scalar>(3);
    right.merge(seen);
    for (const auto& merged : {left, right}) {
      CHECK(merged.count() == seen.count());
      CHECK(same_bits(merged.mean(), seen.mean()));
      CHECK(same_bits(merged.covariance(), seen.covariance()));
    }
    sm::Moments<Scalar> nothing(3);
    nothing.merge(sm::Moments<Scalar>(3));
    CHECK(nothing.count() == 0);
    auto with_block = seen;
    with_block.add(Matrix(3, 0));
    CHECK(same_bits(with_block.covariance(), seen.covariance()));
  }
}

TEST_CASE("merging is symmetric and equals seeing all the samples") {
  Rng rng(5);
  for (const double offset : {0.0, 1e7}) {
    const Eigen::MatrixXd a = (random_samples(4, 700, rng).array() + offset).matrix();
    const Eigen::MatrixXd b = (random_samples(4, 33, rng).array() + offset + 1).matrix();
    Eigen::MatrixXd both(4, a.cols() + b.cols());
    both << a, b;
    const Reference reference(both);
    auto ab = moments_of<double, 4>(a);
    ab.merge(moments_of<double, 4>(b));
    auto ba = moments_of<double, 4>(b);
    ba.merge(moments_of<double, 4>(a));
    check_against(ab, reference, 1e-14);
    check_against(ba, reference, 1e-14);
    CHECK(ab.count() == 733);
  }
}

TEST_CASE_TEMPLATE("weights: one is none, k is k copies, zero is absence", Dim,
                   std::integral_constant<int, 2>, std::integral_constant<int, 3>,
                   std::integral_constant<int, Eigen::Dynamic>) {
  Rng rng(6);
  const Eigen::Index n = 3000;
  const Eigen::Index d = Dim::value == 2 ? 2 : 3;
  const Eigen::MatrixXd x = random_samples(d, n, rng);
  const auto plain = moments_of<double, Dim::value>(x);

  sm::Moments<double, Dim::value> ones(d);
  ones.add(x, Eigen::VectorXd::Ones(n));
  CHECK(ones.count() == plain.count());
  CHECK(same_bits(ones.mean(), plain.mean()));
  CHECK(same_bits(ones.covariance(), plain.covariance()));

  Eigen::VectorXd weights(n);
  std::vector<Eigen::Index> copies;
  for (Eigen::Index j = 0; j < n; ++j) {
    weights(j) = double(rng() % 4);
    for (int k = 0; k < int(weights(j)); ++k) copies.push_back(j);
  }
  sm::Moments<double, Dim::value> weighted(d);
  weighted.add(x, weights.transpose());  // a row of weights serves as well
  const Eigen::MatrixXd repeated = x(Eigen::all, copies);
  CHECK(weighted.count() == double(copies.size()));
  check_against(weighted, Reference(repeated), 1e-14);
  check_against(weighted, Reference(x, weights), 1e-14);

  // Absent samples may hold any finite value, and even come first.
  Eigen::MatrixXd padded(d, n + 2);
  padded << Eigen::Vector3d(1e300, -1e300, 1e150).head(d), x, Eigen::Vector3d(1e10, 0, 0).head(d);
  Eigen::VectorXd mask = Eigen::VectorXd::Ones(n + 2);
  mask(0) = mask(n + 1) = 0;
  sm::Moments<double, Dim::value> masked(d);
  masked.add(padded, mask);
  CHECK(masked.count() == double(n));
  check_against(masked, Reference(x), 1e-14);
  sm::Moments<double, Dim::value> none(d);
  none.add(x, Eigen::VectorXd::Zero(n));
  CHECK(none.count() == 0);

  // Weights are relative: a common factor changes the count alone.
  sm::Moments<double, Dim::value> tiny(d);
  tiny.add(x, Eigen::VectorXd::Constant(n, 0x1p-40));
  CHECK(relative_difference(tiny.covariance(), plain.covariance()) <= 1e-14);
  CHECK(tiny.count() == double(n) * 0x1p-40);
}

TEST_CASE_TEMPLATE("counts past 2^32 and long float streams", Scalar, float, double, long double) {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  Rng rng(7);
  const Matrix x = random_samples<Scalar>(2, 100, rng);
  const auto once = moments_of<Scalar, 2>(x);
  auto doubled = once;
  for (int k = 0; k < 40; ++k) doubled.merge(sm::Moments<Scalar, 2>(doubled));
  CHECK(doubled.count() == 100 * 0x1p40);
  const auto tolerance = 8 * double(std::numeric_limits<Scalar>::epsilon());
  CHECK(relative_difference(doubled.mean(), once.mean()) <= tolerance);
  CHECK(relative_difference(doubled.covariance(), once.covariance()) <= tolerance);
  doubled.add(x.col(0));
  CHECK(doubled.count() == 100 * 0x1p40 + 1);

  // A float sum of squares would stop growing at 2^24 terms of order one.
  sm::Moments<Scalar, 1> long_stream;
  for (long k = 0; k < (1L << 25); ++k) {
    long_stream.add(Eigen::Matrix<Scalar, 1, 1>(k % 2 == 0 ? Scalar(1) : Scalar(3)));
  }
  CHECK(std::abs(double(long_stream.covariance()(0, 0)) - 1) <= 1e-6);
  CHECK(std::abs(double(long_stream.mean()(0)) - 2) <= 1e-6);
}

TEST_CASE("every dense expression is read, whatever its storage") {
  Rng rng(8);
  const Eigen::MatrixXd x = random_samples(3, 500, rng);
  const auto expected = moments_of<double, Eigen::Dynamic>(x);
  const auto check = [&](const auto& expression) {
    sm::Moments<double, 3> fixed;
    fixed.add(expression);
    CHECK(relative_difference(fixed.covariance(), expected.covariance()) <= 1e-14);
    sm::Moments<double> dynamic(3);
    dynamic.add(expression);
    CHECK(same_bits(dynamic.mean(), expected.mean()));
    CHECK(same_bits(dynamic.covariance(), expected.covariance()));
  };
  check(x);
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> row_major = x;
  check(row_major);
  check(Eigen::Matrix3Xd(x));
  const Eigen::MatrixXd transposed = x.transpose();
  check(transposed.transpose());
  check(x.array());
  check(Eigen::Ref<const Eigen::MatrixXd>(x));
  Eigen::MatrixXd tall = Eigen::MatrixXd::Constant(5, 500, not_a_number);
  tall.middleRows(1, 3) = x;
  check(tall.middleRows(1, 3));
  check(0.5 * (x + x));
  check(Eigen::Matrix3d::Identity() * x);
  Eigen::MatrixXd wide(6, 1000);
  wide.setConstant(std::numeric_limits<double>::quiet_NaN());
  const Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic> stride(12, 2);
  Eigen::Map<Eigen::MatrixXd, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>> strided(
      wide.data(), 3, 500, stride);
  strided = x;
  check(strided);
  check(wide(Eigen::seq(0, 4, 2), Eigen::seq(0, 998, 2)));
}

TEST_CASE("shifting by a power of two keeps the covariance to the bit; scaling scales it exactly") {
  Rng rng(9);
  Eigen::MatrixXd x(2, 300);
  for (double& value : x.reshaped()) value = double(rng() % 4096) / 64 - 32;
  const auto moments = moments_of<double, 2>(x);
  const auto shifted = moments_of<double, 2>((x.array() + 0x1p30).matrix());
  CHECK(same_bits(shifted.covariance(), moments.covariance()));
  const auto scaled = moments_of<double, 2>(x * 0x1p-200);
  CHECK(same_bits(scaled.covariance(), moments.covariance() * 0x1p-400));
  CHECK(same_bits(scaled.mean(), moments.mean() * 0x1p-200));
}

// --- weights of every size -----------------------------------------------------------------------

namespace {

// Samples of order one and a common offset, of weights over twenty orders of magnitude; one in four
// is a far outlier that weighs next to nothing.
struct Weighted {
  Eigen::MatrixXd x;
  Eigen::VectorXd w;

  Weighted(Eigen::Index d, Eigen::Index n, Rng& rng) : x(random_samples(d, n, rng)), w(n) {
    std::uniform_real_distribution<double> uniform(0, 1);
    const double offset = uniform(rng) < 0.5 ? 0 : std::pow(10, 6 * uniform(rng));
    x.array() += offset;
    const double depth = 20 * uniform(rng);
    for (Eigen::Index j = 0; j < n; ++j) {
      w(j) = std::pow(10, -depth * uniform(rng));
      if (uniform(rng) < 0.25) {
        w(j) = std::pow(10, -16 - 4 * uniform(rng));
        x.col(j) *= 1e8;
      }
    }
    w(n - 1) = 1;  // not an outlier, and the heaviest
    x.col(n - 1) = normals<double>(d, 1, rng).array() + offset;
  }
};

template <int Dim>
sm::Moments<double, Dim> merged_as_tree(const Weighted& data, Rng& rng) {
  const Eigen::Index d = data.x.rows();
  std::vector<sm::Moments<double, Dim>> parts;
  for (Eigen::Index start = 0; start < data.x.cols();) {
    const Eigen::Index size =
        std::min(data.x.cols() - start, 1 + static_cast<Eigen::Index>(rng() % 40));
    parts.emplace_back(d);
    parts.back().add(data.x.middleCols(start, size), data.w.segment(start, size));
    start += size;
  }
  while (parts.size() > 1) {
    const std::size_t at = rng() % (parts.size() - 1);
    parts[at].merge(parts[at + 1]);
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  return parts.front();
}

template <int Dim>
void check_weights_of_every_size(Eigen::Index d, Rng& rng) {
  for (int trial = 0; trial < 60; ++trial) {
    CAPTURE(d);
    CAPTURE(trial);
    const Eigen::Index n = 1 + static_cast<Eigen::Index>(rng() % (trial % 5 == 0 ? 3000 : 60));
    const Weighted data(d, n, rng);
    const Reference reference(data.x, data.w);
    sm::Moments<double, Dim> block(d), singles(d);
    block.add(data.x, data.w);
    for (Eigen::Index j = 0; j < n; ++j) singles.add(data.x.col(j), data.w.segment(j, 1));
    check_against(block, reference, 1e-13);
    check_against(singles, reference, 1e-13);
    check_against(merged_as_tree<Dim>(data, rng), reference, 1e-13);
  }
}

}  // namespace

TEST_CASE("samples of negligible weight cost no digits, wherever they stand") {
  // The first sample is the first pivot.
  sm::Moments<double, 1> moments;
  moments.add(Eigen::Matrix<double, 1, 1>(1e8), Eigen::Matrix<double, 1, 1>(1e-40));
  const Eigen::RowVector4d x(0.1, 0.2, 0.4, 0.8);
  for (const double value : x) moments.add(Eigen::Matrix<double, 1, 1>(value));
  check_against(moments, Reference(x), 1e-15);

  Rng rng(20);
  check_weights_of_every_size<1>(1, rng);
  check_weights_of_every_size<2>(2, rng);
  check_weights_of_every_size<3>(3, rng);
  check_weights_of_every_size<8>(8, rng);
  check_weights_of_every_size<17>(17, rng);
  check_weights_of_every_size<Eigen::Dynamic>(5, rng);
}

TEST_CASE("a pivot that merging has left far behind costs no digits") {
  // Each part weighs as much as all before it, so that none is the heavier one.
  Rng rng(21);
  sm::Moments<double, 2> moments;
  Eigen::MatrixXd x = Eigen::MatrixXd::Constant(2, 1, 1e8);
  Eigen::VectorXd w = Eigen::VectorXd::Ones(1);
  moments.add(x, w);
  for (int k = 0; k < 70; ++k) {
    sm::Moments<double, 2> part;
    const Eigen::MatrixXd samples = normals<double>(2, 4, rng);
    const Eigen::VectorXd weights = Eigen::VectorXd::Constant(4, moments.count() / 4);
    part.add(samples, weights);
    moments.merge(part);
    x.conservativeResize(2, x.cols() + 4);
    w.conservativeResize(w.size() + 4);
    x.rightCols(4) = samples;
    w.tail(4) = weights;
  }
  check_against(moments, Reference(x, w), 1e-14);
}

TEST_CASE_TEMPLATE("a sample of weight 0 is absent, whatever it holds", Dim,
                   std::integral_constant<int, 1>, std::integral_constant<int, 2>,
                   std::integral_constant<int, 3>, std::integral_constant<int, 8>,
                   std::integral_constant<int, 17>, std::integral_constant<int, Eigen::Dynamic>) {
  constexpr int dim = Dim::value;
  const Eigen::Index d = dim == Eigen::Dynamic ? 5 : dim;
  Rng rng(22);
  for (const Eigen::Index n : {5, 400, 9000}) {
    Eigen::MatrixXd x = random_samples(d, n, rng);
    Eigen::VectorXd w = normals<double>(n, 1, rng).cwiseAbs();
    std::vector<Eigen::Index> present;
    for (Eigen::Index j = 0; j < n; ++j) {
      // More than a block of them comes first, and again in the midst of others.
      if (n == 9000 ? j < 4200 || (j > 6000 && j < 7500) : j % 3 == 0) {
        w(j) = 0;
        x.col(j).setConstant(j % 2 == 0 ? not_a_number : j % 5 == 0 ? infinity : -1e300);
      } else {
        present.push_back(j);
      }
    }
    sm::Moments<double, dim> moments(d);
    moments.add(x, w);
    const Eigen::MatrixXd kept = x(Eigen::all, present);
    const Eigen::VectorXd weights = w(present);
    CHECK(moments.count() == doctest::Approx(weights.sum()).epsilon(1e-14));
    check_against(moments, Reference(kept, weights), 1e-14);
    // A NaN that is present is still found, by its own row and column.
    x(d - 1, n - 1) = not_a_number;
    w(n - 1) = 1;
    CHECK(contains(
        message_of([&] { moments.add(x, w); }),
        sm::detail::text_of("samples(row ", d - 1, ", column ", n - 1, ") = nan; expected")));
  }
}

TEST_CASE("sums that overflow blame the weights where those are too large, else the samples") {
  const auto check = [](auto moments, const char* words) {
    const Eigen::Index d = moments.dimension();
    const Eigen::MatrixXd x = Eigen::MatrixXd::Random(d, 5) * 10;
    for (const double w : {1e307, 1e308, 1.7e308}) {
      CHECK(contains(message_of([&] { moments.add(x, Eigen::VectorXd::Constant(5, w)); }), words));
    }
    CHECK(moments.count() == 0);
    moments.add(x, Eigen::VectorXd::Constant(5, 1e300));
    // Later samples of ordinary size are not to blame for what they meet.
    CHECK(contains(message_of([&] { moments.add(x * 1e6, Eigen::VectorXd::Constant(5, 1e300)); }),
                   words));
    CHECK(contains(message_of([&] { moments.add(x * 1e200, Eigen::VectorXd::Ones(5)); }),
                   "samples(row "));
    CHECK(moments.count() == 5e300);
  };
  check(sm::Moments<double, 1>(1), "the sum of the weights is ");
  check(sm::Moments<double, 2>(2), "the sum of the weights is ");
  check(sm::Moments<double>(20), "the sum of the weights is ");
}

TEST_CASE_TEMPLATE("single samples are taken in or refused as the largest number allows", Scalar,
                   float, double, long double) {
  using Sample = Eigen::Matrix<Scalar, 1, 1>;
  const Scalar root = std::sqrt(std::numeric_limits<Scalar>::max());
  for (const int seen : {1, 2, 7}) {
    for (int power = -4; power <= 4; ++power) {
      CAPTURE(seen);
      CAPTURE(power);
      sm::Moments<Scalar, 1> moments;
      for (int k = 0; k < seen; ++k) moments.add(Sample(Scalar(k % 2)));
      const auto before = moments;
      const Scalar far = std::ldexp(root, power);
      // The variance of n zeros and one x is x^2 n / (n + 1)^2.
      const long double n = seen;
      const auto ratio = static_cast<long double>(std::ldexp(1.0, 2 * power));
      const bool fits = ratio * n / ((n + 1) * (n + 1)) < 0.4L;
      const bool overflows = ratio * n / ((n + 1) * (n + 1)) > 1.1L;
      const std::string message = message_of([&] { moments.add(Sample(far)); });
      CAPTURE(message);
      if (message == "no exception") {
        CHECK_FALSE(overflows);
        CHECK(moments.count() == double(seen + 1));
        CHECK(std::isfinite(moments.covariance()(0, 0)));
      } else {
        // In double there is no room above the largest number to sum squares in.
        CHECK((!fits || !std::is_same_v<Scalar, float>));
        CHECK(contains(message, "samples(row 0, column 0) = "));
        CHECK(moments.count() == double(seen));
        CHECK(same_bits(moments.mean(), before.mean()));
        CHECK(same_bits(moments.covariance(), before.covariance()));
      }
    }
  }
}
