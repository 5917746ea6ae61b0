cmake_minimum_required(VERSION 3.23)

# Runs what stands after "--". Its exit status must be RESULT, and its output must match EXPECTED.
include("${CMAKE_CURRENT_LIST_DIR}/command_line.cmake")
execute_process(COMMAND ${command}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result STREQUAL RESULT)
  message(FATAL_ERROR "exit status ${result}; expected ${RESULT}\n${output}")
endif()
if(NOT output MATCHES "${EXPECTED}")
  message(FATAL_ERROR "expected ${EXPECTED} in\n${output}")
endif()
