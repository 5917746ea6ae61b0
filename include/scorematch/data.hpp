// SPDX-License-Identifier: MIT
//
// What was seen: samples and their summaries.
#pragma once

#include <scorematch/data/block_sums.hpp>
#include <scorematch/data/box.hpp>
#include <scorematch/data/covariance.hpp>
#include <scorematch/data/median.hpp>
#include <scorematch/data/moment_sums.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/data/quadratic_form.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/data/samples.hpp>
#if defined(SCOREMATCH_HAS_PACKS)
#include <scorematch/data/packed_moments.hpp>
#endif
