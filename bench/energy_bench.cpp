// Score and Laplacian of an energy: the library's forward pass beside derivatives written by hand,
// and beside nested dual numbers, its own and those of Ceres where it is installed. The model is
// a chain of coupled double wells with a soft wall:
// log p = -sum_i (a x_i^4 + b x_i^2 + c x_i x_{i+1}) - log(1 + sum_i exp(x_i)) + e tanh(sum_i x_i).
#include "main.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <benchmark/benchmark.h>

#if __has_include(<ceres/jet.h>)
#define HAVE_CERES 1
#include <ceres/jet.h>
#else
#define HAVE_CERES 0
#endif

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

namespace sm = scorematch;

using Theta = Eigen::Vector4d;

const Theta parameters(0.25, -0.5, 0.3, 0.7);

template <class Number>
struct Constant {
  static Number of(double value) { return Number(value); }
};

#if HAVE_CERES
template <int Dim>
struct Constant<ceres::Jet<ceres::Jet<double, Dim>, Dim>> {
  using Inner = ceres::Jet<double, Dim>;
  static auto of(double value) { return ceres::Jet<Inner, Dim>(Inner(value)); }
};
#endif

struct Energy {
  template <class X, class T>
  auto operator()(const X& x, const T& theta) const {
    using std::exp;
    using std::log;
    using std::tanh;
    using Number = typename X::Scalar;
    Number sum = Constant<Number>::of(0);
    Number wall = Constant<Number>::of(1);
    Number field = Constant<Number>::of(0);
    for (int i = 0; i < x.size(); ++i) {
      const Number square = x(i) * x(i);
      sum -= (theta(0) * square + theta(1)) * square;
      if (i > 0) sum -= theta(2) * x(i) * x(i - 1);
      wall += exp(x(i));
      field += x(i);
    }
    return Number(sum - log(wall) + theta(3) * tanh(field));
  }
};

template <int Dim>
using Vector = Eigen::Matrix<double, Dim, 1>;

template <int Dim>
using Result = sm::ScoreAndLaplacian<double, Dim>;

template <int Dim>
struct Library {
  decltype(sm::energy_family<Dim>(Energy{}, parameters)) family{Energy{}, parameters};
  Result<Dim> operator()(const Vector<Dim>& x) const {
    return family.score_and_laplacian(x, parameters);
  }
};

template <int Dim>
struct HandWritten {
  Result<Dim> operator()(const Vector<Dim>& x) const {
    const double a = parameters(0), b = parameters(1), c = parameters(2), e = parameters(3);
    Vector<Dim> exponentials;
    double wall = 1, field = 0;
    for (int i = 0; i < Dim; ++i) {
      exponentials(i) = std::exp(x(i));
      wall += exponentials(i);
      field += x(i);
    }
    const double t = std::tanh(field);
    const double slope = e * (1 - t * t);
    Result<Dim> result;
    double laplacian = -2 * Dim * t * slope;
    for (int i = 0; i < Dim; ++i) {
      const double share = exponentials(i) / wall;
      double score = -4 * a * x(i) * x(i) * x(i) - 2 * b * x(i) - share + slope;
      if (i > 0) score -= c * x(i - 1);
      if (i + 1 < Dim) score -= c * x(i + 1);
      result.score(i) = score;
      laplacian -= 12 * a * x(i) * x(i) + 2 * b + share * (1 - share);
    }
    result.laplacian = laplacian;
    return result;
  }
};

// All second derivatives, of which the diagonal is used: dual numbers know no other way.
template <int Dim>
struct NestedDuals {
  Result<Dim> operator()(const Vector<Dim>& x) const {
    using Inner = sm::Dual<double, Dim>;
    using Outer = sm::Dual<Inner, Dim>;
    Eigen::Matrix<Outer, Dim, 1> at;
    for (int i = 0; i < Dim; ++i) at(i) = Outer::variable(Inner::variable(x(i), i), i);
    const Outer value = Energy{}(at, parameters);
    Result<Dim> result;
    result.laplacian = 0;
    for (int i = 0; i < Dim; ++i) {
      const auto k = static_cast<std::size_t>(i);
      result.score(i) = value.value.gradient[k];
      result.laplacian += value.gradient[k].gradient[k];
    }
    return result;
  }
};

#if HAVE_CERES
template <int Dim>
struct CeresJets {
  Result<Dim> operator()(const Vector<Dim>& x) const {
    using Inner = ceres::Jet<double, Dim>;
    using Outer = ceres::Jet<Inner, Dim>;
    Eigen::Matrix<Outer, Dim, 1> at;
    for (int i = 0; i < Dim; ++i) at(i) = Outer(Inner(x(i), i), i);
    Eigen::Matrix<Outer, 4, 1> theta;  // a Jet of Jets mixes with no double
    for (int i = 0; i < 4; ++i) theta(i) = Outer(Inner(parameters(i)));
    const Outer value = Energy{}(at, theta);
    Result<Dim> result;
    result.laplacian = 0;
    for (int i = 0; i < Dim; ++i) {
      result.score(i) = value.a.v(i);
      result.laplacian += value.v(i).v(i);
    }
    return result;
  }
};
#endif

template <int Dim>
std::vector<Vector<Dim>> points() {
  std::vector<Vector<Dim>> result;
  for (int k = 0; k < 64; ++k) {
    Vector<Dim> x;
    for (int i = 0; i < Dim; ++i) x(i) = std::sin(1.7 * k + 0.9 * i) * 1.5;
    result.push_back(x);
  }
  return result;
}

template <int Dim, class Method>
void run(benchmark::State& state) {
  const Method method;
  const auto xs = points<Dim>();
  for (auto _ : state) {
    for (const auto& x : xs) {
      auto result = method(x);
      benchmark::DoNotOptimize(result);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<long>(xs.size()));
}

template <int Dim, class Method>
void add(const char* who) {
  const HandWritten<Dim> reference;
  const Method method;
  for (const auto& x : points<Dim>()) {
    const auto expected = reference(x);
    const auto actual = method(x);
    if (!((expected.score - actual.score).norm() <= 1e-12 * expected.score.norm() &&
          std::abs(expected.laplacian - actual.laplacian) <=
              1e-12 * (1 + std::abs(expected.laplacian)))) {
      std::fprintf(stderr, "energy/%d/%s computes something else than the reference\n", Dim, who);
      std::exit(1);
    }
  }
  const std::string name = "energy/" + std::to_string(Dim) + "/" + who;
  benchmark::RegisterBenchmark(name.c_str(), run<Dim, Method>);
}

template <int Dim>
void add_all() {
  add<Dim, Library<Dim>>("library");
  add<Dim, HandWritten<Dim>>("hand-written");
  add<Dim, NestedDuals<Dim>>("nested-duals");
#if HAVE_CERES
  add<Dim, CeresJets<Dim>>("ceres-jets");
#endif
}

}  // namespace

void register_benchmarks() {
  add_all<2>();
  add_all<4>();
  add_all<8>();
}
