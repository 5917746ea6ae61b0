// How an example checks what it shows: it returns EXIT_FAILURE where that is not so.
#pragma once

#include <cstdio>

// Whether it holds; where it does not, says so.
inline bool expect(bool holds, const char* what) {
  if (!holds) std::fprintf(stderr, "not as expected: %s\n", what);
  return holds;
}
