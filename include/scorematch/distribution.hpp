// SPDX-License-Identifier: MIT
//
// One density.
#pragma once

#include <scorematch/distribution/gaussian.hpp>
#include <scorematch/distribution/gaussian_mixture.hpp>
#include <scorematch/distribution/student_t.hpp>
#include <scorematch/distribution/truncated_gaussian.hpp>
#include <scorematch/distribution/unnormalized_density.hpp>
#include <scorematch/distribution/wide.hpp>
