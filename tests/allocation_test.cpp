// An executable of its own. Two detectors: Eigen's (EIGEN_RUNTIME_NO_MALLOC acts through
// eigen_assert, made to throw here) and a count of every call of malloc, which sees what Eigen's
// misses. Both are themselves tested.
#include <stdexcept>

#define EIGEN_RUNTIME_NO_MALLOC
#undef NDEBUG
[[noreturn]] void throw_assertion(const char* condition);  // apart, to keep Eigen's code small
#define eigen_assert(condition)                    \
  do {                                             \
    if (!(condition)) throw_assertion(#condition); \
  } while (false)

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "../examples/data/notebook.hpp"

#include "support.cpp"  // compiled here, where Eigen's assertions throw

#include <doctest/doctest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define COUNT_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUNT_MALLOC 0
#endif
#endif
#ifndef COUNT_MALLOC
#if defined(__GLIBC__)
#define COUNT_MALLOC 1
#else
#define COUNT_MALLOC 0
#endif
#endif

namespace {
long calls_of_malloc = 0;
std::size_t large = std::size_t(-1);  // bytes from which on a call is counted below
long large_calls_of_malloc = 0;
}  // namespace

[[noreturn]] void throw_assertion(const char* condition) {
  throw std::logic_error(std::string("eigen_assert: ") + condition);
}

#if COUNT_MALLOC
// Interposed: operator new and Eigen both end here.
extern "C" void* __libc_malloc(std::size_t size);
extern "C" void* malloc(std::size_t size) {
  ++calls_of_malloc;
  if (size >= large) ++large_calls_of_malloc;
  return __libc_malloc(size);
}
extern "C" void* __libc_realloc(void* pointer, std::size_t size);
extern "C" void* realloc(void* pointer, std::size_t size) {
  ++calls_of_malloc;
  return __libc_realloc(pointer, size);
}
#endif

namespace {

using namespace support;

// Allocations while it lives, by either detector.
class NoAllocation {
 public:
  NoAllocation() : before_(calls_of_malloc) { Eigen::internal::set_is_malloc_allowed(false); }
  ~NoAllocation() { Eigen::internal::set_is_malloc_allowed(true); }
  long count() const { return calls_of_malloc - before_; }

 private:
  long before_;
};

template <class Call>
bool eigen_objects(Call&& call) {
  const NoAllocation guard;
  try {
    call();
  } catch (const std::logic_error&) {
    return true;
  }
  return false;
}

template <class Call>
long counted(Call&& call) {
  const long before = calls_of_malloc;
  call();
  return calls_of_malloc - before;
}

// Each loss with each optimizer, from construction to result.
template <class Scalar, int Dim>
void check_fixed() {
  Rng rng(1);
  const Eigen::Matrix<Scalar, Dim, Eigen::Dynamic> samples =
      random_samples<Scalar, Dim>(Dim, 300, rng);
  const Eigen::Matrix<Scalar, Eigen::Dynamic, 1> weights =
      Eigen::Matrix<Scalar, Eigen::Dynamic, 1>::Ones(300);
  const auto run = [&](const auto& loss, const auto& optimizer) {
    const NoAllocation guard;
    const sm::GaussianFamily<Scalar, Dim> family;
    sm::Moments<Scalar, Dim> moments;
    moments.add(samples);
    moments.add(samples.col(0));
    moments.add(samples, weights);
    moments.merge(sm::Moments<Scalar, Dim>(moments));
    const auto from_samples = sm::fit(family, loss, optimizer, samples);
    const auto from_moments = sm::fit(family, loss, optimizer, moments);
    const auto precision = from_samples.distribution.precision();
    const auto score = from_samples.distribution.score(samples.col(1));
    const auto density = from_samples.distribution.log_density(samples.col(1));
    sm::Estimator estimator(family, loss, optimizer);
    estimator.observe(samples.col(2));
    estimator.observe(samples);
    const auto estimated = estimator.fit();
    CHECK(guard.count() == 0);
    Eigen::internal::set_is_malloc_allowed(true);
    CHECK(from_samples.iterations >= 0);
    CHECK(from_moments.parameters.allFinite());
    CHECK(estimated.parameters.allFinite());
    CHECK(precision.allFinite());
    CHECK(score.allFinite());
    CHECK(std::isfinite(density));
  };
  run(sm::ScoreMatchingLoss{}, sm::GradientDescent{.max_iterations = 20});
  if constexpr (Dim == 2) {  // the other pairs, once: each costs the compiler seconds
    run(sm::ScoreMatchingLoss{}, sm::Momentum{.max_iterations = 20});
    run(sm::ScoreMatchingLoss{}, sm::Adam{.max_iterations = 20});
    run(sm::ScoreMatchingLoss{}, sm::ClosedForm{});
    run(sm::ScoreMatchingLoss{}, sm::Lbfgs{});
    run(sm::NegativeLogLikelihood{}, sm::GradientDescent{.max_iterations = 20});
    run(sm::NegativeLogLikelihood{}, sm::ClosedForm{});
  }
}

template <class Scalar, class Loss>
void check_dynamic(Eigen::Index d) {
  CAPTURE(d);
  Rng rng(2);
  const sm::GaussianFamily<Scalar> family(d);
  sm::Moments<Scalar> moments(d);
  moments.add(random_samples<Scalar>(d, 3 * d + 1, rng));
  auto objective = Loss{}.objective(family, moments);
  typename sm::GaussianFamily<Scalar>::Parameters theta = family.start();
  auto gradient = theta;
  const auto evaluate = [&] { objective(theta, gradient); };
  evaluate();
  CHECK_FALSE(eigen_objects(evaluate));
  CHECK(counted(evaluate) == 0);

  // Steps after the first: allocations must not grow with the number of iterations.
  const auto steps = [&](const auto& make, Eigen::Index n) {
    return counted([&] { sm::minimize(make(n), objective, theta); });
  };
  const auto check = [&](const auto& make) {
    steps(make, 2);  // what the objective allocates once
    CHECK(steps(make, 6) == steps(make, 2));
  };
  check([](Eigen::Index n) {
    return sm::GradientDescent{.learning_rate = 1e-6, .max_iterations = n};
  });
  check([](Eigen::Index n) { return sm::Momentum{.learning_rate = 1e-6, .max_iterations = n}; });
  check([](Eigen::Index n) { return sm::Adam{.learning_rate = 1e-6, .max_iterations = n}; });
  check([](Eigen::Index n) { return sm::Lbfgs{.max_iterations = n}; });
}

}  // namespace

TEST_CASE("the detectors see what they should") {
  CHECK(eigen_objects([] { Eigen::VectorXd v(3); }));
  CHECK(eigen_objects([] { Eigen::MatrixXd m = Eigen::MatrixXd::Identity(300, 300); }));
  double sum = 0;
  const auto on_stack = [&] { sum += Eigen::Matrix3d(Eigen::Matrix3d::Identity()).sum(); };
  CHECK_FALSE(eigen_objects(on_stack));
#if COUNT_MALLOC
  // Eigen's own detector is blind to the last one.
  Eigen::VectorXd empty;
  CHECK(counted([] { Eigen::VectorXd v(3); }) > 0);
  std::vector<int> kept;  // clang may remove what does not outlive the call
  CHECK(counted([&kept] { kept.resize(5); }) > 0);
  CHECK(counted([&] { empty.conservativeResize(5); }) > 0);
  CHECK(counted(on_stack) == 0);
#else
  MESSAGE("malloc is not counted in this build; Eigen's detector alone");
#endif
}

TEST_CASE("fixed sizes allocate nothing from construction to result") {
  check_fixed<double, 1>();
  check_fixed<double, 2>();
  check_fixed<double, 4>();
  check_fixed<double, 8>();  // beyond 4, loops are not written out
  check_fixed<float, 2>();
  check_fixed<long double, 3>();
}

TEST_CASE("Lbfgs allocates nothing for fixed sizes, whatever its history") {
  const auto bowl = [](const auto& x, auto& gradient) {
    gradient = 3 * x;
    return 1 + 3 * x.squaredNorm() / 2;
  };
  const auto check = [&](const auto& start) {
    const NoAllocation guard;
    const auto minimum = sm::minimize(sm::Lbfgs{.history = 20}, bowl, start);
    CHECK(guard.count() == 0);
    Eigen::internal::set_is_malloc_allowed(true);
    CHECK(minimum.status == sm::Status::converged);
  };
  check(Eigen::Matrix<double, 1, 1>(2.0));
  check(Eigen::Matrix<double, 152, 1>(Eigen::Matrix<double, 152, 1>::Ones()));
}

namespace {

struct CoupledWells {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::exp;
    return theta(0) * x.squaredNorm() - (x.array() * x.array()).matrix().squaredNorm() / 4 +
           sm::logsumexp(x) * theta(1) - exp(x.sum() * theta(2));
  }
};

}  // namespace

TEST_CASE("energies of fixed size allocate nothing after the first evaluation") {
  Rng rng(4);
  const Eigen::Matrix3Xd samples = random_samples<double, 3>(3, 50, rng);
  const auto family = sm::energy_family<3>(CoupledWells{}, Eigen::Vector3d(0.1, 0.2, 0.1));
  sm::SampleSet<double, 3> set;
  set.add(samples);
  auto objective = sm::ScoreMatchingLoss{}.objective(family, set);
  Eigen::Vector3d gradient;
  objective(family.start(), gradient);
  const NoAllocation guard;
  const auto minimum = sm::minimize(sm::Momentum{.max_iterations = 20}, objective, family.start());
  const auto density = family.distribution(minimum.parameters);
  const Eigen::Vector3d x = samples.col(1);
  const auto curvature = family.score_and_curvature(x, minimum.parameters);
  const auto line = family.directional(x, x, minimum.parameters);
  const double sum = density.score(x).sum() + density.laplacian(x) +
                     density.unnormalized_log_density(x) + curvature.curvature.sum() + line.second;
  CHECK(guard.count() == 0);
  Eigen::internal::set_is_malloc_allowed(true);
  CHECK(std::isfinite(sum));
}

namespace {

struct Waves {
  template <class X>
  auto operator()(const X& x) const {
    using std::sin;
    return Eigen::Matrix<typename X::Scalar, 3, 1>(sin(x(0)), x(0) * x(1), x.squaredNorm());
  }
};

template <class F>
void check_exponential(const F& family) {
  Rng rng(5);
  const auto samples = random_samples<double, F::Dim>(F::Dim, 300, rng);
  const Eigen::VectorXd weights = Eigen::VectorXd::Ones(300);
  const NoAllocation guard;
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  summary.add(samples);
  summary.add(samples.col(0));
  summary.add(samples, weights);
  summary.merge(summary);
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, summary);
  const double sum = fit.distribution.score(samples.col(1)).sum() +
                     fit.distribution.laplacian(samples.col(1)) +
                     fit.distribution.unnormalized_log_density(samples.col(1));
  CHECK(guard.count() == 0);
  Eigen::internal::set_is_malloc_allowed(true);
  CHECK(fit.status == sm::Status::converged);
  CHECK(std::isfinite(sum));
}

}  // namespace

TEST_CASE("small exponential families of fixed size allocate nothing") {
  check_exponential(sm::PolynomialFamily<double, 4>());             // dense, by hand
  check_exponential(sm::PairwiseGaussianFamily<double, 2>());       // coordinate by coordinate
  check_exponential(sm::ExponentialFamily<double, 2, 3, Waves>());  // differentiated
}

namespace {

template <class F>
void check_quadratic(const F& family, Eigen::Index d) {
  Rng rng(6);
  auto summary = sm::ScoreMatchingLoss{}.summary(family);
  summary.add(random_samples(d, 300, rng));
  auto objective = sm::ScoreMatchingLoss{}.objective(family, summary);
  typename F::Parameters theta = objective.exact().parameters;
  typename F::Parameters gradient = theta;
  theta.array() += 0.25;
  const NoAllocation guard;
  const double sum = objective(theta, gradient) + objective.distance_to_minimum(theta) +
                     objective.local(theta, gradient) + objective.local_distance_to_minimum(theta);
  CHECK(guard.count() == 0);
  Eigen::internal::set_is_malloc_allowed(true);
  CHECK(std::isfinite(sum));
}

}  // namespace

TEST_CASE("a quadratic objective allocates nothing once it is there") {
  check_quadratic(sm::PairwiseGaussianFamily<double, 2>(), 2);
  check_quadratic(sm::PairwiseGaussianFamily<double>(4), 4);  // centered
  check_quadratic(sm::PhiFourFamily<double>(4, sm::ring(4)), 4);
}

TEST_CASE("the notebook's fit allocates nothing") {
  const Eigen::Matrix2Xf samples = notebook::samples().cast<float>();
  const NoAllocation guard;
  const auto fit =
      sm::fit(sm::GaussianFamily<float, 2>{}, sm::ScoreMatchingLoss{},
              sm::GradientDescent{.learning_rate = 1e-3, .max_iterations = 4000}, samples);
  CHECK(guard.count() == 0);
  Eigen::internal::set_is_malloc_allowed(true);
  CHECK(fit.iterations == 4000);
}

TEST_CASE("a dynamic iteration allocates nothing after the first") {
  // Less than a tile of 16, whole tiles, and a rest, where Eigen's own products would allocate.
  for (const Eigen::Index d : {1, 2, 9, 64, 128, 129, 300}) {
    check_dynamic<double, sm::ScoreMatchingLoss>(d);
    check_dynamic<double, sm::NegativeLogLikelihood>(d);
  }
  check_dynamic<float, sm::ScoreMatchingLoss>(200);
  check_dynamic<long double, sm::ScoreMatchingLoss>(150);
}

#if COUNT_MALLOC
TEST_CASE(
    "a fit to stored samples holds them once, and an estimator that is given away not again") {
  Rng rng(6);
  const Eigen::Matrix2Xd samples = normals<double>(2, 5000, rng);
  const auto energy = [](const auto& x, const auto& theta) {
    return -x.squaredNorm() * exp(theta(0)) + theta(1) * tanh(x(0));
  };
  const auto family = sm::energy_family<2>(energy, Eigen::Vector2d(0, 0));
  std::size_t size = 0;
  const auto copies = [&](auto&& call) {
    large = size;
    large_calls_of_malloc = 0;
    call();
    large = std::size_t(-1);
    return large_calls_of_malloc;
  };
  const sm::GradientDescent optimizer{.max_iterations = 1};
  const auto check = [&](const auto& loss, const auto& model, const auto& x) {
    size = sizeof(double) * std::size_t(x.size());
    CHECK(copies([&] { sm::fit(model, loss, optimizer, x); }) == 1);
    sm::Estimator estimator(model, loss, optimizer);
    CHECK(copies([&] { estimator.observe(x); }) == 1);
    CHECK(copies([&] { estimator.fit(); }) == 1);
    CHECK(estimator.count() == 5000);
    CHECK(copies([&] { std::move(estimator).fit(); }) == 0);
  };
  check(sm::ScoreMatchingLoss{}, family, samples);
  // Its start sorts one coordinate at a time, with the weights.
  check(sm::ScoreMatchingLoss{}, sm::StudentTFamily<double, 4>{},
        Eigen::Matrix4Xd(normals<double>(4, 5000, rng)));
  check(sm::SlicedScoreMatchingLoss{.batch_size = 50}, family, samples);
  check(sm::DenoisingScoreMatchingLoss{.sigma = 0.1, .batch_size = 50}, family, samples);
  check(sm::GeneralizedScoreMatchingLoss{}, family, Eigen::Matrix2Xd(samples.cwiseAbs()));
}
#endif
