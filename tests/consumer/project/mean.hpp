// A family and a loss of the consumer's own; with them the library compiles in a fifth of the time
// that it takes with a Gaussian.
#pragma once

#include <scorematch/scorematch.hpp>

namespace sm = scorematch;

struct Centre {
  using Scalar = double;
  static constexpr int Dim = 2;
  using Parameters = Eigen::Vector2d;
  using Distribution = Eigen::Vector2d;

  Eigen::Index dimension() const { return 2; }
  Eigen::Index parameter_count() const { return 2; }
  Parameters start() const { return Parameters::Zero(); }
  Distribution distribution(const Parameters& theta) const { return theta; }
};

// Half the mean squared distance from the samples; its minimum is their mean.
struct SquaredDistance {
  struct Objective {
    Eigen::Vector2d mean;
    double variance;

    double operator()(const Eigen::Vector2d& theta, Eigen::Vector2d& gradient) const {
      gradient = theta - mean;
      return (gradient.squaredNorm() + variance) / 2;
    }
  };

  sm::Moments<double, 2> summary(const Centre&) const { return {}; }
  Objective objective(const Centre&, const sm::Moments<double, 2>& moments) const {
    return {moments.mean(), moments.covariance().trace()};
  }
};

inline Eigen::Matrix<double, 2, 4> samples() {
  Eigen::Matrix<double, 2, 4> x;
  x << 1, 2, 3, 6,  //
      -1, -4, 0, 1;
  return x;
}

// main.cpp calls its own fit and this one; the two must link and agree.
sm::Fit<Centre> fit_in_the_other_unit();
