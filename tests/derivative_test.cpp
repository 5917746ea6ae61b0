#include <scorematch/derivative/dual.hpp>
#include <scorematch/derivative/forward_curvature.hpp>
#include <scorematch/derivative/forward_laplacian.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/taylor2.hpp>
#include <scorematch/derivative/variables.hpp>

#include <Eigen/Core>

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <type_traits>

namespace {

namespace sm = scorematch;

constexpr double inf = std::numeric_limits<double>::infinity();

template <class Expected>
bool close(double actual, Expected expected, double tolerance) {
  const auto reference = static_cast<long double>(expected);
  return std::abs(static_cast<long double>(actual) - reference) <=
         static_cast<long double>(tolerance) * (1 + std::abs(reference));
}

// First and second derivative of f by central differences in long double, extrapolated twice
// (Richardson): errors of the order h^6.
template <class F>
struct Differences {
  const F& f;
  long double x;

  long double first(long double h) const { return (f(x + h) - f(x - h)) / (2 * h); }
  long double second(long double h) const { return (f(x + h) - 2 * f(x) + f(x - h)) / (h * h); }
  template <class D>
  static long double extrapolated(const D& d, long double h) {
    const auto once = [&](long double step) { return (4 * d(step / 2) - d(step)) / 3; };
    return (16 * once(h / 2) - once(h)) / 15;
  }
  long double first() const {
    return extrapolated([this](long double h) { return first(h); }, 2e-3L);
  }
  long double second() const {
    return extrapolated([this](long double h) { return second(h); }, 8e-3L);
  }
};

// f and its derivatives, through every number type, against differences of f in long double.
template <class F>
void check(const std::string& name, const F& f, std::initializer_list<double> points) {
  CAPTURE(name);
  for (const double x : points) {
    CAPTURE(x);
    const Differences<F> differences{f, static_cast<long double>(x)};
    const long double value = f(static_cast<long double>(x));
    const long double first = differences.first();
    const long double second = differences.second();

    const auto dual = f(sm::Dual<double, 2>::variable(x, 1));
    CHECK(close(dual.value, value, 1e-14));
    CHECK(dual.gradient[0] == 0);
    CHECK(close(dual.gradient[1], first, 1e-12));

    const auto taylor = f(sm::Taylor2<double>::variable(x, 2.0));
    CHECK(close(taylor.value, value, 1e-14));
    CHECK(close(taylor.first, 2 * first, 1e-12));
    CHECK(close(taylor.second, 4 * second, 1e-9));

    // With the inner derivatives of a variable that is neither the only one nor straight.
    auto inner = sm::ForwardLaplacian<double, 2>::variable(x, 0);
    inner.gradient[1] = 0.5;
    inner.laplacian = -3;
    const auto forward = f(inner);
    CHECK(close(forward.gradient[0], first, 1e-12));
    CHECK(close(forward.gradient[1], first / 2, 1e-12));
    CHECK(close(forward.laplacian, -3 * first + 1.25L * second, 1e-9));

    auto curved = sm::ForwardCurvature<double, 2>::variable(x, 0);
    curved.gradient[1] = 0.5;
    curved.curvature = {1, -4};
    const auto curvature = f(curved);
    CHECK(close(curvature.gradient[1], first / 2, 1e-12));
    CHECK(close(curvature.curvature[0], first + second, 1e-9));
    CHECK(close(curvature.curvature[1], -4 * first + second / 4, 1e-9));

    // One type inside another: the derivative of the derivative.
    using Nested = sm::Dual<sm::Dual<double, 1>, 1>;
    const auto nested = f(Nested::variable(sm::Dual<double, 1>::variable(x, 0), 0));
    CHECK(close(nested.gradient[0].value, first, 1e-12));
    CHECK(close(nested.value.gradient[0], first, 1e-12));
    CHECK(close(nested.gradient[0].gradient[0], second, 1e-9));

    // The third derivative, against differences of the second one.
    const auto second_at = [&f](long double at) {
      return f(sm::Taylor2<long double>::variable(at, 1.0L)).second;
    };
    const long double third =
        Differences<decltype(second_at)>{second_at, static_cast<long double>(x)}.first();
    using Deep = sm::ForwardLaplacian<sm::Dual<double, 1>, 1>;
    const auto deep = f(Deep::variable(sm::Dual<double, 1>::variable(x, 0), 0));
    CHECK(close(deep.laplacian.value, second, 1e-9));
    CHECK(close(deep.laplacian.gradient[0], third, 1e-9));
  }
}

// A function of two numbers on a curve through (x, y), so that one variable stands for both.
template <class F>
void check_pair(const std::string& name, const F& f, double x, double y) {
  const auto along = [=](const auto& t) {
    using Plain = sm::PlainOf<std::decay_t<decltype(t)>>;
    return f(static_cast<Plain>(x) + t + t * t, static_cast<Plain>(y) - 2 * t);
  };
  check(name, along, {0.0});
}

template <class F>
sm::Taylor2<double> at(const F& f, double x) {
  return f(sm::Taylor2<double>::variable(x, 1.0));
}

bool equals(const sm::Taylor2<double>& x, double value, double first, double second) {
  return x.value == value && x.first == first && x.second == second;
}

}  // namespace

TEST_CASE("elementary functions have the derivatives of the functions") {
  check("exp",
        [](const auto& x) {
          using std::exp;
          return exp(x);
        },
        {-3, 0, 0.5, 2});
  check("expm1",
        [](const auto& x) {
          using std::expm1;
          return expm1(x);
        },
        {-3, 0, 1e-9, 2});
  check("log",
        [](const auto& x) {
          using std::log;
          return log(x);
        },
        {0.3, 1, 20});
  check("log1p",
        [](const auto& x) {
          using std::log1p;
          return log1p(x);
        },
        {-0.7, 0, 1e-9, 5});
  check("sqrt",
        [](const auto& x) {
          using std::sqrt;
          return sqrt(x);
        },
        {0.3, 1, 70});
  check("sin",
        [](const auto& x) {
          using std::sin;
          return sin(x);
        },
        {-2, 0, 1, 100});
  check("cos",
        [](const auto& x) {
          using std::cos;
          return cos(x);
        },
        {-2, 0, 1, 100});
  check("atan",
        [](const auto& x) {
          using std::atan;
          return atan(x);
        },
        {-20, -1, 0, 0.5});
  check("asin",
        [](const auto& x) {
          using std::asin;
          return asin(x);
        },
        {-0.7, -0.3, 0, 0.5, 0.75});
  check("acos",
        [](const auto& x) {
          using std::acos;
          return acos(x);
        },
        {-0.7, -0.3, 0, 0.5, 0.75});
  check("lgamma",
        [](const auto& x) {
          using std::lgamma;
          return lgamma(x);
        },
        {-3.6, -0.5, 0.2, 1, 1.5, 4, 14.9, 70});
  check("tgamma",
        [](const auto& x) {
          using std::tgamma;
          return tgamma(x);
        },
        {-3.6, -0.5, 0.3, 1, 1.5, 4, 7.5});
  check("digamma", [](const auto& x) { return sm::digamma(x); },
        {-3.6, -0.5, 0.3, 1, 1.46, 4, 14.9, 15.1, 70});
  check("trigamma", [](const auto& x) { return sm::trigamma(x); }, {-3.6, -0.5, 0.3, 1, 4, 16.1});
  check("sinh",
        [](const auto& x) {
          using std::sinh;
          return sinh(x);
        },
        {-2, 0, 1});
  check("cosh",
        [](const auto& x) {
          using std::cosh;
          return cosh(x);
        },
        {-2, 0, 1});
  check("tanh",
        [](const auto& x) {
          using std::tanh;
          return tanh(x);
        },
        {-5, -0.55, -0.5, 0, 1e-9, 0.5, 3});
  check("erf",
        [](const auto& x) {
          using std::erf;
          return erf(x);
        },
        {-3, 0, 0.4, 2});
  check("erfc",
        [](const auto& x) {
          using std::erfc;
          return erfc(x);
        },
        {-3, 0, 0.4, 2});
  check("abs",
        [](const auto& x) {
          using std::abs;
          return abs(x);
        },
        {-2, 0.5, 3});
  check("square", [](const auto& x) { return sm::square(x); }, {-2, 0, 3});
  check("logistic", [](const auto& x) { return sm::logistic(x); }, {-9, -1, 0, 0.5, 9});
  check("softplus", [](const auto& x) { return sm::softplus(x); }, {-9, -1, 0, 0.5, 9});
  // Not where the branches of the plain log_cosh meet: the differences would straddle them.
  check("log_cosh", [](const auto& x) { return sm::log_cosh(x); }, {-5, -0.9, 0.1, 0.5, 3});
}

TEST_CASE("powers have the derivatives of powers") {
  for (const int n : {-3, -1, 0, 1, 2, 3, 4, 7, 10}) {
    CAPTURE(n);
    check("pow(x, int)",
          [n](const auto& x) {
            using std::pow;
            return pow(x, n);
          },
          {-1.3, 0.4, 2});
  }
  for (const int n : {0, 1, 2, 3, 6}) {
    CAPTURE(n);
    check("pow(0, int)",
          [n](const auto& x) {
            using std::pow;
            return pow(x, n);
          },
          {0.0});
  }
  for (const double p : {-1.5, 0.0, 0.5, 1.0, 2.0, 2.5}) {
    CAPTURE(p);
    check("pow(x, real)",
          [p](const auto& x) {
            using std::pow;
            return pow(x, p);
          },
          {0.4, 1, 3});
  }
  check("pow(x, whole)",
        [](const auto& x) {
          using std::pow;
          return pow(x, 3.0);
        },
        {-1.3, 2});
  check("pow(base, x)",
        [](const auto& x) {
          using std::pow;
          return pow(1.7, x);
        },
        {-2, 0, 1.5});
  const auto power = [](const auto& x, const auto& y) {
    using std::pow;
    return pow(x, y);
  };
  check_pair("pow(x, y)", power, 1.3, 0.7);
  check_pair("pow(x, y)", power, 0.2, -2);
}

TEST_CASE("arithmetic and functions of two numbers") {
  const auto both = [](const auto& f) {
    check_pair("two numbers", f, 1.3, -0.7);
    check_pair("two numbers", f, -2, 3);
  };
  both([](const auto& x, const auto& y) { return x * y + x / y - y * y; });
  both([](const auto& x, const auto& y) { return (2 - x) / (y * 3 + 7) - 1 / (x * x + 1); });
  both([](const auto& x, const auto& y) { return -x * 2 + y / 4 - (x - 5) * (1 + y); });
  both([](const auto& x, const auto& y) { return sm::logsumexp(x, y); });
  both([](const auto& x, const auto& y) {
    using std::hypot;
    return hypot(x, y) + hypot(x, 0.3) * hypot(-2, y);
  });
  both([](const auto& x, const auto& y) {
    using std::atan2;
    return atan2(y, x) + atan2(x, 0.3) * atan2(-2, y);
  });
  both([](const auto& x, const auto& y) {
    using std::fma;
    return fma(x, y, x) + fma(x, 2.0, y) + fma(-3.0, y, 0.5) * fma(2.0, 0.25, x);
  });
  both([](const auto& x, const auto& y) {
    using std::max;
    using std::min;
    return max(x, y) * 2 + min(x, y);
  });
  both([](const auto& x, const auto& y) {
    auto z = x;
    z += y;
    z *= x;
    z -= 2;
    z /= y + 10;
    z *= 3;
    return z;
  });
  both([](const auto& x, const auto& y) {
    using X = std::decay_t<decltype(x)>;
    return sm::logsumexp(Eigen::Matrix<X, 3, 1>(x, y, x * y));
  });
}

TEST_CASE("awkward points") {
  using std::abs;
  using std::sqrt;
  const auto exponential = [](const auto& x) {
    using std::exp;
    return exp(x);
  };
  CHECK(equals(at(exponential, -800), 0, 0, 0));
  CHECK(at(exponential, 800).value == inf);
  CHECK_FALSE(std::isfinite(at(exponential, 800).second));
  const auto hyperbolic = [](const auto& x) {
    using std::tanh;
    return tanh(x);
  };
  for (const double x : {-50.0, 50.0}) {
    // 1 - tanh^2 is 4 exp(-100) here, far below the rounding of tanh.
    const auto t = at(hyperbolic, x);
    const double slope = 4 * std::exp(-100.0);
    CHECK(t.value == (x > 0 ? 1 : -1));
    CHECK(abs(t.first / slope - 1) < 1e-14);
    CHECK(abs(t.second / (-2 * slope * t.value) - 1) < 1e-14);
  }
  CHECK(equals(at(hyperbolic, 1e6), 1, 0, 0));
  CHECK(equals(at(
                   [](const auto& x) {
                     using std::erf;
                     return erf(x);
                   },
                   1e200),
               1, 0, 0));
  const auto arc = [](const auto& x) {
    using std::atan;
    return atan(x);
  };
  CHECK(at(arc, 1e200).second == 0);
  const auto near_one = at(
      [](const auto& x) {
        using std::log1p;
        return log1p(x);
      },
      1e-20);
  CHECK(equals(near_one, 1e-20, 1, -1));
  CHECK(equals(at(
                   [](const auto& x) {
                     using std::expm1;
                     return expm1(x);
                   },
                   1e-20),
               1e-20, 1, 1));

  // Kinks and branch points.
  const auto absolute = [](const auto& x) {
    using std::abs;
    return abs(x);
  };
  CHECK(equals(at(absolute, 0), 0, 0, 0));
  CHECK(equals(at(absolute, -1e-300), 1e-300, -1, 0));
  CHECK(at(
            [](const auto& x) {
              using std::sqrt;
              return sqrt(x);
            },
            0)
            .value == 0);
  CHECK(at(
            [](const auto& x) {
              using std::sqrt;
              return sqrt(x);
            },
            0)
            .first == inf);
  const auto power = [](double p) {
    return at(
        [p](const auto& x) {
          using std::pow;
          return pow(x, p);
        },
        0);
  };
  CHECK(equals(power(0), 1, 0, 0));
  CHECK(equals(power(1), 0, 1, 0));
  CHECK(equals(power(2), 0, 0, 2));
  CHECK(equals(power(3), 0, 0, 0));
  CHECK(equals(power(1.5), 0, 0, inf));
  CHECK(equals(at(
                   [](const auto& x) {
                     using std::pow;
                     return pow(x, 2);
                   },
                   0),
               0, 0, 2));
  CHECK(equals(at(
                   [](const auto& x) {
                     using std::pow;
                     return pow(x, 0);
                   },
                   0),
               1, 0, 0));
  // x^2 underflows, its derivatives do not.
  const auto tiny = at(
      [](const auto& x) {
        using std::pow;
        return pow(x, 2.0);
      },
      1e-200);
  CHECK(equals(tiny, 0, 2e-200, 2));
  CHECK(std::isnan(at(
                       [](const auto& x) {
                         using std::log;
                         return log(x);
                       },
                       -1)
                       .value));

  // Where exp of the entries overflows, or all of them vanish.
  const auto sum_at = [](double a, double b) {
    return at([=](const auto& x) { return sm::logsumexp(x + a, 2 * x + b); }, 0);
  };
  CHECK(sum_at(1000, 1000).value == 1000 + std::log(2.0));
  CHECK(abs(sum_at(1000, 1000).first - 1.5) < 1e-15);
  CHECK(abs(sum_at(1000, 1000).second - 0.25) < 1e-15);
  CHECK(equals(sum_at(-800, 800), 800, 2, 0));
  CHECK(equals(sum_at(-2000, -1000), -1000, 2, 0));
  CHECK(equals(at([](const auto& x) { return sm::logsumexp(x, -inf); }, 3), 3, 1, 0));
  CHECK(sm::logsumexp(-inf, -inf) == -inf);
  CHECK(sm::logsumexp(Eigen::Vector3d(-inf, -inf, -inf)) == -inf);
  CHECK(sm::logsumexp(Eigen::Vector3d(-inf, 5, -inf)) == 5);
  CHECK(sm::logsumexp(Eigen::Vector3d(1e300, inf, 0)) == inf);
  CHECK(sm::logsumexp(Eigen::VectorXd(0)) == -inf);
  CHECK(std::isnan(sm::logsumexp(Eigen::Vector2d(0, std::nan("")))));
  CHECK(std::abs(sm::logsumexp(Eigen::Vector2d(0, -40)) - std::exp(-40.0)) < 1e-30);

  CHECK(equals(at([](const auto& x) { return sm::softplus(x); }, 800), 800, 1, 0));
  CHECK(equals(at([](const auto& x) { return sm::softplus(x); }, -800), 0, 0, 0));
  CHECK(equals(at([](const auto& x) { return sm::logistic(x); }, -800), 0, 0, 0));
  CHECK(equals(at([](const auto& x) { return sm::log_cosh(x); }, 800), 800 - std::log(2.0), 1, 0));
  CHECK(abs(at([](const auto& x) { return sm::log_cosh(x); }, 1e-8).value - 5e-17) < 1e-31);
  const auto slope = at([](const auto& x) { return sm::logistic(x); }, 40).first;
  CHECK(abs(slope / std::exp(-40.0) - 1) < 1e-14);
}

TEST_CASE("numbers compare, and mix with plain ones, by value") {
  using D = sm::Dual<double, 1>;
  using F = sm::ForwardLaplacian<D, 2>;
  const F x = F::variable(D::variable(2.0, 0), 1);
  CHECK(x == 2);
  CHECK(x != 3.0f);
  CHECK(x < D(3));
  CHECK(1 <= x);
  CHECK(3 > x);
  CHECK_FALSE(x > x);
  CHECK(x >= x);
  for (const double other : {1.0, 2.0, 3.0}) {
    const F y = F::variable(D::variable(other, 0), 0);
    CHECK((x == other) == (2 == other));
    CHECK((x != other) == (2 != other));
    CHECK((x < other) == (2 < other));
    CHECK((x <= other) == (2 <= other));
    CHECK((x > other) == (2 > other));
    CHECK((x >= other) == (2 >= other));
    CHECK((other < x) == (other < 2));
    CHECK((other <= x) == (other <= 2));
    CHECK((other > x) == (other > 2));
    CHECK((other >= x) == (other >= 2));
    CHECK((x == y) == (2 == other));
    CHECK((x != y) == (2 != other));
    CHECK((x < y) == (2 < other));
    CHECK((x <= y) == (2 <= other));
    CHECK((x > y) == (2 > other));
    CHECK((x >= y) == (2 >= other));
  }
  CHECK(sm::value(x) == 2);
  CHECK(sm::value(3.5) == 3.5);
  CHECK(isfinite(x));
  CHECK(isnan(x * std::nan("")));
  const F y = 2 * x + D::variable(3.0, 0) * x - 1;
  CHECK(y.value.value == 9);
  CHECK(y.value.gradient[0] == 2 + 3 + 2);
  CHECK(y.gradient[1].value == 5);
  CHECK(y.gradient[1].gradient[0] == 1);
  static_assert(!std::is_convertible_v<sm::Dual<double, 2>, D>);
  static_assert(!std::is_convertible_v<std::string, D>);
  static_assert(std::is_trivially_copyable_v<F>);
  static_assert(sizeof(F) == 8 * sizeof(double));
}

namespace {

// A bit of everything, written as a user writes an energy.
struct Composite {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using sm::logsumexp;
    using std::exp;
    using std::sin;
    using Number = typename X::Scalar;
    const Eigen::Matrix3d coupling{{2, 1, 0}, {1, 3, -1}, {0, -1, 4}};
    const Eigen::Matrix<Number, 3, 1> field = coupling * x + theta.template head<3>();
    Number result = -x.dot(field) / 2 + theta(3) * x.squaredNorm() / (1 + exp(x(0)));
    result += logsumexp(field) + (2.0 * x).array().tanh().sum() - sin(x.sum() * theta(4));
    return result;
  }
};

}  // namespace

TEST_CASE("gradient, Laplacian, curvature and directions of one function agree") {
  std::mt19937_64 rng(3);
  std::normal_distribution<double> normal;
  const Composite f;
  for (int trial = 0; trial < 50; ++trial) {
    Eigen::Vector3d x, v;
    Eigen::Matrix<double, 5, 1> theta;
    for (double& entry : x) entry = normal(rng);
    for (double& entry : v) entry = normal(rng);
    for (double& entry : theta) entry = normal(rng);
    const auto dual = f(sm::variables<sm::Dual<double, 3>>(x), theta);
    const auto laplacian = f(sm::variables<sm::ForwardLaplacian<double, 3>>(x), theta);
    const auto curvature = f(sm::variables<sm::ForwardCurvature<double, 3>>(x), theta);
    const auto along = f(sm::variables_along<double>(x, v), theta);
    const Eigen::Map<const Eigen::Vector3d> gradient(dual.gradient.data());
    CHECK(close(laplacian.value, f(x, theta), 1e-13));
    long double sum = 0;
    for (int j = 0; j < 3; ++j) {
      const auto k = static_cast<std::size_t>(j);
      CHECK(close(laplacian.gradient[k], gradient(j), 1e-13));
      CHECK(close(curvature.gradient[k], gradient(j), 1e-13));
      const auto unit = f(sm::variables_along<double>(x, Eigen::Vector3d::Unit(j)), theta);
      CHECK(close(curvature.curvature[k], unit.second, 1e-12));
      sum += static_cast<long double>(curvature.curvature[k]);
    }
    CHECK(close(laplacian.laplacian, sum, 1e-12));
    CHECK(close(along.first, gradient.dot(v), 1e-12));

    // In passes of two variables, and with the derivative by theta under it.
    using Two = sm::ForwardLaplacian<double, 2>;
    const auto first = f(sm::variables<Two>(x), theta);
    const auto last = f(sm::variables<Two>(x, 2), theta);
    CHECK(close(last.gradient[0], gradient(2), 1e-13));
    CHECK(last.gradient[1] == 0);
    CHECK(close(first.laplacian + last.laplacian, laplacian.laplacian, 1e-12));

    using D = sm::Dual<double, 5>;
    const auto numbers = sm::variables<D>(theta);
    const auto nested = f(sm::variables<sm::ForwardLaplacian<D, 3>>(x), numbers);
    CHECK(close(nested.laplacian.value, laplacian.laplacian, 1e-12));
    for (int i = 0; i < 5; ++i) {
      const auto laplacian_at = [&](long double t) {
        Eigen::Matrix<long double, 5, 1> moved = theta.cast<long double>();
        moved(i) += t;
        using Long = sm::ForwardLaplacian<long double, 3>;
        return f(sm::variables<Long>(x.cast<long double>()), moved).laplacian;
      };
      const long double slope = Differences<decltype(laplacian_at)>{laplacian_at, 0}.first();
      CHECK(close(nested.laplacian.gradient[static_cast<std::size_t>(i)], slope, 1e-10));
    }
  }
}

TEST_CASE("matrices of numbers: every product that Eigen chooses") {
  using F = sm::ForwardLaplacian<float, 2>;
  const Eigen::Matrix<float, 40, 40> fixed = Eigen::Matrix<float, 40, 40>::Ones();
  const Eigen::MatrixXf dynamic = fixed;
  const auto x = sm::variables<F>(Eigen::Matrix<float, 40, 1>::Ones().eval());
  const Eigen::Matrix<F, Eigen::Dynamic, 1> long_x = x;
  const Eigen::Matrix<F, 40, 1> a = fixed * x;
  const Eigen::Matrix<F, Eigen::Dynamic, 1> b = dynamic * long_x;
  const Eigen::Matrix<F, Eigen::Dynamic, 1> c = dynamic.transpose() * long_x;
  for (int i = 0; i < 40; ++i) {
    CHECK(a(i).value == 40);
    CHECK(a(i).gradient[1] == 1);
    CHECK(b(i).value == 40);
    CHECK(c(i).gradient[0] == 1);
    CHECK(c(i).laplacian == 0);
  }
  CHECK(x.squaredNorm().laplacian == 4);
  CHECK((x * 3).sum().gradient[0] == 3);
}
