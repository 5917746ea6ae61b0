// What each benchmark program defines; main.cpp calls it. A benchmark is named
// "<what>/<case>/<who>", who being `library` or the reference beside it, so that report.py can pair
// them. The two do the same work in an iteration, and their program checks that before it times
// them.
#pragma once

void register_benchmarks();
