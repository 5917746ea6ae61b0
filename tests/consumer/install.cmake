cmake_minimum_required(VERSION 3.23)

# Installs BUILD below PREFIX, by way of another place: what is installed can be moved.
file(REMOVE_RECURSE "${PREFIX}" "${PREFIX}.first")
execute_process(
  COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --config "${CONFIG}" --prefix "${PREFIX}.first"
  COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${PREFIX}.first" "${PREFIX}")

# A path of this machine in an installed file would tie the package to it.
file(GLOB_RECURSE installed "${PREFIX}/*")
foreach(file IN LISTS installed)
  file(READ "${file}" text)
  foreach(place "${SOURCE}" "${BUILD}")
    string(FIND "${text}" "${place}" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} names ${place}")
    endif()
  endforeach()
endforeach()
