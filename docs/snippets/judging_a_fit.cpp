// The programs that docs/judging-a-fit.md quotes. Returns 0 where each does what the page says.
// Given a directory, it also writes the data of the page's picture there, and picture.gp, which
// draws it by gnuplot.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

namespace sm = scorematch;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not as documented: %s\n", what);
  std::exit(1);
}

void known_truth() {
  const sm::Gaussian<double, 2> truth(Eigen::Vector2d(1, -1), Eigen::Matrix2d{{2, 0.5}, {0.5, 1}});
  std::mt19937_64 rng(1);
  const Eigen::Matrix2Xd samples = truth.sample(500, rng);

  const auto fit =
      sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  std::cout << "Fisher " << sm::fisher_divergence(truth, fit.distribution)             // 1/u^2
            << ", Kullback-Leibler " << sm::kullback_leibler(truth, fit.distribution)  // nats
            << ", Wasserstein " << sm::wasserstein2(truth, fit.distribution) << '\n';  // u
  // A maximum likelihood fit of 5 parameters costs 5 / (2 n) nats on the average.
  expect(sm::kullback_leibler(truth, fit.distribution) < 0.02, "known truth, KL");
  expect(sm::fisher_divergence(truth, fit.distribution) < 0.05, "known truth, Fisher");
  expect(sm::wasserstein2(truth, fit.distribution) < 0.3, "known truth, Wasserstein");
}

// Draws of exp(-(x^2 - 1)^2), by rejection from a uniform on [-2.5, 2.5].
Eigen::RowVectorXd double_well(Eigen::Index n, std::mt19937_64& rng) {
  std::uniform_real_distribution<double> position(-2.5, 2.5), height(0, 1);
  Eigen::RowVectorXd samples(n);
  for (Eigen::Index k = 0; k < n;) {
    const double x = position(rng);
    if (height(rng) < std::exp(-(x * x - 1) * (x * x - 1))) samples(k++) = x;
  }
  return samples;
}

void two_models() {
  std::mt19937_64 rng(2);
  const Eigen::RowVectorXd samples = double_well(2000, rng);

  // d/dx of -(x^2 - 1)^2: the score of a double well, whose normalizer nobody needs
  const auto well = [](const Eigen::Matrix<double, 1, 1>& x) -> Eigen::Matrix<double, 1, 1> {
    return -4 * x * (x(0) * x(0) - 1);
  };
  const auto fit =
      sm::fit(sm::GaussianFamily<double, 1>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, samples);
  const auto divergence = sm::fisher_divergence(well, fit.distribution, samples);
  std::cout << "Fisher " << divergence.value << " +- " << divergence.standard_error << '\n';
  expect(divergence.value > 10 * divergence.standard_error, "two models");
}

void held_out() {
  std::mt19937_64 rng(3);
  const Eigen::RowVectorXd samples = double_well(3300, rng);
  const auto well = [](const Eigen::Matrix<double, 1, 1>& x) -> Eigen::Matrix<double, 1, 1> {
    return -4 * x * (x(0) * x(0) - 1);
  };

  const auto fit = sm::fit(sm::GaussianFamily<double, 1>{}, sm::ScoreMatchingLoss{},
                           sm::ClosedForm{}, samples.leftCols(3000));
  const auto held_out = samples.rightCols(300);  // a tenth, which the fit has not seen
  const auto gaussian = sm::stein_test(fit.distribution, held_out, rng);
  const auto right = sm::stein_test(well, held_out, rng);
  std::cout << "Gaussian: " << gaussian.u_statistic << ", p = " << gaussian.p_value
            << "\ndouble well: " << right.u_statistic << ", p = " << right.p_value << '\n';
  expect(gaussian.p_value < 0.01, "the Gaussian is rejected");
  expect(right.p_value > 0.05, "the double well is not");

  const auto test = sm::stein_test_of_fit(sm::GaussianFamily<double, 1>{}, sm::ScoreMatchingLoss{},
                                          sm::ClosedForm{}, held_out, rng);
  std::cout << "any Gaussian: p = " << test.p_value << " (" << sm::explain(test.fit.status)
            << ")\n";
  expect(test.p_value < 0.02, "no Gaussian fits");
  const auto own = [](const auto& density, Eigen::Index n, std::mt19937_64& generator) {
    return density.sample(n, generator);
  };
  const auto by_sampler = sm::stein_test_of_fit(
      sm::GaussianFamily<double, 1>{}, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, held_out, rng,
      {.draws = 99}, sm::InverseMultiquadric{.length = 0.5}, own);
  expect(by_sampler.p_value < 0.02 && by_sampler.length == 0.5, "a sampler of one's own");

  // The best of five starts: of the samples, and of each set that is drawn.
  const sm::GaussianMixtureFamily<double, 1, 2> family;
  const auto fitter = [&](const auto& x) {
    const auto starts = family.random_starts(x, 5, rng);
    const sm::Lbfgs optimizer{.max_iterations = 200};
    return sm::multi_start(family, sm::ScoreMatchingLoss{}, optimizer, x, starts).best;
  };
  const auto mixture = sm::stein_test_of_fit(fitter, held_out, rng, {.draws = 19});
  expect(mixture.fit.status == sm::Status::converged, "a mixture, by the best of five starts");

  const auto figure = sm::stein_discrepancy(fit.distribution, held_out);  // without a test
  expect(figure.u_statistic == figure.u_statistic && figure.v_statistic > 0, "figure");

  const sm::GaussianKernel kernel{.length = 0.5};
  const sm::WildBootstrap bootstrap{.draws = 500, .flip_probability = 0.05};  // a Markov chain
  const auto chain = sm::stein_test(well, held_out, rng, kernel, bootstrap);
  expect(chain.length == 0.5 && chain.p_value > 0.01, "options");
}

void edges_and_angles() {
  std::mt19937_64 rng(5);
  Eigen::Matrix2Xd positive = Eigen::Matrix2Xd::Zero(2, 2200);
  std::normal_distribution<double> normal(0.5, 1);
  for (double& x : positive.reshaped()) {
    while (!(x > 0)) x = normal(rng);
  }
  Eigen::RowVectorXd angles(2200);
  std::uniform_real_distribution<double> turn(-3.1416, 3.1416), height(0, 1);
  for (double& x : angles) {
    do x = turn(rng);
    while (height(rng) > std::exp(2 * (std::cos(x - 1) - 1)));
  }

  const auto cut =
      sm::fit(sm::TruncatedGaussianFamily<double, 2>{}, sm::GeneralizedScoreMatchingLoss{},
              sm::ClosedForm{}, positive.leftCols(2000));
  const auto round = sm::fit(sm::VonMisesFamily<double>(1), sm::ScoreMatchingLoss{},
                             sm::ClosedForm{}, angles.leftCols(2000));
  // The kernels are BoxKernel and PeriodicKernel: the models know where their densities live.
  const auto in_box = sm::stein_test(cut.distribution, positive.rightCols(200), rng);
  const auto on_circle = sm::stein_test(round.distribution, angles.rightCols(200), rng);
  std::cout << "box: p = " << in_box.p_value << ", circle: p = " << on_circle.p_value << '\n';
  expect(in_box.p_value > 0.01 && on_circle.p_value > 0.01, "right models on their domains");

  // A score alone knows nothing of an edge or a period: say it.
  const auto rate = [](const Eigen::Matrix<double, 1, 1>& x) -> Eigen::Matrix<double, 1, 1> {
    return Eigen::Matrix<double, 1, 1>::Constant(x.size(), -2.0);  // exp(-2 x) for x >= 0
  };
  const auto exponential = sm::in_box(rate, sm::Box<double, 1>::positive_orthant(1));
  const auto uniform = sm::on_torus([](const auto& x) { return (0 * x).eval(); });
  const auto wrong = sm::stein_test(exponential, positive.row(0).rightCols(200), rng);
  const auto flat = sm::stein_test(uniform, angles.rightCols(200), rng,
                                   sm::PeriodicKernel{sm::GaussianKernel{.length = 0.5}});
  std::cout << "exponential: p = " << wrong.p_value << ", uniform: p = " << flat.p_value << '\n';
  expect(wrong.p_value < 0.01 && flat.p_value < 0.01, "wrong models on their domains");
}

// Means over seeds of the discrepancy of standard normal samples in the plane from N((shift, 0),
// I).
void picture(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  std::mt19937_64 rng(4);
  const sm::Gaussian<double, 2> truth(Eigen::Vector2d::Zero(), Eigen::Matrix2d::Identity());
  const auto model = [](double shift) {
    return sm::Gaussian<double, 2>(Eigen::Vector2d(shift, 0), Eigen::Matrix2d::Identity());
  };
  const sm::InverseMultiquadric kernel{.length = 1.5};
  std::ofstream by_count(directory / "count.dat");
  for (const Eigen::Index n : {10, 20, 40, 80, 160, 320, 640, 1280}) {
    by_count << n;
    for (const double shift : {0.0, 0.1, 0.3, 1.0}) {
      double sum = 0;
      for (int seed = 0; seed < 20; ++seed) {
        sum += sm::stein_discrepancy(model(shift), truth.sample(n, rng), kernel).v_statistic / 20;
      }
      by_count << ' ' << sum;
    }
    by_count << '\n';
  }
  std::ofstream by_shift(directory / "shift.dat");
  for (int step = 0; step <= 12; ++step) {
    const double shift = 0.05 * step;
    double u = 0, p = 0;
    const int seeds = 40;
    for (int seed = 0; seed < seeds; ++seed) {
      const auto test = sm::stein_test(model(shift), truth.sample(200, rng), rng, kernel);
      u += test.u_statistic / seeds;
      p += test.p_value / seeds;
    }
    by_shift << shift << ' ' << sm::fisher_divergence(truth, model(shift)) << ' ' << u << ' ' << p
             << '\n';
  }
  std::ofstream(directory / "picture.gp")
      << R"(set terminal svg size 900,380 font "sans-serif,12" background "white"
set output 'judging-a-fit.svg'
set multiplot layout 1,2
set grid lc rgb '#dddddd'
set logscale xy
set format y '10^{%T}'
set key below maxcols 2
set xrange [8:1600]
set xlabel 'samples'
set ylabel 'squared Stein discrepancy (V)'
plot 'count.dat' using 1:5 with linespoints pt 7 ps 0.5 lw 2 lc rgb '#d55e00' title 'mean wrong by 1', \
     '' using 1:4 with linespoints pt 7 ps 0.5 lw 2 lc rgb '#e69f00' title 'by 0.3', \
     '' using 1:3 with linespoints pt 7 ps 0.5 lw 2 lc rgb '#0072b2' title 'by 0.1', \
     '' using 1:2 with linespoints pt 7 ps 0.5 lw 2 lc rgb '#000000' title 'the true model'
unset logscale
set format y
set key below maxcols 2
set xrange [0:0.6]
set xlabel 'how wrong the mean is'
set ylabel 'divergence; p-value'
plot 'shift.dat' using 1:2 with lines lw 2 lc rgb '#000000' title 'Fisher divergence', \
     '' using 1:3 with linespoints pt 7 ps 0.5 lw 2 lc rgb '#0072b2' title 'Stein discrepancy (U), 200 samples', \
     '' using 1:4 with linespoints pt 7 ps 0.5 lw 2 lc rgb '#d55e00' title 'p-value'
)";
}

}  // namespace

int main(int argc, char** argv) {
  known_truth();
  two_models();
  held_out();
  edges_and_angles();
  if (argc > 1) picture(argv[1]);
}
