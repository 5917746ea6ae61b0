// The elementary functions of numbers at the edges of their ranges, by identities.
#include "support.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>

namespace {

using namespace support;

using Dual1 = sm::Dual<double, 1>;
using Laplace = sm::ForwardLaplacian<Dual1, 1>;
using Line = sm::Taylor2<double>;

// |actual - expected| in units of the last place of the larger of |expected| and `unit`.
template <class T>
double places(T actual, T expected, T unit = T(0)) {
  if (actual == expected) return 0;
  const T scale = std::max(std::abs(expected), std::abs(unit));
  return static_cast<double>(std::abs(actual - expected) /
                             (scale * std::numeric_limits<T>::epsilon()));
}

bool equals(const Line& x, double value, double first, double second) {
  return x.value == value && x.first == first && x.second == second;
}

template <class X>
void check_limits() {
  using Limits = std::numeric_limits<X>;
  using Plain = std::numeric_limits<sm::PlainOf<X>>;
  static_assert(Limits::is_specialized && Limits::digits == Plain::digits);
  static_assert(Limits::has_infinity && Limits::has_quiet_NaN && Limits::is_signed);
  static_assert(Limits::max_exponent == Plain::max_exponent && !Limits::is_integer);
  const auto is = [](const X& x, auto expected) {
    // A constant: times anything but itself it has no derivatives.
    return sm::value(x) == expected && sm::detail::vanishes(x - x.value);
  };
  CHECK(is(Limits::lowest(), Plain::lowest()));
  CHECK(is((Limits::max)(), (Plain::max)()));
  CHECK(is((Limits::min)(), (Plain::min)()));
  CHECK(is(Limits::epsilon(), Plain::epsilon()));
  CHECK(is(Limits::round_error(), Plain::round_error()));
  CHECK(is(Limits::denorm_min(), Plain::denorm_min()));
  CHECK(sm::value(Limits::infinity()) == Plain::infinity());
  CHECK(isnan(Limits::quiet_NaN()));
  CHECK(isnan(Limits::signaling_NaN()));
  using Traits = Eigen::NumTraits<X>;
  CHECK(is(Traits::lowest(), Plain::lowest()));
  CHECK(is(Traits::highest(), (Plain::max)()));
  CHECK(is(Traits::epsilon(), Plain::epsilon()));
  CHECK(sm::value(Traits::infinity()) == Plain::infinity());
  CHECK(isnan(Traits::quiet_NaN()));
  CHECK(Traits::digits10() == Eigen::NumTraits<sm::PlainOf<X>>::digits10());
  CHECK(Traits::digits() == Plain::digits);
}

}  // namespace

TEST_CASE("the limits of a number are those of the plain one") {
  check_limits<sm::Dual<double, 3>>();
  check_limits<sm::Dual<float, 1>>();
  check_limits<sm::ForwardLaplacian<double, 2>>();
  check_limits<sm::ForwardCurvature<long double, 2>>();
  check_limits<sm::Taylor2<double>>();
  check_limits<sm::ForwardLaplacian<sm::Dual<float, 3>, 2>>();
  check_limits<sm::Taylor2<sm::Dual<double, 8>>>();
  check_limits<const sm::Dual<double, 2>>();

  // A maximum that is seeded with the lowest number.
  const auto top = [](const auto& x, auto best) {
    for (const double c : {-1.0, 1.0}) {
      const auto well = -(x - c) * (x - c);
      if (well > best) best = well;
    }
    return best;
  };
  const Line x = Line::variable(0.8, 1);
  CHECK(equals(top(x, std::numeric_limits<Line>::lowest()), -(0.8 - 1) * (0.8 - 1), -2 * (0.8 - 1),
               -2));
}

TEST_CASE("a power of zero has the derivatives of its limit") {
  using std::pow;
  // 0^t = 0 for every t > 0: all derivatives in t are 0, also those of derivatives.
  for (const double t : {1e-3, 0.5, 1.0, 1.5, 2.0, 4.0, 700.0}) {
    CAPTURE(t);
    CHECK(equals(pow(0, Line::variable(t, 2)), 0, 0, 0));
    CHECK(equals(pow(0.0, Line::variable(t, 2)), 0, 0, 0));
    CHECK(equals(pow(Line(0), Line::variable(t, 2)), 0, 0, 0));
    const auto deep = pow(Laplace(0), Laplace::variable(Dual1::variable(t, 0), 0));
    CHECK(sm::detail::vanishes(deep));
    using Deeper = sm::Taylor2<Laplace>;
    CHECK(sm::detail::vanishes(
        pow(0, Deeper::variable(Laplace::variable(Dual1::variable(t, 0), 0), Laplace(1)))));
  }
  CHECK(pow(0, Line::variable(0, 1)).value == 1);
  CHECK_FALSE(std::isfinite(pow(0, Line::variable(0, 1)).first));  // it jumps from 1 to 0
  CHECK(pow(0, Line::variable(-1, 1)).value == infinity);

  // x^t at x = 0: by x, by t, and by x and t.
  const auto both = [](double t) {
    return pow(Laplace::variable(Dual1(0), 0), Laplace(Dual1::variable(t, 0)));
  };
  for (const double t : {2.5, 3.0, 4.0, 12.0}) {
    CAPTURE(t);
    CHECK(sm::detail::vanishes(both(t)));
  }
  const auto square = both(2);  // its bend is 2 at t = 2, and 0 or infinite beside it
  CHECK(square.value == 0);
  CHECK(square.gradient[0] == Dual1(0));
  CHECK(square.laplacian.value == 2);
  CHECK_FALSE(std::isfinite(square.laplacian.gradient[0]));
  CHECK_FALSE(sm::isfinite(both(1.5).laplacian));
  // The same with the number itself as exponent, and with the exponent a lifted constant.
  using Plane = sm::ForwardLaplacian<double, 2>;
  const auto corner = pow(Plane::variable(0, 0), Plane::variable(3, 1));
  CHECK(sm::detail::vanishes(corner));
  CHECK(equals(pow(Line::variable(0, 1), Line(2)), 0, 0, 2));
  CHECK(equals(pow(Line::variable(0, 1), Line(1)), 0, 1, 0));
  CHECK(equals(pow(Line::variable(0, 1), Line(0)), 1, 0, 0));
  CHECK(pow(Line::variable(0, 1), Line(1.5)).second == infinity);
  // Other parameters do not suffer from a power of constants.
  CHECK(sm::detail::vanishes(pow(Dual1(0), Dual1(0.5))));
  CHECK(sm::detail::vanishes(pow(Dual1(0), 0.5)));
  // What abs has flattened at 0 still bends there: log p is not smooth.
  CHECK_FALSE(std::isfinite(pow(abs(Line::variable(0, 1)), 1.5).second));
  CHECK(equals(pow(abs(Line::variable(0, 1)), 2.5), 0, 0, 0));

  // A fit of exp(-|x|^t / t) with a sample at 0 begins where one with a sample near 0 does.
  const auto energy = [](const auto& x, const auto& t) {
    using std::abs;
    using std::pow;
    return -pow(abs(x(0)), t(0)) / t(0);
  };
  Rng rng(1);
  Eigen::RowVectorXd samples = 1.2 * normals<double, 1>(1, 200, rng);
  const Eigen::Matrix<double, 1, 1> start(4.0);
  const auto family = sm::energy_family<1>(energy, start);
  double values[2], slopes[2];
  for (const int k : {0, 1}) {
    samples(5) = k == 0 ? 1e-9 : 0;
    sm::SampleSet<double, 1> set;
    set.add(samples);
    auto objective = sm::ScoreMatchingLoss{}.objective(family, set);
    Eigen::Matrix<double, 1, 1> gradient;
    values[k] = objective(start, gradient);
    slopes[k] = gradient(0);
  }
  CHECK(values[1] == doctest::Approx(values[0]).epsilon(1e-12));
  CHECK(slopes[1] == doctest::Approx(slopes[0]).epsilon(1e-12));
}

TEST_CASE("a power of a negative number is one where the exponent is whole") {
  using std::pow;
  const Line x = Line::variable(-1.5, 2);
  for (const int n : {-4, -1, 0, 1, 2, 3, 7}) {
    CAPTURE(n);
    const Line expected = pow(x, n);
    for (const Line& power : {pow(x, double(n)), pow(x, Line(n)), pow(x, float(n))}) {
      CHECK(places(power.value, expected.value) < 8);
      CHECK(places(power.first, expected.first) < 8);
      CHECK(places(power.second, expected.second) < 8);
    }
    CHECK(equals(pow(-1.5, Line(n)), std::pow(-1.5, n), 0, 0));
    CHECK(std::isnan(pow(-1.5, Line::variable(n, 1)).first));
  }
  CHECK(std::isnan(pow(x, 0.5).value));
  CHECK(std::isnan(pow(x, Line(0.5)).value));
}

TEST_CASE("a whole power has the range of the power by a real exponent") {
  using std::pow;
  // (r^n)' = n r^(n - 1) and (r^n)'' = n (n - 1) r^(n - 2) wherever these are normal numbers.
  Rng rng(2);
  std::uniform_real_distribution<double> exponents(-300, 300);
  std::uniform_int_distribution<int> orders(-40, 40);
  for (int problem = 0; problem < 4000; ++problem) {
    const int n = orders(rng);
    const long double r = std::pow(10.0L, static_cast<long double>(exponents(rng)) / 12);
    const Line whole = pow(Line::variable(double(r), 1), n);
    const Line real = pow(Line::variable(double(r), 1), double(n));
    const auto rounded = static_cast<long double>(double(r));
    if (std::abs(whole.value) > 1e290 || std::abs(whole.first) > 1e290) continue;
    const auto check = [&](long double factor, int order, double actual, double other) {
      const long double expected = factor * std::pow(rounded, static_cast<long double>(order));
      if (expected != 0 && (std::abs(expected) < 1e-290L || std::abs(expected) > 1e290L)) return;
      CAPTURE(n);
      CAPTURE(double(r));
      CHECK(places(actual, double(expected)) <= 100);
      CHECK(places(other, double(expected)) <= 100);
    };
    check(1, n, whole.value, real.value);
    check(n, n - 1, whole.first, real.first);
    check(static_cast<long double>(n) * (n - 1), n - 2, whole.second, real.second);
  }
  CHECK(equals(pow(Line::variable(3, 1), std::numeric_limits<long long>::min()), 0, 0, 0));
  CHECK(pow(Line::variable(0, 1), -2).value == infinity);
  CHECK(equals(pow(Line::variable(2, 1), 3u), 8, 12, 12));
  // Powers of two numbers that leave the range where their slopes do not.
  const Line small = pow(Line::variable(1e-200, 1), Line(2));
  CHECK(equals(small, 0, 2e-200, 2));
}

TEST_CASE("logsumexp hides no NaN") {
  const double nan = not_a_number;
  const double inf = infinity;
  for (const double other : {-inf, -1.0, 0.0, 1e308, inf, nan}) {
    CAPTURE(other);
    CHECK(std::isnan(sm::logsumexp(other, nan)));
    CHECK(std::isnan(sm::logsumexp(nan, other)));
    CHECK(isnan(sm::logsumexp(Line(other), Line(nan))));
    CHECK(isnan(sm::logsumexp(Line(nan), other)));
    for (int at = 0; at < 3; ++at) {
      Eigen::Vector3d entries = Eigen::Vector3d::Constant(other);
      entries(at) = nan;
      CHECK(std::isnan(sm::logsumexp(entries)));
      CHECK(isnan(sm::logsumexp(entries.cast<Line>())));
    }
  }
  CHECK(sm::logsumexp(inf, inf) == inf);
  CHECK(sm::logsumexp(Eigen::Vector2d(-inf, inf)) == inf);
}

TEST_CASE_TEMPLATE("digamma and trigamma by their identities", T, float, double, long double) {
  constexpr T pi = std::numbers::pi_v<T>;
  constexpr T gamma = std::numbers::egamma_v<T>;
  const T ln2 = std::numbers::ln2_v<T>;
  CHECK(places(sm::digamma(T(1)), -gamma) < 8);
  CHECK(places(sm::digamma(T(0.5)), -gamma - 2 * ln2) < 8);
  CHECK(places(sm::trigamma(T(1)), pi * pi / 6) < 8);
  CHECK(places(sm::trigamma(T(0.5)), pi * pi / 2) < 8);
  CHECK(places(sm::trigamma(T(-0.5)), pi * pi / 2 + 4) < 8);
  CHECK(places(sm::detail::polygamma(3, T(1)), pi * pi * pi * pi / 15) < 8);
  CHECK(places(sm::detail::polygamma(3, T(0.5)), pi * pi * pi * pi) < 8);
  // psi''(1/4) = -2 pi^3 - 56 zeta(3), and its mirror image at 3/4.
  const T zeta3 = static_cast<T>(1.202056903159594285399738161511449991L);
  CHECK(places(sm::detail::polygamma(2, T(0.25)), -2 * pi * pi * pi - 56 * zeta3) < 8);
  CHECK(places(sm::detail::polygamma(2, T(0.75)), 2 * pi * pi * pi - 56 * zeta3, T(60)) < 8);

  Rng rng(3);
  std::uniform_real_distribution<double> exponents(-3, 6);
  std::bernoulli_distribution sign;
  for (int problem = 0; problem < 2000; ++problem) {
    T x = static_cast<T>(std::pow(10, exponents(rng)));
    if (sign(rng)) x = -x;
    if (x < 0 && std::abs(2 * x - std::round(2 * x)) < T(0.01)) continue;  // poles
    CAPTURE(x);
    T factorial(1);
    for (int n = 0; n <= 4; ++n) {
      CAPTURE(n);
      if (n > 1) factorial *= static_cast<T>(n);
      // Recurrence, reflection and duplication, each in units of its largest term. One rounding of
      // x + 1, or of pi x, moves the right side by its slope.
      const auto psi = [n](T at) { return sm::detail::polygamma(n, at); };
      const T step = (n % 2 == 0 ? 1 : -1) * factorial / std::pow(x, static_cast<T>(n + 1));
      const T slope = std::abs(sm::detail::polygamma(n + 1, x)) * (1 + std::abs(x));
      const T unit = std::max({std::abs(psi(x)), std::abs(step), slope, T(1)});
      CHECK(places(psi(x + 1), psi(x) + step, unit) < 60);
      T sum(0);
      for (const T shift : {T(0), T(0.5)}) sum += psi(x + shift) / std::pow(T(2), T(n + 1));
      if (n == 0) sum += ln2;
      const T slope_2 = 2 *
                        (std::abs(sm::detail::polygamma(n + 1, 2 * x)) +
                         std::abs(sm::detail::polygamma(n + 1, x + T(0.5))) +
                         std::abs(sm::detail::polygamma(n + 1, x))) *
                        (1 + std::abs(x));
      CHECK(places(psi(2 * x), sum, std::max(unit, slope_2)) < 60);
    }
    // lgamma is the sum of what its derivative says: by differences in long double.
    if (std::is_same_v<T, double> && std::abs(x) < T(1e4)) {
      const long double at = static_cast<long double>(x);
      const long double h = 1e-3L * std::min(1.0L, std::abs(at));
      const auto difference = [&](long double d) {
        return (std::lgamma(at + d) - std::lgamma(at - d)) / (2 * d);
      };
      const long double by_differences =
          (64 * difference(h / 4) - 20 * difference(h / 2) + difference(h)) / 45;
      const double near =
          x < 0 ? static_cast<double>(std::abs(x - std::round(x))) : static_cast<double>(x);
      if (near > 0.05) {
        CHECK(static_cast<double>(sm::digamma(x)) ==
              doctest::Approx(static_cast<double>(by_differences)).epsilon(1e-8));
      }
    }
  }
  // The ends: log x, 1 / x, and poles.
  const T inf = std::numeric_limits<T>::infinity();
  for (const T x : {T(1e30L), T(1e18L)}) {
    CHECK(places(sm::digamma(x), std::log(x)) < 4);
    CHECK(places(sm::trigamma(x), 1 / x + 1 / x / x / 2) < 4);
  }
  CHECK(sm::digamma(inf) == inf);
  CHECK(sm::trigamma(inf) == 0);
  CHECK(places(sm::digamma(T(1e-30L)), T(-1e30L)) < 4);
  CHECK(places(sm::digamma(T(-1e-30L)), T(1e30L)) < 4);
  CHECK(sm::digamma(T(0)) == -inf);
  CHECK(std::isnan(sm::digamma(T(-3))));
  CHECK(sm::trigamma(T(-3)) == inf);
  CHECK(std::isnan(sm::digamma(-inf)));
  CHECK(std::isnan(sm::digamma(std::numeric_limits<T>::quiet_NaN())));
}

TEST_CASE("lengths and angles over the whole range") {
  using std::atan2;
  using std::hypot;
  // With r the length and phi the angle: r e^(i phi) = x + i y, at every scale.
  Rng rng(4);
  std::uniform_real_distribution<double> turn(-std::numbers::pi, std::numbers::pi);
  for (const int exponent : {-1000, -500, -20, 0, 20, 500, 1000}) {
    const double r = std::ldexp(1.0, exponent);
    for (int problem = 0; problem < 50; ++problem) {
      const double phi = turn(rng);
      const double x = r * std::cos(phi), y = r * std::sin(phi);
      using Plane = sm::ForwardCurvature<double, 2>;
      const Plane a = Plane::variable(x, 0), b = Plane::variable(y, 1);
      const Plane length = hypot(a, b);
      const Plane angle = atan2(b, a);
      CAPTURE(exponent);
      CHECK(places(length.value, r) < 4);
      CHECK(places(length.gradient[0], std::cos(phi), 1.0) < 4);
      CHECK(places(length.gradient[1], std::sin(phi), 1.0) < 4);
      // The Laplacian of the length is 1 / r, that of the angle 0.
      CHECK(places(length.curvature[0] + length.curvature[1], 1 / r) < 8);
      CHECK(places(length.curvature[0], std::sin(phi) * std::sin(phi) / r, 1 / r) < 8);
      CHECK(places(angle.value, phi, 1.0) < 8);
      CHECK(places(angle.gradient[0], -std::sin(phi) / r, 1 / r) < 8);
      CHECK(places(angle.gradient[1], std::cos(phi) / r, 1 / r) < 8);
      if (exponent > -500) {
        CHECK(places(angle.curvature[0], std::sin(2 * phi) / r / r, 1 / r / r) < 16);
        CHECK(angle.curvature[1] == -angle.curvature[0]);
      }
      // The mixed derivative, along the diagonal.
      if (std::abs(exponent) <= 500) {
        const Line along = atan2(Line::variable(y, r), Line::variable(x, r));
        CHECK(places(along.second, -2 * std::cos(2 * phi), 1.0) < 16);
      }
    }
  }
  CHECK(hypot(Line::variable(0, 1), 2).second == 0.5);
  CHECK(hypot(0, Line::variable(2, 1)).first == 1);
  CHECK(atan2(0, Line::variable(-1, 1)).value == std::numbers::pi);
}

TEST_CASE("fma rounds its value once") {
  using std::fma;
  const double x = 1 + 1e-9, y = 1 - 1e-9;
  const Line product = fma(Line::variable(x, 1), Line::variable(y, 2), -1);
  CHECK(product.value == std::fma(x, y, -1.0));
  CHECK(product.value != x * y - 1);
  CHECK(product.first == 2 * x + y);
  CHECK(product.second == 4);
  CHECK(equals(fma(2, 3.0f, Line::variable(1, 1)), 7, 1, 0));
  const Laplace deep = fma(Dual1::variable(x, 0), Laplace::variable(Dual1(y), 0), -1);
  CHECK(deep.value.value == std::fma(x, y, -1.0));
  CHECK(deep.value.gradient[0] == y);
  CHECK(deep.gradient[0].gradient[0] == 1);
}
