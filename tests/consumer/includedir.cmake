cmake_minimum_required(VERSION 3.23)

# The pkg-config file names the folder of the headers where that is relative to the prefix, and where
# it is absolute.
file(REMOVE_RECURSE "${BINARY}")
foreach(includedir include include/sub "${BINARY}/elsewhere")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE}" -B "${BINARY}/build" -C "${SHARED_CACHE}"
            -DSCOREMATCH_BUILD_TESTS=OFF -DSCOREMATCH_BUILD_EXAMPLES=OFF
            "-DCMAKE_INSTALL_INCLUDEDIR=${includedir}" "-DCMAKE_INSTALL_PREFIX=${BINARY}/prefix"
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  file(STRINGS "${BINARY}/build/scorematch.pc" found REGEX "^includedir=")
  if(IS_ABSOLUTE "${includedir}")
    set(expected "includedir=${includedir}")
  else()
    set(expected "includedir=\${prefix}/${includedir}")
  endif()
  if(NOT found STREQUAL expected)
    message(FATAL_ERROR "CMAKE_INSTALL_INCLUDEDIR=${includedir}: \"${found}\", expected \"${expected}\"")
  endif()
endforeach()
