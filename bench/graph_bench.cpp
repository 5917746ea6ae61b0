// Sparse precision matrices. `graph/<p>`: one penalty from the covariance, at half the largest
// weight; `graph-path/<p>`: 30 of them, down to a tenth of the largest. The graph is a chain, and
// there are 2 p samples. Beside the library stands what a user would write with Eigen alone: an
// accelerated proximal gradient on the dense matrix (Beck and Teboulle 2009, with restarts), by
// Eigen's products, until the conditions of the minimum hold to the same tolerance; along the path
// from where the last one ended.
#include "main.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

namespace sm = scorematch;

using Matrix = Eigen::MatrixXd;

constexpr double tolerance = 1e-8;

// Samples of a Gaussian whose precision is 1 on the diagonal and -0.4 beside it.
sm::Moments<double> chain(Eigen::Index p) {
  std::mt19937 rng(1);
  std::normal_distribution<double> normal;
  // The precision is L L^T, with b beside the diagonal a of L.
  Eigen::VectorXd a(p), b = Eigen::VectorXd::Zero(p);
  for (Eigen::Index i = 0; i < p; ++i) {
    const double before = i > 0 ? b(i - 1) : 0;
    a(i) = std::sqrt(1 - before * before);
    b(i) = -0.4 / a(i);
  }
  Matrix samples(p, 2 * p);
  for (Eigen::Index k = 0; k < samples.cols(); ++k) {
    for (Eigen::Index i = p - 1; i >= 0; --i) {
      const double after = i + 1 < p ? b(i) * samples(i + 1, k) : 0;
      samples(i, k) = (normal(rng) - after) / a(i);
    }
  }
  sm::Moments<double> moments(p);
  moments.add(samples);
  return moments;
}

Matrix correlations(const Matrix& covariance) {
  const Eigen::VectorXd scale = covariance.diagonal().cwiseSqrt().cwiseInverse();
  return scale.asDiagonal() * covariance * scale.asDiagonal();
}

// The gradient of 1/2 tr K S K - tr K, each pair counted twice.
Matrix gradient(const Matrix& s, const Matrix& k) {
  Matrix w(s.rows(), s.cols());
  w.noalias() = s * k;
  Matrix g = (w + w.transpose()) / 2;
  g.diagonal().array() -= 1;
  return g;
}

// How far the conditions of the minimum are from true.
double distance(const Matrix& g, const Matrix& k, double weight) {
  double farthest = 0;
  for (Eigen::Index j = 0; j < k.cols(); ++j) {
    for (Eigen::Index i = 0; i < k.rows(); ++i) {
      const double w = i == j ? 0 : weight;
      const double off = k(i, j) > 0   ? std::abs(g(i, j) + w)
                         : k(i, j) < 0 ? std::abs(g(i, j) - w)
                                       : std::abs(g(i, j)) - w;
      farthest = std::max(farthest, off);
    }
  }
  return farthest;
}

// From k, with steps of 1 / norm, norm an upper bound of the eigenvalues of s.
void proximal_gradient(const Matrix& s, double norm, double weight, Matrix& k) {
  Matrix y = k, g(k.rows(), k.cols()), next(k.rows(), k.cols());
  double t = 1;
  for (int iteration = 1; iteration < 100000; ++iteration) {
    g = gradient(s, y);
    next = y - g / norm;
    const double threshold = weight / norm;
    for (Eigen::Index j = 0; j < k.cols(); ++j) {
      for (Eigen::Index i = 0; i < k.rows(); ++i) {
        if (i == j) continue;
        const double v = next(i, j);
        next(i, j) = std::max(v - threshold, 0.0) - std::max(-v - threshold, 0.0);
      }
    }
    // Back against the last step: start to accelerate anew.
    const bool restart = (y - next).cwiseProduct(next - k).sum() > 0;
    const double t_next = restart ? 1 : (1 + std::sqrt(1 + 4 * t * t)) / 2;
    y = restart ? next : next + (t - 1) / t_next * (next - k);
    t = t_next;
    k.swap(next);
    if (iteration % 10 == 0 && distance(gradient(s, k), k, weight) <= tolerance) return;
  }
}

double largest_eigenvalue(const Matrix& s) {
  Eigen::VectorXd v = Eigen::VectorXd::Ones(s.rows());
  for (Eigen::Index i = 0; i < v.size(); ++i) v(i) += 0.1 * double(i % 7);
  for (int k = 0; k < 100; ++k) v = (s * v).normalized();
  return 1.02 * v.dot(s * v);
}

auto path_of(const sm::Moments<double>& moments, const sm::PathOptions& options) {
  return sm::fit_path(sm::PairwiseGaussianFamily<double>(moments.dimension()),
                      sm::ScoreMatchingLoss{}, sm::L1{},
                      sm::CoordinateDescent{.tolerance = tolerance}, moments, options);
}

std::vector<Matrix> path_by_hand(const sm::Moments<double>& moments,
                                 const std::vector<double>& weights) {
  const Matrix s = correlations(moments.covariance());
  const double norm = largest_eigenvalue(s);
  Matrix k = Matrix::Identity(s.rows(), s.cols());
  std::vector<Matrix> result;
  for (const double weight : weights) {
    proximal_gradient(s, norm, weight, k);
    result.push_back(k);
  }
  return result;
}

// Both are at the minimum.
void require_minimum(const sm::Moments<double>& moments, const std::vector<double>& weights) {
  const auto path = path_of(moments, {.weights = weights});
  const auto by_hand = path_by_hand(moments, weights);
  const Matrix s = correlations(moments.covariance());
  const Eigen::VectorXd scale = moments.covariance().diagonal().cwiseSqrt();
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const Matrix ours = scale.asDiagonal() * Matrix(path.points[k].precision) * scale.asDiagonal();
    const double off = distance(gradient(s, ours), ours, weights[k]);
    const double apart = (ours - by_hand[k]).cwiseAbs().maxCoeff();
    if (off <= 2 * tolerance && apart <= 1e-5) continue;
    std::fprintf(stderr, "p = %d, weight %g: off by %.3g, apart by %.3g\n", int(s.rows()),
                 weights[k], off, apart);
    std::exit(1);
  }
}

void library(benchmark::State& state, const sm::Moments<double>& moments,
             const sm::PathOptions& options) {
  for (auto _ : state) {
    const auto path = path_of(moments, options);
    benchmark::DoNotOptimize(path.points.data());
  }
}

void eigen(benchmark::State& state, const sm::Moments<double>& moments,
           const std::vector<double>& weights) {
  for (auto _ : state) {
    const auto path = path_by_hand(moments, weights);
    benchmark::DoNotOptimize(path.data());
  }
}

}  // namespace

void register_benchmarks() {
  for (const Eigen::Index p : {50, 200, 500}) {
    const sm::Moments<double> moments = chain(p);
    const auto weights = path_of(moments, {}).options.weights;
    const std::vector<double> half{weights.front() / 2};
    require_minimum(moments, half);
    if (p < 500) require_minimum(moments, weights);
    const std::string case_of = std::to_string(p) + "/";
    benchmark::RegisterBenchmark(("graph/" + case_of + "library").c_str(), library, moments,
                                 sm::PathOptions{.weights = half});
    benchmark::RegisterBenchmark(("graph/" + case_of + "eigen").c_str(), eigen, moments, half);
    benchmark::RegisterBenchmark(("graph-path/" + case_of + "library").c_str(), library, moments,
                                 sm::PathOptions{});
    if (p < 500) {  // a path by hand takes long at 500
      benchmark::RegisterBenchmark(("graph-path/" + case_of + "eigen").c_str(), eigen, moments,
                                   weights);
    }
  }
}
