cmake_minimum_required(VERSION 3.23)

# Compiles CASE, which must be rejected:
#   the first error is at the line marked "// error here"; or, where the case says "// expect-header",
#   in a header, which then names that line as the place that asked for it;
#   the output has the words of every "// expect: ..." line;
#   the compiler does not crash.
file(STRINGS "${CASE}" lines)
set(number 0)
set(marked 0)
set(in_header FALSE)
set(expected "")
foreach(line IN LISTS lines)
  math(EXPR number "${number} + 1")
  if(line MATCHES "// error here")
    set(marked "${number}")
  elseif(line MATCHES "^// expect: (.*)$")
    list(APPEND expected "${CMAKE_MATCH_1}")
  elseif(line MATCHES "^// expect-header")
    set(in_header TRUE)
  endif()
endforeach()
if(NOT marked OR NOT expected)
  message(FATAL_ERROR "${CASE}: no line marked \"// error here\", or none that begins \"// expect: \"")
endif()

set(ENV{LC_ALL} C)
execute_process(COMMAND "${COMPILER}" "@${FLAGS}" ${PARSED} -fsyntax-only "${CASE}"
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)

set(problems "")
if(result EQUAL 0)
  list(APPEND problems "it compiles")
endif()
if(output MATCHES "internal compiler error|PLEASE submit a bug report")
  list(APPEND problems "the compiler crashed")
endif()

string(FIND "${output}" "${CASE}:${marked}:" at)
if(at EQUAL -1)
  list(APPEND problems "it does not name line ${marked}")
elseif(NOT in_header)
  string(REGEX MATCH "[^\n]*error:[^\n]*" first "${output}")
  string(FIND "${first}" "${CASE}:${marked}:" at)
  if(NOT at EQUAL 0)
    list(APPEND problems "the first error is not at line ${marked} but ${first}")
  endif()
endif()

# Neither the name of the case nor its own line, which the compiler quotes, explains anything.
string(REPLACE "${CASE}" "" explanation "${output}")
string(REGEX REPLACE "[^\n]*// error here[^\n]*" "" explanation "${explanation}")
foreach(words IN LISTS expected)
  string(FIND "${explanation}" "${words}" at)
  if(at EQUAL -1)
    list(APPEND problems "nowhere does it say: ${words}")
  endif()
endforeach()
if(problems)
  list(JOIN problems "\n  " problems)
  # Not as the error itself: CMake would refill the compiler's lines.
  message("${CASE}:\n  ${problems}\n\n${output}")
  message(FATAL_ERROR "The wrong call is not reported as it should be")
endif()
