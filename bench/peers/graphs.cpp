// Sparse graphs: the data that the peers read as well, and the library's side of the comparison.
//
//   graphs data GRAPH P N FOLDER          samples.bin (N rows of P doubles) and edges.bin (pairs of
//                                         32-bit integers); GRAPH: chain, random, hubs, blocks
//   graphs fit FOLDER P N REPEATS         one penalty, and a path of 30
//   graphs path FOLDER P N COUNT RATIO    a path from the samples, with the peak of memory
//
// The last two print a line of JSON. Times are the least of the repeats, of CPU time.
#include <scorematch/scorematch.hpp>

#include <Eigen/Core>
#include <Eigen/SparseCholesky>
#include <Eigen/SparseCore>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sm = scorematch;

namespace {

using Sparse = Eigen::SparseMatrix<double>;
using Factor = Eigen::SimplicialLLT<Sparse>;
using Edges = std::set<sm::Edge>;

// What no standard library may change: uniform, and normal by Box and Muller.
class Draw {
 public:
  double uniform() { return (double(bits_() >> 11) + 0.5) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  Eigen::Index below(Eigen::Index n) { return Eigen::Index(uniform() * double(n)); }
  double sign() { return uniform() < 0.5 ? -1.0 : 1.0; }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * 3.14159265358979323846 * uniform());
  }

 private:
  std::mt19937_64 bits_{20};
};

Sparse symmetric(Eigen::Index p, const std::vector<Eigen::Triplet<double>>& pairs,
                 double diagonal) {
  std::vector<Eigen::Triplet<double>> entries = pairs;
  for (const auto& pair : pairs) entries.emplace_back(pair.col(), pair.row(), pair.value());
  for (int i = 0; i < int(p); ++i) entries.emplace_back(i, i, diagonal);
  Sparse result(p, p);
  result.setFromTriplets(entries.begin(), entries.end());
  return result;
}

// The largest eigenvalue of a matrix whose eigenvalues are not below -`shift`.
double largest_eigenvalue(const Sparse& matrix, double shift) {
  Eigen::VectorXd v = Eigen::VectorXd::Ones(matrix.rows());
  for (Eigen::Index i = 0; i < v.size(); ++i) v(i) += 0.1 * double(i % 7);
  double norm = 0;
  for (int k = 0; k < 2000; ++k) {
    v.normalize();
    v = (matrix * v + shift * v).eval();
    norm = v.norm();
  }
  return norm - shift;
}

// The diagonal at which the condition number is `condition`.
Sparse conditioned(Eigen::Index p, const std::vector<Eigen::Triplet<double>>& pairs,
                   double condition) {
  const Sparse off = symmetric(p, pairs, 0);
  double bound = 0;  // Gershgorin's
  for (Eigen::Index j = 0; j < p; ++j) bound = std::max(bound, off.col(j).cwiseAbs().sum());
  const double high = largest_eigenvalue(off, bound);
  const double low = -largest_eigenvalue(-off, bound);
  return symmetric(p, pairs, (high - condition * low) / (condition - 1));
}

Sparse precision_of(const std::string& graph, Eigen::Index p, Draw& draw) {
  std::vector<Eigen::Triplet<double>> pairs;
  const auto join = [&pairs](Eigen::Index i, Eigen::Index j, double value) {
    pairs.emplace_back(int(std::min(i, j)), int(std::max(i, j)), value);
  };
  if (graph == "chain") {
    for (Eigen::Index i = 0; i + 1 < p; ++i) join(i, i + 1, -draw.uniform(0.3, 0.45));
    return symmetric(p, pairs, 1);
  }
  if (graph == "hubs") {  // p / 20 of them, 19 leaves each
    for (Eigen::Index i = 0; i < p; ++i) {
      if (i % 20 != 0) join(i, i - i % 20, -0.2);
    }
    return symmetric(p, pairs, 1);
  }
  if (graph == "random") {  // of Erdos and Renyi, with 4 edges at a site
    for (Eigen::Index j = 0; j < p; ++j) {
      for (Eigen::Index i = 0; i < j; ++i) {
        if (draw.uniform() < 4 / double(p - 1)) join(i, j, draw.sign() * draw.uniform(0.5, 1));
      }
    }
    return conditioned(p, pairs, 30);
  }
  if (graph == "blocks") {  // trees by preferential attachment, of 50 to 100 sites
    for (Eigen::Index begin = 0; begin < p;) {
      const Eigen::Index size = std::min(p - begin, 50 + draw.below(51));
      std::vector<Eigen::Index> ends{begin};
      for (Eigen::Index k = 1; k < size; ++k) {
        const Eigen::Index to = ends[std::size_t(draw.below(Eigen::Index(ends.size())))];
        join(begin + k, to, draw.sign() * draw.uniform(0.5, 1));
        ends.push_back(to);
        ends.push_back(begin + k);
      }
      begin += size;
    }
    return conditioned(p, pairs, 30);
  }
  std::fprintf(stderr, "no graph \"%s\"; expected chain, random, hubs or blocks\n", graph.c_str());
  std::exit(2);
}

void write_data(const std::string& graph, Eigen::Index p, Eigen::Index n,
                const std::string& folder) {
  Draw draw;
  const Sparse precision = precision_of(graph, p, draw);
  const Factor factor(precision);
  if (factor.info() != Eigen::Success) {
    std::fprintf(stderr, "the precision is not positive definite\n");
    std::exit(1);
  }
  std::ofstream samples(folder + "/samples.bin", std::ios::binary);
  Eigen::VectorXd z(p);
  for (Eigen::Index k = 0; k < n; ++k) {
    for (Eigen::Index i = 0; i < p; ++i) z(i) = draw.normal();
    const Eigen::VectorXd x = factor.permutationPinv() * factor.matrixU().solve(z);
    samples.write(reinterpret_cast<const char*>(x.data()), std::streamsize(8 * p));
  }
  std::ofstream edges(folder + "/edges.bin", std::ios::binary);
  for (Eigen::Index j = 0; j < p; ++j) {
    for (Sparse::InnerIterator entry(precision, j); entry; ++entry) {
      if (entry.row() >= j) continue;
      const std::array<std::int32_t, 2> pair{std::int32_t(entry.row()), std::int32_t(j)};
      edges.write(reinterpret_cast<const char*>(pair.data()), 8);
    }
  }
}

Eigen::MatrixXd read_samples(const std::string& folder, Eigen::Index p, Eigen::Index n) {
  Eigen::MatrixXd samples(p, n);
  std::ifstream file(folder + "/samples.bin", std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(samples.data()), std::streamsize(8 * p * n))) {
    std::fprintf(stderr, "%s/samples.bin is not there, or too short\n", folder.c_str());
    std::exit(1);
  }
  return samples;
}

Edges read_edges(const std::string& folder) {
  Edges edges;
  std::ifstream file(folder + "/edges.bin", std::ios::binary);
  std::array<std::int32_t, 2> pair;
  while (file.read(reinterpret_cast<char*>(pair.data()), 8)) edges.insert({pair[0], pair[1]});
  return edges;
}

struct Score {
  double edges = 0;
  double hits = 0;
};

Score score_of(const std::vector<sm::Edge>& found, const Edges& truth) {
  Score score{double(found.size()), 0};
  for (const sm::Edge& edge : found) score.hits += truth.contains(edge) ? 1 : 0;
  return score;
}

// Under the rate of true over that of false positives, with straight lines from (0, 0) along the
// path to (1, 1).
double area_under_curve(const std::vector<Score>& path, double positives, double pairs) {
  double area = 0;
  double x = 0, y = 0;
  const auto to = [&](double next_x, double next_y) {
    area += (next_x - x) * (next_y + y) / 2;
    x = next_x;
    y = next_y;
  };
  for (const Score& at : path) {
    to((at.edges - at.hits) / (pairs - positives), at.hits / positives);
  }
  to(1, 1);
  return area;
}

double cpu_seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) / 1024;
}

template <class Work>
double least_seconds(int repeats, Work&& work) {
  double least = std::numeric_limits<double>::infinity();
  for (int k = 0; k < repeats; ++k) {
    const double start = cpu_seconds();
    work();
    least = std::min(least, cpu_seconds() - start);
  }
  return least;
}

template <class Data>
auto path_of(const Data& data, Eigen::Index p, const sm::PathOptions& options) {
  return sm::fit_path(sm::PairwiseGaussianFamily<double>(p), sm::ScoreMatchingLoss{}, sm::L1{},
                      sm::CoordinateDescent{}, data, options);
}

void print_score(const Score& score, double positives) {
  std::printf("\"edges\": %.0f, \"precision\": %.6f, \"recall\": %.6f", score.edges,
              score.edges > 0 ? score.hits / score.edges : 1.0, score.hits / positives);
}

void fit(const std::string& folder, Eigen::Index p, Eigen::Index n, int repeats) {
  const Edges truth = read_edges(folder);
  const Eigen::MatrixXd samples = read_samples(folder, p, n);
  const double positives = double(truth.size());
  sm::Moments<double> moments(p);
  const double moments_seconds = least_seconds(repeats, [&] {
    moments = sm::Moments<double>(p);
    moments.add(samples);
  });
  auto path = path_of(moments, p, {});
  const double path_seconds = least_seconds(repeats, [&] { path = path_of(moments, p, {}); });
  std::vector<Score> scores;
  for (const auto& point : path.points) scores.push_back(score_of(point.edges, truth));

  // The penalty whose number of edges is nearest the true one, and of those on the way the one
  // whose sum of precision and recall is best.
  std::size_t k = 1;
  while (k + 1 < scores.size() && scores[k].edges < positives) ++k;
  double high = path.options.weights[k - 1], low = path.options.weights[k], best = high;
  Score nearest = scores[k - 1];
  Score finest;
  const auto goodness = [&](const Score& s) {
    return s.edges > 0 ? 2 * s.hits / (s.edges + positives) : 0;
  };
  for (const Score& s : scores) finest = goodness(s) > goodness(finest) ? s : finest;
  for (int halving = 0; halving < 12; ++halving) {
    const double middle = std::sqrt(low * high);
    const Score here =
        score_of(path_of(moments, p, {.weights = {middle}}).points.front().edges, truth);
    if (std::abs(here.edges - positives) < std::abs(nearest.edges - positives)) {
      nearest = here;
      best = middle;
    }
    finest = goodness(here) > goodness(finest) ? here : finest;
    (here.edges < positives ? high : low) = middle;
  }
  auto one = path_of(moments, p, {.weights = {best}});
  const double seconds =
      least_seconds(repeats, [&] { one = path_of(moments, p, {.weights = {best}}); });
  const double from_samples =
      least_seconds(repeats, [&] { one = path_of(samples, p, {.weights = {best}}); });
  std::printf(
      "{\"who\": \"library\", \"p\": %d, \"n\": %d, \"true_edges\": %.0f, \"weight\": %.6g, ",
      int(p), int(n), positives, best);
  print_score(nearest, positives);
  const double pairs = double(p) * double(p - 1) / 2;
  std::printf(
      ", \"seconds\": %.6g, \"sweeps\": %d, \"from_samples_seconds\": %.6g, "
      "\"moments_seconds\": %.6g, \"path_seconds\": %.6g, \"path_edges\": %.0f, "
      "\"auc\": %.6f, \"best\": {",
      seconds, int(one.points.front().iterations), from_samples, moments_seconds, path_seconds,
      scores.back().edges, area_under_curve(scores, positives, pairs));
  print_score(finest, positives);
  std::printf(
      ", \"false_positive_rate\": %.3g}, \"converged\": %d, \"megabytes\": %.1f}\n",
      (finest.edges - finest.hits) / (pairs - positives),
      int(std::count_if(path.points.begin(), path.points.end(),
                        [](const auto& point) { return point.status == sm::Status::converged; })),
      peak_megabytes());
}

void long_path(const std::string& folder, Eigen::Index p, Eigen::Index n, Eigen::Index count,
               double ratio) {
  const Edges truth = read_edges(folder);
  const double positives = double(truth.size());
  const Eigen::MatrixXd samples = read_samples(folder, p, n);
  const double before = peak_megabytes();
  const double start = cpu_seconds();
  double last = start;
  std::vector<Score> scores;
  Score nearest;
  Eigen::Index converged = 0;
  const auto look = [&](const auto& point) {
    const double now = cpu_seconds();
    const Score here = score_of(point.edges, truth);
    scores.push_back(here);
    converged += point.status == sm::Status::converged ? 1 : 0;
    if (scores.size() == 1 ||
        std::abs(here.edges - positives) < std::abs(nearest.edges - positives)) {
      nearest = here;
    }
    std::fprintf(stderr, "weight %.4f: %.0f edges, %d sweeps, %.2f s, %s\n", point.weight,
                 here.edges, int(point.iterations), now - last,
                 point.status == sm::Status::converged ? "converged" : "not converged");
    last = now;
  };
  const sm::PathOptions options{.count = count, .ratio = ratio};
  const auto path = sm::fit_path(sm::PairwiseGaussianFamily<double>(p), sm::ScoreMatchingLoss{},
                                 sm::L1{}, sm::CoordinateDescent{}, samples, options, look);
  const double seconds = cpu_seconds() - start;
  const double pairs = double(p) * double(p - 1) / 2;
  std::printf(
      "{\"who\": \"library\", \"p\": %d, \"n\": %d, \"true_edges\": %.0f, \"count\": %d, "
      "\"ratio\": %g, ",
      int(p), int(n), positives, int(count), ratio);
  print_score(nearest, positives);
  std::printf(
      ", \"path_seconds\": %.6g, \"path_edges\": %.0f, \"auc\": %.6f, \"converged\": %d, "
      "\"megabytes\": %.1f, \"before_megabytes\": %.1f, \"matrix_megabytes\": %.1f}\n",
      seconds, scores.back().edges, area_under_curve(scores, positives, pairs), int(converged),
      peak_megabytes(), before, double(p) * double(p) * 8 / 1048576);
}

}  // namespace

int main(int argc, char** argv) {
#ifndef NDEBUG
  std::fprintf(stderr, "built with assertions on: figures would mean nothing\n");
  return 1;
#endif
  const std::vector<std::string> given(argv + 1, argv + argc);
  const auto number = [&](std::size_t k) { return Eigen::Index(std::atol(given[k].c_str())); };
  if (given.size() == 5 && given[0] == "data") {
    write_data(given[1], number(2), number(3), given[4]);
  } else if (given.size() == 5 && given[0] == "fit") {
    fit(given[1], number(2), number(3), int(number(4)));
  } else if (given.size() == 6 && given[0] == "path") {
    long_path(given[1], number(2), number(3), number(4), std::atof(given[5].c_str()));
  } else {
    std::fprintf(stderr, "usage: see the head of the source\n");
    return 2;
  }
}
