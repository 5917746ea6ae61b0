cmake_minimum_required(VERSION 3.23)

# Every header, also the private ones, is a translation unit of its own, twice over, without a
# warning. Those that include Eigen find it parsed already, where the compiler is g++: it is two
# thirds of the time.
file(GLOB_RECURSE headers RELATIVE "${INCLUDE}" "${INCLUDE}/*.hpp")
list(FILTER headers INCLUDE REGEX "/.*/")  # the doors are nothing but includes
set(eigen "${BINARY}/eigen.hpp")
file(WRITE "${eigen}" "#include <Eigen/Core>\n")
execute_process(COMMAND "${COMPILER}" "@${FLAGS}" "@${WARNINGS}" -x c++-header "${eigen}"
  -o "${eigen}.gch" ERROR_QUIET)
set(failed "")
foreach(header IN LISTS headers)
  file(WRITE "${BINARY}/alone.cpp" "#include <${header}>\n#include <${header}>\n")
  file(STRINGS "${INCLUDE}/${header}" first_eigen REGEX "^#include <Eigen/" LIMIT_COUNT 1)
  set(parsed "")
  if(first_eigen STREQUAL "#include <Eigen/Core>")
    set(parsed -include "${eigen}")
  endif()
  execute_process(
    COMMAND "${COMPILER}" "@${FLAGS}" "@${WARNINGS}" ${parsed} -fsyntax-only "${BINARY}/alone.cpp"
    RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(APPEND failed "${header}")
  endif()
endforeach()
if(failed OR NOT headers)
  message(FATAL_ERROR "These headers do not compile alone: ${failed}")
endif()
