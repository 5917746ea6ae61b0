// The inverse problem of lattice phi-four: 128 couplings of an 8 x 8 lattice, each its own,
// inferred from Monte Carlo samples of the spins alone. Nobody knows the normalizing constant of
// this model.
//
// Usage: phi_four [DIRECTORY]   writes its picture (or, without gnuplot, the data of it) there
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
  const sm::PhiFourFamily<double> family(64, sm::square_lattice(8, 8), sm::Couplings::per_edge);
  Eigen::VectorXd truth(family.parameter_count());
  std::mt19937_64 rng(2);
  std::uniform_real_distribution<double> coupling(-0.5, 0.8);
  for (double& j : truth.head(128)) j = coupling(rng);
  truth.tail(2) << 0.5, 1;  // r, u

  sm::Estimator estimator(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{});
  lattice::PhiFourChain simulation(family, truth);
  for (int k = 0; k < 200; ++k) simulation.sweep();
  Eigen::VectorXd early;
  Eigen::MatrixXd samples(64, 20000);  // for the errors alone
  for (int sample = 1; sample <= 20000; ++sample) {
    for (int k = 0; k < 3; ++k) simulation.sweep();
    estimator.observe(simulation.state());
    samples.col(sample - 1) = simulation.state();
    if (sample == 1000) early = estimator.fit().parameters;
  }
  const auto fit = estimator.fit();
  std::printf("%s\n", std::string(explain(fit.status)).c_str());
  const double error = lattice::rms((fit.parameters - truth).head(128));
  std::printf("couplings: root mean square %.3f, error %.3f after 1000 samples, %.4f after 20000\n",
              lattice::rms(truth.head(128)), lattice::rms((early - truth).head(128)), error);
  std::printf("r = %.3f (true 0.5), u = %.3f (true 1)\n", fit.parameters(128), fit.parameters(129));
  const auto errors = [&](const auto& dependence) {
    return sm::uncertainty(fit, family, sm::ScoreMatchingLoss{}, samples, dependence)
        .of(sm::couplings(family))
        .standard_errors();
  };
  const Eigen::VectorXd off = (fit.parameters - truth).head(128).cwiseAbs();
  const Eigen::VectorXd of_chain = errors(sm::OverlappingBatchMeans{});
  const double within = double((off.array() < 2 * of_chain.array()).count()) / 128;
  std::printf("standard errors: %.4f, as of independent samples %.4f; %.0f %% are within two\n",
              lattice::rms(of_chain), lattice::rms(errors(sm::Independent{})), 100 * within);
  lattice::draw(directory, "phi_four", truth.head(128), early.head(128), fit.parameters.head(128),
                "1000 samples", "20000 samples");
  return expect(fit.status == sm::Status::converged, "the fit converges") &&
         expect(error < 0.02, "the couplings are found to 0.02") &&
         expect(within > 0.88, "95 of 100 couplings are within two standard errors") &&
         expect((fit.parameters - truth).tail(2).norm() < 0.1, "r and u are found to 0.1");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "phi_four_picture") ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
