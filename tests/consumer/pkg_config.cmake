cmake_minimum_required(VERSION 3.23)

# Compiles the consumer with no build system at all: one line and pkg-config.
find_program(PKG_CONFIG pkg-config)
if(NOT PKG_CONFIG)
  message(STATUS "SKIPPED: pkg-config is not installed")
  return()
endif()
# Eigen's own file lies beside its package where Eigen is not installed with the system.
set(ENV{PKG_CONFIG_PATH} "${PC_DIR}:${EIGEN_DIR}/../../pkgconfig:$ENV{PKG_CONFIG_PATH}")
execute_process(COMMAND "${PKG_CONFIG}" --exists eigen3 RESULT_VARIABLE missing)
if(missing)
  message(STATUS "SKIPPED: pkg-config does not know eigen3 (no eigen3.pc)")
  return()
endif()

function(ask variable)
  execute_process(COMMAND "${PKG_CONFIG}" ${ARGN} scorematch
    OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(${variable} "${answer}" PARENT_SCOPE)
endfunction()
ask(version --modversion)
ask(flags --cflags)
separate_arguments(flags UNIX_COMMAND "${flags}")

file(REMOVE_RECURSE "${BINARY}")
file(MAKE_DIRECTORY "${BINARY}")
execute_process(
  COMMAND "${COMPILER}" -std=c++20 "-DEXPECTED_VERSION=\"${version}\"" main.cpp other.cpp ${flags}
          -o "${BINARY}/consumer"
  WORKING_DIRECTORY "${SOURCE}" COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${BINARY}/consumer" COMMAND_ERROR_IS_FATAL ANY)
