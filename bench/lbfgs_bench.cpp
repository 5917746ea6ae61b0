// Lbfgs beside the L-BFGS of Ceres' GradientProblemSolver, on the problems of More, Garbow and
// Hillstrom and on a Gaussian's score matching loss: evaluations of value and gradient, and time.
//
// Both are stopped once the objective was seen within four digits of a minimum (see `solved`), and
// the evaluations up to there are counted by the objective itself: the figure does not depend on
// either stopping test. Ceres runs with its defaults but for the tests that would stop it before:
// function and parameter tolerance 0, at most 10000 iterations. Lbfgs runs with its defaults.
#include "../tests/more_garbow_hillstrom.hpp"
#include "main.hpp"

#include <scorematch/scorematch.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#ifdef SCOREMATCH_BENCH_CERES
#include "ceres_adapter.hpp"

#include <ceres/gradient_problem.h>
#include <ceres/gradient_problem_solver.h>
#endif

namespace {

namespace sm = scorematch;
namespace mgh = more_garbow_hillstrom;

struct Case {
  std::string name;
  std::function<double(const Eigen::VectorXd&, Eigen::VectorXd&)> objective;
  Eigen::VectorXd start;
  std::vector<double> minima;
};

bool solved(const Case& problem, double value) {
  for (const double minimum : problem.minima) {
    if (std::abs(value - minimum) <= (minimum == 0 ? 1e-10 : 1e-4 * std::abs(minimum))) return true;
  }
  return false;
}

// What a run does to a case: evaluations so far, and whether it is solved.
struct Count {
  long evaluations = 0;
  bool is_solved = false;
};

auto counted(const Case& problem, Count& count) {
  return [&problem, &count](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    const double value = problem.objective(x, gradient);
    if (!count.is_solved) {
      ++count.evaluations;
      count.is_solved = solved(problem, value);
    }
    return value;
  };
}

Count run_library(const Case& problem) {
  Count count;
  const auto minimum = sm::minimize(sm::Lbfgs{}, counted(problem, count), problem.start,
                                    [&count](const auto&) { return !count.is_solved; });
  benchmark::DoNotOptimize(minimum.loss);
  return count;
}

#ifdef SCOREMATCH_BENCH_CERES
class StopWhereSolved final : public ceres::IterationCallback {
 public:
  explicit StopWhereSolved(const Count& count) : count_(count) {}
  ceres::CallbackReturnType operator()(const ceres::IterationSummary&) override {
    return count_.is_solved ? ceres::SOLVER_TERMINATE_SUCCESSFULLY : ceres::SOLVER_CONTINUE;
  }

 private:
  const Count& count_;
};

Count run_ceres(const Case& problem) {
  Count count;
  using Objective = CeresObjective<decltype(counted(problem, count))>;
  ceres::GradientProblem adapted(new Objective(counted(problem, count), problem.start.size()));
  StopWhereSolved stop(count);
  ceres::GradientProblemSolver::Options options;
  options.logging_type = ceres::SILENT;
  options.max_num_iterations = 10000;
  options.function_tolerance = 0;
  options.parameter_tolerance = 0;
  options.callbacks.push_back(&stop);
  ceres::GradientProblemSolver::Summary summary;
  Eigen::VectorXd x = problem.start;
  ceres::Solve(options, adapted, x.data(), &summary);
  benchmark::DoNotOptimize(x.data());
  return count;
}
#endif

void bench(benchmark::State& state, const Case& problem, Count (*run)(const Case&)) {
  Count count;
  for (auto _ : state) count = run(problem);
  state.counters["evaluations"] = double(count.evaluations);
  state.counters["solved"] = count.is_solved;
}

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const double factor : {1.0, 10.0}) {
    for (const auto& problem : mgh::problems()) {
      std::string name = problem.name;
      for (char& c : name) c = c == ' ' ? '-' : c;
      result.push_back({(factor == 1 ? "mgh/" : "mgh-x10/") + name, problem, factor * problem.start,
                        problem.minima});
    }
  }
  for (const Eigen::Index d : {4, 32}) {
    std::mt19937_64 rng(1);
    std::normal_distribution<double> normal;
    const Eigen::MatrixXd mix = Eigen::MatrixXd::NullaryExpr(d, d, [&] { return normal(rng); });
    const Eigen::MatrixXd samples =
        (Eigen::MatrixXd::Identity(d, d) + 0.3 / std::sqrt(double(d)) * mix) *
        Eigen::MatrixXd::NullaryExpr(d, 20 * d, [&] { return normal(rng); });
    const sm::GaussianFamily<double> family(d);
    sm::Moments<double> moments(d);
    moments.add(samples);
    const auto exact = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, moments);
    result.push_back({"gaussian/" + std::to_string(d),
                      sm::ScoreMatchingLoss{}.objective(family, moments),
                      family.start(),
                      {exact.loss}});
  }
  return result;
}

// The table for people; the counters have the same figures for programs.
void print_table(const std::vector<Case>& all) {
#ifdef SCOREMATCH_BENCH_CERES
  std::fprintf(stderr, "evaluations to four digits %24s %10s %6s\n", "library", "Ceres", "ratio");
  long library_sum = 0;
  long ceres_sum = 0;
  std::string group;
  const auto print_sum = [&] {
    if (ceres_sum > 0) {
      std::fprintf(stderr, "%-40s %10ld %10ld %6.2f\n\n", "sum where both solve", library_sum,
                   ceres_sum, double(library_sum) / double(ceres_sum));
    }
    library_sum = ceres_sum = 0;
  };
  for (const Case& problem : all) {
    const std::string its_group = problem.name.substr(0, problem.name.find('/'));
    if (its_group != group) print_sum();
    group = its_group;
    const Count library = run_library(problem);
    const Count ceres = run_ceres(problem);
    const auto text = [](const Count& count) {
      return count.is_solved ? std::to_string(count.evaluations) : std::string("not solved");
    };
    std::fprintf(stderr, "%-40s %10s %10s", problem.name.c_str(), text(library).c_str(),
                 text(ceres).c_str());
    if (library.is_solved && ceres.is_solved) {
      std::fprintf(stderr, " %6.2f", double(library.evaluations) / double(ceres.evaluations));
      library_sum += library.evaluations;
      ceres_sum += ceres.evaluations;
    }
    std::fprintf(stderr, "\n");
  }
  print_sum();
#else
  (void)all;
  std::fprintf(stderr, "Ceres (libceres-dev) is not installed: Lbfgs has nothing beside it\n");
#endif
}

}  // namespace

void register_benchmarks() {
  static const std::vector<Case> all = cases();
  print_table(all);
  for (const Case& problem : all) {
    benchmark::RegisterBenchmark(("lbfgs/" + problem.name + "/library").c_str(), bench, problem,
                                 run_library);
#ifdef SCOREMATCH_BENCH_CERES
    benchmark::RegisterBenchmark(("lbfgs/" + problem.name + "/ceres").c_str(), bench, problem,
                                 run_ceres);
#endif
  }
}
