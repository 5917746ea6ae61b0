#include "support.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace {

using namespace support;

template <class F>
auto summary_of(const F& family, const Eigen::MatrixXd& samples) {
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  summary.add(samples);
  return summary;
}

// Three statistics of one number, the third `combine` of the others; what is collinear is up to the
// test.
struct Mixed {
  double a, b, c;  // t_2 = a x + b x^2 + c
  using Vector = Eigen::Matrix<double, 1, 1>;
  Eigen::Vector3d operator()(const Vector& x) const {
    return {x(0), x(0) * x(0), a * x(0) + b * x(0) * x(0) + c};
  }
  Eigen::Vector3d jacobian(const Vector& x) const { return {1, 2 * x(0), a + 2 * b * x(0)}; }
  Eigen::Vector3d laplacian(const Vector&) const { return {0, 2, 2 * b}; }
};
using MixedFamily = sm::ExponentialFamily<double, 1, 3, Mixed>;

// Every kind of statistic of two coordinates at once, with a base measure; dense, by hand.
struct Rich {
  using Vector = Eigen::VectorXd;
  Eigen::VectorXd operator()(const Vector& x) const {
    return Eigen::Vector4d(x(0), std::sin(x(1)), x(0) * x(1), x(0) * x(0) * x(1) * x(1));
  }
  Eigen::MatrixXd jacobian(const Vector& x) const {
    Eigen::MatrixXd d(4, 2);
    d << 1, 0, 0, std::cos(x(1)), x(1), x(0), 2 * x(0) * x(1) * x(1), 2 * x(0) * x(0) * x(1);
    return d;
  }
  Eigen::VectorXd laplacian(const Vector& x) const {
    return Eigen::Vector4d(0, -std::sin(x(1)), 0, 2 * x.squaredNorm());
  }
};
struct Bowl {  // b(x) = -|x|^2 / 2 - x_0^4
  using Vector = Eigen::VectorXd;
  double operator()(const Vector& x) const { return -x.squaredNorm() / 2 - std::pow(x(0), 4); }
  Eigen::VectorXd gradient(const Vector& x) const {
    return Eigen::Vector2d(-x(0) - 4 * std::pow(x(0), 3), -x(1));
  }
  Eigen::VectorXd curvature(const Vector& x) const {
    return Eigen::Vector2d(-1 - 12 * x(0) * x(0), -1);
  }
};
using RichFamily = sm::ExponentialFamily<double, Eigen::Dynamic, Eigen::Dynamic, Rich, Bowl>;

// The same, written once and differentiated by the library.
struct Generic {
  template <class X>
  auto operator()(const X& x) const {
    using std::sin;
    using T = typename X::Scalar;
    return Eigen::Matrix<T, 4, 1>(x(0), sin(x(1)), x(0) * x(1), x(0) * x(0) * x(1) * x(1));
  }
};
struct GenericBowl {
  template <class X>
  auto operator()(const X& x) const {
    const auto square = x(0) * x(0);
    return typename X::Scalar(-(square + x(1) * x(1)) / 2 - square * square);
  }
};

// A statistic's derivatives coordinate by coordinate, several samples at once, of one sample at a
// time, and as whole matrices.
template <class Scalar>
using Ring = sm::PhiFourStatistics<Scalar, Eigen::Dynamic>;
template <class Scalar>
struct OneByOne : Ring<Scalar> {
  using Ring<Scalar>::Ring;
  static constexpr bool takes_packs = false;
};
template <class Scalar>
struct Dense {
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  Ring<Scalar> ring;

  Vector operator()(const Vector& x) const { return ring(x); }
  Matrix jacobian(const Vector& x) const { return written(x).first; }
  Matrix curvature(const Vector& x) const { return written(x).second; }

 private:
  std::pair<Matrix, Matrix> written(const Vector& x) const {
    std::pair<Matrix, Matrix> both;
    both.first = both.second = Matrix::Zero(ring.coupling_count() + 2, x.size());
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      ring.for_each_derivative(x, j, [&](Eigen::Index k, Scalar first, Scalar second) {
        both.first(k, j) = first;
        both.second(k, j) = second;
      });
    }
    return both;
  }
};
struct Well {  // b(x) = -|x|^4 / 4
  using Vector = Eigen::VectorXd;
  double operator()(const Vector& x) const { return -x.array().pow(4).sum() / 4; }
  Eigen::VectorXd gradient(const Vector& x) const { return -x.array().cube(); }
  Eigen::VectorXd curvature(const Vector& x) const { return -3 * x.array().square(); }
};

template <class Scalar, class Base, class Loss>
void check_sums(const Loss& loss, const Base& base, double tolerance, Rng& rng) {
  constexpr Eigen::Index d = 7;
  const Ring<Scalar> ring(d, sm::ring(d), sm::Couplings::per_edge);
  const auto family_of = [&](const auto& statistics) {
    return sm::ExponentialFamily<Scalar, Eigen::Dynamic, Eigen::Dynamic,
                                 std::decay_t<decltype(statistics)>, Base>(d, d + 2, statistics,
                                                                           base);
  };
  const auto packed = family_of(ring);
  const auto apart = family_of(OneByOne<Scalar>(d, sm::ring(d), sm::Couplings::per_edge));
  const auto dense = family_of(Dense<Scalar>{ring});
  for (const Eigen::Index n : {1, 2, 16, 17, 300}) {
    CAPTURE(n);
    const auto samples = random_samples<Scalar, Eigen::Dynamic>(d, n, rng).cwiseAbs().eval();
    Eigen::Matrix<Scalar, Eigen::Dynamic, 1> weights(n);
    for (Scalar& w : weights) w = static_cast<Scalar>(rng() % 4);
    weights(n - 1) = Scalar(2.5);
    const auto sum = [&](const auto& family) {
      auto summary = loss.summary(family);
      summary.add(samples);
      summary.add(samples, weights);
      return summary.form();
    };
    const auto expected = sum(dense);
    const auto check = [&](const auto& form) {
      CHECK(form.count() == expected.count());
      CHECK(double(relative_difference(form.quadratic(), expected.quadratic())) <= tolerance);
      CHECK(double(relative_difference(form.linear(), expected.linear())) <= tolerance);
      CHECK(std::abs(double(form.constant() - expected.constant())) <=
            tolerance * std::abs(double(expected.constant())));
    };
    check(sum(packed));
    check(sum(apart));
  }
}

struct Logarithm {
  template <class X>
  auto operator()(const X& x) const {
    using std::log;
    return Eigen::Matrix<typename X::Scalar, 1, 1>(log(x(0)));
  }
};

// sqrt(x): no derivative at 0, NaN below.
struct Root {
  using Vector = Eigen::Matrix<double, 1, 1>;
  using Values = Eigen::Matrix<double, 1, 1>;
  Values operator()(const Vector& x) const { return Values(std::sqrt(x(0))); }
  Values jacobian(const Vector& x) const { return Values(0.5 / std::sqrt(x(0))); }
  Values laplacian(const Vector& x) const { return Values(-0.25 / (x(0) * std::sqrt(x(0)))); }
};

// Visits now one statistic, now the other.
struct Moody {
  using Vector = Eigen::Matrix<double, 1, 1>;
  Eigen::Vector2d operator()(const Vector& x) const {
    return {x(0) > 0 ? x(0) : 0, x(0) > 0 ? 0 : x(0)};
  }
  template <class Visit>
  void for_each_derivative(const Vector& x, Eigen::Index, Visit&& visit) const {
    visit(x(0) > 0 ? 0 : 1, 1.0, 0.0);
  }
};

// By hand without the second derivatives one by one: no generalized score matching.
static_assert(sm::StatisticsFor<Mixed, double, 1> && !sm::KnowsCurvature<Mixed, double, 1>);
static_assert(!sm::HasCurvature<MixedFamily> && sm::HasLaplacian<MixedFamily>);
static_assert(sm::HasCurvature<sm::ExponentialFamily<double, 2, 4, Generic>>);
static_assert(sm::HasDirectional<sm::ExponentialFamily<double, 2, 4, Generic>>);
static_assert(!sm::HasDirectional<sm::PolynomialFamily<double, 4>>);
// Neither generic nor by hand.
struct Bare {
  Eigen::Vector2d operator()(const Eigen::Matrix<double, 1, 1>& x) const { return {x(0), 1}; }
};
static_assert(!sm::StatisticsFor<Bare, double, 1>);

// The definition: the mean of 1/2 |s|^2 + Laplacian.
template <class F>
double definition(const F& family, const typename F::Parameters& theta,
                  const Eigen::MatrixXd& samples, const Eigen::VectorXd& weights) {
  const auto distribution = family.distribution(theta);
  double sum = 0;
  for (Eigen::Index n = 0; n < samples.cols(); ++n) {
    const Eigen::VectorXd x = samples.col(n);
    sum += weights(n) * (distribution.score(x).squaredNorm() / 2 + distribution.laplacian(x));
  }
  return sum / weights.sum();
}

template <class F>
void check_laws(const F& family, Rng& rng) {
  const Eigen::MatrixXd samples = random_samples(family.dimension(), 700, rng);
  Eigen::VectorXd weights(700);
  for (double& w : weights) w = static_cast<double>(rng() % 4);

  auto whole = sm::ScoreMatchingLoss{}.summary(family);
  whole.add(samples, weights);
  CHECK(whole.count() == weights.sum());

  // Copies, one by one; and parts, merged.
  auto copies = sm::ScoreMatchingLoss{}.summary(family);
  auto merged = copies;
  for (Eigen::Index n = 0; n < 700; ++n) {
    for (int k = 0; k < int(weights(n)); ++k) copies.add(samples.col(n));
  }
  for (Eigen::Index first = 0; first < 700; first += 233) {
    const Eigen::Index size = std::min<Eigen::Index>(233, 700 - first);
    auto part = sm::ScoreMatchingLoss{}.summary(family);
    part.add(samples.middleCols(first, size), Eigen::VectorXd(weights.segment(first, size)));
    merged.merge(part);
  }
  for (const auto* other : {&copies, &merged}) {
    CHECK(other->count() == whole.count());
    CHECK(relative_difference(other->form().quadratic(), whole.form().quadratic()) < 1e-13);
    CHECK(relative_difference(other->form().linear(), whole.form().linear()) < 1e-12);
    CHECK(std::abs(other->form().constant() - whole.form().constant()) <=
          1e-12 * std::abs(whole.form().constant()));
  }
  CHECK(same_bits(whole.form().quadratic(), whole.form().quadratic().transpose()));

  // Value and gradient, against the definition.
  auto objective = sm::ScoreMatchingLoss{}.objective(family, whole);
  for (int problem = 0; problem < 5; ++problem) {
    const typename F::Parameters theta = normals<double>(family.parameter_count(), 1, rng);
    typename F::Parameters gradient = theta;
    const double value = objective(theta, gradient);
    const double expected = definition(family, theta, samples, weights);
    CHECK(std::abs(value - expected) <= 1e-11 * std::abs(expected));
    CHECK(value == objective(theta));
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      auto up = theta;
      auto down = theta;
      up(k) += 0.5;
      down(k) -= 0.5;
      // Exact for a quadratic, whatever the step.
      CHECK(std::abs(objective(up) - objective(down) - gradient(k)) <=
            1e-11 * (std::abs(objective(up)) + std::abs(objective(down))));
    }
  }
  typename F::Parameters gradient(family.parameter_count());
  objective(objective.exact().parameters, gradient);
  CHECK(gradient.cwiseAbs().maxCoeff() <= 1e-10 * objective.linear().cwiseAbs().maxCoeff());
  CHECK_FALSE(objective.info().unbounded);
  CHECK_FALSE(objective.info().ambiguous);
  CHECK(objective.unidentifiable().empty());
}

}  // namespace

TEST_CASE("an exponential family's loss is the mean of its definition, however it is summed") {
  Rng rng(1);
  SUBCASE("small, dense") { check_laws(sm::PolynomialFamily<double, 4>(), rng); }
  SUBCASE("dynamic, dense, with a base measure") { check_laws(RichFamily(2, 4), rng); }
  SUBCASE("sparse") { check_laws(sm::PairwiseGaussianFamily<double>(3), rng); }
  SUBCASE("sparse, fixed and small") { check_laws(sm::PairwiseGaussianFamily<double, 2>(), rng); }
}

TEST_CASE("statistics of few coordinates each are summed alike, several samples at once or not") {
  Rng rng(8);
  check_sums<double>(sm::ScoreMatchingLoss{}, sm::FlatBase{}, 1e-13, rng);
  check_sums<double>(sm::ScoreMatchingLoss{}, Well{}, 1e-13, rng);
  check_sums<double>(sm::GeneralizedScoreMatchingLoss{sm::MinWeight{.c = 0.7}}, Well{}, 1e-13, rng);
  check_sums<float>(sm::ScoreMatchingLoss{}, sm::FlatBase{}, 1e-6, rng);
  check_sums<long double>(sm::ScoreMatchingLoss{}, sm::FlatBase{}, 1e-16, rng);
}

TEST_CASE("statistics written once equal those differentiated by hand") {
  Rng rng(6);
  const RichFamily by_hand(2, 4);
  const sm::ExponentialFamily<double, 2, 4, Generic, GenericBowl> fixed;
  const sm::ExponentialFamily<double, Eigen::Dynamic, 4, Generic, GenericBowl> dynamic(2, 4);
  const Eigen::MatrixXd samples = random_samples(2, 300, rng);
  const auto expected = summary_of(by_hand, samples).form();
  const auto check = [&](const auto& form) {
    CHECK(relative_difference(form.quadratic(), expected.quadratic()) < 1e-13);
    CHECK(relative_difference(form.linear(), expected.linear()) < 1e-13);
    CHECK(std::abs(form.constant() - expected.constant()) <= 1e-13 * std::abs(expected.constant()));
  };
  check(summary_of(fixed, samples).form());
  check(summary_of(dynamic, samples).form());

  // What a family offers of one density, at one point.
  const Eigen::Vector4d theta(0.3, -0.7, 0.2, -0.1);
  const Eigen::Vector2d v(0.6, -1.3);
  for (Eigen::Index n = 0; n < 10; ++n) {
    const Eigen::Vector2d x = samples.col(n);
    const auto distribution = by_hand.distribution(theta);
    const auto curvature = fixed.score_and_curvature(x, theta);
    CHECK((fixed.score(x, theta) - distribution.score(x)).norm() <= 1e-13 * x.norm());
    CHECK((curvature.score - distribution.score(x)).norm() <= 1e-13 * x.norm());
    CHECK(std::abs(curvature.curvature.sum() - distribution.laplacian(x)) <= 1e-12);
    CHECK(std::abs(fixed.distribution(theta).laplacian(x) - distribution.laplacian(x)) <= 1e-12);
    CHECK(std::abs(fixed.log_density(x, theta) - distribution.unnormalized_log_density(x)) <=
          1e-13);
    const auto along = fixed.directional(x, v, theta);
    CHECK(std::abs(along.first - v.dot(distribution.score(x))) <= 1e-12);
    const double h = 1e-4;
    const auto slope = [&](double t) {
      return v.dot(distribution.score(Eigen::Vector2d(x + t * v)));
    };
    CHECK(std::abs(along.second - (slope(h) - slope(-h)) / (2 * h)) <=
          1e-6 * (1 + std::abs(along.second)));
  }
}

TEST_CASE("optimizers of every kind end where the closed form does") {
  Rng rng(2);
  const Eigen::MatrixXd samples = random_samples(1, 500, rng);
  const sm::PolynomialFamily<double, 2> gaussian;
  const auto seen = summary_of(gaussian, samples);
  const sm::ScoreMatchingLoss loss;
  const auto exact = sm::fit(gaussian, loss, sm::ClosedForm{}, seen);
  const double mean = samples.mean();
  const double variance = (samples.array() - mean).square().mean();
  CHECK(std::abs(exact.parameters(1) + 0.5 / variance) <= 1e-12 / variance);
  CHECK(std::abs(exact.parameters(0) - mean / variance) <= 1e-12 * std::abs(mean) / variance);
  const auto check = [&](const auto& optimizer) {
    const auto fit = sm::fit(gaussian, loss, optimizer, seen);
    CHECK(fit.status == sm::Status::converged);
    CHECK(relative_difference(fit.parameters, exact.parameters) < 1e-3);
  };
  check(sm::GradientDescent{.learning_rate = 0.1, .max_iterations = 100000});
  check(sm::Momentum{.learning_rate = 0.05, .max_iterations = 100000});
  check(sm::Adam{.amsgrad = true, .max_iterations = 100000});
  check(sm::Lbfgs{});
}

TEST_CASE("statistics that the samples do not determine are named") {
  Rng rng(3);
  const Eigen::MatrixXd samples = random_samples(1, 1000, rng);
  using Names = std::vector<Eigen::Index>;
  struct Case {
    Mixed statistics;
    Names names;
  };
  for (const double unit : {1e-9, 1.0, 1e9}) {
    CAPTURE(unit);
    for (const Case& c : {Case{{unit, 0, 1}, {0, 2}}, Case{{0, unit, 0}, {1, 2}},
                          Case{{0.3 * unit, 0.7 * unit, 0}, {0, 1, 2}}, Case{{0, 0, 1}, {2}}}) {
      const MixedFamily family(c.statistics);
      auto objective = sm::ScoreMatchingLoss{}.objective(family, summary_of(family, samples));
      CHECK(objective.unidentifiable() == c.names);
      CHECK(objective.info().ambiguous);
      CHECK_FALSE(objective.info().unbounded);
      const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
      CHECK(fit.status == sm::Status::ambiguous);
      // The fit is the Gaussian's nevertheless.
      const auto gaussian = sm::fit(sm::PolynomialFamily<double, 2>(), sm::ScoreMatchingLoss{},
                                    sm::ClosedForm{}, samples);
      CHECK(std::abs(fit.loss - gaussian.loss) <= 1e-10 * std::abs(gaussian.loss));
      const Eigen::Matrix<double, 1, 1> x(0.7);
      CHECK(std::abs(fit.distribution.score(x)(0) - gaussian.distribution.score(x)(0)) <= 1e-8);
    }
  }
  // Statistics in units far apart are all determined.
  const sm::PolynomialFamily<double, 4> quartic;
  auto objective = sm::ScoreMatchingLoss{}.objective(quartic, summary_of(quartic, 1e6 * samples));
  CHECK(objective.unidentifiable().empty());
  CHECK_FALSE(objective.info().ambiguous);
}

TEST_CASE("too few samples are unbounded before any step") {
  Rng rng(4);
  const Eigen::MatrixXd samples = random_samples(1, 2, rng);
  const sm::PolynomialFamily<double, 4> quartic;
  const auto fit = sm::fit(quartic, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  CHECK(fit.status == sm::Status::unbounded);
  CHECK(fit.parameters.isZero());
  const auto adam = sm::fit(quartic, sm::ScoreMatchingLoss{}, sm::Adam{}, samples);
  CHECK(adam.status == sm::Status::unbounded);
  CHECK(adam.iterations == 0);
  auto objective = sm::ScoreMatchingLoss{}.objective(quartic, summary_of(quartic, samples));
  CHECK_FALSE(objective.unidentifiable().empty());
  // A sample at the origin has no derivative of x^2 to match, but one of a Laplacian.
  const auto origin = sm::fit(sm::PolynomialFamily<double, 2>(), sm::ScoreMatchingLoss{},
                              sm::ClosedForm{}, Eigen::MatrixXd::Zero(1, 5));
  CHECK(origin.status == sm::Status::unbounded);
}

TEST_CASE("one sample of one coordinate is enough for one statistic") {
  struct Square {
    using Vector = Eigen::Matrix<double, 1, 1>;
    using Values = Eigen::Matrix<double, 1, 1>;
    Values operator()(const Vector& x) const { return Values(-x(0) * x(0) / 2); }
    Values jacobian(const Vector& x) const { return Values(-x(0)); }
    Values laplacian(const Vector&) const { return Values(-1.0); }
  };
  const sm::ExponentialFamily<double, 1, 1, Square> family;
  for (const double x : {1e-100, 1e-3, 2.0, 1e100}) {
    const auto fit =
        sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, Eigen::Matrix<double, 1, 1>(x));
    CHECK(fit.status == sm::Status::converged);
    CHECK(std::abs(fit.parameters(0) * x * x - 1) <= 1e-15);  // precision 1 / x^2
  }
}

TEST_CASE("what cannot be summed is refused, named, and leaves no trace") {
  const sm::ExponentialFamily<double, 1, 1, Root> family;
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  summary.add(Eigen::RowVector3d(1, 2, 3));
  const auto before = summary.form().quadratic();
  const auto refused = [&](const auto& samples, const char* part) {
    const std::string message = message_of([&] { summary.add(samples); });
    CAPTURE(message);
    CHECK(contains(message, part));
    CHECK(summary.count() == 3);
    CHECK(same_bits(summary.form().quadratic(), before));
  };
  refused(Eigen::RowVector3d(1, -2, 3),
          "statistic 0 at samples(row 0, column 1) = -2 are not finite");
  refused(Eigen::RowVector3d(1, 2, 0), "column 2) = 0");
  refused(Eigen::RowVector3d(1, not_a_number, 3), "samples(row 0, column 1) = nan");
  refused(Eigen::Matrix<double, 1, 1>(-infinity), "= -inf");
  refused(Eigen::MatrixXd(Eigen::MatrixXd::Ones(2, 3)), "2 rows; expected 1");
  const std::string weight =
      message_of([&] { summary.add(Eigen::RowVector2d(1, 2), Eigen::Vector2d(1, -1)); });
  CHECK(contains(weight, "weights(1) = -1"));
  // A weight of zero is absence, also of what is not finite.
  summary.add(Eigen::RowVector2d(1, -2), Eigen::Vector2d(1, 0));
  CHECK(summary.count() == 4);

  // The same for many statistics, one sample at a time.
  const sm::PhiFourFamily<double> lattice(9, sm::square_lattice(3, 3), sm::Couplings::per_edge);
  auto spins = sm::ScoreMatchingLoss{}.summary(lattice);
  spins.add(Eigen::VectorXd::Ones(9));
  Eigen::VectorXd x = Eigen::VectorXd::Ones(9);
  x(4) = 1e60;
  CHECK(contains(message_of([&] { spins.add(x); }), "overflow"));
  x(4) = not_a_number;
  CHECK(contains(message_of([&] { spins.add(x); }), "samples(row 4, column 0) = nan"));
  CHECK(spins.count() == 1);
  CHECK(spins.form().quadratic().allFinite());

  CHECK(contains(message_of([&] {
                   sm::ScoreMatchingLoss{}.objective(family,
                                                     sm::ScoreMatchingLoss{}.summary(family));
                 }),
                 "no samples"));
  CHECK(contains(message_of([&] { lattice.distribution(Eigen::VectorXd::Zero(3)); }), "3 entries"));
  auto other = sm::ScoreMatchingLoss{}.summary(sm::PhiFourFamily<double>(4, sm::ring(4)));
  CHECK(contains(message_of([&] { spins.merge(other); }), "dimension 4; expected 9"));
}

TEST_CASE("statistics that visit now this, now that are refused where they are many") {
  const Eigen::RowVector3d x(1, 2, -3);
  const sm::ExponentialFamily<double, 1, Eigen::Dynamic, Moody> family(1, 2);
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  CHECK(contains(message_of([&] { summary.add(x); }),
                 "coordinate 0 visits other statistics at one sample than at another"));
  CHECK(summary.count() == 0);
  // Of few, what is not visited is zero.
  auto few = sm::ScoreMatchingLoss{}.summary(sm::ExponentialFamily<double, 1, 2, Moody>());
  auto one_by_one = few;
  few.add(x);
  for (const double sample : x) one_by_one.add(Eigen::Matrix<double, 1, 1>(sample));
  CHECK(relative_difference(few.form().quadratic(), one_by_one.form().quadratic()) <= 1e-15);
}

namespace {

// x_j has one statistic, of derivative 1 everywhere; the last one is visited `times`.
template <int K, bool Packs>
struct Linear {
  static constexpr bool takes_packs = Packs;
  int times = 1;
  template <class X>
  auto operator()(const X& x) const {
    return Eigen::Matrix<typename X::Scalar, K, 1>(x);
  }
  template <class X, class Visit>
  void for_each_derivative(const X& x, Eigen::Index j, Visit&& visit) const {
    using T = std::remove_cvref_t<decltype(x(j))>;
    for (int k = 0; k < (j == K - 1 ? times : 1); ++k) visit(j, T(1), T(0));
  }
};

template <int K, bool Packs>
void check_unseen_and_twice() {
  const sm::ExponentialFamily<double, K, K, Linear<K, Packs>> family;
  for (const Eigen::Index n : {1, 40}) {
    for (const double bad : {not_a_number, infinity}) {
      Eigen::Matrix<double, K, Eigen::Dynamic> samples =
          Eigen::Matrix<double, K, Eigen::Dynamic>::Ones(K, n);
      samples(1, n - 1) = bad;
      auto summary = sm::ScoreMatchingLoss{}.summary(family);
      CHECK(contains(message_of([&] { summary.add(samples); }),
                     n == 1 ? "samples(row 1, column 0)" : "samples(row 1, column 39)"));
      CHECK(summary.count() == 0);
      Eigen::VectorXd weights = Eigen::VectorXd::Ones(n);
      weights(n - 1) = 0;
      summary.add(samples, weights);
      CHECK(summary.count() == double(n - 1));
    }
    const sm::ExponentialFamily<double, K, K, Linear<K, Packs>> twice(Linear<K, Packs>{2});
    auto summary = sm::ScoreMatchingLoss{}.summary(twice);
    const std::string message =
        message_of([&] { summary.add(Eigen::MatrixXd::Ones(K, n).eval()); });
    CAPTURE(message);
    CHECK(contains(message, "at most once"));
  }
}

}  // namespace

TEST_CASE(
    "samples that no derivative depends on are refused where they are not finite, and "
    "statistics that are visited twice") {
  check_unseen_and_twice<3, false>();
  check_unseen_and_twice<20, false>();
  check_unseen_and_twice<20, true>();
  // By hand as matrices, and a site without an edge.
  CHECK(contains(message_of([] {
                   sm::fit(MixedFamily(Mixed{0, 1, 0}), sm::ScoreMatchingLoss{}, sm::ClosedForm{},
                           Eigen::RowVector3d(1, infinity, 2));
                 }),
                 "samples(row 0, column 1) = inf"));
  Eigen::MatrixXd angles = Eigen::MatrixXd::Random(3, 40);
  angles(1, 7) = infinity;
  CHECK(contains(message_of([&] {
                   sm::fit(sm::VonMisesFamily<double>(3, {{0, 2}}), sm::ScoreMatchingLoss{},
                           sm::ClosedForm{}, angles);
                 }),
                 "samples(row 1, column 7) = inf"));
}

TEST_CASE("statistics that are not what the family was told are refused") {
  const Eigen::MatrixXd x = Eigen::MatrixXd::Ones(2, 3);
  const auto add_to = [&](const auto& family) {
    return message_of([&] { sm::ScoreMatchingLoss{}.summary(family).add(x); });
  };
  CHECK(contains(add_to(RichFamily(2, 3)), "jacobian is 4 x 2; expected 3 x 2"));
  const sm::ExponentialFamily<double, Eigen::Dynamic, Eigen::Dynamic, Generic> generic(2, 5);
  CHECK(contains(add_to(generic), "values are 4 x 1; expected 5 x 1"));
  using Angles = sm::VonMisesStatistics<double, Eigen::Dynamic>;
  const sm::ExponentialFamily<double, Eigen::Dynamic, Eigen::Dynamic, Angles> angles(
      2, 3, Angles(2, {}, sm::Couplings::shared, sm::Fields::per_site));
  CHECK(contains(add_to(angles), "visits statistic 3; expected each of the 3"));
  auto stray = sm::ScoreMatchingLoss{}.summary(sm::ExponentialFamily<double, 1, 1, Moody>());
  CHECK(contains(message_of([&] { stray.add(Eigen::RowVector3d(1, 2, -3)); }),
                 "visits statistic 1; expected each of the 1"));
  // log(x) has finite derivatives where it is not itself.
  const sm::ExponentialFamily<double, 1, 1, Logarithm> logarithm;
  auto summary = sm::ScoreMatchingLoss{}.summary(logarithm);
  CHECK(contains(message_of([&] { summary.add(Eigen::RowVector2d(1, -1)); }),
                 "statistic 0 at samples(row 0, column 1) = -1 are not finite"));
}

TEST_CASE("a quadratic form takes terms of any origin") {
  sm::QuadraticForm<double> form(2);
  form.add(Eigen::Matrix2d{{1, 2}, {3, 4}}, Eigen::Vector2d(5, 6), 7, 2);
  form.add(Eigen::Vector2d(1, 1), Eigen::Vector2d(0, 0));
  CHECK(form.count() == 3);
  CHECK(form.quadratic().isApprox(Eigen::Matrix2d{{11, 23}, {23, 51}} / 3));
  CHECK(form.linear().isApprox(Eigen::Vector2d(10, 12) / 3));
  CHECK(form.constant() == doctest::Approx(14.0 / 3));
  CHECK(contains(message_of([&] { form.add(Eigen::Vector3d(1, 1, 1), Eigen::Vector2d(0, 0)); }),
                 "columns are 3 x 1"));
  CHECK(contains(
      message_of([&] { form.add(Eigen::Vector2d(1, not_a_number), Eigen::Vector2d(0, 0)); }),
      "not finite"));
  CHECK(contains(message_of([&] { form.add(Eigen::Vector2d(1, 1), Eigen::Vector2d(0, 0), 0, -1); }),
                 "weight = -1"));
  CHECK(form.count() == 3);
  CHECK(contains(message_of([] { sm::QuadraticForm<double>(2).linear(); }), "no samples"));
  CHECK(contains(message_of([] { sm::QuadraticForm<double>(0); }), "size = 0"));
  CHECK(contains(message_of([&] { form.merge(sm::QuadraticForm<double>(3)); }), "3 parameters"));
}

TEST_CASE("float samples are summed in double") {
  Rng rng(5);
  const Eigen::MatrixXd samples = random_samples(1, 20000, rng).cast<float>().cast<double>();
  const auto in_float = sm::fit(sm::PolynomialFamily<float, 2>(), sm::ScoreMatchingLoss{},
                                sm::ClosedForm{}, samples.cast<float>().eval());
  const auto in_double = sm::fit(sm::PolynomialFamily<double, 2>(), sm::ScoreMatchingLoss{},
                                 sm::ClosedForm{}, samples);
  CHECK(relative_difference(in_float.parameters.cast<double>(), in_double.parameters) < 1e-6);
}
