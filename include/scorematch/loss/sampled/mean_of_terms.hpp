// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/scalar.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/derivative/dual.hpp>

#include <Eigen/Core>

#include <array>
#include <cstddef>
#include <limits>

namespace scorematch::detail {

// The weighted mean of terms `term(k, theta)`, and its gradient by dual numbers over theta in
// passes of at most eight parameters.
template <class F>
class MeanOfTerms {
 public:
  using Scalar = typename F::Scalar;
  using Parameters = typename F::Parameters;
  using Sum = typename SampleSet<Scalar, F::Dim>::Weight;

  explicit MeanOfTerms(const F& family) : numbers_(family.parameter_count()) {}

  // sum_k weight(k) term(k, theta) / total over `count` terms; infinity where that is not finite.
  template <class Weight, class Term>
  Scalar operator()(const Parameters& theta, Eigen::Index count, Sum total, const Weight& weight,
                    const Term& term) const {
    SumInParts losses;
    for (Eigen::Index k = 0; k < count; ++k)
      losses.add(weight(k), static_cast<Sum>(term(k, theta)));
    return finite_or_infinity(static_cast<Scalar>(losses.sum() / total));
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
      SumInParts losses;
      std::array<SumInParts, std::size_t(width)> slopes;
      for (Eigen::Index k = 0; k < count; ++k) {
        const Sum w = weight(k);
        const Number at = term(k, numbers_);
        losses.add(w, static_cast<Sum>(at.value));
        for (std::size_t i = 0; i < slopes.size(); ++i) {
          slopes[i].add(w, static_cast<Sum>(at.gradient[i]));
        }
      }
      if (first == 0) {
        loss = finite_or_infinity(static_cast<Scalar>(losses.sum() / total));
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

  // A weighted sum of sums of 64 terms, whose rounding errors grow with n / 64 only.
  class SumInParts {
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

  Eigen::Matrix<Number, parameter_count, 1> numbers_;
};

}  // namespace scorematch::detail
