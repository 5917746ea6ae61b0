// The XY model: 36 angles on a 6 x 6 lattice, each drawn to its neighbors or turned away from them.
// The couplings are inferred from samples of the angles. Everything is periodic, so score matching
// needs no boundary term.
//
// Usage: xy_model [DIRECTORY]   writes its picture (or, without gnuplot, the data of it) there
#include "expect.hpp"
#include "lattice_picture.hpp"

#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numbers>
#include <random>
#include <string>

namespace sm = scorematch;

namespace {

// One draw from the density exp(kappa cos x) on the circle: Best and Fisher (1979).
double von_mises(double kappa, std::mt19937_64& rng) {
  std::uniform_real_distribution<double> unit(0, 1);
  if (kappa < 1e-6) return std::numbers::pi * (2 * unit(rng) - 1);
  const double tau = 1 + std::sqrt(1 + 4 * kappa * kappa);
  const double rho = (tau - std::sqrt(2 * tau)) / (2 * kappa);
  const double r = (1 + rho * rho) / (2 * rho);
  for (;;) {
    const double z = std::cos(std::numbers::pi * unit(rng));
    const double f = (1 + r * z) / (r + z);
    const double c = kappa * (r - f);
    const double u = unit(rng);
    if (c * (2 - c) > u || std::log(c / u) + 1 >= c) {
      return unit(rng) < 0.5 ? -std::acos(f) : std::acos(f);
    }
  }
}

// Heat bath: each angle anew, given its neighbors, which together are one von Mises field.
void sweep(const Eigen::MatrixXd& couplings, Eigen::VectorXd& angles, std::mt19937_64& rng) {
  for (Eigen::Index i = 0; i < angles.size(); ++i) {
    const double c = couplings.col(i).dot(angles.array().cos().matrix());
    const double s = couplings.col(i).dot(angles.array().sin().matrix());
    angles(i) = std::atan2(s, c) + von_mises(std::hypot(c, s), rng);
  }
}

double rms(const Eigen::VectorXd& difference) {
  return std::sqrt(difference.squaredNorm() / double(difference.size()));
}

// Whether the couplings were found.
bool run(const std::string& directory) {
  const sm::VonMisesFamily<double> family(36, sm::square_lattice(6, 6), sm::Couplings::per_edge);
  std::mt19937_64 rng(1);
  std::normal_distribution<double> normal;
  Eigen::VectorXd truth(family.parameter_count());
  for (double& j : truth) j = 0.7 * normal(rng);
  Eigen::MatrixXd couplings = Eigen::MatrixXd::Zero(36, 36);
  for (Eigen::Index e = 0; e < truth.size(); ++e) {
    const sm::Edge& edge = family.edges()[static_cast<std::size_t>(e)];
    couplings(edge.first, edge.second) = couplings(edge.second, edge.first) = truth(e);
  }

  sm::Estimator estimator(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{});
  Eigen::VectorXd angles = Eigen::VectorXd::Zero(36);
  for (int k = 0; k < 200; ++k) sweep(couplings, angles, rng);
  Eigen::VectorXd early;
  for (int sample = 1; sample <= 10000; ++sample) {
    for (int k = 0; k < 3; ++k) sweep(couplings, angles, rng);
    estimator.observe(angles);
    if (sample == 1000) early = estimator.fit().parameters;
  }
  const auto fit = estimator.fit();
  std::printf("%s\n", std::string(explain(fit.status)).c_str());
  const double error = rms(fit.parameters - truth);
  std::printf("couplings: root mean square %.3f, error %.3f after 1000 samples, %.4f after 10000\n",
              rms(truth), rms(early - truth), error);
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
