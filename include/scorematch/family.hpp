// SPDX-License-Identifier: MIT
//
// A set of densities and its coordinates.
#pragma once

#include <scorematch/family/differentiated.hpp>
#include <scorematch/family/energy_family.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/family/gaussian_mixture_family.hpp>
#include <scorematch/family/graph.hpp>
#include <scorematch/family/local_frame.hpp>
#include <scorematch/family/log_cholesky.hpp>
#include <scorematch/family/pairwise_gaussian_family.hpp>
#include <scorematch/family/phi_four_family.hpp>
#include <scorematch/family/polynomial_family.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/family/statistic_derivatives.hpp>
#include <scorematch/family/statistics.hpp>
#include <scorematch/family/student_t_family.hpp>
#include <scorematch/family/truncated_gaussian_family.hpp>
#include <scorematch/family/von_mises_family.hpp>
