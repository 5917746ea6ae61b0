// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/samples.hpp>

#include <Eigen/Core>

#include <concepts>
#include <limits>
#include <string>

namespace scorematch {

namespace detail {

// Whether every sample but those of weight 0 is finite and in the box, and `also(column)` is true
// of it. One pass without a branch for each entry, which does not say what is wrong where.
template <class Box, class X, class W, class Also>
bool all_inside(const Box& box, const X& samples, const W& weights, const Also& also) {
  using Scalar = typename Box::Scalar;
  for (Eigen::Index i = 0; i < samples.cols(); ++i) {
    if (!(weights(i) > 0)) continue;
    bool inside = true;
    Scalar zero(0);  // or NaN
    for (Eigen::Index j = 0; j < box.dimension(); ++j) {
      const Scalar x = samples(j, i);
      inside = inside & box.holds(j, x);
      zero += x - x;
    }
    if (!inside || !(zero == 0) || !also(i)) return false;
  }
  return true;
}

// Throws where a sample is not finite or lies outside the box, but for those of weight 0.
template <class Box, class X, class W>
void require_inside(const Box& box, const X& samples, const W& weights) {
  if (all_inside(box, samples, weights, [](Eigen::Index) { return true; })) return;
  require_finite(samples, weights);
  for (Eigen::Index i = 0; i < samples.cols(); ++i) {
    if (!(weights(i) > 0)) continue;
    for (Eigen::Index j = 0; j < samples.rows(); ++j) {
      if (!box.holds(j, samples(j, i))) {
        fail(entry("samples", j, i, samples(j, i)), " lies outside the box; expected a value in [",
             box.lower()(j), ", ", box.upper()(j), "]");
      }
    }
  }
}

// "TruncatedSamples::merge: coordinate 1 of other's box is [0, 2]; expected [0, 1], as in this one"
template <class Box>
void require_same_box(const char* owner, const Box& box, const Box& other) {
  for (Eigen::Index j = 0; j < box.dimension(); ++j) {
    if (other.lower()(j) == box.lower()(j) && other.upper()(j) == box.upper()(j)) continue;
    fail(owner, ": coordinate ", j, " of other's box is [", other.lower()(j), ", ",
         other.upper()(j), "]; expected [", box.lower()(j), ", ", box.upper()(j),
         "], as in this one");
  }
}

}  // namespace detail

/// The domain of truncated samples: all x with lower_j <= x_j <= upper_j, either of them infinite
/// where there is no bound.
///
/// **Errors** std::invalid_argument for bounds of different lengths, a NaN, and lower_j < upper_j
/// not holding (an empty box).
///
/// **Allocation** none for a fixed Dim.
///
/// **Example** docs/snippets/truncated_data.cpp
template <Real Scalar_, int Dim_ = Eigen::Dynamic>
class Box {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;

  template <SamplesOf<Scalar, Dim> L, SamplesOf<Scalar, Dim> U>
  Box(const L& lower, const U& upper) {
    if (lower.cols() != 1 || upper.cols() != 1 || lower.rows() != upper.rows() ||
        lower.rows() < 1 || (Dim != Eigen::Dynamic && lower.rows() != Dim)) {
      detail::fail(
          "Box: lower is ", lower.rows(), " x ", lower.cols(), ", upper is ", upper.rows(), " x ",
          upper.cols(), "; expected two columns of ",
          Dim == Eigen::Dynamic ? std::string("the same length, at least 1") : detail::text_of(Dim),
          Dim == Eigen::Dynamic ? "" : " entries");
    }
    lower_ = lower.matrix();
    upper_ = upper.matrix();
    for (Eigen::Index j = 0; j < lower_.size(); ++j) {
      if (!(lower_(j) < upper_(j))) {
        detail::fail("Box: ", detail::entry("lower", j, lower_(j)), ", ",
                     detail::entry("upper", j, upper_(j)),
                     "; expected numbers, the lower bound below the upper");
      }
    }
  }

  /// All x with every x_j >= 0.
  static Box positive_orthant(Eigen::Index dimension) {
    detail::require_size("Box::positive_orthant", "dimension", dimension, Dim);
    return Box(Vector::Zero(dimension),
               Vector::Constant(dimension, std::numeric_limits<Scalar>::infinity()));
  }

  Eigen::Index dimension() const { return lower_.size(); }
  const Vector& lower() const { return lower_; }
  const Vector& upper() const { return upper_; }

  /// Whether coordinate j of a point in the box may be x. Which j there are is not checked.
  bool holds(Eigen::Index j, Scalar x) const {
    const bool above = x >= lower_(j);
    const bool below = x <= upper_(j);
    return above & below;
  }

  template <SamplesOf<Scalar, Dim> X>
  bool contains(const X& x) const {
    detail::require_rows(x, dimension());
    bool inside = true;
    detail::with_coefficients(x, [&](const auto& block) {
      for (Eigen::Index i = 0; i < block.cols(); ++i) {
        for (Eigen::Index j = 0; j < dimension(); ++j) {
          inside = inside && holds(j, block(j, i));
        }
      }
    });
    return inside;
  }

  /// Throws std::invalid_argument where a sample is not finite or lies outside, naming its row,
  /// column and value.
  template <SamplesOf<Scalar, Dim> X>
  void require_inside(const X& samples) const {
    detail::require_rows(samples, dimension());
    detail::with_coefficients(samples, [this](const auto& block) {
      detail::require_inside(*this, block, detail::Unweighted{});
    });
  }

  bool operator==(const Box& other) const {
    return dimension() == other.dimension() && lower_ == other.lower_ && upper_ == other.upper_;
  }

 private:
  Vector lower_;
  Vector upper_;
};

template <DenseExpression L, DenseExpression U>
Box(const L&, const U&) -> Box<typename L::Scalar, int(L::RowsAtCompileTime)>;

}  // namespace scorematch
