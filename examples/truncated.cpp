// Samples that a domain cuts off: the error of several estimators of a truncated Gaussian against
// the number of samples. Those that ignore the truncation stop improving; generalized score
// matching goes on, whatever its weight function, and needs no normalizing constant.
//
// Usage: truncated [DIRECTORY]   writes its picture (or, without gnuplot, the data of it) there
#include "expect.hpp"
#include "gnuplot.hpp"
#include "square_weight.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace sm = scorematch;

namespace {

constexpr int dim = 3;
using Family = sm::TruncatedGaussianFamily<double, dim>;
using Samples = Eigen::Matrix<double, dim, Eigen::Dynamic>;

Samples draw(const sm::Gaussian<double, dim>& gaussian, Eigen::Index n, std::mt19937_64& rng) {
  Samples samples(dim, n);
  for (Eigen::Index i = 0; i < n;) {
    const Eigen::Vector3d x = gaussian.sample(rng);
    if (x.minCoeff() >= 0) samples.col(i++) = x;
  }
  return samples;
}

struct Curve {
  std::string title;
  std::vector<double> errors;  // one for each number of samples
};

// The root mean square error of all entries of eta and K, over the given replicates.
template <class Estimate>
double error_of(const Estimate& estimate, const std::vector<Samples>& replicates,
                const Family::Parameters& truth) {
  double sum = 0;
  for (const Samples& samples : replicates) {
    sum += (estimate(samples) - truth).squaredNorm();
  }
  return std::sqrt(sum / double(truth.size()) / double(replicates.size()));
}

void draw_picture(const std::string& directory, const std::vector<Eigen::Index>& counts,
                  const std::vector<Curve>& curves) {
  const Picture picture(directory);
  std::ofstream data = picture.open("truncated.dat");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    data << counts[i];
    for (const Curve& curve : curves) data << ' ' << curve.errors[i];
    data << '\n';
  }
  data.close();
  std::ostringstream script;
  script << "set terminal svg size 620,440 font \"sans-serif,12\" background \"white\"\n"
         << "set output 'truncated.svg'\nset logscale xy\nset grid lc rgb '#dddddd'\n"
         << "set xlabel 'samples'\nset ylabel 'root mean square error of eta and K'\n"
         << "set key bottom left Left reverse\nset xrange [80:16000]\n"
         << "set format x '10^{%T}'\nplot";
  for (std::size_t c = 0; c < curves.size(); ++c) {
    script << (c > 0 ? ", \\\n     " : " ") << "'truncated.dat' using 1:" << c + 2
           << " with linespoints pt 7 ps 0.4 title \"" << curves[c].title << '"';
  }
  script << '\n';
  picture.draw("truncated", script.str(), "truncated.svg");
}

// Whether generalized score matching alone gets better with more samples.
bool run(const std::string& directory) {
  const Eigen::Matrix3d covariance{{1.0, 0.5, 0.2}, {0.5, 1.2, 0.4}, {0.2, 0.4, 0.8}};
  const sm::Gaussian<double, dim> gaussian(Eigen::Vector3d(0.5, 0.8, 0.6), covariance);
  const Family family;
  const Family::Parameters truth = family.parameters(gaussian);

  // The losses that know no edge refuse the truncated family: this one has none.
  const auto plain = [](const Samples& samples) -> Family::Parameters {
    return sm::fit(sm::PairwiseGaussianFamily<double, dim>{}, sm::ScoreMatchingLoss{},
                   sm::ClosedForm{}, samples)
        .parameters;
  };
  const auto likelihood = [&](const Samples& samples) -> Family::Parameters {
    return family.parameters(sm::fit(sm::GaussianFamily<double, dim>{}, sm::NegativeLogLikelihood{},
                                     sm::ClosedForm{}, samples)
                                 .distribution);
  };
  const auto generalized = [&](auto weight) {
    return [&family, loss = sm::GeneralizedScoreMatchingLoss{weight}](const Samples& samples) {
      return sm::fit(family, loss, sm::ClosedForm{}, samples).parameters;
    };
  };

  const int replicates = 100;
  const std::vector<Eigen::Index> counts{100, 200, 400, 800, 1600, 3200, 6400, 12800};
  std::vector<Curve> curves{{"Gaussian likelihood", {}},
                            {"plain score matching", {}},
                            {"h = x^2", {}},
                            {"h = x", {}},
                            {"h = log(1 + x)", {}},
                            {"h = min(x, 1)", {}},
                            {"h = min(x, 2)", {}}};
  for (const Eigen::Index n : counts) {
    std::vector<Samples> samples;
    samples.reserve(replicates);
    std::mt19937_64 rng(static_cast<unsigned>(n));
    for (int r = 0; r < replicates; ++r) samples.push_back(draw(gaussian, n, rng));
    const auto add = [&](std::size_t curve, const auto& estimate) {
      curves[curve].errors.push_back(error_of(estimate, samples, truth));
    };
    add(0, likelihood);
    add(1, plain);
    add(2, generalized(SquareWeight{}));
    add(3, generalized(sm::LinearWeight{}));
    add(4, generalized(sm::LogWeight{}));
    add(5, generalized(sm::MinWeight{.c = 1}));
    add(6, generalized(sm::MinWeight{.c = 2}));
  }

  std::printf("%-22s", "samples");
  for (const Eigen::Index n : counts) std::printf("%8d", static_cast<int>(n));
  std::printf("\n");
  for (const Curve& curve : curves) {
    std::printf("%-22s", curve.title.c_str());
    for (const double error : curve.errors) std::printf("%8.4f", error);
    std::printf("\n");
  }
  draw_picture(directory, counts, curves);
  bool good = true;
  for (std::size_t c = 0; c < curves.size(); ++c) {
    const bool knows_the_cut = c >= 2;
    const double last = curves[c].errors.back();
    good = good && (knows_the_cut ? expect(last < 0.1 && last < curves[c].errors[0] / 5,
                                           "generalized score matching finds the truth")
                                  : expect(last > 0.5, "who ignores the cut does not"));
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "truncated_picture") ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
