// SPDX-License-Identifier: MIT
//
// scorematch: probability models fitted by matching the gradient of the log density.
//
// This header is the whole library; it needs Eigen alone. Example programs are in examples/.
#pragma once

#include <scorematch/core.hpp>
#include <scorematch/data.hpp>
#include <scorematch/derivative.hpp>
#include <scorematch/distribution.hpp>
#include <scorematch/family.hpp>
#include <scorematch/fit.hpp>
#include <scorematch/inference.hpp>
#include <scorematch/linalg.hpp>
#include <scorematch/loss.hpp>
#include <scorematch/optimizer.hpp>
