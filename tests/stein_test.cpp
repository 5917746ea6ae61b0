#include "support.hpp"

#include <doctest/doctest.h>

#include <numbers>

namespace {

using namespace support;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// Scores without a normalizing constant that anybody knows.
struct Curved {
  template <class X>
  X operator()(const X& x) const {
    X score = x;
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      score(i) = -x(i) * x(i) * x(i) + x((i + 1) % x.size()) / 2;
    }
    return score;
  }
};

const auto standard = [](const auto& x) { return (-x).eval(); };

// A kernel of a user: kappa(rho) = 1 / (1 + rho / 3)^2.
struct Rational {
  std::optional<double> length = std::nullopt;
  void require_options() const {}
  template <sm::Real T>
  sm::RadialKernel<T> operator()(T rho) const {
    const T b = 1 + rho / 3;
    return {1 / (b * b), -2 / (3 * b * b * b), 2 / (3 * b * b * b * b)};
  }
};

// u(x, y) from the definition, all derivatives of k by central differences in long double.
template <class Kernel>
double stein_by_differences(const Kernel& kernel, const VectorXd& at, const VectorXd& other) {
  using Long = Eigen::Matrix<long double, Eigen::Dynamic, 1>;
  const Long x = at.cast<long double>();
  const Long y = other.cast<long double>();
  const long double length = static_cast<long double>(*kernel.length);
  const auto k = [&](const Long& a, const Long& b) {
    return kernel((a - b).squaredNorm() / (length * length)).value;
  };
  const long double h = 1e-4L;
  const Long sx = Curved{}(x);
  const Long sy = Curved{}(y);
  long double u = sx.dot(sy) * k(x, y);
  for (Eigen::Index i = 0; i < x.size(); ++i) {
    Long e = Long::Zero(x.size());
    e(i) = h;
    u += sx(i) * (k(x, y + e) - k(x, y - e)) / (2 * h);
    u += sy(i) * (k(x + e, y) - k(x - e, y)) / (2 * h);
    u += (k(x + e, y + e) - k(x + e, y - e) - k(x - e, y + e) + k(x - e, y - e)) / (4 * h * h);
  }
  return static_cast<double>(u);
}

MatrixXd pair(const VectorXd& x, const VectorXd& y) {
  MatrixXd both(x.size(), 2);
  both << x, y;
  return both;
}

// The Stein kernel itself: the U-statistic of two samples.
template <class Model, class Kernel>
double stein_kernel(const Model& model, const Kernel& kernel, const VectorXd& x,
                    const VectorXd& y) {
  return sm::stein_discrepancy(model, pair(x, y), kernel).u_statistic;
}

// Mean and its standard error.
struct Spread {
  double mean, error;
  explicit Spread(const VectorXd& values)
      : mean(values.mean()),
        error(std::sqrt((values.array() - mean).square().sum()) / double(values.size())) {}
};

}  // namespace

TEST_CASE_TEMPLATE("the Stein kernel is its definition by derivatives of the kernel", Kernel,
                   sm::InverseMultiquadric, sm::GaussianKernel, Rational) {
  Rng rng(1);
  for (Eigen::Index d = 1; d <= 4; ++d) {
    Kernel kernel;
    kernel.length = 0.7 + 0.2 * double(d);
    if constexpr (std::is_same_v<Kernel, sm::InverseMultiquadric>) {
      if (d > 2) kernel.exponent = -0.3;
      kernel.offset = 1.1;
    }
    const MatrixXd x = normals<double>(d, 2, rng);
    CAPTURE(d);
    const double u = stein_by_differences(kernel, x.col(0), x.col(1));
    CHECK(stein_kernel(Curved{}, kernel, x.col(0), x.col(1)) == doctest::Approx(u).epsilon(1e-7));
    const double xx = stein_by_differences(kernel, x.col(0), x.col(0));
    const double yy = stein_by_differences(kernel, x.col(1), x.col(1));
    CHECK(sm::stein_discrepancy(Curved{}, x, kernel).v_statistic ==
          doctest::Approx((xx + yy + 2 * u) / 4).epsilon(1e-7));
  }
}

TEST_CASE("the Stein kernel has no expectation under the model") {
  // exp(-x^4 / 4 + x^2 / 4), whose score is Curved in one dimension.
  for (const double y : {-1.3, 0.2, 2.5}) {
    CAPTURE(y);
    double multiquadric = 0, gaussian = 0, size = 0;
    const double h = 0.02;
    for (int k = -300; k <= 300; ++k) {
      const double x = h * k;
      const double weight = h * std::exp(-x * x * x * x / 4 + x * x / 4);
      const VectorXd at = VectorXd::Constant(1, x);
      const VectorXd other = VectorXd::Constant(1, y);
      const double u = stein_kernel(Curved{}, sm::InverseMultiquadric{.length = 0.9}, at, other);
      multiquadric += weight * u;
      gaussian += weight * stein_kernel(Curved{}, sm::GaussianKernel{.length = 0.9}, at, other);
      size += weight * std::abs(u);
    }
    CHECK(std::abs(multiquadric) <= 1e-12 * size);
    CHECK(std::abs(gaussian) <= 1e-12 * size);
  }
}

TEST_CASE("the discrepancy is about zero under the model and has its value off the model") {
  Rng rng(2);
  const double length = 1.3;
  const sm::GaussianKernel kernel{.length = length};
  const int trials = 200;
  VectorXd right(trials), shifted(trials);
  for (int trial = 0; trial < trials; ++trial) {
    const MatrixXd x = normals<double>(2, 60, rng);
    const auto under = sm::stein_discrepancy(standard, x, kernel);
    right(trial) = under.u_statistic;
    CHECK(under.v_statistic > 0);
    shifted(trial) = sm::stein_discrepancy(standard, x.array() + 0.5, kernel).u_statistic;
  }
  CHECK(std::abs(Spread(right).mean) <= 3 * Spread(right).error);
  // The scores differ by (0.5, 0.5) everywhere: E k(x, y) / 2 with x - y of variance 2.
  const double expected = 0.5 / (1 + 2 / (length * length));
  CHECK(std::abs(Spread(shifted).mean - expected) <= 3 * Spread(shifted).error);
  CHECK(Spread(shifted).error < 0.05 * expected);
}

TEST_CASE("p-values are uniform under the model and small off it") {
  Rng rng(3);
  const int trials = 200;
  VectorXd p(trials);
  int shifted = 0, narrow = 0, wide = 0;
  const sm::InverseMultiquadric kernel;
  const sm::WildBootstrap bootstrap{.draws = 199};
  for (int trial = 0; trial < trials; ++trial) {
    const MatrixXd x = normals<double>(2, 80, rng);
    p(trial) = sm::stein_test(standard, x, rng, kernel, bootstrap).p_value;
    if (trial >= 30) continue;
    const auto rejects = [&](const MatrixXd& y) {
      return sm::stein_test(standard, y, rng, kernel, bootstrap).p_value <= 0.05;
    };
    shifted += rejects(x.array() + 0.6);
    narrow += rejects(0.6 * x);
    wide += rejects(1.6 * x);
  }
  std::sort(p.begin(), p.end());
  double largest = 0;  // Kolmogorov and Smirnov: 1.63 / sqrt(200) has a probability of 0.01
  for (int k = 0; k < trials; ++k) {
    largest = std::max(
        {largest, std::abs(p(k) - double(k) / trials), std::abs(p(k) - double(k + 1) / trials)});
  }
  CHECK(largest <= 0.115);
  CHECK(p.minCoeff() >= 1.0 / 200);
  CHECK(shifted >= 24);
  CHECK(narrow >= 24);
  CHECK(wide >= 24);
}

TEST_CASE("signs that seldom change allow for the correlations of a chain") {
  Rng rng(4);
  int independent = 0, chain = 0;
  const int trials = 60;
  for (int trial = 0; trial < trials; ++trial) {
    MatrixXd x(1, 400);
    const MatrixXd noise = normals<double>(1, 400, rng);
    x(0, 0) = noise(0, 0);
    for (Eigen::Index k = 1; k < 400; ++k) {
      x(0, k) = 0.8 * x(0, k - 1) + 0.6 * noise(0, k);
    }
    const auto rejects = [&](double flip_probability) {
      const sm::WildBootstrap bootstrap{.draws = 199, .flip_probability = flip_probability};
      return sm::stein_test(standard, x, rng, sm::InverseMultiquadric{}, bootstrap).p_value <= 0.05;
    };
    independent += rejects(0.5);
    chain += rejects(0.05);
  }
  CHECK(independent >= 20);
  CHECK(chain <= 9);
}

TEST_CASE("the test is the bootstrap written out, for any number of samples") {
  for (const Eigen::Index n : {2, 31, 32, 33, 70}) {
    CAPTURE(n);
    Rng rng(static_cast<unsigned>(n));
    const MatrixXd x = normals<double>(2, n, rng).array() + 0.2;
    const sm::InverseMultiquadric kernel{.length = 1.0};
    Rng copy = rng;
    const sm::WildBootstrap bootstrap{.draws = 40, .flip_probability = 0.3};
    const auto test = sm::stein_test(Curved{}, x, rng, kernel, bootstrap);
    const auto plain = sm::stein_discrepancy(Curved{}, x, kernel);
    CHECK(test.u_statistic == doctest::Approx(plain.u_statistic).epsilon(1e-12));
    CHECK(test.v_statistic == doctest::Approx(plain.v_statistic).epsilon(1e-12));
    CHECK(test.length == 1);

    MatrixXd u = MatrixXd::Zero(n, n);
    for (Eigen::Index j = 0; j < n; ++j) {
      for (Eigen::Index i = 0; i < j; ++i) {
        u(i, j) = u(j, i) = stein_kernel(Curved{}, kernel, x.col(i), x.col(j));
      }
    }
    CHECK(test.u_statistic == doctest::Approx(u.sum() / double(n * (n - 1))).epsilon(1e-12));
    int as_large = 0;
    for (int b = 0; b < bootstrap.draws; ++b) {
      VectorXd signs(n);
      for (Eigen::Index i = 0; i < n; ++i) {
        const double uniform = std::ldexp(double(copy()), -64);
        if (i == 0) signs(i) = uniform < 0.5 ? 1 : -1;
        if (i > 0) signs(i) = uniform < 0.3 ? -signs(i - 1) : signs(i - 1);
      }
      as_large += signs.dot(u * signs) >= u.sum() - 1e-12 * u.cwiseAbs().sum();
    }
    CHECK(test.p_value == doctest::Approx((1.0 + as_large) / 41).epsilon(1e-14));
    CHECK(rng == copy);
  }
}

TEST_CASE("a draw that equals the statistic counts as large, in whatever order it was summed") {
  Rng rng(8);
  for (int trial = 0; trial < 200; ++trial) {
    CAPTURE(trial);
    const Eigen::Index n = 2 + trial % 5;
    const MatrixXd x = normals<double>(2, n, rng);
    const sm::InverseMultiquadric kernel{.length = 1.0};
    MatrixXd u = MatrixXd::Zero(n, n);
    for (Eigen::Index j = 0; j < n; ++j) {
      for (Eigen::Index i = 0; i < j; ++i) {
        u(i, j) = stein_kernel(Curved{}, kernel, x.col(i), x.col(j));
      }
    }
    // The exact distribution, over all signs; all equal gives the statistic itself.
    const auto drawn = [&](unsigned bits) {
      long double sum = 0;
      for (Eigen::Index j = 0; j < n; ++j) {
        for (Eigen::Index i = 0; i < j; ++i) {
          const bool same = ((bits >> i) & 1U) == ((bits >> j) & 1U);
          sum += static_cast<long double>(same ? u(i, j) : -u(i, j));
        }
      }
      return sum;
    };
    double probability = 0;
    for (unsigned bits = 0; bits < (1U << n); ++bits) {
      probability += double(drawn(bits) >= drawn(0) - 1e-13L) / double(1U << n);
    }
    const sm::WildBootstrap bootstrap{.draws = 2000};
    const double p = sm::stein_test(Curved{}, x, rng, kernel, bootstrap).p_value;
    const double error = std::sqrt(probability * (1 - probability) / bootstrap.draws);
    CHECK(std::abs(p - probability) <= 4.5 * error + 1.0 / 2000);
  }
}

TEST_CASE("one far sample leaves the test as it was, in whatever column it stands") {
  Rng rng(19);
  const Eigen::Index n = 200;
  const MatrixXd right = normals<double>(2, n, rng);
  const MatrixXd wrong = right.array() + 0.5;
  const auto p_value = [&](const MatrixXd& x) {
    Rng own(10);
    return sm::stein_test(standard, x, own).p_value;
  };
  CHECK(p_value(right) > 0.1);
  CHECK(p_value(wrong) < 0.002);
  for (const Eigen::Index column : {Eigen::Index(0), Eigen::Index(17), n - 1}) {
    for (const double far : {1e4, 1e10, -1e20, 1e70}) {
      CAPTURE(column);
      CAPTURE(far);
      MatrixXd x = wrong;
      x(1, column) = far;
      CHECK(p_value(x) < 0.002);
      // The pairs without it are as they were.
      MatrixXd rest(2, n - 1);
      rest << wrong.leftCols(column), wrong.rightCols(n - 1 - column);
      const sm::InverseMultiquadric kernel{.length = 1.5};
      const double pairs = double(n * (n - 1));
      const double all = sm::stein_discrepancy(standard, x, kernel).u_statistic * pairs;
      const double others = sm::stein_discrepancy(standard, rest, kernel).u_statistic * pairs *
                            double(n - 2) / double(n);
      double own = 0;
      for (Eigen::Index j = 0; j < n - 1; ++j) {
        own += 2 * stein_kernel(standard, kernel, rest.col(j), x.col(column));
      }
      CHECK(std::abs(all - others - own) <= 1e-9 * pairs);
    }
  }
}

TEST_CASE("a kernel's offset is taken as far as its square goes") {
  Rng rng(11);
  const MatrixXd x = normals<double>(1, 100, rng).array() + 1;
  for (const double offset : {1.0, 1e3, 1e80, 1e150}) {
    CAPTURE(offset);
    CHECK(sm::stein_test(standard, x, rng, sm::InverseMultiquadric{.offset = offset}).p_value <
          0.01);
  }
  for (const double offset : {1e155, infinity, 1e-200, 0.0, -1.0, not_a_number}) {
    CAPTURE(offset);
    CHECK(contains(message_of([&] {
                     sm::stein_discrepancy(standard, x, sm::InverseMultiquadric{.offset = offset});
                   }),
                   "InverseMultiquadric: offset = "));
  }
}

TEST_CASE("the discrepancy goes with the units of the samples, however large or small") {
  Rng rng(5);
  const Eigen::Matrix2Xd x = normals<double, 2>(2, 20, rng);
  const auto plain = sm::stein_discrepancy(standard, x);
  CHECK(plain.length == doctest::Approx(sm::median_distance(x)).epsilon(1e-15));
  for (const double scale : {1e-150, 1e-20, 1e20, 1e150}) {
    CAPTURE(scale);
    const auto model = [&](const Eigen::Vector2d& y) -> Eigen::Vector2d {
      return -(y / scale) / scale;
    };
    const auto scaled = sm::stein_discrepancy(model, scale * x);
    CHECK(scaled.u_statistic * scale * scale == doctest::Approx(plain.u_statistic).epsilon(1e-7));
    CHECK(scaled.v_statistic * scale * scale == doctest::Approx(plain.v_statistic).epsilon(1e-7));
    CHECK(scaled.length / scale == doctest::Approx(plain.length).epsilon(1e-12));
  }
  const Eigen::Matrix2Xf narrow = x.cast<float>();
  const auto single = sm::stein_discrepancy(standard, narrow);
  CHECK(single.u_statistic == doctest::Approx(plain.u_statistic).epsilon(1e-4));
  CHECK(single.v_statistic == doctest::Approx(plain.v_statistic).epsilon(1e-4));

  const auto steep = [](const VectorXd& y) -> VectorXd { return -1e250 * y; };
  const auto overflow = sm::stein_test(steep, MatrixXd(x), rng, sm::InverseMultiquadric{},
                                       sm::WildBootstrap{.draws = 9});
  CHECK(overflow.u_statistic == infinity);
  CHECK(overflow.v_statistic == infinity);
  CHECK(overflow.p_value == doctest::Approx(0.1));
}

TEST_CASE("the median distance") {
  const Eigen::RowVectorXd line{{0, 1, 3, 3}};  // distances 1, 3, 3, 2, 2 and a zero
  CHECK(sm::median_distance(line) == 2);
  Rng rng(6);
  // Differences of standard normals in the plane: sqrt(2) times a Rayleigh variable.
  const double expected = 2 * std::sqrt(std::numbers::ln2);
  CHECK(sm::median_distance(normals<double, 2>(2, 5000, rng)) ==
        doctest::Approx(expected).epsilon(0.05));
}

TEST_CASE("no order of the samples hides any of them from the median distance") {
  // Two values that take turns in any period have one distance that is not zero.
  for (const Eigen::Index n : {501, 999, 1000, 1499, 3001}) {
    for (Eigen::Index period = 2; period <= 60; ++period) {
      CAPTURE(n);
      CAPTURE(period);
      Eigen::RowVectorXd x(n);
      for (Eigen::Index j = 0; j < n; ++j) x(j) = j % period == period - 1 ? 3 : 0;
      CHECK(message_of([&] { CHECK(sm::median_distance(x) == 3); }) == "no exception");
    }
  }
  // A scale that moves with the place, and one that alternates: the median over all pairs.
  Rng rng(12);
  for (int trial = 0; trial < 6; ++trial) {
    CAPTURE(trial);
    const Eigen::Index n = 1300 + 350 * trial;
    MatrixXd x = normals<double>(2, n, rng);
    for (Eigen::Index j = 0; j < n; ++j) {
      const double place = double(j) / double(n);
      x.col(j) *= trial % 2 == 0 ? 0.1 + 10 * place * place : (j % (2 + trial) == 0 ? 10 : 1);
    }
    std::vector<double> distances;
    for (Eigen::Index j = 0; j < n; ++j) {
      for (Eigen::Index i = 0; i < j; ++i) distances.push_back((x.col(i) - x.col(j)).norm());
    }
    std::nth_element(distances.begin(), distances.begin() + std::ptrdiff_t(distances.size() / 2),
                     distances.end());
    CHECK(sm::median_distance(x) == doctest::Approx(distances[distances.size() / 2]).epsilon(0.2));
    CHECK(sm::median_distance(x) == sm::median_distance(x));
  }
}

TEST_CASE("misuse of the discrepancy is named") {
  Rng rng(7);
  const MatrixXd x = normals<double>(2, 6, rng);
  const auto message = [&](const auto& model, const MatrixXd& samples,
                           const sm::InverseMultiquadric& kernel = {}) {
    return message_of([&] { sm::stein_discrepancy(model, samples, kernel); });
  };
  CHECK(message(standard, x) == "no exception");
  CHECK(message(standard, x.leftCols(1)) ==
        "scorematch: samples have 1 columns; expected at least 2, as pairs are compared");
  CHECK(contains(message(standard, x.leftCols(0)), "0 columns"));
  const MatrixXd same = MatrixXd::Constant(2, 5, 1.5);
  CHECK(message(standard, same) ==
        "scorematch: the 5 samples have no distance above 0; expected two that differ, or a kernel "
        "with a length of its own");
  // s(x) . s(x) + 2 Dim |kappa'(0)| / length^2.
  const auto identical =
      sm::stein_discrepancy(standard, same, sm::InverseMultiquadric{.length = 2});
  CHECK(identical.u_statistic == doctest::Approx(4.5 + 2.0 / 4).epsilon(1e-14));
  CHECK(identical.v_statistic == doctest::Approx(4.5 + 2.0 / 4).epsilon(1e-14));

  MatrixXd broken = x;
  broken(1, 4) = not_a_number;
  CHECK(contains(message(standard, broken), "samples(row 1, column 4) = nan"));
  const auto fails_at = [&](const VectorXd& y) -> VectorXd {
    return y == x.col(3) ? VectorXd::Constant(2, infinity) : y;
  };
  CHECK(message(fails_at, x) ==
        "scorematch: the score of the model at sample 3: score(0) = inf; expected a finite value");
  const sm::Gaussian<double> three(VectorXd::Zero(3), MatrixXd::Identity(3, 3));
  CHECK(contains(message(three, x), "samples have 2 rows; expected 3"));

  CHECK(contains(message(standard, x, {.length = 0.0}), "InverseMultiquadric: length = 0"));
  CHECK(contains(message(standard, x, {.exponent = -1}), "InverseMultiquadric: exponent = -1"));
  CHECK(contains(message(standard, x, {.exponent = 0}), "above -1 and below 0"));
  CHECK(contains(message(standard, x, {.offset = not_a_number}), "offset = nan"));
  const auto bootstrap = [&](const sm::WildBootstrap& options) {
    return message_of(
        [&] { sm::stein_test(standard, x, rng, sm::InverseMultiquadric{}, options); });
  };
  CHECK(contains(bootstrap({.draws = 0}), "WildBootstrap: draws = 0; expected at least 1"));
  CHECK(contains(bootstrap({.flip_probability = 0}), "flip_probability = 0"));
  CHECK(contains(bootstrap({.flip_probability = 0.6}), "at most 0.5"));
}
