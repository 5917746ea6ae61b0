// The ready distributions over the whole range of their scalars: finite in, numbers or an infinity
// out, and the right ones. References are the formulas in long double, whose range takes the
// squares and inverses of every double.
#include "support.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

namespace {

using namespace support;

// Any number, all exponents alike; a tenth of them 0, a third of order one.
template <class T>
T any_number(Rng& rng, int lowest, int highest) {
  const int kind = std::uniform_int_distribution<int>(0, 29)(rng);
  if (kind < 3) return T(0);
  const double mantissa = std::uniform_real_distribution<double>(1, 2)(rng);
  const int exponent = kind < 13 ? 0 : std::uniform_int_distribution<int>(lowest, highest - 1)(rng);
  const T magnitude = std::ldexp(static_cast<T>(mantissa), exponent);
  return kind % 2 == 0 ? magnitude : -magnitude;
}

template <class T>
constexpr int lowest_exponent =
    std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;

template <class T>
T any_positive(Rng& rng, int lowest, int highest) {
  T result(0);
  while (!(result > 0)) result = std::abs(any_number<T>(rng, lowest, highest));
  return result;
}

template <class T, int Dim>
Eigen::Matrix<T, Dim, 1> any_vector(Eigen::Index d, Rng& rng) {
  Eigen::Matrix<T, Dim, 1> x(d);
  for (T& entry : x) {
    entry = any_number<T>(rng, lowest_exponent<T>, std::numeric_limits<T>::max_exponent);
  }
  return x;
}

// With a covariance that is finite, and a diagonal whose squares may underflow or not.
template <class T, int Dim>
sm::Gaussian<T, Dim> any_gaussian(Eigen::Index d, Rng& rng, bool coupled) {
  const int highest = std::numeric_limits<T>::max_exponent / 2 - 4;
  Eigen::Matrix<T, Dim, Dim> lower = Eigen::Matrix<T, Dim, Dim>::Zero(d, d);
  for (Eigen::Index i = 0; i < d; ++i) {
    lower(i, i) = any_positive<T>(rng, lowest_exponent<T>, highest);
    for (Eigen::Index j = 0; coupled && j < i; ++j) {
      lower(i, j) = any_number<T>(rng, lowest_exponent<T>, highest);
    }
  }
  return sm::Gaussian<T, Dim>::from_cholesky(any_vector<T, Dim>(d, rng), lower);
}

template <class Distribution, class X>
void check_numbers(const Distribution& p, const X& x) {
  using T = typename Distribution::Scalar;
  CHECK_FALSE(std::isnan(p.log_density(x)));
  CHECK(p.log_density(x) < std::numeric_limits<T>::infinity());
  const auto score = p.score(x);
  for (Eigen::Index i = 0; i < score.size(); ++i) CHECK_FALSE(std::isnan(score(i)));
  if constexpr (requires { p.laplacian(x); }) {
    CHECK_FALSE(std::isnan(p.laplacian(x)));
  } else {
    CHECK_FALSE(std::isnan(p.laplacian()));
    CHECK(p.density(x) >= 0);
    const auto precision = p.precision();
    for (Eigen::Index i = 0; i < precision.rows(); ++i) {
      for (Eigen::Index j = 0; j < precision.cols(); ++j) CHECK_FALSE(std::isnan(precision(i, j)));
    }
  }
}

// Whether `actual` is `expected` rounded to T: some units in the last place, of the smallest normal
// number at least; an infinity where that may be.
template <class T>
bool rounds_to(T actual, long double expected, long double unit = 0, double places = 64) {
  constexpr auto most = static_cast<long double>((std::numeric_limits<T>::max)());
  constexpr auto least = static_cast<long double>((std::numeric_limits<T>::min)());
  constexpr auto epsilon = static_cast<long double>(std::numeric_limits<T>::epsilon());
  const long double size = std::max({std::abs(expected), unit, least});
  const long double slack = static_cast<long double>(places) * epsilon * size;
  if (std::isinf(actual))
    return std::abs(expected) + slack >= most && (actual > 0) == (expected > 0);
  return std::abs(static_cast<long double>(actual) - expected) <= slack;
}

// log gamma((nu + d)/2) - log gamma(nu/2) - d/2 log(nu/2), by its own series for large nu.
long double gamma_ratio(long double nu, int d) {
  const long double a = nu / 2;
  if (d == 2) return 0;
  if (d == 3) return gamma_ratio(nu, 1) + std::log1p(0.5L / a);
  // As differences of lgamma for small a, raised by the recurrence of gamma.
  if (a < 100) return std::lgamma(a + 0.5L) - std::lgamma(1 + a) + 0.5L * std::log(a);
  const long double w = 1 / a;
  return w * (-1 / 8.0L + w * w * (1 / 192.0L + w * w * (-1 / 640.0L + w * w * 17 / 14336)));
}

template <class T, int Dim>
void check_range(Eigen::Index d, Rng& rng) {
  using Vector = Eigen::Matrix<T, Dim, 1>;
  CAPTURE(d);
  for (int problem = 0; problem < 400; ++problem) {
    CAPTURE(problem);
    const bool coupled = problem % 2 == 1;
    const auto gaussian = any_gaussian<T, Dim>(d, rng, coupled);
    const Vector x = problem % 7 == 0 ? gaussian.mean() : any_vector<T, Dim>(d, rng);
    const T nu = any_positive<T>(rng, lowest_exponent<T>, std::numeric_limits<T>::max_exponent);
    const sm::StudentT<T, Dim> t(gaussian, nu);
    check_numbers(gaussian, x);
    check_numbers(t, x);

    std::array<sm::Gaussian<T, Dim>, 3> components{gaussian, any_gaussian<T, Dim>(d, rng, coupled),
                                                   any_gaussian<T, Dim>(d, rng, coupled)};
    if (problem % 3 == 0)
      components[1] = sm::Gaussian<T, Dim>::from_cholesky(-gaussian.mean(), gaussian.cholesky());
    Eigen::Matrix<T, 3, 1> weights;
    for (T& w : weights) {
      w = std::abs(any_number<T>(rng, lowest_exponent<T>, std::numeric_limits<T>::max_exponent));
    }
    if (!(weights.maxCoeff() > 0)) weights(1) = (std::numeric_limits<T>::max)();
    const sm::GaussianMixture<T, Dim, 3> mixture(weights, components);
    check_numbers(mixture, x);
    CHECK(rounds_to(mixture.weights().sum(), 1));
    const auto shares = mixture.responsibilities(x);
    CHECK(rounds_to(shares.sum(), 1));
    CHECK(shares.minCoeff() >= 0);
    if (coupled) continue;

    // The formulas in long double.
    const auto reference = [&](const sm::Gaussian<T, Dim>& g) {
      struct {
        long double q = 0, logs = 0, trace = 0, square = 0;
        std::vector<long double> score;
      } at;
      for (Eigen::Index i = 0; i < d; ++i) {
        // As the scalar has it: the rounding of x - mu belongs to the arguments.
        const long double r =
            static_cast<long double>(x(i)) - static_cast<long double>(g.mean()(i));
        const auto l = static_cast<long double>(g.cholesky()(i, i));
        at.q += r / l * (r / l);
        at.logs += std::log(l);
        at.trace += 1 / l / l;
        at.score.push_back(-r / l / l);
        at.square += r / l / l * (r / l / l);
      }
      return at;
    };
    const auto at = reference(gaussian);
    const long double log_2pi = std::log(2 * std::numbers::pi_v<long double>);
    const long double constant = -static_cast<long double>(d) * log_2pi / 2 - at.logs;
    const long double terms = std::abs(at.logs) + static_cast<long double>(d);
    CHECK(rounds_to(gaussian.log_density(x), constant - at.q / 2, terms + at.q));
    CHECK(rounds_to(gaussian.laplacian(), -at.trace));
    const auto long_nu = static_cast<long double>(nu);
    const auto size = static_cast<long double>(d);
    const long double growth = (long_nu + size) / 2 * std::log1p(at.q / long_nu);
    const long double ratio = gamma_ratio(long_nu, int(d));
    CHECK(rounds_to(t.log_density(x), constant + ratio - growth,
                    terms + std::abs(ratio) + std::abs(std::log(long_nu)) + growth));
    const long double factor = (long_nu + size) / (long_nu + at.q);
    const long double bend = 2 * at.square / (long_nu + at.q);
    CHECK(rounds_to(t.laplacian(x), factor * (bend - at.trace), factor * (bend + at.trace)));
    for (Eigen::Index i = 0; i < d; ++i) {
      CHECK(rounds_to(gaussian.score(x)(i), at.score[std::size_t(i)]));
      // What underflows in P (x - mu) is lost, where nu is about as small.
      CHECK(rounds_to(t.score(x)(i), factor * at.score[std::size_t(i)],
                      std::sqrt(static_cast<long double>((std::numeric_limits<T>::min)()))));
    }
    // Where one component is far above the others, the mixture is that one.
    std::vector<std::pair<long double, int>> order;
    for (int k = 0; k < 3; ++k) {
      if (!(mixture.weights()(k) > 0)) continue;
      const auto own = reference(components[std::size_t(k)]);
      order.emplace_back(
          std::log(static_cast<long double>(mixture.weights()(k))) - own.logs - own.q / 2, k);
    }
    std::sort(order.begin(), order.end());
    const int top = order.back().second;
    const auto own = reference(components[std::size_t(top)]);
    if (order.size() == 1 ||
        order.back().first - order[order.size() - 2].first > 2e4L + 1e-4L * own.q) {
      CHECK(rounds_to(mixture.log_density(x), order.back().first - size * log_2pi / 2,
                      1000 + own.q + std::abs(own.logs)));
      CHECK(rounds_to(mixture.laplacian(x), -own.trace));
      CHECK(shares(top) == 1);
      for (Eigen::Index i = 0; i < d; ++i) {
        CHECK(rounds_to(mixture.score(x)(i), own.score[std::size_t(i)]));
      }
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("finite in, numbers or an infinity out, at every exponent", T, float, double) {
  Rng rng(1);
  check_range<T, 1>(1, rng);
  check_range<T, 2>(2, rng);
  check_range<T, 3>(3, rng);
  for (const Eigen::Index d : {1, 2, 3}) check_range<T, Eigen::Dynamic>(d, rng);
}

TEST_CASE("what is not finite is refused with its place") {
  using Vector = Eigen::Vector2d;
  const sm::Gaussian<double, 2> gaussian(Vector(1, -2), Eigen::Matrix2d{{2, 0.5}, {0.5, 1}});
  const sm::StudentT<double, 2> t(gaussian, 3);
  const sm::GaussianMixture<double, 2, 2> mixture(Vector(1, 2), {gaussian, gaussian});
  const auto check = [](const std::string& expected, const auto& call) {
    CHECK(contains(message_of([&] { call(); }), expected));
  };
  for (const double bad : {not_a_number, infinity, -infinity}) {
    for (const int place : {0, 1}) {
      Vector x(0.5, 0.25);
      x(place) = bad;
      const std::string expected = "x(" + std::to_string(place) + ") = ";
      check(expected, [&] { gaussian.log_density(x); });
      check(expected, [&] { gaussian.density(x); });
      check(expected, [&] { gaussian.score(x); });
      check(expected, [&] { t.log_density(x); });
      check(expected, [&] { t.score(x); });
      check(expected, [&] { t.laplacian(x); });
      check(expected, [&] { mixture.log_density(x); });
      check(expected, [&] { mixture.score(x); });
      check(expected, [&] { mixture.laplacian(x); });
      check(expected, [&] { mixture.responsibilities(x); });
    }
  }
  check("expected a finite value", [&] { gaussian.score(Vector(infinity, 0)); });
}

TEST_CASE_TEMPLATE("Student t at every number of degrees of freedom", T, float, double,
                   long double) {
  using std::numbers::pi_v;
  constexpr int most = std::numeric_limits<T>::max_exponent;
  const T epsilon = std::numeric_limits<T>::epsilon();
  Rng rng(2);
  const auto standard = [](int d, T nu) {
    using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
    using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
    return sm::StudentT<T>(Vector(Vector::Zero(d)), Matrix(Matrix::Identity(d, d)), nu);
  };
  const auto along = [](int d, T r) {
    Eigen::Matrix<T, Eigen::Dynamic, 1> x = Eigen::Matrix<T, Eigen::Dynamic, 1>::Zero(d);
    x(0) = r;
    return x;
  };
  for (int problem = 0; problem < 3000; ++problem) {
    const int exponent = problem % 2 == 0
                             ? std::uniform_int_distribution<int>(-most + 8, most - 2)(rng)
                             : std::uniform_int_distribution<int>(-4, 60)(rng);
    const T nu =
        std::ldexp(static_cast<T>(std::uniform_real_distribution<double>(1, 2)(rng)), exponent);
    CAPTURE(nu);
    const T logs = std::abs(std::log(nu)) + 1;
    // Exact laws of the gamma function: gamma(a + 1) = a gamma(a).
    const T log_2pi = std::log(2 * pi_v<T>);
    const auto at_origin = [&](int d, T freedom) {
      return standard(d, freedom).log_density(along(d, T(0))) + static_cast<T>(d) * log_2pi / 2;
    };
    CHECK(std::abs(at_origin(2, nu)) <= 4 * epsilon * logs);
    CHECK(std::abs(at_origin(4, nu) - std::log1p(2 / nu)) <= 16 * epsilon * logs);
    CHECK(std::abs(at_origin(3, nu) - at_origin(1, nu) - std::log1p(1 / nu)) <=
          16 * epsilon * logs);
    if (nu > 4 * epsilon && nu < 1 / epsilon) {
      CHECK(std::abs(at_origin(1, nu) + at_origin(1, nu + 1) + std::log1p(1 / nu) / 2) <=
            16 * epsilon * logs);
    }
    // The Gaussian with the first term of the expansion in 1 / nu.
    if (static_cast<double>(nu) > 1e4) {
      for (const int d : {1, 2, 3, 7}) {
        const T r = static_cast<T>(std::uniform_real_distribution<double>(0, 4)(rng));
        const T q = r * r;
        const T dim = static_cast<T>(d);
        const T first = (q * q / 4 - dim * q / 2 + dim * (dim - 2) / 4) / nu;
        const T second = 500 * (1 + q * q * q) / nu / nu;
        const T expected = -(dim * log_2pi + q) / 2 + first;
        const T actual = standard(d, nu).log_density(along(d, r));
        CHECK(std::abs(actual - expected) <= second + 8 * epsilon * (1 + q + dim));
        CHECK(std::abs(standard(d, nu).score(along(d, r))(0) + r) <=
              (8 * epsilon + (dim + q) / nu) * (1 + r));
      }
    }
  }
  // Closed forms: Cauchy, and t of two degrees of freedom.
  for (const T r : {T(0), T(0.5), T(3), T(1e6)}) {
    const T cauchy = -std::log(pi_v<T>) - std::log1p(r * r);
    const T two = -T(1.5) * std::log(2 + r * r);
    CHECK(std::abs(standard(1, 1).log_density(along(1, r)) - cauchy) <= 8 * epsilon * (1 - cauchy));
    CHECK(std::abs(standard(1, 2).log_density(along(1, r)) - two) <= 8 * epsilon * (1 - two));
  }
}

TEST_CASE("far from a mixture") {
  using Point = Eigen::Matrix<double, 1, 1>;
  const sm::Gaussian<double, 1> left(Point(-1.0), Point(1.0)), right(Point(1.0), Point(1.0));
  const sm::GaussianMixture<double, 1, 2> even(Eigen::Vector2d(1, 1), {left, right});
  for (const double x : {1e3, 1e8, 1e15, 1e16, 1e100, 1e155, 1e160, 1e250, 1.7e308}) {
    CAPTURE(x);
    for (const double sign : {-1.0, 1.0}) {
      const Point at(sign * x);
      CHECK(even.score(at)(0) == doctest::Approx(sign - sign * x).epsilon(1e-15));
      CHECK(even.laplacian(at) == doctest::Approx(-1).epsilon(1e-12));
      CHECK(even.responsibilities(at).sum() == 1);
    }
  }
  // Wide and narrow: the wide one has the tails.
  const sm::Gaussian<double, 1> wide(Point(0.0), Point(4.0));
  const sm::GaussianMixture<double, 1, 2> tails(Eigen::Vector2d(1e-300, 1), {wide, left});
  for (const double x : {1e3, 1e30, 1e200}) {
    CHECK(tails.score(Point(x))(0) == doctest::Approx(-x / 4).epsilon(1e-15));
    CHECK(tails.laplacian(Point(x)) == doctest::Approx(-0.25));
  }
  // The family's own, by forward differentiation.
  const sm::GaussianMixtureFamily<double, 1, 2> family;
  const auto theta = family.parameters(even);
  for (const double x : {1e3, 1e8, 1e15, 1e100, 1e150}) {
    CAPTURE(x);
    const auto at = family.score_and_laplacian(Point(x), theta);
    CHECK(at.score(0) == doctest::Approx(1 - x).epsilon(1e-15));
    CHECK(at.laplacian == doctest::Approx(-1).epsilon(1e-12));
  }
}

TEST_CASE("weights of any size") {
  using Point = Eigen::Matrix<double, 1, 1>;
  const sm::Gaussian<double, 1> left(Point(-1.0), Point(1.0)), right(Point(1.0), Point(1.0));
  for (const double unit : {5e-324, 1e-308, 1.0, 1e308, 1.7e308}) {
    const sm::GaussianMixture<double, 1, 2> even(Eigen::Vector2d(unit, unit), {left, right});
    CHECK(even.weights() == Eigen::Vector2d(0.5, 0.5));
    CHECK(even.score(Point(0.0))(0) == 0);
  }
  const sm::GaussianMixture<double, 1, 2> one(Eigen::Vector2d(0, 3), {left, right});
  CHECK(one.log_density(Point(0.3)) == doctest::Approx(right.log_density(Point(0.3))));
  CHECK(one.score(Point(1e200))(0) == right.score(Point(1e200))(0));
  const sm::GaussianMixtureFamily<double, 1, 2> family;
  CHECK(contains(message_of([&] { family.parameters(one); }),
                 "weights(0) = 0; expected a weight above 0"));
  const sm::GaussianMixture<double, 1, 2> small(Eigen::Vector2d(5e-324, 1), {left, right});
  CHECK(family.parameters(small)(0) == doctest::Approx(1074 * std::numbers::ln2));
}

TEST_CASE("a mixture draws each of its components by its weight") {
  using Point = Eigen::Matrix<double, 1, 1>;
  // Five narrow components, a hundred deviations apart, one of them without weight.
  constexpr int components = 5;
  const Eigen::Matrix<double, components, 1> weights{{4, 1, 0, 3, 2}};
  const auto component = [](double place) {
    return sm::Gaussian<double, 1>(Point(place), Point(1e-4));
  };
  const sm::GaussianMixture<double, 1, components> mixture(
      weights, {component(0), component(1), component(2), component(3), component(4)});
  Rng rng(5);
  const Eigen::Index n = 100000;
  const auto samples = mixture.sample(n, rng);
  Eigen::Matrix<double, components, 1> counts = Eigen::Matrix<double, components, 1>::Zero();
  for (Eigen::Index j = 0; j < n; ++j) {
    const double nearest = std::round(samples(0, j));
    REQUIRE(std::abs(samples(0, j) - nearest) < 0.1);
    counts(static_cast<Eigen::Index>(nearest)) += 1;
  }
  for (int k = 0; k < components; ++k) {
    const double share = weights(k) / 10;
    CHECK(std::abs(counts(k) - double(n) * share) <=
          5 * std::sqrt(double(n) * share * (1 - share)));
  }
}

TEST_CASE("random starts draw their means as k-means++ does") {
  // With probabilities proportional to the squared distance from the nearest mean so far.
  Rng rng(6);
  const Eigen::RowVectorXd noise = 1e-4 * normals<double, 1>(1, 300, rng);
  const auto clusters = [&](const std::vector<double>& places) {
    Eigen::RowVectorXd samples = noise;
    for (Eigen::Index j = 0; j < samples.size(); ++j) {
      samples(j) += places[static_cast<std::size_t>(j) % places.size()];
    }
    return samples;
  };
  // Means of a start: its parameters are two log weights, then mean and log deviation of each.
  const sm::GaussianMixtureFamily<double, 1, 3> three;
  const auto mean = [](const auto& start, Eigen::Index k) { return std::round(start(2 + 2 * k)); };
  const auto apart = three.random_starts(clusters({0, 100, 200}), 300, rng);
  for (Eigen::Index s = 0; s < apart.cols(); ++s) {
    // Within a cluster the squares are 1e12 times smaller than between two.
    CHECK(mean(apart.col(s), 0) != mean(apart.col(s), 1));
    CHECK(mean(apart.col(s), 0) != mean(apart.col(s), 2));
    CHECK(mean(apart.col(s), 1) != mean(apart.col(s), 2));
  }
  // The second mean, given the first: 1^2 against 3^2, and so on.
  const std::vector<double> places{0, 1, 4};
  const auto starts = three.random_starts(clusters(places), 30000, rng);
  for (const double first : places) {
    double all = 0;
    double total = 0;
    std::array<double, 5> counts{};
    for (Eigen::Index s = 0; s < starts.cols(); ++s) {
      if (mean(starts.col(s), 0) != first) continue;
      all += 1;
      counts[static_cast<std::size_t>(mean(starts.col(s), 1))] += 1;
    }
    CHECK(std::abs(all - 10000) <= 5 * std::sqrt(30000 * 2.0 / 9));
    for (const double place : places) total += (place - first) * (place - first);
    for (const double place : places) {
      const double share = (place - first) * (place - first) / total;
      CHECK(std::abs(counts[static_cast<std::size_t>(place)] - all * share) <=
            5 * std::sqrt(all * share * (1 - share)) + 1);
    }
  }
}
