#include "../examples/square_weight.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace {

using namespace support;

using Orthant2 = sm::TruncatedGaussianFamily<double, 2>;
using Interval = sm::TruncatedGaussianFamily<double, 1>;
using Vector1 = Eigen::Matrix<double, 1, 1>;

Interval interval(double lower, double upper) {
  return Interval(sm::Box(Vector1(lower), Vector1(upper)));
}

// The same densities as TruncatedGaussianFamily on R^2, as an energy.
const auto gaussian_energy = [](const auto& x, const auto& t) {
  return t(0) * x(0) + t(1) * x(1) - 0.5 * t(2) * x(0) * x(0) - 0.5 * t(3) * x(1) * x(1) -
         t(4) * x(0) * x(1);
};

// Samples of a Gaussian that lie in the box, by rejection.
Eigen::MatrixXd draw(const sm::Gaussian<double>& gaussian, const Eigen::VectorXd& lower,
                     const Eigen::VectorXd& upper, Eigen::Index n, Rng& rng) {
  std::normal_distribution<double> normal;
  const Eigen::MatrixXd root = gaussian.cholesky();
  Eigen::VectorXd z(lower.size());
  Eigen::VectorXd x(lower.size());
  Eigen::MatrixXd samples(lower.size(), n);
  for (Eigen::Index i = 0; i < n;) {
    for (double& entry : z) entry = normal(rng);
    x = gaussian.mean();
    for (Eigen::Index j = 0; j < z.size(); ++j) x += z(j) * root.col(j);
    if ((x.array() >= lower.array()).all() && (x.array() <= upper.array()).all()) {
      samples.col(i++) = x;
    }
  }
  return samples;
}

Eigen::MatrixXd draw_orthant(Eigen::Index n, Rng& rng) {
  const sm::Gaussian<double> gaussian(Eigen::VectorXd(Eigen::Vector2d(0.3, -0.2)),
                                      Eigen::MatrixXd(Eigen::Matrix2d{{1, 0.4}, {0.4, 0.8}}));
  return draw(gaussian, Eigen::Vector2d::Zero(), Eigen::Vector2d::Constant(infinity), n, rng);
}

// Midpoints of a fine grid, whose cells have the kinks of h at their ends, and what q = exp(eta x -
// k x^2 / 2) weighs there: the population.
struct Population {
  Eigen::RowVectorXd x;
  Eigen::RowVectorXd q;
  Population(double lower, double upper, double eta, double k, Eigen::Index n = 24000)
      : x(n), q(n) {
    for (Eigen::Index i = 0; i < n; ++i) {
      x(i) = lower + (upper - lower) * (double(i) + 0.5) / double(n);
      q(i) = std::exp(eta * x(i) - k * x(i) * x(i) / 2);
    }
    q /= q.sum();
  }
};

// 1/2 E_q[h (d log q - s_theta)^2] by Simpson's rule in long double, from the definition.
template <class H>
double divergence(const H& weight, long double lower, long double upper, long double end,
                  long double eta, long double k, const Eigen::Matrix<long double, 2, 1>& theta) {
  const int n = 24000;
  long double sum = 0;
  long double mass = 0;
  for (int i = 0; i <= n; ++i) {
    const long double x = lower + (end - lower) * i / n;
    const int factor = i == 0 || i == n ? 1 : i % 2 == 1 ? 4 : 2;
    const long double q = factor * std::exp(eta * x - k * x * x / 2);
    const long double difference = (eta - k * x) - (theta(0) - theta(1) * x);
    sum += q * weight.value(std::min(x - lower, upper - x)) * difference * difference / 2;
    mass += q;
  }
  return static_cast<double>(sum / mass);
}

template <class Loss, class F, class X>
auto objective_of(const Loss& loss, const F& family, const X& samples) {
  auto summary = loss.summary(family);
  summary.add(samples);
  return loss.objective(family, summary);
}

// --- weight functions ----------------------------------------------------------------------------

template <class H>
void check_weight(const H& h, double skip) {
  CHECK(h.value(0.0) == 0);
  for (double x = 0.05; x < 6; x += 0.1) {
    CAPTURE(x);
    if (std::abs(x - skip) < 1e-3) continue;
    const long double step = 1e-6L;
    const auto at = static_cast<long double>(x);
    const long double slope = (h.value(at + step) - h.value(at - step)) / (2 * step);
    CHECK(std::abs(static_cast<long double>(h.derivative(x)) - slope) < 1e-9L);
    CHECK(h.value(x) >= 0);
    CHECK(std::abs(double(h.value(float(x))) - h.value(x)) <= 1e-6 * (1 + h.value(x)));
  }
}

TEST_CASE("the derivatives of the weight functions are their slopes") {
  check_weight(sm::MinWeight{.c = 1.3}, 1.3);
  check_weight(sm::MinWeight{}, 1.0);
  check_weight(sm::LinearWeight(), -1);
  check_weight(sm::LogWeight(), -1);
  check_weight(SquareWeight(), -1);
}

TEST_CASE("in a box, the weight grows from both bounds") {
  const sm::BoxWeighting weighting(sm::Box(Eigen::Vector2d(-1, 2), Eigen::Vector2d(3, 2.5)),
                                   sm::LogWeight());
  for (Eigen::Index j = 0; j < 2; ++j) {
    const double lower = weighting.box().lower()(j);
    const double upper = weighting.box().upper()(j);
    CHECK(weighting.weight(j, lower).h == 0);
    CHECK(weighting.weight(j, upper).h == 0);
    for (double u = 0.05; u < 1; u += 0.11) {
      const double x = lower + u * (upper - lower);
      const double step = 1e-6;
      const double slope =
          (weighting.weight(j, x + step).h - weighting.weight(j, x - step).h) / (2 * step);
      CHECK(weighting.weight(j, x).slope == doctest::Approx(slope).epsilon(1e-6));
      CHECK((weighting.weight(j, x).slope > 0) == (u < 0.5));
    }
  }
}

// --- the population ------------------------------------------------------------------------------

template <class H>
void check_population(const H& weight, double lower, double upper) {
  CAPTURE(upper);
  const double eta = 0.7;
  const double k = 1.6;
  const double end = upper < infinity ? upper : lower + 12;  // where q is below 1e-40
  const Population population(lower, end, eta, k);
  const Interval family = interval(lower, upper);
  const sm::GeneralizedScoreMatchingLoss loss(weight);
  auto summary = loss.summary(family);
  summary.add(population.x, population.q);
  const auto objective = loss.objective(family, summary);
  const Eigen::Vector2d truth(eta, k);
  // J(theta) - J(truth) is the weighted Fisher divergence, and the truth is the minimum.
  for (const Eigen::Vector2d& theta :
       {Eigen::Vector2d(0, 0), Eigen::Vector2d(1, 2), Eigen::Vector2d(-0.5, 0.3)}) {
    const auto wide = [](double value) { return static_cast<long double>(value); };
    const double expected = divergence(weight, wide(lower), wide(upper), wide(end), wide(eta),
                                       wide(k), theta.cast<long double>());
    CHECK(objective(theta) - objective(truth) == doctest::Approx(expected).epsilon(1e-6));
  }
  CHECK((objective.exact().parameters - truth).norm() < 1e-6);
  // Plain score matching is wrong, with all the data there is.
  const sm::PairwiseGaussianFamily<double, 1> without_edge;
  auto plain = sm::ScoreMatchingLoss{}.summary(without_edge);
  plain.add(population.x, population.q);
  CHECK((sm::ScoreMatchingLoss{}.objective(without_edge, plain).exact().parameters - truth).norm() >
        0.3);
}

TEST_CASE("the loss of a whole population is its weighted Fisher divergence from the model") {
  for (const double upper : {infinity, 1.5}) {
    check_population(sm::MinWeight{.c = 0.8}, 0, upper);
    check_population(sm::LinearWeight(), 0, upper);
    check_population(sm::LogWeight(), 0, upper);
    check_population(SquareWeight(), 0, upper);
  }
  check_population(sm::MinWeight{.c = 0.5}, -0.4, 2);
  check_population(sm::LogWeight(), -0.4, infinity);
}

// --- recovery ------------------------------------------------------------------------------------

template <class F, class Loss>
void check_truncated_recovery(const F& family, const Loss& loss, const Eigen::VectorXd& mean,
                              const Eigen::MatrixXd& covariance) {
  const sm::Gaussian<double> gaussian(mean, covariance);
  check_recovery(
      sm::PairwiseGaussianFamily<double>(mean.size()).parameters(gaussian), 2000,
      [&](Rng& rng, Eigen::Index count) {
        return draw(gaussian, family.box().lower(), family.box().upper(), count, rng);
      },
      [&](const Eigen::MatrixXd& samples) {
        const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
        REQUIRE(fit.status == sm::Status::converged);
        return Eigen::VectorXd(fit.parameters);
      });
}

TEST_CASE("truncated Gaussians are recovered at the rate of the square root of n") {
  check_truncated_recovery(interval(0, infinity), sm::GeneralizedScoreMatchingLoss(),
                           Eigen::VectorXd(Vector1(0.5)), Eigen::MatrixXd(Vector1(1.2)));
  check_truncated_recovery(interval(-1, 2), sm::GeneralizedScoreMatchingLoss(sm::LinearWeight()),
                           Eigen::VectorXd(Vector1(0.2)), Eigen::MatrixXd(Vector1(0.7)));
  check_truncated_recovery(Orthant2(), sm::GeneralizedScoreMatchingLoss(sm::MinWeight{.c = 1}),
                           Eigen::VectorXd(Eigen::Vector2d(0.8, 0.5)),
                           Eigen::MatrixXd(Eigen::Matrix2d{{1, 0.4}, {0.4, 0.8}}));
}

// --- the published variances ---------------------------------------------------------------------

namespace {

// The normal distribution on x >= 0 with one of its two parameters known: mu / sigma^2 . x ...
struct Scaled {
  double variance;
  auto operator()(const auto& x) const { return (x / variance).eval(); }
};
struct NormalBase {
  double variance;
  auto operator()(const auto& x) const { return x(0) * x(0) * (-0.5 / variance); }
};
// ... and 1 / sigma^2 . -(x - mu)^2 / 2.
struct HalfSquare {
  double mean;
  auto operator()(const auto& x) const {
    using T = typename std::decay_t<decltype(x)>::Scalar;
    const T difference = x(0) - T(mean);
    return Eigen::Matrix<T, 1, 1>(difference * difference * -0.5);
  }
};

// Yu, Drton and Shojaie (2019), univariate truncated normal distributions: n times the asymptotic
// variance of the estimate of mu, or of sigma^2, where the other is known.
template <class H>
std::pair<double, double> published_variances(double mu, double variance, const H& h) {
  const Population population(0, 12, mu / variance, 1 / variance);
  double of_mean = 0, of_variance = 0, mean_of_h = 0, mean_of_square = 0;
  for (Eigen::Index i = 0; i < population.x.size(); ++i) {
    const double x = population.x(i), q = population.q(i);
    const double value = h.value(x), slope = h.derivative(x);
    const double square = (x - mu) * (x - mu);
    of_mean += q * (variance * value * value + variance * variance * slope * slope);
    of_variance +=
        q * square *
        (2 * std::pow(variance, 3) * value * value + std::pow(variance, 4) * slope * slope);
    mean_of_h += q * value;
    mean_of_square += q * value * square;
  }
  return {of_mean / (mean_of_h * mean_of_h), of_variance / (mean_of_square * mean_of_square)};
}

template <class H>
void check_published(double mu, double variance, const H& h) {
  using MeanFamily = sm::ExponentialFamily<double, 1, 1, Scaled, NormalBase>;
  using PrecisionFamily = sm::ExponentialFamily<double, 1, 1, HalfSquare>;
  const MeanFamily of_mean(Scaled{variance}, NormalBase{variance});
  const PrecisionFamily of_precision(HalfSquare{mu});
  const sm::GeneralizedScoreMatchingLoss loss{h};
  const sm::Gaussian<double> gaussian{Eigen::VectorXd(Vector1(mu)),
                                      Eigen::MatrixXd(Vector1(variance))};
  const Eigen::VectorXd zero = Vector1(0), no_bound = Vector1(infinity);
  constexpr Eigen::Index n = 2000;
  constexpr int replicates = 2000;
  Rng rng(77);
  sm::Moments<double, 2> estimates;
  for (int r = 0; r < replicates; ++r) {
    const Eigen::MatrixXd samples = draw(gaussian, zero, no_bound, n, rng);
    const double mean = sm::fit(of_mean, loss, sm::ClosedForm{}, samples).parameters(0);
    const double precision = sm::fit(of_precision, loss, sm::ClosedForm{}, samples).parameters(0);
    estimates.add(Eigen::Vector2d(mean, 1 / precision));
  }
  const auto [for_mean, for_variance] = published_variances(mu, variance, h);
  // A variance estimated from so many is known to sqrt(2 / 2000) = 0.032 of itself.
  CAPTURE(mu);
  CAPTURE(variance);
  CHECK(std::abs(double(n) * estimates.covariance()(0, 0) / for_mean - 1) < 0.12);
  CHECK(std::abs(double(n) * estimates.covariance()(1, 1) / for_variance - 1) < 0.12);
}

}  // namespace

TEST_CASE("estimates of a truncated normal distribution have the published variances") {
  check_published(0, 1, sm::MinWeight{.c = 1});
  check_published(0, 1, sm::LogWeight());
  check_published(0, 1, sm::LinearWeight());
  check_published(0, 1, SquareWeight());
  check_published(0.5, 2, sm::MinWeight{.c = 1});
  check_published(0.5, 2, sm::LogWeight());
}

// --- one model, two roads ------------------------------------------------------------------------

TEST_CASE("an exponential family and the same model as an energy have one loss") {
  Rng rng(3);
  const Eigen::MatrixXd samples = draw_orthant(400, rng);
  const Eigen::Matrix2Xd x = samples;
  const auto energy = sm::energy_family<2>(gaussian_energy, Eigen::Matrix<double, 5, 1>::Ones());
  const auto check = [&](const auto& loss) {
    const Orthant2 family;
    const auto quadratic = objective_of(loss, family, x);
    auto sampled = objective_of(loss, energy, x);
    using Theta = Eigen::Matrix<double, 5, 1>;
    Theta gradient, expected;
    for (int trial = 0; trial < 5; ++trial) {
      const Theta theta = normals<double, 5>(5, 1, rng);
      const double value = quadratic(theta, expected);
      CHECK(sampled(theta, gradient) == doctest::Approx(value).epsilon(1e-10));
      CHECK(sampled(theta) == doctest::Approx(value).epsilon(1e-10));
      CHECK(relative_difference(gradient, expected) < 1e-10);
      CHECK(gradient_error(
                [&](const Eigen::Matrix<long double, Eigen::Dynamic, 1>& at) {
                  // The definition, sample by sample.
                  long double sum = 0;
                  for (Eigen::Index i = 0; i < x.cols(); ++i) {
                    for (Eigen::Index j = 0; j < 2; ++j) {
                      const auto a = static_cast<long double>(x(j, i));
                      const auto b = static_cast<long double>(x(1 - j, i));
                      const long double s = at(j) - at(2 + j) * a - at(4) * b;
                      sum += loss.weight().value(a) * (s * s / 2 - at(2 + j)) +
                             loss.weight().derivative(a) * s;
                    }
                  }
                  return sum / static_cast<long double>(x.cols());
                },
                theta, gradient, Eigen::VectorXd::Ones(5)) < 1e-8);
    }
    // Both are quadratic: one Newton step, from gradients alone, ends at the minimum.
    Theta origin;
    sampled(Theta(Theta::Zero()), origin);
    Eigen::Matrix<double, 5, 5> hessian;
    for (int k = 0; k < 5; ++k) {
      sampled(Theta(Theta::Unit(k)), gradient);
      hessian.col(k) = gradient - origin;
    }
    const Theta estimate = hessian.fullPivLu().solve(-origin);
    CHECK(relative_difference(estimate, quadratic.exact().parameters) < 1e-10);
  };
  check(sm::GeneralizedScoreMatchingLoss{sm::MinWeight{.c = 0.7}});
  check(sm::GeneralizedScoreMatchingLoss{SquareWeight{}});
}

// theta x with b(x) = -k x^2 / 2 known: the Gaussian of known precision.
struct Identity {
  template <class X>
  auto operator()(const X& x) const {
    return Eigen::Matrix<typename X::Scalar, 1, 1>(x(0));
  }
};
struct Bowl {
  template <class X>
  auto operator()(const X& x) const {
    return typename X::Scalar(-0.8 * x(0) * x(0));
  }
};

TEST_CASE("a base measure is weighted as the statistics are") {
  const sm::ExponentialFamily<double, 1, 1, Identity, Bowl> family;
  const Population population(0, 12, 0.7, 1.6);
  const auto fit = [&] {
    const sm::GeneralizedScoreMatchingLoss loss;
    auto summary = loss.summary(family);
    summary.add(population.x, population.q);
    return sm::fit(family, loss, sm::ClosedForm{}, summary);
  }();
  CHECK(fit.parameters(0) == doctest::Approx(0.7).epsilon(1e-6));
  // Its value too, constant and all, is that of the sampled loss.
  Rng rng(7);
  const Eigen::RowVectorXd x = draw_orthant(50, rng).row(0);
  const auto energy = sm::energy_family<1>(
      [](const auto& at, const auto& theta) { return theta(0) * at(0) - 0.8 * at(0) * at(0); },
      Vector1(0.1));
  const sm::GeneralizedScoreMatchingLoss loss(sm::LogWeight{});
  auto sampled = objective_of(loss, energy, x);
  CHECK(objective_of(loss, family, x)(Vector1(0.4)) ==
        doctest::Approx(sampled(Vector1(0.4))).epsilon(1e-12));
}

TEST_CASE("without a bound above, a box is the orthant; unbounded, plain score matching") {
  Rng rng(4);
  const Eigen::Matrix2Xd x = draw_orthant(300, rng);
  const sm::Box box(Eigen::Vector2d(0, 0), Eigen::Vector2d(infinity, infinity));
  const sm::PairwiseGaussianFamily<double, 2> family;
  const auto by_default = objective_of(sm::GeneralizedScoreMatchingLoss<>{}, family, x);
  const auto boxed =
      objective_of(sm::GeneralizedScoreMatchingLoss{sm::MinWeight{}, box}, family, x);
  const auto own = objective_of(sm::GeneralizedScoreMatchingLoss{}, Orthant2(box), x);
  CHECK(same_bits(by_default.quadratic(), boxed.quadratic()));
  CHECK(same_bits(by_default.linear(), boxed.linear()));
  CHECK(same_bits(by_default.quadratic(), own.quadratic()));
  CHECK(same_bits(by_default.linear(), own.linear()));
  // A bound beyond all samples: at a distance that no weight sees.
  const sm::Box far(Eigen::Vector2d(0, 0), Eigen::Vector2d(1000, 1000));
  const auto bounded =
      objective_of(sm::GeneralizedScoreMatchingLoss{sm::MinWeight{}, far}, family, x);
  CHECK(same_bits(by_default.quadratic(), bounded.quadratic()));

  const sm::Box everything(Eigen::Vector2d(-infinity, -infinity),
                           Eigen::Vector2d(infinity, infinity));
  const auto plain = objective_of(sm::ScoreMatchingLoss{}, family, x);
  const auto unbounded =
      objective_of(sm::GeneralizedScoreMatchingLoss{sm::MinWeight{.c = 2}, everything}, family, x);
  CHECK(relative_difference(unbounded.quadratic(), 2 * plain.quadratic()) < 1e-13);
  CHECK(relative_difference(unbounded.exact().parameters, plain.exact().parameters) < 1e-12);
}

TEST_CASE("a reflected box gives the reflected estimate") {
  Rng rng(5);
  const Eigen::RowVectorXd x = draw_orthant(200, rng).row(0);
  const Eigen::RowVectorXd mirrored = -x;
  const sm::GeneralizedScoreMatchingLoss loss{sm::LogWeight{}};
  const auto fit = sm::fit(interval(0, 5), loss, sm::ClosedForm{}, x);
  const auto mirror = sm::fit(interval(-5, 0), loss, sm::ClosedForm{}, mirrored);
  CHECK(mirror.parameters(0) == doctest::Approx(-fit.parameters(0)).epsilon(1e-12));
  CHECK(mirror.parameters(1) == doctest::Approx(fit.parameters(1)).epsilon(1e-12));
}

TEST_CASE("dynamic dimensions agree with fixed ones") {
  Rng rng(6);
  const Eigen::MatrixXd x = draw_orthant(100, rng);
  const Eigen::Matrix2Xd fixed = x;
  const sm::GeneralizedScoreMatchingLoss loss;
  const auto fit = sm::fit(Orthant2(), loss, sm::ClosedForm{}, fixed);
  const auto dynamic = sm::fit(sm::TruncatedGaussianFamily<double>(2), loss, sm::ClosedForm{}, x);
  CHECK(relative_difference(dynamic.parameters, fit.parameters) < 1e-11);
}

// --- summaries -----------------------------------------------------------------------------------

TEST_CASE("streaming, merging and weights change nothing") {
  Rng rng(8);
  const Eigen::Matrix2Xd x = draw_orthant(60, rng);
  const sm::GeneralizedScoreMatchingLoss loss(sm::MinWeight{.c = 0.6});
  const auto energy = sm::energy_family<2>(gaussian_energy, Eigen::Matrix<double, 5, 1>::Ones());
  const Eigen::Matrix<double, 5, 1> theta(0.1, 0.2, 1.0, 1.1, -0.3);
  const auto check = [&](const auto& family) {
    const auto value = [&](const auto& summary) {
      auto objective = loss.objective(family, summary);
      return objective(theta);
    };
    auto whole = loss.summary(family);
    whole.add(x);
    auto streamed = loss.summary(family);
    for (Eigen::Index i = 0; i < x.cols(); ++i) streamed.add(x.col(i));
    auto first = loss.summary(family);
    auto second = loss.summary(family);
    first.add(x.leftCols(20));
    second.add(x.rightCols(40));
    first.merge(second);
    CHECK(first.count() == 60);
    const double expected = value(whole);
    CHECK(value(streamed) == doctest::Approx(expected).epsilon(1e-13));
    CHECK(value(first) == doctest::Approx(expected).epsilon(1e-13));
    Eigen::VectorXd weights = Eigen::VectorXd::Ones(60);
    weights.head(20).setConstant(2);
    weights(59) = 0;
    auto weighted = loss.summary(family);
    weighted.add(x, weights);
    auto copies = loss.summary(family);
    copies.add(x.leftCols(59));
    copies.add(x.leftCols(20));
    CHECK(weighted.count() == 79);
    CHECK(value(weighted) == doctest::Approx(value(copies)).epsilon(1e-13));
  };
  check(Orthant2());
  check(energy);
}

TEST_CASE("a model is fitted to samples of it that different boxes have cut off") {
  using Family = sm::TruncatedGaussianFamily<double, 1>;
  const Eigen::Vector2d truth(0.7, 1.3);  // eta and K
  const sm::GeneralizedScoreMatchingLoss loss(sm::MinWeight{.c = 0.375});
  // The density itself in place of samples, at the middles of fine cells; the slope of the weight
  // jumps between two of them.
  const int n = 4000;
  const auto add = [&](auto& summary, double lower, double upper) {
    Eigen::RowVectorXd x(n);
    for (int i = 0; i < n; ++i) x(i) = lower + (upper - lower) * (i + 0.5) / n;
    const Eigen::VectorXd density =
        (truth(0) * x.array() - truth(1) * x.array().square() / 2).exp();
    summary.add(x, density);
  };
  const auto summary_of = [&](double lower, double upper) {
    const Eigen::Matrix<double, 1, 1> from(lower);
    const Eigen::Matrix<double, 1, 1> to(upper);
    return loss.summary(Family(sm::Box<double, 1>(from, to)));
  };
  auto left = summary_of(0, 1.5);
  add(left, 0, 1.5);
  auto right = summary_of(1, 3);
  add(right, 1, 3);
  const auto parameters = [&](const auto& summary) {
    return sm::fit(Family(), loss, sm::ClosedForm{}, summary).parameters;
  };
  CHECK(relative_difference(parameters(left), truth) < 1e-6);
  auto both = left;
  both.merge(right);
  CHECK(both.count() == left.count() + right.count());
  CHECK(relative_difference(parameters(both), truth) < 1e-6);
  auto reversed = right;
  reversed.merge(left);
  CHECK(relative_difference(parameters(reversed), truth) < 1e-6);
  // It is the box of each that makes it right: not so in one that holds both.
  auto hull = summary_of(0, 3);
  add(hull, 0, 1.5);
  add(hull, 1, 3);
  CHECK(relative_difference(parameters(hull), truth) > 0.05);
}

// --- misuse --------------------------------------------------------------------------------------

TEST_CASE("samples outside the domain are refused by row, column and value") {
  const sm::GeneralizedScoreMatchingLoss loss;
  const auto energy = sm::energy_family<2>(gaussian_energy, Eigen::Matrix<double, 5, 1>::Ones());
  Eigen::Matrix2Xd x = Eigen::Matrix2Xd::Constant(2, 4, 0.5);
  const auto check = [&](const auto& family) {
    auto summary = loss.summary(family);
    summary.add(x.leftCols(2));
    Eigen::Matrix2Xd bad = x;
    bad(1, 2) = -0.25;
    const std::string outside = message_of([&] { summary.add(bad); });
    CHECK(contains(outside, "samples(row 1, column 2) = -0.25"));
    CHECK(contains(outside, "[0, inf]"));
    CHECK(contains(message_of([&] { summary.add(bad, Eigen::VectorXd::Ones(4)); }), "= -0.25"));
    bad(1, 2) = not_a_number;
    CHECK(contains(message_of([&] { summary.add(bad); }),
                   "samples(row 1, column 2) = nan; expected a finite value"));
    bad(1, 2) = infinity;
    CHECK(contains(message_of([&] { summary.add(bad); }), "= inf; expected a finite value"));
    // Everything is finite, before anything is inside.
    bad(0, 0) = -1;
    CHECK(contains(message_of([&] { summary.add(bad); }), "column 2) = inf"));
    const Eigen::MatrixXd tall = Eigen::MatrixXd::Ones(3, 1);
    CHECK(contains(message_of([&] { summary.add(tall); }), "3 rows"));
    CHECK(summary.count() == 2);
    CHECK(
        contains(message_of([&] { loss.objective(family, loss.summary(family)); }), "no samples"));
  };
  check(Orthant2());
  check(energy);

  const sm::Box box(Eigen::Vector2d(0, 0), Eigen::Vector2d(1, 0.25));
  const sm::GeneralizedScoreMatchingLoss boxed(sm::MinWeight{}, box);
  CHECK(contains(message_of([&] { boxed.summary(energy).add(x); }),
                 "samples(row 1, column 0) = 0.5 lies outside the box; expected a value in [0, "
                 "0.25]"));
  // Samples that were fine elsewhere do not come in by the back door, nor samples that another box
  // has cut off, though they lie in this one.
  auto everywhere = loss.summary(energy);
  everywhere.add(0.25 * x);
  auto inside = boxed.summary(energy);
  inside.add(0.25 * x);
  CHECK(message_of([&] { inside.merge(everywhere); }) ==
        "scorematch: TruncatedSamples::merge: coordinate 0 of other's box is [0, inf]; expected "
        "[0, 1], as in this one");
  CHECK(inside.count() == 4);
  CHECK(contains(message_of([&] { everywhere.merge(inside); }), "is [0, 1]; expected [0, inf]"));
  CHECK(everywhere.count() == 4);
  const sm::Box other(Eigen::Vector2d(0, 0), Eigen::Vector2d(1, 0.5));
  const sm::GeneralizedScoreMatchingLoss wide(sm::MinWeight{}, other);
  CHECK(contains(message_of([&] { inside.merge(wide.summary(energy)); }),
                 "coordinate 1 of other's box is [0, 0.5]; expected [0, 0.25]"));
}

TEST_CASE("a box holds its bounds, and nothing beyond") {
  const sm::Box box(Eigen::Vector2d(-1, 0), Eigen::Vector2d(2, infinity));
  const auto inside = [&](double a, double b) {
    const Eigen::Vector2d x(a, b);
    const bool result = box.contains(x);
    CHECK((message_of([&] { box.require_inside(x); }) == "no exception") == result);
    CHECK(box.contains((Eigen::Matrix2d() << 0, a, 1, b).finished()) == result);
    return result;
  };
  CHECK(inside(-1, 0));
  CHECK(inside(2, 0));
  CHECK(inside(2, 1e300));
  CHECK_FALSE(inside(std::nextafter(-1, -2), 0));
  CHECK_FALSE(inside(std::nextafter(2, 3), 0));
  CHECK_FALSE(inside(0, -std::numeric_limits<double>::denorm_min()));
  CHECK_FALSE(inside(not_a_number, 0));
  CHECK_FALSE(inside(0, not_a_number));
}

TEST_CASE("boxes that are empty or no boxes, and weights that are none, are refused") {
  CHECK(contains(message_of([] { sm::Box(Eigen::Vector2d(0, 1), Eigen::Vector2d(2, 1)); }),
                 "lower(1) = 1, upper(1) = 1; expected numbers, the lower bound below the upper"));
  CHECK(contains(message_of([] { interval(0, not_a_number); }), "upper(0) = nan"));
  CHECK(contains(message_of([] { interval(infinity, infinity); }), "lower(0) = inf"));
  CHECK(contains(message_of([] { sm::Box(Eigen::VectorXd::Zero(2), Eigen::VectorXd::Ones(3)); }),
                 "expected two columns of the same length"));
  CHECK(contains(message_of([] { sm::Box<double>::positive_orthant(0); }), "dimension = 0"));
  for (const double c : {0.0, -1.0, infinity, not_a_number}) {
    CHECK(contains(message_of([&] { sm::GeneralizedScoreMatchingLoss{sm::MinWeight{.c = c}}; }),
                   "MinWeight: c = "));
  }
  struct Flat {
    double value(double) const { return 1; }
    double derivative(double) const { return 0; }
  };
  CHECK(contains(message_of([] { sm::GeneralizedScoreMatchingLoss{Flat{}}; }),
                 "the weight function at 0 is 1; expected 0"));
  struct Negative {
    double value(double x) const { return -x; }
    double derivative(double) const { return -1; }
  };
  const sm::GeneralizedScoreMatchingLoss negative{Negative{}};
  CHECK(contains(message_of([&] { negative.summary(Interval()).add(Vector1(0.5)); }),
                 "has value -0.5"));
  struct Root {
    double value(double x) const { return std::sqrt(x); }
    double derivative(double x) const { return 0.5 / std::sqrt(x); }
  };
  const sm::GeneralizedScoreMatchingLoss root{Root{}};
  CHECK(contains(message_of([&] { root.summary(Interval()).add(Vector1(0.0)); }),
                 "has value 0 and derivative inf"));
  // Without any bound, a weight that grows for ever is infinite.
  const sm::GeneralizedScoreMatchingLoss linear{sm::LinearWeight{}};
  CHECK(
      contains(message_of([&] { linear.summary(interval(-infinity, infinity)).add(Vector1(0.5)); }),
               "has value inf"));
  const sm::GeneralizedScoreMatchingLoss two(
      sm::MinWeight{}, sm::Box(Eigen::VectorXd::Zero(2), Eigen::VectorXd::Ones(2)));
  CHECK(contains(message_of([&] { two.summary(Interval()); }), "dimension 2; expected 1"));
  const sm::GeneralizedScoreMatchingLoss other(sm::MinWeight{}, sm::Box(Vector1(0), Vector1(1)));
  CHECK(contains(message_of([&] { other.summary(interval(0, 2)); }), "not that of the family"));
}

TEST_CASE("too few samples for a truncated Gaussian are said to be so") {
  const auto fit = sm::fit(Orthant2(), sm::GeneralizedScoreMatchingLoss{}, sm::ClosedForm{},
                           Eigen::Vector2d(0.5, 0.7));
  CHECK(fit.status == sm::Status::unbounded);
}

// --- the distribution ----------------------------------------------------------------------------

TEST_CASE("a truncated Gaussian is a Gaussian inside its box, and nothing outside") {
  Rng rng(9);
  const sm::Gaussian<double, 2> gaussian(Eigen::Vector2d(0.3, -0.2),
                                         Eigen::Matrix2d{{1, 0.4}, {0.4, 0.8}});
  const Orthant2 family;
  const auto truncated = family.distribution(family.parameters(gaussian));
  const Eigen::Vector2d origin(0.1, 0.1);
  for (int trial = 0; trial < 5; ++trial) {
    const Eigen::Vector2d x = normals<double, 2>(2, 1, rng).cwiseAbs();
    CHECK(relative_difference(truncated.score(x), gaussian.score(x)) < 1e-13);
    CHECK(truncated.laplacian(x) == doctest::Approx(gaussian.laplacian()));
    CHECK(truncated.unnormalized_log_density(x) - truncated.unnormalized_log_density(origin) ==
          doctest::Approx(gaussian.log_density(x) - gaussian.log_density(origin)));
    CHECK(truncated.unnormalized_log_density(-x) == -infinity);
  }
  CHECK(truncated.positive_definite());
  CHECK(relative_difference(truncated.untruncated().mean(), gaussian.mean()) < 1e-13);
  CHECK(relative_difference(truncated.untruncated().covariance(), gaussian.covariance()) < 1e-13);

  // Rising towards the upper bound: a density in a bounded box, but no Gaussian.
  const auto rising = interval(0, 1).distribution(Eigen::Vector2d(0, -1));
  CHECK(!rising.positive_definite());
  CHECK(rising.score(Vector1(0.5))(0) == 0.5);
  CHECK(contains(message_of([&] { rising.untruncated(); }), "not positive definite"));
  CHECK(contains(message_of([&] { rising.score(Eigen::VectorXd::Ones(2)); }), "2 x 1"));
  CHECK(contains(message_of([] { Interval().distribution(Eigen::Vector2d(0, not_a_number)); }),
                 "theta(1) = nan"));
  CHECK(contains(message_of([] {
                   sm::TruncatedGaussian<double, 2>(Eigen::Vector2d(0, 0),
                                                    Eigen::Matrix2d{{1, 0.5}, {0, 1}},
                                                    sm::Box<double, 2>::positive_orthant(2));
                 }),
                 "precision(row 1, column 0) = 0"));
}

TEST_CASE("a bounded box takes a Gaussian that rises towards its bounds") {
  const Population population(0, 1, 0.5, -2);
  const Interval family = interval(0, 1);
  const sm::GeneralizedScoreMatchingLoss loss(sm::LinearWeight{});
  auto summary = loss.summary(family);
  summary.add(population.x, population.q);
  const auto fit = sm::fit(family, loss, sm::ClosedForm{}, summary);
  CHECK(fit.status == sm::Status::converged);
  CHECK(fit.parameters(1) == doctest::Approx(-2).epsilon(1e-5));
}

}  // namespace
