// The notebook's fit in one program, beside the loop by hand. contexts.py builds it with several
// compilers and flags, and with
//   FROM  what the fit takes: SAMPLES, MOMENTS, or the samples of a FILE that main reads first
//   CALL  where it is called: in MAIN, or in a LAMBDA there
// Usage: contexts FILE   prints the CPU time of a fit and of the loop, in seconds: the median of
// groups of five, in turn.
#include "../examples/data/notebook.hpp"
#include "by_hand.hpp"

#include <scorematch/scorematch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <vector>

#define SAMPLES 1
#define MOMENTS 2
#define FILE_OF_SAMPLES 3
#define MAIN 1
#define LAMBDA 2

#if FROM == FILE_OF_SAMPLES
#include <fstream>
#include <sstream>
#include <string>
#endif

namespace sm = scorematch;

namespace {

constexpr std::size_t groups = 41;
constexpr int repeats = 5;

[[gnu::noinline]] double loop_by_hand(const by_hand::ByHand<2>& loop) {
  double theta[5] = {};
  return loop(theta);
}

double seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

double median(std::array<double, groups>& times) {
  std::nth_element(times.begin(), times.begin() + groups / 2, times.end());
  return times[groups / 2] / repeats;
}

}  // namespace

int main(int argc, char** argv) {
#ifndef NDEBUG
  std::fprintf(stderr, "built with assertions on: figures would mean nothing\n");
  return 1;
#endif
  if (argc != 2) return 1;
#if FROM == FILE_OF_SAMPLES
  std::vector<double> numbers;
  std::ifstream file(argv[1]);
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) numbers.push_back(std::stod(field));
  }
  const Eigen::Matrix2Xd samples = Eigen::Map<const Eigen::Matrix2Xd>(
      numbers.data(), 2, static_cast<Eigen::Index>(numbers.size() / 2));
#else
  const Eigen::Matrix2Xd samples = notebook::samples();
#endif
  sm::Moments<double, 2> moments;
  moments.add(samples);
#if FROM == MOMENTS
  const auto& seen = moments;
#else
  const auto& seen = samples;
#endif
  const by_hand::ByHand<2> loop(moments);
#if CALL == LAMBDA
  const auto run = [&] {
    return sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
                   sm::GradientDescent{.learning_rate = by_hand::rate,
                                       .max_iterations = by_hand::steps},
                   seen)
        .loss;
  };
#endif
  std::array<double, groups> ours{};
  std::array<double, groups> theirs{};
  double by_library = 0;
  double expected = 0;
  for (std::size_t group = 0; group < groups; ++group) {
    const double start = seconds();
    for (int k = 0; k < repeats; ++k) {
#if CALL == LAMBDA
      by_library += run();
#else
      const auto fit = sm::fit(
          sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
          sm::GradientDescent{.learning_rate = by_hand::rate, .max_iterations = by_hand::steps},
          seen);
      by_library += fit.loss;
#endif
    }
    const double between = seconds();
    for (int k = 0; k < repeats; ++k) expected += loop_by_hand(loop);
    const double end = seconds();
    ours[group] = between - start;
    theirs[group] = end - between;
  }
  if (!(std::abs(by_library - expected) <= 1e-10 * std::abs(expected))) {
    std::fprintf(stderr, "the loop by hand comes to something else\n");
    return 1;
  }
  std::printf("%.9g %.9g\n", median(ours), median(theirs));
}
