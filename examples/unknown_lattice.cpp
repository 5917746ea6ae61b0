// Which sites of a lattice act on each other, from samples alone: 64 phi-four spins and 64 angles
// with random phases, each pair a possible edge, 2016 of them. Then a graph behind truncated
// samples: generalized score matching beside a plain Gaussian, which here orders the pairs as well.
//
// Usage: unknown_lattice [DIRECTORY [SITES]]   writes its pictures (or, without gnuplot, the data
// of them) there; SITES (50) of the truncated Gaussian, a multiple of 10
#include "expect.hpp"
#include "gnuplot.hpp"
#include "lattice_samplers.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <numbers>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sm = scorematch;

namespace {

constexpr int side = 8;
constexpr Eigen::Index samples_of_lattice = 5000;

sm::Edge in_order(const sm::Edge& edge) {
  return {(std::min)(edge.first, edge.second), (std::max)(edge.first, edge.second)};
}

std::set<sm::Edge> set_of(const std::vector<sm::Edge>& edges) {
  std::set<sm::Edge> result;
  for (const sm::Edge& edge : edges) result.insert(in_order(edge));
  return result;
}

// Edges that were found, against those that are there.
struct Found {
  std::size_t right;
  std::size_t found;
  std::size_t there;

  double precision() const { return found > 0 ? double(right) / double(found) : 1; }
  double recall() const { return double(right) / double(there); }
};

Found compare(const std::vector<sm::Edge>& edges, const std::vector<sm::Edge>& truth) {
  const std::set<sm::Edge> there = set_of(truth);
  Found result{0, edges.size(), there.size()};
  for (const sm::Edge& edge : edges) result.right += there.contains(in_order(edge));
  return result;
}

// A line for the picture from one site to another. Those that leave the lattice and come back on
// the other side are two stubs.
void write_line(std::ofstream& file, const sm::Edge& edge, double value) {
  const auto place = [](Eigen::Index site) {
    const Eigen::Index row = site / side;
    return Eigen::Vector2d(double(site % side), double(row));
  };
  const auto line = [&](const Eigen::Vector2d& from, const Eigen::Vector2d& by) {
    file << from(0) << ' ' << from(1) << ' ' << by(0) << ' ' << by(1) << ' ' << value << '\n';
  };
  const Eigen::Vector2d from = place(edge.first);
  const Eigen::Vector2d by = place(edge.second) - from;
  if (by.cwiseAbs().maxCoeff() == side - 1 && by.cwiseAbs().minCoeff() == 0) {
    line(from, -by / (2 * (side - 1)));
    line(from + by, by / (2 * (side - 1)));
  } else {
    line(from, by);
  }
}

// NAME.dat: the edges that were found and are there; then those that are not; then those that were
// missed.
void write_lattice(const Picture& picture, const std::string& name,
                   const std::vector<sm::Edge>& edges, const std::vector<double>& values,
                   const std::vector<sm::Edge>& truth) {
  const std::set<sm::Edge> there = set_of(truth);
  const std::set<sm::Edge> found = set_of(edges);
  std::ofstream file = picture.open(name + ".dat");
  for (std::size_t e = 0; e < edges.size(); ++e) {
    if (there.contains(edges[e])) write_line(file, edges[e], values[e]);
  }
  // An empty block would not count as one.
  file << "\n\n-9 -9 0 0 0\n";
  for (const sm::Edge& edge : found) {
    if (!there.contains(edge)) write_line(file, edge, 0);
  }
  file << "\n\n-9 -9 0 0 0\n";
  for (const sm::Edge& edge : there) {
    if (!found.contains(edge)) write_line(file, edge, 0);
  }
}

void draw_lattices(const Picture& picture) {
  const auto panel = [](const std::string& name, const std::string& title,
                        const std::string& range) {
    return "set title '" + title + "'\nset cbrange " + range + "\nplot '" + name +
           ".dat' index 2 using 1:2:3:4 with vectors nohead lw 1 dt 2 lc rgb '#999999' notitle, "
           "\\\n     '' index 1 using 1:2:3:4 with vectors nohead lw 1 lc rgb '#000000' notitle, "
           "\\\n     '' index 0 using 1:2:3:4:5 with vectors nohead lw 4 lc palette notitle, "
           "\\\n     '+' using (int($1) % 8):(int($1) / 8) with points pt 7 ps 0.5 lc rgb "
           "'#333333' notitle\n";
  };
  picture.draw("unknown_lattice",
               "set terminal svg size 760,360 font \"sans-serif,12\" background \"white\"\n"
               "set output 'unknown_lattice.svg'\nset multiplot layout 1,2\nset size square\n"
               "set xrange [-0.8:7.8]\nset yrange [-0.8:7.8]\nunset tics\nset cbtics\n"
               "set trange [0:63]\nset samples 64\nset parametric\n"
               "set palette defined (-1 '#d55e00', 0 '#eeeeee', 1 '#0072b2')\n" +
                   panel("phi_four_graph", "phi-four: couplings found", "[-0.8:0.8]") +
                   "set palette defined (0 '#eeeeee', 1 '#0072b2')\n" +
                   panel("xy_graph", "angles: strength of couplings found", "[0:1.2]") +
                   "unset multiplot\n",
               "unknown_lattice.svg");
}

// The graph of a family of all pairs, by a path of penalties and the extended BIC; then its
// couplings, without a penalty.
template <class Family>
auto recover(const Family& every_pair, const Eigen::MatrixXd& samples) {
  const auto path =
      fit_path(every_pair, sm::ScoreMatchingLoss{}, sm::L1{}, sm::CoordinateDescent{}, samples);
  const auto chosen = select(path, sm::ExtendedBic{.refit = true}, samples);
  return refit(every_pair, sm::ScoreMatchingLoss{}, samples, chosen.edges);
}

// The parameters of every pair that the truth has, and zeros for all others.
template <class Family>
Eigen::VectorXd among_all_pairs(const Family& known, const Eigen::VectorXd& truth,
                                const Family& every_pair) {
  Eigen::VectorXd result = Eigen::VectorXd::Zero(every_pair.parameter_count());
  const std::vector<sm::Coupling> all = every_pair.couplings();
  for (const sm::Coupling& coupling : known.couplings()) {
    const sm::Edge edge = in_order(coupling.edge);
    const auto at = std::find_if(all.begin(), all.end(), [&](const sm::Coupling& other) {
      return in_order(other.edge) == edge;
    });
    result.segment(at->first, at->count) = truth.segment(coupling.first, coupling.count);
    // Turned round, an edge has the other sign of its sine.
    if (coupling.count == 2 && at->edge != coupling.edge) result(at->first + 1) *= -1;
  }
  return result;
}

template <class Fit>
Found report(const char* name, const Fit& fitted, const std::vector<sm::Edge>& lattice,
             const Eigen::VectorXd& truth, Eigen::Index couplings) {
  const Found found = compare(fitted.edges, lattice);
  const Eigen::VectorXd off = (fitted.parameters - truth).head(couplings);
  const Eigen::VectorXd real = truth.head(couplings);
  const double count = double((real.array() != 0).count());
  std::printf("%s: %zu edges found of %zu, %zu of them right: precision %.3f, recall %.3f\n", name,
              found.found, found.there, found.right, found.precision(), found.recall());
  std::printf("  couplings: root mean square %.3f, error after the second fit %.4f\n",
              real.norm() / std::sqrt(count), off.norm() / std::sqrt(count));
  std::printf("%s\n", std::string(explain(fitted.status)).c_str());
  return found;
}

bool phi_four(const Picture& picture) {
  const std::vector<sm::Edge> lattice = sm::square_lattice(side, side);
  const sm::PhiFourFamily<double> known(side * side, lattice, sm::Couplings::per_edge);
  const sm::PhiFourFamily<double> every_pair(side * side, sm::complete_graph(side * side),
                                             sm::Couplings::per_edge);
  std::mt19937_64 rng(2);
  std::uniform_real_distribution<double> size(0.25, 0.7);
  Eigen::VectorXd theta(known.parameter_count());
  for (double& j : theta) j = (rng() % 2 == 0 ? 1 : -1) * size(rng);
  theta.tail(2) << 0.5, 1;  // r, u
  lattice::PhiFourChain chain(known, theta);
  const auto fitted = recover(every_pair, lattice::draw_samples(chain, samples_of_lattice, 3));

  Eigen::VectorXd truth = among_all_pairs(known, theta, every_pair);
  truth.tail(2) = theta.tail(2);
  const Found found = report("phi-four", fitted, lattice, truth, every_pair.coupling_count());
  std::printf("  r = %.3f (true 0.5), u = %.3f (true 1)\n", every_pair.r(fitted.parameters),
              every_pair.u(fitted.parameters));
  write_lattice(picture, "phi_four_graph", fitted.edges, fitted.strengths, lattice);
  return expect(fitted.status == sm::Status::converged, "the fit of phi-four converges") &&
         expect(found.precision() >= 0.95, "0.95 of the phi-four edges are right") &&
         expect(found.recall() >= 0.95, "0.95 of the phi-four lattice is found") &&
         expect((fitted.parameters - truth).tail(2).norm() < 0.2, "r and u are found to 0.2");
}

bool angles(const Picture& picture) {
  const std::vector<sm::Edge> lattice = sm::square_lattice(side, side);
  const sm::VonMisesFamily<double> known(side * side, lattice, sm::Couplings::with_phase);
  const sm::VonMisesFamily<double> every_pair(side * side, sm::complete_graph(side * side),
                                              sm::Couplings::with_phase);
  std::mt19937_64 rng(3);
  std::uniform_real_distribution<double> size(0.4, 1);
  std::uniform_real_distribution<double> phase(-std::numbers::pi, std::numbers::pi);
  Eigen::VectorXd theta(known.parameter_count());
  for (const sm::Coupling& coupling : known.couplings()) {
    const double strength = size(rng);
    const double turn = phase(rng);
    theta(coupling.first) = strength * std::cos(turn);
    theta(coupling.first + 1) = strength * std::sin(turn);
  }
  lattice::XyChain chain(known, theta);
  const auto fitted = recover(every_pair, lattice::draw_samples(chain, samples_of_lattice, 3));

  const Eigen::VectorXd truth = among_all_pairs(known, theta, every_pair);
  const Found found = report("angles", fitted, lattice, truth, truth.size());
  write_lattice(picture, "xy_graph", fitted.edges, fitted.strengths, lattice);
  return expect(fitted.status == sm::Status::converged, "the fit of the angles converges") &&
         expect(found.precision() >= 0.95, "0.95 of the edges of the angles are right") &&
         expect(found.recall() >= 0.95, "0.95 of the lattice of the angles is found");
}

// The rates of false and of right edges along a path, from none to all.
template <class Path>
std::vector<std::pair<double, double>> roc(const Path& path, const std::vector<sm::Edge>& truth) {
  const double sites = double(path.family.dimension());
  std::vector<std::pair<double, double>> curve{{0, 0}};
  for (const auto& point : path.points) {
    const Found found = compare(point.edges, truth);
    const double absent = sites * (sites - 1) / 2 - double(found.there);
    curve.emplace_back(double(found.found - found.right) / absent, found.recall());
  }
  curve.emplace_back(1, 1);
  std::sort(curve.begin(), curve.end());
  return curve;
}

double area_under(const std::vector<std::pair<double, double>>& curve) {
  double area = 0;
  for (std::size_t k = 1; k < curve.size(); ++k) {
    area += (curve[k].first - curve[k - 1].first) * (curve[k].second + curve[k - 1].second) / 2;
  }
  return area;
}

bool truncated(const Picture& picture, Eigen::Index sites) {
  constexpr Eigen::Index count = 1000;
  // Blocks of ten, as Yu, Drton and Shojaie (2019) have them, with a smallest eigenvalue of 0.1.
  std::mt19937_64 rng(4);
  std::uniform_real_distribution<double> unit(0, 1);
  std::uniform_real_distribution<double> entry(0.5, 1);
  std::vector<sm::Edge> edges;
  Eigen::MatrixXd precision = Eigen::MatrixXd::Zero(sites, sites);
  for (Eigen::Index i = 0; i < sites; ++i) {
    for (Eigen::Index j = i - i % 10; j < i; ++j) {
      if (unit(rng) > 0.8) continue;
      edges.push_back({j, i});
      precision(i, j) = precision(j, i) = entry(rng);
    }
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(precision, Eigen::EigenvaluesOnly);
  precision.diagonal().setConstant(0.1 - solver.eigenvalues()(0));
  lattice::OrthantChain chain(precision);
  const Eigen::MatrixXd samples = lattice::draw_samples(chain, count, 10);

  const sm::PathOptions options{.count = 40, .ratio = 0.01};
  const auto generalized =
      roc(fit_path(sm::TruncatedGaussianFamily<double>(sites), sm::GeneralizedScoreMatchingLoss{},
                   sm::L1{}, sm::CoordinateDescent{}, samples, options),
          edges);
  const auto naive =
      roc(fit_path(sm::PairwiseGaussianFamily<double>(sites), sm::ScoreMatchingLoss{}, sm::L1{},
                   sm::CoordinateDescent{}, samples, options),
          edges);
  const double area = area_under(generalized);
  const double plain = area_under(naive);
  std::printf(
      "truncated Gaussian of %td variables, %td samples: area under the ROC curve %.3f "
      "generalized, %.3f of a plain Gaussian\n",
      sites, count, area, plain);

  std::ofstream file = picture.open("truncated_graph.dat");
  for (const auto* curve : {&generalized, &naive}) {
    for (const auto& [wrong, right] : *curve) file << wrong << ' ' << right << '\n';
    file << "\n\n";
  }
  file.close();
  picture.draw("truncated_graph",
               "set terminal svg size 460,420 font \"sans-serif,12\" background \"white\"\n"
               "set output 'truncated_graph.svg'\nset size square\nset grid lc rgb '#dddddd'\n"
               "set key bottom right\nset xlabel 'share of the absent edges that are found'\n"
               "set ylabel 'share of the edges that are found'\nset xrange [0:1]\n"
               "set yrange [0:1.02]\nplot 'truncated_graph.dat' index 0 with linespoints pt 7 ps "
               "0.4 lc rgb '#0072b2' title 'generalized score matching', \\\n     '' index 1 with "
               "linespoints pt 7 ps 0.4 lc rgb '#d55e00' title 'plain Gaussian', \\\n     x with "
               "lines dt 2 lc rgb '#999999' notitle\n",
               "truncated_graph.svg");
  return expect(area > 0.65, "the graph behind truncated samples is found better than by chance");
}

bool run(const std::string& directory, const std::string& sites) {
  const int number = std::atoi(sites.c_str());
  if (number < 10 || number > 1000 || number % 10 != 0) {
    throw std::invalid_argument("SITES " + sites + ": expected a multiple of 10 from 10 to 1000");
  }
  const Picture picture(directory);
  const bool spins = phi_four(picture);
  const bool turned = angles(picture);
  draw_lattices(picture);
  return truncated(picture, number) && spins && turned;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "unknown_lattice_picture", argc > 2 ? argv[2] : "50")
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
