// How often the Stein test rejects what is right: the tables of docs/judging-a-fit.md.
// `docs_stein_levels 2000` makes them, in some minutes; without a number it does a few runs.
#include "../../tests/stein_samplers.hpp"

#include <cstdio>
#include <cstdlib>

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

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 40;
  const double level = of_the_true_model(runs);
  if (!(level > 2 && level < 8)) {
    std::fprintf(stderr, "not as documented: the level over all is %g %%\n", level);
    return 1;
  }
}
