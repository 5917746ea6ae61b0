#!/bin/sh
# Installs what is missing, builds, and passes every test.
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh
need c++20 g++ cmake cmake make make eigen3/Eigen/Core libeigen3-dev doctest/doctest.h doctest-dev \
  Random123/threefry.h librandom123-dev cereal/cereal.hpp libcereal-dev pkg-config pkg-config git git
need_cmake
# The examples too at the tests' -O1, for the compiler's time; examples/run.sh builds them at -O3.
cmake -S . -B build/tests -G "Unix Makefiles" -DCMAKE_BUILD_TYPE=Release \
  "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG" -DSCOREMATCH_BUILD_TESTS=ON -DSCOREMATCH_BUILD_EXAMPLES=ON
cmake --build build/tests -j "$(jobs)"
exec ctest --test-dir build/tests --no-tests=error --output-on-failure -j "$(jobs)"
