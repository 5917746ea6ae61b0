// SPDX-License-Identifier: MIT
//
// The version, in one place: CMakeLists.txt reads it from here.
#pragma once

#define SCOREMATCH_VERSION_MAJOR 0
#define SCOREMATCH_VERSION_MINOR 1
#define SCOREMATCH_VERSION_PATCH 0
