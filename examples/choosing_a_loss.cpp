// What each loss pays, on a Gaussian in two dimensions: the error of the fitted precision against
// the number of samples. First of samples of the Gaussian, then of those alone that are positive,
// where only one loss is right.
//
// Usage: choosing_a_loss [DIRECTORY]   writes its picture (or, without gnuplot, the data) there
#include "expect.hpp"
#include "gnuplot.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <vector>

namespace sm = scorematch;

namespace {

using Family = sm::GaussianFamily<double, 2>;

struct Curve {
  std::string title;
  std::vector<double> errors;  // one for each number of samples
};

const std::vector<Eigen::Index> counts{50, 100, 200, 400, 800, 1600, 3200};

Eigen::Matrix2Xd positive(const sm::Gaussian<double, 2>& gaussian, Eigen::Index n,
                          std::mt19937_64& rng) {
  Eigen::Matrix2Xd samples(2, n);
  for (Eigen::Index j = 0; j < n;) {
    const Eigen::Vector2d x = gaussian.sample(rng);
    if (x.minCoeff() >= 0) samples.col(j++) = x;
  }
  return samples;
}

// Root mean square error, relative to the truth, over replicates.
template <class Draw, class Estimate>
Curve curve(const std::string& title, const Eigen::Matrix2d& truth, const Draw& draw,
            const Estimate& estimate) {
  constexpr int replicates = 60;
  Curve result{title, {}};
  std::mt19937_64 rng(1);
  for (const Eigen::Index n : counts) {
    double sum = 0;
    for (int r = 0; r < replicates; ++r) sum += (estimate(draw(n, rng)) - truth).squaredNorm();
    result.errors.push_back(std::sqrt(sum / replicates) / truth.norm());
  }
  return result;
}

void print(const char* title, const std::vector<Curve>& curves) {
  std::printf("%-36s", title);
  for (const Eigen::Index n : counts) std::printf("%8d", static_cast<int>(n));
  std::printf("\n");
  for (const Curve& one : curves) {
    std::printf("%-36s", one.title.c_str());
    for (const double error : one.errors) std::printf("%8.3f", error);
    std::printf("\n");
  }
}

// Writes the data and returns the plot command.
std::string plot(const Picture& picture, const std::string& name,
                 const std::vector<Curve>& curves) {
  std::ofstream data = picture.open(name);
  std::string command = "plot";
  for (std::size_t i = 0; i < counts.size(); ++i) {
    data << counts[i];
    for (const Curve& one : curves) data << ' ' << one.errors[i];
    data << '\n';
  }
  for (std::size_t c = 0; c < curves.size(); ++c) {
    command += (c > 0 ? ", '' using 1:" : " '" + name + "' using 1:") + std::to_string(c + 2) +
               " with linespoints lw 1.5 pt 7 ps 0.4 title '" + curves[c].title + "'";
  }
  return command + '\n';
}

// Whether every loss finds what it says, and those that ignore the cut do not.
bool run(const std::string& directory) {
  const Eigen::Matrix2d covariance{{1.0, 0.5}, {0.5, 0.8}};
  const sm::Gaussian<double, 2> gaussian(Eigen::Vector2d(0.3, 0.5), covariance);
  const Eigen::Matrix2d precision = gaussian.precision();
  const auto fitted = [](const auto& loss, const auto& optimizer) {
    return [=](const Eigen::Matrix2Xd& samples) -> Eigen::Matrix2d {
      return sm::fit(Family(), loss, optimizer, samples).distribution.precision();
    };
  };
  const auto score_matching = fitted(sm::ScoreMatchingLoss{}, sm::ClosedForm{});
  const auto denoising = fitted(sm::DenoisingScoreMatchingLoss{.sigma = 0.4}, sm::ClosedForm{});

  const auto all = [&](Eigen::Index n, auto& rng) { return gaussian.sample(n, rng); };
  const std::vector<Curve> whole{
      curve("score matching, likelihood", precision, all, score_matching),
      curve(
          "sliced, 1 projection", precision, all,
          fitted(sm::SlicedScoreMatchingLoss{.distribution = sm::Directions::normal}, sm::Lbfgs{})),
      curve("denoising, sigma 0.4", precision, all, denoising)};
  print("All samples", whole);

  const auto some = [&](Eigen::Index n, auto& rng) { return positive(gaussian, n, rng); };
  const std::vector<Curve> truncated{
      curve("score matching, likelihood", precision, some, score_matching),
      curve("denoising, sigma 0.4", precision, some, denoising),
      curve("generalized", precision, some, [](const Eigen::Matrix2Xd& samples) {
        const auto fit = sm::fit(sm::TruncatedGaussianFamily<double, 2>{},
                                 sm::GeneralizedScoreMatchingLoss{}, sm::ClosedForm{}, samples);
        return Eigen::Matrix2d(fit.distribution.precision());
      })};
  print("\nPositive samples only", truncated);

  const Picture picture(directory);
  picture.draw("choosing_a_loss",
               "set terminal svg size 900,420 font \"sans-serif,12\" background \"white\"\n"
               "set output 'choosing_a_loss.svg'\nset multiplot layout 1,2\nset logscale xy\n"
               "set grid lc rgb '#dddddd'\nset xlabel 'samples'\nset xrange [40:4000]\n"
               "set yrange [0.01:3]\nset key top right\n"
               "set ylabel 'relative error of the precision'\nset title 'all samples'\n" +
                   plot(picture, "all.dat", whole) + "set title 'positive samples only'\n" +
                   plot(picture, "positive.dat", truncated),
               "choosing_a_loss.svg");
  const auto last = [](const Curve& one) { return one.errors.back(); };
  return expect(last(whole[0]) < 0.1 && last(whole[1]) < 0.1, "whole samples give the precision") &&
         expect(last(truncated[0]) > 0.3, "score matching ignores a cut") &&
         expect(last(truncated[2]) < 0.1, "generalized score matching does not");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "choosing_a_loss_picture") ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
