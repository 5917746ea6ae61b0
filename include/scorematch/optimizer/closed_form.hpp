#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/optimizer/descent.hpp>
#include <scorematch/scalar.hpp>
#include <scorematch/status.hpp>

namespace scorematch {

/// The exact minimum, for objectives that know it (`HasMinimizer`). No iterations, no options; the
/// start is not used and the observer is not called.
///
/// **Math** for a full Gaussian, under score matching as under maximum likelihood: mu = m, Sigma =
/// S.
///
/// **Cost** of the objective's `minimizer()`, and one value and gradient to report.
struct ClosedForm {
  static constexpr bool exact = true;  // asks for HasMinimizer

  template <class Parameters, HasMinimizer<Parameters> Obj, Observer<Parameters> Obs>
  Minimum<Parameters> minimize(Obj& objective, const Parameters& start, Obs&) const {
    using Scalar = typename Parameters::Scalar;
    Minimum<Parameters> at{objective.minimizer(), Scalar(0), Scalar(0), {}, {}};  // converged
    if constexpr (DetectsUnbounded<Obj>) {
      detail::set_where(objective.unbounded(), at.status, Status::unbounded);
      detail::assign_where(objective.unbounded(), at.parameters, start);
    }
    Parameters gradient(start.size());
    at.loss = objective(at.parameters, gradient);
    at.gradient_norm = detail::gradient_norm(gradient);
    const MaskOf<Scalar> finite_loss = is_finite(at.loss);
    const MaskOf<Scalar> finite_norm = is_finite(at.gradient_norm);
    detail::set_where(!(finite_loss & finite_norm), at.status, Status::diverged);
    return at;
  }
};

}  // namespace scorematch
