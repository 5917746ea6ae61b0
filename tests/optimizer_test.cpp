#include "support.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace {

using namespace support;

// 1 + sum k (x_k - k)^2 / 2: a minimum of 1 at (0, 1, 2, ...), curvatures 1, 2, 3, ...
struct Bowl {
  template <class Vector>
  typename Vector::Scalar operator()(const Vector& x, Vector& gradient) const {
    using Scalar = typename Vector::Scalar;
    Scalar value(1);
    for (Eigen::Index k = 0; k < x.size(); ++k) {
      const Scalar r = x(k) - static_cast<Scalar>(k);
      gradient(k) = static_cast<Scalar>(k + 1) * r;
      value += static_cast<Scalar>(k + 1) * r * r / 2;
    }
    return value;
  }
};

}  // namespace

TEST_CASE_TEMPLATE("iterative optimizers reach the minimum of a bowl, fixed and dynamic", Optimizer,
                   sm::GradientDescent, sm::Momentum, sm::Adam) {
  const auto check = [](const auto& start, double tolerance) {
    Optimizer optimizer{.learning_rate = 0.05, .max_iterations = 100000};
    if constexpr (requires { optimizer.amsgrad; }) optimizer.amsgrad = true;
    const auto minimum = sm::minimize(optimizer, Bowl{}, start);
    CHECK(minimum.status == sm::Status::converged);
    CHECK(double(minimum.gradient_norm) <= tolerance * double(minimum.loss));
    for (Eigen::Index k = 0; k < start.size(); ++k) {
      CHECK(std::abs(double(minimum.parameters(k)) - double(k)) <= 2 * tolerance);
    }
    // What is reported is what the objective says there.
    auto gradient = start;
    CHECK(Bowl{}(minimum.parameters, gradient) == minimum.loss);
    CHECK(gradient.norm() == minimum.gradient_norm);
  };
  check(Eigen::Vector4d(9, -9, 9, -9), 1e-8);
  check(Eigen::VectorXd(Eigen::Vector3d(9, -9, 9)), 1e-8);
  check(Eigen::Vector2f(9, -9), 4e-6);
  check(Eigen::Vector<long double, 1>(9.0L), 1e-8);
}

TEST_CASE("one step of each method is the one of its paper") {
  const Eigen::Vector2d start(3, 5);
  const Eigen::Vector2d gradient(3, 8);  // of Bowl at start
  const auto after = [&](const auto& optimizer, Eigen::Index steps) {
    std::vector<Eigen::Vector2d> path;
    sm::minimize(optimizer, Bowl{}, start, [&](const auto& state) {
      path.push_back(state.parameters);
      return state.iteration < steps;
    });
    return path.back();
  };
  CHECK((after(sm::GradientDescent{.learning_rate = 0.1}, 1) - (start - 0.1 * gradient)).norm() <=
        1e-15);

  const Eigen::Vector2d first = start - 0.1 * gradient;
  const Eigen::Vector2d next_gradient(first(0), 2 * (first(1) - 1));
  const Eigen::Vector2d heavy = first + 0.9 * (first - start) - 0.1 * next_gradient;
  CHECK((after(sm::Momentum{.learning_rate = 0.1, .momentum = 0.9}, 2) - heavy).norm() <= 1e-14);
  CHECK(same_bits(after(sm::Momentum{.learning_rate = 0.1, .momentum = 0}, 7),
                  after(sm::GradientDescent{.learning_rate = 0.1}, 7)));

  // Adam's first step is the learning rate along the signs; the second from its running means.
  const sm::Adam adam{.learning_rate = 0.1, .epsilon = 1e-8};
  const Eigen::Vector2d one = start - Eigen::Vector2d(0.1, 0.1);
  CHECK((after(adam, 1) - one).norm() <= 1e-8);
  const Eigen::Vector2d g2(one(0), 2 * (one(1) - 1));
  const Eigen::Array2d m = (0.9 * 0.1 * gradient + 0.1 * g2).array() / (1 - 0.81);
  const Eigen::Array2d v =
      (0.999 * 0.001 * gradient.array().square() + 0.001 * g2.array().square()) /
      (1 - 0.999 * 0.999);
  CHECK((after(adam, 2).array() - (one.array() - 0.1 * m / (v.sqrt() + 1e-8))).matrix().norm() <=
        1e-8);
}

TEST_CASE(
    "amsgrad is Adam while the squared gradient grows, and its steps shrink with the gradient") {
  // On x -> exp(x) from the left the gradient grows with every step to the right.
  const auto falling = [](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient = -x.array().exp().matrix();
    return gradient.sum();
  };
  const auto growing = [&](bool amsgrad) {
    return sm::minimize(sm::Adam{.amsgrad = amsgrad, .max_iterations = 50}, falling,
                        Eigen::Vector2d(0, 1))
        .parameters;
  };
  CHECK(same_bits(growing(true), growing(false)));
  // A steep slope, then a flat one: Adam forgets the steep one, and its steps are as long as
  // before.
  const auto slope = [](const Eigen::Vector<double, 1>& x, Eigen::Vector<double, 1>& gradient) {
    gradient(0) = x(0) > 8 ? 1 : 1e-3;
    return gradient(0) * (x(0) - 8);
  };
  const auto late_step = [&](bool amsgrad) {
    std::vector<double> at;
    sm::minimize(sm::Adam{.learning_rate = 0.01,
                          .beta2 = 0.9,
                          .amsgrad = amsgrad,
                          .max_iterations = 2000,
                          .gradient_tolerance = 0},
                 slope, Eigen::Vector<double, 1>(9.0),
                 [&](const auto& state) { at.push_back(state.parameters(0)); });
    REQUIRE(at.size() == 2000);
    return (at[999] - at[1999]) / 1000;
  };
  CHECK(std::abs(late_step(false) - 0.01) <= 1e-4);
  CHECK(std::abs(late_step(true) - 0.01 * 1e-3) <= 1e-7);
}

TEST_CASE("the observer sees each step once, from where it left, and can stop") {
  const Eigen::Vector2d start(3, 5);
  std::vector<double> losses;
  Eigen::Vector2d previous = start;
  const auto minimum =
      sm::minimize(sm::GradientDescent{.learning_rate = 0.1, .max_iterations = 10}, Bowl{}, start,
                   [&](const sm::IterationState<Eigen::Vector2d>& state) {
                     Eigen::Vector2d gradient;
                     CHECK(state.loss == Bowl{}(previous, gradient));
                     CHECK(state.gradient_norm == gradient.norm());
                     losses.push_back(state.loss);
                     CHECK(state.iteration == Eigen::Index(losses.size()));
                     previous = state.parameters;
                   });
  CHECK(minimum.status == sm::Status::iteration_limit);
  CHECK(minimum.iterations == 10);
  CHECK(losses.size() == 10);
  CHECK(same_bits(minimum.parameters, previous));

  sm::LossHistory<> history;
  sm::minimize(sm::GradientDescent{.learning_rate = 0.1, .max_iterations = 10}, Bowl{}, start,
               history);
  CHECK(history.losses == losses);

  const auto stopped = sm::minimize(sm::GradientDescent{.learning_rate = 0.1}, Bowl{}, start,
                                    [](const auto& state) { return state.iteration < 3; });
  CHECK(stopped.status == sm::Status::stopped);
  CHECK(stopped.iterations == 3);

  std::FILE* stream = std::tmpfile();
  REQUIRE(stream != nullptr);
  sm::minimize(sm::GradientDescent{.learning_rate = 0.1, .max_iterations = 10}, Bowl{}, start,
               sm::PrintEvery{4, stream});
  std::rewind(stream);
  char text[512] = {};
  const std::size_t size = std::fread(text, 1, sizeof text - 1, stream);
  std::fclose(stream);
  const std::string printed(text, size);
  CHECK(contains(printed, "iteration 4: loss "));
  CHECK(contains(printed, "iteration 8: loss "));
  CHECK_FALSE(contains(printed, "iteration 10"));
}

TEST_CASE("a start at the minimum has converged, without a step") {
  const auto minimum = sm::minimize(sm::GradientDescent{}, Bowl{}, Eigen::Vector2d(0, 1));
  CHECK(minimum.status == sm::Status::converged);
  CHECK(minimum.iterations == 0);
}

TEST_CASE_TEMPLATE("a soft parameter beside a stiff one is not taken for fitted", Optimizer,
                   sm::GradientDescent, sm::Momentum, sm::Adam) {
  // The score matching loss of two independent normals, log deviations and means: the first is
  // 10^-5 wide and fitted, and its part of the loss is all that |loss| shows.
  const auto two = [](const Eigen::Vector4d& theta, Eigen::Vector4d& gradient) {
    const Eigen::Vector2d variance(1e-10, 1), mean(0.5, 3);
    double loss = 0;
    for (Eigen::Index i = 0; i < 2; ++i) {
      const double p = std::exp(-2 * theta(2 + i)), off = mean(i) - theta(i);
      const double m = variance(i) + off * off;
      loss += p * p * m / 2 - p;
      gradient(i) = -p * p * off;
      gradient(2 + i) = -2 * p * p * m + 2 * p;
    }
    return loss;
  };
  const Eigen::Vector4d there(0.5, 3, std::log(1e-5), 0);
  for (const double mean : {0.0, 2.0}) {
    const Eigen::Vector4d start(0.5, mean, std::log(1e-5), 0);
    const auto minimum = sm::minimize(Optimizer{.max_iterations = 1000}, two, start);
    const double off = (minimum.parameters - there).cwiseAbs().maxCoeff();
    CHECK((minimum.status != sm::Status::converged || off <= 1e-3));
  }
  CHECK(sm::minimize(Optimizer{}, two, there).status == sm::Status::converged);
}

TEST_CASE_TEMPLATE("what is not finite is never returned", Optimizer, sm::GradientDescent,
                   sm::Momentum, sm::Adam) {
  // Fine to the right of zero, and not a number to its left: the steps walk into it.
  for (const double bad : {not_a_number, infinity, -infinity}) {
    for (const int place : {-1, 0, 1}) {  // in the loss, or which entry of the gradient
      const auto cliff = [&](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
        gradient << 1, 0;
        if (place >= 0 && x(0) < 0) gradient(place) = bad;
        return place < 0 && x(0) < 0 ? bad : x(0);
      };
      const auto minimum =
          sm::minimize(Optimizer{.learning_rate = 0.3}, cliff, Eigen::Vector2d(1, 0));
      CHECK(minimum.status == sm::Status::diverged);
      CHECK(minimum.parameters.allFinite());
      CHECK(minimum.parameters(0) >= 0);
      CHECK(std::isfinite(minimum.loss));
      CHECK(std::isfinite(minimum.gradient_norm));
      CHECK(minimum.iterations >= 1);
      const auto at_once = sm::minimize(Optimizer{}, cliff, Eigen::Vector2d(-1, 0));
      CHECK(at_once.status == sm::Status::diverged);
      CHECK(same_bits(at_once.parameters, Eigen::Vector2d(-1, 0)));
      CHECK_FALSE(std::isnan(at_once.loss));
      CHECK_FALSE(std::isnan(at_once.gradient_norm));
    }
  }
  const auto far = sm::minimize(Optimizer{.learning_rate = 1e300}, Bowl{}, Eigen::Vector2d(3, 5));
  CHECK(far.status == sm::Status::diverged);
  CHECK(far.parameters.allFinite());
}

TEST_CASE("a gradient whose square overflows is still finite") {
  const auto steep = [](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient = 1e200 * x;
    return 1e200 * x.squaredNorm() / 2 + 1e190;
  };
  const auto minimum =
      sm::minimize(sm::GradientDescent{.learning_rate = 1e-201}, steep, Eigen::Vector2d(1, 2));
  CHECK(minimum.status == sm::Status::converged);
  CHECK(minimum.parameters.norm() <= 1e-8);
}

TEST_CASE("the tolerance is relative, so the units of the loss do not matter") {
  for (const double unit : {0x1p-60, 1.0, 0x1p60}) {
    const auto scaled = [unit](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
      const double value = Bowl{}(x, gradient);
      gradient *= unit;
      return unit * value;
    };
    const auto minimum = sm::minimize(sm::GradientDescent{.learning_rate = 0.1 / unit}, scaled,
                                      Eigen::Vector2d(3, 5));
    const auto plain =
        sm::minimize(sm::GradientDescent{.learning_rate = 0.1}, Bowl{}, Eigen::Vector2d(3, 5));
    CHECK(minimum.status == sm::Status::converged);
    CHECK(minimum.iterations == plain.iterations);
  }
}

TEST_CASE("Adam's decay: the rates of the formula, and closer to the minimum under noise") {
  // Of a constant gradient, every step is the rate.
  const auto slope = [](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    gradient << -1, -3;
    return gradient.dot(x);
  };
  Eigen::Vector2d last(0, 0);
  sm::minimize(sm::Adam{.learning_rate = 0.1, .decay = 0.5, .max_iterations = 50}, slope, last,
               [&](const auto& state) {
                 const double rate = 0.1 / std::sqrt(1 + 0.5 * double(state.iteration - 1));
                 CHECK(state.parameters(0) - last(0) == doctest::Approx(rate).epsilon(1e-6));
                 CHECK(state.parameters(1) - last(1) == doctest::Approx(rate).epsilon(1e-6));
                 last = state.parameters;
               });

  struct NoisyBowl {
    Rng rng;
    std::normal_distribution<double> normal;
    sm::ObjectiveInfo<double> info() const { return {.stochastic = true}; }
    double operator()(const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
      const double value = Bowl{}(x, gradient);
      for (double& entry : gradient) entry += normal(rng);
      return value;
    }
  };
  static_assert(sm::HasInfo<NoisyBowl, Eigen::Vector2d>);
  static_assert(!sm::HasInfo<Bowl, Eigen::Vector2d>);
  const auto distance = [](double decay) {
    double squares = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
      const auto minimum =
          sm::minimize(sm::Adam{.learning_rate = 0.1, .decay = decay, .max_iterations = 3000},
                       NoisyBowl{Rng(seed), {}}, Eigen::Vector2d(3, -3));
      CHECK(minimum.status == sm::Status::iteration_limit);
      CHECK(minimum.iterations == 3000);
      squares += (minimum.parameters - Eigen::Vector2d(0, 1)).squaredNorm() / 20;
    }
    return std::sqrt(squares);
  };
  // The spread goes with the square root of the rate, which falls to 1 / 17: to about a fourth.
  const double constant = distance(0), falling = distance(0.1);
  CHECK(falling <= constant / 2);
  CHECK(falling <= 0.2);
  CHECK(contains(
      message_of([] { sm::minimize(sm::Adam{.decay = -1}, Bowl{}, Eigen::Vector2d(1, 1)); }),
      "Adam: decay = -1; expected a finite number, at least 0"));
}

TEST_CASE("a const objective, a mutable one, and an Eigen expression as start") {
  const Bowl bowl;
  CHECK(sm::minimize(sm::Adam{}, bowl, Eigen::Vector2d(1, 1)).status == sm::Status::converged);
  int calls = 0;
  auto counting = [&calls](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) mutable {
    ++calls;
    return Bowl{}(x, gradient);
  };
  const auto minimum =
      sm::minimize(sm::GradientDescent{.learning_rate = 0.1}, counting, 2 * Eigen::Vector2d(1, 1));
  CHECK(calls == minimum.iterations + 1 + 4);  // at the end, along four lines
}

TEST_CASE("statuses have names and a sentence each") {
  for (const auto status : {sm::Status::converged, sm::Status::iteration_limit, sm::Status::stopped,
                            sm::Status::diverged, sm::Status::line_search_failed,
                            sm::Status::unbounded, sm::Status::ambiguous}) {
    CHECK(to_string(status) != "unknown");
    CHECK(explain(status).size() > 20);
  }
  const std::string cure(explain(sm::Status::unbounded));
  for (const char* word : {"ridge", "L1", "DenoisingScoreMatchingLoss"}) {
    CHECK(contains(cure, word));
  }
}

// --- blow-ups ------------------------------------------------------------------------------------

TEST_CASE_TEMPLATE("a walk to infinity is no convergence", Optimizer, sm::GradientDescent,
                   sm::Momentum) {
  const auto ends = [](const auto& objective, double rate) {
    const Optimizer optimizer{.learning_rate = rate, .max_iterations = 2000};
    return sm::minimize(optimizer, objective, Eigen::Vector2d(1, 1)).status;
  };
  const auto bowl = [](const Eigen::Vector2d& x, Eigen::Vector2d& g) {
    g << 8 * x(0), 8 * (x(1) + 3);
    return 4 * x(0) * x(0) + 4 * (x(1) + 3) * (x(1) + 3) + 1;
  };
  const auto quartic = [](const Eigen::Vector2d& x, Eigen::Vector2d& g) {
    g << 4 * x(0) * x(0) * x(0), 2 * x(1);
    return x(0) * x(0) * x(0) * x(0) + x(1) * x(1) + 1;
  };
  const auto slope = [](const Eigen::Vector2d& x, Eigen::Vector2d& g) {
    g << -2, 0;
    return -2 * x(0);
  };
  CHECK(ends(bowl, 0.01) == sm::Status::converged);
  CHECK(ends(bowl, 1) == sm::Status::diverged);
  CHECK(ends(quartic, 1) == sm::Status::diverged);
  CHECK(ends(slope, 1e6) == sm::Status::iteration_limit);
}

TEST_CASE("far from the minimum of a bowl is no convergence") {
  const auto bowl = [](const Eigen::Vector2d& x, Eigen::Vector2d& g) {
    g = 2 * x;
    return x.squaredNorm() + 1;
  };
  const auto minimum = sm::minimize(sm::Adam{.max_iterations = 10}, bowl, Eigen::Vector2d(1e10, 1));
  CHECK(minimum.status == sm::Status::iteration_limit);
}

TEST_CASE("a gradient whose square overflows ends Adam as diverged, at the last point") {
  for (const bool amsgrad : {false, true}) {
    int calls = 0;
    const auto spike = [&](const auto& x, auto& gradient) {
      gradient(0) = ++calls == 5 ? -1e200 : x(0) - 3;
      return 1 + (x(0) - 3) * (x(0) - 3) / 2;
    };
    const auto minimum =
        sm::minimize(sm::Adam{.amsgrad = amsgrad}, spike, Eigen::Matrix<double, 1, 1>(0.0));
    CHECK(minimum.status == sm::Status::diverged);
    CHECK(minimum.iterations == 4);
    CHECK(std::isfinite(minimum.parameters(0)));
    CHECK(std::isfinite(minimum.loss));
  }
}

TEST_CASE("an epsilon of Adam that is zero in the scalar of the parameters is refused") {
  // Where a gradient is zero, it alone stands below the fraction bar.
  const auto flat = [](const Eigen::Vector2f& x, Eigen::Vector2f& gradient) {
    gradient << x(0), 0;
    return 1 + x(0) * x(0) / 2;
  };
  const auto run = [&](double epsilon) {
    return sm::minimize(sm::Adam{.epsilon = epsilon, .max_iterations = 5}, flat,
                        Eigen::Vector2f(1, 1));
  };
  CHECK(contains(message_of([&] { run(1e-60); }), "Adam: epsilon = 1e-60"));
  CHECK(run(1e-30).parameters.allFinite());
}
