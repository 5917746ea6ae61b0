// Many fits of two spins, in lockstep and one by one: 128 problems of 50 samples, 4000 gradient
// steps each. The program is built once for each width of registers.
#include "main.hpp"

#include <scorematch/scorematch.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

namespace sm = scorematch;

template <class Scalar>
std::vector<sm::Moments<Scalar, 2>> problems() {
  std::vector<sm::Moments<Scalar, 2>> result(128);
  std::mt19937_64 rng(1);
  std::normal_distribution<Scalar> normal;
  for (auto& moments : result) {
    for (int n = 0; n < 50; ++n) {
      const Scalar x = normal(rng);
      moments.add(Eigen::Vector<Scalar, 2>(x, Scalar(0.5) * x + normal(rng)));
    }
  }
  return result;
}

template <int lanes, class Scalar>
auto fit(const std::vector<sm::Moments<Scalar, 2>>& problems) {
  return sm::fit_batch<lanes>(sm::GaussianFamily<Scalar, 2>{}, sm::ScoreMatchingLoss{},
                              sm::GradientDescent{.learning_rate = 1e-3, .max_iterations = 4000},
                              problems);
}

template <class Scalar>
void register_scalar(const std::string& name) {
  const auto seen = problems<Scalar>();
  const auto together = fit<0>(seen);
  const auto alone = fit<1>(seen);
  for (std::size_t k = 0; k < seen.size(); ++k) {
    const Scalar difference = (together[k].parameters - alone[k].parameters).norm();
    if (!(difference <= 1000 * std::numeric_limits<Scalar>::epsilon())) {
      std::fprintf(stderr, "problem %zu differs by %g in lockstep\n", k, double(difference));
      std::exit(1);
    }
  }
  const auto add = [&](const char* who, auto run) {
    benchmark::RegisterBenchmark((name + who).c_str(), [seen, run](benchmark::State& state) {
      for (auto _ : state) benchmark::DoNotOptimize(run(seen).back().loss);
      state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(seen.size()));
    });
  };
  add("/library", [](const auto& problems) { return fit<0>(problems); });
  add("/one-by-one", [](const auto& problems) { return fit<1>(problems); });
}

}  // namespace

void register_benchmarks() {
  register_scalar<double>("batch/double");
  register_scalar<float>("batch/float");
}
