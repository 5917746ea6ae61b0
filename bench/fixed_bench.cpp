// Gradient descent at fixed sizes, 4000 plain steps from moments, loss and gradient computed each
// step, beside loops written by hand on plain doubles that do the same arithmetic: straight-line
// code for the two spins of the notebook, loops with compile-time bounds for the others.
#include "../examples/data/notebook.hpp"
#include "by_hand.hpp"
#include "main.hpp"

#include <scorematch/scorematch.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace {

namespace sm = scorematch;

using by_hand::ByHand;
using by_hand::rate;
using by_hand::steps;

template <int d>
sm::Moments<double, d> moments() {
  sm::Moments<double, d> result;
  if constexpr (d == 2) {
    result.add(notebook::samples());
  } else {
    std::mt19937_64 rng(1);
    std::normal_distribution<double> normal;
    for (int n = 0; n < 50 * d; ++n) {
      Eigen::Vector<double, d> x;
      for (double& entry : x) entry = normal(rng);
      for (int i = 1; i < d; ++i) x(i) += 0.5 * x(i - 1);
      result.add(x);
    }
  }
  return result;
}

template <class Family>
auto fit(const Family& family, const sm::Moments<double, Family::Dim>& seen) {
  return sm::fit(family, sm::ScoreMatchingLoss{},
                 sm::GradientDescent{.learning_rate = rate, .max_iterations = steps}, seen);
}

template <class Run>
[[gnu::noinline]] void called(const Run& run) {
  run();
}

// Where a process has its stack is chance, and once in ten an unlucky place for code that keeps
// matrices there: it then takes three times as long. So each repetition has it elsewhere.
template <class Run>
void at_some_depth(const Run& run) {
  static std::mt19937 rng(1);
  void* room = __builtin_alloca(64 * (1 + rng() % 64));
  benchmark::DoNotOptimize(room);
  called(run);
}

template <int d>
void register_size() {
  const auto seen = moments<d>();
  const ByHand<d> by_hand(seen);
  // The reference is worth nothing unless it computes the same.
  double theta[ByHand<d>::parameters] = {};
  const double expected = by_hand(theta);
  const double actual = fit(sm::GaussianFamily<double, d>{}, seen).loss;
  if (!(std::abs(expected - actual) <= 1e-10 * std::abs(expected))) {
    std::fprintf(stderr, "d = %d: the loop by hand ends at %.12g, the library at %.12g\n", d,
                 expected, actual);
    std::exit(1);
  }
  const std::string name = "fixed/" + std::to_string(d);
  benchmark::RegisterBenchmark((name + "/library").c_str(), [seen](benchmark::State& state) {
    at_some_depth([&] {
      for (auto _ : state) {
        benchmark::DoNotOptimize(fit(sm::GaussianFamily<double, d>{}, seen).loss);
      }
    });
    state.SetItemsProcessed(state.iterations() * steps);
  });
  benchmark::RegisterBenchmark((name + "/hand-written").c_str(),
                               [by_hand](benchmark::State& state) {
                                 at_some_depth([&] {
                                   for (auto _ : state) {
                                     double start[ByHand<d>::parameters] = {};
                                     benchmark::DoNotOptimize(by_hand(start));
                                   }
                                 });
                                 state.SetItemsProcessed(state.iterations() * steps);
                               });
}

}  // namespace

void register_benchmarks() {
  register_size<2>();
  register_size<3>();
  register_size<4>();
  register_size<6>();
  register_size<8>();
}
