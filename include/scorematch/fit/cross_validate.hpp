// SPDX-License-Identifier: MIT
//
// What a fit loses on samples that it has not seen.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/fit/fit.hpp>
#include <scorematch/fit/selection.hpp>

#include <Eigen/Core>

#include <cmath>
#include <utility>
#include <vector>

namespace scorematch {

/// The loss on samples that were left out, K-fold.
template <Real Scalar_>
struct CrossValidatedLoss {
  using Scalar = Scalar_;

  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> folds;  ///< the mean loss of each fold
  Scalar mean;                                     ///< over all samples
  Scalar standard_error;     ///< of the folds' mean: their standard deviation over the root of K
  Eigen::Index unconverged;  ///< how many of the fits were not `converged`
};

/// Leaves out one fold after the other, fits what is left, and takes the loss of the fit on what
/// was left out: an estimate of the loss on samples that are not seen, for any family, loss and
/// optimizer. Of two models that are fitted by one loss, the one with the smaller loss is to be
/// preferred.
///
/// **Shapes** samples Dim x n. The folds are of the seed of `criterion` and of equal size up to
/// one; its `one_standard_error` is for paths.
///
/// **Errors** std::invalid_argument for fewer than 2 folds or more than samples, and those of
/// `fit`, with the fold. Where a fit has no minimum, its loss is that at the start that it returns:
/// look at `unconverged`.
///
/// **Cost** of K fits. The same for any number of threads.
///
/// **Example** tests/cross_validate_test.cpp
template <Family F, LossFor<F> L, OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          SamplesOf<typename F::Scalar, F::Dim> X>
  requires Real<typename F::Scalar>
CrossValidatedLoss<typename F::Scalar> cross_validate(const F& family, const L& loss,
                                                      const Optimizer& optimizer, const X& samples,
                                                      const CrossValidation& criterion = {}) {
  using Scalar = typename F::Scalar;
  detail::require_rows(samples, family.dimension());
  const Eigen::Matrix<Scalar, F::Dim, Eigen::Dynamic> own = samples;
  const Eigen::Index folds = detail::fold_count(criterion, own.cols());
  CrossValidatedLoss<Scalar> result{{}, 0, 0, 0};
  result.folds.resize(folds);
  std::vector<Status> ended(static_cast<std::size_t>(folds), Status::converged);
  std::vector<Eigen::Index> sizes(static_cast<std::size_t>(folds));
  detail::for_each_fold(own, criterion,
                        [&](Eigen::Index fold, const auto& rest, const auto& left_out) {
                          const auto fit = scorematch::fit(family, loss, optimizer, rest);
                          auto summary = loss.summary(family);
                          summary.add(left_out);
                          auto objective = loss.objective(family, std::move(summary));
                          typename F::Parameters gradient = fit.parameters;
                          result.folds(fold) = objective(fit.parameters, gradient);
                          ended[static_cast<std::size_t>(fold)] = fit.status;
                          sizes[static_cast<std::size_t>(fold)] = left_out.cols();
                        });
  for (Eigen::Index fold = 0; fold < folds; ++fold) {
    const auto k = static_cast<std::size_t>(fold);
    result.mean += result.folds(fold) * static_cast<Scalar>(sizes[k]);
    if (ended[k] != Status::converged) ++result.unconverged;
  }
  result.mean /= static_cast<Scalar>(own.cols());
  const auto count = static_cast<Scalar>(folds);
  result.standard_error =
      std::sqrt((result.folds.array() - result.folds.mean()).square().sum() / (count - 1) / count);
  return result;
}

}  // namespace scorematch
