#include "more_garbow_hillstrom.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <vector>

namespace {

using namespace support;
namespace mgh = more_garbow_hillstrom;

// One type for many objectives: each instance of an optimizer costs the compiler seconds.
template <class Vector>
using Erased = std::function<double(const Vector&, Vector&)>;
using Plane = Erased<Eigen::Vector2d>;
using Any = Erased<Eigen::VectorXd>;

sm::Minimum<Eigen::Vector2d> minimize(const sm::Lbfgs& optimizer, const Plane& objective,
                                      const Eigen::Vector2d& start) {
  return sm::minimize(optimizer, objective, start);
}

sm::Minimum<Eigen::VectorXd> minimize(const sm::Lbfgs& optimizer, const Any& objective,
                                      const Eigen::VectorXd& start) {
  return sm::minimize(optimizer, objective, start);
}

// To four digits. The minima that are zero are compared as those of a loss of order one.
bool solved(const mgh::Problem& problem, double value) {
  return std::any_of(problem.minima.begin(), problem.minima.end(), [&](double minimum) {
    return std::abs(value - minimum) <= (minimum == 0 ? 1e-10 : 1e-4 * minimum);
  });
}

// The largest part of the value that a step of another method still takes off: the Hessian in long
// double by differences of the gradient, damped as by Marquardt from nothing to nearly all.
double newton_gain(const mgh::Problem& problem, const Eigen::VectorXd& at) {
  using Vector = mgh::Problem::LongVector;
  using Matrix = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
  const Vector x = at.cast<long double>();
  const Eigen::Index n = x.size();
  Vector gradient(n);
  Vector up(n);
  Vector down(n);
  const long double value = problem.long_value(x, gradient);
  Matrix hessian(n, n);
  for (Eigen::Index k = 0; k < n; ++k) {
    const long double h = 1e-7L * std::max(std::abs(x(k)), 1e-7L);
    problem.long_value(x + h * Vector::Unit(n, k), up);
    problem.long_value(x - h * Vector::Unit(n, k), down);
    hessian.col(k) = (up - down) / (2 * h);
  }
  hessian = (hessian + hessian.transpose()).eval() / 2;
  const Vector scale = hessian.diagonal().cwiseAbs().cwiseMax(1e-300L);
  long double gain = 0;
  for (long double damping = 1e-15L; damping < 1e3L; damping *= 10) {
    Matrix damped = hessian;
    damped.diagonal() += damping * scale;
    const Vector step = damped.ldlt().solve(gradient);
    const long double lower = problem.long_value(x - step, up);
    if (lower < value) gain = std::max(gain, value - lower);
  }
  return double(gain / value);
}

// A quadratic with its minimum of -1 at (1, 1, ...) and condition number `condition`.
struct Quadratic {
  Eigen::MatrixXd matrix;

  Quadratic(Eigen::Index n, double condition, Rng& rng) {
    const Eigen::VectorXd axis = normals<double>(n, 1, rng).normalized();
    const Eigen::MatrixXd reflection =
        Eigen::MatrixXd::Identity(n, n) - 2 * axis * axis.transpose();
    Eigen::VectorXd eigenvalues(n);
    for (Eigen::Index k = 0; k < n; ++k) {
      eigenvalues(k) = std::pow(condition, double(k) / double(std::max<Eigen::Index>(n - 1, 1)));
    }
    matrix = reflection * eigenvalues.asDiagonal() * reflection;
  }

  double operator()(const Eigen::VectorXd& x, Eigen::VectorXd& gradient) const {
    const Eigen::VectorXd off = x - Eigen::VectorXd::Ones(x.size());
    gradient = matrix * off;
    return off.dot(gradient) / 2 - 1;
  }
};

struct Rosenbrock {
  template <class Vector>
  typename Vector::Scalar operator()(const Vector& x, Vector& gradient) const {
    return mgh::SumOfSquares<mgh::Rosenbrock>{}(x, gradient);
  }
};

}  // namespace

static_assert(sm::OptimizerFor<sm::Lbfgs, Rosenbrock, Eigen::Vector2d>);

TEST_CASE("the gradients of the test problems are those of their values") {
  Rng rng(1);
  for (const auto& problem : mgh::problems()) {
    CAPTURE(std::string(problem.name));
    const Eigen::VectorXd scale = problem.start.cwiseAbs().cwiseMax(0.1);
    for (int trial = 0; trial < 3; ++trial) {
      const Eigen::VectorXd x =
          problem.start + 0.05 * scale.cwiseProduct(normals<double>(problem.start.size(), 1, rng));
      Eigen::VectorXd gradient(x.size());
      const double value = problem(x, gradient);
      CHECK(value >= 0);
      const auto long_value = [&](const mgh::Problem::LongVector& at) {
        mgh::Problem::LongVector unused(at.size());
        return problem.long_value(at, unused);
      };
      CHECK(gradient_error(long_value, x, gradient, scale, 1e-9) <= 1e-6);
    }
  }
}

TEST_CASE("the line search ends where the strong Wolfe conditions hold") {
  using Search = sm::detail::WolfeSearch<double>;
  using Function = std::function<Search::Point(double)>;
  const std::vector<Function> functions{
      // The first two are those of More and Thuente's tests.
      [](double t) {
        const double below = t * t + 2;
        return Search::Point{t, -t / below, (t * t - 2) / (below * below)};
      },
      [](double t) {
        const double u = t + 0.004;
        return Search::Point{t, std::pow(u, 5) - 2 * std::pow(u, 4),
                             5 * std::pow(u, 4) - 8 * std::pow(u, 3)};
      },
      [](double t) {
        return Search::Point{t, (t - 3) * (t - 3) + std::cos(8 * t),
                             2 * (t - 3) - 8 * std::sin(8 * t)};
      },
      [](double t) {
        return Search::Point{t, t - std::log(t + 1e-3), 1 - 1 / (t + 1e-3)};
      }};
  for (std::size_t k = 0; k < functions.size(); ++k) {
    CAPTURE(k);
    const Search::Point start = functions[k](0);
    for (double step = 1e-3; step <= 1e3; step *= 1.7) {
      CAPTURE(step);
      Search search(start.value, start.slope);
      Search::Point at = functions[k](step);
      int trials = 1;
      for (; trials < 40 && !search.accepts(at); ++trials) at = functions[k](search.next(at));
      CHECK(trials <= 20);
      CHECK(at.value <= start.value + 1e-4 * at.step * start.slope);
      CHECK(std::abs(at.slope) <= 0.9 * std::abs(start.slope));
    }
  }
}

TEST_CASE("the problems of More, Garbow and Hillstrom from their standard starts") {
  for (const Eigen::Index history : {3, 10, 20}) {
    int count = 0;
    int converged = 0;
    for (const auto& problem : mgh::problems()) {
      CAPTURE(std::string(problem.name));
      CAPTURE(history);
      const auto minimum =
          minimize(sm::Lbfgs{.history = history, .loss_scale = 1}, Any(problem), problem.start);
      const bool is_solved = solved(problem, minimum.loss);
      count += is_solved;
      converged += minimum.status == sm::Status::converged;
      CHECK((is_solved || minimum.status != sm::Status::converged));
      Eigen::VectorXd gradient(problem.start.size());
      CHECK(problem(minimum.parameters, gradient) == minimum.loss);
      CHECK(gradient.norm() == doctest::Approx(minimum.gradient_norm));
    }
    CHECK(count >= 17);
    CHECK(converged >= 17);
  }
}

TEST_CASE("without a loss scale, a minimum of zero is found to the last digit") {
  for (const auto& problem : mgh::problems()) {
    if (problem.minima.front() != 0) continue;
    CAPTURE(std::string(problem.name));
    const auto minimum = minimize(sm::Lbfgs{}, Any(problem), problem.start);
    CHECK(solved(problem, minimum.loss));
    if (minimum.loss < 1e-3) CHECK(minimum.loss <= 1e-16);
    // Powell's singular problem has it at theta = 0, to which theta is never close in relative
    // terms.
    if (problem.start.size() != 4 || problem.start(0) != 3) {
      CHECK(minimum.status == sm::Status::converged);
    }
  }
}

TEST_CASE("from ten and a hundred times the starts, only a minimum is said to be one") {
  int converged = 0;
  for (const double factor : {10.0, 100.0}) {
    for (const Eigen::Index history : {3, 10}) {
      for (const auto& problem : mgh::problems()) {
        CAPTURE(std::string(problem.name));
        CAPTURE(factor);
        CAPTURE(history);
        const sm::Lbfgs optimizer{.history = history, .max_iterations = 2000};
        const auto minimum = minimize(optimizer, Any(problem), factor * problem.start);
        CHECK(minimum.parameters.allFinite());
        CHECK_FALSE(std::isnan(minimum.loss));
        if (minimum.status != sm::Status::converged) continue;
        ++converged;
        if (solved(problem, minimum.loss)) continue;
        // A minimum that the paper does not name.
        CAPTURE(minimum.loss);
        CHECK(minimum.gradient_norm <= 1e-4 * minimum.loss);
        CHECK(newton_gain(problem, minimum.parameters) <= 1e-6);
      }
    }
  }
  CHECK(converged >= 40);
}

TEST_CASE("the Gaussian losses are fitted to the closed form") {
  Rng rng(2);
  for (const Eigen::Index d : {1, 2, 5, 12}) {
    CAPTURE(d);
    const Eigen::MatrixXd samples = random_samples(d, 20 * d, rng);
    const sm::GaussianFamily<double> family(d);
    const auto check = [&](const auto& loss) {
      const auto exact = sm::fit(family, loss, sm::ClosedForm{}, samples);
      const auto fit = sm::fit(family, loss, sm::Lbfgs{}, samples);
      CHECK(fit.status == sm::Status::converged);
      CHECK(fit.iterations <= 200);
      CHECK((fit.distribution.mean() - exact.distribution.mean()).norm() <= 1e-6);
      CHECK(relative_difference(fit.distribution.covariance(), exact.distribution.covariance()) <=
            1e-6);
    };
    check(sm::ScoreMatchingLoss{});
    check(sm::NegativeLogLikelihood{});
  }
}

TEST_CASE("fixed and dynamic sizes, float and long double") {
  const auto check = [](const auto& start, double tolerance) {
    const auto minimum = sm::minimize(sm::Lbfgs{}, Rosenbrock{}, start);
    CHECK(minimum.status == sm::Status::converged);
    CHECK(std::abs(double(minimum.parameters(0)) - 1) <= tolerance);
    CHECK(std::abs(double(minimum.parameters(1)) - 1) <= tolerance);
  };
  check(Eigen::Vector2d(-1.2, 1), 1e-9);
  check(Eigen::VectorXd(Eigen::Vector2d(-1.2, 1)), 1e-9);
  check(Eigen::Vector2f(-1.2F, 1), 1e-3);
  check(Eigen::Matrix<long double, 2, 1>(-1.2L, 1), 1e-12);
}

TEST_CASE("a quadratic takes few steps more than it has dimensions") {
  Rng rng(3);
  for (const Eigen::Index n : {1, 2, 5, 10}) {
    CAPTURE(n);
    for (const double condition : {1.0, 1e2, 1e6}) {
      CAPTURE(condition);
      const Quadratic quadratic(n, condition, rng);
      const Eigen::VectorXd start = 100 * normals<double>(n, 1, rng);
      const auto minimum = minimize(sm::Lbfgs{.history = 20}, Any(quadratic), start);
      CHECK(minimum.status == sm::Status::converged);
      CHECK(minimum.iterations <= 12 * n + 16);
      CHECK((minimum.parameters - Eigen::VectorXd::Ones(n)).norm() <= 1e-5);
    }
  }
  // More dimensions than pairs.
  const auto minimum =
      minimize(sm::Lbfgs{}, Any(Quadratic(100, 1e3, rng)), Eigen::VectorXd::Zero(100));
  CHECK(minimum.status == sm::Status::converged);
  CHECK((minimum.parameters - Eigen::VectorXd::Ones(100)).norm() <= 1e-6);
}

TEST_CASE("units of the loss and of the parameters do not matter") {
  Rng rng(4);
  const Quadratic quadratic(3, 100, rng);
  const Eigen::Vector3d start(5, -7, 11);
  const auto plain = minimize(sm::Lbfgs{}, Any(quadratic), start);
  for (const double unit : {0x1p-100, 0x1p-30, 0x1p30, 0x1p100}) {
    CAPTURE(unit);
    const auto scaled = [&](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
      const double value = quadratic(x, gradient);
      gradient *= unit;
      return unit * value;
    };
    const auto minimum = minimize(sm::Lbfgs{}, Any(scaled), start);
    CHECK(minimum.iterations == plain.iterations);
    CHECK(same_bits(minimum.parameters, plain.parameters));
  }
  for (const double unit : {1e-6, 1e6}) {
    CAPTURE(unit);
    const auto scaled = [&](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
      const double value = quadratic(x / unit, gradient);
      gradient /= unit;
      return value;
    };
    const auto minimum = minimize(sm::Lbfgs{}, Any(scaled), unit * start);
    CHECK((minimum.parameters / unit - Eigen::VectorXd::Ones(3)).norm() <= 1e-4);
  }
}

TEST_CASE("outside the domain a step is shortened, and what is not finite is never returned") {
  for (const double bad : {not_a_number, infinity, -infinity}) {
    for (const bool in_gradient : {false, true}) {
      // x - log x, which is not a number to the left of zero: a minimum of 1 at 1.
      const auto wall = [&](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
        gradient << 1 - 1 / x(0), x(1);
        if (x(0) > 0) return x(0) - std::log(x(0)) + x(1) * x(1) / 2;
        if (in_gradient) gradient(1) = bad;
        return in_gradient ? -5 : bad;
      };
      for (const double from : {1e-8, 0.01, 3.0, 1e6}) {
        CAPTURE(from);
        const auto minimum = minimize(sm::Lbfgs{}, Plane(wall), Eigen::Vector2d(from, 9));
        CHECK(minimum.status == sm::Status::converged);
        CHECK((minimum.parameters - Eigen::Vector2d(1, 0)).norm() <= 1e-6);
      }
      const auto at_once = minimize(sm::Lbfgs{}, Plane(wall), Eigen::Vector2d(-1, 9));
      CHECK(at_once.status == sm::Status::diverged);
      CHECK(at_once.iterations == 0);
      CHECK(same_bits(at_once.parameters, Eigen::Vector2d(-1, 9)));
      CHECK_FALSE(std::isnan(at_once.loss));
      CHECK_FALSE(std::isnan(at_once.gradient_norm));

      // x with a cliff: falls up to where it ends.
      const auto cliff = [&](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
        gradient << 1, in_gradient && x(0) < 0 ? bad : 0;
        return !in_gradient && x(0) < 0 ? bad : x(0);
      };
      const auto edge =
          minimize(sm::Lbfgs{.max_iterations = 100}, Plane(cliff), Eigen::Vector2d(1, 0));
      CHECK(edge.status != sm::Status::converged);
      CHECK(edge.parameters(0) >= 0);
      CHECK(edge.parameters(0) <= 1e-3);
      CHECK(edge.parameters.allFinite());
      CHECK(edge.loss == edge.parameters(0));
    }
  }
}

TEST_CASE("a loss that falls for ever never converges") {
  const auto check = [](const Plane& slope) {
    for (const double start : {1.0, 100.0, 1e9}) {
      CAPTURE(start);
      const auto minimum =
          minimize(sm::Lbfgs{.max_iterations = 300}, slope, Eigen::Vector2d(start, 3));
      CHECK(minimum.status != sm::Status::converged);
      CHECK(minimum.parameters.allFinite());
      CHECK_FALSE(std::isnan(minimum.loss));
    }
  };
  check([](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient << -1, x(1);
    return x(1) * x(1) / 2 - x(0);
  });
  check([](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    if (!(x(0) > 0)) return infinity;
    gradient << -0.5 / std::sqrt(x(0)), 100 * x(1);
    return 50 * x(1) * x(1) - std::sqrt(x(0));
  });
  check([](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient << -std::exp(x(0) / 100) / 100, x(1);
    return x(1) * x(1) / 2 - std::exp(x(0) / 100);
  });
  check([](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient << -2 * x(0), 2 * x(1);
    return x(1) * x(1) - x(0) * x(0);
  });
}

TEST_CASE("the floor of a valley is not taken for its end") {
  // The first steps go down the wall and teach the curvature of the wall alone; along the floor the
  // gradient is small against the loss, and H times it smaller.
  for (const double wall : {1e4, 1e7, 1e10}) {
    CAPTURE(wall);
    const auto valley = [&](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
      gradient << 1e-14 * (x(0) - 5e5), wall * x(1);
      return 1 + x(1) * gradient(1) / 2 + (x(0) - 5e5) * gradient(0) / 2;
    };
    const auto minimum = minimize(sm::Lbfgs{}, Plane(valley), Eigen::Vector2d(0, 1));
    CHECK(minimum.status == sm::Status::converged);
    CHECK(minimum.loss <= 1 + 1e-6);
  }
}

TEST_CASE("a gradient that is not the value's fails the line search and is not converged") {
  const auto uphill = [](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient = -x;
    return 1 + x.squaredNorm() / 2;
  };
  const Eigen::Vector2d start(3, 4);
  const auto minimum = minimize(sm::Lbfgs{}, Plane(uphill), start);
  CHECK(minimum.status == sm::Status::line_search_failed);
  CHECK(same_bits(minimum.parameters, start));
  CHECK(minimum.loss == 13.5);
}

TEST_CASE("the direction is that of the BFGS matrix of the pairs that are kept") {
  Rng rng(30);
  for (int trial = 0; trial < 40; ++trial) {
    CAPTURE(trial);
    const Eigen::Index n = 1 + trial % 6;
    const Eigen::Index history = 1 + trial % 4;
    const Eigen::MatrixXd root = normals<double>(n, n, rng);
    const Eigen::MatrixXd hessian = root * root.transpose() + Eigen::MatrixXd::Identity(n, n);
    sm::detail::SecantPairs<Eigen::VectorXd> pairs(n, history);
    std::vector<Eigen::VectorXd> steps;
    for (int added = 0; added < 7; ++added) {
      steps.push_back(normals<double>(n, 1, rng));
      pairs.add(steps.back(), hessian * steps.back());
      // The update of the inverse, Nocedal and Wright (6.17), from the oldest pair to the newest.
      const Eigen::VectorXd newest = hessian * steps.back();
      Eigen::MatrixXd inverse =
          Eigen::MatrixXd::Identity(n, n) * steps.back().dot(newest) / newest.squaredNorm();
      const std::size_t first = steps.size() - std::min(steps.size(), std::size_t(history));
      for (std::size_t k = first; k < steps.size(); ++k) {
        const Eigen::VectorXd y = hessian * steps[k];
        const double rho = 1 / y.dot(steps[k]);
        const Eigen::MatrixXd left =
            Eigen::MatrixXd::Identity(n, n) - rho * steps[k] * y.transpose();
        inverse = left * inverse * left.transpose() + rho * steps[k] * steps[k].transpose();
      }
      const Eigen::VectorXd gradient = normals<double>(n, 1, rng);
      Eigen::VectorXd direction(n);
      pairs.aim(gradient, direction);
      CHECK(relative_difference(direction, Eigen::VectorXd(-inverse * gradient)) <= 1e-9);
    }
  }
}

TEST_CASE("steps without gain are few, and a gain, however small, starts their count again") {
  // A value to which the gradient, noise of length 1, does not belong: whatever the line search
  // finds is within the rounding that it allows, and leads nowhere.
  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    std::uniform_real_distribution<double> angle(0, 6.28);
    double value = 1;
    double gain = 0;
    const auto noise = [&](const Eigen::Vector2d&, Eigen::Vector2d& gradient) {
      const double at = angle(rng);
      gradient << std::cos(at), std::sin(at);
      return value -= gain;
    };
    const Eigen::Vector2d start(1, 2);
    const auto still = minimize(sm::Lbfgs{.max_iterations = 200}, Plane(noise), start);
    CHECK(still.status == sm::Status::line_search_failed);
    CHECK(still.iterations <= 20);
    gain = 1e-15;
    const auto falling = minimize(sm::Lbfgs{.max_iterations = 200}, Plane(noise), start);
    CHECK(falling.iterations > 20);
  }
}

TEST_CASE("at the minimum, and with gradients beyond the range of their square") {
  const auto bowl = [](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient = x;
    return 1 + x.squaredNorm() / 2;
  };
  const auto there = minimize(sm::Lbfgs{}, Plane(bowl), Eigen::Vector2d(0, 0));
  CHECK(there.status == sm::Status::converged);
  CHECK(there.iterations == 0);
  for (const double unit : {1e200, 1e-200}) {
    const auto steep = [&](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
      gradient = unit * x;
      return unit * (1 + x.squaredNorm() / 2);
    };
    const auto minimum = minimize(sm::Lbfgs{}, Plane(steep), Eigen::Vector2d(1, 2));
    CHECK(minimum.parameters.norm() <= 1e-3);
    CHECK(minimum.gradient_norm <= 1e-3 * unit);
  }
}

TEST_CASE("the observer sees each step once, from where it left, and can stop") {
  std::vector<double> losses;
  Eigen::Vector2d previous(-1.2, 1);
  const auto minimum = sm::minimize(
      sm::Lbfgs{.max_iterations = 10}, Rosenbrock{}, previous,
      [&](const sm::IterationState<Eigen::Vector2d>& state) {
        Eigen::Vector2d gradient;
        // Not to the bit: the compiler may fold one of the two.
        CHECK(state.loss == doctest::Approx(Rosenbrock{}(previous, gradient)).epsilon(1e-14));
        CHECK(state.gradient_norm == doctest::Approx(gradient.norm()));
        if (!losses.empty()) CHECK(state.loss <= losses.back());
        losses.push_back(state.loss);
        CHECK(state.iteration == Eigen::Index(losses.size()));
        previous = state.parameters;
      });
  CHECK(minimum.status == sm::Status::iteration_limit);
  CHECK(minimum.iterations == 10);
  CHECK(losses.size() == 10);
  CHECK(same_bits(minimum.parameters, previous));
  const auto stopped = sm::minimize(sm::Lbfgs{}, Rosenbrock{}, Eigen::Vector2d(-1.2, 1),
                                    [](const auto& state) { return state.iteration < 3; });
  CHECK(stopped.status == sm::Status::stopped);
  CHECK(stopped.iterations == 3);
}

TEST_CASE("options out of range") {
  const auto expect = [](const sm::Lbfgs& optimizer, const std::string& words) {
    const std::string message =
        message_of([&] { minimize(optimizer, Plane(Rosenbrock{}), Eigen::Vector2d(-1.2, 1)); });
    CHECK_MESSAGE(contains(message, "Lbfgs: " + words), message);
  };
  for (const Eigen::Index value : {-1, 0, 21}) expect({.history = value}, "history = ");
  for (const Eigen::Index value : {-1, 0}) expect({.max_iterations = value}, "max_iterations = ");
  for (const Eigen::Index value : {-1, 1}) expect({.max_evaluations = value}, "max_evaluations = ");
  for (const double value : {-1.0, not_a_number, infinity}) {
    expect({.gradient_tolerance = value}, "gradient_tolerance = ");
    expect({.loss_scale = value}, "loss_scale = ");
  }
}

TEST_CASE("Lbfgs refuses an objective whose value changes from call to call") {
  struct Noisy {
    sm::ObjectiveInfo<double> info() const { return {.stochastic = true}; }
    double operator()(const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
      gradient = x;
      return x.squaredNorm() / 2;
    }
  };
  CHECK(contains(message_of([] { sm::minimize(sm::Lbfgs{}, Noisy{}, Eigen::Vector2d(1, 1)); }),
                 "Lbfgs: objective.info().stochastic = 1"));
}
