// scorematch: probability models fitted by matching the gradient of the log density.
//
// This header is the whole library; it needs Eigen alone. Example programs are in examples/.
#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/data/quadratic_form.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/derivative/forward_curvature.hpp>
#include <scorematch/derivative/forward_laplacian.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/number.hpp>
#include <scorematch/derivative/taylor2.hpp>
#include <scorematch/derivative/variables.hpp>
#include <scorematch/distribution/gaussian.hpp>
#include <scorematch/distribution/gaussian_mixture.hpp>
#include <scorematch/distribution/student_t.hpp>
#include <scorematch/distribution/unnormalized_density.hpp>
#include <scorematch/family/differentiated.hpp>
#include <scorematch/family/energy_family.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/family/gaussian_mixture_family.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/family/student_t_family.hpp>
#include <scorematch/fit.hpp>
#include <scorematch/inference/divergence.hpp>
#include <scorematch/inference/model_score.hpp>
#include <scorematch/inference/stein.hpp>
#include <scorematch/loss/negative_log_likelihood.hpp>
#include <scorematch/loss/quadratic_objective.hpp>
#include <scorematch/loss/quadratic_summary.hpp>
#include <scorematch/loss/sample_objective.hpp>
#include <scorematch/loss/score_matching.hpp>
#include <scorematch/multi_start.hpp>
#include <scorematch/observer.hpp>
#include <scorematch/optimizer/adam.hpp>
#include <scorematch/optimizer/closed_form.hpp>
#include <scorematch/optimizer/gradient_descent.hpp>
#include <scorematch/optimizer/lbfgs.hpp>
#include <scorematch/optimizer/momentum.hpp>
#include <scorematch/parallel/batch.hpp>
#include <scorematch/scalar.hpp>
#include <scorematch/status.hpp>
#include <scorematch/version.hpp>
