// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/vector_register.hpp>
#include <scorematch/fit/fit.hpp>
#include <scorematch/linalg/triangular.hpp>
#if defined(SCOREMATCH_HAS_PACKS)
#include <scorematch/core/pack.hpp>
#include <scorematch/data/packed_moments.hpp>
#endif

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace scorematch {

namespace detail {

// Two AVX-512 registers' worth, four of AVX2 or SSE: enough independent work to hide the latency
// of one fit, few enough to keep fits of two spins in the registers.
template <class Scalar>
inline constexpr int default_lanes =
    (EIGEN_MAX_STATIC_ALIGN_BYTES >= 64 ? 128 : 64) / int(sizeof(Scalar));

// The loss and the optimizer take the family over packs, and its summary can be filled lane by
// lane. Large matrices of packs would not fit the cache.
template <class F, class L, class Optimizer, class P>
concept FitsInLockstep = int(F::Dim) != Eigen::Dynamic && int(F::Dim) <= 8 &&
                         LockstepFamily<F, P> && LossFor<L, FamilyOver<F, P>> &&
                         OptimizerFor<Optimizer, ObjectiveOf<L, FamilyOver<F, P>>,
                                      typename FamilyOver<F, P>::Parameters> &&
                         requires(SummaryOf<L, FamilyOver<F, P>>& packed,
                                  const SummaryOf<L, F>& summary) { packed.lane(0) = summary; };

}  // namespace detail

/// Fits one family to many summaries, each on its own: the same as a loop over `fit`, many times
/// as fast for small fixed sizes, where several fits run in lockstep in the lanes of a `Pack`.
///
/// Each result equals that of fitting the summary alone, up to rounding (which a walk that does not
/// settle down amplifies, here as anywhere). A fit that has ended waits for the others of its pack,
/// so problems of similar difficulty go best together.
///
/// In lockstep run families that model `LockstepFamily`, of a fixed Dim of at most 8, with every
/// loss and optimizer that take them over packs: `GaussianFamily`. Everything else is fitted one by
/// one. `Lanes` is the number of fits in lockstep, a power of two; 1 for none.
///
/// **Errors** as those of `fit`, for the first problem that has one, by its index ("summaries[3]:
/// ..."), after options that are out of range for all of them. How a walk ends is no error: each
/// problem has its own status.
///
/// **Allocation** the result.
///
/// **Example** docs/snippets/batch.cpp
template <int Lanes = 0, Family F, LossFor<F> L,
          OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer>
std::vector<Fit<F>> fit_batch(const F& family, const L& loss, const Optimizer& optimizer,
                              std::type_identity_t<std::span<const SummaryOf<L, F>>> summaries) {
  if constexpr (requires { optimizer.require_options(); }) optimizer.require_options();
  constexpr int lanes = Lanes == 0 ? detail::default_lanes<typename F::Scalar> : Lanes;
  for (std::size_t k = 0; k < summaries.size(); ++k) {
    if (!(summaries[k].count() > 0)) {
      detail::fail("fit_batch: problem ", k, " has no samples (count = 0); expected at least one");
    }
  }
  std::vector<Fit<F>> fits;
  fits.reserve(summaries.size());
  const auto fit_next_alone = [&] {
    detail::with_place("summaries", fits.size(), [&] {
      fits.push_back(scorematch::fit(family, loss, optimizer, summaries[fits.size()]));
    });
  };
#if defined(SCOREMATCH_HAS_PACKS)
  if constexpr (lanes > 1 && VectorLane<typename F::Scalar>) {
    using P = Pack<typename F::Scalar, lanes>;
    if constexpr (detail::FitsInLockstep<F, L, Optimizer, P>) {
      const auto packed_family = family.template with_scalar<P>();
      auto packed = loss.summary(packed_family);
      for (std::size_t done = 0; summaries.size() - done > 1; done = fits.size()) {
        const int size = static_cast<int>((std::min)(summaries.size() - done, std::size_t(lanes)));
        // Lanes to spare repeat the last problem.
        for (int k = 0; k < lanes; ++k) {
          packed.lane(k) = summaries[done + std::size_t((std::min)(k, size - 1))];
        }
        const bool fitted = detail::accepted([&] {
          auto together = scorematch::fit(packed_family, loss, optimizer, packed);
          for (int k = 0; k < size; ++k) {
            fits.push_back({{detail::lane_of(together.parameters, k), together.loss[k],
                             together.gradient_norm[k], together.iterations[std::size_t(k)],
                             together.status[std::size_t(k)]},
                            together.distribution[std::size_t(k)]});
          }
        });
        // A refusal of the pack does not say which problem it is about: that problem's own does.
        for (int k = 0; !fitted && k < size; ++k) fit_next_alone();
      }
    }
  }
#endif
  while (fits.size() < summaries.size()) fit_next_alone();
  return fits;
}

/// Fits one family to many blocks of samples, each on its own.
///
/// **Shapes** each block as the samples of `fit`.
template <int Lanes = 0, Family F, LossFor<F> L,
          OptimizerFor<ObjectiveOf<L, F>, typename F::Parameters> Optimizer,
          SamplesOf<typename F::Scalar, F::Dim> X>
std::vector<Fit<F>> fit_batch(const F& family, const L& loss, const Optimizer& optimizer,
                              const std::vector<X>& blocks) {
  std::vector<SummaryOf<L, F>> summaries;
  summaries.reserve(blocks.size());
  for (const X& block : blocks) {
    summaries.push_back(loss.summary(family));
    detail::with_place("blocks", summaries.size() - 1, [&] { summaries.back().add(block); });
  }
  return scorematch::fit_batch<Lanes>(family, loss, optimizer, std::span(std::as_const(summaries)));
}

}  // namespace scorematch
