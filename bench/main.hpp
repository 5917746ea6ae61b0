// What each benchmark program defines; main.cpp calls it. A benchmark is named
// "<what>/<case>/<who>", who being `library` or the reference beside it, so that report.py can pair
// them.
#pragma once

void register_benchmarks();
