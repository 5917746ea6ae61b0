// Dimensions known at run time. `dynamic/<d>`: one score matching value and gradient beside one
// d x d by d x d product of Eigen's. `closed-form/<d>`: a score matching fit by
// ClosedForm, moments in, beside Eigen's Cholesky factor of the same matrix;
// `closed-form-likelihood/<d>`: one by maximum likelihood.
#include "main.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <type_traits>

namespace {

namespace sm = scorematch;

template <class Scalar>
using MatrixOf = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

template <class Scalar>
struct Problem {
  sm::GaussianFamily<Scalar> family;
  sm::Moments<Scalar> moments;
  typename sm::GaussianFamily<Scalar>::Parameters theta;

  explicit Problem(Eigen::Index d) : family(d), moments(d), theta(family.start()) {
    std::mt19937 rng(1);
    std::normal_distribution<Scalar> normal;
    const MatrixOf<Scalar> samples =
        MatrixOf<Scalar>::NullaryExpr(d, 3 * d, [&] { return normal(rng); });
    moments.add(samples);
    const Scalar size = Scalar(0.5) / std::sqrt(static_cast<Scalar>(d));
    for (Eigen::Index i = 0; i < theta.size(); ++i) theta(i) = size * normal(rng);
  }
};

template <class Scalar>
void require_close(const char* what, Eigen::Index d, const Scalar& ours, const Scalar& expected) {
  const Scalar rounding = Scalar(100 * d) * std::numeric_limits<Scalar>::epsilon();
  if (!(std::abs(ours - expected) <= rounding * std::abs(expected))) {
    std::fprintf(stderr, "%s at d = %d is %.9g; the definition gives %.9g\n", what, int(d),
                 double(ours), double(expected));
    std::exit(1);
  }
}

// J and |dJ/dtheta| from their definitions, in the samples' own coordinates: P M P and P G A^T.
template <class Scalar>
void require_definition(const Problem<Scalar>& problem) {
  using Matrix = MatrixOf<Scalar>;
  const Eigen::Index d = problem.family.dimension();
  Matrix l(d, d);
  problem.family.unpack_cholesky(problem.theta, l);
  const Matrix identity = Matrix::Identity(d, d);
  const Matrix a = l.template triangularView<Eigen::Lower>().solve(identity);
  const Matrix p = a.transpose() * a;
  const Eigen::Matrix<Scalar, Eigen::Dynamic, 1> delta =
      problem.moments.mean() - problem.theta.head(d);
  const Matrix m = problem.moments.covariance() + delta * delta.transpose();
  const Matrix pm = p * m;
  const Scalar loss = (pm * p).trace() / 2 - p.trace();
  const Matrix g = (pm + pm.transpose()) / 2 - identity;
  Matrix by_lower =
      -2 * (p * g * a.transpose()).template triangularView<Eigen::Lower>().toDenseMatrix();
  for (Eigen::Index i = 0; i < d; ++i) by_lower(i, i) *= l(i, i);
  const Scalar norm = std::sqrt(by_lower.squaredNorm() + (p * (p * delta)).squaredNorm());

  auto objective = sm::ScoreMatchingLoss{}.objective(problem.family, problem.moments);
  auto gradient = problem.theta;
  require_close("the loss", d, objective(problem.theta, gradient), loss);
  require_close("the norm of the gradient", d, gradient.norm(), norm);
}

template <class Scalar>
void evaluation(benchmark::State& state, Eigen::Index d) {
  const Problem<Scalar> problem(d);
  auto objective = sm::ScoreMatchingLoss{}.objective(problem.family, problem.moments);
  auto gradient = problem.theta;
  for (auto _ : state) {
    benchmark::DoNotOptimize(objective(problem.theta, gradient));
    benchmark::ClobberMemory();
  }
}

template <class Scalar>
void product(benchmark::State& state, Eigen::Index d) {
  const MatrixOf<Scalar> a = MatrixOf<Scalar>::Random(d, d);
  const MatrixOf<Scalar> b = MatrixOf<Scalar>::Random(d, d);
  MatrixOf<Scalar> c(d, d);
  for (auto _ : state) {
    c.noalias() = a * b;
    benchmark::DoNotOptimize(c.data());
    benchmark::ClobberMemory();
  }
}

template <class Loss>
void closed_form(benchmark::State& state, Eigen::Index d) {
  const Problem<double> problem(d);
  for (auto _ : state) {
    const auto fit = sm::fit(problem.family, Loss{}, sm::ClosedForm{}, problem.moments);
    benchmark::DoNotOptimize(fit.loss);
  }
}

void llt(benchmark::State& state, Eigen::Index d) {
  const MatrixOf<double> covariance = Problem<double>(d).moments.covariance();
  for (auto _ : state) {
    const Eigen::LLT<MatrixOf<double>> factor(covariance);
    benchmark::DoNotOptimize(factor.matrixLLT().data());
  }
}

void require_closed_form(Eigen::Index d) {
  const Problem<double> problem(d);
  const auto fit =
      sm::fit(problem.family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, problem.moments);
  const MatrixOf<double> covariance = problem.moments.covariance();
  const MatrixOf<double> l = covariance.llt().matrixL();
  require_close("the fitted factor's norm", d, fit.distribution.cholesky().norm(), l.norm());
  require_close("the fitted factor's error", d, l.norm() + (fit.distribution.cholesky() - l).norm(),
                l.norm());
  require_close("the fitted loss", d, fit.loss,
                -covariance.llt().solve(MatrixOf<double>::Identity(d, d)).trace() / 2);
}

template <class Scalar>
void register_dynamic(Eigen::Index d) {
  require_definition(Problem<Scalar>(d));
  const std::string name =
      "dynamic/" + std::to_string(d) + (std::is_same_v<Scalar, float> ? "-float/" : "/");
  benchmark::RegisterBenchmark((name + "library").c_str(), evaluation<Scalar>, d);
  benchmark::RegisterBenchmark((name + "eigen-product").c_str(), product<Scalar>, d);
}

template <class Loss>
void register_closed_form(const std::string& what, Eigen::Index d) {
  const std::string name = what + std::to_string(d) + "/";
  benchmark::RegisterBenchmark((name + "library").c_str(), closed_form<Loss>, d);
  benchmark::RegisterBenchmark((name + "eigen-llt").c_str(), llt, d);
}

}  // namespace

void register_benchmarks() {
  for (const Eigen::Index d : {16, 32, 64, 128, 256, 512, 1024}) register_dynamic<double>(d);
  for (const Eigen::Index d : {64, 256, 512}) register_dynamic<float>(d);
  for (const Eigen::Index d : {64, 256, 512}) {
    require_closed_form(d);
    register_closed_form<sm::ScoreMatchingLoss>("closed-form/", d);
    register_closed_form<sm::NegativeLogLikelihood>("closed-form-likelihood/", d);
  }
}
