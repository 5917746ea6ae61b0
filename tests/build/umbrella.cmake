cmake_minimum_required(VERSION 3.23)

# The umbrella header is the whole library, and brings in nothing but Eigen and the standard library.
file(GLOB_RECURSE headers RELATIVE "${INCLUDE}" "${INCLUDE}/*.hpp")
set(problems "")
foreach(header IN LISTS headers)
  file(STRINGS "${INCLUDE}/${header}" license LIMIT_COUNT 1)
  if(NOT license STREQUAL "// SPDX-License-Identifier: MIT")
    list(APPEND problems "${header} begins with \"${license}\"; expected the SPDX line")
  endif()
  file(STRINGS "${INCLUDE}/${header}" includes REGEX "^ *# *include")
  foreach(line IN LISTS includes)
    # A header of the standard library has neither a folder nor an extension; Eigen includes that of
    # the processor's intrinsics too.
    if(NOT line MATCHES
       "^#include <(scorematch/[a-z0-9_/]+\\.hpp|Eigen/[A-Za-z]+|immintrin\\.h|[a-z_]+)>$")
      list(APPEND problems "${header} has ${line}")
    endif()
  endforeach()
endforeach()

file(WRITE "${BINARY}/umbrella.cpp" "#include <scorematch/scorematch.hpp>\n")
execute_process(COMMAND "${COMPILER}" "@${FLAGS}" -M "${BINARY}/umbrella.cpp"
  OUTPUT_VARIABLE dependencies COMMAND_ERROR_IS_FATAL ANY)
foreach(header IN LISTS headers)
  string(FIND "${dependencies}" "${INCLUDE}/${header}" at)
  if(at EQUAL -1)
    list(APPEND problems "scorematch.hpp leaves out ${header}")
  endif()
endforeach()
string(REGEX MATCHALL "[^ \n]*/(doctest|benchmark|boost|gsl|Random123|unsupported|mpi)[^ \n]*"
  strangers "${dependencies}")
foreach(path IN LISTS strangers)
  list(APPEND problems "scorematch.hpp reaches ${path}")
endforeach()
if(problems)
  list(JOIN problems "\n  " problems)
  message(FATAL_ERROR "\n  ${problems}")
endif()
