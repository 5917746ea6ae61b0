cmake_minimum_required(VERSION 3.23)

# Every header, also the private ones, is a translation unit of its own, twice over, without a
# warning.
file(GLOB_RECURSE headers RELATIVE "${INCLUDE}" "${INCLUDE}/*.hpp")
set(failed "")
foreach(header IN LISTS headers)
  file(WRITE "${BINARY}/alone.cpp" "#include <${header}>\n#include <${header}>\n")
  execute_process(
    COMMAND "${COMPILER}" "@${FLAGS}" "@${WARNINGS}" -fsyntax-only "${BINARY}/alone.cpp"
    RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(APPEND failed "${header}")
  endif()
endforeach()
if(failed OR NOT headers)
  message(FATAL_ERROR "These headers do not compile alone: ${failed}")
endif()
