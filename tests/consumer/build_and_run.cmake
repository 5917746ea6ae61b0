cmake_minimum_required(VERSION 3.23)

# Configures the project SOURCE in a fresh BINARY, builds TARGET and runs it. What follows "--" on
# the command line goes to the configure step.
set(arguments "")
set(seen FALSE)
foreach(i RANGE ${CMAKE_ARGC})
  if(seen)
    list(APPEND arguments "${CMAKE_ARGV${i}}")
  elseif("${CMAKE_ARGV${i}}" STREQUAL "--")
    set(seen TRUE)
  endif()
endforeach()
list(REMOVE_ITEM arguments "")

file(REMOVE_RECURSE "${BINARY}")
foreach(command
    "-S;${SOURCE};-B;${BINARY};-G;${GENERATOR};-C;${SHARED_CACHE};${arguments}"
    "--build;${BINARY};--target;${TARGET}")
  execute_process(COMMAND "${CMAKE_COMMAND}" ${command} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
execute_process(COMMAND "${BINARY}/${TARGET}" COMMAND_ERROR_IS_FATAL ANY)
