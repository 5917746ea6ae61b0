// SPDX-License-Identifier: MIT
//
// Numbers that carry derivatives.
#pragma once

#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/derivative/forward_curvature.hpp>
#include <scorematch/derivative/forward_laplacian.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/number.hpp>
#include <scorematch/derivative/taylor2.hpp>
#include <scorematch/derivative/variables.hpp>
