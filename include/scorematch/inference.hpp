// SPDX-License-Identifier: MIT
//
// What a fit is worth.
#pragma once

#include <scorematch/inference/bootstrap.hpp>
#include <scorematch/inference/chains.hpp>
#include <scorematch/inference/divergence.hpp>
#include <scorematch/inference/estimate.hpp>
#include <scorematch/inference/explain.hpp>
#include <scorematch/inference/gaussian_divergence.hpp>
#include <scorematch/inference/hessian.hpp>
#include <scorematch/inference/long_run.hpp>
#include <scorematch/inference/model_score.hpp>
#include <scorematch/inference/normal.hpp>
#include <scorematch/inference/point_gradients.hpp>
#include <scorematch/inference/quantities.hpp>
#include <scorematch/inference/quantity.hpp>
#include <scorematch/inference/resampling.hpp>
#include <scorematch/inference/stein.hpp>
#include <scorematch/inference/stein_kernel.hpp>
#include <scorematch/inference/test_of_fit.hpp>
#include <scorematch/inference/uncertainty.hpp>
