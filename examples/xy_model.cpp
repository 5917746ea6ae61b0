// The XY model: 36 angles on a 6 x 6 lattice, each drawn to its neighbors or turned away from them.
// The couplings are inferred from samples of the angles. Everything is periodic, so score matching
// needs no boundary term.
//
// Usage: xy_model [DIRECTORY]   writes its picture (or, without gnuplot, the data of it) there
#include "expect.hpp"
#include "lattice_picture.hpp"
#include "lattice_samplers.hpp"

#include <scorematch/scorematch.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>

namespace sm = scorematch;

namespace {

// Whether the couplings were found.
bool run(const std::string& directory) {
  const sm::VonMisesFamily<double> family(36, sm::square_lattice(6, 6), sm::Couplings::per_edge);
  std::mt19937_64 rng(1);
  std::normal_distribution<double> normal;
  Eigen::VectorXd truth(family.parameter_count());
  for (double& j : truth) j = 0.7 * normal(rng);

  sm::Estimator estimator(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{});
  lattice::XyChain chain(family, truth, 2);
  for (int k = 0; k < 200; ++k) chain.sweep();
  Eigen::VectorXd early;
  for (int sample = 1; sample <= 10000; ++sample) {
    for (int k = 0; k < 3; ++k) chain.sweep();
    estimator.observe(chain.state());
    if (sample == 1000) early = estimator.fit().parameters;
  }
  const auto fit = estimator.fit();
  std::printf("%s\n", std::string(explain(fit.status)).c_str());
  const double error = lattice::rms(fit.parameters - truth);
  std::printf("couplings: root mean square %.3f, error %.3f after 1000 samples, %.4f after 10000\n",
              lattice::rms(truth), lattice::rms(early - truth), error);
  lattice::draw(directory, "xy_model", truth, early, fit.parameters, "1000 samples",
                "10000 samples");
  return expect(fit.status == sm::Status::converged, "the fit converges") &&
         expect(error < 0.03, "the couplings are found to 0.03");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "xy_model_picture") ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
