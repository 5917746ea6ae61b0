// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>

namespace scorematch {

/// A family or a model whose densities end at the edge of a box, `box()`.
template <class M>
concept HasBox = requires(const M& model) { model.box(); };

/// A family on all of R^Dim. What most losses take: at an edge their integration by parts is wrong.
template <class F>
concept WithoutEdge = !HasBox<F>;

/// What is about angles says so with `static constexpr bool periodic = true`: a model whose density
/// has the period 2 pi in every coordinate, the statistics of such models, a kernel for them. A
/// model that says nothing, and has no box (`HasBox`), has a density on all of R^Dim.
template <class T>
concept Periodic = requires { requires bool(T::periodic); };

}  // namespace scorematch
