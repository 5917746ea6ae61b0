// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/recorded/not_recorded.hpp>
#ifdef SCOREMATCH_HAS_PACKS
#include <scorematch/derivative/recorded/recording.hpp>
#endif
#include <scorematch/derivative/second_order.hpp>

#include <Eigen/Core>

#include <utility>

namespace scorematch {

namespace detail {

// One point: a column; and many: what may have more columns than one.
template <class X, class Scalar, int Dim>
concept PointOfDim = SamplesOf<X, Scalar, Dim> && X::ColsAtCompileTime == 1;
template <class X, class Scalar, int Dim>
concept ManyOfDim = SamplesOf<X, Scalar, Dim> && X::ColsAtCompileTime != 1;

}  // namespace detail

/// One density known up to its normalizing constant: exp of `energy(x, theta)` at one theta.
///
/// **Units** x in u: score in 1/u, Laplacian in 1/u^2.
///
/// **Cost** `score` and `laplacian` of one point: one pass over the energy for a fixed Dim of at
/// most 16. Of many points, the columns of a matrix, the energy is recorded once and runs over
/// packs of them, unless it is wrapped in `not_recorded`.
///
/// **Errors** std::invalid_argument for points of another size.
template <Real Scalar_, int Dim_, int ParameterCount_, class Energy>
class UnnormalizedDensity {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Parameters = Eigen::Matrix<Scalar, ParameterCount_, 1>;
  using Points = Eigen::Matrix<Scalar, Dim, Eigen::Dynamic>;
  using Values = Eigen::Matrix<Scalar, 1, Eigen::Dynamic>;

  /// **Errors** std::invalid_argument for a dimension below 1, or other than a fixed Dim.
  UnnormalizedDensity(Energy energy, Parameters parameters, Eigen::Index dimension)
      : energy_(std::move(energy)), parameters_(std::move(parameters)), dimension_(dimension) {
    detail::require_size("UnnormalizedDensity", "dimension", dimension, Dim);
  }

  template <detail::SizedLater<Parameters> Theta>
  UnnormalizedDensity(Energy energy, const Theta& parameters, Eigen::Index dimension)
      : UnnormalizedDensity(std::move(energy), detail::sized<Parameters>("parameters", parameters),
                            dimension) {}

  Eigen::Index dimension() const { return dimension_; }
  const Parameters& parameters() const { return parameters_; }

  /// log p(x) up to a constant.
  template <detail::PointOfDim<Scalar, Dim> X>
  Scalar unnormalized_log_density(const X& x) const {
    return static_cast<Scalar>(energy_(detail::Column<Vector>(checked(x)), parameters_));
  }

  /// Gradient in x of log p.
  template <detail::PointOfDim<Scalar, Dim> X>
  Vector score(const X& x) const {
    return gradient_of<Scalar>(at_parameters(), checked(x));
  }

  /// Laplacian in x of log p.
  template <detail::PointOfDim<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    Vector gradient(dimension());
    return gradient_and_laplacian_of<Scalar>(at_parameters(), checked(x), gradient);
  }

  /// The same of many points: a row of values, and Dim x n scores, one a column.
  template <detail::ManyOfDim<Scalar, Dim> X>
  Values unnormalized_log_density(const X& points) const {
    Values values(points.cols());
    if constexpr (recorded) {
      replay<detail::SecondOrder::none>(points, [&](Eigen::Index j, auto& machine, int lane) {
        values(j) = machine.value()[lane];
      });
    } else {
      for_each_column(points, [&](Eigen::Index j, const Vector& x) {
        values(j) = unnormalized_log_density(x);
      });
    }
    return values;
  }
  template <detail::ManyOfDim<Scalar, Dim> X>
  Points score(const X& points) const {
    Points scores(dimension(), points.cols());
    if constexpr (recorded) {
      replay<detail::SecondOrder::none>(
          points,
          [&](Eigen::Index j, auto& machine, int lane) {
            const Scalar value = machine.value()[lane];
            for (Eigen::Index i = 0; i < dimension(); ++i) {
              scores(i, j) = machine.derivative(i)[lane] + (value - value);
            }
          },
          true);
    } else {
      for_each_column(points, [&](Eigen::Index j, const Vector& x) { scores.col(j) = score(x); });
    }
    return scores;
  }
  template <detail::ManyOfDim<Scalar, Dim> X>
  Values laplacian(const X& points) const {
    Values values = Values::Zero(points.cols());
    if constexpr (recorded) {
      replay<detail::SecondOrder::laplacian>(points, [&](Eigen::Index j, auto& machine, int lane) {
        const Scalar value = machine.value()[lane];
        values(j) += machine.second_part()[lane] + (value - value);
      });
    } else {
      for_each_column(points, [&](Eigen::Index j, const Vector& x) { values(j) = laplacian(x); });
    }
    return values;
  }

 private:
  static constexpr bool recorded = detail::is_recordable<Scalar, Energy>;

  template <class X, class Use>
  void for_each_column(const X& points, const Use& use) const {
    require_rows(points);
    const auto& block = points.eval();
    for (Eigen::Index j = 0; j < points.cols(); ++j) use(j, Vector(block.col(j)));
  }

  template <class X>
  void require_rows(const X& points) const {
    if (points.rows() != dimension()) {
      detail::fail("the points are ", points.rows(), " x ", points.cols(), "; expected ",
                   dimension(), " x n");
    }
  }

  // use(point, machine, lane) for each point, and each block of coordinates where there are some;
  // with the scores where they are asked for.
  template <detail::SecondOrder order, class X, class Use>
  void replay(const X& points, const Use& use, bool with_scores = false) const {
#ifdef SCOREMATCH_HAS_PACKS
    require_rows(points);
    const auto& block = points.eval();
    using Recorder = detail::Recording<Scalar, Dim, order>;
    Recorder recording(dimension(), 0);
    auto& machine = recording.machine();
    recording.run(
        Eigen::Matrix<Scalar, 0, 1>(), points.cols(),
        [&](Eigen::Index j, int lane) {
          for (Eigen::Index i = 0; i < dimension(); ++i) machine.x(i).set(lane, block(i, j));
        },
        at_parameters(),
        [&](auto live) {
          for (int b = 0; b < recording.program().shape().blocks; ++b) {
            if (b > 0)
              machine.forward(b, Recorder::lowest(Recorder::lanes),
                              Recorder::lowest(Recorder::lanes));
            if (with_scores) machine.differentiate();
            for (int k = 0; k < Recorder::lanes; ++k) {
              if ((live >> k & 1) != 0) use(recording.term(k), machine, k);
            }
          }
        },
        [] {});
#else
    (void)points;
    (void)use;
    (void)with_scores;
#endif
  }

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
