// Sparse precision matrices by coordinate descent: the conditions of optimality, written down anew
// from the samples in long double, over random problems in any units.
#include "support.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>
#include <vector>

namespace {

using namespace support;

using Family = sm::PairwiseGaussianFamily<double>;
using Penalty = sm::Penalized<sm::ScoreMatchingLoss, sm::L1>;
using Objective = sm::PenalizedGaussian<Family>;
using Form = sm::GaussianPairs<double>;
using Columns = sm::detail::SparseColumns<double>;
using Estimate_ = sm::PrecisionEstimate<double>;
using Points = std::vector<sm::PathPoint<Estimate_>>;
using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

static_assert(sm::QuadraticPoint<Form::Point>);
static_assert(sm::AbsolutePenalty<Objective::PointPenalty, double, sm::PairCoordinate>);
static_assert(sm::AbsolutePenalty<Objective::Penalty, double>);
static_assert(sm::PenalizedObjective<Objective, VectorXd>);
static_assert(sm::HasQuadraticPoint<Objective, VectorXd>);
static_assert(sm::Objective<Objective, VectorXd>);
static_assert(sm::OptimizerFor<sm::CoordinateDescent, Objective, VectorXd>);
static_assert(!sm::OptimizerFor<sm::ClosedForm, Objective, VectorXd>);
static_assert(!sm::OptimizerFor<sm::CoordinateDescent, sm::QuadraticObjective<double>, VectorXd>);
static_assert(sm::LossFor<Penalty, Family>);
static_assert(!sm::LossFor<Penalty, sm::GaussianFamily<double>>);

double uniform(Rng& rng, double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(rng);
}
Index index(Rng& rng, Index low, Index high) {
  return low + Index(rng() % std::uint64_t(high - low + 1));
}
bool chance(Rng& rng, double share) { return uniform(rng, 0, 1) < share; }

// The library, called: each instance of its templates once.

Points path_of(const MatrixXd& samples, const sm::L1& penalty, const sm::PathOptions& options = {},
               const sm::CoordinateDescent& descent = {}) {
  return sm::fit_path(Family(samples.rows()), sm::ScoreMatchingLoss{}, penalty, descent, samples,
                      options)
      .points;
}

sm::Moments<double> moments_of(const MatrixXd& samples) {
  sm::Moments<double> moments(samples.rows());
  moments.add(samples);
  return moments;
}

Points path_of(const sm::Moments<double>& moments, const sm::L1& penalty,
               const sm::PathOptions& options = {}, const sm::CoordinateDescent& descent = {}) {
  return sm::fit_path(Family(moments.dimension()), sm::ScoreMatchingLoss{}, penalty, descent,
                      moments, options)
      .points;
}

using Look = std::function<bool(const sm::IterationState<VectorXd>&)>;

sm::Fit<Family> fit_of(
    const MatrixXd& samples, const sm::L1& penalty, bool standardize = true,
    const sm::CoordinateDescent& descent = {}, Look look = [](const auto&) { return true; }) {
  return sm::fit(Family(samples.rows()),
                 sm::Penalized{sm::ScoreMatchingLoss{}, penalty, standardize}, descent, samples,
                 look);
}

sm::Fit<Family> fit_of(const MatrixXd& samples, const sm::GivenGraph& graph) {
  return sm::fit(Family(samples.rows()), sm::Penalized{sm::ScoreMatchingLoss{}, graph},
                 sm::CoordinateDescent{}, samples);
}

// The problem, written down anew. (A product costs the compiler a second for each type.)

MatrixXd times(const MatrixXd& a, const MatrixXd& b) { return a * b; }

struct Reference {
  VectorXd mean, scale;  // s, all ones where nothing is standardized
  MatrixXd r;            // the covariance of x / s, and the ridge on its diagonal
  MatrixXd weights;      // w_ij; infinite where an edge is absent, zero where nothing is penalized
};

Reference reference_of(const MatrixXd& samples, double ridge, bool standardize) {
  using Long = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
  const Index p = samples.rows(), n = samples.cols();
  Long x = samples.cast<long double>();
  for (Index i = 0; i < p; ++i) x.row(i).array() -= samples.cast<long double>().row(i).mean();
  Reference result{samples.cast<long double>().rowwise().mean().cast<double>(), VectorXd::Ones(p),
                   MatrixXd(p, p), MatrixXd::Ones(p, p)};
  for (Index i = 0; i < p; ++i) {
    const long double deviation = std::sqrt(x.row(i).squaredNorm() / static_cast<long double>(n));
    if (!standardize || !(deviation > 0)) continue;
    result.scale(i) = static_cast<double>(deviation);
    x.row(i) /= deviation;
  }
  for (Index j = 0; j < p; ++j) {
    for (Index i = 0; i < p; ++i) {
      result.r(i, j) = static_cast<double>(x.row(i).dot(x.row(j)) / static_cast<long double>(n));
    }
    result.r(j, j) += ridge;
  }
  return result;
}

Reference reference_of(const MatrixXd& samples, const sm::L1& penalty, bool standardize = true) {
  Reference result = reference_of(samples, penalty.ridge, standardize);
  if (penalty.weights.size() > 0) result.weights = penalty.weights;
  if (!penalty.penalize_diagonal) result.weights.diagonal().setZero();
  const auto set = [&](const sm::Edge& edge, double weight) {
    result.weights(edge.first, edge.second) = result.weights(edge.second, edge.first) = weight;
  };
  for (const sm::Edge& edge : penalty.present) set(edge, 0);
  for (const sm::Edge& edge : penalty.absent) set(edge, infinity);
  return result;
}

MatrixXd scaled(const Reference& reference, const MatrixXd& precision) {
  return reference.scale.asDiagonal() * precision * reference.scale.asDiagonal();
}

double penalty_of(const Reference& reference, const MatrixXd& k, double weight) {
  double sum = 0;
  for (Index j = 0; j < k.cols(); ++j) {
    for (Index i = 0; i < k.rows(); ++i) {
      if (k(i, j) != 0 && reference.weights(i, j) > 0) {
        sum += weight * reference.weights(i, j) * std::abs(k(i, j));
      }
    }
  }
  return sum;
}

double loss_of(const Reference& reference, const MatrixXd& k) {
  return times(k, reference.r).cwiseProduct(k).sum() / 2 - k.trace();
}

// How far K, on the scale s, is from optimal, in units of what CoordinateDescent promises: the
// smallest subgradient in K_ij over sqrt(curvature), over the tolerance or what rounding allows.
// What is nearer to zero than that counts as zero.
double miss(const Reference& reference, const MatrixXd& k, double weight, double tolerance = 1e-8,
            double epsilon = std::numeric_limits<double>::epsilon()) {
  const MatrixXd& r = reference.r;
  const Index p = r.rows();
  const auto root = [&](Index i, Index j) {
    return std::sqrt(i == j ? r(i, i) : r(i, i) + r(j, j));
  };
  const double unit = 1 / std::sqrt(r.diagonal().maxCoeff());
  double limit = unit;
  for (Index j = 0; j < p; ++j) {
    for (Index i = j; i < p; ++i) limit = std::max(limit, std::abs(k(i, j)) * root(i, j));
  }
  limit = std::max(tolerance * unit, 64 * epsilon * limit);
  const MatrixXd w = times(r, k);
  double worst = 0;
  for (Index j = 0; j < p; ++j) {
    for (Index i = j; i < p; ++i) {
      const double slope = i == j ? w(i, i) - 1 : w(i, j) + w(j, i);
      const double relative = reference.weights(i, j);
      const double corner = relative == 0 ? 0 : (i == j ? 1 : 2) * weight * relative;
      const double t = k(i, j);
      if (t != 0 && corner == infinity) return infinity;
      const double off = corner > 0 && std::abs(t) * root(i, j) <= 1.01 * limit
                             ? std::max(0.0, std::abs(slope) - corner)
                             : std::abs(slope + (t > 0 ? corner : -corner));
      if (!(off / root(i, j) / limit <= worst)) worst = off / root(i, j) / limit;
    }
  }
  return worst;
}

// Whether the loss has no minimum: a direction D with R D = 0 along which the trace grows faster
// than the penalty. It is the residual of the nearest I + Z, |Z_ij| <= weight w_ij, to what is zero
// on the null space; whatever it is, it is checked. Without a ridge and without absent edges.
bool falls_for_ever(const Reference& reference, double weight) {
  const Index p = reference.r.rows();
  const Spectrum spectrum = spectrum_of(reference.r);
  const Index flat = (spectrum.values.array() < 1e-9).count();
  if (flat == 0) return false;
  const MatrixXd null = spectrum.vectors.leftCols(flat);
  const MatrixXd projector = times(null, null.transpose());
  const MatrixXd bound = weight * reference.weights;
  MatrixXd z = MatrixXd::Zero(p, p), ahead = z;
  double momentum = 1;
  for (int iteration = 0; iteration < 100000; ++iteration) {
    const MatrixXd d = times(projector, times(MatrixXd::Identity(p, p) + ahead, projector));
    if (d.norm() < 1e-10) return false;
    if (d.trace() > bound.cwiseProduct(d.cwiseAbs()).sum() + 1e-7 * d.norm()) return true;
    const MatrixXd next = (ahead - d).cwiseMin(bound).cwiseMax(-bound);
    if (d.cwiseProduct(next - z).sum() > 0) momentum = 1;
    const double faster = (1 + std::sqrt(1 + 4 * momentum * momentum)) / 2;
    ahead = next + (momentum - 1) / faster * (next - z);
    z = next;
    momentum = faster;
  }
  return false;
}

// Random problems.

struct Problem {
  MatrixXd samples;
  sm::L1 penalty;
  sm::PathOptions options;
};

MatrixXd random_samples_of(Index p, Index n, Rng& rng) {
  switch (rng() % 4) {
    case 0: return normals<double>(p, n, rng);
    case 1: return random_samples<double>(p, n, rng);
    case 2: {  // a chain
      MatrixXd x = normals<double>(p, n, rng);
      for (Index i = 1; i < p; ++i) x.row(i) = 0.8 * x.row(i - 1) + 0.6 * x.row(i);
      return x;
    }
    default: {  // one cause
      MatrixXd x = normals<double>(p, n, rng);
      const MatrixXd cause = normals<double>(1, n, rng);
      for (Index i = 0; i < p; ++i) x.row(i) = (i % 2 == 0 ? 1 : -1) * cause + 0.5 * x.row(i);
      return x;
    }
  }
}

void add_units(MatrixXd& samples, Rng& rng, double largest = 1e6) {
  const double far = std::pow(10.0, uniform(rng, 0, 6));
  for (Index i = 0; i < samples.rows(); ++i) {
    samples.row(i).array() += uniform(rng, -far, far);
    samples.row(i) *= std::pow(largest, uniform(rng, -1, 1));
  }
}

Problem random_problem(Rng& rng) {
  const bool large = chance(rng, 0.02);
  const Index p = large ? 40 : index(rng, 1, 12);
  const Index n = large ? index(rng, 5, 120) : index(rng, 2, 40);
  Problem problem{random_samples_of(p, n, rng), {}, {}};
  auto& [samples, penalty, options] = problem;
  options.standardize = chance(rng, 0.8);
  options.count = large ? 6 : 12;
  options.ratio = chance(rng, 0.2) ? 0.01 : 0.1;
  if (chance(rng, 0.5)) add_units(samples, rng, options.standardize ? 1e6 : 3);
  if (chance(rng, 0.5)) penalty.ridge = std::pow(10.0, uniform(rng, -4, 0));
  penalty.penalize_diagonal = chance(rng, 0.2);
  if (chance(rng, 0.3)) {
    const MatrixXd w = normals<double>(p, p, rng).cwiseAbs();
    penalty.weights = w + w.transpose();
    if (chance(rng, 0.3)) {
      for (Index i = 0; i < p; ++i) {
        const Index j = index(rng, 0, p - 1);
        penalty.weights(i, j) = penalty.weights(j, i) = 0;
      }
    }
  }
  if (p > 1 && chance(rng, 0.3)) {
    for (Index k = 0; k < p; ++k) {
      const Index i = index(rng, 0, p - 1);
      const Index j = (i + index(rng, 1, p - 1)) % p;
      const auto has = [](const std::vector<sm::Edge>& list, Index a, Index b) {
        return std::find(list.begin(), list.end(), sm::Edge{a, b}) != list.end() ||
               std::find(list.begin(), list.end(), sm::Edge{b, a}) != list.end();
      };
      if (has(penalty.present, i, j) || has(penalty.absent, i, j)) continue;
      (chance(rng, 0.3) ? penalty.present : penalty.absent).push_back({i, j});
    }
  }
  return problem;
}

// What of an estimate is true whatever the samples are.
void check_estimate(const Estimate_& estimate, const MatrixXd& on_scale) {
  const MatrixXd k(estimate.precision);
  CHECK(same_bits(k, k.transpose().eval()));
  std::vector<sm::Edge> edges;
  for (Index i = 0; i < k.rows(); ++i) {
    for (Index j = i + 1; j < k.cols(); ++j) {
      if (k(i, j) != 0) edges.push_back({i, j});
    }
  }
  REQUIRE(estimate.edges == edges);
  REQUIRE(estimate.partial_correlations.size() == edges.size());
  double error = 0;
  for (std::size_t e = 0; e < edges.size(); ++e) {
    const auto [i, j] = edges[e];
    if (!(k(i, i) * k(j, j) > 0)) continue;
    const double expected = -k(i, j) / std::sqrt(k(i, i) * k(j, j));
    error = std::max(error, std::abs(estimate.partial_correlations[e] / expected - 1));
  }
  CHECK(error < 1e-13);
  const double smallest = spectrum_of(on_scale).values(0);
  const double norm = on_scale.norm();
  CHECK(estimate.smallest_eigenvalue >= smallest - 1e-12 * norm);
  CHECK(estimate.smallest_eigenvalue <= smallest + 1e-3 * norm);
  CHECK(estimate.positive_definite() == (estimate.smallest_eigenvalue > 0));
}

MatrixXd random_precision(Index p, double share, Rng& rng) {
  MatrixXd k = normals<double>(p, p, rng);
  for (Index j = 0; j < p; ++j) {
    for (Index i = j; i < p; ++i) {
      if (i != j && !chance(rng, share)) k(i, j) = 0;
      k(j, i) = k(i, j);
    }
  }
  return k;
}

MatrixXd table(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file);
  std::vector<double> numbers;
  std::string line;
  std::getline(file, line);
  const Index p = 1 + std::count(line.begin(), line.end(), ',');
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) numbers.push_back(std::stod(field));
  }
  return Eigen::Map<MatrixXd>(numbers.data(), p, Index(numbers.size()) / p);
}

}  // namespace

TEST_CASE("sparse columns hold what a dense matrix holds") {
  Rng rng(1);
  for (int trial = 0; trial < 200; ++trial) {
    const Index p = index(rng, 1, 30), q = index(rng, 1, 4);
    Columns sparse(p, q);
    MatrixXd dense = MatrixXd::Zero(p, q);
    CHECK(sparse.columns() == q);
    const VectorXd other = normals<double>(p, 1, rng);
    for (int change = 0; change < 60; ++change) {
      const Index i = index(rng, 0, p - 1), j = index(rng, 0, q - 1);
      const double value = chance(rng, 0.4) ? 0 : uniform(rng, -1, 1);
      sparse.set(i, j, value);
      dense(i, j) = value;
      MatrixXd read(p, q), visited = MatrixXd::Zero(p, q);
      Index visits = 0;
      double error = 0;
      for (Index c = 0; c < q; ++c) {
        for (Index r = 0; r < p; ++r) read(r, c) = sparse.value(r, c);
        sparse.for_each(c, [&](Index r, double v) {
          visited(r, c) = v;
          ++visits;
        });
        error = std::max(error, std::abs(sparse.dot(c, other) - dense.col(c).dot(other)));
      }
      REQUIRE(same_bits(read, dense));
      REQUIRE(same_bits(visited, dense));
      REQUIRE(visits == (dense.array() != 0).count());
      REQUIRE(error < 1e-13);
    }
  }
}

TEST_CASE("the smallest eigenvalue is found from above") {
  Rng rng(2);
  for (int trial = 0; trial < 400; ++trial) {
    const Index p = trial < 4 ? 160 + 20 * trial : index(rng, 1, 40);
    MatrixXd k = random_precision(p, uniform(rng, 0, 1), rng);
    if (chance(rng, 0.5)) k.diagonal().array() += 2;
    if (chance(rng, 0.1)) k.setIdentity();
    if (chance(rng, 0.1)) k.setZero();
    k *= std::pow(10.0, uniform(rng, -3, 3));
    Columns sparse(p, p);
    for (Index j = 0; j < p; ++j) {
      for (Index i = 0; i < p; ++i) sparse.set(i, j, k(i, j));
    }
    const VectorXd values = spectrum_of(k).values;
    const double norm = values.cwiseAbs().maxCoeff();
    const double found = sm::detail::smallest_eigenvalue(sparse);
    CAPTURE(p);
    CHECK(found >= values(0) - 1e-13 * double(p) * norm);
    CHECK(found <= values(0) + 1e-3 * norm);
  }
}

TEST_CASE("each index of a pair names one pair") {
  for (const Index p : {1, 2, 3, 20, 91}) {
    Index k = p;
    for (Index i = 0; i < p; ++i) {
      const auto own = sm::detail::pair_coordinate_of(p, i);
      CHECK((own.k == i && own.i == i && own.j == i && own.diagonal()));
      for (Index j = 0; j < i; ++j, ++k) {
        const auto pair = sm::detail::pair_coordinate_of(p, k);
        REQUIRE((pair.k == k && pair.i == i && pair.j == j && !pair.diagonal()));
        REQUIRE(sm::detail::pair_coordinate(p, i, j).k == k);
      }
    }
  }
  Rng rng(3);
  const Index p = 3000000;
  for (int trial = 0; trial < 1000; ++trial) {
    const Index i = index(rng, 1, p - 1);
    const Index j = trial % 3 == 0 ? 0 : trial % 3 == 1 ? i - 1 : index(rng, 0, i - 1);
    const auto pair = sm::detail::pair_coordinate_of(p, sm::detail::pair_coordinate(p, i, j).k);
    CHECK((pair.i == i && pair.j == j));
  }
}

TEST_CASE("a point of the quadratic has the slopes of its loss") {
  Rng rng(4);
  for (int trial = 0; trial < 120; ++trial) {
    const Index p = trial < 4 ? 63 + 34 * trial : index(rng, 1, 14);
    const Index n = index(rng, 1, 10);
    const bool from_samples = trial % 2 == 0;
    const double ridge = trial % 3 == 0 ? 0.3 : 0.0;
    const MatrixXd x = normals<double>(n, p, rng);
    const MatrixXd s = times(x.transpose(), x);
    const Form form = from_samples ? Form::of_samples(x, ridge) : Form::of_covariance(s, ridge);
    CHECK(form.sites() == p);
    CHECK(form.parameter_count() == p * (p + 1) / 2);
    Form::Point point = form.origin();
    CHECK(point.loss() == 0);
    MatrixXd k = MatrixXd::Zero(p, p);
    for (int change = 0; change < 40; ++change) {
      const Index i = index(rng, 0, p - 1), j = index(rng, 0, i);
      k(i, j) = k(j, i) = chance(rng, 0.3) ? 0 : uniform(rng, -1, 1);
      point.set(sm::detail::pair_coordinate_of(p, i == j ? i : p + i * (i - 1) / 2 + j), 0,
                k(i, j));
    }
    MatrixXd r = s;
    r.diagonal().array() += ridge;
    const double loss = times(k, times(r, k)).trace() / 2 - k.trace();
    const double size = 1 + times(k.cwiseAbs(), times(r.cwiseAbs(), k.cwiseAbs())).trace();
    CHECK(std::abs(point.loss() - loss) < 1e-13 * size);
    CHECK(relative_difference(form.times(k),
                              (times(r, k) + MatrixXd::Constant(p, p, 1e-300)).eval()) < 1e-12);
    CHECK(point.unit() == doctest::Approx(1 / std::sqrt(r.diagonal().maxCoeff())));
    MatrixXd read(p, p), twice = MatrixXd::Zero(p, p);
    std::vector<int> visits(std::size_t(form.parameter_count()), 0);
    Form::Point along = point.direction();
    CHECK(along.loss() == 0);
    point.for_each_nonzero([&](const sm::PairCoordinate& c) {
      ++visits[std::size_t(c.k)];
      CHECK(k(c.i, c.j) != 0);
      along.set(c, 0, point.value(c));
    });
    CHECK(std::accumulate(visits.begin(), visits.end(), Index(0)) ==
          ((k.array() != 0).count() + (k.diagonal().array() != 0).count()) / 2);
    CHECK(std::abs(along.loss() - loss - k.trace()) < 1e-13 * size);
    std::fill(visits.begin(), visits.end(), 0);
    const MatrixXd w = times(r, k);
    double error = 0, error_of_all = 0, error_along = 0, error_of_curvature = 0;
    point.for_each_slope([&](const sm::PairCoordinate& c, const double* slope) {
      ++visits[std::size_t(c.k)];
      const double expected = c.diagonal() ? w(c.i, c.i) - 1 : w(c.i, c.j) + w(c.j, c.i);
      const double curvature = c.diagonal() ? r(c.i, c.i) : r(c.i, c.i) + r(c.j, c.j);
      error_of_all = std::max(error_of_all, std::abs(*slope - expected));
      error = std::max(error, std::abs(point.slope(c) - expected));
      error_along =
          std::max(error_along, std::abs(along.slope(c) - expected - (c.diagonal() ? 1 : 0)));
      error_of_curvature = std::max(error_of_curvature, std::abs(point.curvature(c) - curvature));
      read(c.i, c.j) = read(c.j, c.i) = point.value(c);
    });
    CHECK(error < 1e-12 * size);
    CHECK(error_of_all < 1e-12 * size);
    CHECK(error_along < 1e-12 * size);
    CHECK(error_of_curvature < 1e-12 * size);
    CHECK(same_bits(read, k));
    CHECK(*std::min_element(visits.begin(), visits.end()) == 1);
    CHECK(*std::max_element(visits.begin(), visits.end()) == 1);
    // Central differences of a quadratic are exact.
    for (int probe = 0; probe < 5; ++probe) {
      const auto c = sm::detail::pair_coordinate_of(p, index(rng, 0, form.parameter_count() - 1));
      const double at = point.value(c), slope = point.slope(c), here = point.loss();
      point.set(c, 0, at + 1);
      const double above = point.loss();
      point.set(c, 0, at - 1);
      const double below = point.loss();
      point.set(c, 0, at);
      CHECK(std::abs((above - below) / 2 - slope) < 1e-12 * size);
      CHECK(std::abs(above + below - 2 * here - point.curvature(c)) < 1e-12 * size);
    }
  }
}

TEST_CASE("every point of every path is optimal") {
  Rng rng(5);
  int unbounded = 0, certified = 0, edges = 0, far = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    const Problem problem = random_problem(rng);
    const MatrixXd& samples = problem.samples;
    const sm::L1& penalty = problem.penalty;
    const sm::PathOptions& options = problem.options;
    const Index p = samples.rows(), n = samples.cols();
    const Points points = trial % 2 == 0 ? path_of(samples, penalty, options)
                                         : path_of(moments_of(samples), penalty, options);
    const Reference reference = reference_of(samples, penalty, options.standardize);
    CAPTURE(trial);
    CAPTURE(p);
    CAPTURE(n);
    CAPTURE(penalty.ridge);
    REQUIRE_FALSE(points.empty());
    double before = infinity;
    MatrixXd last = MatrixXd::Zero(p, p);
    for (std::size_t at = 0; at < points.size(); ++at) {
      const auto& point = points[at];
      CAPTURE(at);
      CAPTURE(point.weight);
      const MatrixXd k = scaled(reference, MatrixXd(point.precision));
      REQUIRE(k.allFinite());
      CHECK(point.weight < before);
      before = point.weight;
      if (point.status == sm::Status::unbounded) {
        ++unbounded;
        CHECK(at + 1 == points.size());
        CHECK(penalty.ridge == 0);
        CHECK(n <= 2 * p);
        CHECK(same_bits(k, last));
        if (penalty.absent.empty()) {
          CHECK(falls_for_ever(reference, point.weight));
          ++certified;
        }
        continue;
      }
      last = k;
      CHECK(point.status == sm::Status::converged);
      CHECK(miss(reference, k, point.weight) <= 1.5);
      const double loss = loss_of(reference, k);
      CHECK(std::abs(point.loss - loss) <= 1e-9 * (1 + k.cwiseAbs().sum()));
      if (k.cwiseAbs().maxCoeff() > 1e4 && penalty.ridge == 0 && penalty.absent.empty()) {
        CHECK_FALSE(falls_for_ever(reference, point.weight));
        ++far;
      }
      check_estimate(point, k);
      edges += int(point.edges.size());
    }
    if (penalty.ridge > 0 || n > 2 * p) {
      CHECK((points.size() == std::size_t(options.count) || points[0].weight == 0));
    }
  }
  CHECK(unbounded > 20);
  CHECK(certified > 20);
  CHECK(far > 0);
  CHECK(edges > 10000);
}

TEST_CASE("every point of a path of floats is optimal") {
  Rng rng(6);
  for (int trial = 0; trial < 200; ++trial) {
    const Index p = trial % 10 == 0 ? 40 : index(rng, 1, 8), n = trial % 20 == 0 ? 4 : 3 * p + 10;
    Eigen::MatrixXf samples = random_samples_of(p, n, rng).cast<float>();
    if (trial % 3 != 0) {
      MatrixXd moved = samples.cast<double>();
      add_units(moved, rng, 1e3);
      samples = moved.cast<float>();
    }
    const sm::L1 penalty{.ridge = n < p ? 0.1 : 0.0};
    const Reference reference = reference_of(samples.cast<double>(), penalty);
    const auto path = sm::fit_path(sm::PairwiseGaussianFamily<float>(p), sm::ScoreMatchingLoss{},
                                   penalty, sm::CoordinateDescent{}, samples, {.count = 6});
    for (const auto& point : path.points) {
      CAPTURE(trial);
      CAPTURE(p);
      const MatrixXd k = scaled(reference, MatrixXd(point.precision.cast<double>()));
      CHECK(point.status == sm::Status::converged);
      CHECK(miss(reference, k, double(point.weight), 1e-8,
                 double(std::numeric_limits<float>::epsilon())) <= 1.5);
    }
  }
}

TEST_CASE("few samples without a covariance give what a covariance gives") {
  Rng rng(7);
  for (int trial = 0; trial < 8; ++trial) {
    const Index p = index(rng, 40, 50), n = index(rng, 2, 4);
    MatrixXd samples = random_samples_of(p, n, rng);
    if (trial % 2 == 0) add_units(samples, rng);
    const sm::L1 penalty{.penalize_diagonal = trial % 4 == 1, .ridge = trial % 3 == 0 ? 1.0 : 0.1};
    const Reference reference = reference_of(samples, penalty);
    const sm::CoordinateDescent descent{.tolerance = 1e-12};
    const Points few = path_of(samples, penalty, {.count = 6}, descent);
    const Points all = path_of(moments_of(samples), penalty, {.count = 6}, descent);
    REQUIRE(few.size() == 6);
    REQUIRE(all.size() == 6);
    for (std::size_t at = 0; at < 6; ++at) {
      CAPTURE(trial);
      CAPTURE(at);
      const MatrixXd a = scaled(reference, MatrixXd(few[at].precision));
      const MatrixXd b = scaled(reference, MatrixXd(all[at].precision));
      CHECK(few[at].status == sm::Status::converged);
      CHECK(all[at].status == sm::Status::converged);
      CHECK(miss(reference, a, few[at].weight, 1e-12) <= 1.5);
      CHECK(miss(reference, b, few[at].weight, 1e-12) <= 1.5);
      CHECK((a - b).cwiseAbs().maxCoeff() <= 1e-9 * (1 + b.cwiseAbs().maxCoeff()));
      CHECK(std::abs(few[at].loss - all[at].loss) <= 1e-9 * double(p));
      if (few[at].edges != all[at].edges) {
        // At the first weight one pair stands at its corner.
        CHECK(at == 0);
        CHECK(few[at].edges.size() + all[at].edges.size() <= 1);
      }
    }
  }
}

TEST_CASE("along a path each estimate is the best at its weight, however it is come by") {
  Rng rng(8);
  for (int trial = 0; trial < 300; ++trial) {
    const Problem problem = random_problem(rng);
    const MatrixXd& samples = problem.samples;
    const sm::L1& penalty = problem.penalty;
    const sm::PathOptions& options = problem.options;
    if (samples.rows() > 12) continue;
    const Reference reference = reference_of(samples, penalty, options.standardize);
    const Points points = path_of(samples, penalty, options);
    CAPTURE(trial);
    std::vector<MatrixXd> estimates;
    for (const auto& point : points) {
      if (point.status == sm::Status::converged) {
        estimates.push_back(scaled(reference, MatrixXd(point.precision)));
      }
    }
    for (std::size_t a = 0; a < estimates.size(); ++a) {
      const double weight = points[a].weight;
      const auto objective = [&](const MatrixXd& k) {
        return loss_of(reference, k) + penalty_of(reference, k, weight);
      };
      const double here = objective(estimates[a]);
      const double size = 1e-8 * (1 + estimates[a].cwiseAbs().sum());
      for (const MatrixXd& other : estimates) CHECK(here <= objective(other) + size);
      if (a % 4 != 1) continue;
      // From zero.
      const Points cold =
          path_of(samples, penalty, {.weights = {weight}, .standardize = options.standardize});
      REQUIRE(cold.size() == 1);
      CHECK(cold[0].status == sm::Status::converged);
      const MatrixXd k = scaled(reference, MatrixXd(cold[0].precision));
      CHECK(std::abs(objective(k) - here) <= size);
      if (penalty.ridge > 0.01) {
        CHECK((k - estimates[a]).cwiseAbs().maxCoeff() <=
              1e-5 * (1 + estimates[a].cwiseAbs().maxCoeff()));
      }
      // By `fit`, whose parameters are those of the family.
      sm::L1 alone = penalty;
      alone.weight = weight;
      const auto fit = fit_of(samples, alone, options.standardize);
      CHECK(fit.status == sm::Status::converged);
      const MatrixXd precision = Family(samples.rows()).precision(fit.parameters);
      CHECK(std::abs(objective(scaled(reference, precision)) - here) <= size);
      const VectorXd eta = times(precision, reference.mean);
      CHECK((fit.parameters.head(eta.size()) - eta)
                .cwiseProduct(reference.scale)
                .cwiseAbs()
                .maxCoeff() <= 1e-14 * (scaled(reference, precision.cwiseAbs()) *
                                        reference.mean.cwiseQuotient(reference.scale).cwiseAbs())
                                           .maxCoeff());
    }
  }
}

TEST_CASE("no sweep raises the objective, and an observer stops between two") {
  Rng rng(9);
  int sweeps = 0;
  for (int trial = 0; trial < 400; ++trial) {
    const Problem problem = random_problem(rng);
    sm::L1 penalty = problem.penalty;
    penalty.weight = std::pow(10.0, uniform(rng, -3, 0));
    const bool standardize = problem.options.standardize;
    const Objective objective(Family(problem.samples.rows()), problem.samples, penalty,
                              standardize);
    const Reference reference = reference_of(problem.samples, penalty, standardize);
    auto point = objective.origin();
    const auto weights = objective.point_penalty();
    double before = 0;
    const auto end = sm::CoordinateDescent{}.walk(point, weights, [&](const auto& at, Index sweep) {
      double penalties = 0, size = 1;
      at.for_each_nonzero([&](const sm::PairCoordinate& c) {
        penalties += weights.value(c, at.value(c));
        size += std::abs(at.value(c)) * at.curvature(c) * (1 + std::abs(at.value(c)));
      });
      const double now = at.loss() + penalties;
      CHECK(now <= before + 1e-13 * size);
      before = now;
      ++sweeps;
      return sweep < 500;
    });
    CAPTURE(trial);
    CHECK(end.iterations >= 1);
    if (trial % 4 != 0 || end.status != sm::Status::converged) continue;
    // The same through `fit`: the losses are those of the points that the sweeps left from.
    std::vector<double> losses;
    const MatrixXd near =
        problem.samples.colwise() - problem.samples.rowwise().mean();  // eta takes no digits
    const auto fit = fit_of(near, penalty, standardize, {}, [&](const auto& state) {
      losses.push_back(state.loss);
      CHECK(state.iteration == Index(losses.size()));
      return true;
    });
    CHECK(fit.status == sm::Status::converged);
    CHECK(Index(losses.size()) == fit.iterations);
    losses.push_back(fit.loss);
    const double size = 1 + std::abs(fit.loss);
    for (std::size_t k = 1; k < losses.size(); ++k) {
      CHECK(losses[k] <= losses[k - 1] + 1e-10 * size);
    }
    const MatrixXd k = scaled(reference, Family(near.rows()).precision(fit.parameters));
    CHECK(std::abs(fit.loss - loss_of(reference, k) - penalty_of(reference, k, penalty.weight)) <=
          1e-9 * size);
    const auto stopped = fit_of(near, penalty, standardize, {},
                                [](const auto& state) { return state.iteration < 2; });
    CHECK(stopped.status == (fit.iterations < 2 ? sm::Status::converged : sm::Status::stopped));
    CHECK(stopped.iterations == std::min<Index>(2, fit.iterations));
    const auto limited = fit_of(near, penalty, standardize, {.max_iterations = 1});
    CHECK(limited.iterations == 1);
    if (fit.iterations > 1) CHECK(limited.status == sm::Status::iteration_limit);
  }
  CHECK(sweeps > 1000);
}

TEST_CASE("the largest weight leaves no edge, a smaller one does, and none gives the inverse") {
  Rng rng(10);
  for (int trial = 0; trial < 300; ++trial) {
    const Index p = index(rng, 1, 8), n = 10 * p + 20;
    MatrixXd samples = random_samples_of(p, n, rng);
    if (trial % 2 == 0) add_units(samples, rng);
    const Reference reference = reference_of(samples, sm::L1{});
    double largest = 0;
    for (Index i = 0; i < p; ++i) {
      for (Index j = 0; j < i; ++j) largest = std::max(largest, std::abs(reference.r(i, j)));
    }
    CAPTURE(trial);
    CAPTURE(p);
    const sm::CoordinateDescent descent{.tolerance = 1e-12};
    const Points points = path_of(samples, {}, {.count = 3}, descent);
    if (p == 1) {
      REQUIRE(points.size() == 1);
      CHECK(points[0].weight == 0);
      CHECK(points[0].precision.coeff(0, 0) ==
            doctest::Approx(1 / std::pow(reference.scale(0), 2)).epsilon(1e-9));
      CHECK(points[0].edges.empty());
      continue;
    }
    REQUIRE(points.size() == 3);
    CHECK(std::abs(points[0].weight - largest) <= 1e-9);
    CHECK(std::abs(points[1].weight / points[0].weight - std::sqrt(0.1)) <= 1e-12);
    CHECK(std::abs(points[2].weight / points[0].weight - 0.1) <= 1e-12);
    const Points own =
        path_of(samples, {},
                {.weights = {2 * largest, largest * (1 + 1e-6), largest * (1 - 1e-3), 0}}, descent);
    REQUIRE(own.size() == 4);
    for (std::size_t at : {std::size_t(0), std::size_t(1)}) {
      CHECK(own[at].edges.empty());
      CHECK((scaled(reference, MatrixXd(own[at].precision)) - MatrixXd::Identity(p, p))
                .cwiseAbs()
                .maxCoeff() < 1e-9);
    }
    CHECK(own[2].edges.size() >= 1);
    const MatrixXd k = scaled(reference, MatrixXd(own[3].precision));
    CHECK((times(k, reference.r) - MatrixXd::Identity(p, p)).cwiseAbs().maxCoeff() < 1e-9);
  }
}

TEST_CASE("a given graph has its equations, and zeros elsewhere") {
  Rng rng(11);
  for (int trial = 0; trial < 300; ++trial) {
    const Index p = index(rng, 1, 10), n = 3 * p + 10;
    MatrixXd samples = random_samples_of(p, n, rng);
    if (trial % 2 == 0) add_units(samples, rng);
    sm::GivenGraph graph{{}, trial % 3 == 0 ? 0.2 : 0.0};
    sm::L1 same{.weight = 1, .ridge = graph.ridge};
    Reference reference = reference_of(samples, graph.ridge, true);
    reference.weights.setConstant(infinity);
    reference.weights.diagonal().setZero();
    for (Index i = 0; i < p; ++i) {
      for (Index j = 0; j < i; ++j) {
        if (chance(rng, 0.4)) {
          graph.edges.push_back(chance(rng, 0.5) ? sm::Edge{i, j} : sm::Edge{j, i});
          same.present.push_back(graph.edges.back());
          reference.weights(i, j) = reference.weights(j, i) = 0;
        } else {
          same.absent.push_back(chance(rng, 0.5) ? sm::Edge{i, j} : sm::Edge{j, i});
        }
      }
    }
    CAPTURE(trial);
    const auto fit = fit_of(samples, graph);
    CHECK(fit.status == sm::Status::converged);
    const MatrixXd k = Family(p).precision(fit.parameters);
    CHECK(miss(reference, scaled(reference, k), 1) <= 1.5);
    CHECK((k.array() != 0).count() <= p + 2 * Index(graph.edges.size()));
    const auto other = fit_of(samples, same);
    CHECK(same_bits(other.parameters, fit.parameters));
  }
}

namespace {

// Proximal gradient steps with momentum, restarted where they turn.
MatrixXd minimum_by_proximal_gradients(const Reference& reference, double weight) {
  const MatrixXd& r = reference.r;
  const Index p = r.rows();
  const double step = 1 / spectrum_of(r).values(p - 1);
  MatrixXd k = MatrixXd::Zero(p, p), ahead = k;
  double momentum = 1;
  for (int iteration = 0; iteration < 20000; ++iteration) {
    const MatrixXd product = times(r, ahead);
    MatrixXd next = ahead - step * ((product + product.transpose()) / 2 - MatrixXd::Identity(p, p));
    for (Index j = 0; j < p; ++j) {
      for (Index i = 0; i < p; ++i) {
        const double w = reference.weights(i, j);
        const double threshold = w == 0 ? 0 : step * weight * w;
        const double size = std::max(0.0, std::abs(next(i, j)) - threshold);
        next(i, j) = next(i, j) > 0 ? size : -size;
      }
    }
    const double change = (next - k).cwiseAbs().maxCoeff();
    if ((ahead - next).cwiseProduct(next - k).sum() > 0) momentum = 1;
    const double faster = (1 + std::sqrt(1 + 4 * momentum * momentum)) / 2;
    ahead = next + (momentum - 1) / faster * (next - k);
    k = next;
    momentum = faster;
    if (iteration > 10 && change < 1e-13) break;
  }
  return k;
}

}  // namespace

TEST_CASE("plain proximal gradient steps come to the same estimate") {
  Rng rng(12);
  for (int trial = 0; trial < 300; ++trial) {
    Problem problem = random_problem(rng);
    const MatrixXd& samples = problem.samples;
    sm::L1& penalty = problem.penalty;
    if (samples.rows() > 12) continue;
    if (samples.cols() < 2 * samples.rows() + 2) penalty.ridge = std::max(penalty.ridge, 0.05);
    penalty.weight = std::pow(10.0, uniform(rng, -2, 0));
    const Reference reference = reference_of(samples, penalty, true);
    const MatrixXd expected = minimum_by_proximal_gradients(reference, penalty.weight);
    const auto fit = fit_of(samples, penalty, true, {.tolerance = 1e-11});
    CAPTURE(trial);
    CHECK(fit.status == sm::Status::converged);
    const MatrixXd k = scaled(reference, Family(samples.rows()).precision(fit.parameters));
    CHECK((k - expected).cwiseAbs().maxCoeff() <= 1e-7 * (1 + expected.cwiseAbs().maxCoeff()));
    for (Index j = 0; j < k.cols(); ++j) {
      for (Index i = 0; i < k.rows(); ++i) {
        if (std::abs(expected(i, j)) > 1e-6) CHECK(k(i, j) != 0);
        if (reference.weights(i, j) == infinity) CHECK(k(i, j) == 0);
      }
    }
  }
}

TEST_CASE("neither units nor the order of the coordinates matter, and blocks are apart") {
  Rng rng(13);
  const sm::CoordinateDescent descent{.tolerance = 1e-12};
  for (int trial = 0; trial < 200; ++trial) {
    const Index p = index(rng, 1, 10), n = index(rng, 3, 40);
    const MatrixXd samples = random_samples_of(p, n, rng);
    const sm::L1 penalty{.ridge = n > 2 * p ? 0.0 : 0.1};
    const Points points = path_of(samples, penalty, {.count = 5}, descent);
    VectorXd units(p);
    for (double& unit : units) unit = std::pow(10.0, uniform(rng, -6, 6));
    std::vector<Index> order(static_cast<std::size_t>(p));
    std::iota(order.begin(), order.end(), Index(0));
    std::shuffle(order.begin(), order.end(), rng);
    const MatrixXd in_units = units.asDiagonal() * samples;
    const MatrixXd permuted = samples(order, Eigen::all);
    const Points other = path_of(in_units, penalty, {.count = 5}, descent);
    const Points moved = path_of(permuted, penalty, {.count = 5}, descent);
    CAPTURE(trial);
    REQUIRE(other.size() == points.size());
    REQUIRE(moved.size() == points.size());
    for (std::size_t at = 0; at < points.size(); ++at) {
      CAPTURE(at);
      const MatrixXd k(points[at].precision);
      const MatrixXd back = units.asDiagonal() * MatrixXd(other[at].precision) * units.asDiagonal();
      CHECK(relative_difference(back, k) < 1e-9);
      CHECK(relative_difference(MatrixXd(moved[at].precision), k(order, order).eval()) < 1e-9);
      if (at == 0) continue;  // there a pair stands at its corner
      CHECK(other[at].edges == points[at].edges);
      CHECK(moved[at].edges.size() == points[at].edges.size());
    }
  }
  for (int trial = 0; trial < 100; ++trial) {
    const Index p = index(rng, 1, 6), q = index(rng, 1, 6);
    const auto first = moments_of(random_samples_of(p, 4 * p + 8, rng));
    const auto second = moments_of(random_samples_of(q, 4 * q + 8, rng));
    VectorXd mean(p + q);
    mean << first.mean(), second.mean();
    MatrixXd covariance = MatrixXd::Zero(p + q, p + q);
    covariance.topLeftCorner(p, p) = first.covariance();
    covariance.bottomRightCorner(q, q) = second.covariance();
    const auto both = sm::Moments<double>::from(100, mean, covariance);
    const sm::PathOptions options{.weights = {0.5, 0.2, 0.1, 0.05, 0}};
    const Points whole = path_of(both, {}, options, descent);
    const Points a = path_of(first, {}, options, descent);
    const Points b = path_of(second, {}, options, descent);
    for (std::size_t at = 0; at < 5; ++at) {
      const MatrixXd k(whole[at].precision);
      CHECK((k.topRightCorner(p, q).array() == 0).all());
      CHECK(relative_difference(k.topLeftCorner(p, p).eval(), MatrixXd(a[at].precision)) < 1e-9);
      CHECK(relative_difference(k.bottomRightCorner(q, q).eval(), MatrixXd(b[at].precision)) <
            1e-9);
    }
  }
}

TEST_CASE("too few samples for a weight end the path") {
  Rng rng(14);
  // Two samples, or a coordinate twice: bounded where the weight is 1 alone.
  for (int trial = 0; trial < 300; ++trial) {
    const Index p = index(rng, 2, 12);
    const bool twice = trial % 2 == 0;
    MatrixXd samples = random_samples_of(p, twice ? 60 : 2, rng);
    const Index one = index(rng, 0, p - 1), other = (one + index(rng, 1, p - 1)) % p;
    if (twice) samples.row(one) = samples.row(other);
    if (trial % 3 == 0) {
      for (Index i = 0; i < p; ++i) samples.row(i) *= std::ldexp(1.0, int(index(rng, -20, 20)));
    }
    CAPTURE(trial);
    CAPTURE(p);
    const double weight =
        trial % 4 < 2 ? uniform(rng, 0.01, 0.95) : 1 - std::pow(10.0, uniform(rng, -5, -1));
    const Points points = path_of(samples, {}, {.weights = {1.001, weight, weight / 2}});
    REQUIRE(points.size() == 2);
    CHECK(points[0].status == sm::Status::converged);
    CHECK(points[0].edges.empty());
    CHECK(points[1].status == sm::Status::unbounded);
    CHECK(same_bits(MatrixXd(points[1].precision), MatrixXd(points[0].precision)));
    CHECK(falls_for_ever(reference_of(samples, sm::L1{}), weight));
    const auto fit = fit_of(samples, {.weight = weight});
    CHECK(fit.status == sm::Status::unbounded);
    CHECK(same_bits(fit.parameters, Family(p).start()));
    // An edge that is not penalized is enough.
    const Points free = path_of(samples, {.present = {{one, other}}}, {.weights = {2, 1}});
    REQUIRE(free.size() == 1);
    CHECK(free[0].status == sm::Status::unbounded);
    CHECK(MatrixXd(free[0].precision).isZero(0));
    const Points all = path_of(samples, {.present = {{one, other}}}, {.count = 4});
    REQUIRE(all.size() == 1);
    CHECK(all[0].status == sm::Status::unbounded);
    CHECK(MatrixXd(all[0].precision).isZero(0));
    // A ridge is as well.
    for (const auto& point : path_of(samples, {.ridge = 1e-3}, {.count = 6})) {
      CHECK(point.status == sm::Status::converged);
    }
  }
}

TEST_CASE("data on which the graphical lasso does not converge") {
  // Mazumder and Hastie (2012).
  for (const char* name : {"hard_1.csv", "hard_2.csv"}) {
    const MatrixXd samples = table(std::string(PROJECT_ROOT) + "/tests/data/" + name);
    CAPTURE(name);
    REQUIRE(samples.cols() == (name[5] == '1' ? 2 : 10));
    for (const bool standardize : {true, false}) {
      for (const double ridge : {0.0, 0.1}) {
        // (To see that the second has no minimum then takes 9000 sweeps, and seconds.)
        if (ridge == 0 && !standardize && samples.rows() > 12) continue;
        const sm::L1 penalty{.ridge = ridge};
        const Reference reference = reference_of(samples, penalty, standardize);
        const sm::PathOptions options{.count = 20, .ratio = 0.01, .standardize = standardize};
        const Points points = path_of(samples, penalty, options);
        CHECK((points.size() == 20) == (ridge > 0));
        for (std::size_t at = 0; at < points.size(); ++at) {
          CAPTURE(at);
          const auto& point = points[at];
          const MatrixXd k = scaled(reference, MatrixXd(point.precision));
          if (point.status == sm::Status::unbounded) {
            CHECK(ridge == 0);
            CHECK(at + 1 == points.size());
            // (The many iterations of a weight near the limit are for few coordinates.)
            const double share = samples.rows() > 12 ? 0.7 : 1.0;
            CHECK(falls_for_ever(reference, share * point.weight));
          } else {
            CHECK(point.status == sm::Status::converged);
            CHECK(miss(reference, k, point.weight) <= 1.5);
            check_estimate(point, k);
          }
        }
      }
    }
  }
}

TEST_CASE("the path of the marks goes through the butterfly") {
  const MatrixXd samples = table(MARKS_CSV);
  REQUIRE(samples.cols() == 88);
  const std::vector<sm::Edge> butterfly = {{0, 1}, {0, 2}, {1, 2}, {2, 3}, {2, 4}, {3, 4}};
  const Points points = path_of(samples, {}, {.count = 60, .ratio = 0.01});
  int passed = 0;
  for (const auto& point : points) passed += point.edges == butterfly ? 1 : 0;
  CHECK(passed >= 1);
  CHECK(points.back().edges.size() > 6);
  CHECK(points.back().positive_definite());
}

TEST_CASE("the objective of a path is a function with its gradient") {
  Rng rng(15);
  for (int trial = 0; trial < 200; ++trial) {
    const Index p = index(rng, 1, 6), n = index(rng, 3 * p, 30);
    const MatrixXd samples = random_samples_of(p, n, rng);
    sm::L1 penalty{.weight = uniform(rng, 0, 1),
                   .penalize_diagonal = trial % 3 == 0,
                   .ridge = trial % 2 == 0 ? 0.3 : 0.0};
    if (trial % 5 == 0) {
      const MatrixXd w = normals<double>(p, p, rng).cwiseAbs();
      penalty.weights = w + w.transpose();
    }
    const bool standardize = trial % 4 != 0;
    const Reference reference = reference_of(samples, penalty, standardize);
    Objective objective(Family(p), moments_of(samples), penalty, standardize);
    CHECK(objective.info().parameter_count == Family(p).parameter_count());
    CHECK(relative_difference(objective.scale(), reference.scale) < 1e-13);
    const auto value = [&](const LongVector& theta, bool penalized) {
      Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic> k(p, p);
      const LongVector s = reference.scale.cast<long double>();
      for (Index i = 0, at = 2 * p; i < p; ++i) {
        k(i, i) = theta(p + i) * s(i) * s(i);
        for (Index j = 0; j < i; ++j) k(i, j) = k(j, i) = theta(at++) * s(i) * s(j);
      }
      const LongVector off = theta.head(p).cwiseProduct(s) -
                             k.lazyProduct(reference.mean.cast<long double>().cwiseQuotient(s));
      long double sum = k.lazyProduct(reference.r.cast<long double>()).cwiseProduct(k).sum() / 2 -
                        k.trace() + off.squaredNorm() / 2;
      for (Index j = 0; j < p && penalized; ++j) {
        for (Index i = 0; i < p; ++i) {
          sum += static_cast<long double>(penalty.weight * reference.weights(i, j)) *
                 std::abs(k(i, j));
        }
      }
      return sum;
    };
    VectorXd theta = normals<double>(Family(p).parameter_count(), 1, rng);
    for (double& t : theta) t += t > 0 ? 0.1 : -0.1;
    VectorXd gradient(theta.size()), smooth(theta.size());
    const double here = objective(theta, gradient);
    const double without = objective.smooth()(theta, smooth);
    const LongVector at = theta.cast<long double>();
    CHECK(here == doctest::Approx(double(value(at, true))).epsilon(1e-11));
    CHECK(without == doctest::Approx(double(value(at, false))).epsilon(1e-11));
    const VectorXd ones = VectorXd::Ones(theta.size());
    CHECK(gradient_error([&](const LongVector& t) { return value(t, true); }, theta, gradient, ones,
                         1e-9) < 1e-6);
    CHECK(gradient_error([&](const LongVector& t) { return value(t, false); }, theta, smooth, ones,
                         1e-9) < 1e-6);
    const auto penalties = objective.penalty();
    double sum = 0, error = 0;
    for (Index k = 0; k < theta.size(); ++k) {
      sum += penalties.value(k, theta(k));
      error = std::max(
          error, std::abs(gradient(k) - smooth(k) - penalties.weight(k) * (theta(k) > 0 ? 1 : -1)));
      // The proximal point is no higher than its neighbors.
      const double t = theta(k), step = uniform(rng, 0, 2), z = penalties.proximal(k, t, step);
      const auto moved = [&](double y) {
        return (y - t) * (y - t) / 2 + step * penalties.value(k, y);
      };
      for (const double y : {0.0, t, z + 1e-3, z - 1e-3, z + 0.1, z - 0.1}) {
        CHECK(moved(z) <= moved(y) + 1e-12);
      }
    }
    CHECK(std::abs(here - without - sum) < 1e-11 * (1 + std::abs(here)));
    CHECK(error < 1e-11 * (1 + gradient.cwiseAbs().maxCoeff()));
    // A point holds all of theta but eta, which follows.
    const VectorXd back = objective.parameters(objective.at(theta));
    CHECK((back - theta).tail(theta.size() - p).cwiseAbs().maxCoeff() <=
          1e-14 * theta.cwiseAbs().maxCoeff());
    // At a minimum nothing is left of the gradient.
    const auto fit =
        sm::fit(Family(p), sm::Penalized{sm::ScoreMatchingLoss{}, penalty, standardize},
                sm::CoordinateDescent{.tolerance = 1e-12}, moments_of(samples), [](const auto&) {});
    CHECK(fit.status == sm::Status::converged);
    const double rest = objective(fit.parameters, gradient);
    CHECK(rest == fit.loss);
    CHECK(gradient.norm() == doctest::Approx(fit.gradient_norm));
    CHECK(fit.gradient_norm < 1e-9 * (1 + fit.parameters.cwiseAbs().maxCoeff()));
    // Elsewhere something is.
    VectorXd elsewhere = fit.parameters;
    elsewhere(index(rng, 0, theta.size() - 1)) += 0.01;
    CHECK(objective(elsewhere, gradient) > rest);
    CHECK(gradient.norm() > 1e-5);
  }
}

namespace {

void check_refused(const std::function<void()>& call, const std::vector<std::string>& parts) {
  const std::string message = message_of(call);
  CAPTURE(message);
  for (const std::string& part : parts) {
    CAPTURE(part);
    CHECK(contains(message, part));
  }
}

}  // namespace

TEST_CASE("what a penalty, a path or samples have wrong is named") {
  Rng rng(16);
  const MatrixXd good = random_samples<double>(3, 20, rng);
  const auto penalty = [&](const sm::L1& l1, const std::vector<std::string>& parts) {
    check_refused([&] { fit_of(good, l1); }, parts);
    check_refused([&] { path_of(good, l1); }, parts);
    check_refused([&] { path_of(moments_of(good), l1); }, parts);
  };
  const std::string number = "expected a finite number, at least 0";
  penalty({.weight = -1}, {"L1: weight = -1", number});
  penalty({.weight = not_a_number}, {"L1: weight = nan", number});
  penalty({.weight = infinity}, {"L1: weight = inf", number});
  penalty({.ridge = -0.5}, {"L1: ridge = -0.5", number});
  penalty({.ridge = not_a_number}, {"L1: ridge = nan", number});
  penalty({.weights = MatrixXd::Ones(2, 3)}, {"L1: weights are 2 x 3", "expected 3 x 3"});
  MatrixXd weights = MatrixXd::Ones(3, 3);
  weights(2, 1) = 0.5;
  penalty({.weights = weights}, {"weights(row 2, column 1) = 0.5", "weights(row 1, column 2) = 1",
                                 "expected them equal"});
  weights(2, 1) = weights(1, 2) = -2;
  penalty({.weights = weights}, {"weights(row 2, column 1) = -2", number});
  weights(2, 1) = weights(1, 2) = not_a_number;
  penalty({.weights = weights}, {"weights(row 2, column 1) = nan", number});
  const std::string sites = "expected two different sites below 3";
  penalty({.present = {{0, 1}, {0, 3}}}, {"L1: present[1] joins 0 and 3", sites});
  penalty({.present = {{-1, 1}}}, {"L1: present[0] joins -1 and 1", sites});
  penalty({.absent = {{2, 2}}}, {"L1: absent[0] joins 2 and 2", sites});
  penalty({.present = {{0, 1}, {2, 1}}, .absent = {{1, 2}}},
          {"L1: the edge of sites 2 and 1 is both present and absent", "expected one"});
  check_refused(
      [&] {
        fit_of(good, sm::GivenGraph{{{0, 1}, {5, 1}}});
      },
      {"GivenGraph: edges[1] joins 5 and 1", sites});
  check_refused([&] { fit_of(good, sm::GivenGraph{{}, -1}); }, {"GivenGraph: ridge = -1", number});

  const auto options = [&](const sm::PathOptions& path, const std::vector<std::string>& parts) {
    check_refused([&] { path_of(good, {}, path); }, parts);
    check_refused([&] { path_of(moments_of(good), {}, path); }, parts);
  };
  options({.count = 0}, {"PathOptions: count = 0", "at least 1"});
  options({.count = -3}, {"PathOptions: count = -3", "at least 1"});
  for (const double ratio : {0.0, 1.0, -0.1, 2.0, not_a_number}) {
    options({.ratio = ratio}, {"PathOptions: ratio = ", "a number above 0 and below 1"});
  }
  options({.weights = {1, 0.5, 0.5}},
          {"PathOptions: weights(1) = 0.5, weights(2) = 0.5", "expected them to decrease"});
  options({.weights = {1, 2}}, {"weights(0) = 1, weights(1) = 2", "decrease"});
  options({.weights = {1, -1}}, {"PathOptions: weights(1) = -1", number});
  options({.weights = {not_a_number}}, {"PathOptions: weights(0) = nan", number});

  const auto descent = [&](const sm::CoordinateDescent& optimizer,
                           const std::vector<std::string>& parts) {
    check_refused([&] { path_of(good, {}, {}, optimizer); }, parts);
    check_refused([&] { fit_of(good, {}, true, optimizer); }, parts);
    const Objective objective(Family(3), good, sm::L1{}, true);
    auto point = objective.origin();
    check_refused([&] { optimizer.walk(point, objective.point_penalty()); }, parts);
    point.for_each_nonzero([](const auto&) { FAIL_CHECK("the point has changed"); });
  };
  descent({.max_iterations = 0}, {"CoordinateDescent: max_iterations = 0", "at least 1"});
  for (const double tolerance : {0.0, 1.0, -1.0, not_a_number}) {
    descent({.tolerance = tolerance},
            {"CoordinateDescent: tolerance = ", "a number above 0 and below 1"});
  }

  const auto samples = [&](const MatrixXd& x, const std::vector<std::string>& parts) {
    check_refused([&] { path_of(x, {}); }, parts);
    check_refused([&] { fit_of(x, sm::L1{}); }, parts);
  };
  const auto with = [&](Index i, Index j, double value) {
    MatrixXd x = good;
    x(i, j) = value;
    return x;
  };
  samples(with(1, 7, not_a_number), {"samples(row 1, column 7) = nan", "finite"});
  samples(with(2, 19, infinity), {"samples(row 2, column 19) = inf", "finite"});
  check_refused([&] { fit_of(with(1, 4, -1e200), sm::L1{}); },
                {"samples(row 1, column 4) = -1e+200", "overflow"});
  check_refused([&] { path_of(with(1, 4, -1e200), {}); },
                {"coordinate 1 of the samples", "overflows", "rescale"});
  samples(MatrixXd(3, 0), {"no samples", "expected at least"});
  samples(good.leftCols(1), {"coordinate 0 of the samples is constant", "ridge"});
  MatrixXd constant = good;
  constant.row(1).setConstant(0.1);
  samples(constant, {"coordinate 1 of the samples is constant (0.1)", "drop it", "ridge"});
  check_refused([&] { path_of(moments_of(constant), {}); }, {"coordinate 1", "(0.1)"});
  MatrixXd wide = normals<double>(40, 3, rng);  // too few for a covariance
  wide.row(31).setConstant(1e6);
  samples(wide, {"coordinate 31 of the samples is constant (1000000)"});
  check_refused(
      [&] {
        sm::fit_path(Family(2), sm::ScoreMatchingLoss{}, sm::L1{}, sm::CoordinateDescent{}, good);
      },
      {"samples have 3 rows", "expected 2"});
  check_refused([&] { Objective(Family(2), moments_of(good), sm::L1{}, true); },
                {"the moments have dimension 3", "expected 2"});
  check_refused([&] { path_of(sm::Moments<double>(3), {}); },
                {"no samples", "expected at least one"});

  // A ridge bounds what is constant: alone, its precision is 1 / ridge.
  const Points one = path_of(good.leftCols(1), {.ridge = 0.25});
  REQUIRE(one.size() == 1);
  CHECK(one[0].status == sm::Status::converged);
  CHECK((MatrixXd(one[0].precision) - 4 * MatrixXd::Identity(3, 3)).isZero(1e-7));
  for (const auto& point : path_of(constant, {.ridge = 0.25})) {
    CHECK(point.status == sm::Status::converged);
    CHECK(point.precision.coeff(1, 1) == doctest::Approx(4));
    for (const sm::Edge& edge : point.edges) CHECK((edge.first != 1 && edge.second != 1));
  }
}
