// Densities of every ready family with samples of them, for tests of the Stein test's level:
// tests/stein_test.cpp and docs/snippets/stein_levels.cpp. Samplers that the library lacks are by
// rejection, or by a distribution function on a fine grid.
#pragma once

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

namespace stein_samplers {

namespace sm = scorematch;
using Rng = std::mt19937_64;
using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

inline double uniform(Rng& rng) { return std::ldexp(double(rng() >> 11) + 0.5, -53); }

/// Draws of a density on [a, b], given its log up to a constant.
class OnGrid {
 public:
  template <class LogDensity>
  OnGrid(LogDensity&& log_density, double a, double b, int cells = 20000)
      : a_(a), step_((b - a) / cells) {
    double sum = 0;
    for (int k = 0; k < cells; ++k) {
      sum += std::exp(log_density(a + (k + 0.5) * step_));
      below_.push_back(sum);
    }
  }

  double operator()(Rng& rng) const {
    const double height = uniform(rng) * below_.back();
    const auto cell = std::lower_bound(below_.begin(), below_.end(), height) - below_.begin();
    return a_ + (double(cell) + uniform(rng)) * step_;
  }

 private:
  double a_, step_;
  std::vector<double> below_;
};

/// n draws: proposals `draw()` that are kept with the probability exp(log_share(x)).
template <class Draw, class LogShare>
MatrixXd rejection(Index n, Rng& rng, Draw&& draw, LogShare&& log_share) {
  MatrixXd samples;
  for (Index j = 0; j < n;) {
    const VectorXd x = draw();
    if (j == 0) samples.resize(x.size(), n);
    if (uniform(rng) < std::exp(log_share(x))) samples.col(j++) = x;
  }
  return samples;
}

/// Calls visit(name, model, sample) for each density; sample(n, rng) is a matrix of n columns.
template <class Visit>
void for_each_density(Visit&& visit) {
  const Eigen::Vector2d mean(1, -1);
  const Eigen::Matrix2d covariance{{2, 0.5}, {0.5, 1}};
  const sm::Gaussian<double, 2> gaussian(mean, covariance);
  visit("`GaussianFamily`, 2", gaussian,
        [&](Index n, Rng& rng) { return MatrixXd(gaussian.sample(n, rng)); });

  const sm::PairwiseGaussianFamily<double, 2> pairwise;
  const Eigen::Matrix2d k = gaussian.precision();
  const Eigen::Vector2d eta = k * mean;
  visit(
      "`PairwiseGaussianFamily`, 2",
      pairwise.distribution(Eigen::Matrix<double, 5, 1>(eta(0), eta(1), k(0, 0), k(1, 1), k(1, 0))),
      [&](Index n, Rng& rng) { return MatrixXd(gaussian.sample(n, rng)); });

  const sm::StudentT<double, 2> student(gaussian, 3);
  visit("`StudentTFamily`, 2, three degrees of freedom", student,
        [&](Index n, Rng& rng) { return MatrixXd(student.sample(n, rng)); });

  using One = Eigen::Matrix<double, 1, 1>;
  const sm::GaussianMixture<double, 1, 2> mixture(
      Eigen::Vector2d(0.3, 0.7),
      {sm::Gaussian<double, 1>(One(-1.5), One(0.5)), sm::Gaussian<double, 1>(One(1.0), One(1.0))});
  visit("`GaussianMixtureFamily`, 1, two components", mixture,
        [&](Index n, Rng& rng) { return MatrixXd(mixture.sample(n, rng)); });

  const OnGrid well([](double x) { return 0.5 * x + 2 * x * x - x * x * x * x; }, -3, 3);
  visit("`PolynomialFamily`, degree 4, two wells",
        sm::PolynomialFamily<double, 4>{}.distribution(Eigen::Vector4d(0.5, 2, 0, -1)),
        [&](Index n, Rng& rng) {
          return rejection(
              n, rng, [&] { return VectorXd::Constant(1, well(rng)); }, [](auto&) { return 0.0; });
        });

  // J x y <= |J| (x^2 + y^2) / 2: beneath independent sites with r - 2 |J| on a ring.
  const sm::PhiFourFamily<double> phi_four(3, {{0, 1}, {1, 2}, {2, 0}});
  const double coupling = 0.4, r = -0.5, u = 1;
  const OnGrid site(
      [&](double x) { return -(r - 2 * coupling) / 2 * x * x - u / 4 * x * x * x * x; }, -6, 6);
  visit("`PhiFourFamily`, ring of 3", phi_four.distribution(Eigen::Vector3d(coupling, r, u)),
        [&](Index n, Rng& rng) {
          return rejection(
              n, rng,
              [&] {
                VectorXd x(3);
                for (double& own : x) own = site(rng);
                return x;
              },
              [&](const VectorXd& x) {
                return coupling * (x(0) * x(1) + x(1) * x(2) + x(2) * x(0) - x.squaredNorm());
              });
        });

  // Much of the mass where the turn is cut, at pi.
  const sm::VonMisesFamily<double> circle(1);
  const double pi = std::numbers::pi;
  const OnGrid angle([](double x) { return 1.5 * std::cos(x - 3); }, -pi, pi);
  visit("`VonMisesFamily`, one angle",
        circle.distribution(Eigen::Vector2d(1.5 * std::cos(3.0), 1.5 * std::sin(3.0))),
        [&](Index n, Rng& rng) {
          return rejection(
              n, rng, [&] { return VectorXd::Constant(1, angle(rng)); }, [](auto&) { return 0.0; });
        });

  const sm::VonMisesFamily<double> xy(3, {{0, 1}, {1, 2}}, sm::Couplings::shared,
                                      sm::Fields::shared);
  visit("`VonMisesFamily`, XY chain of 3 in a field",
        xy.distribution(Eigen::Vector3d(-0.4, 0.3, 0.8)), [&](Index n, Rng& rng) {
          return rejection(
              n, rng,
              [&] {
                VectorXd x(3);
                for (double& own : x) own = pi * (2 * uniform(rng) - 1);
                return x;
              },
              [&](const VectorXd& x) {
                return 0.5 * (std::cos(x(0) - std::atan2(0.3, -0.4)) +
                              std::cos(x(1) - std::atan2(0.3, -0.4)) +
                              std::cos(x(2) - std::atan2(0.3, -0.4)) - 3) +
                       0.8 * (std::cos(x(0) - x(1)) + std::cos(x(1) - x(2)) - 2);
              });
        });

  const auto inside = [](const sm::Gaussian<double, 2>& whole, const auto& box) {
    return [&whole, box](Index n, Rng& rng) {
      return rejection(
          n, rng, [&] { return VectorXd(whole.sample(rng)); },
          [&](const VectorXd& x) { return box.contains(x) ? 0.0 : -1000.0; });
    };
  };
  const sm::Gaussian<double, 2> near_edge(Eigen::Vector2d(0.3, 0), covariance);
  const Eigen::Vector2d near_eta = k * near_edge.mean();
  const auto orthant = sm::Box<double, 2>::positive_orthant(2);
  visit("`TruncatedGaussianFamily`, 2, positive orthant",
        sm::TruncatedGaussian<double, 2>(near_eta, k, orthant), inside(near_edge, orthant));
  const double infinity = std::numeric_limits<double>::infinity();
  const sm::Box<double, 2> mixed(Eigen::Vector2d(-0.5, -infinity), Eigen::Vector2d(1.5, infinity));
  visit("`TruncatedGaussianFamily`, 2, one coordinate in [-0.5, 1.5]",
        sm::TruncatedGaussian<double, 2>(near_eta, k, mixed), inside(near_edge, mixed));
  // Most of it at the edges: a negative precision.
  const OnGrid bowl([](double x) { return 3 * x * x; }, -1, 1);
  visit("`TruncatedGaussianFamily`, 1, a bowl in [-1, 1]",
        sm::TruncatedGaussian<double, 1>(One(0.0), One(-6.0),
                                         sm::Box<double, 1>(One(-1.0), One(1.0))),
        [&](Index n, Rng& rng) {
          return rejection(
              n, rng, [&] { return VectorXd::Constant(1, bowl(rng)); }, [](auto&) { return 0.0; });
        });

  // An energy of the user's on the half line: a gamma density, whose score has a pole at the edge.
  const auto gamma = sm::energy_family<1>(
      [](const auto& x, const auto& theta) {
        using std::log;
        return theta(0) * log(x(0)) - theta(1) * x(0);
      },
      Eigen::Vector2d(1, 1));
  visit("an energy by `in_box`: gamma, shape 1.5",
        sm::in_box(gamma.distribution(Eigen::Vector2d(0.5, 2)),
                   sm::Box<double, 1>::positive_orthant(1)),
        [&](Index n, Rng& rng) {
          std::gamma_distribution<double> draw(1.5, 0.5);
          return rejection(
              n, rng, [&] { return VectorXd::Constant(1, draw(rng)); }, [](auto&) { return 0.0; });
        });
}

}  // namespace stein_samplers
