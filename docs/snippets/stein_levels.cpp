// How often the Stein test rejects what is right: the tables of docs/judging-a-fit.md.
// `docs_stein_levels 2000` makes them, in some minutes; without a number it does a few runs.
#include "../../tests/stein_samplers.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>

namespace {

using namespace stein_samplers;

// Of the true model, with samples that it has not seen.
double of_the_true_model(int runs) {
  std::printf("| density | n = 50 | n = 100 |\n|---|---|---|\n");
  double sum = 0;
  int shares = 0;
  for_each_density([&](const char* name, const auto& model, auto&& sample) {
    std::printf("| %s |", name);
    const sm::DefaultSteinKernel<std::decay_t<decltype(model)>> kernel;
    for (const Index n : {50, 100}) {
      Rng rng(7);
      int rejected = 0;
      for (int run = 0; run < runs; ++run) {
        const MatrixXd x = sample(n, rng);
        rejected += sm::stein_test(model, x, rng, kernel, {.draws = 199}).p_value <= 0.05;
      }
      const double share = 100.0 * rejected / runs;
      std::printf(" %.1f %% |", share);
      std::fflush(stdout);
      sum += share;
      ++shares;
    }
    std::printf("\n");
  });
  return sum / shares;
}

// Of a right family: fitted to `of_fit` samples, tested on 100 others; or fitted to the same 100.
template <class F, class Loss, class Sample>
void of_a_fit(const char* name, int runs, const F& family, const Loss& loss, Sample&& sample) {
  std::printf("| %s, %d parameters |", name, int(family.parameter_count()));
  const sm::DefaultSteinKernel<typename F::Distribution> kernel;
  for (const Index of_fit : {0, 100, 1000, 10000}) {
    Rng rng(8);
    int rejected = 0;
    for (int run = 0; run < runs; ++run) {
      const MatrixXd fresh = sample(Index(100), rng);
      const auto fit =
          sm::fit(family, loss, sm::ClosedForm{}, of_fit == 0 ? fresh : sample(of_fit, rng));
      rejected +=
          sm::stein_test(fit.distribution, fresh, rng, kernel, {.draws = 199}).p_value <= 0.05;
    }
    std::printf(" %.1f %% |", 100.0 * rejected / runs);
    std::fflush(stdout);
  }
  std::printf("\n");
}

void of_fits(int runs) {
  std::printf("\n| family | on its own 100 | 100 others | 1000 others | 10 000 others |\n");
  std::printf("|---|---|---|---|---|\n");
  const auto normal = [](Index d) {
    return [d](Index n, Rng& rng) {
      std::normal_distribution<double> draw;
      MatrixXd x(d, n);
      for (double& own : x.reshaped()) own = draw(rng);
      return x;
    };
  };
  const sm::ScoreMatchingLoss plain;
  of_a_fit("`GaussianFamily`, 1", runs, sm::GaussianFamily<double>(1), plain, normal(1));
  of_a_fit("`GaussianFamily`, 2", runs, sm::GaussianFamily<double>(2), plain, normal(2));
  of_a_fit("`GaussianFamily`, 5", runs, sm::GaussianFamily<double>(5), plain, normal(5));
  const OnGrid well([](double x) { return 0.5 * x + 2 * x * x - x * x * x * x; }, -3, 3);
  of_a_fit("`PolynomialFamily`, degree 4", runs, sm::PolynomialFamily<double, 4>{}, plain,
           [&](Index n, Rng& rng) {
             MatrixXd x(1, n);
             for (double& own : x.reshaped()) own = well(rng);
             return x;
           });
  of_a_fit("`VonMisesFamily`, 2 angles", runs, sm::VonMisesFamily<double>(2), plain,
           [](Index n, Rng& rng) {
             MatrixXd x(2, n);
             for (double& own : x.reshaped()) own = 2 * std::numbers::pi * uniform(rng);
             return x;
           });
  of_a_fit("`TruncatedGaussianFamily`, 2, positive orthant", runs,
           sm::TruncatedGaussianFamily<double>(2), sm::GeneralizedScoreMatchingLoss{},
           [&](Index n, Rng& rng) { return MatrixXd(normal(2)(n, rng).cwiseAbs()); });
}

// Maximum likelihood for Student t, on a line or in a plane: a loss of one's own.
struct StudentLikelihood {
  template <class F>
  auto summary(const F& family) const {
    return sm::SampleSet<double, F::Dim>(family.dimension());
  }
  template <class F>
  auto objective(const F& family, const sm::SampleSet<double, F::Dim>& samples) const {
    static_assert(F::Dim == 1 || F::Dim == 2);
    using Parameters = typename F::Parameters;
    using Vector = Eigen::Matrix<double, F::Dim, 1>;
    return [family, samples](const Parameters& theta, Parameters& gradient) {
      constexpr Index d = F::Dim;
      const Index last = theta.size() - 1;
      gradient.setZero();
      if (!(theta.cwiseAbs().maxCoeff() < 300)) return std::numeric_limits<double>::infinity();
      const auto density = family.distribution(theta);
      const double nu = density.degrees_of_freedom();
      const sm::Gaussian<double, F::Dim> core(density.location(), density.scale());
      double loss = 0;
      Eigen::Matrix<double, F::Dim, F::Dim> by_root;  // of the scale: L
      by_root.setZero();
      for (Index j = 0; j < samples.size(); ++j) {
        const Vector x = samples.samples().col(j);
        const Vector z =
            core.cholesky().template triangularView<Eigen::Lower>().solve(x - core.mean());
        const Vector score = density.score(x);
        const double q = z.squaredNorm();
        loss -= density.log_density(x);
        gradient.head(d) += score;
        by_root += score * z.transpose();
        gradient(last) += (nu * std::log1p(q / nu) - double(nu + d) * q / (nu + q)) / 2;
      }
      const double n = double(samples.size());
      gradient /= n;
      for (Index i = 0; i < d; ++i) {
        gradient(d + i) = 1 + by_root(i, i) / n * core.cholesky()(i, i);
      }
      if constexpr (d == 2) gradient(4) = by_root(1, 0) / n;
      gradient(last) += (nu * (sm::digamma(nu / 2) - sm::digamma((nu + d) / 2)) + d) / 2;
      return loss / n;
    };
  }
};

// Of a right family, by the parametric bootstrap. fit(samples, rng) is the fit.
template <class Fit, class Distribution>
void by_bootstrap(const char* name, int runs, int draws, std::initializer_list<Index> sizes,
                  const Distribution& truth, const Fit& fit) {
  std::printf("| %s |", name);
  for (const Index n : sizes) {
    Rng rng(9);
    const auto fitter = [&](const auto& x) { return fit(x, rng); };
    int rejected = 0;
    for (int run = 0; run < runs; ++run) {
      const auto samples = truth.sample(n, rng);
      rejected += sm::stein_test_of_fit(fitter, samples, rng, {.draws = draws}).p_value <= 0.05;
    }
    std::printf(" %.1f %% |", 100.0 * rejected / runs);
    std::fflush(stdout);
  }
  std::printf("\n");
}

template <class F, class Loss, class Optimizer>
auto one_start(const F& family, const Loss& loss, const Optimizer& optimizer) {
  return [=](const auto& x, Rng&) { return sm::fit(family, loss, optimizer, x); };
}

template <class F, class Loss, class Optimizer>
auto random_starts(const F& family, const Loss& loss, const Optimizer& optimizer) {
  return [=](const auto& x, Rng& rng) {
    return sm::multi_start(family, loss, optimizer, x, family.random_starts(x, 5, rng)).best;
  };
}

void by_bootstraps(int runs) {
  const sm::ScoreMatchingLoss loss;
  std::printf("\n| family, `stein_test_of_fit` | n = 50 | n = 100 |\n|---|---|---|\n");
  const Eigen::Matrix2d covariance{{2, 0.5}, {0.5, 1}};
  const sm::Gaussian<double, 2> gaussian(Eigen::Vector2d(1, -1), covariance);
  by_bootstrap("`GaussianFamily`, 2", runs, 99, {50, 100}, gaussian,
               one_start(sm::GaussianFamily<double, 2>{}, loss, sm::ClosedForm{}));
  const sm::Gaussian<double> five(VectorXd::Zero(5), MatrixXd::Identity(5, 5));
  by_bootstrap("`GaussianFamily`, 5", runs, 99, {50, 100}, five,
               one_start(sm::GaussianFamily<double>(5), loss, sm::ClosedForm{}));
}

// Fits by iterations: many minutes for 2000 runs, and so two of them in a test.
void by_bootstraps_of_iterations(int runs) {
  if (runs < 1000) runs = 2;
  const sm::ScoreMatchingLoss loss;
  const sm::Lbfgs optimizer{.max_iterations = 200};
  std::printf("\n| family, `stein_test_of_fit` | n = 200 | n = 400 |\n|---|---|---|\n");
  using One = Eigen::Matrix<double, 1, 1>;
  const sm::StudentTFamily<double, 1> line;
  const sm::StudentT<double, 1> on_line(sm::Gaussian<double, 1>(One(1), One(2)), 3);
  by_bootstrap("`StudentTFamily`, 1, score matching", runs, 19, {200, 400}, on_line,
               one_start(line, loss, optimizer));
  by_bootstrap("`StudentTFamily`, 1, likelihood", runs, 19, {200, 400}, on_line,
               one_start(line, StudentLikelihood{}, optimizer));
  const sm::StudentTFamily<double, 2> plane;
  const Eigen::Matrix2d scale{{2, 0.5}, {0.5, 1}};
  const sm::StudentT<double, 2> in_plane(Eigen::Vector2d(1, -1), scale, 3);
  by_bootstrap("`StudentTFamily`, 2, score matching", runs, 19, {200, 400}, in_plane,
               one_start(plane, loss, optimizer));
  by_bootstrap("`StudentTFamily`, 2, likelihood", runs, 19, {200, 400}, in_plane,
               one_start(plane, StudentLikelihood{}, optimizer));
  const sm::GaussianMixtureFamily<double, 1, 2> two;
  const sm::GaussianMixture<double, 1, 2> mixture(
      Eigen::Vector2d(0.3, 0.7),
      {sm::Gaussian<double, 1>(One(-1.5), One(0.5)), sm::Gaussian<double, 1>(One(1), One(1))});
  by_bootstrap("`GaussianMixtureFamily`, 1, one start", runs, 19, {200, 400}, mixture,
               one_start(two, loss, optimizer));
  by_bootstrap("`GaussianMixtureFamily`, 1, five starts", runs, 19, {200, 400}, mixture,
               random_starts(two, loss, optimizer));
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 20;
  const double level = of_the_true_model(runs);
  of_fits(runs);
  by_bootstraps(runs);
  by_bootstraps_of_iterations(runs);
  if (!(level > 2 && level < 8)) {
    std::fprintf(stderr, "not as documented: the level over all is %g %%\n", level);
    return 1;
  }
}
