// What is said of a fit names coordinates and parameters; named accessors; what is refused.
#include "support.hpp"

#include <doctest/doctest.h>

#include <numbers>
#include <vector>

namespace {

using namespace support;

template <class F, class Loss, class Optimizer>
std::string said(const F& family, const Loss& loss, const Optimizer& optimizer,
                 const Eigen::MatrixXd& samples) {
  const typename sm::SummaryOf<Loss, F> none = loss.summary(family);
  auto summary = none;
  summary.add(samples);
  const auto fit = sm::fit(family, loss, optimizer, summary);
  const std::string text = sm::explain(fit, family, loss, summary);
  CHECK(text == sm::explain(fit, family, loss, samples));
  CHECK(text.find(std::string(explain(fit.status))) == 0);
  return text;
}

}  // namespace

TEST_CASE("a singular covariance is explained by its coordinates") {
  Rng rng(1);
  for (const double unit : {1e-8, 1.0, 1e8}) {
    CAPTURE(unit);
    Eigen::MatrixXd samples = unit * random_samples(5, 100, rng);
    const sm::GaussianFamily<double> family(5);
    const auto text = [&](const auto& optimizer) {
      return said(family, sm::ScoreMatchingLoss{}, optimizer, samples);
    };
    CHECK(text(sm::ClosedForm{}) == explain(sm::Status::converged));
    samples.row(2).setConstant(3 * unit);
    CHECK(contains(text(sm::ClosedForm{}), "Constant: coordinate 2."));
    CHECK_FALSE(contains(text(sm::Lbfgs{}), "dependent"));
    samples.row(4) = samples.row(0) - 2 * samples.row(1);
    CHECK(contains(text(sm::ClosedForm{}), "Linearly dependent: coordinates 0, 1 and 4."));
    samples.row(3).setConstant(unit);
    CHECK(contains(text(sm::ClosedForm{}), "Constant: coordinates 2 and 3."));
  }
  // Rows and columns exchanged.
  const sm::GaussianFamily<double> wide(100);
  const std::string text =
      said(wide, sm::NegativeLogLikelihood{}, sm::ClosedForm{}, random_samples(100, 2, rng));
  CHECK(contains(text, "There are 2 samples of 100 coordinates: one sample per column?"));
  CHECK(contains(text, "more."));
  CHECK(text.size() < 900);
}

TEST_CASE("parameters that samples do not determine are named") {
  Rng rng(2);
  for (const double unit : {1e-8, 1.0, 1e8}) {
    Eigen::MatrixXd samples = unit * random_samples(2, 100, rng);
    samples.row(1).setConstant(unit);
    const std::string text = said(sm::PairwiseGaussianFamily<double>(2), sm::ScoreMatchingLoss{},
                                  sm::ClosedForm{}, samples);
    CAPTURE(text);
    CHECK(contains(text, "unbounded"));
    CHECK(contains(text, "K(1, 1)"));
    CHECK_FALSE(contains(text, "K(0, 0)"));
  }
  // Two spins that are always equal: r and J act alike.
  Eigen::MatrixXd twins(2, 100);
  twins.row(0) = normals<double>(1, 100, rng);
  twins.row(1) = twins.row(0);
  const std::string spins = said(sm::PhiFourFamily<double>(2, sm::ring(2)), sm::ScoreMatchingLoss{},
                                 sm::ClosedForm{}, twins);
  CAPTURE(spins);
  CHECK(contains(spins, "do not determine J(0), of sites 0 and 1 and r."));
  // An energy of which one parameter is a constant, and two act by their sum.
  const auto energy = [](const auto& x, const auto& t) {
    return -(1.0 + t(0) * t(0) + t(3) + t(1)) * x(0) * x(0) / 2.0 + t(2);
  };
  const auto family = sm::energy_family<1>(energy, Eigen::Vector4d(0.3, 0.5, 1, 0.25));
  const std::string flat =
      said(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, normals<double>(1, 200, rng));
  CAPTURE(flat);
  CHECK(contains(flat, "theta(1), theta(2) and theta(3)"));
  const auto regular = sm::energy_family<1>(
      [](const auto& x, const auto& t) { return t(0) * x(0) - t(1) * x(0) * x(0) / 2.0; },
      Eigen::Vector2d(0, 1));
  CHECK(said(regular, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, random_samples(1, 200, rng)) ==
        explain(sm::Status::converged));
}

TEST_CASE("no status gives advice that the library does not have") {
  for (int s = 0; s <= int(sm::Status::ambiguous); ++s) {
    const std::string text{explain(sm::Status(s))};
    CHECK_FALSE(contains(text, "unidentifiable()"));
  }
}

TEST_CASE("accessors name what parameters mean, and check theta and index") {
  const sm::VonMisesFamily<double, 1> one{};
  const Eigen::Vector2d theta(2 * std::cos(2.5), 2 * std::sin(2.5));
  CHECK(one.kappa(theta, 0) == doctest::Approx(2));
  CHECK(one.mean_direction(theta, 0) == doctest::Approx(2.5));
  CHECK(contains(message_of([&] { one.kappa(theta, 1); }),
                 "VonMisesFamily::kappa: site = 1; expected 0 to 0"));
  CHECK(contains(message_of([&] { one.kappa(Eigen::Vector3d(1, 2, 3), 0); }), "theta has 3"));
  CHECK(contains(message_of([&] { one.coupling(theta, 0); }), "edge = 0; there is none"));

  const auto edges = sm::ring(3);
  Eigen::VectorXd nine(9);
  nine << 1, 0, 0, 2, -3, 0, 0.25, 0.5, 0.75;
  const sm::VonMisesFamily<double> coupled(3, edges, sm::Couplings::per_edge, sm::Fields::per_site);
  CHECK(coupled.kappa(nine, 1) == 2);
  CHECK(coupled.mean_direction(nine, 1) == doctest::Approx(std::numbers::pi / 2));
  CHECK(coupled.coupling(nine, 2) == 0.75);
  CHECK(coupled.parameter_name(3) == "kappa sin mu of site 1");
  CHECK(coupled.parameter_name(8) == "J(2), of sites 2 and 0");
  const sm::VonMisesFamily<double> shared(3, edges, sm::Couplings::shared, sm::Fields::shared);
  CHECK(shared.kappa(Eigen::Vector3d(3, 4, 5), 2) == 5);
  CHECK(shared.coupling(Eigen::Vector3d(3, 4, 6), 2) == 6);
  CHECK(shared.parameter_name(2) == "J");
  const sm::VonMisesFamily<double> bare(3, edges);
  CHECK(contains(message_of([&] { bare.kappa(Eigen::VectorXd::Ones(1), 0); }), "no fields"));

  const sm::PhiFourFamily<double> lattice(3, edges, sm::Couplings::per_edge);
  Eigen::VectorXd five(5);
  five << 1, 2, 3, 4, 5;
  CHECK(lattice.coupling(five, 1) == 2);
  CHECK(lattice.r(five) == 4);
  CHECK(lattice.u(five) == 5);
  CHECK(lattice.parameter_name(4) == "u");
  CHECK(contains(message_of([&] { lattice.coupling(five, -1); }), "edge = -1; expected 0 to 2"));
  CHECK(contains(message_of([&] { lattice.u(Eigen::VectorXd::Ones(6)); }), "theta has 6"));

  const sm::PairwiseGaussianFamily<double> pairs(3);
  CHECK(pairs.parameter_name(1) == "eta(1)");
  CHECK(pairs.parameter_name(5) == "K(2, 2)");
  CHECK(pairs.parameter_name(8) == "K(2, 1)");
  CHECK(contains(message_of([&] { pairs.precision(Eigen::VectorXd::Ones(8)); }),
                 "theta has 8 entries; expected 9"));
  CHECK(contains(message_of([&] { pairs.gaussian(Eigen::VectorXd::Ones(10)); }),
                 "theta has 10 entries; expected 9"));
  CHECK(sm::PolynomialFamily<double, 4>().parameter_name(2) == "the coefficient of x^3");
}

TEST_CASE("summaries of different statistics are not merged") {
  const sm::ScoreMatchingLoss loss;
  const auto ring = loss.summary(sm::PhiFourFamily<double>(4, sm::ring(4)));
  auto pairs = loss.summary(sm::PhiFourFamily<double>(4, {{0, 1}, {2, 3}}));
  CHECK(contains(message_of([&] { pairs.merge(ring); }), "of another graph"));
  auto none = loss.summary(sm::VonMisesFamily<double>(2, sm::ring(2)));
  const auto field = loss.summary(
      sm::VonMisesFamily<double>(2, sm::ring(2), sm::Couplings::shared, sm::Fields::shared));
  CHECK(contains(message_of([&] { none.merge(field); }), "other statistics"));
  auto origin = loss.summary(sm::PolynomialFamily<double, 4>());
  const auto center = loss.summary(sm::PolynomialFamily<double, 4>(1));
  CHECK(contains(message_of([&] { origin.merge(center); }), "other statistics"));
  origin.merge(loss.summary(sm::PolynomialFamily<double, 4>()));
}

TEST_CASE("a batch names the problem that it cannot fit") {
  const sm::PhiFourFamily<double> family(2, sm::ring(2));
  const sm::PhiFourFamily<double> other(2, {});
  std::vector<sm::SummaryOf<sm::ScoreMatchingLoss, sm::PhiFourFamily<double>>> summaries;
  summaries.push_back(sm::ScoreMatchingLoss{}.summary(family));
  summaries.push_back(sm::ScoreMatchingLoss{}.summary(other));
  for (auto& summary : summaries) summary.add(Eigen::MatrixXd::Random(2, 20));
  CHECK(contains(message_of([&] {
                   sm::fit_batch(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, summaries);
                 }),
                 "summaries[1]: the summary has 2 parameters; expected 3"));
}

namespace {

int calls = 0;
int last_call = 0;

// x_i^2 / 2 and x_i^3 / 3, and a failure as of a vector that cannot grow.
struct Failing {
  template <class X, class Visit>
  void for_each_derivative(const X& x, Eigen::Index j, Visit&& visit) const {
    if (++calls > last_call) throw std::bad_alloc();
    visit(j, x(j), 1.0);
    visit(20 + j, x(j) * x(j), 2 * x(j));
  }
  Eigen::VectorXd operator()(const Eigen::VectorXd& x) const {
    Eigen::VectorXd t(40);
    t << x.array().square() / 2, x.array().cube() / 3;
    return t;
  }
};

}  // namespace

TEST_CASE("statistics that throw leave the summary as it was, whenever they do") {
  const sm::ExponentialFamily<double, Eigen::Dynamic, Eigen::Dynamic, Failing> family(20, 40);
  last_call = 1 << 30;
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  summary.add(Eigen::MatrixXd::Random(20, 50));
  const auto before = summary;
  for (const Eigen::Index n : {1, 3}) {
    const Eigen::MatrixXd samples = Eigen::MatrixXd::Ones(20, n);
    calls = 0;
    last_call = 1 << 30;
    auto copy = before;
    copy.add(samples);
    const int all = calls;
    for (int failing = 0; failing < all; ++failing) {
      calls = 0;
      last_call = failing;
      CHECK_THROWS_AS(summary.add(samples), std::bad_alloc);
      CHECK(summary.count() == before.count());
      CHECK(same_bits(summary.form().quadratic(), before.form().quadratic()));
      CHECK(same_bits(summary.form().linear(), before.form().linear()));
    }
  }
}
