// The bootstrap of the founding notebook: 10000 replicates of 50 samples, by its 4000 gradient
// steps and by the closed form, beside a plain loop over `fit` that draws the same way.
#include "../examples/data/notebook.hpp"
#include "main.hpp"

#include <scorematch/scorematch.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

namespace sm = scorematch;

constexpr Eigen::Index replicates = 10000;
const sm::GaussianFamily<double, 2> family;
const sm::ScoreMatchingLoss loss;

template <class Optimizer>
Eigen::VectorXd library(const Optimizer& optimizer) {
  const auto boot = sm::bootstrap(family, loss, optimizer, notebook::samples(), sm::DrawSamples{},
                                  {.replicates = replicates});
  return boot.of(sm::means(family)).standard_errors();
}

template <class Optimizer>
Eigen::VectorXd loop(const Optimizer& optimizer) {
  const Eigen::Matrix2Xd samples = notebook::samples();
  Eigen::Matrix2Xd means(2, replicates);
  for (Eigen::Index k = 0; k < replicates; ++k) {
    sm::detail::RandomNumbers random(sm::detail::seed_of_replicate(1, k));
    sm::Moments<double, 2> moments;
    for (Eigen::Index j = 0; j < samples.cols(); ++j) {
      moments.add(samples.col(random.below(samples.cols())));
    }
    means.col(k) = sm::fit(family, loss, optimizer, moments).distribution.mean();
  }
  const Eigen::Matrix2Xd off = means.colwise() - means.rowwise().mean();
  return (off.rowwise().squaredNorm() / double(replicates - 1)).cwiseSqrt();
}

template <class Optimizer>
void add(const std::string& name, const Optimizer& optimizer) {
  const double difference = (library(optimizer) - loop(optimizer)).norm();
  if (!(difference < 1e-9)) {
    std::fprintf(stderr, "%s: the errors differ by %g from those of a loop\n", name.c_str(),
                 difference);
    std::exit(1);
  }
  const auto measure = [&](const char* who, auto run) {
    benchmark::RegisterBenchmark((name + who).c_str(), [run](benchmark::State& state) {
      for (auto _ : state) benchmark::DoNotOptimize(run());
      state.SetItemsProcessed(state.iterations() * replicates);
    })->Unit(benchmark::kMillisecond);
  };
  measure("/library", [optimizer] { return library(optimizer); });
  measure("/loop", [optimizer] { return loop(optimizer); });
}

}  // namespace

void register_benchmarks() {
  add("bootstrap/closed-form", sm::ClosedForm{});
  add("bootstrap/4000-steps", sm::GradientDescent{.learning_rate = 1e-3, .max_iterations = 4000});
}
