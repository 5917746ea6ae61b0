// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/differentiate.hpp>

#include <Eigen/Core>

#include <utility>

namespace scorematch {

/// One density known up to its normalizing constant: exp of `energy(x, theta)` at one theta.
///
/// **Units** x in u: score in 1/u, Laplacian in 1/u^2.
///
/// **Cost** `score` and `laplacian`: one pass over the energy for a fixed Dim of at most 16.
template <Real Scalar_, int Dim_, int ParameterCount_, class Energy>
class UnnormalizedDensity {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount_, 1>;

  /// **Errors** std::invalid_argument for a dimension below 1, or other than a fixed Dim.
  UnnormalizedDensity(Energy energy, Parameters parameters, Eigen::Index dimension)
      : energy_(std::move(energy)), parameters_(std::move(parameters)), dimension_(dimension) {
    detail::require_size("UnnormalizedDensity", "dimension", dimension, Dim);
  }

  Eigen::Index dimension() const { return dimension_; }
  const Parameters& parameters() const { return parameters_; }

  /// log p(x) up to a constant.
  template <SamplesOf<Scalar, Dim> X>
  Scalar unnormalized_log_density(const X& x) const {
    return static_cast<Scalar>(energy_(detail::Column<Vector>(checked(x)), parameters_));
  }

  /// Gradient in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Vector score(const X& x) const {
    return gradient_of<Scalar>(at_parameters(), checked(x));
  }

  /// Laplacian in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    Vector gradient(dimension());
    return gradient_and_laplacian_of<Scalar>(at_parameters(), checked(x), gradient);
  }

 private:
  template <class X>
  Vector checked(const X& x) const {
    if (x.rows() != dimension() || x.cols() != 1) {
      detail::fail("x is ", x.rows(), " x ", x.cols(), "; expected ", dimension(), " x 1");
    }
    return x.matrix();
  }

  auto at_parameters() const {
    return [this](const auto& x) { return energy_(x, parameters_); };
  }

  Energy energy_;
  detail::Column<Parameters, detail::ColumnOf::theta> parameters_;
  Eigen::Index dimension_;
};

}  // namespace scorematch
