// A molecule as a chain of beads: the parameters of its forces, inferred from its shapes. Eight
// beads in space hang together by Morse bonds, resist bending, attract and repel one another by a
// Lennard-Jones potential, and sit in a trap. Coarse-graining knows the like as force matching:
// that needs the forces on each shape, score matching the shapes alone. (The score is the force
// over kT.)
//
// The shapes come from Langevin dynamics, whose forces are the scores of the same energy.
#include "expect.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace sm = scorematch;

namespace {

constexpr int beads = 8;
constexpr int dim = 3 * beads;

using Shapes = Eigen::Matrix<double, dim, Eigen::Dynamic>;  // one a column, bead after bead
using Parameters = Eigen::Matrix<double, 7, 1>;

constexpr std::array<const char*, 7> names{"bond depth", "bond width", "bond length", "bending",
                                           "repulsion",  "attraction", "trap"};

// log p = -E / kT. All parameters are positive: theta holds their logarithms. The pair potential is
// written in its two coefficients, in which it is linear: fits in depth and distance get lost.
struct Chain {
  template <class X, class Theta>
  typename X::Scalar operator()(const X& x, const Theta& theta) const {
    using std::exp;
    using std::sqrt;
    using Number = typename X::Scalar;
    using Vector = Eigen::Matrix<Number, 3, 1>;
    const auto depth = exp(theta(0)), width = exp(theta(1)), length = exp(theta(2));
    const auto bending = exp(theta(3));
    const auto repulsion = exp(theta(4)), attraction = exp(theta(5)), trap = exp(theta(6));

    Number energy = x.squaredNorm() * trap * 0.5;
    Vector last;
    for (int i = 0; i + 1 < beads; ++i) {
      const Vector bond = between(x, i, i + 1);
      const Number r = sqrt(bond.squaredNorm());
      energy += sm::square(1 - exp((r - length) * -width)) * depth;
      const Vector direction = bond / r;
      if (i > 0) energy += (1 - direction.dot(last)) * bending;
      last = direction;
    }
    for (int i = 0; i < beads; ++i) {
      for (int j = i + 3; j < beads; ++j) {  // nearer ones are held by bonds
        const Number s = 1 / between(x, i, j).squaredNorm();
        const Number s3 = s * s * s;
        energy += s3 * s3 * repulsion - s3 * attraction;
      }
    }
    return -energy;
  }

 private:
  template <class X>
  static Eigen::Matrix<typename X::Scalar, 3, 1> between(const X& x, int i, int j) {
    return {x(3 * j) - x(3 * i), x(3 * j + 1) - x(3 * i + 1), x(3 * j + 2) - x(3 * i + 2)};
  }
};

// Many molecules at once, of unit mass and friction at kT = 1. The splitting BAOAB (Leimkuhler and
// Matthews 2013) samples positions far better than velocities.
template <class Density>
class Langevin {
 public:
  Langevin(const Density& density, Eigen::Index molecules, double dt)
      : density_(density), dt_(dt), x_(dim, molecules), v_(Shapes::Zero(dim, molecules)) {
    for (auto x : x_.colwise()) {
      for (int i = 0; i < beads; ++i) {  // stretched, in a zigzag
        x.segment<3>(3 * i) << 0.8 * i - 0.4 * (beads - 1), (i % 2 == 0 ? 0.3 : -0.3), 0;
      }
    }
    force_ = density_.score(x_);
  }

  void step() {
    const double keep = std::exp(-dt_), fresh = std::sqrt(1 - keep * keep);
    v_ += dt_ / 2 * force_;
    x_ += dt_ / 2 * v_;
    for (double& entry : v_.reshaped()) entry = keep * entry + fresh * normal_(rng_);
    x_ += dt_ / 2 * v_;
    force_ = density_.score(x_);
    v_ += dt_ / 2 * force_;
  }

  const Shapes& shapes() const { return x_; }

 private:
  Density density_;
  double dt_;
  Shapes x_, v_, force_;
  std::mt19937_64 rng_{1};
  std::normal_distribution<double> normal_;
};

}  // namespace

int main() {
  Parameters truth, guess;
  truth << 15, 2, 1, 1.5, 28, 12, 0.5;
  guess << 10, 1.5, 1.2, 1, 10, 10, 1;
  const auto family = sm::energy_family<dim>(Chain{}, Parameters(guess.array().log()));

  constexpr Eigen::Index molecules = 250, rounds = 40;
  Langevin simulation(family.distribution(Parameters(truth.array().log())), molecules, 0.01);
  for (int k = 0; k < 1500; ++k) simulation.step();
  Shapes samples(dim, molecules * rounds);
  for (Eigen::Index round = 0; round < rounds; ++round) {
    for (int k = 0; k < 40; ++k) simulation.step();
    samples.middleCols(round * molecules, molecules) = simulation.shapes();
  }
  std::printf("%td shapes of %d beads\n", samples.cols(), beads);

  const sm::ScoreMatchingLoss loss;
  const auto few = sm::fit(family, loss, sm::Lbfgs{}, samples.leftCols(molecules));
  const auto all = sm::fit(family, loss, sm::Lbfgs{}, samples);
  std::printf("%s, after %td iterations\n", std::string(to_string(all.status)).c_str(),
              all.iterations);
  std::printf("%-14s %8s %12s %12s\n", "", "truth", "250 shapes", "all");
  for (std::size_t k = 0; k < names.size(); ++k) {
    const auto i = static_cast<Eigen::Index>(k);
    std::printf("%-14s %8.3f %12.3f %12.3f\n", names[k], truth(i), std::exp(few.parameters(i)),
                std::exp(all.parameters(i)));
  }
  const Parameters off = all.parameters - truth.array().log().matrix();
  const bool good = expect(all.status == sm::Status::converged, "the fit converges") &&
                    expect(off.cwiseAbs().maxCoeff() < 0.15, "all parameters are found to 15 %");
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
