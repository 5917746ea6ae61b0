#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/optimizer/descent.hpp>

namespace scorematch {

/// The exact minimum, for objectives that know it (`HasMinimizer`). No iterations, no options; the
/// observer is not called, and the start is what an unbounded objective returns, of no use else.
///
/// **Math** for a full Gaussian, under score matching as under maximum likelihood: mu = m, Sigma =
/// S.
///
/// **Cost** of the objective's `minimizer()` and, for what is reported, of its `minimum()`, or
/// where it has none (`HasMinimum`) of one value and gradient. For the d x d covariance of a
/// Gaussian that is one Cholesky factor and, under score matching, its inverse: d^3 / 3 flops each,
/// and as many for the covariance that `fit` returns, where the objective does not give it
/// (`HasDistribution`).
struct ClosedForm {
  static constexpr bool exact = true;  // asks for HasMinimizer

  template <class Parameters, HasMinimizer<Parameters> Obj, Observer<Parameters> Obs>
  Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs&) const {
    using Scalar = typename Parameters::Scalar;
    Minimum<Parameters> at{objective.minimizer(), Scalar(0), Scalar(0), {}, {}};  // converged
    MaskOf<Scalar> unbounded = false;
    if constexpr (DetectsUnbounded<Obj>) {
      unbounded = objective.unbounded();
      detail::set_where(unbounded, at.status, Status::unbounded);
      detail::assign_where(unbounded, at.parameters, start);
    }
    report(objective, unbounded, at);
    const MaskOf<Scalar> finite_loss = is_finite(at.loss);
    const MaskOf<Scalar> finite_norm = is_finite(at.gradient_norm);
    detail::set_where(!(finite_loss & finite_norm), at.status, Status::diverged);
    return at;
  }

 private:
  // Loss and gradient at the parameters.
  template <class Obj, class Mask, class Parameters>
  static void report(Obj& objective, const Mask& unbounded, Minimum<Parameters>& at) {
    if constexpr (HasMinimum<Obj, Parameters>) {
      if (!any(unbounded)) {
        at.loss = objective.minimum();
        at.gradient_norm = select(is_finite(at.loss), at.gradient_norm, at.loss);
        return;
      }
    }
    Parameters gradient(at.parameters.size());
    at.loss = objective(at.parameters, gradient);
    at.gradient_norm = detail::gradient_norm(gradient);
  }
};

}  // namespace scorematch
