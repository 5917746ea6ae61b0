// SPDX-License-Identifier: MIT
//
// What people ask of a fit, as functions of its parameters: `uncertainty(...).of(correlations(f))`.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/coupling.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/family/pairwise_gaussian_family.hpp>
#include <scorematch/inference/estimate.hpp>
#include <scorematch/linalg/dynamic.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <concepts>
#include <cstddef>
#include <vector>

namespace scorematch {

/// A family whose parameters are those of a precision matrix, perhaps cut off by a box.
template <class F>
concept PrecisionModel =
    FamilyTypes<F> && std::derived_from<F, PairwiseGaussianFamily<typename F::Scalar, F::Dim>>;

namespace detail {

template <class T>
using QuantityOf = Eigen::Matrix<T, Eigen::Dynamic, 1>;

// L, zero above the diagonal.
template <GaussianModel F, class Theta>
auto factor_at(const F& family, const Theta& theta) {
  using T = typename Theta::Scalar;
  DynamicMatrix<T> lower = DynamicMatrix<T>::Constant(family.dimension(), family.dimension(), T(0));
  family.unpack_cholesky(theta, lower);
  return lower;
}

template <PrecisionModel F, class Theta>
auto precision_at(const F& family, const Theta& theta) {
  using T = typename Theta::Scalar;
  const Eigen::Index d = family.dimension();
  DynamicMatrix<T> result(d, d);
  for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
    result(i, i) = theta(d + i);
    for (Eigen::Index j = 0; j < i; ++j) result(i, j) = result(j, i) = theta(k++);
  }
  return result;
}

// The inverse of L L^T.
template <class T>
DynamicMatrix<T> inverse_of_square(const DynamicMatrix<T>& lower) {
  const Eigen::Index d = lower.rows();
  DynamicMatrix<T> inverse(d, d);
  for (Eigen::Index j = 0; j < d; ++j) {
    for (Eigen::Index i = 0; i < d; ++i) {
      T sum(i == j ? 1 : 0);
      for (Eigen::Index k = j; k < i; ++k) sum -= lower(i, k) * inverse(k, j);
      inverse(i, j) = i < j ? T(0) : T(sum / lower(i, i));
    }
  }
  return inverse.transpose().lazyProduct(inverse);
}

template <GaussianModel F, class Theta>
auto precision_at(const F& family, const Theta& theta) {
  return inverse_of_square(factor_at(family, theta));
}

template <GaussianModel F, class Theta>
auto covariance_at(const F& family, const Theta& theta) {
  const auto lower = factor_at(family, theta);
  return DynamicMatrix<typename Theta::Scalar>(lower.lazyProduct(lower.transpose()));
}

template <PrecisionModel F, class Theta>
auto covariance_at(const F& family, const Theta& theta) {
  using T = typename Theta::Scalar;
  using std::sqrt;
  const DynamicMatrix<T> precision = precision_at(family, theta);
  DynamicMatrix<T> lower = DynamicMatrix<T>::Constant(precision.rows(), precision.cols(), T(0));
  for (Eigen::Index j = 0; j < lower.cols(); ++j) {
    for (Eigen::Index i = j; i < lower.rows(); ++i) {
      T sum = precision(i, j);
      for (Eigen::Index k = 0; k < j; ++k) sum -= lower(i, k) * lower(j, k);
      lower(i, j) = i == j ? T(sqrt(sum)) : T(sum / lower(j, j));
    }
  }
  return inverse_of_square(lower);
}

// The entries on and below the diagonal, row by row, or below alone.
template <class T>
QuantityOf<T> lower_entries(const DynamicMatrix<T>& matrix, bool with_diagonal) {
  const Eigen::Index d = matrix.rows();
  QuantityOf<T> result(with_diagonal ? d * (d + 1) / 2 : d * (d - 1) / 2);
  for (Eigen::Index i = 0, k = 0; i < d; ++i) {
    for (Eigen::Index j = 0; j < i + (with_diagonal ? 1 : 0); ++j) result(k++) = matrix(i, j);
  }
  return result;
}

// Entries below the diagonal over the roots of the diagonal, times `sign`.
template <class T>
QuantityOf<T> scaled_lower_entries(const DynamicMatrix<T>& matrix, int sign) {
  using std::sqrt;
  DynamicMatrix<T> scaled = matrix;
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    for (Eigen::Index j = 0; j < i; ++j) {
      scaled(i, j) = T(sign) * matrix(i, j) / sqrt(matrix(i, i) * matrix(j, j));
    }
  }
  return lower_entries(scaled, false);
}

// A quantity whose intervals are made on Fisher's scale.
template <class Function>
struct OnFisherScale {
  static constexpr IntervalScale scale = IntervalScale::fisher_z;
  Function function;

  template <class Theta>
  auto operator()(const Theta& theta) const {
    return function(theta);
  }
};
template <class Function>
OnFisherScale(Function) -> OnFisherScale<Function>;

}  // namespace detail

/// A family of normalized Gaussians in either parametrization.
template <class F>
concept NormalModel = WithoutEdge<F> && (GaussianModel<F> || PrecisionModel<F>);

/// The mean, Dim numbers.
template <NormalModel F>
auto means(const F& family) {
  return [family](const auto& theta) {
    using T = typename std::remove_cvref_t<decltype(theta)>::Scalar;
    detail::QuantityOf<T> first = theta.head(family.dimension());
    if constexpr (GaussianModel<F>) {
      return first;
    } else {
      return detail::QuantityOf<T>(detail::covariance_at(family, theta).lazyProduct(first));
    }
  };
}

/// The covariance, on and below the diagonal row by row: (0, 0), (1, 0), (1, 1), (2, 0), ...
template <NormalModel F>
auto covariances(const F& family) {
  return [family](const auto& theta) {
    return detail::lower_entries(detail::covariance_at(family, theta), true);
  };
}

/// The standard deviations, Dim numbers.
template <NormalModel F>
auto standard_deviations(const F& family) {
  return [family](const auto& theta) {
    using T = typename std::remove_cvref_t<decltype(theta)>::Scalar;
    using std::sqrt;
    const auto covariance = detail::covariance_at(family, theta);
    detail::QuantityOf<T> result(family.dimension());
    for (Eigen::Index i = 0; i < result.size(); ++i) result(i) = sqrt(covariance(i, i));
    return result;
  };
}

/// The correlations, below the diagonal row by row: (1, 0), (2, 0), (2, 1), ... Their intervals are
/// made on Fisher's scale.
template <NormalModel F>
auto correlations(const F& family) {
  return detail::OnFisherScale{[family](const auto& theta) {
    return detail::scaled_lower_entries(detail::covariance_at(family, theta), 1);
  }};
}

/// The precision matrix, on and below the diagonal row by row; also of a truncated Gaussian.
template <class F>
  requires GaussianModel<F> || PrecisionModel<F>
auto precisions(const F& family) {
  return [family](const auto& theta) {
    return detail::lower_entries(detail::precision_at(family, theta), true);
  };
}

/// The correlations of two coordinates given all others, -K_ij / sqrt(K_ii K_jj), below the
/// diagonal row by row. Their intervals are made on Fisher's scale.
template <class F>
  requires GaussianModel<F> || PrecisionModel<F>
auto partial_correlations(const F& family) {
  return detail::OnFisherScale{[family](const auto& theta) {
    return detail::scaled_lower_entries(detail::precision_at(family, theta), -1);
  }};
}

/// The parameters by which pairs act on each other, in the order of `family.couplings()`; of a pair
/// with several, one after the other.
template <PairwiseModel F>
auto couplings(const F& family) {
  std::vector<Eigen::Index> places;
  for (const Coupling& coupling : family.couplings()) {
    for (Eigen::Index k = 0; k < coupling.count; ++k) places.push_back(coupling.first + k);
  }
  return [places](const auto& theta) {
    using T = typename std::remove_cvref_t<decltype(theta)>::Scalar;
    detail::QuantityOf<T> result(static_cast<Eigen::Index>(places.size()));
    for (std::size_t k = 0; k < places.size(); ++k) {
      result(static_cast<Eigen::Index>(k)) = theta(places[k]);
    }
    return result;
  };
}

}  // namespace scorematch
