// SPDX-License-Identifier: MIT
//
// The words that every room speaks: numbers and packs of them, concepts, errors, how a walk ends.
#pragma once

#include <scorematch/core/archive.hpp>
#include <scorematch/core/concepts.hpp>
#include <scorematch/core/concepts/domain.hpp>
#include <scorematch/core/concepts/family.hpp>
#include <scorematch/core/concepts/loss.hpp>
#include <scorematch/core/concepts/objective.hpp>
#include <scorematch/core/concepts/optimizer.hpp>
#include <scorematch/core/concepts/penalty.hpp>
#include <scorematch/core/concepts/samples.hpp>
#include <scorematch/core/coupling.hpp>
#include <scorematch/core/gamma.hpp>
#include <scorematch/core/machine.hpp>
#include <scorematch/core/parameters.hpp>
#include <scorematch/core/random.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>
#include <scorematch/core/threads.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/core/vector_register.hpp>
#include <scorematch/core/version.hpp>
#if defined(SCOREMATCH_HAS_PACKS)
#include <scorematch/core/pack.hpp>
#endif
