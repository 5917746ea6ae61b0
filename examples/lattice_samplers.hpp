// Draws from the lattices of the examples, and from Gaussians that the positive orthant cuts off,
// one site after the other.
#pragma once

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>

namespace lattice {

inline double rms(const Eigen::VectorXd& difference) {
  return std::sqrt(difference.squaredNorm() / double(difference.size()));
}

// Metropolis for phi-four: each step proposes a new value for one spin after the other.
class PhiFourChain {
 public:
  PhiFourChain(const scorematch::PhiFourFamily<double>& family, const Eigen::VectorXd& theta,
               std::uint64_t seed = 1)
      : spins_(Eigen::VectorXd::Zero(family.dimension())),
        couplings_(Eigen::MatrixXd::Zero(family.dimension(), family.dimension())),
        r_(family.r(theta)),
        u_(family.u(theta)),
        rng_(seed) {
    for (Eigen::Index e = 0; e < family.coupling_count(); ++e) {
      const scorematch::Edge& edge = family.edges()[static_cast<std::size_t>(e)];
      couplings_(edge.first, edge.second) = couplings_(edge.second, edge.first) = theta(e);
    }
  }

  void sweep() {
    for (Eigen::Index i = 0; i < spins_.size(); ++i) {
      const double field = couplings_.col(i).dot(spins_);
      const double x = spins_(i);
      const double y = x + step_(rng_);
      if (unit_(rng_) < std::exp(log_density(y, field) - log_density(x, field))) spins_(i) = y;
    }
  }

  const Eigen::VectorXd& state() const { return spins_; }

 private:
  double log_density(double x, double field) const {
    return field * x - r_ / 2 * x * x - u_ / 4 * x * x * x * x;
  }

  Eigen::VectorXd spins_;
  Eigen::MatrixXd couplings_;
  double r_;
  double u_;
  std::mt19937_64 rng_;
  std::uniform_real_distribution<double> step_{-1.5, 1.5};
  std::uniform_real_distribution<double> unit_{0, 1};
};

// One draw from the density exp(kappa cos x) on the circle: Best and Fisher (1979).
inline double von_mises(double kappa, std::mt19937_64& rng) {
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

// Heat bath for the XY model without a field, with a coupling or two for each edge: each angle
// anew, given its neighbors, which together are one von Mises field.
class XyChain {
 public:
  XyChain(const scorematch::VonMisesFamily<double>& family, const Eigen::VectorXd& theta,
          std::uint64_t seed = 1)
      : angles_(Eigen::VectorXd::Zero(family.dimension())),
        cosines_(Eigen::VectorXd::Ones(family.dimension())),
        sines_(angles_),
        even_(Eigen::MatrixXd::Zero(family.dimension(), family.dimension())),
        odd_(even_),
        rng_(seed) {
    for (const scorematch::Coupling& coupling : family.couplings()) {
      const auto [i, j] = coupling.edge;
      even_(i, j) = even_(j, i) = theta(coupling.first);
      if (coupling.count == 1) continue;
      odd_(j, i) = theta(coupling.first + 1);
      odd_(i, j) = -odd_(j, i);
    }
  }

  void sweep() {
    for (Eigen::Index i = 0; i < angles_.size(); ++i) {
      const double c = even_.col(i).dot(cosines_) - odd_.col(i).dot(sines_);
      const double s = even_.col(i).dot(sines_) + odd_.col(i).dot(cosines_);
      angles_(i) = std::atan2(s, c) + von_mises(std::hypot(c, s), rng_);
      cosines_(i) = std::cos(angles_(i));
      sines_(i) = std::sin(angles_(i));
    }
  }

  const Eigen::VectorXd& state() const { return angles_; }

 private:
  Eigen::VectorXd angles_;
  Eigen::VectorXd cosines_;
  Eigen::VectorXd sines_;
  Eigen::MatrixXd even_;
  Eigen::MatrixXd odd_;  // in column i, those of sin(x_i - x_j)
  std::mt19937_64 rng_;
};

// One draw from a standard normal above a bound: Robert (1995).
inline double normal_above(double bound, std::mt19937_64& rng) {
  if (bound < 0.4) {
    std::normal_distribution<double> normal;
    for (;;) {
      const double x = normal(rng);
      if (x >= bound) return x;
    }
  }
  std::uniform_real_distribution<double> unit(0, 1);
  const double rate = (bound + std::sqrt(bound * bound + 4)) / 2;
  for (;;) {
    const double x = bound - std::log(1 - unit(rng)) / rate;
    if (unit(rng) < std::exp(-(x - rate) * (x - rate) / 2)) return x;
  }
}

// Gibbs for exp(-x . K x / 2) where no x_i is negative: each anew, given all others.
class OrthantChain {
 public:
  explicit OrthantChain(const Eigen::MatrixXd& precision, std::uint64_t seed = 1)
      : x_(Eigen::VectorXd::Ones(precision.rows())), precision_(precision), rng_(seed) {}

  void sweep() {
    for (Eigen::Index i = 0; i < x_.size(); ++i) {
      const double k = precision_(i, i);
      const double mean = x_(i) - precision_.col(i).dot(x_) / k;
      const double deviation = 1 / std::sqrt(k);
      x_(i) = mean + deviation * normal_above(-mean / deviation, rng_);
    }
  }

  const Eigen::VectorXd& state() const { return x_; }

 private:
  Eigen::VectorXd x_;
  Eigen::MatrixXd precision_;
  std::mt19937_64 rng_;
};

// n states of a chain, one a column, `between` sweeps apart.
template <class Chain>
Eigen::MatrixXd draw_samples(Chain& chain, Eigen::Index n, int between) {
  for (int k = 0; k < 200; ++k) chain.sweep();
  Eigen::MatrixXd samples(chain.state().size(), n);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (int k = 0; k < between; ++k) chain.sweep();
    samples.col(i) = chain.state();
  }
  return samples;
}

}  // namespace lattice
