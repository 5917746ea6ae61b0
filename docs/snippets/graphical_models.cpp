// The programs that docs/graphical-models.md quotes. Returns 0 where each does what the page says.
#include "../../examples/csv.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace sm = scorematch;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not as documented: %s\n", what);
  std::exit(1);
}

void expect_same(std::vector<sm::Edge> found, std::vector<sm::Edge> truth, const char* what) {
  for (sm::Edge& edge : truth) {
    if (edge.first > edge.second) std::swap(edge.first, edge.second);
  }
  std::sort(truth.begin(), truth.end());
  expect(found == truth, what);
}

// The covariance of a chain: its precision has 1 on the diagonal and -0.4 beside it.
Eigen::MatrixXd chain_covariance(Eigen::Index p) {
  Eigen::MatrixXd precision = Eigen::MatrixXd::Identity(p, p);
  for (Eigen::Index i = 1; i < p; ++i) precision(i, i - 1) = precision(i - 1, i) = -0.4;
  return precision.inverse();
}

void exam_marks() {
  const csv::Table marks = csv::read(MARKS_CSV);  // 5 x 88, one student per column
  const Eigen::MatrixXd& samples = marks.values;
  const sm::PairwiseGaussianFamily<double> family(5);
  const sm::ScoreMatchingLoss loss;

  const auto path = sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, samples,
                                 {.count = 40, .ratio = 0.01});
  for (const auto& point : path.points) {
    if (&point == &path.points.front() || point.edges != (&point - 1)->edges) {
      std::cout << point.edges.size() << " edges from weight " << point.weight << '\n';
    }
  }

  const auto chosen = sm::select(path, sm::ExtendedBic{.refit = true}, samples);
  for (const sm::Edge& edge : chosen.edges) {
    std::cout << marks.names[std::size_t(edge.first)] << " - "
              << marks.names[std::size_t(edge.second)] << '\n';
  }

  const auto fit = sm::refit(family, loss, samples, chosen.edges);
  for (std::size_t e = 0; e < fit.edges.size(); ++e) {
    std::cout << fit.edges[e].first << " - " << fit.edges[e].second << ": partial correlation "
              << fit.partial_correlations[e] << '\n';
  }
  std::cout << "smallest eigenvalue: " << fit.smallest_eigenvalue << '\n';

  const std::vector<sm::Edge> butterfly = {{0, 1}, {0, 2}, {1, 2}, {2, 3}, {2, 4}, {3, 4}};
  expect(fit.edges == butterfly, "the butterfly");
  expect(fit.positive_definite(), "a density");
  const auto shrunk = sm::select(path, sm::ExtendedBic{.gamma = 0.5});
  expect(shrunk.edges.size() == 7, "one edge more without refit");
}

// A chain: each coordinate is 0.7 times the one before plus noise.
Eigen::MatrixXd draw_chain(Eigen::Index p, Eigen::Index n) {
  std::mt19937_64 rng(1);
  std::normal_distribution<double> normal;
  Eigen::MatrixXd samples(p, n);
  for (Eigen::Index k = 0; k < n; ++k) {
    for (Eigen::Index i = 0; i < p; ++i) {
      samples(i, k) = normal(rng) + (i > 0 ? 0.7 * samples(i - 1, k) : 0);
    }
  }
  return samples;
}

void few_samples() {
  const Eigen::MatrixXd samples = draw_chain(100, 50);  // twice as many coordinates as samples
  const sm::PairwiseGaussianFamily<double> family(100);
  const sm::ScoreMatchingLoss loss;

  const auto path = sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, samples,
                                 {.count = 20, .ratio = 0.5});
  const auto chosen = sm::select(path, sm::ExtendedBic{.refit = true}, samples);
  Eigen::Index right = 0;
  for (const sm::Edge& edge : chosen.edges) right += edge.second == edge.first + 1 ? 1 : 0;
  std::cout << "found " << chosen.edges.size() << " edges, " << right << " of the chain's 99\n";
  expect(right > 60, "edges of the chain");
}

void no_minimum() {
  const Eigen::MatrixXd samples = draw_chain(20, 10);
  const sm::PairwiseGaussianFamily<double> family(20);
  const sm::ScoreMatchingLoss loss;

  const auto fit = sm::fit(family, sm::Penalized{loss, sm::L1{.weight = 0.01}},
                           sm::CoordinateDescent{}, samples);
  std::cout << "weight 0.01: " << to_string(fit.status) << '\n';

  const sm::L1 penalty{.weight = 0.01, .ridge = 0.1};
  const auto with_ridge =
      sm::fit(family, sm::Penalized{loss, penalty}, sm::CoordinateDescent{}, samples);
  std::cout << "with a ridge: " << to_string(with_ridge.status) << '\n';

  std::vector<sm::Edge> chain;
  for (Eigen::Index i = 1; i < 20; ++i) chain.push_back({i - 1, i});
  const auto on_chain = sm::refit(family, loss, samples, chain);
  std::cout << "on the chain: " << to_string(on_chain.status) << '\n';
}

void criteria() {
  const Eigen::MatrixXd samples = draw_chain(20, 200);
  const sm::PairwiseGaussianFamily<double> family(20);
  const auto path =
      sm::fit_path(family, sm::ScoreMatchingLoss{}, sm::L1{}, sm::CoordinateDescent{}, samples);
  const auto bic = sm::select(path, sm::ExtendedBic{.refit = true}, samples);
  const auto predicts = sm::select(path, sm::CrossValidation{}, samples);
  const auto agrees = sm::select(path, sm::Stars{}, samples);
  const auto stable = sm::select(path, sm::StabilitySelection{.false_edges = 5}, samples);
  std::cout << "extended BIC: " << bic.edges.size()
            << " edges\ncross-validation: " << predicts.edges.size()
            << " edges\nStARS: " << agrees.edges.size()
            << " edges\nstability selection: " << stable.edges.size() << " edges\n";
  expect(predicts.edges.size() > bic.edges.size(), "cross-validation takes more");
}

void what_is_known() {
  const Eigen::MatrixXd samples = draw_chain(6, 500);
  const sm::PairwiseGaussianFamily<double> family(6);
  const sm::ScoreMatchingLoss loss;

  sm::L1 penalty;
  penalty.present = {{0, 1}};               // not penalized
  penalty.absent = {{0, 5}, {1, 5}};        // not there
  penalty.weights = Eigen::MatrixXd(6, 6);  // the farther apart, the dearer
  for (Eigen::Index i = 0; i < 6; ++i) {
    for (Eigen::Index j = 0; j < 6; ++j) penalty.weights(i, j) = double(std::abs(i - j));
  }
  const auto path = sm::fit_path(family, loss, penalty, sm::CoordinateDescent{}, samples);
  expect(path.points.front().edges == std::vector<sm::Edge>{{0, 1}}, "what is present is there");

  const sm::GivenGraph chain{.edges = {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}}};
  const auto fit = sm::fit(family, sm::Penalized{loss, chain}, sm::CoordinateDescent{}, samples);
  const Eigen::MatrixXd precision = family.gaussian(fit.parameters).precision();
  expect(fit.status == sm::Status::converged, "a given graph");
  expect(std::abs(precision(0, 2)) < 1e-12, "no edge");

  const Eigen::VectorXd mean = Eigen::VectorXd::Zero(6);
  const Eigen::MatrixXd about_mean = samples * samples.transpose() / double(samples.cols());
  const auto moments = sm::Moments<double>::from(double(samples.cols()), mean, about_mean);
  const auto known_mean = sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, moments);
  expect(known_mean.points.size() == 30, "a path from moments");
}

void truncated() {
  const sm::Gaussian<double> gaussian(Eigen::VectorXd::Zero(6), chain_covariance(6));
  std::mt19937_64 rng(2);
  Eigen::MatrixXd samples(6, 4000);  // of those alone that are positive
  for (Eigen::Index k = 0; k < samples.cols();) {
    const Eigen::VectorXd x = gaussian.sample(rng);
    if (x.minCoeff() > 0) samples.col(k++) = x;
  }

  const sm::TruncatedGaussianFamily<double> family(6);
  const sm::GeneralizedScoreMatchingLoss loss;
  const auto path = sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, samples);
  const auto chosen = sm::select(path, sm::ExtendedBic{.refit = true}, samples);
  const auto fit = sm::refit(family, loss, samples, chosen.edges);
  for (std::size_t e = 0; e < fit.edges.size(); ++e) {
    std::cout << fit.edges[e].first << " - " << fit.edges[e].second << ": K = " << fit.strengths[e]
              << '\n';
  }
  expect_same(fit.edges, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}}, "the chain");
}

// A sweep of Metropolis, each site in turn: `log_density(i, x)` is the part that depends on x(i).
template <class LogDensity>
void sweep(Eigen::VectorXd& x, const LogDensity& log_density, std::mt19937_64& rng) {
  std::uniform_real_distribution<double> step(-1.5, 1.5), unit(0, 1);
  for (Eigen::Index i = 0; i < x.size(); ++i) {
    const double from = x(i), before = log_density(i, x);
    x(i) += step(rng);
    if (!(unit(rng) < std::exp(log_density(i, x) - before))) x(i) = from;
  }
}

template <class LogDensity>
Eigen::MatrixXd simulate(Eigen::Index sites, Eigen::Index n, const LogDensity& log_density) {
  std::mt19937_64 rng(3);
  Eigen::VectorXd x = Eigen::VectorXd::Zero(sites);
  for (int k = 0; k < 100; ++k) sweep(x, log_density, rng);
  Eigen::MatrixXd samples(sites, n);
  for (Eigen::Index k = 0; k < n; ++k) {
    for (int s = 0; s < 5; ++s) sweep(x, log_density, rng);
    samples.col(k) = x;
  }
  return samples;
}

std::vector<std::vector<Eigen::Index>> neighbors_of(Eigen::Index sites,
                                                    const std::vector<sm::Edge>& edges) {
  std::vector<std::vector<Eigen::Index>> result(static_cast<std::size_t>(sites));
  for (const sm::Edge& edge : edges) {
    result[std::size_t(edge.first)].push_back(edge.second);
    result[std::size_t(edge.second)].push_back(edge.first);
  }
  return result;
}

void phi_four() {
  const auto lattice = sm::square_lattice(4, 4);
  const auto neighbors = neighbors_of(16, lattice);
  const Eigen::MatrixXd samples = simulate(16, 3000, [&](Eigen::Index i, const auto& x) {
    double field = 0;
    for (const Eigen::Index j : neighbors[std::size_t(i)]) field += 0.4 * x(j);
    return field * x(i) - x(i) * x(i) / 2 - std::pow(x(i), 4) / 4;
  });

  const sm::PhiFourFamily<double> family(16, sm::complete_graph(16), sm::Couplings::per_edge);
  const sm::ScoreMatchingLoss loss;
  const auto path = sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, samples);
  const auto chosen = sm::select(path, sm::ExtendedBic{.refit = true}, samples);
  const auto fit = sm::refit(family, loss, samples, chosen.edges);
  std::cout << "phi-four: " << fit.edges.size()
            << " of 120 pairs are coupled, r = " << fit.parameters(120)
            << ", u = " << fit.parameters(121) << '\n';

  expect_same(fit.edges, lattice, "the lattice");
}

void xy_model() {
  const auto lattice = sm::square_lattice(3, 3);
  const auto neighbors = neighbors_of(9, lattice);
  const Eigen::MatrixXd samples = simulate(9, 3000, [&](Eigen::Index i, const auto& x) {
    double sum = 0;
    for (const Eigen::Index j : neighbors[std::size_t(i)]) sum += 0.6 * std::cos(x(i) - x(j));
    return sum;
  });

  const sm::VonMisesFamily<double> family(9, sm::complete_graph(9), sm::Couplings::with_phase,
                                          sm::Fields::none);
  const sm::ScoreMatchingLoss loss;
  const auto path = sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, samples);
  const auto chosen = sm::select(path, sm::ExtendedBic{.refit = true}, samples);
  std::cout << "XY model: " << chosen.edges.size() << " of 36 pairs are coupled\n";

  expect_same(chosen.edges, lattice, "the lattice");
}

}  // namespace

int main() {
  exam_marks();
  few_samples();
  no_minimum();
  what_is_known();
  truncated();
  phi_four();
  xy_model();
  criteria();
}
