// Samples in. `moments/<d>` streams from memory, `moments-in-cache/<d>` has a million numbers
// (8 MB); both beside the sum of the same bytes, the most this core can read and add, or, for large
// d, beside Eigen's symmetric rank update of the same block. `add-one` takes one sample at a time.
// `fit-cost` splits a whole fit into its pass over the samples and its iterations.
#include "main.hpp"

#include <scorematch/scorematch.hpp>

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>

namespace {

namespace sm = scorematch;

template <int Dim>
using Samples = Eigen::Matrix<double, Dim, Eigen::Dynamic>;

template <int Dim>
std::shared_ptr<const Samples<Dim>> random_samples(Eigen::Index d, Eigen::Index n) {
  auto result = std::make_shared<Samples<Dim>>(d, n);
  std::mt19937_64 rng(1);
  std::uniform_real_distribution<double> uniform(-1, 3);
  for (Eigen::Index k = 0; k < result->size(); ++k) result->data()[k] = uniform(rng);
  return result;
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "moments_bench: %s does not compute what the library does\n", what);
  std::exit(1);
}

void report(benchmark::State& state, Eigen::Index d, Eigen::Index n) {
  state.SetItemsProcessed(state.iterations() * n);
  state.SetBytesProcessed(state.iterations() * n * d * Eigen::Index(sizeof(double)));
}

// Eight registers of sums, so that no addition waits for another.
double sum_of(const double* x, Eigen::Index size) {
  using Register = Eigen::Array<double, 8, 1>;
  Register a = Register::Zero(), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
  const Eigen::Index end = size - size % 64;
  for (Eigen::Index k = 0; k < end; k += 64) {
    a += Eigen::Map<const Register>(x + k);
    b += Eigen::Map<const Register>(x + k + 8);
    c += Eigen::Map<const Register>(x + k + 16);
    d += Eigen::Map<const Register>(x + k + 24);
    e += Eigen::Map<const Register>(x + k + 32);
    f += Eigen::Map<const Register>(x + k + 40);
    g += Eigen::Map<const Register>(x + k + 48);
    h += Eigen::Map<const Register>(x + k + 56);
  }
  double total = (((a + b) + (c + d)) + ((e + f) + (g + h))).sum();
  for (Eigen::Index k = end; k < size; ++k) total += x[k];
  return total;
}

template <int Dim>
void add_block(benchmark::State& state, const Samples<Dim>& x) {
  for (auto _ : state) {
    sm::Moments<double, Dim> moments(x.rows());
    moments.add(x);
    benchmark::DoNotOptimize(moments);
  }
  report(state, x.rows(), x.cols());
}

template <int Dim>
void register_sum(const std::string& what, Eigen::Index numbers) {
  const auto x = random_samples<Dim>(Dim, numbers / Dim);
  const double n = double(x->cols());
  sm::Moments<double, Dim> moments;
  moments.add(*x);
  require(std::abs(sum_of(x->data(), x->size()) - moments.mean().sum() * n) <= 1e-9 * n, "the sum");
  const std::string name = what + "/" + std::to_string(Dim);
  benchmark::RegisterBenchmark((name + "/library").c_str(),
                               [x](benchmark::State& state) { add_block<Dim>(state, *x); });
  benchmark::RegisterBenchmark((name + "/sum").c_str(), [x](benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(sum_of(x->data(), x->size()));
    report(state, Dim, x->cols());
  });
}

void register_rank_update(Eigen::Index d) {
  const auto x = random_samples<Eigen::Dynamic>(d, 2'000'000 / d);
  sm::Moments<double> moments(d);
  moments.add(*x);
  const Eigen::VectorXd mean = moments.mean();
  Eigen::MatrixXd second = Eigen::MatrixXd::Zero(d, d);
  second.selfadjointView<Eigen::Lower>().rankUpdate(*x, 1 / double(x->cols()));
  const Eigen::MatrixXd expected = moments.covariance() + mean * mean.transpose();
  require((second - expected).template triangularView<Eigen::Lower>().toDenseMatrix().norm() <=
              1e-12 * expected.norm(),
          "the rank update");
  const std::string name = "moments/" + std::to_string(d);
  benchmark::RegisterBenchmark((name + "/library").c_str(), [x](benchmark::State& state) {
    add_block<Eigen::Dynamic>(state, *x);
  });
  benchmark::RegisterBenchmark((name + "/rank-update").c_str(), [x, d](benchmark::State& state) {
    Eigen::MatrixXd sum(d, d);
    for (auto _ : state) {
      sum.setZero();
      sum.selfadjointView<Eigen::Lower>().rankUpdate(*x);
      benchmark::DoNotOptimize(sum.data());
      benchmark::ClobberMemory();
    }
    report(state, d, x->cols());
  });
}

// Welford's step on differences from the first sample, and nothing else.
template <int Dim>
struct Welford {
  static constexpr std::size_t size = std::size_t(Dim);
  double count = 0;
  double pivot[size] = {};
  double offset[size] = {};
  double scatter[size][size] = {};  // lower triangle

  void add(const double* x) {
    if (count == 0) {
      for (int i = 0; i < Dim; ++i) pivot[i] = x[i];
      count = 1;
      return;
    }
    double shift[size];
    const double total = count + 1;
    const double part = 1 / total;
    for (int i = 0; i < Dim; ++i) shift[i] = (x[i] - pivot[i]) - offset[i];
    for (int i = 0; i < Dim; ++i) {
      const double scaled = shift[i] * (count * part);
      for (int j = 0; j <= i; ++j) scatter[i][j] += scaled * shift[j];
    }
    for (int i = 0; i < Dim; ++i) offset[i] += shift[i] * part;
    count = total;
  }
};

template <int Dim>
void register_add_one() {
  const auto x = random_samples<Dim>(Dim, 1000);
  sm::Moments<double, Dim> moments;
  Welford<Dim> welford;
  for (Eigen::Index j = 0; j < x->cols(); ++j) {
    moments.add(x->col(j));
    welford.add(x->data() + j * Dim);
  }
  const auto covariance = moments.covariance();
  for (int i = 0; i < Dim; ++i) {
    require(std::abs(welford.pivot[i] + welford.offset[i] - moments.mean()(i)) <= 1e-12,
            "Welford's step");
    for (int j = 0; j <= i; ++j) {
      require(std::abs(welford.scatter[i][j] / welford.count - covariance(i, j)) <= 1e-12,
              "Welford's step");
    }
  }
  const std::string name = "add-one/" + std::to_string(Dim);
  benchmark::RegisterBenchmark((name + "/library").c_str(), [x](benchmark::State& state) {
    for (auto _ : state) {
      sm::Moments<double, Dim> seen;
      for (Eigen::Index j = 0; j < x->cols(); ++j) seen.add(x->col(j));
      benchmark::DoNotOptimize(seen);
    }
    report(state, Dim, x->cols());
  });
  benchmark::RegisterBenchmark((name + "/hand-written").c_str(), [x](benchmark::State& state) {
    for (auto _ : state) {
      Welford<Dim> seen;
      for (Eigen::Index j = 0; j < x->cols(); ++j) seen.add(x->data() + j * Dim);
      benchmark::DoNotOptimize(seen);
    }
    report(state, Dim, x->cols());
  });
}

void register_fit_cost(Eigen::Index n) {
  const auto x = random_samples<2>(2, n);
  const std::string name = "fit-cost/" + std::to_string(n);
  benchmark::RegisterBenchmark((name + "/first-pass").c_str(),
                               [x](benchmark::State& state) { add_block<2>(state, *x); });
  sm::Moments<double, 2> moments;
  moments.add(*x);
  const sm::GradientDescent descent{
      .learning_rate = 1e-2, .max_iterations = 1000, .gradient_tolerance = 0};
  require(descent.gradient_tolerance == 0 &&
              sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, descent, moments)
                      .iterations == 1000,
          "a fit of fewer than 1000 steps");
  benchmark::RegisterBenchmark(
      (name + "/iterations").c_str(), [moments, descent](benchmark::State& state) {
        for (auto _ : state) {
          const auto fit =
              sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, descent, moments);
          benchmark::DoNotOptimize(fit.loss);
        }
        state.SetItemsProcessed(state.iterations() * 1000);
      });
}

}  // namespace

void register_benchmarks() {
  const auto each_small = [](const std::string& what, Eigen::Index numbers) {
    register_sum<1>(what, numbers);
    register_sum<2>(what, numbers);
    register_sum<4>(what, numbers);
    register_sum<8>(what, numbers);
  };
  each_small("moments", 1 << 24);
  each_small("moments-in-cache", 1'000'000);
  register_rank_update(64);
  register_rank_update(256);
  register_add_one<1>();
  register_add_one<2>();
  register_add_one<4>();
  register_add_one<8>();
  for (const Eigen::Index n : {100, 1000, 10'000, 100'000, 1'000'000}) register_fit_cost(n);
}
