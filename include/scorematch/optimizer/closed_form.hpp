// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>

#include <utility>

namespace scorematch {

/// The exact minimum, for objectives that know it (`HasExactMinimum`). No iterations, no options;
/// the observer is not called, and the start is of no use. Call it by `minimize` or `fit`: they ask
/// first whether there is a minimum.
///
/// **Math** for a full Gaussian, under score matching as under maximum likelihood: mu = m, Sigma =
/// S.
///
/// **Cost** of the objective's `exact()`. For the d x d covariance of a Gaussian that is one
/// Cholesky factor and, under score matching, its inverse: d^3 / 3 flops each, and as many for the
/// covariance that `fit` returns, where the objective does not give it (`HasExactDistribution`).
struct ClosedForm {
  static constexpr bool exact = true;  // asks for HasExactMinimum

  template <class Parameters, HasExactMinimum<Parameters> Obj, Observer<Parameters> Obs>
  Minimum<Parameters> minimize(Obj& objective, const Parameters&, Obs&) const {
    using Scalar = typename Parameters::Scalar;
    auto known = objective.exact();
    const MaskOf<Scalar> finite = is_finite(known.loss);
    Minimum<Parameters> at{std::move(known.parameters), known.loss, Scalar(0), {}, {}};
    at.gradient_norm = select(finite, at.gradient_norm, at.loss);
    detail::set_where(!finite, at.status, Status::diverged);
    return at;
  }
};

}  // namespace scorematch
