// A fit moves with its samples: exponential families whose densities can be moved.
#include "support.hpp"

#include <doctest/doctest.h>

#include <numbers>
#include <vector>

namespace {

using namespace support;

using Vector1 = Eigen::Matrix<double, 1, 1>;
using Angles = sm::VonMisesFamily<double>;

// Multiples of 2^-20, so that shifts up to 2^31 and powers of two lose nothing.
Eigen::MatrixXd on_grid(const Eigen::MatrixXd& samples) {
  return samples.unaryExpr([](double x) { return std::ldexp(std::round(std::ldexp(x, 20)), -20); });
}

template <class F>
constexpr bool movable = sm::TranslatableStatistics<typename F::Exponential::Statistics,
                                                    typename F::Scalar, F::Dim, F::ParameterCount>;
static_assert(movable<sm::PairwiseGaussianFamily<double, 2>> && movable<Angles> &&
              movable<sm::PolynomialFamily<float, 4>> &&
              movable<sm::TruncatedGaussianFamily<double>>);
static_assert(!movable<sm::PhiFourFamily<double>>);

// log p at x + v of the moved density less log p at x does not depend on x; `pull_back` is the
// transposed of `translate`; the middle of samples is where theirs is when they are moved.
template <class F>
void check_moves(const F& family, const typename F::Vector& v, double tolerance, Rng& rng) {
  using Parameters = typename F::Parameters;
  const auto& statistics = family.statistics();
  const Eigen::Index k = family.parameter_count();
  for (int problem = 0; problem < 20; ++problem) {
    const Parameters theta = normals<double>(k, 1, rng);
    const Parameters moved = family.translated(theta, v);
    const typename F::Vector w = statistics.anchor(normals<double>(family.dimension(), 1, rng));
    CHECK(relative_difference(family.translated(moved, w),
                              family.translated(theta, typename F::Vector(v + w))) < tolerance);
    const auto constant = [&](const typename F::Vector& x) {
      return family.log_density(typename F::Vector(x + v), moved) - family.log_density(x, theta);
    };
    const typename F::Vector x = normals<double>(family.dimension(), 1, rng);
    const typename F::Vector y = normals<double>(family.dimension(), 1, rng);
    CHECK(std::abs(constant(x) - constant(y)) <=
          tolerance * (1 + std::abs(family.log_density(y, theta))));

    const Parameters other = normals<double>(k, 1, rng);
    CHECK(relative_difference(family.translated(theta + other, v),
                              moved + family.translated(other, v)) < tolerance);
    Parameters gradient = other;
    statistics.pull_back(gradient, v);
    CHECK(std::abs(gradient.dot(theta) - other.dot(moved)) <=
          tolerance * other.norm() * moved.norm());
  }
  const Eigen::MatrixXd samples = normals<double>(family.dimension(), 40, rng);
  const auto middle = [&](const Eigen::MatrixXd& x) {
    auto summary = sm::ScoreMatchingLoss{}.summary(family);
    summary.add(x);
    return sm::ScoreMatchingLoss{}.objective(family, summary).center();
  };
  const Eigen::MatrixXd there = samples.colwise() + Eigen::VectorXd(v);
  const typename F::Vector turns = (middle(there) - middle(samples) - v) / (2 * std::numbers::pi);
  const bool angles = std::is_same_v<F, Angles>;
  for (const double turn : turns) {
    CHECK(std::abs(angles ? turn - std::round(turn) : turn) < tolerance);
  }
}

// The samples' fit as it is where they are: theta for samples - v, times scale^-1.
template <class F, class Loss, class Optimizer>
auto fitted(const F& family, const Loss& loss, const Optimizer& optimizer,
            const Eigen::MatrixXd& samples) {
  auto summary = loss.summary(family);
  summary.add(samples);
  return sm::fit(family, loss, optimizer, summary);
}

// Mean and precision of a pairwise Gaussian against those of `Moments`, and against the fit at the
// origin. eta = K mean is rounded, and K^-1 makes more of it: the condition number of K.
template <class F, class Loss, class Optimizer, class FamilyAt>
void check_gaussian(const FamilyAt& family_at, const Loss& loss, const Optimizer& optimizer,
                    const Eigen::MatrixXd& samples, const Eigen::VectorXd& direction) {
  const auto here = fitted(family_at(0.0), loss, optimizer, samples);
  REQUIRE(here.status == sm::Status::converged);
  const Eigen::MatrixXd precision = family_at(0.0).precision(here.parameters);
  const Eigen::VectorXd eigenvalues =
      Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(precision).eigenvalues();
  const double condition = eigenvalues.maxCoeff() / eigenvalues.minCoeff();
  const Eigen::Index d = samples.rows();
  const Eigen::VectorXd mean = precision.ldlt().solve(here.parameters.head(d));
  for (const double offset : {1., -30., 1024., 0x1p18, -0x1p24, 0x1p30}) {
    CAPTURE(offset);
    const F family = family_at(offset);
    const Eigen::VectorXd v = offset * direction;
    const auto there = fitted(family, loss, optimizer, samples.colwise() + v);
    CHECK(there.status == sm::Status::converged);
    CHECK(there.iterations <= here.iterations * 3 / 2 + 1);
    CHECK(std::abs(there.loss - here.loss) <= 1e-9 * std::abs(here.loss));
    const Eigen::MatrixXd moved_precision = family.precision(there.parameters);
    CHECK(relative_difference(moved_precision, precision) < 1e-6);
    const Eigen::VectorXd moved_mean = moved_precision.ldlt().solve(there.parameters.head(d));
    const double rounding = 1e-6 + 8 * double(d) * condition * std::abs(offset) * 2.2e-16;
    CHECK((moved_mean - v - mean).cwiseAbs().maxCoeff() <= rounding);
  }
}

}  // namespace

TEST_CASE("a density of a movable family is moved by its parameters") {
  Rng rng(1);
  check_moves(sm::PairwiseGaussianFamily<double, 2>(), Eigen::Vector2d(0.7, -1.9), 1e-13, rng);
  check_moves(sm::PairwiseGaussianFamily<double>(4), Eigen::Vector4d(0.7, -1.9, 0, 3), 1e-13, rng);
  check_moves(sm::PolynomialFamily<double, 2>(), Vector1(-1.3), 1e-13, rng);
  check_moves(sm::PolynomialFamily<double, 6>(), Vector1(0.8), 1e-12, rng);
  check_moves(sm::PolynomialFamily<double, 4>(7.0), Vector1(0.8), 1e-11, rng);
  check_moves(Angles(1), Eigen::VectorXd::Constant(1, 2.5), 1e-13, rng);
  check_moves(Angles(3), Eigen::Vector3d(2.5, -7, 0.1), 1e-13, rng);
  const auto ring = sm::ring(4);
  for (const auto fields : {sm::Fields::shared, sm::Fields::per_site}) {
    check_moves(Angles(4, ring, sm::Couplings::per_edge, fields), Eigen::VectorXd::Constant(4, 2.5),
                1e-13, rng);
  }
  // Of two pairs, each has its turn.
  check_moves(Angles(4, {{0, 2}, {1, 3}}, sm::Couplings::per_edge, sm::Fields::per_site),
              Eigen::Vector4d(0.5, -2, 0.5, -2), 1e-13, rng);
  CHECK(contains(message_of([] {
                   const sm::PolynomialFamily<double, 4> family;
                   family.translated(Eigen::Vector4d::Zero(), Vector1(1));
                   const sm::PairwiseGaussianFamily<double> pair(2);
                   pair.translated(Eigen::Vector4d::Zero(), Eigen::Vector2d(1, 1));
                 }),
                 "theta has 4 entries, v has 2; expected 5 and 2"));
}

TEST_CASE("a pairwise Gaussian moves with its samples, and is that of their moments") {
  Rng rng(2);
  for (const Eigen::Index d : {1, 2, 3, 6}) {
    CAPTURE(d);
    const Eigen::MatrixXd samples = on_grid(random_samples(d, 60, rng));
    const Eigen::VectorXd direction = Eigen::VectorXd::LinSpaced(d, 1, 0.5);
    using Family = sm::PairwiseGaussianFamily<double>;
    const auto at = [d](double) { return Family(d); };
    check_gaussian<Family>(at, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples, direction);
    check_gaussian<Family>(at, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, samples, direction);
    sm::Moments<double> moments(d);
    moments.add(samples);
    const auto fit = fitted(Family(d), sm::ScoreMatchingLoss{}, sm::ClosedForm{},
                            samples.colwise() + Eigen::VectorXd(0x1p30 * Eigen::VectorXd::Ones(d)));
    CHECK(relative_difference(Family(d).precision(fit.parameters), moments.covariance().inverse()) <
          1e-11);
  }
  using Fixed = sm::PairwiseGaussianFamily<double, 2>;
  const Eigen::MatrixXd samples = on_grid(random_samples(2, 200, rng));
  check_gaussian<Fixed>([](double) { return Fixed(); }, sm::ScoreMatchingLoss{}, sm::ClosedForm{},
                        samples, Eigen::Vector2d(1, -1));
}

TEST_CASE("a truncated Gaussian moves with its samples and its box") {
  Rng rng(3);
  for (const Eigen::Index d : {1, 2, 4}) {
    CAPTURE(d);
    Eigen::MatrixXd samples(d, 400);
    const Eigen::MatrixXd mix = Eigen::MatrixXd::Identity(d, d) + 0.2 * normals<double>(d, d, rng);
    for (Eigen::Index n = 0; n < samples.cols();) {
      const Eigen::VectorXd x = mix * normals<double>(d, 1, rng);
      if (x.minCoeff() >= -0.5 && x.maxCoeff() <= 2) samples.col(n++) = x;
    }
    samples = on_grid(samples);
    using Family = sm::TruncatedGaussianFamily<double>;
    const Eigen::VectorXd direction = Eigen::VectorXd::LinSpaced(d, 1, 0.5);
    const auto at = [&](double offset) {
      const Eigen::VectorXd v = offset * direction;
      return Family(
          sm::Box<double>(Eigen::VectorXd(v.array() - 0.5), Eigen::VectorXd(v.array() + 2)));
    };
    const sm::GeneralizedScoreMatchingLoss loss;
    check_gaussian<Family>(at, loss, sm::ClosedForm{}, samples, direction);
    check_gaussian<Family>(at, loss, sm::Lbfgs{}, samples, direction);
  }
}

TEST_CASE("angles turn with their samples") {
  Rng rng(4);
  struct Case {
    Angles family;
    double spread;
  };
  const std::vector<Case> cases = {
      {Angles(1), 1},
      {Angles(1), 1e-3},
      {Angles(1), 1e-7},
      {Angles(3), 1e-5},
      {Angles(3, sm::ring(3), sm::Couplings::shared, sm::Fields::shared), 1},
      {Angles(3, sm::ring(3), sm::Couplings::per_edge, sm::Fields::per_site), 0.3}};
  for (const Case& c : cases) {
    CAPTURE(c.spread);
    const Eigen::Index d = c.family.dimension();
    const Eigen::Index fields = c.family.field_count();
    const Eigen::MatrixXd samples = on_grid(normals<double>(d, 300, rng)) * c.spread;
    const auto check = [&](const auto& optimizer) {
      const auto here = fitted(c.family, sm::ScoreMatchingLoss{}, optimizer, samples);
      CHECK(here.status == sm::Status::converged);
      for (const double turn : {0.3, -1.3278, 2., 3.1, 100.}) {
        CAPTURE(turn);
        const Eigen::VectorXd v = Eigen::VectorXd::Constant(d, turn);
        const auto there =
            fitted(c.family, sm::ScoreMatchingLoss{}, optimizer, samples.colwise() + v);
        CHECK(there.status == sm::Status::converged);
        CHECK(there.iterations <= here.iterations * 3 / 2 + 1);
        // Of a turn of 100 the angles keep 2^-47.
        const double tolerance = 1e-6 + 1e-14 * std::abs(turn) / c.spread;
        const Eigen::VectorXd expected = c.family.translated(here.parameters, v);
        CHECK(relative_difference(there.parameters.head(fields), expected.head(fields)) <
              tolerance);
        CHECK(relative_difference(there.parameters, expected) < tolerance);
      }
    };
    check(sm::ClosedForm{});
    if (c.spread > 1e-4) check(sm::Lbfgs{});
  }
}

TEST_CASE("a polynomial moves with its samples as far as its coefficients can") {
  Rng rng(5);
  const Eigen::MatrixXd samples = on_grid(normals<double>(1, 500, rng));
  const sm::PolynomialFamily<double, 4> family;
  const auto here = fitted(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  for (const double offset : {-10., 100., 1000.}) {
    CAPTURE(offset);
    const Eigen::MatrixXd moved = samples.array() + offset;
    const auto there = fitted(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, moved);
    CHECK(there.status == sm::Status::converged);
    CHECK(std::abs(there.loss - here.loss) <= 1e-9 * std::abs(here.loss));
    // What rounding leaves of coefficients that cancel: offset^3 in the score.
    const double rounding = 1e-8 + 1e-15 * std::abs(offset * offset * offset);
    for (const double x : {-2., -0.5, 1., 2.}) {
      CHECK(std::abs(there.distribution.score(Vector1(x + offset))(0) -
                     here.distribution.score(Vector1(x))(0)) <= rounding);
    }
  }
  // About a center of their own there is nothing to cancel.
  for (const double offset : {1024., -0x1p24, 0x1p30}) {
    CAPTURE(offset);
    const sm::PolynomialFamily<double, 4> centered(offset);
    const Eigen::MatrixXd moved = samples.array() + offset;
    const auto check = [&](const auto& optimizer) {
      const auto near = fitted(family, sm::ScoreMatchingLoss{}, optimizer, samples);
      const auto far = fitted(centered, sm::ScoreMatchingLoss{}, optimizer, moved);
      CHECK(far.status == near.status);
      CHECK(far.iterations == near.iterations);
      CHECK(relative_difference(far.parameters, near.parameters) < 1e-12);
    };
    check(sm::ClosedForm{});
    check(sm::Lbfgs{});
  }
}

TEST_CASE("a fit knows no unit") {
  Rng rng(6);
  const Eigen::MatrixXd samples = on_grid(random_samples(2, 100, rng));
  const sm::PairwiseGaussianFamily<double> gaussian(2);
  const sm::PhiFourFamily<double> lattice(2, sm::ring(2));
  const auto check = [&](const auto& optimizer, double tolerance) {
    const auto here = fitted(gaussian, sm::ScoreMatchingLoss{}, optimizer, samples);
    const auto quartic = fitted(lattice, sm::ScoreMatchingLoss{}, optimizer, samples);
    for (const double scale : {0x1p-40, 0x1p-20, 0x1p20, 0x1p40}) {
      CAPTURE(scale);
      const auto there = fitted(gaussian, sm::ScoreMatchingLoss{}, optimizer, scale * samples);
      Eigen::VectorXd units(5);
      units << scale, scale, Eigen::Vector3d::Constant(scale * scale);
      CHECK(there.status == here.status);
      CHECK(relative_difference(there.parameters.cwiseProduct(units), here.parameters) < tolerance);
      const auto moved = fitted(lattice, sm::ScoreMatchingLoss{}, optimizer, scale * samples);
      CHECK(there.iterations == here.iterations);
      CHECK(moved.iterations == quartic.iterations);
      const Eigen::Vector3d of_lattice(scale * scale, scale * scale, std::pow(scale, 4));
      CHECK(moved.status == quartic.status);
      CHECK(relative_difference(moved.parameters.cwiseProduct(of_lattice), quartic.parameters) <
            tolerance);
    }
  };
  check(sm::ClosedForm{}, 1e-12);
  check(sm::Lbfgs{}, 1e-9);
}

TEST_CASE("value and gradient of a centered objective are those of the definition") {
  Rng rng(7);
  using Long = Eigen::Matrix<long double, Eigen::Dynamic, 1>;
  for (const double offset : {0., 5., 1000.}) {
    CAPTURE(offset);
    const Eigen::Index d = 3;
    const sm::PairwiseGaussianFamily<double> family(d);
    const sm::PairwiseGaussianFamily<long double> wide(d);
    const Eigen::MatrixXd samples = on_grid(random_samples(d, 50, rng).array() + offset);
    auto summary = sm::ScoreMatchingLoss{}.summary(family);
    summary.add(samples);
    auto objective = sm::ScoreMatchingLoss{}.objective(family, summary);
    const Eigen::VectorXd minimizer = objective.exact().parameters;
    const Eigen::VectorXd step = objective.scales();
    const Eigen::MatrixXd gamma = objective.quadratic();
    CHECK(same_bits(step, gamma.diagonal().cwiseSqrt().cwiseInverse().eval()));
    for (int problem = 0; problem < 5; ++problem) {
      const Eigen::VectorXd theta =
          minimizer + step.cwiseProduct(normals<double>(minimizer.size(), 1, rng));
      const auto value = [&](const Long& at) {
        long double sum = 0;
        for (Eigen::Index n = 0; n < samples.cols(); ++n) {
          const Long x = samples.col(n).cast<long double>();
          const auto both = wide.score_and_laplacian(x, at);
          sum += both.score.squaredNorm() / 2 + both.laplacian;
        }
        return sum / static_cast<long double>(samples.cols());
      };
      Eigen::VectorXd gradient(theta.size());
      const double actual = objective(theta, gradient);
      const long double expected = value(theta.cast<long double>());
      const double size = std::abs(objective.exact().loss) + std::abs(actual);
      CHECK(std::abs(static_cast<double>(static_cast<long double>(actual) - expected)) <=
            1e-13 * (1 + offset) * size);
      CHECK(gradient_error(value, theta, gradient, step, 1e-10) < 1e-7);
      // The accessors say the same, as far as their sums go.
      const double formula =
          theta.dot(gamma * theta) / 2 + objective.linear().dot(theta) + objective.constant();
      CHECK(std::abs(formula - actual) <= 1e-13 * (1 + std::pow(offset, 4)) * size);
    }
    CHECK(objective.distance_to_minimum(minimizer) <= 1e-10 * (1 + offset));
  }
}

TEST_CASE("which sample comes first, and in what parts, makes no difference far from the origin") {
  Rng rng(8);
  const sm::ScoreMatchingLoss loss;
  const Eigen::Index n = 200;
  const auto check = [&](const auto& family, double offset, double tolerance) {
    const Eigen::Index d = family.dimension();
    const Eigen::MatrixXd samples = on_grid(normals<double>(d, n, rng).array() + offset);
    Eigen::VectorXd weights(n);
    for (double& w : weights) w = std::ldexp(1.0, int(rng() % 8));
    const auto minimizer = [&](const auto& summary) {
      Eigen::VectorXd theta = loss.objective(family, summary).within().exact().parameters;
      return theta;
    };
    auto whole = loss.summary(family);
    whole.add(samples, weights);
    const Eigen::VectorXd expected = minimizer(whole);
    auto backward = loss.summary(family);
    for (Eigen::Index k = n; k-- > 0;) backward.add(samples.col(k), weights.segment(k, 1).eval());
    auto parts = loss.summary(family);
    for (const Eigen::Index begin : {100, 0, 150, 50}) {
      auto part = loss.summary(family);
      part.add(samples.middleCols(begin, 50), weights.segment(begin, 50).eval());
      parts.merge(part);
    }
    for (const auto* summary : {&backward, &parts}) {
      CHECK(summary->count() == whole.count());
      CHECK(relative_difference(minimizer(*summary), expected) < tolerance);
    }
    // First a sample that hardly counts, far away.
    auto outlier = loss.summary(family);
    outlier.add(Eigen::VectorXd(Eigen::VectorXd::Constant(d, offset + 1e5)), Vector1(1e-60));
    for (Eigen::Index k = 0; k < n; ++k) outlier.add(samples.col(k), weights.segment(k, 1).eval());
    CHECK(relative_difference(minimizer(outlier), expected) < tolerance);
    Eigen::MatrixXd together(d, n + 1);
    together << Eigen::VectorXd::Constant(d, offset + 1e5), samples;
    Eigen::VectorXd all(n + 1);
    all << 1e-60, weights;
    auto at_once = loss.summary(family);
    at_once.add(together, all);
    CHECK(relative_difference(minimizer(at_once), expected) < tolerance);
  };
  check(sm::PairwiseGaussianFamily<double, 2>(), 0x1p30, 1e-11);
  check(sm::PairwiseGaussianFamily<double>(4), -0x1p30, 1e-11);
  check(sm::PolynomialFamily<double, 4>(0x1p20), 0x1p20, 1e-9);
  check(sm::PolynomialFamily<double, 4>(), 0x1p20, 1e-9);
}

TEST_CASE("a truncated density keeps its digits far from the origin") {
  Rng rng(9);
  const Eigen::Vector2d lower(-0.5, -1);
  const Eigen::Vector2d upper(2, 3);
  const Eigen::Matrix2d precision{{2, -0.75}, {-0.75, 1.25}};
  const Eigen::Vector2d eta(0.5, -1.5);
  const sm::TruncatedGaussian<double, 2> here(eta, precision, sm::Box(lower, upper));
  for (const double offset : {1024., -0x1p30}) {
    const Eigen::Vector2d v(offset, -offset);
    // Dyadic numbers: eta is exact.
    const sm::TruncatedGaussian<double, 2> there(eta + precision * v, precision,
                                                 sm::Box((lower + v).eval(), (upper + v).eval()));
    const auto draw = [&rng] {
      std::uniform_real_distribution<double> unit;
      return Eigen::Vector2d(on_grid(Eigen::Vector2d(unit(rng), unit(rng))));
    };
    const Eigen::Vector2d x = draw();
    const Eigen::Vector2d y = draw();
    const Eigen::Vector2d far_x = x + v;
    const Eigen::Vector2d far_y = y + v;
    CHECK((there.score(far_x) - here.score(x)).cwiseAbs().maxCoeff() <= 1e-13);
    CHECK(std::abs((there.unnormalized_log_density(far_x) - there.unnormalized_log_density(far_y)) -
                   (here.unnormalized_log_density(x) - here.unnormalized_log_density(y))) <= 1e-13);
  }
}

namespace {

// Objectives that are walked in a frame of the samples: value and slope there are those here.
template <class Obj>
void check_local(Obj& objective, const Eigen::VectorXd& theta, Rng& rng) {
  const Eigen::VectorXd u = objective.to_local(theta);
  CHECK((objective.from_local(u) - theta).norm() <= 1e-12 * theta.norm());
  Eigen::VectorXd gradient(theta.size());
  Eigen::VectorXd unused(theta.size());
  const double value = objective.local(u, gradient);
  CHECK(std::abs(value - objective(theta)) <= 1e-9 * std::abs(value));
  const double h = 1e-4;
  for (int trial = 0; trial < 5; ++trial) {
    const Eigen::VectorXd v = normals<double>(theta.size(), 1, rng).normalized();
    const double slope =
        (objective.local(u + h * v, unused) - objective.local(u - h * v, unused)) / (2 * h);
    CHECK(std::abs(gradient.dot(v) - slope) <= 1e-5 * (std::abs(value) + gradient.norm()));
  }
}

}  // namespace

TEST_CASE("local coordinates have the loss of the parameters, and its slope in them") {
  Rng rng(31);
  const sm::StudentTFamily<double> student(2);
  const sm::GaussianMixtureFamily<double, Eigen::Dynamic, 2> mixture(2);
  for (const double unit : {1e-6, 1.0, 1e4}) {
    CAPTURE(unit);
    const Eigen::MatrixXd samples =
        unit * (random_samples(2, 50, rng).colwise() + Eigen::Vector2d(100, -30));
    const auto check = [&](const auto& family, const auto& loss) {
      auto summary = loss.summary(family);
      summary.add(samples);
      auto objective = loss.objective(family, summary);
      const Eigen::VectorXd start = family.start(summary);
      const Eigen::VectorXd step = 0.3 * normals<double>(start.size(), 1, rng);
      check_local(objective, start + family.scales(start).cwiseProduct(step), rng);
    };
    for (int trial = 0; trial < 5; ++trial) {
      check(student, sm::ScoreMatchingLoss{});
      check(mixture, sm::ScoreMatchingLoss{});
      check(student, sm::SlicedScoreMatchingLoss{});
      check(mixture, sm::DenoisingScoreMatchingLoss{.sigma = 0.2 * unit});
    }
  }
}
