// What two losses pay for what they save, as two pictures: the bias and the spread of denoising
// score matching against sigma, and the spread of sliced score matching against the number of
// directions.
#include "expect.hpp"
#include "gnuplot.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <vector>

namespace sm = scorematch;

struct MeanAndSpread {
  double mean, spread;
};

template <class Draw>
MeanAndSpread over(int repetitions, const Draw& draw) {
  double sum = 0, squares = 0;
  for (int k = 1; k <= repetitions; ++k) {
    const double value = draw(static_cast<std::uint64_t>(k));
    sum += value, squares += value * value;
  }
  const double mean = sum / repetitions;
  return {mean, std::sqrt(std::fmax(0, squares / repetitions - mean * mean))};
}

// log p = -a x^2 / 2 - x^4 / 4, two wells for a < 0.
struct DoubleWell {
  auto operator()(const auto& x, const auto& theta) const {
    const auto square = x(0) * x(0);
    return square * theta(0) * -0.5 - square * square * 0.25;
  }
};

Eigen::RowVectorXd wells(Eigen::Index n, std::uint64_t seed) {  // a = -1
  std::mt19937_64 rng(seed);
  std::uniform_real_distribution<double> place(-4, 4), level(0, 1);
  Eigen::RowVectorXd samples(n);
  for (Eigen::Index j = 0; j < n;) {
    const double x = place(rng);
    if (std::log(level(rng)) < x * x / 2 - x * x * x * x / 4 - 0.25) samples(j++) = x;
  }
  return samples;
}

// Whether pairs of noise are what helps at a small sigma.
bool denoising(const Picture& picture) {
  const auto family = sm::energy_family<1>(DoubleWell{}, Eigen::Vector<double, 1>(0.0));
  std::ofstream file = picture.open("denoising.dat");
  std::puts("double well, a = -1, 1000 samples, 2 draws of noise: mean and deviation of a");
  std::puts("  sigma    in pairs          independent");
  std::vector<double> spreads;
  for (double sigma = 0.025; sigma <= 1; sigma *= 1.3) {
    file << sigma;
    std::printf("%7.3f", sigma);
    for (const bool antithetic : {true, false}) {
      const auto a = over(20, [&](std::uint64_t k) {
        const sm::DenoisingScoreMatchingLoss loss{
            .sigma = sigma, .antithetic = antithetic, .seed = k};
        const sm::Momentum momentum{.learning_rate = 0.1, .max_iterations = 300};
        return sm::fit(family, loss, momentum, wells(1000, k)).parameters(0);
      });
      spreads.push_back(a.spread);
      file << ' ' << a.mean << ' ' << a.spread;
      std::printf("  %7.3f +- %5.3f", a.mean, a.spread);
    }
    file << '\n';
    std::puts("");
  }
  return expect(spreads[0] < spreads[1] / 2, "noise in pairs spreads less than half as much");
}

// Whether the spread falls as the root of the number of directions.
bool sliced(const Picture& picture) {
  constexpr int dimension = 8;
  const sm::GaussianFamily<double> family(dimension);
  std::mt19937_64 rng(1);
  std::normal_distribution<double> normal;
  Eigen::VectorXd theta(family.parameter_count());
  for (double& entry : theta) entry = 0.3 * normal(rng);
  auto set = sm::SlicedScoreMatchingLoss{}.summary(family);
  set.add(family.distribution(theta).sample(100, rng));
  std::ofstream file = picture.open("sliced.dat");
  std::puts("\nGaussian in 8 dimensions, 100 samples: deviation of the loss over 50 seeds");
  std::puts("directions   normal rademacher   sphere, then with variance_reduced");
  std::vector<double> spreads;
  for (Eigen::Index projections = 1; projections <= 64; projections *= 2) {
    file << projections;
    std::printf("%10d", static_cast<int>(projections));
    for (const bool reduced : {false, true}) {
      for (const auto directions :
           {sm::Directions::normal, sm::Directions::rademacher, sm::Directions::sphere}) {
        const auto loss = over(50, [&](std::uint64_t seed) {
          return sm::SlicedScoreMatchingLoss{.projections = projections,
                                             .distribution = directions,
                                             .variance_reduced = reduced,
                                             .seed = seed}
              .objective(family, set)(theta);
        });
        spreads.push_back(loss.spread);
        file << ' ' << loss.spread;
        std::printf(" %8.4f", loss.spread);
      }
    }
    file << '\n';
    std::puts("");
  }
  const double fall = spreads.front() / spreads[spreads.size() - 6];
  return expect(fall > 4 && fall < 16,
                "64 directions spread an eighth of one, within a factor of 2");
}

constexpr const char* script =
    R"(set terminal svg size 600,380 font "sans-serif,12" background "white"
set grid lc rgb '#dddddd'
set logscale x
set output 'denoising.svg'
set xlabel 'sigma'
set ylabel 'fitted a'
set key bottom left
set xrange [0.02:1.2]
set yrange [-3:0]
plot -1 with lines lw 2 lc rgb '#000000' title 'truth', \
     'denoising.dat' using ($1*1.03):4:5 with yerrorbars pt 6 ps 0.6 lc rgb '#d55e00' title 'independent noise', \
     '' using 1:2:3 with yerrorbars pt 7 ps 0.6 lc rgb '#0072b2' title 'noise in pairs e, -e'
set output 'sliced.svg'
set xrange [0.9:70]
set yrange [0.05:3]
set logscale y
set xlabel 'directions for each sample'
set ylabel 'standard deviation of the loss'
set key below maxcols 3
plot 'sliced.dat' using 1:2 with linespoints pt 6 lc rgb '#000000' title 'normal', \
     '' using 1:3 with linespoints pt 6 lc rgb '#0072b2' title 'Rademacher', \
     '' using 1:4 with linespoints pt 6 lc rgb '#d55e00' title 'sphere', \
     '' using 1:5 with linespoints pt 7 dt 2 lc rgb '#000000' title 'normal, reduced', \
     '' using 1:6 with linespoints pt 7 dt 2 lc rgb '#0072b2' title 'Rademacher, reduced', \
     '' using 1:7 with linespoints pt 7 dt 2 lc rgb '#d55e00' title 'sphere, reduced'
)";

int main(int argc, char** argv) {
  const Picture picture(argc > 1 ? argv[1] : "denoising_and_sliced_picture");
  const bool good_pairs = denoising(picture);
  const bool good_directions = sliced(picture);
  picture.draw("picture", script, "denoising.svg and sliced.svg");
  return good_pairs && good_directions ? EXIT_SUCCESS : EXIT_FAILURE;
}
