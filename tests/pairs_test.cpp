// Penalized families of pairs beyond Gaussians, and how a point of a path is chosen. The reference
// is the quadratic form of all parameters, which the library builds in another way.
#include "support.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace {

namespace sm = scorematch;
using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using support::contains;
using support::message_of;
using support::Rng;

double uniform(Rng& rng) { return std::uniform_real_distribution<double>()(rng); }

// Gamma and g of all parameters, and the groups that are penalized together, each with a weight.
struct Reference {
  struct Group {
    Index first, count;
    double weight;
  };
  MatrixXd gamma;
  VectorXd g;
  std::vector<Group> groups;

  VectorXd slopes(const VectorXd& theta) const { return gamma * theta + g; }
  double smooth(const VectorXd& theta) const { return theta.dot(gamma * theta) / 2 + g.dot(theta); }
  double objective(const VectorXd& theta) const {
    double sum = smooth(theta);
    for (const Group& group : groups) {
      const double norm = theta.segment(group.first, group.count).norm();
      if (norm > 0) sum += group.weight * norm;
    }
    return sum;
  }

  // How far the slopes are from those of a minimum, in units of their own.
  double miss(const VectorXd& theta) const {
    VectorXd left = slopes(theta);
    for (const Group& group : groups) {
      auto part = left.segment(group.first, group.count);
      const auto at = theta.segment(group.first, group.count);
      const double norm = at.norm();
      if (norm > 0) {
        part += group.weight / norm * at;
      } else {
        part *= std::max(0.0, 1 - group.weight / std::max(part.norm(), 1e-300));
      }
    }
    return left.cwiseQuotient(gamma.diagonal().cwiseSqrt().cwiseMax(1e-300)).cwiseAbs().maxCoeff();
  }

  // Plain proximal gradient descent.
  VectorXd minimum() const {
    const double most = gamma.cwiseAbs().rowwise().sum().maxCoeff();
    VectorXd theta = VectorXd::Zero(g.size());
    for (int step = 0; step < 3000; ++step) {
      VectorXd next = theta - slopes(theta) / most;
      for (const Group& group : groups) {
        auto part = next.segment(group.first, group.count);
        const double norm = part.norm();
        part *= norm > group.weight / most ? 1 - group.weight / most / norm : 0.0;
      }
      const double moved = (next - theta).cwiseAbs().maxCoeff();
      theta = next;
      if (moved < 1e-13 * std::max(1.0, theta.cwiseAbs().maxCoeff())) break;
    }
    return theta;
  }
};

template <class Loss, class F>
Reference reference(const Loss& loss, const F& family, const MatrixXd& x, double weight,
                    bool standardize, double ridge = 0) {
  auto summary = loss.summary(family);
  summary.add(x);
  Reference result{summary.form().quadratic(), summary.form().linear(), {}};
  const VectorXd curvature = result.gamma.diagonal();
  for (const sm::Coupling& coupling : family.couplings()) {
    const double mean = curvature.segment(coupling.first, coupling.count).mean();
    result.groups.push_back({coupling.first, coupling.count,
                             2 * weight * (standardize ? std::sqrt((1 + ridge) * mean / 2) : 1)});
  }
  if (standardize) result.gamma.diagonal() += ridge * curvature;
  return result;
}

std::vector<sm::Edge> random_graph(Index sites, double density, Rng& rng) {
  std::vector<sm::Edge> edges;
  for (const sm::Edge& edge : sm::complete_graph(sites)) {
    if (uniform(rng) >= density) continue;
    edges.push_back(uniform(rng) < 0.5 ? edge : sm::Edge{edge.second, edge.first});
  }
  return edges;
}

MatrixXd angles(Index sites, Index n, Rng& rng) {
  const double spread = 0.3 + 2 * uniform(rng);
  MatrixXd x = spread * support::normals<double>(sites, n, rng);
  for (Index j = 1; j < sites; ++j) x.row(j) += uniform(rng) * x.row(j - 1);
  return x;
}

MatrixXd positive(Index sites, Index n, Rng& rng) {
  MatrixXd x = support::random_samples(sites, n, rng).cwiseAbs();
  return x.array() + 1e-3;
}

// Calls `check(loss, family, samples)` for a random problem of each kind.
template <class Check>
void for_each_kind(Rng& rng, const Check& check) {
  const Index p = 2 + Index(5 * uniform(rng));
  const Index n = 3 * p + 20 + Index(40 * uniform(rng));
  const double scale = std::exp(3 * (uniform(rng) - 0.5));
  check(sm::ScoreMatchingLoss{},
        sm::PhiFourFamily<double>(p, sm::complete_graph(p), sm::Couplings::per_edge),
        MatrixXd(scale * support::random_samples(p, n, rng)));
  check(sm::ScoreMatchingLoss{},
        sm::VonMisesFamily<double>(p, random_graph(p, 0.9, rng), sm::Couplings::with_phase,
                                   sm::Fields::per_site),
        angles(p, n, rng));
  check(sm::GeneralizedScoreMatchingLoss{sm::MinWeight{2 * scale}},
        sm::TruncatedGaussianFamily<double>(p), MatrixXd(scale * positive(p, n, rng)));
}

}  // namespace

TEST_CASE("forms of the coordinates are together the form of all parameters") {
  Rng rng(1);
  for (int trial = 0; trial < 100; ++trial) {
    for_each_kind(rng, [&](const auto& loss, const auto& family, const MatrixXd& x) {
      const auto whole = reference(loss, family, x, 0.3, true);
      const auto objective =
          sm::penalize(loss, sm::L1{.weight = 0.3}, true).objective_of(family, x);
      const VectorXd theta = support::normals<double>(family.parameter_count(), 1, rng);
      VectorXd gradient(theta.size());
      const double value = objective.smooth()(theta, gradient);
      const VectorXd expected = whole.slopes(theta);
      const double size = whole.gamma.cwiseAbs().maxCoeff() + whole.g.cwiseAbs().maxCoeff();
      CHECK((gradient - expected).cwiseAbs().maxCoeff() <= 1e-11 * size);
      CHECK(std::abs(value - whole.smooth(theta)) <= 1e-11 * size * double(theta.size()));
      CHECK(std::abs(objective(theta, gradient) - whole.objective(theta)) <=
            1e-11 * size * double(theta.size()));
      // One coordinate at a time.
      auto point = objective.at(theta);
      CHECK(objective.parameters(point) == theta);
      Index seen = 0;
      point.for_each_slope([&](const auto& c, const double* slopes) {
        for (Index m = 0; m < c.count; ++m, ++seen) {
          CHECK(std::abs(slopes[m] - expected(c.k + m)) <= 1e-11 * size);
          CHECK(std::abs(point.slope(c, m) - slopes[m]) <= 1e-11 * size);
          CHECK(std::abs(point.curvature(c, m) - whole.gamma(c.k + m, c.k + m)) <= 1e-11 * size);
        }
      });
      CHECK(seen == theta.size());
    });
  }
}

TEST_CASE("every point of a path is the minimum, and that of plain proximal descent") {
  Rng rng(2);
  for (int trial = 0; trial < 30; ++trial) {
    for_each_kind(rng, [&](const auto& loss, const auto& family, const MatrixXd& x) {
      const bool standardize = uniform(rng) < 0.7;
      const double ridge = standardize && uniform(rng) < 0.3 ? 0.1 : 0;
      const auto path = sm::fit_path(family, loss, sm::L1{.ridge = ridge},
                                     sm::CoordinateDescent{.max_iterations = 100000}, x,
                                     {.count = 6, .ratio = 0.02, .standardize = standardize});
      REQUIRE(path.points.size() == 6);
      CHECK(path.points.front().edges.empty());
      for (const auto& point : path.points) {
        REQUIRE(point.status == sm::Status::converged);
        const auto whole = reference(loss, family, x, point.weight, standardize, ridge);
        const double unit =
            whole.g.cwiseQuotient(whole.gamma.diagonal().cwiseSqrt()).cwiseAbs().maxCoeff();
        CHECK(whole.miss(point.parameters) <= 1e-7 * unit);
        CHECK(std::abs(point.loss - whole.smooth(point.parameters)) <=
              1e-10 * std::abs(point.loss) + 1e-12);
        // What is an edge is coupled, and nothing else.
        std::map<sm::Edge, double> norms;
        for (const sm::Coupling& coupling : family.couplings()) {
          const double norm = point.parameters.segment(coupling.first, coupling.count).norm();
          const auto [i, j] = coupling.edge;
          if (norm > 0) norms[{std::min(i, j), std::max(i, j)}] = norm;
        }
        REQUIRE(norms.size() == point.edges.size());
        for (std::size_t e = 0; e < point.edges.size(); ++e) {
          REQUIRE(norms.count(point.edges[e]) == 1);
          CHECK(std::abs(std::abs(point.strengths[e]) - norms[point.edges[e]]) <= 1e-15);
        }
        if (trial % 10 == 0) {
          const VectorXd other = whole.minimum();
          CHECK(whole.objective(point.parameters) <=
                whole.objective(other) + 1e-11 * std::abs(whole.objective(other)));
        }
      }
    });
  }
}

TEST_CASE("a given graph is the family of that graph") {
  Rng rng(3);
  for (int trial = 0; trial < 100; ++trial) {
    const Index p = 2 + Index(5 * uniform(rng));
    const auto edges = random_graph(p, 0.5, rng);
    if (edges.empty()) continue;
    const MatrixXd x = angles(p, 60, rng);
    // The same angles, by a family that knows the graph and one that is told.
    const auto all = sm::complete_graph(p);
    const auto fields = sm::Fields::per_site;
    const sm::VonMisesFamily<double> complete(p, all, sm::Couplings::per_edge, fields);
    const sm::VonMisesFamily<double> known(p, edges, sm::Couplings::per_edge, fields);
    const auto told = sm::refit(complete, sm::ScoreMatchingLoss{}, x, edges);
    const auto exact = sm::fit(known, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, x);
    REQUIRE(exact.status == sm::Status::converged);
    REQUIRE(told.status == sm::Status::converged);
    const double size = exact.parameters.cwiseAbs().maxCoeff();
    for (std::size_t e = 0; e < all.size(); ++e) {
      const auto same = [&](const sm::Edge& edge) {
        return edge == all[e] || edge == sm::Edge{all[e].second, all[e].first};
      };
      const auto at = std::find_if(edges.begin(), edges.end(), same);
      const double coupling = complete.coupling(told.parameters, Index(e));
      if (at == edges.end()) {
        CHECK(coupling == 0);
      } else {
        const double expected = known.coupling(exact.parameters, at - edges.begin());
        CHECK(std::abs(coupling - expected) <= 1e-6 * size);
      }
    }
    CHECK(told.edges.size() == edges.size());
  }
}

TEST_CASE("sums of coordinates add, merge and weigh, and a refused call changes nothing") {
  Rng rng(4);
  for (int trial = 0; trial < 30; ++trial) {
    for_each_kind(rng, [&](const auto& loss, const auto& family, const MatrixXd& x) {
      const auto penalized = sm::penalize(loss, sm::L1{}, true);
      const auto same = [](const auto& a, const auto& b) {
        bool equal = std::abs(a.count() - b.count()) <= 1e-12 * a.count();
        for (std::size_t j = 0; j < a.columns().size(); ++j) {
          const auto& one = a.columns()[j];
          const auto& other = b.columns()[j];
          const double size = one.quadratic.cwiseAbs().maxCoeff() + one.linear.norm() + 1e-300;
          equal = equal &&
                  (one.quadratic - other.quadratic).cwiseAbs().maxCoeff() <= 1e-12 * size &&
                  (one.linear - other.linear).cwiseAbs().maxCoeff() <= 1e-12 * size;
        }
        return equal;
      };
      const Index n = x.cols();
      auto whole = penalized.summary(family);
      whole.add(x);
      auto one_by_one = penalized.summary(family);
      for (Index k = 0; k < n; ++k) one_by_one.add(x.col(k));
      CHECK(same(whole, one_by_one));
      auto left = penalized.summary(family), right = left;
      left.add(x.leftCols(n / 3));
      right.add(x.rightCols(n - n / 3));
      left.merge(right);
      CHECK(same(whole, left));
      auto twice = penalized.summary(family), doubled = twice;
      twice.add(x);
      twice.add(x.leftCols(5));
      Eigen::VectorXd weights = VectorXd::Ones(n);
      weights.head(5).setConstant(2);
      doubled.add(x, weights);
      CHECK(same(twice, doubled));

      MatrixXd bad = x;
      bad(1, 3) = support::not_a_number;
      CHECK(contains(message_of([&] { whole.add(bad); }), "samples(row 1, column 3) = nan"));
      CHECK(contains(message_of([&] { whole.add(x.topRows(1)); }), "rows; expected"));
      CHECK(same(whole, one_by_one));
      CHECK(contains(message_of([&] { penalized.objective(family, penalized.summary(family)); }),
                     "there are no samples"));
    });
  }
  const sm::PhiFourFamily<double> three(3, sm::complete_graph(3), sm::Couplings::per_edge);
  const sm::PhiFourFamily<double> four(4, sm::complete_graph(4), sm::Couplings::per_edge);
  const auto penalized = sm::penalize(sm::ScoreMatchingLoss{}, sm::L1{}, true);
  auto sums = penalized.summary(three);
  CHECK(contains(message_of([&] {
                   sm::ColumnSums<sm::PhiFourFamily<double>, sm::UniformWeighting> other(four);
                   sums.merge(other);
                 }),
                 "other statistics"));
}

TEST_CASE("families that cannot have a graph found say so") {
  Rng rng(5);
  const MatrixXd x = support::random_samples(4, 30, rng);
  const auto path = [&](const sm::PhiFourFamily<double>& family, const sm::L1& penalty) {
    return message_of([&] {
      (void)sm::fit_path(family, sm::ScoreMatchingLoss{}, penalty, sm::CoordinateDescent{}, x);
    });
  };
  CHECK(contains(path({4, sm::complete_graph(4)}, {}), "shares its coupling with another edge"));
  const sm::PhiFourFamily<double> good(4, sm::complete_graph(4), sm::Couplings::per_edge);
  CHECK(contains(path(good, {.ridge = -1}), "L1: ridge = -1; expected"));
  CHECK(contains(path(good, {.present = {{0, 4}}}), "L1: present[0] joins 0 and 4"));
  CHECK(contains(
      message_of([] { sm::PhiFourFamily<double>(4, sm::ring(4), sm::Couplings::with_phase); }),
      "with_phase; expected"));
  CHECK(contains(message_of([] { sm::complete_graph(0); }), "complete_graph: size = 0"));
}

TEST_CASE("forced edges are in, forbidden ones out") {
  Rng rng(6);
  for (int trial = 0; trial < 40; ++trial) {
    const Index p = 4;
    const MatrixXd x = support::random_samples(p, 60, rng);
    const sm::PhiFourFamily<double> family(p, sm::complete_graph(p), sm::Couplings::per_edge);
    const sm::L1 penalty{.present = {{2, 0}}, .absent = {{1, 3}, {3, 2}}};
    const auto path = sm::fit_path(family, sm::ScoreMatchingLoss{}, penalty,
                                   sm::CoordinateDescent{}, x, {.count = 5, .ratio = 0.001});
    for (const auto& point : path.points) {
      REQUIRE(point.status == sm::Status::converged);
      const auto& edges = point.edges;
      CHECK(std::count(edges.begin(), edges.end(), sm::Edge{0, 2}) == 1);
      CHECK(std::count(edges.begin(), edges.end(), sm::Edge{1, 3}) == 0);
      CHECK(std::count(edges.begin(), edges.end(), sm::Edge{2, 3}) == 0);
    }
    CHECK(path.points.front().edges.size() == 1);
    CHECK(path.points.back().edges.size() == 4);
  }
}

TEST_CASE("what a zero coupling gains by being fitted is what the criterion divides by") {
  Rng rng(7);
  // Independent sites: the gain of each pair alone is slope^2 / (2 curvature).
  const auto mean_gain = [&](const auto& family, const auto& draw, auto&& told,
                             bool standardize = true, double ridge = 0) {
    double found = 0, expected = 0;
    const int trials = 400;
    const Index n = 200;
    for (int trial = 0; trial < trials; ++trial) {
      const MatrixXd x = draw(family.dimension(), n);
      const auto objective =
          sm::penalize(sm::ScoreMatchingLoss{}, sm::L1{.ridge = ridge}, standardize)
              .objective_of(family, x);
      auto point = objective.origin();
      sm::CoordinateDescent{}.walk(point, objective.point_penalty(support::infinity));
      const auto unit = objective.point_penalty(1.0);
      double sum = 0, count = 0;
      point.for_each_slope([&](const auto& c, const double* slopes) {
        if (!(unit.weight(c) > 0)) return;
        for (Index m = 0; m < c.count; ++m, ++count) {
          sum += double(n) * slopes[m] * slopes[m] / point.curvature(c, m);
        }
      });
      found += sum / count / trials;
      expected += told(objective, point, x) / trials;
    }
    // 400 data sets of some 10 pairs: about 4000 squares of normals.
    CHECK(std::abs(found / expected - 1) <= 0.12);
  };
  const auto of_samples = [](const auto& objective, const auto& point, const MatrixXd& x) {
    return objective.gain(point, x);
  };
  const sm::PairwiseGaussianFamily<double> gaussian(5);
  const auto by_itself = [](const auto& objective, const auto&, const MatrixXd&) {
    return objective.gain();
  };
  const auto of_units = [&](Index p, Index n) {
    MatrixXd x = support::normals<double>(p, n, rng);
    for (Index i = 0; i < p; ++i) x.row(i) *= std::pow(3.0, double(i - 2));
    return x;
  };
  mean_gain(gaussian, of_units, by_itself);
  mean_gain(gaussian, of_units, by_itself, false);
  mean_gain(gaussian, of_units, by_itself, true, 0.5);
  mean_gain(gaussian, of_units, by_itself, false, 2);
  mean_gain(
      sm::PhiFourFamily<double>(5, sm::complete_graph(5), sm::Couplings::per_edge),
      [&](Index p, Index n) {
        return MatrixXd(1.7 * support::normals<double>(p, n, rng).array().tanh());
      },
      of_samples);
  mean_gain(
      sm::VonMisesFamily<double>(5, sm::complete_graph(5), sm::Couplings::with_phase),
      [&](Index p, Index n) { return MatrixXd(4 * support::normals<double>(p, n, rng)); },
      of_samples);
}

TEST_CASE("criteria are what they say, for any number of threads") {
  Rng rng(8);
  const Index p = 6, n = 80;
  for (int trial = 0; trial < 5; ++trial) {
    const MatrixXd x = support::random_samples(p, n, rng);
    const sm::PairwiseGaussianFamily<double> family(p);
    const sm::ScoreMatchingLoss loss;
    const auto path =
        sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, x, {.count = 8});

    // The extended BIC by its formula, with refits on the correlation scale.
    const auto chosen = sm::select(path, sm::ExtendedBic{.gamma = 0.7});
    const auto again = sm::select(path, sm::ExtendedBic{.gamma = 0.7, .refit = true}, x);
    for (std::size_t k = 0; k < path.points.size(); ++k) {
      const double edges = double(path.points[k].edges.size());
      const double price = edges * (std::log(double(n)) + 4 * 0.7 * std::log(double(p)));
      CHECK(std::abs(chosen.scores[k] - (double(n) * path.points[k].loss + price)) <= 1e-9);
      const auto fit = sm::refit(family, loss, x, path.points[k].edges);
      CHECK(std::abs(again.scores[k] - (double(n) * fit.loss + price)) <= 1e-5);
      CHECK(fit.loss <= path.points[k].loss + 1e-9);
    }
    CHECK(chosen.scores[std::size_t(chosen.index)] ==
          *std::min_element(chosen.scores.begin(), chosen.scores.end()));
    CHECK(chosen.edges == path.points[std::size_t(chosen.index)].edges);

    // Each sample is left out once: with n folds, by hand.
    const auto folds = sm::select(path, sm::CrossValidation{.folds = n}, x);
    std::vector<double> by_hand(path.points.size(), 0.0);
    for (Index left = 0; left < n; ++left) {
      MatrixXd rest(p, n - 1);
      rest << x.leftCols(left), x.rightCols(n - 1 - left);
      sm::PathOptions options = path.options;
      const auto part =
          sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, rest, options);
      const VectorXd mean = rest.rowwise().mean();
      const VectorXd scale = (rest.colwise() - mean).rowwise().norm() / std::sqrt(double(n - 1));
      for (std::size_t k = 0; k < part.points.size(); ++k) {
        const MatrixXd scaled =
            scale.asDiagonal() * MatrixXd(part.points[k].precision) * MatrixXd(scale.asDiagonal());
        const VectorXd z = (x.col(left) - mean).cwiseQuotient(scale);
        by_hand[k] += ((scaled * z).squaredNorm() / 2 - scaled.trace()) / double(n);
      }
    }
    for (std::size_t k = 0; k < by_hand.size(); ++k) {
      CHECK(std::abs(folds.scores[k] - by_hand[k]) <= 1e-8 * std::abs(by_hand[k]));
    }

    for (const Index threads : {2, 3, 0}) {
      const auto same = [&](const auto& make) {
        CHECK(make(Index(1)).scores == make(threads).scores);
        CHECK(make(Index(1)).index == make(threads).index);
      };
      same([&](Index t) {
        return sm::select(path, sm::CrossValidation{.folds = 5, .threads = t}, x);
      });
      same([&](Index t) { return sm::select(path, sm::Stars{.subsamples = 6, .threads = t}, x); });
      const auto stable = [&](Index t) {
        return sm::select(path, sm::StabilitySelection{.subsamples = 10, .threads = t}, x);
      };
      CHECK(stable(1).edges == stable(threads).edges);
      CHECK(stable(1).frequencies == stable(threads).frequencies);
    }
    const auto best = sm::select(path, sm::CrossValidation{.folds = 5}, x);
    const auto sparse =
        sm::select(path, sm::CrossValidation{.folds = 5, .one_standard_error = true}, x);
    CHECK(sparse.index <= best.index);
    CHECK(sm::select(path, sm::CrossValidation{.folds = 5, .seed = 2}, x).scores != best.scores);
    const auto stars = sm::select(path, sm::Stars{.subsamples = 6, .share = 0.5}, x);
    CHECK(std::is_sorted(stars.scores.begin(), stars.scores.end()));
    CHECK((stars.index == 0 || stars.scores[std::size_t(stars.index)] <= 0.05));
    // All samples in every subsample: nothing can disagree.
    const auto agreed = sm::select(path, sm::Stars{.subsamples = 3, .share = 1}, x);
    CHECK(agreed.scores.back() <= 1e-12);
    CHECK(agreed.index == Index(path.points.size()) - 1);
  }
}

TEST_CASE("criteria refuse what they cannot do") {
  Rng rng(9);
  const MatrixXd x = support::random_samples(3, 20, rng);
  const sm::PairwiseGaussianFamily<double> family(3);
  const auto path =
      sm::fit_path(family, sm::ScoreMatchingLoss{}, sm::L1{}, sm::CoordinateDescent{}, x);
  const auto message = [&](const auto& criterion) {
    return message_of([&] { (void)sm::select(path, criterion, x); });
  };
  CHECK(contains(message(sm::CrossValidation{.folds = 21}), "folds = 21; expected 2 to 20"));
  CHECK(contains(message(sm::CrossValidation{.folds = 1}), "folds = 1; expected 2 to 20"));
  CHECK(contains(message(sm::CrossValidation{.threads = -1}), "threads = -1"));
  CHECK(contains(message(sm::ExtendedBic{.gamma = -1}), "gamma = -1"));
  CHECK(contains(message(sm::ExtendedBic{.gamma = support::not_a_number}), "gamma = nan"));
  CHECK(contains(message(sm::Stars{.subsamples = 1}), "subsamples = 1"));
  CHECK(contains(message(sm::Stars{.share = 1.5}), "share = 1.5"));
  CHECK(contains(message(sm::Stars{.share = 0.01}), "expected at least 2"));
  CHECK(contains(message(sm::Stars{.instability = 0}), "instability = 0"));
  CHECK(contains(message(sm::StabilitySelection{.threshold = 0.5}), "threshold = 0.5"));
  CHECK(contains(message(sm::StabilitySelection{.false_edges = 0}), "false_edges = 0"));
  CHECK(contains(message_of([&] { (void)sm::select(path, sm::ExtendedBic{.refit = true}); }),
                 "needs the samples"));
  CHECK(contains(message_of([&] { (void)sm::select(path, sm::CrossValidation{}, x.topRows(2)); }),
                 "rows; expected 3"));
  auto empty = path;
  empty.points.clear();
  CHECK(contains(message_of([&] { (void)sm::select(empty, sm::ExtendedBic{}); }), "no points"));

  const sm::PhiFourFamily<double> spins(3, sm::complete_graph(3), sm::Couplings::per_edge);
  const auto other =
      sm::fit_path(spins, sm::ScoreMatchingLoss{}, sm::L1{}, sm::CoordinateDescent{}, x);
  CHECK(contains(message_of([&] { (void)sm::select(other, sm::ExtendedBic{}); }),
                 "needs the samples"));
  CHECK(sm::select(other, sm::ExtendedBic{}, x).scores.size() == other.points.size());
}

TEST_CASE("the smallest eigenvalue is found wherever its vector lies") {
  // Orthogonal to nearly every start that has a pattern.
  const Index p = 1010;
  sm::detail::SparseColumns<double> matrix(p, p);
  for (Index i = 0; i < p; ++i) matrix.set(i, i, 1);
  for (const double scale : {1.0, 1e-170, 1e150}) {
    for (const Index other : {1, 500, 1009}) {
      for (Index i = 0; i < p; ++i) matrix.set(i, i, scale);
      matrix.set(0, other, 1.5 * scale);
      matrix.set(other, 0, 1.5 * scale);
      CHECK(std::abs(sm::detail::smallest_eigenvalue(matrix) / scale + 0.5) <= 1e-6);
      matrix.set(0, other, 0);
      matrix.set(other, 0, 0);
    }
  }
}

TEST_CASE("sums of another family are refused") {
  Rng rng(10);
  const sm::ScoreMatchingLoss loss;
  const auto spins = [](Index p, std::vector<sm::Edge> edges) {
    return sm::PhiFourFamily<double>(p, std::move(edges), sm::Couplings::per_edge);
  };
  const auto penalized = sm::penalize(loss, sm::L1{.weight = 0.1}, true);
  auto sums = penalized.summary(spins(4, sm::complete_graph(4)));
  sums.add(support::random_samples(4, 30, rng));
  for (const auto& family :
       {spins(3, sm::complete_graph(3)), spins(5, sm::complete_graph(5)), spins(4, sm::ring(4))}) {
    CHECK(contains(message_of([&] { penalized.objective(family, sums); }), "of another family"));
  }
}

TEST_CASE("what the samples say nothing of is no reason to fail") {
  Rng rng(11);
  // Two equal angles: no curvature in their coupling.
  MatrixXd x = angles(4, 60, rng);
  x.row(1) = x.row(0);
  const sm::VonMisesFamily<double> family(4, sm::complete_graph(4), sm::Couplings::per_edge);
  const auto fit = sm::refit(family, sm::ScoreMatchingLoss{}, x, {{2, 3}});
  CHECK(fit.status == sm::Status::converged);
  CHECK(fit.edges == std::vector<sm::Edge>{{2, 3}});
  // Their coupling alone would grow for ever.
  const auto path = sm::fit_path(family, sm::ScoreMatchingLoss{}, sm::L1{.absent = {{0, 1}}},
                                 sm::CoordinateDescent{}, x, {.count = 4});
  for (const auto& point : path.points) CHECK(point.status == sm::Status::converged);

  // Nearly equal floats are not singular.
  for (const float share : {0.9F, 0.99F, 0.995F, 0.999F}) {
    Eigen::MatrixXf y = support::normals<float>(2, 500, rng);
    y.row(1) = share * y.row(0) + std::sqrt(1 - share * share) * y.row(1);
    const sm::PairwiseGaussianFamily<float> pair(2);
    CHECK(sm::refit(pair, sm::ScoreMatchingLoss{}, y, {{0, 1}}).status == sm::Status::converged);
  }
}

TEST_CASE("criteria take nothing where there is no minimum") {
  Rng rng(12);
  const sm::PairwiseGaussianFamily<double> family(12);
  const MatrixXd x = support::normals<double>(12, 24, rng);
  const sm::ScoreMatchingLoss loss;
  const auto path = sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, x,
                                 {.weights = {0.8, 0.05, 0.001}});
  REQUIRE(path.points.size() == 3);
  const auto stars = sm::select(path, sm::Stars{.share = 0.2, .instability = 0.5}, x);
  CHECK(stars.scores.size() == 3);
  CHECK(stars.scores[2] == support::infinity);
  CHECK(stars.index < 2);
  const auto folds =
      sm::select(path, sm::CrossValidation{.folds = 2, .one_standard_error = true}, x);
  CHECK(folds.index < 2);
  CHECK(folds.scores[2] == support::infinity);
  const auto nothing = sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, x.leftCols(8),
                                    {.weights = {1e-4}});
  const auto none = sm::select(nothing, sm::CrossValidation{.folds = 4, .one_standard_error = true},
                               x.leftCols(8));
  CHECK(none.index == 0);
  CHECK(none.scores[0] == support::infinity);

  // A column that is constant, but for one sample.
  MatrixXd rare = x;
  rare.row(3).setZero();
  rare(3, 0) = 1;
  const auto odd =
      sm::fit_path(family, loss, sm::L1{}, sm::CoordinateDescent{}, rare, {.weights = {0.9}});
  CHECK(contains(message_of([&] { (void)sm::select(odd, sm::CrossValidation{.folds = 24}, rare); }),
                 "folds["));
  // A ridge is the refit's too.
  rare.row(3).setZero();
  const auto with_ridge = sm::fit_path(family, loss, sm::L1{.ridge = 0.1}, sm::CoordinateDescent{},
                                       rare, {.count = 3, .ratio = 0.5});
  const auto again = sm::select(with_ridge, sm::ExtendedBic{.refit = true}, rare);
  CHECK(std::isfinite(again.scores[std::size_t(again.index)]));
  CHECK(std::isfinite(sm::select(with_ridge, sm::ExtendedBic{}).scores[0]));
}

TEST_CASE("edges that are always there leave the bound of false ones to the others") {
  Rng rng(13);
  const Index p = 12;
  MatrixXd x = support::normals<double>(p, 300, rng);
  for (Index i = 1; i < p; ++i) x.row(i) += 0.8 * x.row(i - 1);
  sm::L1 penalty;
  for (Index i = 1; i + 1 < p; ++i) penalty.present.push_back({i - 1, i});
  const auto path = sm::fit_path(sm::PairwiseGaussianFamily<double>(p), sm::ScoreMatchingLoss{},
                                 penalty, sm::CoordinateDescent{}, x);
  const auto stable = sm::select(path, sm::StabilitySelection{.subsamples = 20}, x);
  for (const sm::Edge& edge : penalty.present) {
    CHECK(std::count(stable.edges.begin(), stable.edges.end(), edge) == 1);
  }
  CHECK(std::count(stable.edges.begin(), stable.edges.end(), sm::Edge{p - 2, p - 1}) == 1);
}
