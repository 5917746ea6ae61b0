// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>

namespace scorematch::detail {

// What is asked of the second derivatives in x beside the gradient: nothing; the Laplacian;
// sum_i h_i d_ii with an h for each sample; or, for derivatives along one line, the second of them
// (the gradient then is the first).
enum class SecondOrder { none, laplacian, weighted, along };

}  // namespace scorematch::detail
