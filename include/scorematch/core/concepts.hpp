// SPDX-License-Identifier: MIT
//
// The joints of the library. A family, a loss and an optimizer are any types that model these;
// none has a base class. docs/concepts.md has one table for each, with models to copy.
#pragma once

#include <scorematch/core/concepts/domain.hpp>
#include <scorematch/core/concepts/family.hpp>
#include <scorematch/core/concepts/loss.hpp>
#include <scorematch/core/concepts/objective.hpp>
#include <scorematch/core/concepts/optimizer.hpp>
#include <scorematch/core/concepts/penalty.hpp>
#include <scorematch/core/concepts/samples.hpp>
