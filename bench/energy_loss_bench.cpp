// Value and gradient of the score matching loss of an energy, 1000 samples: the library, which
// records the energy and replays it over packs, beside a kernel written by hand over the same packs
// (a network of one hidden layer), and beside dual numbers (double wells of one parameter and of
// five). `growth` and `layers` have no reference of their own: they stand beside one another.
#include "main.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

namespace sm = scorematch;

constexpr Eigen::Index samples_count = 1000;

// log p = -|x|^2 / 2 + sum_k a_k tanh(w_k . x + b_k)
template <int Dim, int Hidden>
struct Network {
  static constexpr int dimension = Dim;
  static constexpr int parameters = Hidden * (Dim + 2);

  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::tanh;
    using Number = typename X::Scalar;
    Number sum = x.squaredNorm() * (-0.5);
    Eigen::Index p = 0;
    for (int k = 0; k < Hidden; ++k) {
      Number a(0);
      for (int i = 0; i < Dim; ++i) a += x(i) * theta(p++);
      a += theta(p++);
      sum += tanh(a) * theta(p++);
    }
    return sum;
  }
};

// The same with a second layer of as many units.
template <int Dim, int Hidden>
struct TwoLayers {
  static constexpr int dimension = Dim;
  static constexpr int parameters = Hidden * (Dim + 1) + Hidden * (Hidden + 1) + Hidden;

  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::tanh;
    using Number = typename X::Scalar;
    Eigen::Matrix<Number, Hidden, 1> first;
    Eigen::Index p = 0;
    for (int k = 0; k < Hidden; ++k) {
      Number a(0);
      for (int i = 0; i < Dim; ++i) a += x(i) * theta(p++);
      first(k) = tanh(Number(a + theta(p++)));
    }
    Number sum = x.squaredNorm() * (-0.5);
    for (int k = 0; k < Hidden; ++k) {
      Number a(0);
      for (int j = 0; j < Hidden; ++j) a += first(j) * theta(p++);
      a += theta(p++);
      sum += tanh(a) * theta(p++);
    }
    return sum;
  }
};

// A chain of double wells: of one parameter, or of five and with a soft wall.
template <int Dim, int Count>
struct Wells {
  static constexpr int dimension = Dim;
  static constexpr int parameters = Count;

  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::exp;
    using std::log;
    using std::tanh;
    using Number = typename X::Scalar;
    Number sum(0);
    if constexpr (Count == 1) {
      for (int i = 0; i < Dim; ++i) {
        const Number square = x(i) * x(i);
        sum += square * theta(0) - square * square * 0.25;
        if (i > 0) sum += 0.3 * x(i) * x(i - 1);
      }
      return sum;
    } else {
      Number wall(1), field(0);
      for (int i = 0; i < Dim; ++i) {
        const Number square = x(i) * x(i);
        sum -= (theta(0) * square + theta(1)) * square;
        if (i > 0) sum -= theta(2) * x(i) * x(i - 1);
        wall += exp(x(i) * theta(4));
        field += x(i);
      }
      return Number(sum - log(wall) + theta(3) * tanh(field));
    }
  }
};

template <class Energy>
struct Problem {
  static constexpr int Dim = Energy::dimension;
  using Theta = Eigen::Matrix<double, Energy::parameters, 1>;

  Eigen::Matrix<double, Dim, Eigen::Dynamic> samples;
  Theta theta;

  explicit Problem(Eigen::Index n = samples_count) : samples(Dim, n) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    for (auto& x : samples.reshaped()) x = normal(random);
    for (auto& t : theta) t = 0.3 * normal(random);
  }
};

// The objective of an energy, recorded unless it is wrapped in `NotRecorded`.
template <class Energy, class Called = Energy>
class Library {
 public:
  explicit Library(const Problem<Energy>& problem)
      : objective_(sm::ScoreMatchingLoss().objective(
            sm::energy_family<Energy::dimension>(Called{}, problem.theta), stored(problem))) {}

  double operator()(const typename Problem<Energy>::Theta& theta,
                    typename Problem<Energy>::Theta& gradient) {
    return objective_(theta, gradient);
  }

 private:
  static auto stored(const Problem<Energy>& problem) {
    sm::SampleSet<double, Energy::dimension> set;
    set.add(problem.samples);
    return set;
  }
  decltype(sm::ScoreMatchingLoss().objective(
      sm::energy_family<Energy::dimension>(Called{},
                                           std::declval<typename Problem<Energy>::Theta>()),
      std::declval<sm::SampleSet<double, Energy::dimension>>())) objective_;
};

template <class Energy>
using Duals = Library<Energy, sm::NotRecorded<Energy>>;

// The kernel by hand: samples in packs, derivatives by theta summed in packs.
template <int Dim, int Hidden>
class ByHand {
 public:
  using Energy = Network<Dim, Hidden>;
  using Theta = typename Problem<Energy>::Theta;

  explicit ByHand(const Problem<Energy>& problem)
      : count_(problem.samples.cols()),
        packs_((count_ + lanes - 1) / lanes),
        x_(std::size_t(packs_ * Dim)),
        sums_(std::size_t(Energy::parameters)),
        kept_(std::size_t(3 * Hidden)) {
    for (Eigen::Index j = 0; j < packs_ * lanes; ++j) {
      for (Eigen::Index i = 0; i < Dim; ++i) {
        x_[std::size_t(j / lanes * Dim + i)].set(int(j % lanes),
                                                 problem.samples(i, std::min(j, count_ - 1)));
      }
    }
  }

  double operator()(const Theta& theta, Theta& gradient) {
    std::fill(sums_.begin(), sums_.end(), P(0));
    double norms[std::size_t(Hidden)];
    for (int k = 0; k < Hidden; ++k) {
      norms[k] = theta.template segment<Dim>(k * (Dim + 2)).squaredNorm();
    }
    P total(0);
    for (Eigen::Index b = 0; b < packs_; ++b) total += pack(b, theta, norms);
    const double n = static_cast<double>(count_);
    for (int p = 0; p < Energy::parameters; ++p) {
      gradient(p) = sums_[std::size_t(p)].array().sum() / n;
    }
    return total.array().sum() / n;
  }

 private:
  static constexpr int lanes = sm::detail::replay_lanes<double>;
  using P = sm::Pack<double, lanes>;

  P pack(Eigen::Index b, const Theta& theta, const double* norms) {
    const P* const x = &x_[std::size_t(b * Dim)];
    P score[std::size_t(Dim)];
    for (int i = 0; i < Dim; ++i) score[i] = -x[i];
    P laplacian(-double(Dim));
    for (int k = 0; k < Hidden; ++k) {
      const double* const w = &theta(k * (Dim + 2));
      P a(w[Dim]);
      for (int i = 0; i < Dim; ++i) a += x[i] * P(w[i]);
      P t, slope;
      sm::detail::tanh_and_slope(a, t, slope);
      const P bend = P(-2) * (t * slope);
      const P scaled = P(w[Dim + 1]) * slope;
      for (int i = 0; i < Dim; ++i) score[i] += scaled * P(w[i]);
      laplacian += P(w[Dim + 1] * norms[k]) * bend;
      P* const kept = &kept_[std::size_t(3 * k)];
      kept[0] = t;
      kept[1] = slope;
      kept[2] = bend;
    }
    P loss = laplacian;
    for (int i = 0; i < Dim; ++i) loss += P(0.5) * (score[i] * score[i]);
    P mask(1);
    for (Eigen::Index j = count_ - b * lanes; j < lanes; ++j) mask.set(int(j), 0);
    for (int i = 0; i < Dim; ++i) score[i] *= mask;
    for (int k = 0; k < Hidden; ++k) {
      const double* const w = &theta(k * (Dim + 2));
      const P* const kept = &kept_[std::size_t(3 * k)];
      P* const sums = &sums_[std::size_t(k * (Dim + 2))];
      const P t = kept[0], slope = kept[1], bend = kept[2];
      P along(0);
      for (int i = 0; i < Dim; ++i) along += score[i] * P(w[i]);
      const P third = P(-2) * (slope * slope + t * bend);
      const P norm = P(norms[k]) * mask;
      const P a(w[Dim + 1]);
      sums[Dim + 1] += slope * along + bend * norm;
      const P by_value = a * (bend * along + third * norm);
      sums[Dim] += by_value;
      const P scaled = a * slope;
      const P twice = P(2) * (a * bend) * mask;
      for (int i = 0; i < Dim; ++i) {
        sums[i] += x[i] * by_value + scaled * score[i] + twice * P(w[i]);
      }
    }
    return loss * mask;
  }

  Eigen::Index count_;
  Eigen::Index packs_;
  std::vector<P> x_;
  std::vector<P> sums_;
  std::vector<P> kept_;
};

template <class Energy, class Method>
void run(benchmark::State& state) {
  const Problem<Energy> problem;
  Method method(problem);
  typename Problem<Energy>::Theta gradient;
  for (auto _ : state) {
    double loss = method(problem.theta, gradient);
    benchmark::DoNotOptimize(loss);
    benchmark::DoNotOptimize(gradient.data());
  }
}

// Both, once they agree.
template <class Energy, class Reference>
void add(const std::string& name, const char* reference_name) {
  const Problem<Energy> problem;
  Library<Energy> library(problem);
  Reference reference(problem);
  typename Problem<Energy>::Theta gradient, expected;
  const double loss = library(problem.theta, gradient);
  const double wanted = reference(problem.theta, expected);
  if (!(std::abs(loss - wanted) <= 1e-12 * (1 + std::abs(wanted)) &&
        (gradient - expected).norm() <= 1e-12 * expected.norm())) {
    std::fprintf(stderr, "%s computes something else than the reference\n", name.c_str());
    std::exit(1);
  }
  benchmark::RegisterBenchmark((name + "/library").c_str(), run<Energy, Library<Energy>>);
  benchmark::RegisterBenchmark((name + "/" + reference_name).c_str(), run<Energy, Reference>);
}

template <int Dim, int Hidden>
void add_network() {
  add<Network<Dim, Hidden>, ByHand<Dim, Hidden>>(
      "energy-loss/" + std::to_string(Dim) + "x" + std::to_string(Hidden), "hand-written");
}

}  // namespace

void register_benchmarks() {
  add_network<2, 12>();
  add_network<2, 64>();
  add_network<10, 12>();
  add_network<10, 64>();
  add_network<10, 256>();
  add<Wells<2, 1>, Duals<Wells<2, 1>>>("energy-loss/wells-2-1", "dual-numbers");
  add<Wells<10, 1>, Duals<Wells<10, 1>>>("energy-loss/wells-10-1", "dual-numbers");
  add<Wells<2, 5>, Duals<Wells<2, 5>>>("energy-loss/wells-2-5", "dual-numbers");
  add<Wells<10, 5>, Duals<Wells<10, 5>>>("energy-loss/wells-10-5", "dual-numbers");
  benchmark::RegisterBenchmark("energy-layers/10x32x32/library",
                               run<TwoLayers<10, 32>, Library<TwoLayers<10, 32>>>);
  benchmark::RegisterBenchmark("energy-layers/10x32x32/one-layer",
                               run<Network<10, 64>, Library<Network<10, 64>>>);
}
