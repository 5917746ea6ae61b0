// SPDX-License-Identifier: MIT
//
// Walks an objective to its minimum.
#pragma once

#include <scorematch/optimizer/adam.hpp>
#include <scorematch/optimizer/averaged.hpp>
#include <scorematch/optimizer/closed_form.hpp>
#include <scorematch/optimizer/convergence.hpp>
#include <scorematch/optimizer/coordinate_descent.hpp>
#include <scorematch/optimizer/descent.hpp>
#include <scorematch/optimizer/gradient_descent.hpp>
#include <scorematch/optimizer/lbfgs.hpp>
#include <scorematch/optimizer/momentum.hpp>
#include <scorematch/optimizer/norm.hpp>
#include <scorematch/optimizer/step_schedule.hpp>
#include <scorematch/optimizer/support_step.hpp>
#include <scorematch/optimizer/wolfe_search.hpp>
