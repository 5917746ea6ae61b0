// SPDX-License-Identifier: MIT
//
// Checks on samples as they arrive, and the sentences that name what is wrong with them.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

namespace scorematch::detail {

template <class X>
concept HasStorage = requires(const X& x) {
  { x.data() } -> std::convertible_to<const typename X::Scalar*>;
  x.colStride();
};

// Hands `use` something with coefficients at hand: the object itself where it has storage, else one
// evaluation (an expression may hide a product, which a block-wise reader would compute many
// times).
template <class X, class Use>
void with_coefficients(const X& expression, Use&& use) {
  if constexpr ((X::Flags & Eigen::DirectAccessBit) == 0) {
    const typename X::PlainObject evaluated = expression;
    use(evaluated);
  } else {
    use(expression);
  }
}

inline constexpr int as_given = -2;  // for the number of rows: what the type says

// Hands `use` a map of the samples, or of their one evaluation: with columns of adjacent numbers or
// with any strides, and with no more types than these two. A summary's reader is long, and compiled
// for each type that it is given.
template <int Dim, class X, class Use>
void with_samples(const X& samples, Use&& use) {
  constexpr int rows = Dim == as_given ? int(X::RowsAtCompileTime) : Dim;
  using Matrix = Eigen::Matrix<typename X::Scalar, rows, Eigen::Dynamic>;
  if constexpr (!HasStorage<X>) {
    const Matrix evaluated(samples);
    with_samples<Dim>(evaluated, use);
  } else if constexpr (!X::IsRowMajor && !Matrix::IsRowMajor &&
                       int(X::InnerStrideAtCompileTime) == 1) {
    using Stride = Eigen::OuterStride<>;
    use(Eigen::Map<const Matrix, 0, Stride>(samples.data(), samples.rows(), samples.cols(),
                                            Stride(samples.colStride())));
  } else {
    using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
    const Eigen::Index across = samples.colStride(), down = samples.rowStride();
    use(Eigen::Map<const Matrix, 0, Stride>(
        samples.data(), samples.rows(), samples.cols(),
        Matrix::IsRowMajor ? Stride(down, across) : Stride(across, down)));
  }
}

// The same of weights, with one type for all rows and columns.
template <class W, class Use>
void with_weights(const W& weights, Use&& use) {
  using Vector = Eigen::Matrix<typename W::Scalar, Eigen::Dynamic, 1>;
  if constexpr (!HasStorage<W>) {
    const typename W::PlainObject evaluated(weights);
    with_weights(evaluated, use);
  } else {
    using Stride = Eigen::InnerStride<>;
    use(Eigen::Map<const Vector, 0, Stride>(
        weights.data(), weights.size(),
        Stride(int(W::ColsAtCompileTime) == 1 ? weights.rowStride() : weights.colStride())));
  }
}

// The address of samples that lie one after the other in memory, else null.
template <class X>
const typename X::Scalar* address_of_contiguous(const X& samples) {
  if constexpr (HasStorage<X>) {
    const Eigen::Index d = samples.rows();
    if (samples.colStride() == d && (d == 1 || samples.rowStride() == 1)) return samples.data();
  }
  return nullptr;
}

template <class X>
void require_rows(const X& samples, Eigen::Index dimension) {
  if (samples.rows() != dimension) {
    fail("samples have ", samples.rows(), " rows; expected ", dimension,
         " (one sample per column, one row per coordinate)");
  }
}

// The samples with the given indices, in that order.
template <class X>
Eigen::Matrix<typename X::Scalar, X::RowsAtCompileTime, Eigen::Dynamic> columns_of(
    const X& samples, const std::vector<Eigen::Index>& which) {
  Eigen::Matrix<typename X::Scalar, X::RowsAtCompileTime, Eigen::Dynamic> result(
      samples.rows(), static_cast<Eigen::Index>(which.size()));
  for (std::size_t k = 0; k < which.size(); ++k) {
    result.col(static_cast<Eigen::Index>(k)) = samples.col(which[k]);
  }
  return result;
}

// The weights of samples that have none.
struct Unweighted {
  constexpr int operator()(Eigen::Index) const { return 1; }
};

// A sample of weight 0 is absent: nothing looks at it.
template <class X, class W = Unweighted>
void require_finite(const X& samples, const W& weights = W()) {
  using std::isfinite;
  for (Eigen::Index j = 0; j < samples.cols(); ++j) {
    if (!(weights(j) > 0)) continue;
    for (Eigen::Index i = 0; i < samples.rows(); ++i) {
      if (!isfinite(samples(i, j))) {
        fail(entry("samples", i, j, samples(i, j)), "; expected a finite value");
      }
    }
  }
}

// Zero, or NaN where an entry is not finite: for a sum that is refused where it is not finite. A
// loop, so that the compiler can take several samples at once.
template <class Vector>
EIGEN_ALWAYS_INLINE typename Vector::Scalar zero_if_finite(const Vector& x) {
  typename Vector::Scalar sum(0);
  for (Eigen::Index i = 0; i < x.size(); ++i) sum += x(i) - x(i);
  return sum;
}

template <class W>
void require_weights(const W& weights, Eigen::Index samples) {
  using std::isfinite;
  if (weights.size() != samples) {
    fail("weights have ", weights.size(), " entries; expected one for each of the ", samples,
         " samples");
  }
  for (Eigen::Index j = 0; j < samples; ++j) {
    if (!(weights(j) >= 0) || !isfinite(weights(j))) {
      fail(entry("weights", j, weights(j)), "; expected a finite number, at least 0");
    }
  }
}

// Hands `use` samples and weights that fit together, each with coefficients at hand.
template <int Dim = as_given, class X, class W, class Use>
void with_weighted(const X& samples, const W& weights, Eigen::Index dimension, Use&& use) {
  require_rows(samples, dimension);
  with_weights(weights, [&](const auto& weight) {
    require_weights(weight, samples.cols());
    with_samples<Dim>(samples, [&](const auto& block) { use(block, weight); });
  });
}

}  // namespace scorematch::detail
