#!/bin/sh
# Builds the benchmarks with g++ and clang++, runs them, prints the tables of docs/benchmarks.md
# (target beside measured ratio) and writes them and their plots into docs/.
#
# Usage: sh bench/run.sh [--quick | --check]
#   --quick: a moment for each benchmark, docs/ left alone; it shows that all of them build and run,
#            its figures mean little
#   --check: docs/ left alone, and a failure where a target is missed
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh
need g++ g++ clang++ clang cmake cmake ninja ninja-build eigen3/Eigen/Core libeigen3-dev \
  benchmark/benchmark.h libbenchmark-dev ceres/ceres.h libceres-dev gnuplot gnuplot-nox python3 python3

check=
case "${1:-}" in
  --quick) min_time=0.001 repetitions=1 compilations=1 contexts=1 results=build/bench/quick docs= ;;
  --check) check=--check min_time=0.05 repetitions=11 compilations=9 contexts=11 results=build/bench/check docs= ;;
  "") min_time=0.05 repetitions=11 compilations=9 contexts=11 results=build/bench/full docs=docs ;;
  *) echo "usage: sh bench/run.sh [--quick | --check]" >&2; exit 2 ;;
esac

cpu_has() {
  for flag in "$@"; do
    grep -qw "$flag" /proc/cpuinfo || return 1
  done
}

eigen=$(pkg-config --cflags eigen3 2>/dev/null || echo -I/usr/include/eigen3)
for preset in bench-gcc bench-clang; do
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" -j "$(jobs)"
done

rm -rf "$results"
for preset in bench-gcc bench-clang; do
  mkdir -p "$results/$preset"
  for source in bench/*_bench.cpp; do
    topic=$(basename "$source" .cpp)
    for name in "$topic" "${topic}_baseline" "${topic}_avx2" "${topic}_avx512"; do
      program=build/$preset/bench/$name
      [ -x "$program" ] || continue
      case $name in
        *_avx512) cpu_has avx512f avx512bw avx512cd avx512dq avx512vl || continue ;;
        *_avx2) cpu_has avx2 bmi2 fma || continue ;;
      esac
      echo "$preset $name"
      "$program" --benchmark_enable_random_interleaving=true --benchmark_repetitions=$repetitions \
        --benchmark_min_time=$min_time --benchmark_out="$results/$preset/$name.json" \
        --benchmark_out_format=json >"$results/$preset/$name.log" 2>&1 ||
        { cat "$results/$preset/$name.log" >&2; exit 1; }
    done
  done
done
for pair in bench-gcc:g++ bench-clang:clang++; do
  python3 bench/compile_time.py "${pair#*:}" "$eigen" $compilations "$results/${pair%:*}/compile_time.json"
  python3 bench/contexts.py "${pair#*:}" "$eigen" $contexts "$results/${pair%:*}/contexts.json"
done
[ -z "$docs" ] || sh bench/peers/run.sh "$results"
python3 bench/report.py "$results" ${docs:+--docs "$docs"} $check
[ -n "$docs$check" ] || printf '\n--quick: everything builds and runs; the figures mean little\n'
