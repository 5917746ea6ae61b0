#!/bin/sh
# Installs what is missing, builds the examples, and runs the founding notebook. BUILD names the folder
# to build in.
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh
need c++20 g++ cmake cmake make make eigen3/Eigen/Core libeigen3-dev
need_cmake
build=${BUILD:-build/examples}
cmake -S . -B "$build" -G "Unix Makefiles" -DCMAKE_BUILD_TYPE=Release \
  -DSCOREMATCH_BUILD_TESTS=OFF -DSCOREMATCH_BUILD_EXAMPLES=ON >build-examples.log 2>&1 ||
  { cat build-examples.log >&2; exit 1; }
rm -f build-examples.log
cmake --build "$build" -j "$(jobs)"
echo
exec "$build/examples/notebook" "${1:-$build/notebook_picture}"
