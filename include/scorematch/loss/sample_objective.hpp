#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/family/score_model.hpp>

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

namespace scorematch {

/// The mean over stored samples of a loss of one sample.
///
/// **Math** J(theta) = sum_j w_j l(x_j, theta) / sum_j w_j. The gradient comes from dual numbers
/// over theta, at most eight parameters in a pass: exact to rounding.
///
/// `Point` is called as `point(family, x, theta)` with x a `PointOf<F>` and theta a column of
/// Scalar or `Dual<Scalar, N>`, and returns a number of theta's kind.
///
/// **Errors** std::invalid_argument where there are no samples, the dimensions differ, or the loss
/// of a sample is not finite at the family's `start()` (with its column): nothing can be fitted
/// from there. Elsewhere a value that is not finite is the edge of the domain, and is infinity.
///
/// **Cost** of one evaluation with its gradient: size() calls of the point loss for each eight
/// parameters or part of them, on numbers up to nine times as wide.
///
/// **Allocation** a copy of the samples; none in an evaluation.
template <class F, class Point>
class SampleObjective {
 public:
  using Scalar = typename F::Scalar;
  using Parameters = typename F::Parameters;
  static constexpr int Dim = F::Dim;

  SampleObjective(const F& family, const SampleSet<Scalar, Dim>& samples, Point point = Point())
      : family_(family),
        samples_(samples),
        point_(std::move(point)),
        x_(family.dimension()),
        numbers_(family.parameter_count()) {
    if (samples.dimension() != family.dimension()) {
      detail::fail("the samples have dimension ", samples.dimension(), "; expected ",
                   family.dimension(), ", as the family has it");
    }
    if (!(samples.count() > 0)) detail::fail("no samples (count = 0); expected at least one");
    require_finite_losses();
  }

  /// The loss at theta; infinity outside the domain.
  Scalar operator()(const Parameters& theta) {
    Mean mean;
    for (Eigen::Index j = 0; j < samples_.size(); ++j) {
      mean.add(samples_.weights()(j), static_cast<Sum>(loss_of(j, theta)));
    }
    return finite_or_infinity(mean.sum() / samples_.count());
  }

  /// The loss at theta and its gradient; both infinity outside the domain.
  Scalar operator()(const Parameters& theta, Parameters& gradient) {
    const Eigen::Index count = theta.size();
    Scalar loss(0);
    for (Eigen::Index i = 0; i < count; ++i) numbers_(i) = Number(theta(i));
    for (Eigen::Index first = 0; first < count; first += width) {
      const Eigen::Index size = count - first < width ? count - first : Eigen::Index(width);
      for (Eigen::Index i = 0; i < size; ++i) {
        numbers_(first + i) = Number::variable(theta(first + i), static_cast<int>(i));
      }
      Mean mean;
      std::array<Mean, std::size_t(width)> slopes;
      for (Eigen::Index j = 0; j < samples_.size(); ++j) {
        const Sum weight = samples_.weights()(j);
        const Number at = loss_of(j, numbers_);
        mean.add(weight, static_cast<Sum>(at.value));
        for (std::size_t i = 0; i < slopes.size(); ++i) {
          slopes[i].add(weight, static_cast<Sum>(at.gradient[i]));
        }
      }
      if (first == 0) {
        loss = finite_or_infinity(mean.sum() / samples_.count());
        if (!(loss < infinity())) {
          gradient.setConstant(count, infinity());
          return loss;
        }
      }
      for (Eigen::Index i = 0; i < size; ++i) {
        gradient(first + i) = static_cast<Scalar>(slopes[std::size_t(i)].sum() / samples_.count());
        numbers_(first + i) = Number(theta(first + i));
      }
    }
    return loss;
  }

 private:
  static constexpr int parameter_count = Parameters::SizeAtCompileTime;
  // As many passes as parameters ask for, each as narrow as it can be.
  static constexpr int widest = 8;
  static constexpr int width =
      parameter_count == Eigen::Dynamic
          ? widest
          : (parameter_count - 1) / ((parameter_count + widest - 1) / widest) + 1;
  using Number = Dual<Scalar, width>;
  using Sum = typename SampleSet<Scalar, Dim>::Weight;

  // A sum of sums of 64 terms, whose rounding errors grow with n / 64 only.
  class Mean {
   public:
    void add(Sum weight, Sum term) {
      part_ += weight * term;
      if (++terms_ == 64) {
        sum_ += part_;
        part_ = 0;
        terms_ = 0;
      }
    }
    Sum sum() const { return sum_ + part_; }

   private:
    Sum sum_{0};
    Sum part_{0};
    int terms_ = 0;
  };

  static constexpr Scalar infinity() { return std::numeric_limits<Scalar>::infinity(); }

  static Scalar finite_or_infinity(Sum value) {
    const Scalar result = static_cast<Scalar>(value);
    return std::isfinite(result) ? result : infinity();
  }

  template <class Theta>
  typename Theta::Scalar loss_of(Eigen::Index j, const Theta& theta) {
    x_ = samples_.samples().col(j);
    return point_(std::as_const(family_), std::as_const(x_), theta);
  }

  void require_finite_losses() {
    const Parameters start = family_.start();
    for (Eigen::Index j = 0; j < samples_.size(); ++j) {
      Scalar loss = loss_of(j, start);
      if (!std::isfinite(loss)) {
        if (std::isnan(loss)) loss = std::numeric_limits<Scalar>::quiet_NaN();  // without a sign
        detail::fail("the loss of samples(column ", j, ") is ", loss,
                     " at the start of the family, ",
                     detail::entry("samples", Eigen::Index(0), j, x_(0)),
                     "; expected a finite value (is the log density smooth and finite there?)");
      }
    }
  }

  F family_;
  SampleSet<Scalar, Dim> samples_;
  Point point_;
  PointOf<F> x_;
  Eigen::Matrix<Number, parameter_count, 1> numbers_;
};

}  // namespace scorematch
