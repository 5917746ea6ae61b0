// The products, inverse and Cholesky factor of dynamic size beside plain Eigen expressions, at
// sizes on and around the edges of tiles, strips and pieces.
#include "support.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>

namespace {

using namespace support;
namespace detail = sm::detail;
using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

constexpr int sizes[] = {1,  2,  3,  15, 16,  17,  31,  33,  48, 49,
                         64, 65, 96, 97, 128, 130, 256, 257, 300};

// Entries of order one, a diagonal that keeps the inverse so.
Matrix random_lower(Eigen::Index d, Rng& rng) {
  Matrix l = normals<double>(d, d, rng).triangularView<Eigen::Lower>();
  l /= std::sqrt(static_cast<double>(d));
  for (Eigen::Index i = 0; i < d; ++i) l(i, i) = 1 + std::abs(l(i, i));
  return l;
}

Matrix lower_part(const Matrix& m) { return m.triangularView<Eigen::Lower>(); }

void check_close(const Matrix& ours, const Matrix& expected) {
  const double rounding =
      static_cast<double>(10 * ours.rows()) * std::numeric_limits<double>::epsilon();
  CHECK((ours - expected).norm() <= rounding * (1 + expected.norm()));
}

}  // namespace

TEST_CASE("products in blocks are those of plain expressions") {
  Rng rng(1);
  for (const int d : sizes) {
    CAPTURE(d);
    const Matrix a = random_lower(d, rng);
    const Matrix b = random_lower(d, rng);
    const Matrix full = normals<double>(d, d, rng);
    const Vector v = normals<double>(d, 1, rng);
    const Matrix identity = Matrix::Identity(d, d);
    // A NaN left from before must not pass through.
    const Matrix junk = Matrix::Constant(d, d, std::numeric_limits<double>::quiet_NaN());

    Matrix inverse = Matrix::Zero(d, d);
    detail::invert_lower(a, inverse);
    CHECK(lower_part(inverse) == inverse);
    check_close(a * inverse, identity);
    CHECK(std::abs(detail::squared_norm_of_inverse(a) - inverse.squaredNorm()) <=
          1e-13 * inverse.squaredNorm());

    Matrix result = junk;
    detail::multiply_lower(a, b, result);
    CHECK(lower_part(result) == result);
    check_close(result, a * b);
    result = junk;
    detail::gram_of_rows(a, result);
    CHECK(result == result.transpose());
    check_close(result, a * a.transpose());
    result = junk;
    detail::gram_of_columns(a, result);
    CHECK(result == result.transpose());
    check_close(result, a.transpose() * a);
    result = junk;
    detail::identity_minus_grams(a, v, result);
    CHECK(result == result.transpose());
    check_close(result, identity - a * a.transpose() - v * v.transpose());
    result = junk;
    detail::multiply(full, b, result);
    check_close(result, full * b);
    result = junk;
    detail::multiply_transposed_lower(a, full, result);
    check_close(lower_part(result), lower_part(a.transpose() * full));
    result = junk;
    detail::add_transposed(full, result);
    check_close(lower_part(result), lower_part(full + full.transpose()));

    const Matrix symmetric = full + full.transpose();
    const double trace = (symmetric + symmetric * symmetric).trace();
    CHECK(std::abs(detail::trace_with_product(symmetric, symmetric) - trace) <= 1e-13 * trace);
    Vector packed = Vector::Constant(1 + d * (d - 1) / 2, -7);
    Vector expected = packed;
    for (Eigen::Index i = 0, place = 1; i < d; ++i) {
      for (Eigen::Index j = 0; j < i; ++j) expected(place++) = full(i, j);
    }
    detail::pack_below(full, 1, packed);
    CHECK(packed == expected);
    result =
        Matrix(full.diagonal().asDiagonal()) + Matrix(junk.triangularView<Eigen::StrictlyUpper>());
    detail::unpack_below(packed, 1, result);
    CHECK(result == lower_part(full));

    Vector w = v;
    detail::multiply_symmetric(symmetric, v, w);
    check_close(w, symmetric * v);
    w = v;
    detail::apply_lower(a, w);
    check_close(w, a * v);
    w = v;
    detail::apply_transposed_lower(a, w);
    check_close(w, a.transpose() * v);
    w = v;
    detail::solve_lower(a, w);
    check_close(a * w, v);
    w = v;
    detail::solve_transposed_lower(a, w);
    check_close(a.transpose() * w, v);
  }
}

// Products of any shape, of matrices in larger ones, beside sums from the definition.
template <class Scalar>
void check_products() {
  using Full = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  namespace blocked = detail::blocked;
  Rng rng(2);
  const auto draw = [&](Eigen::Index rows, Eigen::Index columns) {
    return Full(normals<double>(rows, columns, rng).template cast<Scalar>());
  };
  struct Shape {
    Eigen::Index rows, columns, depth;
  };
  for (const Shape s : {Shape{1, 1, 1},
                        {2, 3, 1},
                        {7, 5, 9},
                        {8, 8, 8},
                        {24, 8, 130},
                        {25, 9, 3},
                        {16, 33, 129},
                        {49, 47, 31},
                        {47, 130, 2},
                        {100, 70, 0},
                        {3, 129, 257}}) {
    CAPTURE(s.rows);
    CAPTURE(s.columns);
    CAPTURE(s.depth);
    // Columns a power of two apart.
    const Eigen::Index stride = 1024 / Eigen::Index(sizeof(Scalar)) * 2;
    const Full a = draw(stride, s.depth + 1);
    const Full at = draw(s.depth + 2, s.rows + 1);
    const Full b = draw(s.depth + 3, s.columns + 1);
    const Full bt = draw(s.columns + 1, s.depth + 1);
    const Full before = draw(s.rows + 2, s.columns + 2);
    // `kept` is how often the result counts what was there before.
    const auto check = [&](const char* what, auto&& apply, Scalar kept, Scalar sign, auto&& x,
                           auto&& y) {
      if (kept == 0 && s.depth == 0) return;
      CAPTURE(what);
      Full result = before;
      if (kept == 0) {
        result.block(1, 1, s.rows, s.columns).setConstant(std::numeric_limits<Scalar>::quiet_NaN());
      }
      apply(blocked::writable(result, 1, 1, s.rows, s.columns));
      Full expected = before;
      expected.block(1, 1, s.rows, s.columns) *= kept;
      for (Eigen::Index j = 0; j < s.columns; ++j) {
        for (Eigen::Index i = 0; i < s.rows; ++i) {
          long double sum = 0;
          for (Eigen::Index k = 0; k < s.depth; ++k)
            sum += static_cast<long double>(x(i, k)) * static_cast<long double>(y(k, j));
          expected(i + 1, j + 1) += sign * static_cast<Scalar>(sum);
        }
      }
      const Scalar rounding = Scalar(10 + 10 * s.depth) * std::numeric_limits<Scalar>::epsilon();
      CHECK((result - expected).cwiseAbs().maxCoeff() <= rounding);
      // Nothing is written beside the block.
      result.block(1, 1, s.rows, s.columns) = before.block(1, 1, s.rows, s.columns);
      CHECK(result == before);
    };
    const auto left = blocked::view(a, 1, 1, s.rows, s.depth);
    const auto left_t = blocked::view(at, 1, 1, s.depth, s.rows);
    const auto right = blocked::view(b, 1, 1, s.depth, s.columns);
    const auto right_t = blocked::view(bt, 1, 1, s.columns, s.depth);
    check(
        "a b", [&](auto r) { blocked::set_product(r, left, right); }, 0, 1, left, right);
    check(
        "-a b", [&](auto r) { blocked::set_minus_product(r, left, right); }, 0, -1, left, right);
    check(
        "a b^T", [&](auto r) { blocked::set_product_nt(r, left, right_t); }, 0, 1, left,
        right_t.transpose());
    check(
        "c - a b^T", [&](auto r) { blocked::subtract_product_nt(r, left, right_t); }, 1, -1, left,
        right_t.transpose());
    check(
        "a^T b", [&](auto r) { blocked::set_product_tn(r, left_t, right); }, 0, 1,
        left_t.transpose(), right);
  }
}

TEST_CASE("products of any shape, in double") { check_products<double>(); }
TEST_CASE("products of any shape, in float") { check_products<float>(); }
TEST_CASE("products of any shape, in numbers without vector registers") {
  check_products<long double>();
}

TEST_CASE("the root of a covariance gives it back, entry by entry, singular or not") {
  Rng rng(2);
  for (const int d : sizes) {
    CAPTURE(d);
    const Matrix a = random_lower(d, rng);
    Vector scale(d);
    for (Eigen::Index i = 0; i < d; ++i) scale(i) = std::exp2(static_cast<double>(17 * i % 101));
    Matrix r = a * a.transpose();
    const auto check = [&](bool singular) {
      const Matrix s = scale.asDiagonal() * r * scale.asDiagonal();
      const detail::SemidefiniteRoot<double, Eigen::Dynamic> root(s);
      CHECK(root.positive_definite == !singular);
      CHECK(root.singular == singular);
      CHECK(lower_part(root.lower) == root.lower);
      const Matrix unscaled = scale.cwiseInverse().asDiagonal() * root.lower;
      check_close(unscaled * unscaled.transpose(), r);
    };
    check(false);
    if (d == 1) continue;
    r.row(d / 2) = 2 * r.row(0);  // collinear coordinates
    r.col(d / 2) = 2 * r.col(0);
    r(d / 2, d / 2) = 4 * r(0, 0);
    check(true);
    r(d - 1, 0) = std::numeric_limits<double>::quiet_NaN();
    const detail::SemidefiniteRoot<double, Eigen::Dynamic> nowhere(r);
    CHECK_FALSE(nowhere.positive_definite);
    CHECK(nowhere.singular);
  }
}

// Tiles of Kahan's matrix, whose inverse is far larger than their pivots tell.
TEST_CASE(
    "the root of a covariance has a residual of rounding, however its tiles are conditioned") {
  for (const int d : {17, 20, 24}) {
    for (const long double c : {0.3L, 0.6L, 0.8L}) {
      CAPTURE(d);
      CAPTURE(c);
      const long double s = std::sqrt(1 - c * c);
      Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic> l(d, d);
      l.setZero();
      for (int i = 0; i < d; ++i) {
        for (int j = 0; j <= i; ++j) l(i, j) = std::pow(s, j % 16) * (i == j ? 1 : -c);
      }
      const Matrix covariance = (l * l.transpose()).cast<double>();
      const detail::SemidefiniteRoot<double, Eigen::Dynamic> root(covariance);
      REQUIRE(root.positive_definite);
      const auto factor = root.lower.cast<long double>().eval();
      const auto error = (factor * factor.transpose() - covariance.cast<long double>()).eval();
      const auto scale = covariance.diagonal().cwiseSqrt().cast<long double>().eval();
      const double residual = static_cast<double>(
          (scale.cwiseInverse().asDiagonal() * error * scale.cwiseInverse().asDiagonal())
              .cwiseAbs()
              .maxCoeff());
      CHECK(residual <= d * std::numeric_limits<double>::epsilon());
    }
  }
}

TEST_CASE("a matrix whose null vector cancels in the sums of its rows is singular") {
  const double small = 0.004;
  const double c = std::sqrt(1 - small * small);
  Matrix l = Matrix::Zero(7, 7);
  l(0, 0) = l(1, 1) = 1;
  for (int i = 2; i < 6; ++i) {
    l(i, i) = small;
    l(i, i - 2) = c;
  }
  l(6, 6) = small;
  l(6, 5) = -c / std::sqrt(2.0);
  l(6, 4) = c / std::sqrt(2.0);
  const detail::SemidefiniteRoot<double, Eigen::Dynamic> root(l * l.transpose());
  CHECK(root.singular);
}

// Inverse and factor in numbers of other kinds, beside the definition: L X = I, C C^T = S.
template <class Scalar>
void check_triangles() {
  using Full = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  using Lane = sm::LaneOf<Scalar>;
  Rng rng(5);
  for (const int d : {1, 7, 15, 16, 17, 31, 48, 49, 65, 100}) {
    CAPTURE(d);
    Full l(d, d);
    std::array<Matrix, std::size_t(sm::lanes_of<Scalar>)> exact;
    for (int k = 0; k < sm::lanes_of<Scalar>; ++k) {
      Matrix& lower = exact[std::size_t(k)];
      lower = random_lower(d, rng).cast<float>().cast<double>();
      detail::set_lane(l, k, lower.cast<Lane>().eval());
    }
    Full inverse = Full::Constant(d, d, Scalar(0));
    detail::invert_lower(l, inverse);
    const Scalar square = detail::squared_norm_of_inverse(l);
    const Lane rounding = Lane(10 * d) * std::numeric_limits<Lane>::epsilon();
    for (int k = 0; k < sm::lanes_of<Scalar>; ++k) {
      const auto x = detail::lane_of(inverse, k);
      const auto lower = exact[std::size_t(k)].template cast<Lane>().eval();
      const auto identity = Eigen::Matrix<Lane, -1, -1>::Identity(d, d);
      CHECK((lower * x - identity).norm() <= rounding * (1 + lower.norm() * x.norm()));
      CHECK(std::abs(detail::lane_of(square, k) - x.squaredNorm()) <= rounding * x.squaredNorm());
    }
    if constexpr (sm::lanes_of<Scalar> == 1) {
      const Full covariance = l * l.transpose();
      const detail::SemidefiniteRoot<Scalar, Eigen::Dynamic> root(covariance);
      CHECK(root.positive_definite);
      CHECK((root.lower * root.lower.transpose() - covariance).norm() <=
            rounding * covariance.norm());
    }
  }
}

TEST_CASE("inverse and factor, in float") { check_triangles<float>(); }
TEST_CASE("inverse and factor, in numbers without vector registers") {
  check_triangles<long double>();
}
TEST_CASE("the inverse, in packs") { check_triangles<sm::Pack<double, 4>>(); }

template <int Dim>
void check_judgement(int d) {
  CAPTURE(d);
  using Root = detail::SemidefiniteRoot<double, Dim>;
  using Covariance = typename Root::Matrix;
  // A covariance that is not finite is never taken for a number.
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    for (int j = 0; j < d; ++j) {
      for (int i = j + 1; i < d; ++i) {
        Covariance covariance = Covariance::Identity(d, d);
        covariance(i, j) = covariance(j, i) = bad;
        const Root root(covariance);
        CHECK_FALSE(root.positive_definite);
        CHECK(root.singular);
        CHECK(root.lower.isZero(0));
      }
    }
  }
  // All eigenvalues but one are equal: no matrix of that determinant and trace has a larger
  // smallest one.
  const double limit = 4 * d * std::numeric_limits<double>::epsilon();
  for (const double smallest : {limit / 2, 2 * limit, 1e3 * limit, 1e6 * limit}) {
    if (d == 1) continue;
    CAPTURE(smallest);
    const double correlation = -(1 - smallest) / (d - 1);
    Covariance covariance = Covariance::Constant(d, d, correlation);
    covariance.diagonal().setOnes();
    CHECK(Root(covariance).singular == (smallest < limit));
  }
}

TEST_CASE("a covariance is singular where its smallest eigenvalue is rounding") {
  check_judgement<1>(1);
  check_judgement<2>(2);
  check_judgement<3>(3);
  check_judgement<8>(8);
  for (const int d : {1, 2, 3, 15, 16, 17, 33, 50}) check_judgement<Eigen::Dynamic>(d);
}

TEST_CASE("no row of signs hides from the estimate of the smallest eigenvalue") {
  for (const int d : {64, 130, 512}) {
    const int signs = d == 130 ? 128 : d;
    for (const int row : {1, 3, 125, 126, 403, 511}) {
      if (row >= signs) continue;
      CAPTURE(d);
      CAPTURE(row);
      Vector null = Vector::Zero(d);
      for (int i = 0; i < signs; ++i) {
        const int bits = i & row;
        int parity = 0;
        for (int bit = 0; bit < 10; ++bit) parity ^= bits >> bit & 1;
        null(i + d - signs) = (parity != 0 ? -1 : 1) / std::sqrt(double(signs));
      }
      const double limit = 4 * d * std::numeric_limits<double>::epsilon();
      for (const double smallest : {limit / 10, 10 * limit}) {
        const Matrix covariance = Matrix::Identity(d, d) - (1 - smallest) * null * null.transpose();
        const detail::SemidefiniteRoot<double, Eigen::Dynamic> root(covariance);
        CHECK(root.singular == (smallest < limit));
      }
    }
  }
}

// In memory that held something else before.
template <int Dim>
void check_large_fixed_size(Rng& rng) {
  CAPTURE(Dim);
  using Fixed = sm::GaussianScoreMatching<double, Dim>;
  const Matrix samples = random_samples(Dim, 2 * Dim, rng);
  sm::Moments<double, Dim> fixed;
  sm::Moments<double> dynamic(Dim);
  fixed.add(samples);
  dynamic.add(samples);
  const auto memory = std::make_unique<std::array<unsigned char, sizeof(Fixed) + alignof(Fixed)>>();
  memory->fill(0xff);
  void* place = memory->data();
  std::size_t room = memory->size();
  std::align(alignof(Fixed), sizeof(Fixed), place, room);
  auto* objective = new (place) Fixed(sm::GaussianFamily<double, Dim>{}, fixed);
  auto reference = sm::ScoreMatchingLoss{}.objective(sm::GaussianFamily<double>(Dim), dynamic);
  const Vector theta = 0.1 * normals<double>(reference.exact().parameters.size(), 1, rng);
  typename sm::GaussianFamily<double, Dim>::Parameters at = theta;
  auto gradient = at;
  Vector expected = theta;
  const double value = (*objective)(at, gradient);
  CHECK(value == doctest::Approx(reference(theta, expected)).epsilon(1e-12));
  CHECK(relative_difference(gradient, expected) <= 1e-12);
  objective->~Fixed();
}

TEST_CASE("fixed sizes beyond the unrolled ones are what dynamic ones are") {
  Rng rng(5);
  check_large_fixed_size<17>(rng);
  check_large_fixed_size<50>(rng);
}

TEST_CASE("the minimum that an objective knows is what it computes there") {
  Rng rng(3);
  const auto check = [&](const auto& family, const auto& loss) {
    const Eigen::Index d = family.dimension();
    auto summary = loss.summary(family);
    summary.add(random_samples(d, 3 * d + 2, rng));
    auto objective = loss.objective(family, summary);
    auto gradient = family.start();
    const double value = objective(objective.exact().parameters, gradient);
    CHECK(std::abs(objective.exact().loss - value) <= 1e-11 * std::abs(value));
    CHECK(gradient.norm() <= 1e-10 * std::abs(value));
  };
  check(sm::GaussianFamily<double, 3>{}, sm::ScoreMatchingLoss{});
  check(sm::GaussianFamily<double>{40}, sm::ScoreMatchingLoss{});
  check(sm::GaussianFamily<double>{1}, sm::NegativeLogLikelihood{});
  check(sm::GaussianFamily<double>{40}, sm::NegativeLogLikelihood{});
}
