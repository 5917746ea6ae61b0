// Energies that are recorded and replayed over packs, beside the same by dual numbers.
#include "support.hpp"

#include <doctest/doctest.h>

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <type_traits>

namespace sm = scorematch;

namespace {

using Vector = Eigen::VectorXd;

// Loss and gradient of both, which must agree within `tolerance` of the gradient's size; also that
// both are finite, unless the case is about that.
template <class Loss, class Family, class Plain, class Samples>
void check_same(const Loss& loss, const Family& recorded, const Plain& plain,
                const Samples& samples, const typename Family::Parameters& theta,
                double tolerance) {
  static_assert(Family::recorded && !Plain::recorded);
  auto summary = loss.summary(recorded);
  auto plain_summary = loss.summary(plain);
  using Weights = Eigen::Matrix<typename Family::Scalar, 1, Eigen::Dynamic>;
  const Weights weights = Weights::LinSpaced(samples.cols(), 1, 2);
  summary.add(samples, weights);
  plain_summary.add(samples, weights);
  auto objective = loss.objective(recorded, summary);
  auto reference = loss.objective(plain, plain_summary);
  typename Family::Parameters gradient = theta, expected = theta;
  const double value = static_cast<double>(objective(theta, gradient));
  const double wanted = static_cast<double>(reference(theta, expected));
  const double size = 1 + static_cast<double>(expected.norm());
  CHECK(std::isfinite(wanted));
  CHECK(std::abs(value - wanted) <= tolerance * (1 + std::abs(wanted)));
  CHECK(static_cast<double>((gradient - expected).norm()) <= tolerance * size);
  CHECK(std::abs(static_cast<double>(objective(theta)) - wanted) <=
        tolerance * (1 + std::abs(wanted)));
}

// The denoising loss by gradients carried forward, where the library gets scores by a run backward.
struct ByGradients : sm::DenoisingPoint<double> {
  static constexpr auto order = sm::detail::SecondOrder::laplacian;
};

// The axes as directions: the mean of their sliced losses is the exact one over the dimension.
struct AlongAxes : sm::SlicedPoint<double> {
  template <class Block>
  void draw(sm::detail::RandomNumbers&, Block& block) const {
    block.setIdentity();
  }
};

// Derivatives along a line and runs backward in x, beside gradients carried forward, which are
// compared with dual numbers.
template <class Family, class Samples>
void check_lines(const Family& family, const Samples& samples,
                 const typename Family::Parameters& theta, double tolerance) {
  auto summary = sm::SampledLoss(sm::ScoreMatchingLoss()).summary(family);
  using Weights = Eigen::Matrix<double, 1, Eigen::Dynamic>;
  summary.add(samples, Weights(Weights::LinSpaced(samples.cols(), 1, 2)));
  const auto same = [&](auto&& objective, auto&& reference, double scale) {
    typename Family::Parameters gradient = theta, expected = theta;
    const double value = scale * objective(theta, gradient);
    const double wanted = reference(theta, expected);
    CHECK(std::isfinite(wanted));
    CHECK(std::abs(value - wanted) <= tolerance * (1 + std::abs(wanted)));
    CHECK((scale * gradient - expected).norm() <= tolerance * (1 + expected.norm()));
  };
  const sm::DenoisingPoint<double> noise{0.01, false};
  same(sm::RandomizedObjective<Family, sm::DenoisingPoint<double>>(family, summary, noise, 2, 0, 5),
       sm::RandomizedObjective<Family, ByGradients>(family, summary, ByGradients{noise}, 2, 0, 5),
       1);
  const Eigen::Index d = family.dimension();
  same(sm::RandomizedObjective<Family, AlongAxes>(
           family, summary, AlongAxes{{sm::Directions::normal, false}}, d, 0, 5),
       sm::ScoreMatchingLoss().objective(family, summary), static_cast<double>(d));
}

// Which losses a case is for: the plain one, or all of them.
enum class Losses { plain, all };

template <int Dim, int Count, class Scalar, Losses losses, class Energy>
void check_energy(const Energy& energy, Eigen::Index dimension, Eigen::Index count, unsigned seed,
                  double scale = 1, double tolerance = 1e-13) {
  using Parameters = Eigen::Matrix<Scalar, Count, 1>;
  using Samples = Eigen::Matrix<Scalar, Dim, Eigen::Dynamic>;
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  for (const Eigen::Index n : {1, 3, 40}) {
    Samples samples(dimension, n);
    for (Eigen::Index j = 0; j < n; ++j) {
      for (Eigen::Index i = 0; i < dimension; ++i) {
        samples(i, j) = static_cast<Scalar>(scale * normal(random));
      }
    }
    Parameters theta(count);
    for (Eigen::Index k = 0; k < count; ++k) theta(k) = static_cast<Scalar>(0.4 * normal(random));
    const sm::EnergyFamily<Scalar, Dim, Count, Energy> recorded(energy, theta, dimension);
    const sm::EnergyFamily<Scalar, Dim, Count, sm::NotRecorded<Energy>> plain(
        sm::not_recorded(energy), theta, dimension);
    CAPTURE(n);
    check_same(sm::ScoreMatchingLoss(), recorded, plain, samples, theta, tolerance);
    if constexpr (std::is_same_v<Scalar, double>) {
      check_lines(recorded, samples, theta, 10 * tolerance);
    }
    if constexpr (losses == Losses::all) {
      check_same(sm::DenoisingScoreMatchingLoss{.sigma = 0.3}, recorded, plain, samples, theta,
                 tolerance);
      check_same(sm::SlicedScoreMatchingLoss{}, recorded, plain, samples, theta, tolerance);
      check_same(sm::SlicedScoreMatchingLoss{.projections = 2, .variance_reduced = true}, recorded,
                 plain, samples, theta, tolerance);
      const Samples inside = samples.cwiseAbs();
      check_same(sm::GeneralizedScoreMatchingLoss(), recorded, plain, inside, theta, tolerance);
    }
  }
}

struct Network {
  int hidden;
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::tanh;
    using Number = typename X::Scalar;
    Number inner(0);
    Eigen::Index p = 0;
    for (int k = 0; k < hidden; ++k) {
      Number a(0);
      for (Eigen::Index i = 0; i < x.size(); ++i) a += x(i) * theta(p++);
      a += theta(p++);
      inner += tanh(a) * theta(p++);
      if (k == 0) inner += a * 0.3;  // a row that has a further use
    }
    return Number(x.squaredNorm() * (-0.5) + inner + sm::log_cosh(Number(inner * 0.5)));
  }
};

// Two layers, so that sums over the same terms become matrix products.
struct TwoLayers {
  int hidden;
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using Number = typename X::Scalar;
    using Column = Eigen::Matrix<Number, Eigen::Dynamic, 1>;
    Eigen::Index p = 0;
    Column first(hidden), second(hidden);
    for (int k = 0; k < hidden; ++k) {
      Number a(0);
      for (Eigen::Index i = 0; i < x.size(); ++i) a += x(i) * theta(p++);
      first(k) = sm::softplus(Number(a + theta(p++)));
    }
    for (int k = 0; k < hidden; ++k) {
      Number a(0);
      for (int j = 0; j < hidden; ++j) a += first(j) * theta(p++);
      second(k) = sm::logistic(Number(a + theta(p++)));
    }
    Number sum = x.squaredNorm() * (-0.5);
    for (int k = 0; k < hidden; ++k) sum += second(k) * theta(p++);
    return sum;
  }
  static int count(int dimension, int hidden) { return hidden * (dimension + hidden + 3); }
};

// Every function of one number and of two, at numbers inside their domains.
struct Functions {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::abs;
    using std::acos;
    using std::asin;
    using std::atan;
    using std::atan2;
    using std::cos;
    using std::cosh;
    using std::erf;
    using std::erfc;
    using std::exp;
    using std::expm1;
    using std::hypot;
    using std::lgamma;
    using std::log;
    using std::log1p;
    using std::pow;
    using std::sin;
    using std::sinh;
    using std::sqrt;
    using std::tanh;
    using std::tgamma;
    using Number = typename X::Scalar;
    const Number a = x(0) + theta(0), b = x(1) * theta(1) - 0.3, c = x(0) * x(1) + theta(2);
    const Number above = 1 + a * a, inside = tanh(b) * 0.9;
    Number sum = exp(b * 0.3) + expm1(c * 0.1) + log(above) + log1p(c * c) + sqrt(above) + sin(c);
    sum +=
        cos(a * theta(3)) + asin(inside) + acos(inside) + atan(c) + sinh(a * 0.2) + cosh(b * 0.2);
    sum += tanh(c) + erf(b) + erfc(c) + lgamma(above) + tgamma(Number(1 + inside * inside));
    sum += sm::digamma(above) + sm::trigamma(above) + sm::square(c) + sm::logistic(a);
    sum += sm::softplus(b) + sm::log_cosh(c) + pow(a, 3) + pow(above, -2) + pow(b, 5);
    sum += pow(above, 0.7) + pow(1.3, c) + pow(above, Number(inside + theta(0)));
    sum += hypot(a, above) + hypot(b, 0.5) + atan2(a, above) + atan2(1.5, above);
    sum += sm::logsumexp(a, b) + sm::logsumexp(c, 0.3) + 1 / above - b / above + abs(c) * a;
    sum += (sm::max)(a, b) * c + (sm::min)(a, Number(b + 0.1)) * a + (sm::max)(c, 0.2) * b;
    Eigen::Matrix<Number, 3, 1> three(a, b, Number(theta(1) * 2));
    sum += sm::logsumexp(three) * a + three.dot(three) + three.array().tanh().sum() * b;
    // Of theta alone.
    const auto t = theta(0) * theta(1);
    sum += exp(t) * a + sqrt(1 + t * t) * b + atan2(theta(0), 1 + theta(1) * theta(1)) * c;
    return Number(sum * (-0.1) - x.squaredNorm());
  }
};

struct Branches {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::sqrt;
    using Number = typename X::Scalar;
    Number sum = -x.squaredNorm();
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      const Number u = x(i) * theta(i % 2) + Number(0.1f);
      if (u > Number(0.4f)) {
        sum += u * u * u + sqrt(u);  // not a number where other samples go another way
      } else if (u < Number(-0.3f)) {
        sum -= u * theta(0);
      } else {
        sum += u * u * theta(1);
      }
    }
    if (theta(0) > 0) sum += x(0) * theta(0);
    return sum;
  }
};

// A way of its own for nearly every sample.
struct Staircase {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using Number = typename X::Scalar;
    Number sum = -x.squaredNorm();
    Number step(-3);
    int steps = 0;
    while (step < x(0) && steps < 600) {
      step += 0.01;
      ++steps;
    }
    return Number(sum + x(0) * x(0) * theta(0) * (0.01 * steps));
  }
};

// Products and sums of everything, shared and nested.
struct Mixed {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::exp;
    using Number = typename X::Scalar;
    const Eigen::Index d = x.size();
    Number field(0), pair(0);
    for (Eigen::Index i = 0; i < d; ++i) {
      const Number q = x(i) * x(i);
      field += q * theta(0) - q * q * 0.1;
      if (i > 0) pair += x(i) * x(i - 1) * theta(1);
    }
    field += exp(Number((x(0) * theta(0) + x(d - 1) * theta(1) + x(0) * theta(2)) * 0.1));
    const Number both = field * pair * 0.01;
    const Number shared = exp(Number(both * 0.1 - x(0) * theta(2)));
    const Number again = shared * (shared + field) * 0.01;
    return Number(both - again * again - field * shared / (2 + shared) + theta(2) * 3 - 1);
  }
};

}  // namespace

// A user's own function, for whatever the library's functions take.
template <sm::Differentiable Number>
Number soft(const Number& x) {
  using std::sqrt;
  return sqrt(1 + x * x);
}

// What once went wrong, each found by a reader: linear energies, layers whose jets are sparse or
// inputs of one another, numbers that are not used, what is not finite on a side that is not taken.
struct Awkward {
  int which;

  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::abs;
    using std::exp;
    using std::pow;
    using std::sqrt;
    using std::tanh;
    using Number = typename X::Scalar;
    using Column = Eigen::Matrix<Number, Eigen::Dynamic, 1>;
    const Eigen::Index d = x.size(), last = d - 1;
    Number sum = -x.squaredNorm() / 2;
    switch (which) {
      case 0: return Number(-theta(0) * x(0));
      case 1: return Number(x(last));
      case 2: return Number(3);
      case 3: return Number(theta(0) * theta(1));
      case 4: return Number(x(0) * x(last));
      case 5:
      case 6: {  // a layer of a layer's sums, in the order they were made or reversed
        Column first(5), second(5);
        for (int k = 0; k < 5; ++k) first(k) = tanh(Number(x.sum() * theta(k % 3) + 0.1 * k));
        for (int j = 0; j < 5; ++j) {
          second(j) = Number(0);
          for (int k = 0; k < 5; ++k) second(j) += first(k) * theta((j + k) % 3);
          sum += tanh(second(j)) * 0.1;
        }
        for (int j = 0; j < 5; ++j) {
          Number a(0);
          for (int k = 0; k < 5; ++k) {
            a += second(which == 5 ? k : 4 - k) * (theta(j % 3) + 0.3 * k);
          }
          sum += tanh(a) * theta(1);
        }
        return sum;
      }
      case 7: {  // a layer of functions of one coordinate each
        if (theta(0) > 0) {
          for (int k = 0; k < 3; ++k) sum += tanh(Number(x.sum() * theta(k) + k)) * theta(k);
        }
        Column first(5);
        for (int k = 0; k < 5; ++k) first(k) = tanh(Number(x((2 * k) % d) * theta(k % 3)));
        for (int j = 0; j < 5; ++j) {
          Number a(0);
          for (int k = 0; k < 5; ++k) a += first(k) * theta((j + 2 * k) % 3);
          sum += tanh(a) * theta(j % 3);
        }
        return sum;
      }
      case 8: {  // on the very boundary, by another rounding
        if (x(0) - 0.4 - 0.1 < 0) sum += x(0) * x(0) * x(0) * theta(1);
        return sum;
      }
      case 9: {  // a root that is used where it is real
        const Number u = x(0) * theta(0);
        const Number root = sqrt(u) * sqrt(u);
        if (u > 0) sum += root;
        return sum;
      }
      case 10: {  // used in a comparison alone
        const Number root = sqrt(x(0)) + x(last) * theta(1);
        if (root < 0.1) sum += x(0) * x(0) * theta(2);
        return sum;
      }
      case 11: {  // without overflow, also in a layer
        Column v(3);
        for (int k = 0; k < 3; ++k) v(k) = x(0) * theta(k) + 900 + k;
        const Number l = sm::logsumexp(v);
        for (int j = 0; j < 5; ++j) {
          Number a = l - 900;
          a = l + v(0) * theta(j % 3) + x(last) * theta(2) - v(0) * theta(j % 3) - 902;
          sum += tanh(a);
        }
        return sum;
      }
      case 12: return Number(sum + pow(x(0), Number(2.0)) * theta(0) + pow(Number(2), x(last)));
      case 13: return Number(sum + pow(theta(0), typename Theta::Scalar(2.0)) * x(0));
      case 14: {
        const Number root = sqrt(x(0) * theta(0)) * 0.1;
        return Number(sum + (sm::max)(Number(x(last) * x(last) + 0.1), Number(root - 10)) * x(0));
      }
      case 15: return Number(sum + pow(x(0) * x(0), theta(0) * theta(0) + 1.5) * theta(1));
      case 16: return Number(sum + soft(Number(x(0) * theta(0))) * soft(x(last)) * theta(1));
      case 18: {  // sums of a layer that the result does not depend on, or did before
        Column first(5);
        for (int k = 0; k < 5; ++k) first(k) = tanh(Number(x.sum() * theta(k % 3) + 0.1 * k));
        for (int j = 0; j < 6; ++j) {
          Number a(0);
          for (int k = 0; k < 5; ++k) a += first(k) * theta((j + 2 * k) % 3);
          if (j < 4 || theta(0) < 0) {
            sum += tanh(a) * theta(j % 3);
          } else if (a > 1000) {
            sum += a;
          }
        }
        return sum;
      }
      default: {  // sums that begin alike
        Number base(0);
        for (int k = 0; k < 6; ++k) base += tanh(Number(x.sum() * theta(k % 3) + k));
        for (int k = 0; k < 4; ++k) sum += exp(Number((base - x(0) * theta(k % 3)) * 0.1));
        return Number(sum + base * theta(0));
      }
    }
  }
};

constexpr int any = Eigen::Dynamic;

TEST_CASE("a recorded energy has the loss and gradient of dual numbers") {
  SUBCASE("networks of fixed, dynamic and many dimensions") {
    check_energy<1, 9, double, Losses::plain>(Network{3}, 1, 9, 1);
    check_energy<10, any, double, Losses::plain>(Network{5}, 10, 60, 3);
    check_energy<17, any, double, Losses::plain>(Network{3}, 17, 57, 4);
    for (const int d : {1, 2, 7, 8, 9, 20}) {
      CAPTURE(d);
      check_energy<any, any, double, Losses::all>(Network{4}, d, 4 * (d + 2), 5);
    }
  }
  SUBCASE("two layers") {
    for (const int d : {1, 3, 11}) {
      for (const int hidden : {3, 4, 6, 9}) {
        check_energy<any, any, double, Losses::plain>(TwoLayers{hidden}, d,
                                                      TwoLayers::count(d, hidden), 6);
      }
    }
  }
  SUBCASE("every function") {
    for (unsigned seed = 0; seed < 20; ++seed) {
      check_energy<2, 4, double, Losses::plain>(Functions(), 2, 4, seed);
    }
  }
  SUBCASE("branches") {
    for (unsigned seed = 0; seed < 20; ++seed) {
      check_energy<any, 2, double, Losses::plain>(Branches(), 1, 2, seed);
      check_energy<any, 2, double, Losses::plain>(Branches(), 3, 2, seed);
      check_energy<any, 2, double, Losses::plain>(Branches(), 10, 2, seed);
    }
  }
  SUBCASE("more ways than there may be programs") {
    check_energy<1, 1, double, Losses::plain>(Staircase(), 1, 1, 9);
  }
  SUBCASE("products, shared numbers") {
    check_energy<2, 3, double, Losses::all>(Mixed(), 2, 3, 11);
    check_energy<19, 3, double, Losses::plain>(Mixed(), 19, 3, 13, 0.5);
    for (const int d : {1, 5, 10}) {
      check_energy<any, 3, double, Losses::plain>(Mixed(), d, 3, 14, 0.7);
    }
  }
  SUBCASE("float") {
    check_energy<any, any, float, Losses::plain>(TwoLayers{6}, 3, TwoLayers::count(3, 6), 17, 1,
                                                 2e-5);
  }
}

TEST_CASE("energies at awkward places") {
  const auto check = [](const Awkward& energy, const Eigen::MatrixXd& samples,
                        const Eigen::Vector3d& theta, bool smooth) {
    CAPTURE(energy.which);
    CAPTURE(samples.rows());
    const sm::EnergyFamily<double, any, 3, Awkward> recorded(energy, theta, samples.rows());
    const sm::EnergyFamily<double, any, 3, sm::NotRecorded<Awkward>> plain(sm::not_recorded(energy),
                                                                           theta, samples.rows());
    const sm::ScoreMatchingLoss loss;
    auto summary = loss.summary(recorded);
    summary.add(samples);
    auto objective = loss.objective(recorded, summary);
    auto reference = loss.objective(plain, summary);
    Eigen::Vector3d gradient, expected;
    objective(-theta, gradient);  // another program, where theta decides a branch
    const double wanted = reference(theta, expected);
    const double value = objective(theta, gradient);
    CHECK(objective(theta, gradient) == value);  // whatever was there before
    CHECK(value == doctest::Approx(wanted).epsilon(1e-12));
    if (smooth) CHECK((gradient - expected).norm() <= 1e-12 * (1 + expected.norm()));
    CHECK_FALSE(gradient.hasNaN());
    if (smooth) check_lines(recorded, samples, theta, 1e-11);
  };
  std::mt19937 random(4);
  std::normal_distribution<double> normal;
  for (int which = 0; which <= 18; ++which) {
    for (const int d : {1, 2, 5, 11}) {
      for (const Eigen::Index n : {1, 20}) {
        const Eigen::Vector3d theta(0.8, -0.6, 0.5);
        const Eigen::MatrixXd samples =
            Eigen::MatrixXd::NullaryExpr(d, n, [&] { return normal(random); });
        if (which == 10 || which == 14) {
          check({which}, samples.cwiseAbs(), theta, true);
        } else {
          check({which}, samples, theta, true);
        }
      }
    }
  }
  check({8}, Eigen::MatrixXd::Constant(1, 1, 0.5), {0.8, -0.6, 0.5}, true);
  check({7}, Eigen::MatrixXd::Constant(5, 3, 0.7), {-0.8, -0.6, 0.5}, true);
  check({13}, Eigen::MatrixXd::Constant(1, 2, 0.7), {-0.8, -0.6, 0.5}, true);
  check({15}, Eigen::RowVector3d(0, 1, 2), {0.8, -0.6, 0.5}, true);
  // The side that a maximum does not take is not finite: the value is that of the other.
  Eigen::RowVector3d sides(-0.3, 0.5, 1);
  const sm::EnergyFamily<double, any, 3, Awkward> family(Awkward{14}, Eigen::Vector3d(0.8, 1, 1),
                                                         1);
  auto summary = sm::ScoreMatchingLoss().summary(family);
  summary.add(sides);
  CHECK(std::isfinite(sm::ScoreMatchingLoss().objective(family, summary)(family.start())));
}

TEST_CASE("the score of a fitted energy at many points at once") {
  std::mt19937 random(3);
  const auto check = [&](const auto& family, const auto& theta, Eigen::Index d, auto scalar,
                         double tolerance) {
    using Scalar = decltype(scalar);
    using Points = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
    std::normal_distribution<double> normal;
    const auto density = family.distribution(theta);
    for (const Eigen::Index n : {0, 1, 50}) {
      const Points points =
          Points::NullaryExpr(d, n, [&] { return static_cast<Scalar>(normal(random)); });
      const auto scores = density.score(points);
      const auto laplacians = density.laplacian(points);
      const auto values = density.unnormalized_log_density(points);
      REQUIRE(scores.rows() == d);
      REQUIRE(scores.cols() == n);
      REQUIRE(laplacians.size() == n);
      REQUIRE(values.size() == n);
      for (Eigen::Index j = 0; j < n; ++j) {
        const auto one = density.score(points.col(j));
        CHECK(double((scores.col(j) - one).norm()) <= tolerance * (1 + double(one.norm())));
        const double laplacian = double(density.laplacian(points.col(j)));
        CHECK(std::abs(double(laplacians(j)) - laplacian) <= tolerance * (1 + std::abs(laplacian)));
        const double value = double(density.unnormalized_log_density(points.col(j)));
        CHECK(std::abs(double(values(j)) - value) <= tolerance * (1 + std::abs(value)));
      }
    }
    CHECK_THROWS_AS(density.score(Points(Points::Zero(d + 1, 2))), std::invalid_argument);
  };
  const Eigen::Vector2d theta(0.4, -0.7);
  check(sm::energy_family<3>(Branches(), theta), theta, 3, double(), 1e-13);
  check(sm::energy_family<3>(sm::not_recorded(Branches()), theta), theta, 3, double(), 1e-13);
  check(sm::energy_family(Branches(), theta, 11), theta, 11, double(), 1e-13);
  const Eigen::Vector2f single(0.4f, -0.7f);
  check(sm::energy_family<3>(Branches(), single), single, 3, float(), 1e-5);
  const auto logarithm = [](const auto& x, const auto& t) {
    using std::log;
    return t(0) * log(x(0)) - x(0) * t(1);
  };
  const auto density = sm::energy_family<1>(logarithm, theta).distribution(theta);
  const Eigen::RowVector2d points(2, -1);
  CHECK(density.score(points)(0) == doctest::Approx(0.4 / 2 + 0.7));
  CHECK(std::isnan(density.score(points)(1)));  // as of one point
}

TEST_CASE("log(1 + x) of packs keeps the digits of a small x") {
  using P = sm::detail::ReplayPack<double>;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double x :
       {0.0, -1e-300, 1e-17, 3e-9, -2e-5, 0.3, -0.999, 1e9, 1e300, -1.0, infinity}) {
    CAPTURE(x);
    P phi[sm::detail::composed_size];
    sm::detail::LogarithmOfOnePlus::at<double>(P(x), 0, phi);
    const double expected = std::log1p(x);
    if (std::isfinite(expected)) {
      CHECK(std::abs(phi[0][0] - expected) <= 4e-16 * std::abs(expected));
      CHECK(phi[1][0] == doctest::Approx(1 / (1 + x)).epsilon(1e-15));
    } else {
      CHECK(phi[0][0] == expected);
    }
  }
}

TEST_CASE("logsumexp keeps the digits of its slopes far from its terms") {
  // One Gaussian as a mixture of one, and two far from both: the spread of gradients is small
  // beside their squares.
  const auto check = [](auto scalar, auto components, double x, double tolerance) {
    using T = decltype(scalar);
    constexpr int count = decltype(components)::value;
    CAPTURE(x);
    CAPTURE(count);
    const sm::ScoreMatchingLoss loss;
    const auto slopes = [&](auto number) {
      using Number = decltype(number);
      const sm::GaussianMixtureFamily<Number, 1, count> family;
      Eigen::Matrix<Number, 1, 3> samples(Number(T(x)), Number(T(-1)), Number(T(0.5)));
      auto summary = loss.summary(family);
      summary.add(samples);
      auto objective = loss.objective(family, summary);
      typename sm::GaussianMixtureFamily<Number, 1, count>::Parameters theta, gradient;
      for (Eigen::Index k = 0; k < theta.size(); ++k) theta(k) = Number(T(0.3 - 0.25 * double(k)));
      objective(theta, gradient);
      return Eigen::VectorXd(gradient.template cast<double>());
    };
    const Eigen::VectorXd recorded = slopes(T()), expected = slopes(static_cast<long double>(0));
    CHECK((recorded - expected).norm() <= tolerance * expected.norm());
  };
  const std::integral_constant<int, 1> one;
  const std::integral_constant<int, 2> two;
  for (const double x : {10.0, 100.3, 1000.7}) {
    check(float(), one, x, 1e-5);
    check(float(), two, x, 1e-5);
    check(double(), one, 1e3 * x, 1e-13);
    check(double(), two, 1e3 * x, 1e-13);
  }
}

TEST_CASE("rare operations of recorded numbers") {
  const Eigen::RowVector3d samples(0.5, -2, 1);
  const Eigen::Matrix<double, 1, 1> theta(0.7);
  const auto same = [&](const auto& energy) {
    const auto value = [&](const auto& called) {
      const auto family = sm::energy_family<1>(called, theta);
      auto summary = sm::ScoreMatchingLoss().summary(family);
      summary.add(samples);
      Eigen::Matrix<double, 1, 1> gradient;
      const double loss = sm::ScoreMatchingLoss().objective(family, summary)(theta, gradient);
      return Eigen::Vector2d(loss, gradient(0));
    };
    const Eigen::Vector2d recorded = value(energy), expected = value(sm::not_recorded(energy));
    CHECK(std::isfinite(expected(0)));
    CHECK((recorded - expected).norm() <= 1e-13 * expected.norm());
  };
  same([](const auto& x, const auto& t) {
    using std::fma;
    return -fma(x(0), x(0), t(0) * x(0)) - fma(x(0) * t(0), x(0), 2.0);
  });
  // The inverse of this constant is not finite.
  same([](const auto& x, const auto& t) { return x(0) * x(0) * 1e-309 / 1e-309 * -t(0); });
  same([](const auto& x, const auto& t) {
    using std::pow;
    return pow(x(0) / 8, 3000000000u) - x(0) * x(0) * t(0);
  });
}
