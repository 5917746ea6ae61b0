// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <utility>

namespace scorematch {

namespace detail {

// What of a fit is numbers.
template <class Archive, class Parameters>
void archive_minimum(Archive& archive, Minimum<Parameters>& at) {
  using std::isnan;
  archive_mark<typename Parameters::Scalar>(archive, "Fit", Kept::fit);
  archive_size(archive, "Fit", "parameters", at.parameters.size());
  archive_entries(archive, at.parameters);
  archive_number(archive, at.loss);
  archive_number(archive, at.gradient_norm);
  at.iterations = archive_index(archive, at.iterations);
  const Eigen::Index status = archive_index(archive, static_cast<Eigen::Index>(at.status));
  if constexpr (reads<Archive>) {
    require_finite_column("Fit: parameters", at.parameters);
    if (isnan(at.loss) || !(at.gradient_norm >= 0) || at.iterations < 0) {
      fail("Fit: loss = ", at.loss, ", gradient_norm = ", at.gradient_norm,
           ", iterations = ", at.iterations, "; expected numbers, the last two at least 0");
    }
    constexpr auto last = static_cast<Eigen::Index>(Status::ambiguous);
    if (status < 0 || status > last) {
      fail("Fit: status = ", status, "; expected 0 to ", last);
    }
    at.status = static_cast<Status>(status);
  }
}

template <class Parameters>
bool same_minimum(const Minimum<Parameters>& a, const Minimum<Parameters>& b) {
  return same_entries(a.parameters, b.parameters) && same_number(a.loss, b.loss) &&
         same_number(a.gradient_norm, b.gradient_norm) && a.iterations == b.iterations &&
         a.status == b.status;
}

}  // namespace detail

/// What `fit` found: the minimum and the distribution there. `explain(fit.status)` says in a
/// sentence how it ended. With a `Pack` for a scalar, each lane has its own.
///
/// To keep one, give it to an archive: directly where its distribution has a `serialize`, as
/// `Gaussian` has, or by `write_fit` and `read_fit`, whatever the family.
// F is not constrained here: clang would look at the result type of `fit` before its constraints,
// and name this class where the user's family is incomplete.
template <class F>
struct Fit : Minimum<typename F::Parameters> {
  typename F::Distribution distribution;  ///< that at `parameters`

  /// Whether both are equal to the bit. (A distribution without an == follows from the parameters.)
  bool operator==(const Fit& other) const {
    bool same = detail::same_minimum(*this, other);
    if constexpr (std::equality_comparable<typename F::Distribution>) {
      same = same && distribution == other.distribution;
    }
    return same;
  }

  /// Writes the fit to an archive, or reads it from one, as `Moments::serialize` does.
  ///
  /// **Errors** reading, std::invalid_argument for another number of parameters and for numbers
  /// that no fit has, those of the distribution, and what the archive itself throws at its end. All
  /// leave this as it was.
  template <class Archive>
    requires detail::Archived<typename F::Distribution, Archive>
  void serialize(Archive& archive, unsigned version) {
    Minimum<typename F::Parameters> at = *this;
    detail::archive_minimum(archive, at);
    if constexpr (detail::reads<Archive>) {
      auto read = distribution;
      read.serialize(archive, version);
      *this = {std::move(at), std::move(read)};
    } else {
      distribution.serialize(archive, version);
    }
  }
};

/// Writes a fit of any family to an archive. What `serialize` does, but for what the archive puts
/// before an object; `read_fit` is its reader.
///
/// **Example** tests/state_test.cpp
template <class F, class Archive>
void write_fit(Archive& archive, const Fit<F>& fit) {
  Minimum<typename F::Parameters> at = fit;
  detail::archive_minimum(archive, at);
  if constexpr (detail::Archived<typename F::Distribution, Archive>) {
    auto distribution = fit.distribution;
    distribution.serialize(archive, 0U);
  }
}

/// The fit that `write_fit` wrote, to the bit. A distribution without a `serialize` is made by the
/// family again, which must be the same.
///
/// **Errors** as those of `Fit::serialize`, and those of the family's `distribution`.
template <Family F, class Archive>
Fit<F> read_fit(Archive& archive, const F& family) {
  Minimum<typename F::Parameters> at{family.start(), {}, {}, {}, {}};
  detail::archive_minimum(archive, at);
  auto distribution = family.distribution(at.parameters);
  if constexpr (detail::Archived<typename F::Distribution, Archive>) {
    distribution.serialize(archive, 0U);
  }
  return {std::move(at), std::move(distribution)};
}

}  // namespace scorematch
