// Finds which columns of a table of numbers depend on each other, given all others: the graph of a
// Gaussian, by score matching with a penalty on its couplings. By default the marks of 88 students
// in five exams (Mardia, Kent and Bibby 1979), whose graph is the butterfly of the textbooks:
// algebra joins mechanics and vectors to analysis and statistics. `graph_csv --help` lists its
// options.
#include "csv.hpp"
#include "csv_options.hpp"
#include "expect.hpp"
#include "gnuplot.hpp"

#include <scorematch/scorematch.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace sm = scorematch;

namespace {

constexpr const char* usage = R"(Usage: graph_csv [FILE] [OPTION VALUE]...

Finds the graph of the columns of a table of numbers: an edge where two depend on each other, given
all others. FILE has fields between commas, semicolons, tabs or blanks, with or without a header;
without FILE, the marks of 88 students.

  --header yes|no      whether the first row holds names; else it is guessed
  --columns A,B,...    these columns only, by name or number from 1
  --missing drop       leave out rows that lack a value; else they are an error
  --weights N          how many penalties are tried (30)
  --ratio R            the smallest penalty over the largest (0.1)
  --select NAME        the criterion that chooses the penalty:
                       refitted-bic: extended BIC of each graph fitted without a penalty; the
                       default for up to 200 columns, twice as many rows, and no ridge
                       bic: extended BIC of the estimates along the path; the default above that
                       cross-validation: the loss of rows that are left out, in 10 parts; the
                       default for fewer rows, from 10 on
                       stars: the smallest penalty at which subsamples agree
  --gamma G            of the extended BIC (0.5); more: fewer edges
  --ridge R            add R to the variance of each standardized column: an estimate for any table
  --output DIRECTORY   where edges.csv, graph.dot and the pictures go (graph_csv_output)
  --help               this text

Exit status: 0 converged, 1 not (the output says why), 2 wrong input.
)";

struct Options {
  // Beside this source file.
  std::string file = std::filesystem::path(__FILE__).replace_filename("data/marks.csv").string();
  csv::Options reading;
  sm::PathOptions path;
  std::string criterion;
  double gamma = 0.5;
  double ridge = 0;
  std::string output = "graph_csv_output";
  bool known = true;  // the marks, as a whole and with all defaults: the graph is known
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option != "--output") options.known = false;
    if (!option.starts_with("--")) {
      options.file = option;
      continue;
    }
    if (i + 1 == argc) throw std::invalid_argument(csv::shown(option) + " needs a value");
    const std::string value = argv[++i];
    if (csv::take(option, value, options.reading)) continue;
    if (option == "--weights") {
      const double count = csv::positive(option, value);
      if (!(count >= 2 && count <= 1e6)) csv::refuse(option, value, "2 or more");
      options.path.count = static_cast<Eigen::Index>(count);
    } else if (option == "--ratio") {
      options.path.ratio = csv::positive(option, value);
      if (!(options.path.ratio < 1)) csv::refuse(option, value, "a number between 0 and 1");
    } else if (option == "--select") {
      options.criterion = value;
    } else if (option == "--gamma") {
      options.gamma = value == "0" ? 0 : csv::positive(option, value);
    } else if (option == "--ridge") {
      options.ridge = csv::positive(option, value);
    } else if (option == "--output") {
      options.output = value;
    } else {
      throw std::invalid_argument("unknown option " + csv::shown(option) + " (see --help)");
    }
  }
  return options;
}

// Of a column of the table.
class Names {
 public:
  explicit Names(const std::vector<std::string>& names) : names_(names) {}
  const std::string& operator()(Eigen::Index i) const {
    return names_[static_cast<std::size_t>(i)];
  }

  // In a field of a CSV file.
  std::string field(Eigen::Index i) const { return in_quotes(i, "\""); }
  // In a .dot file.
  std::string node(Eigen::Index i) const { return in_quotes(i, "\\"); }

 private:
  // With `escape` before each quote. A backslash would escape in a .dot file alone.
  std::string in_quotes(Eigen::Index i, const char* escape) const {
    std::string result = "\"";
    for (const char c : csv::shown((*this)(i))) {
      if (c == '"' || (c == '\\' && *escape == '\\')) result += escape;
      result += c;
    }
    result += '"';
    return result;
  }

  std::vector<std::string> names_;
};

void require_numbers_that_differ(const std::string& file, const csv::Table& table) {
  for (Eigen::Index i = 0; i < table.values.rows(); ++i) {
    const auto row = table.values.row(i);
    if (row.minCoeff() < row.maxCoeff()) continue;
    throw std::runtime_error(csv::shown(file) + ": column " +
                             csv::quoted(table.names[static_cast<std::size_t>(i)]) +
                             " is constant; expected numbers that differ (leave it out: "
                             "--columns)");
  }
}

// A line on the terminal now and then, where a path takes long.
class Progress {
 public:
  explicit Progress(Eigen::Index weights) : weights_(weights) {}

  template <class Point>
  void operator()(const Point& point) {
    ++done_;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::seconds(1)) return;
    last_ = now;
    std::fprintf(stderr, "%td of %td penalties, %zu edges\n", done_, weights_, point.edges.size());
  }

 private:
  Eigen::Index weights_;
  Eigen::Index done_ = 0;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

template <class Path, class Chosen>
void print_path(const Path& path, const Chosen& chosen) {
  std::printf("\n  %10s %7s %12s %12s  %s\n", "weight", "edges", "loss", "criterion", "status");
  for (std::size_t k = 0; k < path.points.size(); ++k) {
    const auto& point = path.points[k];
    std::printf("%s %10.4g %7zu %12.6g %12.6g  %s\n",
                static_cast<Eigen::Index>(k) == chosen.index ? "*" : " ", point.weight,
                point.edges.size(), point.loss, chosen.scores[k],
                std::string(to_string(point.status)).c_str());
  }
}

// The edges of an estimate, those of the largest partial correlations first.
template <class Estimate>
std::vector<std::size_t> by_strength(const Estimate& estimate) {
  std::vector<std::size_t> order(estimate.edges.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(estimate.partial_correlations[a]) > std::abs(estimate.partial_correlations[b]);
  });
  return order;
}

template <class Estimate>
void print_edges(const Estimate& estimate, const Names& names) {
  constexpr std::size_t most = 40;
  std::printf("\npartial correlations (each pair given all others)\n");
  std::size_t printed = 0;
  for (const std::size_t e : by_strength(estimate)) {
    if (printed++ == most) break;
    std::printf("  %-16s %-16s %8.3f\n", csv::shown(names(estimate.edges[e].first)).c_str(),
                csv::shown(names(estimate.edges[e].second)).c_str(),
                estimate.partial_correlations[e]);
  }
  if (estimate.edges.empty()) std::printf("  none\n");
  if (printed > most) std::printf("  ... and %zu more\n", estimate.edges.size() - most);
}

template <class Estimate>
void write_edges(const Picture& picture, const Estimate& estimate, const Names& names) {
  std::ofstream file = picture.open("edges.csv");
  file << "first,second,partial correlation\n";
  for (const std::size_t e : by_strength(estimate)) {
    file << names.field(estimate.edges[e].first) << ',' << names.field(estimate.edges[e].second)
         << ',' << estimate.partial_correlations[e] << '\n';
  }
}

// For Graphviz, and drawn where that is installed.
template <class Estimate>
void write_graph(const Picture& picture, const std::string& directory, const Estimate& estimate,
                 const Names& names) {
  const Eigen::Index p = estimate.precision.rows();
  const bool few = p <= 50;  // then those without an edge are drawn too, and edges have numbers
  std::ofstream file = picture.open("graph.dot");
  file.precision(2);
  file << "graph {\n  layout=neato\n  overlap=false\n  splines=true\n"
       << "  node [shape=box, style=rounded, fontname=\"sans-serif\"]\n"
       << "  edge [fontname=\"sans-serif\", fontsize=10, len=1.6]\n";
  for (Eigen::Index i = 0; few && i < p; ++i) file << "  " << names.node(i) << '\n';
  for (std::size_t e = 0; e < estimate.edges.size(); ++e) {
    const double value = estimate.partial_correlations[e];
    file << "  " << names.node(estimate.edges[e].first) << " -- "
         << names.node(estimate.edges[e].second) << " [penwidth=" << 0.5 + 6 * std::abs(value)
         << ", color=\"" << (value > 0 ? "#0072b2" : "#d55e00") << '"';
    if (few) file << ", label=\"" << value << '"';
    file << "]\n";
  }
  file << "}\n";
  file.close();
  if (std::system("dot -V >/dev/null 2>&1") != 0) return;
  const std::string draw = "cd '" + directory + "' && dot -Tsvg graph.dot -o graph.svg 2>/dev/null";
  if (std::system(draw.c_str()) == 0) std::printf("picture: %s/graph.svg\n", directory.c_str());
}

template <class Path, class Chosen>
void draw_path(const Picture& picture, const Path& path, const Chosen& chosen) {
  std::ofstream data = picture.open("path.dat");
  for (std::size_t k = 0; k < path.points.size(); ++k) {
    if (!std::isfinite(chosen.scores[k]) || path.points[k].status == sm::Status::unbounded)
      continue;
    data << path.points[k].weight << ' ' << chosen.scores[k] << ' ' << path.points[k].edges.size()
         << '\n';
  }
  data.close();
  if (path.points.size() < 3) return;  // nothing to see
  std::ostringstream script;
  script.precision(9);
  script << "set terminal svg size 560,380 font \"sans-serif,12\" background \"white\"\n"
         << "set output 'path.svg'\nset logscale x\nset xrange [*:*] reverse\n"
         << "set grid lc rgb '#dddddd'\nset ytics nomirror\nset y2tics\nset y2range [0:*]\n"
         << "set key top center\nset xlabel 'weight of the penalty'\nset ylabel 'criterion'\n"
         << "set y2label 'edges'\nset arrow from " << chosen.weight << ", graph 0 to "
         << chosen.weight << ", graph 1 nohead dt 2 lc rgb '#000000'\n"
         << "plot 'path.dat' using 1:2 with linespoints pt 7 ps 0.5 lc rgb '#0072b2' "
            "title 'criterion', \\\n     '' using 1:3 axes x1y2 with steps lc rgb '#d55e00' "
            "title 'edges'\n";
  picture.draw("path", script.str(), "path.svg");
}

// The graph of the marks.
template <class Estimate>
bool is_butterfly(const Estimate& estimate, const Names& names) {
  std::vector<std::string> found;
  for (const sm::Edge& edge : estimate.edges) {
    found.push_back(names(edge.first) + "-" + names(edge.second));
  }
  const std::vector<std::string> known{"mechanics-vectors",  "mechanics-algebra",
                                       "vectors-algebra",    "algebra-analysis",
                                       "algebra-statistics", "analysis-statistics"};
  return std::is_permutation(found.begin(), found.end(), known.begin(), known.end());
}

// The point of the path that the criterion takes.
template <class Path>
auto choose(const Path& path, const Options& options, const Eigen::MatrixXd& samples) {
  // Fits to all graphs cost too much for many variables, and know no ridge. Where a graph has
  // nearly as many neighbors at a site as there are samples, the loss of its fit means nothing, and
  // that of the path little: there rows that are left out judge.
  const Eigen::Index p = samples.rows();
  const Eigen::Index n = samples.cols();
  std::string name = "bic";
  if (n < 2 * p && n >= 10) name = "cross-validation";
  if (n >= 2 * p && p <= 200 && options.ridge == 0) name = "refitted-bic";
  if (!options.criterion.empty()) name = options.criterion;
  if (name == "refitted-bic" && options.ridge > 0) {
    throw std::invalid_argument("--select refitted-bic knows no --ridge; expected another one");
  }
  std::printf("chosen by %s\n", csv::shown(name).c_str());
  if (name == "bic" || name == "refitted-bic") {
    return select(path, sm::ExtendedBic{.gamma = options.gamma, .refit = name != "bic"}, samples);
  }
  if (name == "cross-validation") return select(path, sm::CrossValidation{}, samples);
  if (name == "stars") return select(path, sm::Stars{}, samples);
  csv::refuse("--select", name, "refitted-bic, bic, cross-validation or stars");
}

int run(const Options& options) {
  const csv::Table table = csv::read(options.file, options.reading);
  const Eigen::Index p = table.values.rows();
  std::printf("%s: %td samples of %td variables", csv::shown(options.file).c_str(),
              table.values.cols(), p);
  if (table.dropped > 0) std::printf("; %zu dropped, lacking a value", table.dropped);
  std::printf("\n");
  require_numbers_that_differ(options.file, table);

  const sm::PairwiseGaussianFamily<double> family(p);
  const sm::CoordinateDescent optimizer;
  const auto path = fit_path(family, sm::ScoreMatchingLoss{}, sm::L1{.ridge = options.ridge},
                             optimizer, table.values, options.path, Progress(options.path.count));

  const auto chosen = choose(path, options, table.values);
  print_path(path, chosen);
  const bool ends = path.points.back().status == sm::Status::unbounded;
  if (ends) {
    std::printf(
        "\nthe path ends at weight %.4g: with a smaller penalty the loss has no minimum, as "
        "%td samples do not determine so many couplings; more samples, --ridge R, fewer "
        "--columns or a larger --ratio give an estimate there\n",
        path.points.back().weight, table.values.cols());
  }
  if (chosen.index + (ends ? 2 : 1) == static_cast<Eigen::Index>(path.points.size()) && p > 1 &&
      !chosen.edges.empty()) {
    std::printf("\nthe last penalty is the best one%s\n",
                ends ? "" : ": smaller ones may be better (--ratio)");
  }

  // To the graph alone: a path of one point, as it takes a ridge.
  const auto fitted = fit_path(family, sm::ScoreMatchingLoss{},
                               sm::GivenGraph{.edges = chosen.edges, .ridge = options.ridge},
                               optimizer, table.values, sm::PathOptions{.weights = {0}})
                          .points.front();
  const Names names(table.names);
  std::printf("\nweight %.4g: %zu of %td pairs are edges; fitted again without a penalty\n%s\n",
              chosen.weight, chosen.edges.size(), p * (p - 1) / 2,
              std::string(explain(fitted.status)).c_str());
  if (fitted.status != sm::Status::converged) return 1;
  std::printf(
      fitted.positive_definite()
          ? "the precision matrix is positive definite: smallest eigenvalue %.3g\n"
          : "the precision matrix is not positive definite: smallest eigenvalue %.3g; it is "
            "no Gaussian, but its edges stand\n",
      fitted.smallest_eigenvalue);
  print_edges(fitted, names);

  std::printf("\n");
  const Picture picture(options.output);
  write_edges(picture, fitted, names);
  write_graph(picture, options.output, fitted, names);
  draw_path(picture, path, chosen);
  std::printf("edges: %s/edges.csv, graph.dot\n", options.output.c_str());
  if (!options.known) return 0;
  const bool found = expect(is_butterfly(fitted, names), "the graph is the butterfly") &&
                     expect(fitted.positive_definite(), "the estimate is a Gaussian");
  return found ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    for (int i = 1; i < argc; ++i) {
      if (std::string(argv[i]) == "--help") return std::fputs(usage, stdout) < 0 ? 2 : 0;
    }
    return run(parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "graph_csv: %s\n", error.what());
    return 2;
  }
}
