// Fits on noise: schedules of the step size, means of the last points, stopping by samples held
// out.
#include "support.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace {

using namespace support;

// (x - center)^2 / 2 with noise of deviation one on its gradient.
struct NoisyBowl {
  Eigen::Vector2d center;
  Rng rng;
  std::normal_distribution<double> normal = {};

  sm::ObjectiveInfo<double> info() const { return {.stochastic = true}; }
  double operator()(const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient = x - center;
    const double value = gradient.squaredNorm() / 2;
    for (double& entry : gradient) entry += normal(rng);
    return value;
  }
};

const Eigen::Vector2d center(3, -4);

// The points of a walk, in order.
template <class Optimizer>
std::vector<Eigen::Vector2d> points_of(const Optimizer& optimizer, unsigned seed) {
  std::vector<Eigen::Vector2d> points;
  sm::minimize(optimizer, NoisyBowl{center, Rng(seed)}, Eigen::Vector2d(0, 0),
               [&](const auto& state) { points.push_back(state.parameters); });
  return points;
}

// One number falls with each step of a walk down a slope.
struct Slope {
  double operator()(const Eigen::VectorXd& x, Eigen::VectorXd& gradient) const {
    gradient.setOnes();
    return x.sum();
  }
};

}  // namespace

// --- schedules -----------------------------------------------------------------------------------

TEST_CASE("the steps of Adam down a slope are those of the schedule's formula") {
  Rng rng(1);
  const auto draw = [&](int from, int to) { return std::uniform_int_distribution(from, to)(rng); };
  for (int repetition = 0; repetition < 50; ++repetition) {
    const int steps = draw(2, 60), warm_up = draw(0, steps), cosine = draw(0, 40);
    const double to = draw(0, 4) / 4.0, decay = draw(0, 1) * 0.3, rate = 0.1;
    CAPTURE(steps);
    CAPTURE(warm_up);
    CAPTURE(cosine);
    CAPTURE(to);
    const sm::StepSchedule schedule{.warm_up = warm_up, .cosine_to = to, .cosine_steps = cosine};
    const sm::Adam adam{
        .learning_rate = rate, .decay = decay, .schedule = schedule, .max_iterations = steps};
    Eigen::VectorXd last = Eigen::VectorXd::Zero(2);
    int seen = 0;
    sm::minimize(adam, Slope{}, last, [&](const auto& state) {
      const int t = seen++;
      const double u = std::min(1.0, double(t - warm_up) / (cosine > 0 ? cosine : steps - warm_up));
      const double part = t < warm_up
                              ? (t + 1.0) / (warm_up + 1.0)
                              : to + (1 - to) * std::pow(std::cos(std::acos(-1.0) * u / 2), 2);
      const double expected = rate * part / std::sqrt(1 + decay * t);
      CHECK(std::abs(last(1) - state.parameters(1) - expected) <= 1e-8);
      last = state.parameters;
    });
    CHECK(seen == steps);
  }
}

TEST_CASE("a schedule that is constant changes no bit") {
  const auto plain = points_of(sm::Adam{.decay = 0.01, .max_iterations = 200}, 1);
  const sm::StepSchedule constant[] = {{}, {.cosine_to = 1, .cosine_steps = 30}};
  for (const sm::StepSchedule& schedule : constant) {
    const auto other =
        points_of(sm::Adam{.decay = 0.01, .schedule = schedule, .max_iterations = 200}, 1);
    REQUIRE(other.size() == plain.size());
    for (std::size_t k = 0; k < plain.size(); ++k) CHECK(same_bits(plain[k], other[k]));
  }
}

TEST_CASE("a cosine to zero ends nearer to the minimum of a noisy bowl than a constant rate") {
  const auto square = [](const sm::StepSchedule& schedule) {
    double sum = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
      const sm::Adam adam{.learning_rate = 0.1, .schedule = schedule, .max_iterations = 2000};
      sum += (points_of(adam, seed).back() - center).squaredNorm();
    }
    return sum;
  };
  CHECK(square({.warm_up = 50, .cosine_to = 0}) <= square({}) / 4);
}

TEST_CASE("options of a schedule out of range are named") {
  const auto message = [](const sm::StepSchedule& schedule) {
    return message_of([&] {
      sm::minimize(sm::Adam{.schedule = schedule}, Slope{}, Eigen::VectorXd(Eigen::Vector2d(0, 0)));
    });
  };
  CHECK(contains(message({.warm_up = -3}), "Adam: schedule.warm_up = -3; expected at least 0"));
  CHECK(contains(message({.cosine_steps = -1}),
                 "Adam: schedule.cosine_steps = -1; expected at least 0"));
  for (const double bad : {-0.1, 1.5, not_a_number}) {
    CHECK(contains(message({.cosine_to = bad}), "Adam: schedule.cosine_to = "));
  }
  CHECK(contains(message({.cosine_to = 1.5}), "= 1.5; expected a number in [0, 1]"));
}

// --- means of the last points --------------------------------------------------------------------

TEST_CASE("an averaged walk ends at the mean of the last points that its observer saw") {
  for (const Eigen::Index last : {1, 7, 40, 100}) {
    CAPTURE(last);
    const sm::Averaged averaged(sm::Adam{.max_iterations = 40}, {.last = last});
    std::vector<Eigen::Vector2d> points;
    const auto look = [&](const auto& state) { points.push_back(state.parameters); };
    const auto minimum =
        sm::minimize(averaged, NoisyBowl{center, Rng(2)}, Eigen::Vector2d(0, 0), look);
    REQUIRE(points.size() == 40);
    const auto plain = points_of(sm::Adam{.max_iterations = 40}, 2);
    CHECK(same_bits(points.back(), plain.back()));  // the walk itself is that of the optimizer
    Eigen::Vector2d sum(0, 0);
    const std::size_t taken = std::min<std::size_t>(40, std::size_t(last));
    for (std::size_t k = 40 - taken; k < 40; ++k) sum += points[k];
    CHECK((minimum.parameters - sum / double(taken)).norm() <= 1e-14);
    CHECK(minimum.loss ==
          doctest::Approx((minimum.parameters - center).squaredNorm() / 2).epsilon(1e-14));
    CHECK(minimum.status == sm::Status::iteration_limit);
    CHECK(minimum.iterations == 40);
  }
}

TEST_CASE("averaging: a walk that is stopped, that converges, that leaves the domain") {
  const sm::Averaged averaged(sm::GradientDescent{.learning_rate = 0.5}, {.last = 2});
  const auto bowl = [](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient = x - center;
    return 1 + gradient.squaredNorm() / 2;
  };
  const Eigen::Vector2d start(0, 0);
  // Points after steps 3 and 4 of a bowl whose distance halves each time.
  const auto stopped =
      sm::minimize(averaged, bowl, start, [](const auto& state) { return state.iteration < 4; });
  CHECK(stopped.status == sm::Status::stopped);
  CHECK((stopped.parameters - center * (1 - (1.0 / 8 + 1.0 / 16) / 2)).norm() <= 1e-14);
  // What is reported is what the objective says there.
  Eigen::Vector2d gradient;
  CHECK(bowl(stopped.parameters, gradient) == stopped.loss);
  CHECK(gradient.norm() == stopped.gradient_norm);

  const auto plain = sm::minimize(sm::GradientDescent{.learning_rate = 0.5}, bowl, start);
  const auto converged = sm::minimize(averaged, bowl, start);
  REQUIRE(plain.status == sm::Status::converged);
  CHECK(converged.status == sm::Status::converged);
  CHECK(same_bits(converged.parameters, plain.parameters));

  // Steps to and fro over a gap in which there is no loss: the mean lies in it.
  const auto gap = [](const Eigen::Vector2d& x, Eigen::Vector2d& g) {
    g << (x(0) > 0 ? 1 : -1), 0;
    return std::abs(x(0)) < 0.1 ? not_a_number : std::abs(x(0));
  };
  const sm::Averaged steps(sm::GradientDescent{.learning_rate = 1, .max_iterations = 10},
                           {.last = 2});
  const auto beyond = sm::minimize(steps, gap, Eigen::Vector2d(0.5, 0));
  CHECK(beyond.parameters(0) == 0.5);
  CHECK(beyond.loss == 0.5);
}

TEST_CASE("the mean of the last points scatters less about the minimum than they do") {
  double of_last = 0, of_mean = 0;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const sm::Adam adam{.learning_rate = 0.1, .max_iterations = 2000};
    const auto mean =
        sm::minimize(sm::Averaged(adam), NoisyBowl{center, Rng(seed)}, Eigen::Vector2d(0, 0));
    of_last += (points_of(adam, seed).back() - center).squaredNorm();
    of_mean += (mean.parameters - center).squaredNorm();
  }
  CHECK(of_mean <= of_last / 4);
}

TEST_CASE("averaging: many problems one by one, in float, by a line search") {
  Rng rng(6);
  const sm::ScoreMatchingLoss loss;
  const sm::Averaged averaged(sm::Adam{.max_iterations = 30}, {.last = 10});
  const sm::GaussianFamily<float, 2> family;
  std::vector<sm::Moments<float, 2>> moments(5);
  for (auto& part : moments) part.add(random_samples<float, 2>(2, 30, rng));
  const auto fits = sm::fit_batch(family, loss, averaged, moments);
  for (std::size_t k = 0; k < moments.size(); ++k) {
    CHECK(fits[k] == sm::fit(family, loss, averaged, moments[k]));
  }
  const sm::Averaged searching(sm::Lbfgs{.max_iterations = 3}, {.last = 3});
  const Eigen::Vector<float, 5> from_afar = Eigen::Vector<float, 5>::Constant(1.5F);
  Eigen::Vector<float, 5> sum = Eigen::Vector<float, 5>::Zero();
  const auto fit = sm::fit(family, loss, searching, moments[0], from_afar,
                           [&](const auto& state) { sum += state.parameters; });
  CHECK(fit.iterations == 3);
  CHECK((fit.parameters - sum / 3).norm() <= 1e-5F);
}

namespace {

template <class O>
concept CanBeAveraged = requires { typename sm::Averaged<O>; };

}  // namespace

TEST_CASE("averaging: what it takes and what it refuses") {
  static_assert(CanBeAveraged<sm::Momentum>);
  static_assert(!CanBeAveraged<sm::ClosedForm>);
  static_assert(sm::AdaptiveOptimizer<sm::Averaged<sm::Lbfgs>>);
  static_assert(!sm::AdaptiveOptimizer<sm::Averaged<sm::Adam>>);
  CHECK(contains(message_of([] { sm::Averaged(sm::Adam{}, {.last = 0}); }),
                 "Averaged: last = 0; expected at least 1"));
  const sm::Averaged wrong(sm::Adam{.beta1 = 2});
  CHECK(contains(message_of([&] {
                   sm::minimize(wrong, NoisyBowl{center, Rng(1)}, Eigen::Vector2d(0, 0));
                 }),
                 "Adam: beta1 = 2"));
  CHECK(contains(message_of([&] { wrong.require_options(); }), "Adam: beta1 = 2"));
}

// --- early stopping ------------------------------------------------------------------------------

TEST_CASE("early stopping: after `patience` checks without improvement, with the best seen") {
  Rng rng(3);
  for (int repetition = 0; repetition < 30; ++repetition) {
    const Eigen::Index every = std::uniform_int_distribution(1, 4)(rng);
    const Eigen::Index patience = std::uniform_int_distribution(1, 5)(rng);
    CAPTURE(every);
    CAPTURE(patience);
    // The validation loss is drawn: a walk whose best is anywhere. Some are not numbers.
    std::vector<double> losses;
    std::vector<Eigen::VectorXd> checked;
    const auto draw = [&](const Eigen::VectorXd& theta) {
      checked.push_back(theta);
      const int number = std::uniform_int_distribution(0, 9)(rng);
      losses.push_back(number == 0 ? not_a_number : number);
      return losses.back();
    };
    auto stop = sm::early_stopping<Eigen::VectorXd>(draw, {.every = every, .patience = patience});
    Eigen::VectorXd at_last;
    Eigen::Index steps = 0;
    const sm::GradientDescent walk{.learning_rate = 0.1, .max_iterations = 1000};
    const auto end = sm::minimize(walk, Slope{}, Eigen::VectorXd(Eigen::VectorXd::Zero(3)),
                                  [&](const auto& state) {
                                    steps = state.iteration;
                                    return stop(state);
                                  });
    CHECK(end.status == sm::Status::stopped);
    CHECK(steps == every * Eigen::Index(losses.size()));
    CHECK(stop.checks() == Eigen::Index(losses.size()));
    // The first of the lowest, and `patience` checks after it.
    std::size_t lowest = 0;
    for (std::size_t k = 1; k < losses.size(); ++k) {
      if (losses[k] < losses[lowest] || std::isnan(losses[lowest]) > std::isnan(losses[k])) {
        lowest = k;
      }
    }
    CHECK(losses.size() == lowest + 1 + std::size_t(patience));
    CHECK(stop.best().iteration == every * Eigen::Index(lowest + 1));
    CHECK(same_bits(stop.best().parameters, checked[lowest]));
    CHECK((stop.best().loss == losses[lowest] || std::isnan(losses[lowest])));
    CHECK_FALSE(std::isnan(stop.best().loss));
  }
}

TEST_CASE("early stopping: by a loss on samples, and each walk anew") {
  Rng rng(4);
  const Eigen::Matrix2Xd samples = random_samples<double, 2>(2, 40, rng);
  const Eigen::Matrix2Xd held_out = random_samples<double, 2>(2, 40, rng);
  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
  auto stop = sm::early_stopping(loss, family, held_out, {.every = 10, .patience = 3});
  const sm::Adam adam{.learning_rate = 0.05, .max_iterations = 500};
  sm::fit(family, loss, adam, samples, stop);
  const auto first = stop.best();

  sm::Moments<double, 2> moments;
  moments.add(held_out);
  auto validation = loss.objective(family, moments);
  Eigen::VectorXd all(50);
  double lowest = infinity;
  sm::fit(family, loss, adam, samples, [&](const auto& state) {
    Eigen::Vector<double, 5> gradient;
    const double here = validation(state.parameters, gradient);
    if (state.iteration % 10 == 0) lowest = std::min(lowest, here);
    return state.iteration < first.iteration + 30;
  });
  CHECK(first.loss == lowest);
  Eigen::Vector<double, 5> gradient;
  CHECK(validation(first.parameters, gradient) == first.loss);

  // The lowest of the first walk is forgotten in the second.
  const Eigen::Vector<double, 5> far_away = Eigen::Vector<double, 5>::Constant(2);
  const sm::Adam slow{.learning_rate = 1e-6, .max_iterations = 20};
  sm::fit(family, loss, slow, samples, far_away, stop);
  CHECK(stop.best().loss > first.loss);
  CHECK(stop.checks() == 2);
}

TEST_CASE("early stopping: what it refuses") {
  const auto zero = [](const Eigen::VectorXd&) { return 0.0; };
  using sm::early_stopping;
  CHECK(contains(message_of([&] { early_stopping<Eigen::VectorXd>(zero, {.every = 0}); }),
                 "EarlyStopping: every = 0; expected at least 1"));
  CHECK(contains(message_of([&] { early_stopping<Eigen::VectorXd>(zero, {.patience = -1}); }),
                 "EarlyStopping: patience = -1; expected at least 1"));
  const auto unused = early_stopping<Eigen::VectorXd>(zero);
  CHECK(contains(message_of([&] { static_cast<void>(unused.best()); }), "every = 100 steps"));
  Rng rng(5);
  const Eigen::Matrix2Xd samples = random_samples<double, 2>(2, 20, rng);
  const sm::GaussianFamily<double, 2> family;
  CHECK(contains(message_of([&] {
                   early_stopping(sm::MiniBatches(sm::ScoreMatchingLoss{}), family, samples);
                 }),
                 "early_stopping: the loss draws anew"));
}
