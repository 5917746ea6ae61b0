// SPDX-License-Identifier: MIT
//
// Dense kernels, fixed and blocked; private to the library.
#pragma once

#include <scorematch/linalg/blocked.hpp>
#include <scorematch/linalg/cholesky.hpp>
#include <scorematch/linalg/dynamic.hpp>
#include <scorematch/linalg/polar_factor.hpp>
#include <scorematch/linalg/product.hpp>
#include <scorematch/linalg/register_strip.hpp>
#include <scorematch/linalg/semidefinite_solve.hpp>
#include <scorematch/linalg/smallest_eigenvalue.hpp>
#include <scorematch/linalg/sparse_columns.hpp>
#include <scorematch/linalg/tile.hpp>
#include <scorematch/linalg/transpose.hpp>
#include <scorematch/linalg/triangular.hpp>
