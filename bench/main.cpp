// The main function of every benchmark here.
#include "main.hpp"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>

namespace {

std::string compiler() {
#ifdef __clang__
  return "clang++ " + std::to_string(__clang_major__) + '.' + std::to_string(__clang_minor__) +
         '.' + std::to_string(__clang_patchlevel__);
#else
  return "g++ " __VERSION__;
#endif
}

}  // namespace

int main(int argc, char** argv) {
#ifndef NDEBUG
  std::fprintf(stderr, "built with assertions on: figures would mean nothing\n");
  return 1;
#endif
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("compiler", compiler());
  benchmark::AddCustomContext("eigen", BENCH_EIGEN_VERSION);
  register_benchmarks();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
