// SPDX-License-Identifier: MIT
//
// How sure a fit is: the covariance of its parameters over samples like these, and of what follows
// from them.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/fit/result.hpp>
#include <scorematch/inference/estimate.hpp>
#include <scorematch/inference/explain.hpp>
#include <scorematch/inference/long_run.hpp>
#include <scorematch/inference/point_gradients.hpp>
#include <scorematch/inference/quantity.hpp>
#include <scorematch/linalg/dynamic.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <string>
#include <utility>

namespace scorematch {

/// How sure the parameters of a fit are, as `uncertainty` finds it.
///
/// **Math** with l the loss of one sample, H the mean of its second derivatives at the estimate and
/// V the covariance of its gradients, the estimate is nearly normal about the true parameters, or
/// about those of the nearest density of the family, with covariance H^-1 V H^-1 / n (Godambe 1960;
/// Huber 1967; White 1982: the sandwich). V is larger where samples depend on each other. Few
/// samples are allowed for by n - 1 in place of n, for a full Gaussian by the jackknife's factors
/// for mean and covariance, and by Student's t in intervals.
template <Real Scalar_>
struct Uncertainty {
  using Scalar = Scalar_;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

  Vector parameters;   ///< theta, K
  Scalar loss;         ///< at theta
  double count;        ///< n
  Matrix hessian;      ///< H, K x K
  Matrix variability;  ///< V, K x K
  Matrix covariance;   ///< of theta: H^-1 V H^-1 / (n - 1)
  /// V is that of samples of the fitted density itself, not of those that were seen: right only if
  /// the family holds the true one.
  bool from_model = false;

  /// theta itself, with its errors.
  Estimate<Scalar> estimate() const {
    return {parameters, covariance, IntervalScale::itself, count - 1};
  }
  Vector standard_errors() const { return estimate().standard_errors(); }
  /// As of `Estimate::interval`.
  Interval<Scalar> interval(double level = 0.95) const { return estimate().interval(level); }

  /// Any function of theta, by the delta method.
  ///
  /// **Math** covariance D C D^T, with D the derivative of the quantity and C the covariance of
  /// theta.
  ///
  /// **Errors** std::invalid_argument where the quantity or its derivative is not finite.
  ///
  /// **Cost** K / 8 evaluations on dual numbers, and O(m K^2) for m numbers.
  template <Quantity<Scalar> Q>
  Estimate<Scalar> of(const Q& quantity) const {
    Vector values;
    const Matrix slopes = detail::derivative_of_quantity<Scalar>(quantity, parameters, &values);
    for (Eigen::Index i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values(i)) || !slopes.row(i).allFinite()) {
        detail::fail("Uncertainty::of: entry ", i, " of the quantity is ", values(i),
                     ", or its derivative is not finite; expected finite numbers");
      }
    }
    IntervalScale scale = IntervalScale::itself;
    if constexpr (requires { Q::scale; }) scale = Q::scale;
    return {values, slopes * covariance * slopes.transpose(), scale, count - 1};
  }

  /// tr(H^-1 V): n times what the loss of the fit on its own samples is too small by on average.
  /// For the likelihood of a family that holds the true density it is K.
  Scalar optimism() const {
    return static_cast<Scalar>(count - (from_model ? 0 : 1)) *
           hessian.cwiseProduct(covariance).sum();
  }

  /// n J + tr(H^-1 V): an estimate of n times the loss on samples that were not seen; the model
  /// with the smallest one is to be preferred (score matching information criterion: Matsuda,
  /// Uehara and Hyvarinen 2021). In the unit of the loss, to be compared between fits of one loss
  /// to the same samples.
  Scalar information_criterion() const { return static_cast<Scalar>(count) * loss + optimism(); }
};

namespace detail {

inline void require_converged(Status status) {
  if (status != Status::converged) {
    fail("uncertainty: the fit ended as ", std::string(to_string(status)),
         "; expected one that has converged. ", std::string(explain(status)));
  }
}

template <Real Scalar>
DynamicMatrix<Scalar> symmetric(const DynamicMatrix<Scalar>& matrix) {
  return (matrix + matrix.transpose()) / 2;
}

// What is left of numbers beyond the range or the digits of Scalar is no error of anything.
template <class F, Real Scalar>
void require_errors(const F& family, const DynamicMatrix<Scalar>& covariance) {
  for (Eigen::Index k = 0; k < covariance.rows(); ++k) {
    if (!(covariance(k, k) > 0) || !covariance.row(k).allFinite()) {
      fail("uncertainty: the variance of ", parameter_name(family, k), " is ", covariance(k, k),
           "; expected a number above 0: the samples do not determine it, or not in the range and "
           "to the digits at hand (center and scale them)");
    }
  }
}

[[noreturn]] inline void refuse_other_fit(const std::string& what) {
  fail("uncertainty: the fit is not the minimum of this loss on these samples (", what,
       "); expected the family, the loss and the samples of the fit, without a penalty");
}

}  // namespace detail

/// How sure a fit to these samples is: the sandwich covariance of its parameters.
///
/// **Math** that of `Uncertainty`. H is exact for Gaussians and exponential families, elsewhere of
/// central differences of the gradient. A full Gaussian is seen in coordinates in which it is the
/// standard normal. V is what `dependence` makes of the
/// gradients of the loss of each sample, in the order of the samples: `Independent`, or for chains
/// `BatchMeans`, `OverlappingBatchMeans` or `NeweyWest`.
///
/// **Shapes** samples Dim x n, the same as those of the fit; K parameters, n > K.
///
/// **Loss** one with a `point`: score matching, generalized score matching and the likelihood. Not
/// a penalized one, whose estimate is biased by its penalty.
///
/// **Errors** std::invalid_argument for a fit that has not converged, for samples of another
/// dimension or not finite, for no more samples than parameters, where the loss does not curve at
/// the fit (with the parameters that are not determined), where the fit is not at the minimum of
/// this loss on these samples, and those of `dependence`.
///
/// **Cost** n gradients of the loss of one sample, each of K / 8 passes over dual numbers, and
/// O(n K^2). **Allocation** O(K^2); for chains also K x n.
///
/// **Example** docs/snippets/uncertainty.cpp
template <Family F, LossFor<F> L, SamplesOf<typename F::Scalar, F::Dim> X,
          LongRunCovariance<typename F::Scalar> Dependence = Independent>
  requires Real<typename F::Scalar> && HasPoint<L, F>
Uncertainty<typename F::Scalar> uncertainty(const Fit<F>& fit, const F& family, const L& loss,
                                            const X& samples, const Dependence& dependence = {}) {
  using Scalar = typename F::Scalar;
  using Parameters = typename F::Parameters;
  using Matrix = detail::DynamicMatrix<Scalar>;
  detail::require_converged(fit.status);
  detail::require_parameters(fit.parameters, family.parameter_count());
  detail::require_rows(samples, family.dimension());
  const Eigen::Matrix<Scalar, F::Dim, Eigen::Dynamic> own = samples;
  detail::require_finite(own);
  const Parameters& theta = fit.parameters;
  const Eigen::Index n = own.cols();
  if (n <= theta.size()) {
    detail::fail("uncertainty: ", n, " samples for ", theta.size(),
                 " parameters; expected more samples than parameters");
  }
  auto summary = loss.summary(family);
  summary.add(own);
  auto objective = loss.objective(family, std::move(summary));
  Parameters unused = theta;
  const Scalar value = objective(theta, unused);

  auto points = detail::gradients_of(family, loss, own, theta);
  Matrix variability;
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> mean;
  if constexpr (std::same_as<Dependence, Independent>) {
    constexpr Eigen::Index block = 256;
    Moments<Scalar> gradients(theta.size());
    for (Eigen::Index first = 0; first < n; first += block) {
      gradients.add(points.columns(first, (std::min)(block, n - first)));
    }
    variability = gradients.covariance();
    mean = gradients.mean();
  } else {
    const Matrix series = points.columns(0, n);
    variability = dependence.template long_run<Scalar>(series);
    mean = series.rowwise().mean();
  }
  const auto variances = variability.diagonal();
  for (Eigen::Index k = 0; k < theta.size(); ++k) {
    if (!(variances(k) > 0)) {
      detail::fail("uncertainty: the gradients of the samples by ",
                   detail::parameter_name(family, k), " have variance ", variances(k),
                   ": the samples do not determine it, or their numbers leave the range");
    }
  }
  const Matrix inverse = points.inverse_curvature(objective, variances);
  const auto freedom = static_cast<Scalar>(n - 1);
  Matrix covariance = detail::symmetric<Scalar>(points.to_theta(
                          points.to_theta(inverse * variability * inverse).transpose())) /
                      freedom;
  detail::require_errors<F, Scalar>(family, covariance);
  // How far the minimum is from the fit, in errors.
  const Matrix away = points.to_theta(inverse * mean);
  for (Eigen::Index k = 0; k < theta.size(); ++k) {
    const Scalar errors = std::abs(away(k)) / std::sqrt(covariance(k, k));
    if (!(errors < Scalar(0.2))) {
      detail::refuse_other_fit(detail::text_of(detail::parameter_name(family, k), " is about ",
                                               errors, " standard errors from it"));
    }
  }
  Matrix hessian = points.curvature(objective, variances);
  if constexpr (GaussianModel<F>) {
    variability = detail::symmetric<Scalar>(hessian * covariance * hessian) * freedom;
  }
  return {.parameters = detail::dynamic_of(theta),
          .loss = value,
          .count = static_cast<double>(n),
          .hessian = std::move(hessian),
          .variability = std::move(variability),
          .covariance = std::move(covariance)};
}

/// The same from moments, which have forgotten the samples: with V of the fitted Gaussian itself
/// (`from_model`). Right where the samples are independent and normal; else use the samples.
///
/// **Math** the inverse of Fisher's information over n: the score matching estimate of a full
/// Gaussian is that of maximum likelihood. n is the sum of the weights, where samples were weighed:
/// right for weights that are counts.
///
/// **Errors** as above.
///
/// **Cost** O(K^3).
template <GaussianModel F, LossFor<F> L>
  requires Real<typename F::Scalar> && HasPoint<L, F>
Uncertainty<typename F::Scalar> uncertainty(const Fit<F>& fit, const F& family, const L& loss,
                                            const Moments<typename F::Scalar, F::Dim>& moments) {
  using Scalar = typename F::Scalar;
  using Matrix = detail::DynamicMatrix<Scalar>;
  detail::require_converged(fit.status);
  detail::require_parameters(fit.parameters, family.parameter_count());
  auto objective = loss.objective(family, moments);
  const typename F::Parameters& theta = fit.parameters;
  const auto n = static_cast<Scalar>(moments.count());
  if (moments.count() <= static_cast<double>(theta.size())) {
    detail::fail("uncertainty: ", moments.count(), " samples for ", theta.size(),
                 " parameters; expected more samples than parameters");
  }
  const Scalar off = objective.distance_to_minimum(theta) * std::sqrt(n);
  if (!(off < Scalar(0.2))) {
    detail::refuse_other_fit(detail::text_of("about ", off, " standard errors away"));
  }
  // Of the standard normal Fisher's information is 1, and 2 for the logarithms of deviations.
  const Eigen::Index d = family.dimension();
  Matrix unit = Matrix::Identity(theta.size(), theta.size());
  for (Eigen::Index i = 0; i < d; ++i) unit(d + i, d + i) = std::sqrt(Scalar(0.5));
  const Matrix none(d, 0);
  const detail::WhitenedGradients<F, Matrix> frame(family, none, theta);
  const Matrix root = frame.to_theta(unit);
  const Matrix covariance = root * root.transpose() / n;
  detail::require_errors<F, Scalar>(family, covariance);
  const Matrix hessian = objective.hessian(theta);
  return {.parameters = detail::dynamic_of(theta),
          .loss = fit.loss,
          .count = static_cast<double>(moments.count()),
          .hessian = hessian,
          .variability = detail::symmetric<Scalar>(hessian * covariance * hessian) * n,
          .covariance = covariance,
          .from_model = true};
}

}  // namespace scorematch
