// The library's side of the comparison: writes, as JSON, the notebook's samples, what the fits must
// come to, and the CPU time of each.
#include "../../examples/data/notebook.hpp"
#include "energies.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace sm = scorematch;

namespace {

constexpr int few_steps = 20;  // what the slowest peer is run for
constexpr int steps = 4000;

template <class Matrix>
void print(const char* name, const Matrix& values) {
  std::printf("  \"%s\": [", name);
  for (Eigen::Index k = 0; k < values.size(); ++k) {
    std::printf(k > 0 ? ", %.17g" : "%.17g", values(k));
  }
  std::printf("],\n");
}

template <class Optimizer>
auto fit(const Eigen::Matrix2Xd& samples, const Optimizer& optimizer) {
  return sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, optimizer, samples);
}

// Seconds a fit, samples included: the median of 51 groups of `repeats`.
template <class Optimizer>
double seconds(const Eigen::Matrix2Xd& samples, const Optimizer& optimizer, int repeats) {
  std::array<double, 51> groups{};
  volatile double sink = 0;
  for (double& group : groups) {
    const std::clock_t start = std::clock();
    for (int k = 0; k < repeats; ++k) sink = fit(samples, optimizer).loss;
    group = double(std::clock() - start) / CLOCKS_PER_SEC / repeats;
  }
  static_cast<void>(sink);
  std::nth_element(groups.begin(), groups.begin() + 25, groups.end());
  return groups[25];
}

}  // namespace

int main() {
#ifndef NDEBUG
  std::fprintf(stderr, "built with assertions on: figures would mean nothing\n");
  return 1;
#endif
  const Eigen::Matrix2Xd samples = notebook::samples();
  const sm::GradientDescent descent{.learning_rate = 1e-3, .max_iterations = steps};
  const sm::GradientDescent few{.learning_rate = 1e-3, .max_iterations = few_steps};
  const auto fitted = fit(samples, descent);
  const auto exact = fit(samples, sm::ClosedForm{});
  std::printf("{\n");
  print("samples", samples);
  std::printf("  \"steps\": %d,\n  \"few_steps\": %d,\n", steps, few_steps);
  print("parameters", fitted.parameters);
  std::printf("  \"loss\": %.17g,\n", fitted.loss);
  print("few_parameters", fit(samples, few).parameters);
  print("exact_mean", exact.distribution.mean());
  print("exact_covariance", exact.distribution.covariance());
  std::printf("  \"notebook_seconds\": %.9g,\n", seconds(samples, descent, 20));
  std::printf("  \"exact_seconds\": %.9g,\n", seconds(samples, sm::ClosedForm{}, 20000));
  std::printf("  \"energies\": [\n");
  energies::print<2, 12, false>(",");
  energies::print<10, 12, false>(",");
  energies::print<10, 64, false>(",");
  energies::print<10, 32, true>("");
  std::printf("  ],\n");
  energies::print_fit();
  std::printf("}\n");
}
