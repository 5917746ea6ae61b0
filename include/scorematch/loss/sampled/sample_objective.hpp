#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/family/local_frame.hpp>
#include <scorematch/family/score_model.hpp>

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

namespace scorematch {

namespace detail {

// The weighted mean of terms `term(k, theta)`, and its gradient by dual numbers over theta in
// passes of at most eight parameters.
template <class F>
class MeanOfTerms {
 public:
  using Scalar = typename F::Scalar;
  using Parameters = typename F::Parameters;
  using Sum = typename SampleSet<Scalar, F::Dim>::Weight;

  explicit MeanOfTerms(Eigen::Index parameters) : numbers_(parameters) {}

  // sum_k weight(k) term(k, theta) / total over `count` terms; infinity where that is not finite.
  template <class Weight, class Term>
  Scalar operator()(const Parameters& theta, Eigen::Index count, Sum total, const Weight& weight,
                    const Term& term) const {
    Mean mean;
    for (Eigen::Index k = 0; k < count; ++k) mean.add(weight(k), static_cast<Sum>(term(k, theta)));
    return finite_or_infinity(mean.sum() / total);
  }

  // The same, with its gradient; both infinity where the value is not finite.
  template <class Weight, class Term>
  Scalar operator()(const Parameters& theta, Parameters& gradient, Eigen::Index count, Sum total,
                    const Weight& weight, const Term& term) {
    const Eigen::Index parameters = theta.size();
    Scalar loss(0);
    for (Eigen::Index i = 0; i < parameters; ++i) numbers_(i) = Number(theta(i));
    for (Eigen::Index first = 0; first < parameters; first += width) {
      const Eigen::Index size =
          parameters - first < width ? parameters - first : Eigen::Index(width);
      for (Eigen::Index i = 0; i < size; ++i) {
        numbers_(first + i) = Number::variable(theta(first + i), static_cast<int>(i));
      }
      Mean mean;
      std::array<Mean, std::size_t(width)> slopes;
      for (Eigen::Index k = 0; k < count; ++k) {
        const Sum w = weight(k);
        const Number at = term(k, numbers_);
        mean.add(w, static_cast<Sum>(at.value));
        for (std::size_t i = 0; i < slopes.size(); ++i) {
          slopes[i].add(w, static_cast<Sum>(at.gradient[i]));
        }
      }
      if (first == 0) {
        loss = finite_or_infinity(mean.sum() / total);
        if (!(loss < infinity())) {
          gradient.setConstant(parameters, infinity());
          return loss;
        }
      }
      for (Eigen::Index i = 0; i < size; ++i) {
        gradient(first + i) = static_cast<Scalar>(slopes[std::size_t(i)].sum() / total);
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

  Eigen::Matrix<Number, parameter_count, 1> numbers_;
};

// What every objective over stored samples asks of them.
template <class F, class Samples>
void require_samples_of(const F& family, const Samples& samples) {
  if (samples.dimension() != family.dimension()) {
    fail("the samples have dimension ", samples.dimension(), "; expected ", family.dimension(),
         ", as the family has it");
  }
  if (!(samples.count() > 0)) fail("no samples (count = 0); expected at least one");
}

template <class Scalar, class Samples>
void require_finite_loss(Scalar loss, const Samples& samples, Eigen::Index j) {
  if (!std::isfinite(loss)) {
    if (std::isnan(loss)) loss = std::numeric_limits<Scalar>::quiet_NaN();  // without a sign
    fail("the loss of samples(column ", j, ") is ", loss, " at the start, ",
         entry("samples", Eigen::Index(0), j, samples(0, j)),
         "; expected a finite value (is the log density smooth and finite there?)");
  }
}

}  // namespace detail

/// The mean over stored samples of a loss of one sample.
///
/// **Math** J(theta) = sum_j w_j l(x_j, theta) / sum_j w_j. The gradient comes from dual numbers
/// over theta, at most eight parameters in a pass: exact to rounding.
///
/// `Point` is called as `point(family, x, theta)` with x a `PointOf<F>` and theta a column of
/// Scalar or `Dual<Scalar, N>`, and returns a number of theta's kind.
///
/// Of a `LocationScaleFamily` it sees samples and densities from the samples' medians, and has
/// local coordinates (`HasLocalCoordinates`).
///
/// **Errors** std::invalid_argument where there are no samples or the dimensions differ.
/// `check_start` where the loss of a sample is not finite (with its column): nothing can be fitted
/// from there. Elsewhere a value that is not finite is the edge of the domain, and is infinity.
/// The size of theta is not checked.
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
        samples_((detail::require_samples_of(family, samples), samples)),
        point_(std::move(point)),
        frame_(family, samples),
        x_(family.dimension()),
        mean_(family.parameter_count()) {}

  Eigen::Index parameter_count() const { return family_.parameter_count(); }
  ObjectiveInfo<Scalar> info() const { return {.parameter_count = parameter_count()}; }

  /// Throws where the loss of a sample is not finite at `start`.
  void check_start(const Parameters& start) {
    const detail::Column<Parameters, detail::ColumnOf::theta> theta(frame_.centered(start));
    for (Eigen::Index j = 0; j < samples_.size(); ++j) {
      detail::require_finite_loss(loss_of(j, theta), samples_.samples(), j);
    }
  }

  /// The loss at theta; infinity outside the domain.
  Scalar operator()(const Parameters& theta) {
    return mean_(frame_.centered(theta), samples_.size(), samples_.count(), weight(), term());
  }

  /// The loss at theta and its gradient; both infinity outside the domain.
  Scalar operator()(const Parameters& theta, Parameters& gradient) {
    return at_centered(frame_.centered(theta), gradient);
  }

  Scalar local(const Parameters& u, Parameters& gradient) requires LocationScaleFamily<F> {
    const Scalar loss = at_centered(frame_.centered_at(u), gradient);
    frame_.scale(gradient);
    return loss;
  }
  Parameters to_local(const Parameters& theta) requires LocationScaleFamily<F> {
    return frame_.to_local(theta);
  }
  Parameters from_local(const Parameters& u) requires LocationScaleFamily<F> {
    return frame_.from_local(u);
  }

 private:
  Scalar at_centered(const Parameters& theta, Parameters& gradient) {
    return mean_(theta, gradient, samples_.size(), samples_.count(), weight(), term());
  }

  template <class Theta>
  typename Theta::Scalar loss_of(Eigen::Index j, const Theta& theta) {
    x_ = samples_.samples().col(j);
    frame_.center(x_);
    return point_(std::as_const(family_), std::as_const(x_), theta);
  }

  auto weight() const {
    return [weights = samples_.weights()](Eigen::Index j) { return weights(j); };
  }
  auto term() {
    return [this](Eigen::Index j, const auto& theta) { return this->loss_of(j, theta); };
  }

  F family_;
  SampleSet<Scalar, Dim> samples_;
  Point point_;
  detail::LocalFrame<F> frame_;
  PointOf<F> x_;
  detail::MeanOfTerms<F> mean_;
};

}  // namespace scorematch
