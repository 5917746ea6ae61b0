// The summary of an exponential family, from samples at hand, beside a loop written by hand that
// accumulates the same quadratic form: every entry of the lower triangle of Gamma, and g.
#include "main.hpp"

#include <scorematch/data/quadratic_form.hpp>
#include <scorematch/family/pairwise_gaussian_family.hpp>
#include <scorematch/family/phi_four_family.hpp>
#include <scorematch/family/polynomial_family.hpp>
#include <scorematch/loss/score_matching.hpp>

#include <benchmark/benchmark.h>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

namespace sm = scorematch;

template <int Dim>
Eigen::Matrix<double, Dim, Eigen::Dynamic> draw(Eigen::Index d, Eigen::Index n) {
  std::mt19937_64 rng(1);
  std::normal_distribution<double> normal;
  Eigen::Matrix<double, Dim, Eigen::Dynamic> samples(d, n);
  for (double& x : samples.reshaped()) x = normal(rng);
  return samples;
}

template <std::size_t K>
struct Sums {
  std::array<std::array<double, K>, K> quadratic{};  // lower triangle
  std::array<double, K> linear{};
};

struct Quartic {
  static constexpr std::size_t K = 4;
  static sm::PolynomialFamily<double, 4> family() { return {}; }
  static auto samples() { return draw<1>(1, 10000); }

  template <class X>
  static Sums<K> by_hand(const X& samples) {
    Sums<K> sums;
    for (Eigen::Index n = 0; n < samples.cols(); ++n) {
      const double x = samples(0, n), square = x * x;
      const double d[K] = {1, 2 * x, 3 * square, 4 * square * x};
      const double laplacian[K] = {0, 2, 6 * x, 12 * square};
      for (std::size_t a = 0; a < K; ++a) {
        sums.linear[a] += laplacian[a];
        for (std::size_t b = 0; b <= a; ++b) sums.quadratic[a][b] += d[a] * d[b];
      }
    }
    return sums;
  }
};

struct Gaussian {
  static constexpr std::size_t K = 5;
  static sm::PairwiseGaussianFamily<double, 2> family() { return {}; }
  static auto samples() { return draw<2>(2, 10000); }

  template <class X>
  static Sums<K> by_hand(const X& samples) {
    Sums<K> sums;
    for (Eigen::Index n = 0; n < samples.cols(); ++n) {
      const double x = samples(0, n), y = samples(1, n);
      const double by_x[K] = {1, 0, -x, 0, -y};
      const double by_y[K] = {0, 1, 0, -y, -x};
      const double laplacian[K] = {0, 0, -1, -1, 0};
      for (std::size_t a = 0; a < K; ++a) {
        sums.linear[a] += laplacian[a];
        for (std::size_t b = 0; b <= a; ++b) {
          sums.quadratic[a][b] += by_x[a] * by_x[b] + by_y[a] * by_y[b];
        }
      }
    }
    return sums;
  }
};

struct PhiFour {
  static constexpr std::size_t K = 3;
  static constexpr Eigen::Index side = 8;
  static sm::PhiFourFamily<double> family() {
    return {side * side, sm::square_lattice(side, side)};
  }
  static auto samples() { return draw<Eigen::Dynamic>(side * side, 1000); }

  template <class X>
  static Sums<K> by_hand(const X& samples) {
    Sums<K> sums;
    std::array<std::array<Eigen::Index, 4>, side * side> neighbors;
    for (Eigen::Index i = 0; i < side * side; ++i) {
      const Eigen::Index c = i % side, r = i / side;
      neighbors[std::size_t(i)] = {(c + 1) % side + side * r, (c + side - 1) % side + side * r,
                                   c + side * ((r + 1) % side), c + side * ((r + side - 1) % side)};
    }
    for (Eigen::Index n = 0; n < samples.cols(); ++n) {
      for (Eigen::Index i = 0; i < side * side; ++i) {
        const auto& of = neighbors[std::size_t(i)];
        const double x = samples(i, n), square = x * x;
        const double d[K] = {
            samples(of[0], n) + samples(of[1], n) + samples(of[2], n) + samples(of[3], n), -x,
            -square * x};
        const double laplacian[K] = {0, -1, -3 * square};
        for (std::size_t a = 0; a < K; ++a) {
          sums.linear[a] += laplacian[a];
          for (std::size_t b = 0; b <= a; ++b) sums.quadratic[a][b] += d[a] * d[b];
        }
      }
    }
    return sums;
  }
};

// 64 spins with 128 couplings of their own: the entries of Gamma that are not zero, by hand.
struct PhiFourPerEdge {
  static constexpr std::size_t K = 130;
  static constexpr Eigen::Index side = 8;
  static sm::PhiFourFamily<double> family() {
    return {side * side, sm::square_lattice(side, side), sm::Couplings::per_edge};
  }
  static auto samples() { return draw<Eigen::Dynamic>(side * side, 1000); }

  template <class X>
  static Sums<K> by_hand(const X& samples) {
    struct Link {
      std::size_t edge;
      Eigen::Index neighbor;
    };
    std::vector<std::vector<Link>> links(side * side);
    std::size_t count = 0;
    for (const auto& edge : sm::square_lattice(side, side)) {
      links[std::size_t(edge.first)].push_back({count, edge.second});
      links[std::size_t(edge.second)].push_back({count++, edge.first});
    }
    for (auto& of : links) {
      std::sort(of.begin(), of.end(), [](const Link& a, const Link& b) { return a.edge < b.edge; });
    }
    Sums<K> sums;
    for (Eigen::Index n = 0; n < samples.cols(); ++n) {
      for (Eigen::Index i = 0; i < side * side; ++i) {
        const double x = samples(i, n), square = x * x;
        std::size_t index[6];
        double d[6];
        std::size_t size = 0;
        for (const Link& link : links[std::size_t(i)]) {
          index[size] = link.edge;
          d[size++] = samples(link.neighbor, n);
        }
        index[size] = 128;
        d[size++] = -x;
        index[size] = 129;
        d[size++] = -square * x;
        sums.linear[128] -= 1;
        sums.linear[129] -= 3 * square;
        for (std::size_t a = 0; a < size; ++a) {
          for (std::size_t b = 0; b <= a; ++b) {
            sums.quadratic[index[a]][index[b]] += d[a] * d[b];
          }
        }
      }
    }
    return sums;
  }
};

template <class Model>
auto by_library(const decltype(Model::family())& family,
                const decltype(Model::samples())& samples) {
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  summary.add(samples);
  return summary;
}

// The reference is worth nothing unless it computes the same.
template <class Model>
void require_agreement(const std::string& name) {
  const auto samples = Model::samples();
  const auto form = by_library<Model>(Model::family(), samples).form();
  const auto sums = Model::by_hand(samples);
  const auto gamma = form.quadratic();
  const auto g = form.linear();
  double worst = 0;
  for (std::size_t a = 0; a < Model::K; ++a) {
    const auto i = static_cast<Eigen::Index>(a);
    worst = std::max(worst, std::abs(sums.linear[a] / form.count() - g(i)));
    for (std::size_t b = 0; b <= a; ++b) {
      worst = std::max(worst, std::abs(sums.quadratic[a][b] / form.count() -
                                       gamma(i, static_cast<Eigen::Index>(b))));
    }
  }
  if (!(worst <= 1e-11 * gamma.cwiseAbs().maxCoeff())) {
    std::fprintf(stderr, "%s: the hand-written sums differ from the library's by %g\n",
                 name.c_str(), worst);
    std::exit(1);
  }
}

template <class Model>
void compare(const std::string& name) {
  require_agreement<Model>(name);
  benchmark::RegisterBenchmark(("exponential/" + name + "/library").c_str(),
                               [](benchmark::State& state) {
                                 const auto samples = Model::samples();
                                 const auto family = Model::family();
                                 for (auto _ : state) {
                                   auto summary = by_library<Model>(family, samples);
                                   benchmark::DoNotOptimize(summary);
                                 }
                                 state.SetItemsProcessed(state.iterations() * samples.cols());
                               });
  benchmark::RegisterBenchmark(("exponential/" + name + "/hand-written").c_str(),
                               [](benchmark::State& state) {
                                 const auto samples = Model::samples();
                                 for (auto _ : state) {
                                   auto sums = Model::by_hand(samples);
                                   benchmark::DoNotOptimize(sums);
                                 }
                                 state.SetItemsProcessed(state.iterations() * samples.cols());
                               });
}

}  // namespace

void register_benchmarks() {
  compare<Quartic>("quartic");
  compare<Gaussian>("gaussian-2");
  compare<PhiFour>("phi-four-8x8-shared");
  compare<PhiFourPerEdge>("phi-four-8x8-per-edge");
}
