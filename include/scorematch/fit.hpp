// SPDX-License-Identifier: MIT
//
// Composes family, loss and optimizer.
#pragma once

#include <scorematch/fit/fit.hpp>
#include <scorematch/fit/fit_batch.hpp>
#include <scorematch/fit/multi_start.hpp>
#include <scorematch/fit/observer.hpp>
