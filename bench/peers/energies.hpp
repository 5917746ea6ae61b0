// Networks as energies, for the comparison with PyTorch: their samples and parameters are formulas
// that both sides compute.
#pragma once

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <numbers>

namespace energies {

namespace sm = scorematch;

constexpr int samples_count = 1000;

// log p = sum_k a_k tanh(w_k . x + b_k) - |x|^2 / 2, with one layer or two of `Hidden` units. The
// parameters: rows w_k with their b_k, for two layers the second's in the same way, and then a.
template <int Dim, int Hidden, bool deep>
struct Network {
  static constexpr int count = Hidden * (Dim + 1) + (deep ? Hidden * (Hidden + 1) : 0) + Hidden;

  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::tanh;
    using Number = typename X::Scalar;
    Eigen::Matrix<Number, Hidden, 1> units;
    Eigen::Index p = 0;
    for (int k = 0; k < Hidden; ++k) {
      Number a(0);
      for (int i = 0; i < Dim; ++i) a += x(i) * theta(p++);
      units(k) = tanh(Number(a + theta(p++)));
    }
    if constexpr (deep) {
      const auto first = units;
      for (int k = 0; k < Hidden; ++k) {
        Number a(0);
        for (int j = 0; j < Hidden; ++j) a += first(j) * theta(p++);
        units(k) = tanh(Number(a + theta(p++)));
      }
    }
    Number sum = x.squaredNorm() * (-0.5);
    for (int k = 0; k < Hidden; ++k) sum += units(k) * theta(p++);
    return sum;
  }
};

// CPU seconds of one call, the least of several groups of about a hundredth of a second.
template <class Call>
double seconds(const Call& call) {
  call();
  double best = 1e9;
  for (int group = 0; group < 15; ++group) {
    const std::clock_t start = std::clock();
    int calls = 0;
    double spent = 0;
    do {
      call();
      ++calls;
      spent = double(std::clock() - start) / CLOCKS_PER_SEC;
    } while (spent < 0.01);
    best = std::fmin(best, spent / calls);
  }
  return best;
}

// One line of JSON: what the losses are, and what value and gradient take.
template <int Dim, int Hidden, bool deep>
void print(const char* end) {
  using Energy = Network<Dim, Hidden, deep>;
  using Theta = Eigen::Matrix<double, Energy::count, 1>;
  Eigen::Matrix<double, Dim, Eigen::Dynamic> samples(Dim, samples_count);
  for (Eigen::Index j = 0; j < samples_count; ++j) {
    for (Eigen::Index i = 0; i < Dim; ++i) {
      samples(i, j) = 1.3 * std::sin(1.7 * double(j) + 0.9 * double(i * i) + 0.3);
    }
  }
  Theta theta;
  for (Eigen::Index p = 0; p < theta.size(); ++p) {
    theta(p) = 0.3 * std::cos(2.3 * double(p) + 0.7);
  }
  const auto family = sm::energy_family<Dim>(Energy{}, theta);
  sm::SampleSet<double, Dim> set;
  set.add(samples);
  auto exact = sm::ScoreMatchingLoss{}.objective(family, set);
  auto denoising =
      sm::DenoisingScoreMatchingLoss{
          .sigma = 0.1, .draws = 1, .antithetic = false, .batch_size = 1000}
          .objective(family, set);
  Theta gradient;
  const double loss = exact(theta, gradient);
  const double norm = gradient.norm();
  std::printf(
      "    {\"dim\": %d, \"hidden\": %d, \"deep\": %s, \"loss\": %.17g, \"gradient_norm\": %.17g, ",
      Dim, Hidden, deep ? "true" : "false", loss, norm);
  std::printf("\"exact_seconds\": %.9g, \"denoising_seconds\": %.9g}%s\n",
              seconds([&] { exact(theta, gradient); }),
              seconds([&] { denoising(theta, gradient); }), end);
}

// The ring: radius 2, noise 0.25 across; three numbers of a low-discrepancy sequence make a point.
inline Eigen::Matrix2Xd ring(Eigen::Index first, Eigen::Index count) {
  const double tau = 2 * std::numbers::pi;
  const auto fraction = [](double value) { return value - std::floor(value); };
  Eigen::Matrix2Xd samples(2, count);
  for (Eigen::Index j = 0; j < count; ++j) {
    const double k = double(first + j) + 0.5;
    const double across = 0.25 * std::sqrt(-2 * std::log(fraction(k * 0.8191725133961645))) *
                          std::cos(tau * fraction(k * 0.6710436067037893));
    const double angle = tau * fraction(k * 0.5497004779019703);
    samples.col(j) << (2 + across) * std::cos(angle), (2 + across) * std::sin(angle);
  }
  return samples;
}

// A whole fit of the ring by a network of two layers of 32: Adam on mini-batches, and the loss on
// samples held out.
inline void print_fit() {
  using Energy = Network<2, 32, true>;
  using Theta = Eigen::Matrix<double, Energy::count, 1>;
  constexpr int steps = 1000, batch = 128;
  Theta start;
  for (Eigen::Index p = 0; p < start.size(); ++p) start(p) = 0.3 * std::cos(2.3 * double(p) + 0.7);
  const auto family = sm::energy_family<2>(Energy{}, start);
  const Eigen::Matrix2Xd samples = ring(0, 5000);
  sm::SampleSet<double, 2> held_out;
  held_out.add(ring(5000, 5000));
  auto held_out_loss = sm::ScoreMatchingLoss{}.objective(family, held_out);
  const sm::MiniBatches loss(sm::ScoreMatchingLoss{}, {.size = batch, .seed = 1});
  const sm::Adam adam{.learning_rate = 3e-3, .max_iterations = steps};
  const std::clock_t begin = std::clock();
  const auto fit = sm::fit(family, loss, adam, samples);
  const double spent = double(std::clock() - begin) / CLOCKS_PER_SEC;
  std::printf("  \"fit\": {\"steps\": %d, \"batch\": %d, \"rate\": %.17g, ", steps, batch,
              adam.learning_rate);
  std::printf("\"before\": %.17g, \"after\": %.17g, \"seconds\": %.9g}\n", held_out_loss(start),
              held_out_loss(fit.parameters), spent);
}

}  // namespace energies
