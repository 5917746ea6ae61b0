// SPDX-License-Identifier: MIT
//
// Kernels for the Stein discrepancy, and the length at which they look.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/random.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/data/box.hpp>
#include <scorematch/data/samples.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <vector>

namespace scorematch {

// --- kernels -------------------------------------------------------------------------------------

/// A radial kernel k(x, y) = kappa(rho), rho = |x - y|^2 / length^2, and its first two derivatives
/// in rho.
template <Real Scalar>
struct RadialKernel {
  Scalar value;
  Scalar first;
  Scalar second;
};

/// What `stein_discrepancy` asks of a kernel: kappa with its derivatives, a length in the units of
/// the samples, or none where it is to be their median distance, and a check of its options that
/// throws std::invalid_argument.
///
/// Laws: kappa(|x - y|^2) is a positive definite function of x - y in every dimension.
template <class Kernel, class Scalar>
concept SteinKernel = requires(const Kernel& kernel, Scalar rho) {
  { kernel(rho) } -> std::same_as<RadialKernel<Scalar>>;
  { kernel.length } -> std::convertible_to<std::optional<double>>;
  kernel.require_options();
};

namespace detail {

inline void require_length(const char* owner, const std::optional<double>& length) {
  using std::isfinite;
  if (length) {
    require_option(*length > 0 && isfinite(*length), owner, "length", *length,
                   "a finite number above 0, or none for the median distance");
  }
}

}  // namespace detail

/// The inverse multiquadric kernel, kappa(rho) = (offset^2 + rho)^exponent.
///
/// Its tails fall slowly, so that the discrepancy also sees what is wrong far from the bulk: with
/// an exponent between -1 and 0 it controls convergence where that of a Gaussian kernel fails to in
/// three dimensions and more (Gorham and Mackey 2017).
struct InverseMultiquadric {
  /// In units of x; none: the median distance of the samples.
  std::optional<double> length = std::nullopt;
  double exponent = -0.5;
  double offset = 1;

  void require_options() const {
    using std::isfinite;
    detail::require_length("InverseMultiquadric", length);
    detail::require_option(exponent > -1 && exponent < 0, "InverseMultiquadric", "exponent",
                           exponent, "a number above -1 and below 0");
    const double square = offset * offset;
    detail::require_option(offset > 0 && square > 0 && isfinite(square), "InverseMultiquadric",
                           "offset", offset, "a number above 0 whose square is a finite one too");
  }

  template <Real Scalar>
  RadialKernel<Scalar> operator()(Scalar rho) const {
    using std::pow;
    using std::sqrt;
    const Scalar c = static_cast<Scalar>(offset);
    const Scalar b = static_cast<Scalar>(exponent);
    const Scalar base = c * c + rho;
    const Scalar value = b == Scalar(-0.5) ? 1 / sqrt(base) : pow(base, b);
    const Scalar first = b * value / base;
    return {value, first, (b - 1) * first / base};
  }
};

/// The Gaussian kernel, kappa(rho) = exp(-rho / 2).
struct GaussianKernel {
  /// In units of x; none: the median distance of the samples.
  std::optional<double> length = std::nullopt;

  void require_options() const { detail::require_length("GaussianKernel", length); }

  template <Real Scalar>
  RadialKernel<Scalar> operator()(Scalar rho) const {
    using std::exp;
    const Scalar value = exp(-rho / 2);
    return {value, -value / 2, value / 4};
  }
};

/// A radial kernel for densities that end at the edge of a box (`HasBox`): it vanishes there, as
/// Stein's identity asks.
///
/// **Math** component i of a test function has the kernel h_i(x_i) kappa(rho) h_i(y_i) with
/// h = g(distance to the lower bound) g(distance to the upper bound),
/// g(r) = r / sqrt(length^2 + r^2): 0 at the edge, 1 from a few lengths inside on, and 1 for a
/// bound that is infinite. Without bounds it is the radial kernel. (Xu 2022
/// tests truncated densities; the weights are those of Yu, Drton and Shojaie 2019 in kind.)
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <class Radial = InverseMultiquadric>
struct BoxKernel : Radial {
  static constexpr bool vanishes_at_edge = true;
};
template <class Radial>
BoxKernel(Radial) -> BoxKernel<Radial>;

/// A radial kernel for densities of angles (`Periodic`): a function of the chords between points on
/// circles, so that it has their period.
///
/// **Math** kappa(rho) with rho = sum_i |e^(i x_i) - e^(i y_i)|^2 / length^2
/// = sum_i 4 sin^2((x_i - y_i) / 2) / length^2: a radial kernel of (cos x, sin x), and positive
/// definite as that is. (Xu and Matsuda 2021 test on tori.)
///
/// **Units** the length is that of a chord of the unit circle, at most 2; radians where it is
/// small.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <class Radial = InverseMultiquadric>
struct PeriodicKernel : Radial {
  static constexpr bool periodic = true;
};
template <class Radial>
PeriodicKernel(Radial) -> PeriodicKernel<Radial>;

/// A kernel that vanishes at the edge of the model's box.
template <class Kernel>
concept VanishesAtEdge = requires { requires bool(Kernel::vanishes_at_edge); };

/// The kernel of `stein_discrepancy` and `stein_test` where none is given: the inverse multiquadric
/// for the domain of the model.
template <class Model>
using DefaultSteinKernel =
    std::conditional_t<HasBox<Model>, BoxKernel<>,
                       std::conditional_t<Periodic<Model>, PeriodicKernel<>, InverseMultiquadric>>;

// --- distances between samples -------------------------------------------------------------------

/// The median of the distances between samples that are not zero: the usual length of a kernel.
///
/// Beyond 500 samples only 500 are compared: one of each of 500 runs of columns, at a place that is
/// drawn (always the same), so that no period in the order of the samples hides any of them.
///
/// **Units** those of the samples.
///
/// **Errors** std::invalid_argument for samples that are not finite or whose distances overflow,
/// and where no two samples differ.
///
/// **Cost** O(Dim min(n, 500)^2). **Allocation** at most 1 MB of distances (of double).
template <DenseExpression X>
  requires Real<typename X::Scalar>
typename X::Scalar median_distance(const X& samples) {
  using Scalar = typename X::Scalar;
  using std::hypot;
  using std::isfinite;
  std::vector<Scalar> distances;
  detail::with_coefficients(samples, [&](const auto& block) {
    detail::require_finite(block);
    const Eigen::Index n = block.cols();
    const Eigen::Index used = (std::min)(n, Eigen::Index(500));
    std::vector<Eigen::Index> columns;
    detail::RandomNumbers random(500);
    for (Eigen::Index k = 0; k < used; ++k) {
      const Eigen::Index begin = k * n / used;
      columns.push_back(begin + random.below((k + 1) * n / used - begin));
    }
    distances.reserve(columns.size() * columns.size() / 2);
    for (std::size_t b = 1; b < columns.size(); ++b) {
      for (std::size_t a = 0; a < b; ++a) {
        const Eigen::Index i = columns[a];
        const Eigen::Index j = columns[b];
        Scalar distance(0);
        for (Eigen::Index k = 0; k < block.rows(); ++k) {
          distance = hypot(distance, block(k, i) - block(k, j));
        }
        if (!isfinite(distance)) {
          detail::fail("the distance of samples ", i, " and ", j,
                       " overflows; expected a finite one (rescale the samples)");
        }
        if (distance > 0) distances.push_back(distance);
      }
    }
  });
  if (distances.empty()) {
    detail::fail("the ", samples.cols(),
                 " samples have no distance above 0; expected two that differ, or a kernel with "
                 "a length of its own");
  }
  const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  return *middle;
}

}  // namespace scorematch
