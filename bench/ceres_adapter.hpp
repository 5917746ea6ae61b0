// Any objective, as Ceres' GradientProblemSolver takes it.
#pragma once

#include <Eigen/Core>

#include <ceres/first_order_function.h>

#include <cmath>
#include <utility>

template <class Objective>
class CeresObjective final : public ceres::FirstOrderFunction {
 public:
  CeresObjective(Objective objective, Eigen::Index parameters)
      : objective_(std::move(objective)), theta_(parameters), gradient_(parameters) {}

  int NumParameters() const override { return static_cast<int>(theta_.size()); }

  bool Evaluate(const double* theta, double* value, double* gradient) const override {
    theta_ = Eigen::Map<const Eigen::VectorXd>(theta, theta_.size());
    *value = objective_(theta_, gradient_);
    if (gradient) Eigen::Map<Eigen::VectorXd>(gradient, theta_.size()) = gradient_;
    return std::isfinite(*value) && gradient_.allFinite();
  }

 private:
  mutable Objective objective_;  // Ceres evaluates a const object; ours has a workspace
  mutable Eigen::VectorXd theta_;
  mutable Eigen::VectorXd gradient_;
};
