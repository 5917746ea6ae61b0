// Networks as energies, for the comparison with PyTorch: their samples and parameters are formulas
// that both sides compute.
#pragma once

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdio>
#include <ctime>

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

}  // namespace energies
