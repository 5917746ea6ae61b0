// The notebook's fit, 4000 plain gradient steps at two spins, beside a loop written by hand on
// plain doubles that does the same arithmetic. The figure to quote is the ratio of the two.
#include "../examples/data/notebook.hpp"

#include <scorematch/scorematch.hpp>

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

// J = tr(P M P) / 2 - tr P with A = L^-1 = [p 0; q r], B = A A^T, W = A M A^T.
double by_hand(const Eigen::Vector2d& m, const Eigen::Matrix2d& s, double (&theta)[5]) {
  double loss = 0;
  for (int k = 0; k <= steps; ++k) {
    const double l0 = std::exp(theta[2]), l1 = std::exp(theta[3]), off = theta[4];
    const double p = 1 / l0, r = 1 / l1, q = -off * p * r;
    const double d0 = m(0) - theta[0], d1 = m(1) - theta[1];
    const double m00 = s(0, 0) + d0 * d0, m10 = s(1, 0) + d1 * d0, m11 = s(1, 1) + d1 * d1;
    const double b00 = p * p, b10 = q * p, b11 = q * q + r * r;
    const double t00 = p * m00, t10 = q * m00 + r * m10, t11 = q * m10 + r * m11;
    const double w00 = t00 * p, w10 = t10 * p, w11 = t10 * q + t11 * r;
    loss = (w00 * b00 + w11 * b11) / 2 + w10 * b10 - b00 - b11;
    if (k == steps) break;
    const double a0 = p * d0, a1 = q * d0 + r * d1;
    const double c0 = b00 * a0 + b10 * a1, c1 = b10 * a0 + b11 * a1;
    const double h00 = b00 * w00 + b10 * w10 - b00;
    const double h11 = b10 * w10 + b11 * w11 - b11;
    const double h10 = (b10 * w00 + b11 * w10 + b00 * w10 + b10 * w11) / 2 - b10;
    theta[0] += 1e-3 * (p * c0 + q * c1);
    theta[1] += 1e-3 * (r * c1);
    theta[2] += 2e-3 * (p * h00 + q * h10) * l0;
    theta[3] += 2e-3 * (r * h11) * l1;
    theta[4] += 2e-3 * (r * h10);
  }
  return loss;
}

void hand_written(benchmark::State& state) {
  const auto seen = moments();
  const Eigen::Vector2d m = seen.mean();
  const Eigen::Matrix2d s = seen.covariance();
  for (auto _ : state) {
    double theta[5] = {};
    benchmark::DoNotOptimize(by_hand(m, s, theta));
  }
  state.SetItemsProcessed(state.iterations() * steps);
}

// The reference is worth nothing unless it computes the same.
void require_agreement() {
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
              sm::GradientDescent{.learning_rate = 1e-3, .max_iterations = steps}, moments());
  double theta[5] = {};
  const double loss = by_hand(moments().mean(), moments().covariance(), theta);
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
