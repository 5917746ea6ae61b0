// SPDX-License-Identifier: MIT
//
// Numbers that carry derivatives.
#pragma once

#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/dual.hpp>
#include <scorematch/derivative/forward_curvature.hpp>
#include <scorematch/derivative/forward_laplacian.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/number.hpp>
#include <scorematch/derivative/recorded/not_recorded.hpp>
#include <scorematch/derivative/second_order.hpp>
#include <scorematch/derivative/taylor2.hpp>
#include <scorematch/derivative/variables.hpp>
#if defined(SCOREMATCH_HAS_PACKS)
#include <scorematch/derivative/recorded/elementary.hpp>
#include <scorematch/derivative/recorded/forward_replay.hpp>
#include <scorematch/derivative/recorded/functions.hpp>
#include <scorematch/derivative/recorded/gradients.hpp>
#include <scorematch/derivative/recorded/jet_products.hpp>
#include <scorematch/derivative/recorded/layout.hpp>
#include <scorematch/derivative/recorded/line_forward.hpp>
#include <scorematch/derivative/recorded/line_replay.hpp>
#include <scorematch/derivative/recorded/line_rows.hpp>
#include <scorematch/derivative/recorded/program.hpp>
#include <scorematch/derivative/recorded/recorded.hpp>
#include <scorematch/derivative/recorded/recording.hpp>
#include <scorematch/derivative/recorded/replay.hpp>
#include <scorematch/derivative/recorded/replay_memory.hpp>
#include <scorematch/derivative/recorded/writer.hpp>
#endif
