#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/detail/require.hpp>

#include <Eigen/Core>

#include <concepts>
#include <limits>
#include <string>

namespace scorematch {

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

  template <SamplesOf<Scalar, Dim> X>
  bool contains(const X& x) const {
    detail::require_rows(x, dimension());
    for (Eigen::Index i = 0; i < x.cols(); ++i) {
      for (Eigen::Index j = 0; j < dimension(); ++j) {
        if (!(x(j, i) >= lower_(j) && x(j, i) <= upper_(j))) return false;
      }
    }
    return true;
  }

  /// Throws std::invalid_argument where a sample is not finite or lies outside, naming its row,
  /// column and value.
  template <SamplesOf<Scalar, Dim> X>
  void require_inside(const X& samples) const {
    detail::require_rows(samples, dimension());
    detail::require_finite(samples);
    for (Eigen::Index i = 0; i < samples.cols(); ++i) {
      for (Eigen::Index j = 0; j < dimension(); ++j) {
        if (!(samples(j, i) >= lower_(j) && samples(j, i) <= upper_(j))) {
          detail::fail(detail::entry("samples", j, i, samples(j, i)),
                       " lies outside the box; expected a value in [", lower_(j), ", ", upper_(j),
                       "]");
        }
      }
    }
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

/// A family or a model that knows where its densities end: `box()`.
template <class M>
concept HasBox = requires(const M& model) {
  { model.box() } -> std::convertible_to<Box<typename M::Scalar, M::Dim>>;
};

}  // namespace scorematch
