// Every public entry that takes a vector, an index or a count, with one too few and one too many. A
// program of its own, without Eigen's assertions: under the address sanitizer it shows that nothing
// is read or written beyond an end before the library has refused it.
#include "support.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#ifndef NDEBUG
#error "sizes_test is built with NDEBUG: Eigen's assertions would hide what it looks for"
#endif

namespace {

using namespace support;

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr Index d = 3;
constexpr Index huge = (std::numeric_limits<Index>::max)();

// The call is refused with a sentence that can be read.
template <class Call>
void refused(const Call& call) {
  const std::string message = message_of([&] { call(); });
  CAPTURE(message);
  CHECK(contains(message, "scorematch: "));
  CHECK(message.size() < 500);
  for (const char c : message) CHECK((c >= ' ' && c <= '~'));
}

// use(rows), for sizes that are off.
template <class Use>
void off_by_one(Index size, const Use& use) {
  for (const Index wrong : {size - 1, size + 1, Index(0)}) {
    CAPTURE(wrong);
    refused([&] { use(wrong); });
  }
}

template <class Use>
void off_range(Index count, const Use& use) {
  for (const Index wrong : {Index(-1), count, huge}) {
    CAPTURE(wrong);
    refused([&] { use(wrong); });
  }
}

MatrixXd samples(Index rows = d, Index columns = 7) {
  return MatrixXd::Random(rows, columns).array() + 2;
}

const auto energy = [](const auto& x, const auto& theta) {
  return -x.squaredNorm() * theta(0) - x(0) * theta(1);
};

template <class Loss, class F>
void check_loss(const Loss& loss, const F& family) {
  auto summary = loss.summary(family);
  off_by_one(d, [&](Index rows) { summary.add(samples(rows)); });
  off_by_one(d, [&](Index rows) { summary.add(samples(rows, 1).col(0)); });
  off_by_one(d, [&](Index rows) { summary.add(samples(rows), VectorXd(VectorXd::Ones(7))); });
  off_by_one(7, [&](Index size) { summary.add(samples(), VectorXd(VectorXd::Ones(size))); });
  refused([&] { loss.objective(family, summary); });  // no samples
}

template <class Loss, class F, class Optimizer>
void check_fits(const Loss& loss, const F& family, const Optimizer& optimizer) {
  off_by_one(d, [&](Index rows) { sm::fit(family, loss, optimizer, samples(rows)); });
  off_by_one(d, [&](Index rows) {
    sm::fit_batch(family, loss, optimizer, std::vector<MatrixXd>(2, samples(rows)));
  });
  off_by_one(d, [&](Index rows) { sm::Estimator(family, loss, optimizer).observe(samples(rows)); });
  off_by_one(family.parameter_count(), [&](Index rows) {
    sm::multi_start(family, loss, optimizer, samples(), MatrixXd(MatrixXd::Zero(rows, 2)));
  });
}

// What was summed for another dimension.
template <class Loss, class F>
void check_other(const Loss& loss, const F& family, const F& other) {
  auto summary = loss.summary(family);
  summary.add(samples());
  auto wrong = loss.summary(other);
  wrong.add(samples(other.dimension()));
  refused([&] { summary.merge(wrong); });
  refused([&] { loss.objective(family, wrong); });
}

template <class F>
void check_distribution_of(const F& family) {
  off_by_one(family.parameter_count(),
             [&](Index size) { family.distribution(VectorXd(VectorXd::Zero(size))); });
}

template <class Density>
void check_points(const Density& density) {
  off_by_one(d, [&](Index size) { density.score(VectorXd::Ones(size)); });
  off_by_one(d, [&](Index size) { density.score(MatrixXd::Ones(size, 2)); });
  if constexpr (decltype(density.score(MatrixXd::Ones(d, 2)))::ColsAtCompileTime == 1) {
    refused([&] { density.score(MatrixXd::Ones(d, 2)); });
  } else {  // takes many points
    CHECK(density.score(MatrixXd::Ones(d, 2)).cols() == 2);
  }
  if constexpr (requires { density.log_density(VectorXd::Ones(d)); }) {
    off_by_one(d, [&](Index size) { density.log_density(VectorXd::Ones(size)); });
  } else {
    off_by_one(d, [&](Index size) { density.unnormalized_log_density(VectorXd::Ones(size)); });
  }
  if constexpr (requires { density.laplacian(VectorXd::Ones(d)); }) {
    off_by_one(d, [&](Index size) { density.laplacian(VectorXd::Ones(size)); });
  }
  if constexpr (requires(Rng& rng) { density.sample(Index(1), rng); }) {
    Rng rng(1);
    refused([&] { density.sample(-1, rng); });
    CHECK(density.sample(0, rng).cols() == 0);
  }
}

}  // namespace

TEST_CASE("losses and summaries refuse samples, weights and starts of the wrong size") {
  const sm::GradientDescent descent;
  const sm::ScoreMatchingLoss score;
  const sm::SlicedScoreMatchingLoss sliced;
  const sm::DenoisingScoreMatchingLoss denoising;
  const sm::GeneralizedScoreMatchingLoss generalized;
  const sm::GaussianFamily<double> gaussian(d), other(d + 1);
  const sm::GaussianFamily<double, d> fixed;
  const auto model = sm::energy_family(energy, Eigen::Vector2d(1, 1), d);
  const auto other_model = sm::energy_family(energy, Eigen::Vector2d(1, 1), d + 1);
  check_loss(score, gaussian);
  check_loss(score, fixed);
  check_loss(sm::SampledLoss(denoising), gaussian);
  check_loss(sliced, gaussian);
  check_fits(score, gaussian, sm::ClosedForm{});
  check_fits(score, model, sm::GradientDescent{});
  check_loss(score, sm::PairwiseGaussianFamily<double>(d));
  check_loss(score, sm::PairwiseGaussianFamily<double, d>());
  check_loss(generalized, sm::TruncatedGaussianFamily<double>(d));
  check_loss(generalized, model);
  check_loss(score, model);
  check_other(score, gaussian, other);
  check_other(denoising, gaussian, other);
  check_other(score, model, other_model);
  check_other(generalized, model, other_model);
  check_other(score, sm::PairwiseGaussianFamily<double>(d),
              sm::PairwiseGaussianFamily<double>(d + 1));
  refused([&] {
    sm::GeneralizedScoreMatchingLoss(sm::MinWeight{}, sm::Box<double>::positive_orthant(d + 1))
        .summary(model);
  });

  for (const Index count : {Index(-1), Index(0), huge, huge / 7 + 1, huge / 8 / d}) {
    CAPTURE(count);
    refused([&] {
      sm::fit(model, sm::SlicedScoreMatchingLoss{.projections = count}, descent, samples());
    });
    refused([&] {
      sm::fit(model, sm::DenoisingScoreMatchingLoss{.draws = count, .antithetic = false}, descent,
              samples());
    });
  }
  refused(
      [&] { sm::fit(model, sm::SlicedScoreMatchingLoss{.batch_size = -1}, descent, samples()); });
}

TEST_CASE("sums of packs refuse a lane that is none") {
#if defined(__GNUC__)
  sm::Moments<sm::Pack<double, 4>, 2> moments;
  for (const int lane : {-1, 4, (std::numeric_limits<int>::max)()}) {
    refused([&] { moments.lane(lane); });
    refused([&] { std::as_const(moments).lane(lane); });
  }
#endif
}

TEST_CASE("sizes below one, or other than a fixed one, are refused") {
  for (const Index size : {Index(0), Index(-1), std::numeric_limits<Index>::min()}) {
    refused([&] { sm::Moments<double>{size}; });
    refused([&] { sm::SampleSet<double>{size}; });
    refused([&] { sm::QuadraticForm<double>{size}; });
    refused([&] { sm::Box<double>::positive_orthant(size); });
    refused([&] { sm::GaussianFamily<double>{size}; });
    refused([&] { sm::StudentTFamily<double>{size}; });
    refused([&] { sm::GaussianMixtureFamily<double, Eigen::Dynamic, 2>{size}; });
    refused([&] { sm::energy_family(energy, Eigen::Vector2d(1, 1), size); });
    refused([&] { sm::VonMisesFamily<double>{size}; });
    refused([&] { sm::PhiFourFamily<double>(size, {}); });
    refused([&] { sm::ring(size); });
    refused([&] { sm::square_lattice(size, 1); });
    refused([&] { sm::square_lattice(1, size); });
  }
  for (const Index size : {d - 1, d + 1}) {
    refused([&] { sm::Moments<double, d>{size}; });
    refused([&] { sm::SampleSet<double, d>{size}; });
    refused([&] { sm::QuadraticForm<double, d>{size}; });
    refused([&] { sm::Box<double, d>::positive_orthant(size); });
    refused([&] { sm::GaussianFamily<double, d>{size}; });
    refused([&] { sm::StudentTFamily<double, d>{size}; });
    refused([&] { sm::PairwiseGaussianFamily<double, d>{size}; });
    refused([&] { sm::GaussianMixtureFamily<double, d, 2>{size}; });
    refused([&] { sm::PhiFourFamily<double, d>(size, {}); });
    refused([&] { sm::VonMisesFamily<double, d>{size}; });
    refused([&] {
      sm::UnnormalizedDensity<double, d, 2, decltype(energy)>(energy, Eigen::Vector2d(1, 1), size);
    });
  }
  for (const Index site : {Index(-1), d, huge}) {
    refused([&] { sm::PhiFourFamily<double>(d, {{0, site}}); });
    refused([&] { sm::VonMisesFamily<double>(d, {{site, 0}}); });
  }
}

TEST_CASE("distributions and families refuse vectors of the wrong size") {
  const VectorXd mean = VectorXd::Ones(d);
  const MatrixXd unit = MatrixXd::Identity(d, d);
  const sm::Gaussian<double> gaussian(mean, unit);
  const sm::Gaussian<double> larger(VectorXd::Ones(d + 1), MatrixXd::Identity(d + 1, d + 1));
  off_by_one(d, [&](Index size) { sm::Gaussian<double>(VectorXd::Ones(size), unit); });
  off_by_one(d, [&](Index size) { sm::Gaussian<double>(mean, MatrixXd::Identity(size, size)); });
  off_by_one(d, [&](Index size) { sm::Gaussian<double>(mean, MatrixXd::Identity(d, size)); });
  off_by_one(d, [&](Index size) {
    sm::Gaussian<double>::from_cholesky(mean, MatrixXd::Identity(size, d));
  });
  check_points(gaussian);
  check_points(sm::Gaussian<double, d>(mean, unit));
  // Eigen itself would read beyond the end of what is too short for a fixed size.
  off_by_one(d, [&](Index size) { sm::Gaussian<double, d>(VectorXd::Ones(size), unit); });
  off_by_one(d, [&](Index size) {
    sm::Gaussian<double, d>(Eigen::Vector3d(1, 1, 1), MatrixXd::Identity(size, size));
  });
  off_by_one(d, [&](Index size) {
    sm::Gaussian<double, d>::from_cholesky(VectorXd::Ones(size), MatrixXd::Identity(d, d));
  });
  off_by_one(d, [&](Index size) {
    sm::Gaussian<double, d>::from_cholesky(Eigen::Vector3d(1, 1, 1), MatrixXd::Identity(d, size));
  });
  off_by_one(d, [&](Index size) {
    const MatrixXd root = MatrixXd::Identity(size, size);
    sm::Gaussian<double, d>::from_cholesky(mean, root);
  });
  off_by_one(d, [&](Index size) {
    sm::Gaussian<double, d>(Eigen::Vector3d(1, 1, 1), VectorXd::Ones(size).asDiagonal());
  });
  off_by_one(d, [&](Index size) {
    const VectorXd scales = VectorXd::Ones(size);
    sm::Gaussian<double, d>::from_cholesky(Eigen::Vector3d(1, 1, 1), scales.asDiagonal());
  });
  off_by_one(d, [&](Index size) { sm::StudentT<double, d>(VectorXd::Ones(size), unit, 4); });
  off_by_one(2, [&](Index size) {
    sm::GaussianMixture<double, Eigen::Dynamic, 2>(VectorXd::Ones(size), {gaussian, gaussian});
  });
  off_by_one(9, [&](Index size) {
    sm::PairwiseGaussianFamily<double, d>().precision(VectorXd(VectorXd::Ones(size)));
  });
  off_by_one(9, [&](Index size) {
    sm::PairwiseGaussianFamily<double, d>().gaussian(VectorXd(VectorXd::Ones(size)));
  });
  off_by_one(d, [&](Index size) {
    sm::TruncatedGaussian<double, d>(mean, MatrixXd::Identity(size, d),
                                     sm::Box<double, d>::positive_orthant(d));
  });
  const sm::GaussianMixture<double, Eigen::Dynamic, 2> mixture(Eigen::Vector2d(1, 1),
                                                               {gaussian, gaussian});
  check_points(mixture);
  off_range(2, [&](Index k) { mixture.component(k); });
  off_by_one(d, [&](Index size) { mixture.responsibilities(VectorXd::Ones(size)); });
  refused([&] {
    sm::GaussianMixture<double, Eigen::Dynamic, 2>(Eigen::Vector2d(1, 1), {gaussian, larger});
  });
  check_points(sm::StudentT<double>(gaussian, 4));
  off_by_one(d, [&](Index size) { sm::StudentT<double>(VectorXd::Ones(size), unit, 4); });

  const auto box = sm::Box<double>::positive_orthant(d);
  check_points(sm::TruncatedGaussian<double>(mean, unit, box));
  off_by_one(d,
             [&](Index size) { sm::TruncatedGaussian<double>(VectorXd::Ones(size), unit, box); });
  off_by_one(d, [&](Index size) {
    sm::TruncatedGaussian<double>(mean, MatrixXd::Identity(size, size), box);
  });
  off_by_one(d, [&](Index size) { sm::Box<double>(mean, VectorXd::Constant(size, 2)); });
  off_by_one(d,
             [&](Index size) { sm::Box<double, d>(VectorXd::Zero(size), VectorXd::Ones(size)); });
  refused([&] { sm::Box<double>(MatrixXd::Zero(d, 2), MatrixXd::Ones(d, 2)); });
  refused([&] { sm::Box<double>(MatrixXd::Zero(d, 400'000), MatrixXd::Ones(d, 400'000)); });
  off_by_one(d, [&](Index size) { box.contains(VectorXd::Ones(size)); });
  off_by_one(d, [&](Index size) { box.require_inside(MatrixXd::Ones(size, 2)); });

  const sm::GaussianFamily<double> family(d);
  check_distribution_of(family);
  check_distribution_of(sm::GaussianFamily<double, d>());
  check_distribution_of(sm::StudentTFamily<double, d>());
  check_distribution_of(sm::GaussianMixtureFamily<double, d, 2>());
  check_distribution_of(sm::PairwiseGaussianFamily<double, d>());
  check_distribution_of(sm::TruncatedGaussianFamily<double, d>());
  check_distribution_of(sm::PolynomialFamily<double, 4>());
  check_points(family.distribution(family.start()));
  refused([&] { family.parameters(larger); });
  const sm::StudentTFamily<double> student(d);
  check_distribution_of(student);
  refused([&] { student.parameters(sm::StudentT<double>(larger, 4)); });
  const sm::GaussianMixtureFamily<double, Eigen::Dynamic, 2> mixtures(d);
  check_distribution_of(mixtures);
  refused([&] {
    mixtures.parameters(
        sm::GaussianMixture<double, Eigen::Dynamic, 2>(Eigen::Vector2d(1, 1), {larger, larger}));
  });
  off_by_one(4, [&](Index size) {
    const sm::PolynomialFamily<double, 4> polynomials;
    decltype(polynomials)::Distribution(1, polynomials.statistics(), sm::FlatBase{},
                                        VectorXd::Ones(size));
  });
  Rng rng(1);
  off_by_one(d, [&](Index rows) { mixtures.random_starts(samples(rows), 2, rng); });
  for (const Index count : {Index(0), Index(-1)}) {
    refused([&] { mixtures.random_starts(samples(), count, rng); });
  }
  const sm::PairwiseGaussianFamily<double> pairwise(d);
  check_distribution_of(pairwise);
  check_points(pairwise.distribution(pairwise.start()));
  refused([&] { pairwise.parameters(larger); });
  check_distribution_of(sm::TruncatedGaussianFamily<double>(d));
  check_distribution_of(sm::VonMisesFamily<double>(d));
  check_distribution_of(sm::PhiFourFamily<double>(d, sm::ring(d)));
  const auto model = sm::energy_family(energy, VectorXd(Eigen::Vector2d(1, 1)), d);
  check_distribution_of(model);
  check_points(model.distribution(model.start()));
  refused([&] { sm::energy_family(energy, VectorXd(0), d); });
}

TEST_CASE("derivatives, divergences and tests refuse vectors of the wrong size") {
  const VectorXd x = VectorXd::Ones(d);
  const auto square = [](const auto& at) { return at.squaredNorm(); };
  off_by_one(d, [&](Index size) { sm::variables_along<double>(x, VectorXd::Ones(size)); });
  off_by_one(d, [&](Index size) { sm::along<double>(square, x, VectorXd::Ones(size)); });
  for (const Index size : {Index(0), d - 1, d + 1}) {
    VectorXd gradient = VectorXd::Zero(size), curvature = VectorXd::Zero(size);
    CHECK(sm::gradient_and_laplacian_of<double>(square, x, gradient) == 2 * d);
    CHECK(same_bits(gradient, 2 * x));
    gradient.setZero(size);
    sm::gradient_and_curvature_of<double>(square, x, gradient, curvature);
    CHECK(same_bits(gradient, 2 * x));
    CHECK(same_bits(curvature, 2 * x));
  }
  // Variables that are none leave constants.
  for (const Index first : {Index(-100), d, Index(1) << 40}) {
    const auto at = sm::variables<sm::Dual<double, 2>>(x, first);
    for (Index i = 0; i < d; ++i) CHECK(at(i).gradient[0] == 0);
  }

  const sm::Gaussian<double> p(x, MatrixXd::Identity(d, d));
  const sm::Gaussian<double> larger(VectorXd::Ones(d + 1), MatrixXd::Identity(d + 1, d + 1));
  refused([&] { sm::fisher_divergence(p, larger); });
  refused([&] { sm::kullback_leibler(p, larger); });
  refused([&] { sm::wasserstein2(p, larger); });
  Rng rng(1);
  off_by_one(d, [&](Index rows) { sm::fisher_divergence(p, p, samples(rows)); });
  off_by_one(7, [&](Index size) { sm::fisher_divergence(p, p, samples(), VectorXd::Ones(size)); });
  off_by_one(d, [&](Index rows) { sm::stein_discrepancy(p, samples(rows)); });
  off_by_one(d, [&](Index rows) { sm::stein_test(p, samples(rows), rng); });
  // Scores of the wrong size, of a model of one's own.
  off_by_one(d, [&](Index size) {
    const auto score = [&](const VectorXd&) { return VectorXd(VectorXd::Ones(size)); };
    sm::fisher_divergence(p, score, samples());
  });
  for (const Index columns : {Index(0), Index(1)}) {
    refused([&] { sm::stein_discrepancy(p, samples(d, columns)); });
    refused([&] { sm::median_distance(samples(d, columns)); });
  }
}
