// The programs that docs/uncertainty.md quotes. Returns 0 where each does what the page says. Given
// a directory, it also writes the data of the page's picture there, and picture.gp, which draws it
// by gnuplot.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>

namespace sm = scorematch;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not as documented: %s\n", what);
  std::exit(1);
}

void errors_of_a_gaussian() {
  const sm::Gaussian<double, 2> truth(Eigen::Vector2d(1, -1), Eigen::Matrix2d{{2, 0.5}, {0.5, 1}});
  std::mt19937_64 rng(1);
  const Eigen::Matrix2Xd samples = truth.sample(500, rng);

  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
  const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
  const auto sure = sm::uncertainty(fit, family, loss, samples);
  const auto mean = sure.of(sm::means(family));
  const auto correlation = sure.of(sm::correlations(family));
  std::cout << "mean " << mean.values.transpose() << ", errors "
            << mean.standard_errors().transpose() << '\n'
            << "correlation " << correlation.values << ", error " << correlation.standard_errors()
            << ", 95 % from " << correlation.interval().lower << " to "
            << correlation.interval().upper << '\n';

  // Anything else that follows from the parameters: the ratio of the two standard deviations.
  const auto ratio = sure.of([&](const auto& theta) {
    const auto deviations = sm::standard_deviations(family)(theta);
    return deviations(0) / deviations(1);
  });
  std::cout << "ratio " << ratio.values << ", error " << ratio.standard_errors() << '\n';
  expect(std::abs(mean.values(0) - 1) < 4 * mean.standard_errors()(0), "mean");
  expect(std::abs(ratio.values(0) - std::sqrt(2.0)) < 4 * ratio.standard_errors()(0), "ratio");
}

void bootstrap_of_a_skewed_number() {
  std::mt19937_64 rng(3);
  std::exponential_distribution<double> exponential;
  Eigen::RowVectorXd samples(40);
  for (double& x : samples) x = exponential(rng);

  const sm::GaussianFamily<double, 1> family;
  const auto boot =
      sm::bootstrap(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples, sm::DrawSamples{},
                    {.replicates = 10000, .seed = 1, .threads = 0});
  const auto variance = boot.of(sm::covariances(family));
  std::cout << "variance " << variance.values << ", error " << variance.standard_errors()
            << ", BCa from " << variance.bca().lower << " to " << variance.bca().upper << '\n';
  expect(variance.bca().lower(0) < 1 && 1 < variance.bca().upper(0), "bootstrap");
  expect(boot.failed == 0, "bootstrap, failed");
}

// A Metropolis chain of exp(-x^4 / 4 + x^2): steps of up to 1, of which many are refused.
Eigen::RowVectorXd chain(Eigen::Index n, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::uniform_real_distribution<double> step(-1, 1), unit(0, 1);
  const auto log_density = [](double x) { return x * x - x * x * x * x / 4; };
  Eigen::RowVectorXd draws(n);
  double x = 0;
  for (Eigen::Index k = 0; k < n; ++k) {
    const double y = x + step(rng);
    if (unit(rng) < std::exp(log_density(y) - log_density(x))) x = y;
    draws(k) = x;
  }
  return draws;
}

void errors_of_a_chain() {
  const Eigen::RowVectorXd draws = chain(50000, 1);

  // log p = t0 x^2 + t1 x^4: here t0 = 1, t1 = -1/4
  const auto family = sm::energy_family<1>(
      [](const auto& x, const auto& theta) {
        const auto square = x(0) * x(0);
        return theta(0) * square + theta(1) * square * square;
      },
      Eigen::Vector2d(0, -1));
  const sm::ScoreMatchingLoss loss;
  const auto fit = sm::fit(family, loss, sm::Lbfgs{}, draws);
  const auto naive = sm::uncertainty(fit, family, loss, draws);
  const auto sure = sm::uncertainty(fit, family, loss, draws, sm::OverlappingBatchMeans{});
  std::cout << "t0 " << fit.parameters(0) << ", t1 " << fit.parameters(1) << '\n'
            << "errors of a chain " << sure.standard_errors().transpose() << '\n'
            << "as if independent " << naive.standard_errors().transpose() << '\n';
  expect(sure.standard_errors()(0) > 1.5 * naive.standard_errors()(0), "chain, larger errors");
  expect(std::abs(fit.parameters(0) - 1) < 4 * sure.standard_errors()(0), "chain, truth");
}

void has_it_mixed() {
  Eigen::MatrixXd chains(5000, 4);
  for (Eigen::Index k = 0; k < 4; ++k) {
    chains.col(k) = chain(5000, std::uint64_t(k + 1)).transpose();
  }
  const Eigen::MatrixXd squares = chains.cwiseAbs2();
  std::cout << "R-hat of x " << sm::r_hat(chains) << ", of x^2 " << sm::r_hat(squares) << '\n'
            << "effective draws of 20000: x " << std::round(sm::effective_sample_size(chains))
            << ", x^2 " << std::round(sm::effective_sample_size(squares)) << '\n'
            << "mean of x^2 " << squares.mean() << " +- " << sm::monte_carlo_error(squares) << '\n';
  expect(sm::r_hat(squares) < 1.01, "mixed");
}

void which_couple() {
  // A ring of eight sites, of which every second pair of neighbors is coupled.
  const sm::PhiFourFamily<double> family(8, sm::ring(8), sm::Couplings::per_edge);
  Eigen::VectorXd theta = Eigen::VectorXd::Zero(family.parameter_count());
  for (Eigen::Index e = 0; e < 8; e += 2) theta(e) = 0.4;
  theta(8) = 1;
  theta(9) = 1;
  // Pairs that are coupled to no one else: drawn one by one, by rejection from a cube.
  std::mt19937_64 rng(1);
  std::uniform_real_distribution<double> place(-3, 3), unit(0, 1);
  Eigen::MatrixXd samples(8, 1000);
  for (Eigen::Index k = 0; k < samples.cols(); ++k) {
    for (Eigen::Index e = 0; e < 8; e += 2) {
      const sm::Edge edge = family.edges()[std::size_t(e)];
      double x = 0, y = 0;
      do {
        x = place(rng);
        y = place(rng);
      } while (unit(rng) >
               std::exp(0.4 * x * y - (x * x + y * y) / 2 - (x * x * x * x + y * y * y * y) / 4));
      samples(edge.first, k) = x;
      samples(edge.second, k) = y;
    }
  }

  const sm::ScoreMatchingLoss loss;
  const auto fit = sm::fit(family, loss, sm::ClosedForm{}, samples);
  const auto couplings = sm::uncertainty(fit, family, loss, samples).of(sm::couplings(family));
  const auto found = sm::benjamini_hochberg(couplings.p_values(), 0.05);
  for (const Eigen::Index e : found) {
    std::cout << family.parameter_name(e) << " = " << couplings.values(e) << " +- "
              << couplings.standard_errors()(e) << '\n';
  }
  const auto none = couplings.subset({1, 3, 5, 7}).joint_test();
  std::cout << "the other four are zero: p = " << none.p_value << '\n';
  expect(found == std::vector<Eigen::Index>{0, 2, 4, 6}, "which couple");
  expect(none.p_value > 0.01, "joint test");
}

// Errors of the same fit by batches of 1 to 2000 draws: they grow until a batch has forgotten the
// last one.
void write_picture(const std::string& directory) {
  std::filesystem::create_directories(directory);
  const Eigen::RowVectorXd draws = chain(50000, 1);
  const sm::GaussianFamily<double, 1> family;
  const sm::ScoreMatchingLoss loss;
  const auto fit = sm::fit(family, loss, sm::ClosedForm{}, draws);
  std::ofstream data(directory + "/batches.txt");
  for (double length = 1; length <= 2000; length *= 1.3) {
    const auto size = Eigen::Index(length);
    const auto at = [&](const auto& dependence) {
      return sm::uncertainty(fit, family, loss, draws, dependence).standard_errors()(0);
    };
    data << size << ' ' << at(sm::BatchMeans{.length = size}) << ' '
         << at(sm::OverlappingBatchMeans{.length = size}) << ' ' << at(sm::NeweyWest{.lag = size})
         << '\n';
  }
  std::ofstream(directory + "/picture.gp")
      << "set terminal svg size 640,360 background rgb 'white'\n"
         "set output 'uncertainty.svg'\n"
         "set logscale x\nset key bottom right\nset yrange [0:*]\n"
         "set xlabel 'length of a batch, or lag'\nset ylabel 'standard error of the mean'\n"
         "plot 'batches.txt' using 1:2 with lines lw 2 title 'BatchMeans', '' using 1:3 with lines "
         "lw 2 title 'OverlappingBatchMeans', '' using 1:4 with lines lw 2 title 'NeweyWest'\n";
}

}  // namespace

int main(int argc, char** argv) {
  errors_of_a_gaussian();
  bootstrap_of_a_skewed_number();
  errors_of_a_chain();
  has_it_mixed();
  which_couple();
  if (argc > 1) write_picture(argv[1]);
}
