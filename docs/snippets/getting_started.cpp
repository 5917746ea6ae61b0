// The programs that docs/getting-started.md quotes. Returns 0 where each does what the page says.
#include <scorematch/scorematch.hpp>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace sm = scorematch;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not as documented: %s\n", what);
  std::exit(1);
}

Eigen::Matrix2Xd draw_samples(Eigen::Index n, unsigned seed) {
  const Eigen::Matrix2d covariance{{2, 0.5}, {0.5, 1}};
  std::mt19937_64 rng(seed);
  return sm::Gaussian<double, 2>(Eigen::Vector2d(1, -1), covariance).sample(n, rng);
}

void first_fit() {
  const Eigen::Matrix2Xd samples = draw_samples(500, 1);  // 2 x 500, one sample per column

  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
  const sm::Momentum optimizer{.learning_rate = 1e-2, .max_iterations = 20000};
  const auto fit = sm::fit(family, loss, optimizer, samples);

  if (fit.status != sm::Status::converged) std::cerr << explain(fit.status) << '\n';
  std::cout << "mean " << fit.distribution.mean().transpose() << "\nprecision\n"
            << fit.distribution.precision() << '\n';
  expect(fit.status == sm::Status::converged, "first fit");
}

void own_start() {
  const Eigen::Matrix2Xd samples = draw_samples(500, 1);
  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;

  const sm::Gaussian<double, 2> guess(Eigen::Vector2d(1, -1), Eigen::Matrix2d{{1, 0}, {0, 1}});
  const sm::Adam adam{.amsgrad = true};
  const auto fit = sm::fit(family, loss, adam, samples, family.parameters(guess));
  expect(fit.status == sm::Status::converged, "own start of a fit");

  auto moments = loss.summary(family);
  moments.add(samples);
  auto objective = loss.objective(family, moments);
  const auto minimum = sm::minimize(adam, objective, family.parameters(guess));
  const auto gaussian = family.distribution(minimum.parameters);
  expect(minimum.status == sm::Status::converged, "own start");
  expect((gaussian.mean() - moments.mean()).norm() < 1e-6, "own start, mean");
  expect(fit.parameters == minimum.parameters, "own start, the same walk");
}

void any_objective() {
  const auto rosenbrock = [](const Eigen::Vector2d& x, Eigen::Vector2d& gradient) {
    const double a = 1 - x(0), b = x(1) - x(0) * x(0);
    gradient << -2 * a - 400 * x(0) * b, 200 * b;
    return 1 + a * a + 100 * b * b;
  };
  const auto minimum =
      sm::minimize(sm::Momentum{.max_iterations = 100000}, rosenbrock, Eigen::Vector2d(-1.2, 1));
  expect(minimum.status == sm::Status::converged, "Rosenbrock");
  expect((minimum.parameters - Eigen::Vector2d(1, 1)).norm() < 1e-6, "Rosenbrock, minimum");
}

void observers() {
  const Eigen::Matrix2Xd samples = draw_samples(500, 1);
  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
  const sm::GradientDescent optimizer{.max_iterations = 2000};

  sm::LossHistory<> history;
  sm::fit(family, loss, optimizer, samples, history);  // history.losses: one a step

  sm::fit(family, loss, optimizer, samples, sm::PrintEvery{.interval = 500});

  const auto stopped = sm::fit(family, loss, optimizer, samples, [&](const auto& state) {
    history(state);  // observers are plain callables: call one from another
    return state.iteration < 100;
  });  // stopped.status is sm::Status::stopped, stopped.iterations is 100
  expect(history.losses.size() == 2100, "history");
  expect(stopped.status == sm::Status::stopped && stopped.iterations == 100, "stopped");
}

void streaming() {
  const Eigen::Matrix2Xd block = draw_samples(500, 1);
  const Eigen::VectorXd weights = Eigen::VectorXd::Constant(500, 0.5);
  const Eigen::Vector2d x(0, 1);

  sm::Estimator estimator(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
                          sm::ClosedForm{});
  estimator.observe(x);               // one sample
  estimator.observe(block);           // a block of samples
  estimator.observe(block, weights);  // with weights: 0.5 counts as half a sample
  const auto so_far = estimator.fit();

  sm::Moments<double, 2> here, there;
  here.add(block);
  there.add(x);
  here.merge(there);  // as if `here` had seen both
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::NegativeLogLikelihood{}, sm::ClosedForm{}, here);
  expect(estimator.count() == 751 && here.count() == 501, "counts");
  expect(so_far.status == sm::Status::converged && fit.status == sm::Status::converged, "streams");
}

void sizes() {
  const Eigen::MatrixXd samples = draw_samples(500, 1);  // the number of rows known at run time

  const sm::GaussianFamily<double> family(samples.rows());
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  expect(fit.status == sm::Status::converged, "dynamic");
}

void from_numpy() {
  std::vector<double> buffer(500 * 2);
  Eigen::Map<Eigen::Matrix2Xd>(buffer.data(), 2, 500) = draw_samples(500, 1);
  const double* data = buffer.data();
  const Eigen::Index n = 500, dim = 2;

  // data: an n x dim row-major array. The same memory is a dim x n column-major matrix.
  const Eigen::Map<const Eigen::MatrixXd> samples(data, dim, n);
  const auto fit =
      sm::fit(sm::GaussianFamily<double>(dim), sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  expect(fit.status == sm::Status::converged, "map");
}

void other_layouts() {
  const Eigen::Index n = 500, dim = 2;
  const Eigen::MatrixXd by_variable = draw_samples(n, 1).transpose();  // n x dim, column-major
  const double* data = by_variable.data();
  sm::Moments<double> moments(dim);

  // data: n x dim, Fortran order
  moments.add(Eigen::Map<const Eigen::MatrixXd>(data, n, dim).transpose());

  // data: dim x n, C order: one row per variable
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  moments.add(Eigen::Map<const RowMajor>(data, dim, n));

  sm::Moments<double> once(dim);
  once.add(draw_samples(n, 1));
  expect(moments.count() == 1000, "layouts, count");
  expect((moments.mean() - once.mean()).norm() < 1e-12, "layouts, mean");
  expect((moments.covariance() - once.covariance()).norm() < 1e-12, "layouts, covariance");
}

void scaling() {
  const Eigen::Matrix2Xd samples = 1e4 * draw_samples(500, 1);
  expect(sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::Momentum{}, samples)
                 .status == sm::Status::diverged,
         "not scaled");

  sm::Moments<double, 2> moments;
  moments.add(samples);
  const Eigen::Vector2d center = moments.mean();
  const Eigen::Vector2d scale = moments.covariance().diagonal().cwiseSqrt();

  const Eigen::Matrix2Xd scaled = scale.cwiseInverse().asDiagonal() * (samples.colwise() - center);
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::Momentum{}, scaled);

  const Eigen::Vector2d mean = center + scale.cwiseProduct(fit.distribution.mean());
  const Eigen::Matrix2d covariance =
      scale.asDiagonal() * fit.distribution.covariance() * scale.asDiagonal();
  expect(fit.status == sm::Status::converged, "scaled");
  expect((mean - moments.mean()).norm() < 1e-6 * mean.norm(), "scaled, mean");
  expect((covariance - moments.covariance()).norm() < 1e-6 * covariance.norm(), "scaled, cov");
}

void errors() {
  Eigen::Matrix2Xd samples = draw_samples(500, 1);
  samples(1, 7) = std::numeric_limits<double>::quiet_NaN();

  sm::Moments<double, 2> moments;
  std::string message;
  try {
    moments.add(samples);
  } catch (const std::invalid_argument& error) {
    message = error.what();
    std::cerr << message << '\n';
  }
  expect(message == "scorematch: samples(row 1, column 7) = nan; expected a finite value", "error");
  expect(moments.count() == 0, "a rejected block leaves no trace");

  const auto complaint_of = [](const auto& call) {
    try {
      call();
    } catch (const std::invalid_argument& error) {
      std::cerr << error.what() << '\n';
      return std::string(error.what());
    }
    return std::string();
  };
  complaint_of([&] { moments.add(Eigen::MatrixXd(Eigen::MatrixXd::Zero(3, 4))); });
  message = complaint_of([] {
    sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
            sm::GradientDescent{.learning_rate = -1}, draw_samples(5, 1));
  });
  expect(message ==
             "scorematch: GradientDescent: learning_rate = -1; expected a finite number above 0",
         "option");
  complaint_of([&] {
    sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, moments);
  });
}

void unbounded() {
  const Eigen::Matrix2Xd two = draw_samples(2, 1);  // n <= Dim: the covariance is singular

  sm::Moments<double, 2> moments;
  moments.add(two);
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, moments);
  if (fit.status == sm::Status::unbounded) {
    const double ridge = 0.1;  // in the units of the covariance
    const sm::Gaussian<double, 2> regularized(
        moments.mean(), moments.covariance() + ridge * Eigen::Matrix2d::Identity());
    std::cout << regularized.covariance() << '\n';
  }
  expect(fit.status == sm::Status::unbounded && fit.iterations == 0, "unbounded");
  std::cout << explain(fit.status) << '\n';
  expect(fit.parameters == sm::GaussianFamily<double, 2>{}.start(), "the start is returned");
}

void threads() {
  const std::vector<Eigen::Matrix2Xd> blocks{draw_samples(500, 1), draw_samples(500, 2)};

  std::vector<sm::Moments<double, 2>> parts(blocks.size());
  std::vector<std::thread> workers;
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    workers.emplace_back([&, k] { parts[k].add(blocks[k]); });  // one Moments per thread
  }
  for (std::thread& worker : workers) worker.join();

  sm::Moments<double, 2> all;
  for (const auto& part : parts) all.merge(part);  // in a fixed order: the same bits every time
  expect(all.count() == 1000, "threads");
}

}  // namespace

int main() {
  first_fit();
  own_start();
  any_objective();
  observers();
  streaming();
  sizes();
  from_numpy();
  other_layouts();
  scaling();
  errors();
  unbounded();
  threads();
}
