// SPDX-License-Identifier: MIT
//
// Composes family, loss and optimizer.
#pragma once

#include <scorematch/fit/cross_validate.hpp>
#include <scorematch/fit/early_stopping.hpp>
#include <scorematch/fit/estimator.hpp>
#include <scorematch/fit/fit.hpp>
#include <scorematch/fit/fit_batch.hpp>
#include <scorematch/fit/minimize.hpp>
#include <scorematch/fit/multi_start.hpp>
#include <scorematch/fit/observer.hpp>
#include <scorematch/fit/path.hpp>
#include <scorematch/fit/refit.hpp>
#include <scorematch/fit/result.hpp>
#include <scorematch/fit/selection.hpp>
