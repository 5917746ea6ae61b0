// The notebook's fit, 4000 plain gradient steps at two spins, beside a loop written by hand on
// plain doubles that does the same arithmetic. The figure to quote is the ratio of the two.
#include "../examples/data/notebook.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Cholesky>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace {

namespace sm = scorematch;

constexpr int steps = 4000;

sm::Moments<double, 2> moments() {
  sm::Moments<double, 2> result;
  result.add(notebook::samples().cast<double>());
  return result;
}

template <class Family>
void library(benchmark::State& state, const Family& family) {
  sm::Moments<double, Family::Dim> seen(2);
  seen.add(notebook::samples().cast<double>());
  for (auto _ : state) {
    const auto fit =
        sm::fit(family, sm::ScoreMatchingLoss{},
                sm::GradientDescent{.learning_rate = 1e-3, .max_iterations = steps}, seen);
    benchmark::DoNotOptimize(fit.loss);
  }
  state.SetItemsProcessed(state.iterations() * steps);
}

// The library's formulas (see GaussianScoreMatching) with A = L^-1 = [p 0; q r], N = A C.
double by_hand(const Eigen::Vector2d& m, const Eigen::Matrix2d& c, double (&theta)[5]) {
  double loss = 0;
  for (int k = 0; k <= steps; ++k) {
    const double l0 = std::exp(theta[2]), l1 = std::exp(theta[3]), off = theta[4];
    const double p = 1 / l0, r = 1 / l1, q = -off * p * r;
    const double d0 = m(0) - theta[0], d1 = m(1) - theta[1];
    const double a0 = p * d0, a1 = q * d0 + r * d1;
    const double n00 = p * c(0, 0), n10 = q * c(0, 0) + r * c(1, 0), n11 = r * c(1, 1);
    const double e00 = 1 - n00 * n00 - a0 * a0, e10 = -n10 * n00 - a1 * a0;
    const double e11 = 1 - n11 * n11 - n10 * n10 - a1 * a1;
    const double b00 = p * p, b10 = q * p, b11 = q * q + r * r;
    const double be00 = b00 * e00 + b10 * e10, be11 = b10 * e10 + b11 * e11;
    loss = -(b00 + b11 + be00 + be11) / 2;
    if (k == steps) break;
    const double c0 = b00 * a0 + b10 * a1, c1 = b10 * a0 + b11 * a1;
    const double k10 = b10 * e00 + b11 * e10 + (b00 * e10 + b10 * e11);
    theta[0] += 1e-3 * (p * c0 + q * c1);
    theta[1] += 1e-3 * (r * c1);
    theta[2] -= 1e-3 * ((p * (2 * be00) + q * k10) * l0);
    theta[3] -= 1e-3 * (r * (2 * be11) * l1);
    theta[4] -= 1e-3 * (r * k10);
  }
  return loss;
}

void hand_written(benchmark::State& state) {
  const auto seen = moments();
  const Eigen::Vector2d m = seen.mean();
  const Eigen::Matrix2d c = seen.covariance().llt().matrixL();
  for (auto _ : state) {
    double theta[5] = {};
    benchmark::DoNotOptimize(by_hand(m, c, theta));
  }
  state.SetItemsProcessed(state.iterations() * steps);
}

// The reference is worth nothing unless it computes the same.
void require_agreement() {
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
              sm::GradientDescent{.learning_rate = 1e-3, .max_iterations = steps}, moments());
  double theta[5] = {};
  const double loss = by_hand(moments().mean(), moments().covariance().llt().matrixL(), theta);
  if (!(std::abs(loss - fit.loss) <= 1e-10)) {
    std::fprintf(stderr, "the hand-written loop ends at %.12g, the library at %.12g\n", loss,
                 fit.loss);
    std::exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
#ifndef NDEBUG
  std::fprintf(stderr, "built with assertions on: figures would mean nothing\n");
  return 1;
#endif
  require_agreement();
  benchmark::Initialize(&argc, argv);
  benchmark::RegisterBenchmark("hand-written", hand_written);
  benchmark::RegisterBenchmark("fixed", library<sm::GaussianFamily<double, 2>>,
                               sm::GaussianFamily<double, 2>{});
  benchmark::RegisterBenchmark("dynamic", library<sm::GaussianFamily<double>>,
                               sm::GaussianFamily<double>{2});
  benchmark::RunSpecifiedBenchmarks();
}
