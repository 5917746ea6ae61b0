// One archetype of each concept: types with what the concept asks for and nothing else, sharing no
// code with the Gaussian. What comes later (energies, truncated data, penalties) stands on the
// same.
#include <scorematch/fit/estimator.hpp>
#include <scorematch/optimizer/adam.hpp>
#include <scorematch/optimizer/closed_form.hpp>
#include <scorematch/optimizer/coordinate_descent.hpp>
#include <scorematch/optimizer/gradient_descent.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <utility>

namespace {

namespace sm = scorematch;

// Exponential densities rate exp(-rate x) on x > 0, in the coordinate log(rate). Copyable, and that
// is all: no default constructor, no assignment, no stream, nothing inherited.
struct ExponentialFamily {
  using Scalar = double;
  static constexpr int Dim = 1;
  using Parameters = Eigen::Matrix<double, 1, 1>;
  struct Distribution {
    explicit Distribution(double r) : rate(r) {}
    Distribution(const Distribution&) = default;
    Distribution& operator=(const Distribution&) = delete;
    double rate;
  };

  explicit ExponentialFamily(int) {}
  ExponentialFamily(const ExponentialFamily&) = default;
  ExponentialFamily& operator=(const ExponentialFamily&) = delete;

  short dimension() const { return 1; }  // convertible to Eigen::Index is enough
  short parameter_count() const { return 1; }
  Parameters start() const { return Parameters(0.0); }
  Distribution distribution(const Parameters& theta) const {
    return Distribution(std::exp(theta(0)));
  }
};

// Generalized score matching on x > 0 with the weight h(x) = x (Hyvarinen 2007): the mean of
// h (s^2 / 2 + s') + h' s with s = -rate, that is rate^2 E[x] / 2 - rate. Minimum at 1 / E[x].
class WeightedScoreMatching {
 public:
  class Summary {
   public:
    Summary(const Summary&) = default;
    Summary& operator=(const Summary&) = delete;
    template <class X>
    void add(const X& samples) {
      for (Eigen::Index j = 0; j < samples.cols(); ++j) {
        sum_ += samples(0, j);
        count_ += 1;
      }
    }
    void merge(const Summary& other) {
      sum_ += other.sum_;
      count_ += other.count_;
    }
    unsigned count() const { return count_; }

   private:
    friend class WeightedScoreMatching;
    Summary() = default;
    double sum_ = 0;
    unsigned count_ = 0;
  };

  // Move-only, with a workspace it changes: an objective may be both.
  class Objective {
   public:
    explicit Objective(double mean) : mean_(mean) {}
    Objective(Objective&&) = default;
    double operator()(const Eigen::Matrix<double, 1, 1>& theta,
                      Eigen::Matrix<double, 1, 1>& gradient) {
      rate_ = std::exp(theta(0));
      gradient(0) = rate_ * (rate_ * mean_ - 1);
      return rate_ * rate_ * mean_ / 2 - rate_;
    }

   private:
    double mean_;
    double rate_ = 0;
  };

  explicit WeightedScoreMatching(int) {}
  WeightedScoreMatching(const WeightedScoreMatching&) = default;
  WeightedScoreMatching& operator=(const WeightedScoreMatching&) = delete;

  Summary summary(const ExponentialFamily&) const { return Summary(); }
  Objective objective(const ExponentialFamily&, const Summary& summary) const {
    return Objective(summary.sum_ / summary.count_);
  }
};

// An optimizer of one's own: bisection on the slope, for one parameter. Its observers never stop
// it.
class Bisection {
 public:
  explicit Bisection(int) {}
  Bisection(const Bisection&) = default;
  Bisection& operator=(const Bisection&) = delete;

  template <class Obj, class Parameters, class Obs>
  sm::Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs& observer) const {
    double low = start(0) - 50;
    double high = start(0) + 50;
    sm::Minimum<Parameters> at{start, 0, 0, 0, sm::Status::iteration_limit};
    Parameters gradient = start;
    while (high - low > 1e-13) {
      ++at.iterations;
      at.parameters(0) = (low + high) / 2;
      at.loss = objective(at.parameters, gradient);
      at.gradient_norm = std::abs(gradient(0));
      (gradient(0) > 0 ? high : low) = at.parameters(0);
      observer(
          sm::IterationState<Parameters>{at.iterations, at.loss, at.gradient_norm, at.parameters});
    }
    at.status = sm::Status::converged;
    return at;
  }
};

static_assert(sm::Family<ExponentialFamily>);
static_assert(sm::SummaryFor<WeightedScoreMatching::Summary, ExponentialFamily>);
static_assert(sm::LossFor<WeightedScoreMatching, ExponentialFamily>);
static_assert(sm::Objective<WeightedScoreMatching::Objective, ExponentialFamily::Parameters>);
static_assert(
    sm::OptimizerFor<Bisection, WeightedScoreMatching::Objective, ExponentialFamily::Parameters>);
static_assert(
    !sm::HasExactMinimum<WeightedScoreMatching::Objective, ExponentialFamily::Parameters>);
static_assert(!sm::HasInfo<WeightedScoreMatching::Objective, ExponentialFamily::Parameters>);

// A corner at zero for every parameter but the first.
struct AbsoluteValues {
  double size = 1;
  double weight(Eigen::Index k) const { return k == 0 ? 0 : size; }
  double value(Eigen::Index k, double t) const { return weight(k) * std::abs(t); }
  double proximal(Eigen::Index k, double t, double step) const {
    const double threshold = step * weight(k);
    return t > threshold ? t - threshold : t < -threshold ? t + threshold : 0;
  }
};

// sum_k curvature_k / 2 (theta_k - center_k)^2.
struct Bowl {
  Eigen::VectorXd center, curvature;
  double operator()(const Eigen::VectorXd& theta, Eigen::VectorXd& gradient) const {
    gradient = curvature.cwiseProduct(theta - center);
    return gradient.dot(theta - center) / 2;
  }
};

// The bowl at a point. Its coordinates are numbers with a name, copyable and no more.
class BowlPoint {
 public:
  using Scalar = double;
  struct Coordinate {
    explicit Coordinate(short number) : k(number) {}
    short k;
    static constexpr short count = 1;
  };

  BowlPoint(const Bowl& bowl, Eigen::VectorXd theta) : bowl_(&bowl), theta_(std::move(theta)) {}

  short parameter_count() const { return static_cast<short>(theta_.size()); }
  double value(const Coordinate& c, Eigen::Index) const { return theta_(c.k); }
  double curvature(const Coordinate& c, Eigen::Index) const { return bowl_->curvature(c.k); }
  double slope(const Coordinate& c, Eigen::Index) const {
    return bowl_->curvature(c.k) * (theta_(c.k) - (homogeneous_ ? 0 : bowl_->center(c.k)));
  }
  void set(const Coordinate& c, Eigen::Index, double to) { theta_(c.k) = to; }
  double loss() const {
    double sum = 0;
    for (short k = 0; k < parameter_count(); ++k) {
      const double off = slope(Coordinate(k), 0);
      sum += off * off / bowl_->curvature(k) / 2;
    }
    return sum;
  }
  double unit() const { return 1; }
  BowlPoint direction() const {
    BowlPoint result(*bowl_, Eigen::VectorXd::Zero(theta_.size()));
    result.homogeneous_ = true;
    return result;
  }
  template <class Visit>
  void for_each_nonzero(Visit&& visit) const {
    for (short k = 0; k < parameter_count(); ++k) {
      if (theta_(k) != 0) visit(Coordinate(k));
    }
  }
  template <class Visit>
  void for_each_slope(Visit&& visit) const {
    for (short k = 0; k < parameter_count(); ++k) {
      const double here = slope(Coordinate(k), 0);
      visit(Coordinate(k), &here);
    }
  }
  const Eigen::VectorXd& theta() const { return theta_; }

 private:
  const Bowl* bowl_;
  Eigen::VectorXd theta_;
  bool homogeneous_ = false;
};

// The absolute values by the names of a point.
struct AbsoluteValuesAt {
  AbsoluteValues of;
  double weight(const BowlPoint::Coordinate& c) const { return of.weight(c.k); }
  double value(const BowlPoint::Coordinate& c, double t) const { return of.value(c.k, t); }
  double proximal(const BowlPoint::Coordinate& c, double t, double step) const {
    return of.proximal(c.k, t, step);
  }
};

struct Lasso {
  Bowl bowl;
  AbsoluteValues absolute;
  Bowl& smooth() { return bowl; }
  const AbsoluteValues& penalty() const { return absolute; }

  double operator()(const Eigen::VectorXd& theta, Eigen::VectorXd& gradient) const {
    double value = bowl(theta, gradient);
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      value += absolute.value(k, theta(k));
      gradient(k) = theta(k) == 0 ? absolute.proximal(k, gradient(k), 1)
                                  : gradient(k) + std::copysign(absolute.weight(k), theta(k));
    }
    return value;
  }
  BowlPoint at(const Eigen::VectorXd& theta) { return {bowl, theta}; }
  AbsoluteValuesAt point_penalty() const { return {absolute}; }
  const Eigen::VectorXd& parameters(const BowlPoint& point) const { return point.theta(); }
};

static_assert(sm::SeparablePenalty<AbsoluteValues, double>);
static_assert(sm::AbsolutePenalty<AbsoluteValues, double>);
static_assert(sm::AbsolutePenalty<AbsoluteValuesAt, double, BowlPoint::Coordinate>);
static_assert(!sm::AbsolutePenalty<AbsoluteValuesAt, double>);
static_assert(sm::PenalizedObjective<Lasso, Eigen::VectorXd>);
static_assert(!sm::PenalizedObjective<Bowl, Eigen::VectorXd>);
static_assert(sm::QuadraticPoint<BowlPoint>);
static_assert(sm::HasQuadraticPoint<Lasso, Eigen::VectorXd>);
static_assert(!sm::HasQuadraticPoint<Bowl, Eigen::VectorXd>);
static_assert(sm::OptimizerFor<sm::CoordinateDescent, Lasso, Eigen::VectorXd>);
static_assert(!sm::OptimizerFor<sm::CoordinateDescent, Bowl, Eigen::VectorXd>);

// Each requirement left out breaks its concept.
struct NoStart : ExponentialFamily {
  Parameters start() const = delete;
};
struct NoDistribution : ExponentialFamily {
  Distribution distribution(const Parameters&) const = delete;
};
struct WrongDistribution : ExponentialFamily {
  double distribution(const Parameters&) const { return 0; }
};
struct IntegerFamily : ExponentialFamily {
  using Scalar = int;
};
struct RunTimeDim : ExponentialFamily {
  static inline int Dim = 1;
};
static_assert(!sm::Family<NoStart>);
static_assert(!sm::Family<NoDistribution>);
static_assert(!sm::Family<WrongDistribution>);
static_assert(!sm::Family<IntegerFamily>);
static_assert(!sm::Family<RunTimeDim>);
static_assert(!sm::Family<int>);
static_assert(!sm::Family<sm::Adam>);
struct NoMerge : WeightedScoreMatching::Summary {
  void merge(const NoMerge&) = delete;
};
static_assert(!sm::SummaryFor<NoMerge, ExponentialFamily>);
static_assert(!sm::LossFor<sm::Adam, ExponentialFamily>);
static_assert(!sm::OptimizerFor<ExponentialFamily, WeightedScoreMatching::Objective,
                                ExponentialFamily::Parameters>);
static_assert(!sm::OptimizerFor<sm::ClosedForm, WeightedScoreMatching::Objective,
                                ExponentialFamily::Parameters>);
static_assert(!sm::Observer<int, ExponentialFamily::Parameters>);
static_assert(!sm::Real<int>);

using Samples = Eigen::Matrix<double, 1, Eigen::Dynamic>;

Samples exponential_samples(Eigen::Index n) {
  std::mt19937 rng(1);
  std::exponential_distribution<double> draw(2.5);
  Samples samples(1, n);
  for (double& x : samples) x = draw(rng);
  return samples;
}

}  // namespace

TEST_CASE("an archetype family and loss go through fit, from samples and from a summary") {
  const Samples samples = exponential_samples(10000);
  const double expected = 1 / samples.mean();
  const ExponentialFamily family(0);
  const WeightedScoreMatching loss(0);
  int steps = 0;
  const auto count = [&](const auto&) { ++steps; };
  const auto fit = sm::fit(family, loss, sm::GradientDescent{.learning_rate = 0.1}, samples, count);
  CHECK(fit.status == sm::Status::converged);
  CHECK(fit.distribution.rate == doctest::Approx(expected).epsilon(1e-7));
  CHECK(steps == fit.iterations);
  CHECK(std::abs(fit.distribution.rate - 2.5) <= 5 * 2.5 / 100);  // five standard errors
  CHECK(sm::fit(family, loss, sm::Adam{}, samples).distribution.rate ==
        doctest::Approx(expected).epsilon(1e-6));
  CHECK(sm::fit(family, loss, Bisection(0), samples).distribution.rate ==
        doctest::Approx(expected).epsilon(1e-12));
  auto summary = loss.summary(family);
  summary.add(samples);
  CHECK(sm::fit(family, loss, Bisection(0), std::as_const(summary)).distribution.rate ==
        doctest::Approx(expected).epsilon(1e-12));
}

TEST_CASE("an archetype goes through an estimator, sample by sample and merged") {
  const Samples samples = exponential_samples(300);
  sm::Estimator a(ExponentialFamily(0), WeightedScoreMatching(0), Bisection(0));
  sm::Estimator b(ExponentialFamily(0), WeightedScoreMatching(0), Bisection(0));
  for (Eigen::Index j = 0; j < 100; ++j) a.observe(samples.col(j));
  b.observe(samples.rightCols(200));
  a.merge(b);
  CHECK(a.count() == 300);
  CHECK(a.fit().distribution.rate == doctest::Approx(1 / samples.mean()).epsilon(1e-12));
}

TEST_CASE("a smooth part and a separable penalty are enough for a proximal gradient descent") {
  std::mt19937_64 rng(4);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 200; ++trial) {
    const Eigen::Index d = 1 + trial % 5;
    Lasso lasso{{Eigen::VectorXd(d), Eigen::VectorXd(d)}, {0.1 * (trial % 10)}};
    for (Eigen::Index k = 0; k < d; ++k) {
      lasso.bowl.center(k) = normal(rng);
      lasso.bowl.curvature(k) = 0.5 + std::abs(normal(rng));
    }
    const double step = 1 / lasso.bowl.curvature.maxCoeff();
    Eigen::VectorXd theta = Eigen::VectorXd::Zero(d), gradient(d);
    for (int taken = 0; taken < 500; ++taken) {
      lasso.smooth()(theta, gradient);
      for (Eigen::Index k = 0; k < d; ++k) {
        theta(k) = lasso.penalty().proximal(k, theta(k) - step * gradient(k), step);
      }
    }
    Eigen::VectorXd found(d);
    for (Eigen::Index k = 0; k < d; ++k) {
      const double expected =
          lasso.penalty().proximal(k, lasso.bowl.center(k), 1 / lasso.bowl.curvature(k));
      CHECK(std::abs(theta(k) - expected) <= 1e-12 * (1 + std::abs(expected)));
      found(k) = expected;
    }
    const auto walked =
        sm::minimize(sm::CoordinateDescent{}, lasso, Eigen::VectorXd::Constant(d, 0.5));
    CHECK(walked.status == sm::Status::converged);
    CHECK((walked.parameters - found).cwiseAbs().maxCoeff() <= 1e-12);
    CHECK(walked.gradient_norm <= 1e-12);
  }
}
