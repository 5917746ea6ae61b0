// What `converged` promises, over every ready family and optimizer: a search around the result
// finds nothing lower by more than the tolerance says.
#include "support.hpp"

#include <Eigen/Dense>

#include <doctest/doctest.h>

#include <functional>
#include <type_traits>
#include <vector>

namespace {

using namespace support;
using Long = Eigen::Matrix<long double, Eigen::Dynamic, 1>;
using LongMatrix = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
using LongObjective = std::function<long double(const Long&, Long&)>;

// Random sets of samples; fewer where a sanitizer makes each take ten times as long.
#if defined(CONVERGENCE_PROBLEMS)
constexpr int problems = CONVERGENCE_PROBLEMS;
#else
constexpr int problems = 2000;
#endif

// The most that is found below the value at x, in units of it: along damped Newton steps and random
// directions, outwards from 10^-8 to 1 of `scale` until the value climbs, since behind a barrier
// lies another minimum.
double gain(const LongObjective& objective, const Long& x, const Long& scale, Rng& rng) {
  const Eigen::Index n = x.size();
  Long gradient(n), up(n), down(n);
  const long double value = objective(x, gradient);
  long double lowest = value;
  const auto look = [&](const Long& direction) {
    for (long double radius = 1e-8L; radius <= 1.01L; radius *= 3.1622776601683795L) {
      Long unused(n);
      const long double there = objective(x + radius * direction, unused);
      if (there < lowest) lowest = there;
      if (!(there <= value + 1e-9L * std::abs(value))) return;
    }
  };
  LongMatrix hessian(n, n);
  for (Eigen::Index k = 0; k < n; ++k) {
    const long double step = 1e-6L * scale(k);
    objective(x + step * Long::Unit(n, k), up);
    objective(x - step * Long::Unit(n, k), down);
    hessian.col(k) = (up - down).cwiseProduct(scale) * scale(k) / (2 * step);
  }
  hessian = (hessian + hessian.transpose()).eval() / 2;
  const Long slope = gradient.cwiseProduct(scale);
  const long double size = hessian.cwiseAbs().maxCoeff();
  for (long double damping = 1e-14L; damping < 1e3L && size < 1e300L; damping *= 1000) {
    LongMatrix damped = hessian;
    damped.diagonal().array() += damping * size;
    const Long step = scale.cwiseProduct(damped.ldlt().solve(slope));
    look(-step);
    look(step);
  }
  std::normal_distribution<double> normal;
  for (int k = 0; k < 6; ++k) {
    Long direction(n);
    for (Eigen::Index i = 0; i < n; ++i) {
      direction(i) = scale(i) * static_cast<long double>(normal(rng));
    }
    look(direction);
  }
  return double((value - lowest) / std::abs(value));
}

// A few samples of many kinds: normal, heavy and light tails, two clusters, skewed; anywhere, in
// any unit.
template <int Dim>
Eigen::Matrix<double, Dim, Eigen::Dynamic> any_samples(int kind, bool moved, Rng& rng) {
  std::normal_distribution<double> normal;
  Eigen::Matrix<double, Dim, Eigen::Dynamic> x(Dim, Dim + 2 + Eigen::Index(rng() % 40));
  for (double& v : x.reshaped()) {
    v = normal(rng);
    switch (kind % 5) {
      case 1: v /= std::sqrt(std::abs(normal(rng)) + 1e-3); break;
      case 2: v = 0.3 * v + (rng() % 2 == 0 ? 2 : -2); break;
      case 3: v = std::copysign(std::sqrt(std::abs(v)), v); break;
      case 4: v = std::exp(v / 2); break;
      default: break;
    }
  }
  if (moved) {
    x.array() += 10 * normal(rng);
    x *= std::pow(10.0, 3 * normal(rng));
  }
  return x;
}

template <class F>
Long scales_at(const F& family, const auto& objective, const Long& theta) {
  if constexpr (requires { family.scales(typename F::Parameters(theta)); }) {
    return family.scales(typename F::Parameters(theta));
  } else if constexpr (requires { objective.scales(); }) {
    return objective.scales();
  } else {
    return theta.cwiseAbs().cwiseMax(1e-3L);
  }
}

struct Tally {
  int fits = 0;
  int converged = 0;
};

// What is looked at of a fit, whatever its types.
struct Fitted {
  bool converged;
  bool finite;
  double loss;
  Long parameters;
};

struct Wells {  // two wells of any depth and distance
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::exp;
    const auto y = x(0) - theta(2);
    return theta(0) * y * y - exp(theta(1)) * y * y * y * y;
  }
};

auto wells(auto scalar) {
  using T = decltype(scalar);
  return sm::energy_family<1>(Wells{}, Eigen::Matrix<T, 3, 1>(T(0.5), T(-1), T(0)));
}

// The samples of one problem: `plain` are those of a family that has no unit of its own.
struct Problem {
  int kind;
  Eigen::Matrix<double, 1, Eigen::Dynamic> x, plain;
  Eigen::Matrix<double, 2, Eigen::Dynamic> y;
};

// use(family, loss, samples) for the kind of the problem, the family of a Scalar.
template <class Scalar, class Use>
void with_family(const Problem& problem, const Use& use) {
  const sm::ScoreMatchingLoss score;
  const auto& [kind, x, plain, y] = problem;
  switch (kind) {
    case 0: return use(sm::GaussianFamily<Scalar, 1>{}, score, x);
    case 1: return use(sm::GaussianFamily<Scalar, 2>{}, sm::NegativeLogLikelihood{}, y);
    case 2: return use(sm::PairwiseGaussianFamily<Scalar, 2>{}, score, y);
    case 3: return use(sm::VonMisesFamily<Scalar, 1>{}, score, x);
    case 4:
      return use(sm::TruncatedGaussianFamily<Scalar, 1>{}, sm::GeneralizedScoreMatchingLoss{},
                 x.cwiseAbs().eval());
    case 5: return use(sm::StudentTFamily<Scalar, 1>{}, score, x);
    case 6: return use(sm::GaussianMixtureFamily<Scalar, 1, 2>{}, score, x);
    case 7: return use(wells(Scalar(1)), score, plain);
    default: return use(sm::StudentTFamily<Scalar, 2>{}, score, y);
  }
}

template <class Optimizer>
Fitted fitted(const Problem& problem, const Optimizer& optimizer) {
  Fitted result;
  with_family<double>(problem, [&](const auto& family, const auto& loss, const auto& samples) {
    const auto fit = sm::fit(family, loss, optimizer, samples);
    result = {fit.status == sm::Status::converged, fit.parameters.allFinite(), fit.loss,
              fit.parameters.template cast<long double>()};
  });
  return result;
}

// The law, in long double: once for all optimizers, since each of these takes the compiler seconds.
void check_converged(const Problem& problem, const Fitted& fit, Rng& rng) {
  with_family<long double>(problem, [&](const auto& family, const auto& loss, const auto& samples) {
    using Parameters = typename std::decay_t<decltype(family)>::Parameters;
    auto summary = loss.summary(family);
    summary.add(samples.template cast<long double>());
    auto objective = loss.objective(family, summary);
    const Long& theta = fit.parameters;
    const LongObjective erased = [&](const Long& at, Long& gradient) {
      Parameters slope(at.size());
      const long double value = objective(Parameters(at), slope);
      gradient = slope;
      return value;
    };
    const Long scale = scales_at(family, objective, theta);
    CAPTURE(fit.loss);
    CAPTURE(theta.transpose());
    CHECK(gain(erased, theta, scale, rng) <= 1e-6);
    // The gradient, in the units of loss and parameters. That of a parameter is no longer than the
    // way on which its curvature changes the loss by the size of the loss: far from the origin,
    // parts of a quadratic loss cancel.
    Long gradient(theta.size()), beside(theta.size()), unit = scale;
    const long double value = erased(theta, gradient);
    for (Eigen::Index i = 0; i < theta.size(); ++i) {
      Long moved = theta;
      moved(i) += 1e-4L * scale(i);
      erased(moved, beside);
      const long double curvature = (beside(i) - gradient(i)) / (moved(i) - theta(i));
      if (curvature > 0) unit(i) = std::min(unit(i), std::sqrt(std::abs(value) / curvature));
    }
    CHECK(double(gradient.cwiseProduct(unit).norm() / std::abs(value)) <= 1e-2);
  });
}

template <class Optimizer>
void check_all(const Optimizer& optimizer, int count, double least) {
  Rng rng(1);
  Tally natural, hard;
  for (int k = 0; k < count; ++k) {
    CAPTURE(k);
    const bool moved = sm::AdaptiveOptimizer<Optimizer> && k / 9 % 2 == 1;
    Problem problem{k % 9, {}, {}, {}};
    problem.x = any_samples<1>(k / 9, moved, rng);
    problem.y = any_samples<2>(k / 9, moved, rng);
    problem.plain = any_samples<1>(k / 9, false, rng);
    const Fitted fit = fitted(problem, optimizer);
    CHECK(fit.finite);
    CHECK_FALSE(std::isnan(fit.loss));
    Tally& tally = problem.kind < 5 ? natural : hard;
    ++tally.fits;
    if (!fit.converged) continue;
    ++tally.converged;
    Rng directions(static_cast<unsigned>(k));  // the problems are the same whatever converges
    check_converged(problem, fit, directions);
  }
  // A law that nothing reached would be no law.
  if (count < 90) return;
  CHECK(natural.converged >= least * natural.fits);
  CHECK(hard.converged >= 0.5 * least * hard.fits);
}

using Plane = std::function<double(const Eigen::Vector2d&, Eigen::Vector2d&)>;

}  // namespace

TEST_CASE("Lbfgs: nothing lower around what is converged") {
  check_all(sm::Lbfgs{}, problems, 0.9);
}

TEST_CASE("Adam: nothing lower around what is converged") {
  check_all(sm::Adam{.amsgrad = true, .max_iterations = 2000}, problems / 10, 0.2);
}

TEST_CASE("descents: nothing lower around what is converged") {
  check_all(sm::Momentum{.learning_rate = 1e-2, .max_iterations = 2000}, problems / 10, 0.05);
  check_all(sm::GradientDescent{.learning_rate = 1e-2, .max_iterations = 2000}, problems / 10,
            0.01);
}

TEST_CASE("a quadratic whose minimum is zero converges, wherever it lies") {
  Rng rng(2);
  std::normal_distribution<double> normal;
  for (int k = 0; k < 2000; ++k) {
    CAPTURE(k);
    const Eigen::Vector2d place =
        k % 3 == 0 ? Eigen::Vector2d(0, 0) : Eigen::Vector2d(normal(rng), 100 * normal(rng));
    const double turn = normal(rng), ratio = std::pow(10.0, 4.0 * double(k % 10) / 9);
    const double unit = std::ldexp(1.0, int(rng() % 200) - 100);
    const Eigen::Matrix2d axes{{std::cos(turn), -std::sin(turn)}, {std::sin(turn), std::cos(turn)}};
    const Eigen::Matrix2d hessian =
        unit * axes * Eigen::Vector2d(1, ratio).asDiagonal() * axes.transpose();
    const Plane bowl = [&](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
      gradient = hessian * (x - place);
      return gradient.dot(x - place) / 2;
    };
    const Eigen::Vector2d start(10 * normal(rng), 10 * normal(rng));
    const auto minimum = sm::minimize(sm::Lbfgs{}, bowl, start);
    CHECK(minimum.status == sm::Status::converged);
    CHECK((minimum.parameters - place).norm() <= 1e-6 * (start.norm() + place.norm()));
  }
}

TEST_CASE("a loss without a minimum never converges") {
  Rng rng(3);
  std::normal_distribution<double> normal;
  const std::vector<std::function<Eigen::Vector2d(double)>> falling{
      [](double x) { return Eigen::Vector2d(-x, -1); },
      [](double x) { return Eigen::Vector2d(-x * x, -2 * x); },
      [](double x) { return Eigen::Vector2d(-x * x * x, -3 * x * x); },
      [](double x) { return Eigen::Vector2d(-std::exp(x), -std::exp(x)); },
      [](double x) { return Eigen::Vector2d(std::exp(-x), -std::exp(-x)); },
      [](double x) { return Eigen::Vector2d(-std::log(x), -1 / x); },
      [](double x) { return Eigen::Vector2d(-std::sqrt(x), -0.5 / std::sqrt(x)); },
      [](double x) { return Eigen::Vector2d(-std::pow(x, 0.25), -0.25 * std::pow(x, -0.75)); },
      // The score matching loss of one sample, by the log deviation.
      [](double l) { return Eigen::Vector2d(-std::exp(2 * l), -2 * std::exp(2 * l)); }};
  for (std::size_t f = 0; f < falling.size(); ++f) {
    CAPTURE(f);
    for (int k = 0; k < 100; ++k) {
      // Where the walk goes to the end of the numbers, a rotation would round by more than the
      // loss, and a unit let the gradient vanish.
      const bool distant = f >= 5 && f <= 7;
      const double turn = distant ? 0 : normal(rng);
      const double unit = distant ? 1 : std::ldexp(1.0, int(rng() % 100) - 50);
      const Eigen::Matrix2d axes{{std::cos(turn), -std::sin(turn)},
                                 {std::sin(turn), std::cos(turn)}};
      // Along one axis it falls, along the other it is a bowl.
      const Plane loss = [&](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
        const Eigen::Vector2d u = axes.transpose() * x;
        const Eigen::Vector2d fall = falling[f](u(0));
        gradient = unit * axes * Eigen::Vector2d(fall(1), u(1));
        return unit * (fall(0) + u(1) * u(1) / 2);
      };
      const Eigen::Vector2d start =
          axes * Eigen::Vector2d(std::abs(normal(rng)) + 0.1, normal(rng));
      CAPTURE(start.transpose());
      CHECK(sm::minimize(sm::Lbfgs{}, loss, start).status != sm::Status::converged);
      CHECK(sm::minimize(sm::Momentum{.max_iterations = 300}, loss, start).status !=
            sm::Status::converged);
    }
  }
}

TEST_CASE("a fit to a single sample, whose loss has no bound, never converges") {
  for (const double x : {0.0, 3.0, -1e3}) {
    const Eigen::Matrix<double, 1, 1> one(x);
    const auto check = [&](const auto& family) {
      const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, one);
      CHECK(fit.status != sm::Status::converged);
    };
    check(sm::GaussianFamily<double, 1>{});
    check(sm::StudentTFamily<double, 1>{});
    check(sm::GaussianMixtureFamily<double, 1, 2>{});
  }
}
