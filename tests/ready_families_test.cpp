// The families that come with the library, each against derivatives by finite differences, exact
// expectations by quadrature, and its own samples.
#include "support.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <numbers>
#include <utility>
#include <vector>

namespace {

using namespace support;

using Eigen::Index;

// --- derivatives ---------------------------------------------------------------------------------

// The family in double beside the same family in long double, whose log density is differenced.
template <class F, class LongF>
void check_derivatives(const F& family, const LongF& long_family, double spread, Rng& rng) {
  using Long = Eigen::Matrix<long double, Eigen::Dynamic, 1>;
  for (int problem = 0; problem < 20; ++problem) {
    const typename F::Parameters theta = normals<double>(family.parameter_count(), 1, rng);
    const typename LongF::Parameters long_theta = theta.template cast<long double>();
    const auto distribution = family.distribution(theta);
    const typename F::Vector x = spread * normals<double>(family.dimension(), 1, rng);
    const auto value = [&](const Long& at) {
      return long_family.log_density(typename LongF::Vector(at), long_theta);
    };
    CHECK(std::abs(distribution.unnormalized_log_density(x) -
                   double(value(x.template cast<long double>()))) <= 1e-12 * (1 + theta.norm()));
    const Eigen::VectorXd one = Eigen::VectorXd::Ones(x.size());
    CHECK(gradient_error(value, x, distribution.score(x), one, 1e-11) < 1e-8);
    long double laplacian = 0;
    const auto both = family.score_and_curvature(x, theta);
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      const auto second = [&](long double h) {
        Long up = x.template cast<long double>();
        Long down = up;
        up(j) += h;
        down(j) -= h;
        return (value(up) + value(down) - 2 * value(x.template cast<long double>())) / (h * h);
      };
      const long double at_j = (4 * second(5e-4L) - second(1e-3L)) / 3;
      laplacian += at_j;
      CHECK(std::abs(both.curvature(j) - double(at_j)) <= 1e-7 * (1 + std::abs(double(at_j))));
    }
    CHECK(std::abs(distribution.laplacian(x) - double(laplacian)) <=
          1e-7 * (1 + std::abs(double(laplacian))));
    CHECK(relative_difference(both.score, distribution.score(x)) < 1e-13);
  }
}

// --- exact expectations --------------------------------------------------------------------------

// Points on a grid with weights proportional to the density: the expectation under the model, by
// the trapezoidal rule, which converges faster than any power where the density is smooth and
// vanishes, or is periodic, at the ends.
template <class F>
std::pair<Eigen::MatrixXd, Eigen::VectorXd> grid(const F& family,
                                                 const typename F::Parameters& theta, double low,
                                                 double high, Eigen::Index points) {
  const auto distribution = family.distribution(theta);
  const Eigen::Index d = family.dimension();
  const Eigen::Index total = d == 1 ? points : points * points;
  Eigen::MatrixXd x(d, total);
  Eigen::VectorXd weights(total);
  for (Eigen::Index n = 0; n < total; ++n) {
    for (Eigen::Index i = 0, rest = n; i < d; ++i, rest /= points) {
      x(i, n) = low + (high - low) * double(rest % points) / double(points);
    }
    weights(n) = distribution.unnormalized_log_density(x.col(n));
  }
  weights = (weights.array() - weights.maxCoeff()).exp();
  return {x, weights};
}

template <class F>
void check_exact(const F& family, const typename F::Parameters& theta, double low, double high,
                 Eigen::Index points) {
  const auto [x, weights] = grid(family, theta, low, high, points);
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  summary.add(x, weights);
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, summary);
  CHECK(fit.status == sm::Status::converged);
  CHECK(relative_difference(fit.parameters, theta) < 1e-10);
}

// --- recovery from samples -----------------------------------------------------------------------

// Draws from a density on an interval, up to a constant, by inversion of its tabulated distribution
// function.
class Table {
 public:
  template <class LogDensity>
  Table(LogDensity&& log_density, double low, double high) : low_(low), high_(high) {
    const int cells = 20000;
    double sum = 0;
    cumulative_.push_back(0);
    for (int c = 0; c < cells; ++c) {
      sum += std::exp(log_density(low + (high - low) * (c + 0.5) / cells));
      cumulative_.push_back(sum);
    }
  }

  double operator()(Rng& rng) const {
    const double u = std::uniform_real_distribution<double>(0, cumulative_.back())(rng);
    const auto above = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, u);
    const auto cell = static_cast<double>(above - cumulative_.begin()) - 1;
    const double part = (u - *(above - 1)) / (*above - *(above - 1));
    return low_ + (high_ - low_) * (cell + part) / double(cumulative_.size() - 1);
  }

 private:
  double low_, high_;
  std::vector<double> cumulative_;
};

// `draw` writes one sample.
template <class F, class Draw>
void check_closed_form_recovery(const F& family, const typename F::Parameters& theta,
                                Eigen::Index n, Draw&& draw) {
  check_recovery(
      theta, n,
      [&](Rng& rng, Eigen::Index count) {
        Eigen::MatrixXd samples(family.dimension(), count);
        for (Eigen::Index j = 0; j < count; ++j) draw(rng, samples.col(j));
        return samples;
      },
      [&](const Eigen::MatrixXd& samples) {
        const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
        REQUIRE(fit.status == sm::Status::converged);
        return Eigen::VectorXd(fit.parameters);
      },
      true);
}

const Eigen::Vector4d double_well{0.2, 1, 0.1, -0.5};

sm::PhiFourFamily<double> two_spins() { return {2, sm::ring(2)}; }
const Eigen::Vector3d two_spins_at{0.5, -0.5, 1};  // J, r, u

sm::VonMisesFamily<double> two_angles() {
  return {2, sm::ring(2), sm::Couplings::shared, sm::Fields::per_site};
}
const Eigen::VectorXd two_angles_at = Eigen::Matrix<double, 5, 1>(0.8, 0.3, -0.4, 0.5, 0.7);

}  // namespace

TEST_CASE("derivatives of the ready families are those of their log densities") {
  Rng rng(1);
  check_derivatives(sm::PolynomialFamily<double, 6>(), sm::PolynomialFamily<long double, 6>(), 1,
                    rng);
  check_derivatives(sm::PairwiseGaussianFamily<double>(3),
                    sm::PairwiseGaussianFamily<long double>(3), 1, rng);
  for (const auto couplings : {sm::Couplings::shared, sm::Couplings::per_edge}) {
    const auto edges = sm::square_lattice(3, 2);
    check_derivatives(sm::PhiFourFamily<double>(6, edges, couplings),
                      sm::PhiFourFamily<long double>(6, edges, couplings), 1, rng);
    for (const auto fields : {sm::Fields::none, sm::Fields::shared, sm::Fields::per_site}) {
      check_derivatives(sm::VonMisesFamily<double>(6, edges, couplings, fields),
                        sm::VonMisesFamily<long double>(6, edges, couplings, fields), 3, rng);
    }
  }
  const std::vector<sm::Edge> edges{{0, 1}, {2, 1}, {0, 3}};
  const auto with_phase = sm::Couplings::with_phase;
  check_derivatives(sm::VonMisesFamily<double>(4, edges, with_phase, sm::Fields::per_site),
                    sm::VonMisesFamily<long double>(4, edges, with_phase, sm::Fields::per_site), 3,
                    rng);
}

TEST_CASE("rings and lattices join each pair of neighbors once, across their ends too") {
  // Two sites are neighbors where they differ by one step, modulo the size, in one direction alone.
  const auto step = [](Eigen::Index a, Eigen::Index b, Eigen::Index size) {
    return size > 1 && ((a + 1) % size == b || (b + 1) % size == a);
  };
  for (Eigen::Index width = 1; width <= 5; ++width) {
    for (Eigen::Index height = 1; height <= 4; ++height) {
      CAPTURE(width);
      CAPTURE(height);
      const Eigen::Index sites = width * height;
      const auto check = [&](const std::vector<sm::Edge>& edges) {
        Eigen::MatrixXi joined = Eigen::MatrixXi::Zero(sites, sites);
        for (const sm::Edge& edge : edges) {
          ++joined(edge.first, edge.second);
          ++joined(edge.second, edge.first);
        }
        for (Eigen::Index a = 0; a < sites; ++a) {
          for (Eigen::Index b = 0; b < sites; ++b) {
            const bool in_row = a / width == b / width && step(a % width, b % width, width);
            const bool in_column = a % width == b % width && step(a / width, b / width, height);
            CHECK(joined(a, b) == (in_row || in_column ? 1 : 0));
          }
        }
      };
      check(sm::square_lattice(width, height));
      if (height == 1) check(sm::ring(width));
    }
  }
}

TEST_CASE("couplings name the parameters by which two sites act on each other, and no other") {
  Rng rng(3);
  static_assert(!sm::PairwiseModel<sm::PolynomialFamily<double, 4>>);
  // H_ij of log p by differences of the score, which are exact for these families up to rounding
  // and h^2: what changes it, at random points, is what `couplings` says.
  const auto check = [&](const auto& family) {
    using F = std::remove_cvref_t<decltype(family)>;
    static_assert(sm::PairwiseModel<F>);
    const Index d = family.dimension();
    const Index count = family.parameter_count();
    const typename F::Vector x = normals<double>(d, 1, rng);
    const typename F::Parameters theta = normals<double>(count, 1, rng);
    const auto mixed = [&](const typename F::Parameters& at, Index i, Index j) {
      const double h = 1e-4;
      typename F::Vector up = x, down = x;
      up(j) += h;
      down(j) -= h;
      return (family.score(up, at)(i) - family.score(down, at)(i)) / (2 * h);
    };
    const auto couplings = family.couplings();
    for (Index i = 0; i < d; ++i) {
      for (Index j = 0; j < i; ++j) {
        std::vector<bool> named(std::size_t(count), false);
        int times = 0;
        for (const sm::Coupling& coupling : couplings) {
          const bool same = coupling.edge == sm::Edge{i, j} || coupling.edge == sm::Edge{j, i};
          times += same;
          for (Index k = 0; same && k < coupling.count; ++k) {
            named[std::size_t(coupling.first + k)] = true;
          }
        }
        CHECK(times <= 1);
        const double base = mixed(theta, i, j);
        if (times == 0) CHECK(std::abs(base) < 1e-9);
        for (Index k = 0; k < count; ++k) {
          typename F::Parameters other = theta;
          other(k) += 1;
          const double once = mixed(other, i, j) - base;
          other(k) += 1;
          CHECK((std::abs(once) > 1e-6) == named[std::size_t(k)]);
          CHECK(std::abs(mixed(other, i, j) - base - 2 * once) < 1e-8);
        }
      }
    }
  };
  for (int trial = 0; trial < 20; ++trial) {
    check(sm::PairwiseGaussianFamily<double, 3>());
    check(sm::PairwiseGaussianFamily<double>(4));
    check(sm::TruncatedGaussianFamily<double>(3));
    check(sm::PhiFourFamily<double>(4, sm::ring(4)));
    check(sm::PhiFourFamily<double>(4, {{3, 0}, {1, 2}}, sm::Couplings::per_edge));
    check(sm::VonMisesFamily<double>(4, sm::ring(4)));
    check(sm::VonMisesFamily<double>(4, {{0, 3}, {2, 1}}, sm::Couplings::per_edge,
                                     sm::Fields::per_site));
    check(sm::VonMisesFamily<double>(3, {{0, 2}}, sm::Couplings::shared, sm::Fields::shared));
    check(sm::VonMisesFamily<double>(3, {{2, 0}, {0, 1}}, sm::Couplings::with_phase));
  }
}

TEST_CASE("the expectations under a model give back its parameters") {
  check_exact(sm::PolynomialFamily<double, 4>(), double_well, -6, 6, 400);
  check_exact(two_spins(), two_spins_at, -6, 6, 150);
  check_exact(two_angles(), two_angles_at, 0, 2 * std::numbers::pi, 60);
  const sm::VonMisesFamily<double> one(1);
  check_exact(one, Eigen::Vector2d(1.5, -2), 0, 2 * std::numbers::pi, 80);
  const sm::PairwiseGaussianFamily<double, 2> gaussian;
  check_exact(gaussian, Eigen::Matrix<double, 5, 1>(0.3, -0.2, 1.5, 0.8, -0.4), -12, 12, 200);
}

TEST_CASE("parameters are recovered from a model's own samples: polynomial") {
  const sm::PolynomialFamily<double, 4> family;
  const auto density = family.distribution(double_well);
  const Table table(
      [&](double x) { return density.unnormalized_log_density(Eigen::Matrix<double, 1, 1>(x)); },
      -6, 6);
  check_closed_form_recovery(family, double_well, 2000,
                             [&](Rng& rng, auto&& x) { x(0) = table(rng); });
}

TEST_CASE("parameters are recovered from a model's own samples: pairwise Gaussian") {
  const sm::PairwiseGaussianFamily<double, 2> family;
  const Eigen::Matrix<double, 5, 1> theta(0.3, -0.2, 1.5, 0.8, -0.4);
  const auto gaussian = family.gaussian(theta);
  CHECK(relative_difference(family.parameters(gaussian), theta) < 1e-14);
  check_closed_form_recovery(family, theta, 2000,
                             [&](Rng& rng, auto&& x) { x = gaussian.sample(rng); });
}

TEST_CASE("parameters are recovered from a model's own samples: phi-four") {
  // J x y = J/2 (x^2 + y^2) - J/2 (x - y)^2: the sites are drawn apart, and a pair is kept with the
  // probability of the last term.
  const double j = two_spins_at(0), r = two_spins_at(1), u = two_spins_at(2);
  const Table site([&](double x) { return -(r - j) * x * x / 2 - u * x * x * x * x / 4; }, -6, 6);
  check_closed_form_recovery(two_spins(), two_spins_at, 2000, [&](Rng& rng, auto&& x) {
    std::uniform_real_distribution<double> unit;
    do {
      x(0) = site(rng);
      x(1) = site(rng);
    } while (unit(rng) > std::exp(-j / 2 * (x(0) - x(1)) * (x(0) - x(1))));
  });
}

TEST_CASE("parameters are recovered from a model's own samples: von Mises, coupled") {
  const auto field = [&](Eigen::Index i) {
    return Table(
        [i](double x) {
          return two_angles_at(i) * std::cos(x) + two_angles_at(i + 1) * std::sin(x);
        },
        -std::numbers::pi, std::numbers::pi);
  };
  const Table first = field(0), second = field(2);
  check_closed_form_recovery(two_angles(), two_angles_at, 1000, [&](Rng& rng, auto&& x) {
    std::uniform_real_distribution<double> unit;
    do {
      x(0) = first(rng);
      x(1) = second(rng);
    } while (unit(rng) > std::exp(two_angles_at(4) * (std::cos(x(0) - x(1)) - 1)));
  });
}

TEST_CASE("the pairwise Gaussian agrees with the Gaussian family in loss, gradient and estimate") {
  Rng rng(2);
  for (const Eigen::Index d : {1, 2, 5}) {
    CAPTURE(d);
    const Eigen::MatrixXd samples = random_samples(d, 400, rng);
    const sm::PairwiseGaussianFamily<double> natural(d);
    const sm::GaussianFamily<double> cholesky(d);
    const sm::ScoreMatchingLoss loss;
    const auto a = sm::fit(natural, loss, sm::ClosedForm{}, samples);
    const auto b = sm::fit(cholesky, loss, sm::ClosedForm{}, samples);
    CHECK(std::abs(a.loss - b.loss) <= 1e-10 * std::abs(b.loss));
    const auto gaussian = natural.gaussian(a.parameters);
    CHECK(relative_difference(gaussian.covariance(), b.distribution.covariance()) < 1e-10);
    CHECK(relative_difference(gaussian.mean(), b.distribution.mean()) < 1e-10);

    auto quadratic = loss.summary(natural);
    quadratic.add(samples);
    auto in_natural = loss.objective(natural, quadratic);
    auto moments = loss.summary(cholesky);
    moments.add(samples);
    auto in_cholesky = loss.objective(cholesky, moments);
    const Eigen::VectorXd theta = 0.4 * normals<double>(cholesky.parameter_count(), 1, rng);
    Eigen::VectorXd gradient(theta.size()), by_natural(theta.size());
    const double value = in_cholesky(theta, gradient);
    const Eigen::VectorXd eta = natural.parameters(cholesky.distribution(theta));
    CHECK(std::abs(in_natural(eta, by_natural) - value) <= 1e-10 * std::abs(value));
    // The chain rule: natural coordinates along each parameter, differenced in long double.
    const sm::PairwiseGaussianFamily<long double> long_natural(d);
    const sm::GaussianFamily<long double> long_cholesky(d);
    using Long = Eigen::Matrix<long double, Eigen::Dynamic, 1>;
    const auto path = [&](const Long& at) {
      return by_natural.cast<long double>().dot(
          long_natural.parameters(long_cholesky.distribution(at)));
    };
    CHECK(gradient_error(path, theta, gradient, Eigen::VectorXd::Ones(theta.size()), 1e-11) < 1e-9);
  }
}

TEST_CASE("score matching of a quartic approaches its maximum likelihood estimate") {
  const sm::PolynomialFamily<double, 4> family;
  const auto density = family.distribution(double_well);
  const Table table(
      [&](double x) { return density.unnormalized_log_density(Eigen::Matrix<double, 1, 1>(x)); },
      -6, 6);
  // Newton's method on theta . mean t - log Z(theta), Z and its derivatives by quadrature.
  const auto likely = [&](const Eigen::MatrixXd& samples) {
    Eigen::Vector4d seen = Eigen::Vector4d::Zero();
    for (Eigen::Index n = 0; n < samples.cols(); ++n) {
      seen += family.statistics()(Eigen::Matrix<double, 1, 1>(samples(0, n)));
    }
    seen /= double(samples.cols());
    Eigen::Vector4d theta = double_well;
    for (int step = 0; step < 20; ++step) {
      const auto [x, weights] = grid(family, theta, -6, 6, 240);
      Eigen::Vector4d mean = Eigen::Vector4d::Zero();
      Eigen::Matrix4d square = Eigen::Matrix4d::Zero();
      for (Eigen::Index n = 0; n < x.cols(); ++n) {
        const Eigen::Vector4d t = family.statistics()(Eigen::Matrix<double, 1, 1>(x(0, n)));
        mean += weights(n) / weights.sum() * t;
        square += weights(n) / weights.sum() * t * t.transpose();
      }
      theta += (square - mean * mean.transpose()).ldlt().solve(seen - mean);
    }
    return theta;
  };
  const int seeds = 60;
  std::vector<double> differences;
  for (const Eigen::Index n : {1000, 4000, 16000}) {
    double sum = 0;
    for (int seed = 0; seed < seeds; ++seed) {
      Rng rng(static_cast<unsigned>(n + seed));
      Eigen::MatrixXd samples(1, n);
      for (double& x : samples.reshaped()) x = table(rng);
      const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
      sum += (fit.parameters - likely(samples)).squaredNorm();
    }
    differences.push_back(std::sqrt(sum / seeds));
  }
  CAPTURE(differences[2]);
  CHECK(differences[2] < 0.05);
  for (const std::size_t k : {1u, 2u})
    CHECK(std::abs(differences[k] / differences[k - 1] - 0.5) < 0.1);
}

TEST_CASE("ready families say what is wrong with them") {
  using Graph = std::vector<sm::Edge>;
  CHECK(contains(message_of([] {
                   sm::PhiFourFamily<double>(2, Graph{{0, 2}});
                 }),
                 "PhiFourFamily: edge 0 joins 0 and 2; expected two different sites below 2"));
  CHECK(contains(message_of([] { sm::PhiFourFamily<double>(2, Graph{{1, 1}}); }), "joins 1 and 1"));
  CHECK(contains(message_of([] {
                   sm::VonMisesFamily<double>(2, Graph{{0, 1}, {1, 0}});
                 }),
                 "edges 0 and 1 both join 1 and 0"));
  CHECK(contains(message_of([] {
                   sm::PhiFourFamily<double>(2, Graph{{0, 1}, {1, 0}, {0, 2}});
                 }),
                 "edges 0 and 1"));
  CHECK(contains(message_of([] { sm::PhiFourFamily<double>(0, Graph{}); }), "dimension = 0"));
  CHECK(
      contains(message_of([] { sm::VonMisesFamily<double>(1, Graph{}); }), "parameter_count = 0"));
  CHECK(contains(message_of([] { sm::square_lattice(0, 3); }), "width = 0"));
  CHECK(contains(message_of([] { sm::ring(-1); }), "size = -1"));
  CHECK(sm::square_lattice(8, 8).size() == 128);
  CHECK(sm::square_lattice(2, 2).size() == 4);
  CHECK(sm::ring(1).empty());
  auto angles = sm::ScoreMatchingLoss{}.summary(two_angles());
  CHECK(contains(message_of([&] { angles.add(Eigen::Vector2d(1, infinity)); }),
                 "samples(row 1, column 0) = inf"));
  // Angles are the same in any turn.
  Rng rng(3);
  const Eigen::MatrixXd x = normals<double>(2, 100, rng);
  auto turned = angles;
  angles.add(x);
  turned.add(Eigen::MatrixXd(x.array() + 2 * std::numbers::pi));
  CHECK(relative_difference(turned.form().quadratic(), angles.form().quadratic()) < 1e-13);
  const sm::PairwiseGaussianFamily<double, 2> gaussian;
  CHECK(
      contains(message_of([&] { gaussian.gaussian(gaussian.start()); }), "not positive definite"));
  const sm::PolynomialFamily<double, 4> quartic;
  CHECK(quartic.normalizable(double_well));
  CHECK(quartic.normalizable(Eigen::Vector4d(1, -1, 0, 0)));
  CHECK_FALSE(quartic.normalizable(Eigen::Vector4d(1, -1, 1, 0)));
  CHECK_FALSE(quartic.normalizable(Eigen::Vector4d(0, 0, 0, 1)));
  CHECK_FALSE(quartic.normalizable(quartic.start()));
}
