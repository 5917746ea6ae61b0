// SPDX-License-Identifier: MIT
//
// Turns a family and a summary into an objective.
#pragma once

#include <scorematch/loss/box_weighting.hpp>
#include <scorematch/loss/denoising_score_matching.hpp>
#include <scorematch/loss/gaussian/gaussian_objective.hpp>
#include <scorematch/loss/generalized_score_matching.hpp>
#include <scorematch/loss/negative_log_likelihood.hpp>
#include <scorematch/loss/pairs/column_pairs.hpp>
#include <scorematch/loss/pairs/column_sums.hpp>
#include <scorematch/loss/pairs/coupling_estimate.hpp>
#include <scorematch/loss/pairs/gaussian_pairs.hpp>
#include <scorematch/loss/pairs/l1.hpp>
#include <scorematch/loss/pairs/pair_coordinate.hpp>
#include <scorematch/loss/pairs/pair_weights.hpp>
#include <scorematch/loss/pairs/penalized_columns.hpp>
#include <scorematch/loss/pairs/penalized_gaussian.hpp>
#include <scorematch/loss/pairs/precision_estimate.hpp>
#include <scorematch/loss/penalized.hpp>
#include <scorematch/loss/quadratic/block_factors.hpp>
#include <scorematch/loss/quadratic/block_points.hpp>
#include <scorematch/loss/quadratic/centered_objective.hpp>
#include <scorematch/loss/quadratic/coordinate_block.hpp>
#include <scorematch/loss/quadratic/quadratic_objective.hpp>
#include <scorematch/loss/quadratic/quadratic_summary.hpp>
#include <scorematch/loss/quadratic/summand.hpp>
#include <scorematch/loss/quadratic/summation.hpp>
#include <scorematch/loss/quadratic/weighting.hpp>
#include <scorematch/loss/sampled/mean_for.hpp>
#include <scorematch/loss/sampled/mean_of_terms.hpp>
#include <scorematch/loss/sampled/mini_batches.hpp>
#include <scorematch/loss/sampled/point_loss.hpp>
#include <scorematch/loss/sampled/randomized_objective.hpp>
#include <scorematch/loss/sampled/sample_objective.hpp>
#include <scorematch/loss/sampled/stored_samples.hpp>
#include <scorematch/loss/sampled/truncated_samples.hpp>
#include <scorematch/loss/score_matching.hpp>
#include <scorematch/loss/sliced_score_matching.hpp>
#include <scorematch/loss/weight_function.hpp>
#if defined(SCOREMATCH_HAS_PACKS)
#include <scorematch/loss/sampled/recorded_mean.hpp>
#endif
