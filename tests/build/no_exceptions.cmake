cmake_minimum_required(VERSION 3.23)

# THROWS and ABORTS are one program compiled with and without exceptions.
foreach(program "${THROWS}" "${ABORTS}")
  execute_process(COMMAND "${program}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
execute_process(COMMAND "${THROWS}" nan RESULT_VARIABLE thrown ERROR_VARIABLE sentence)
execute_process(COMMAND "${ABORTS}" nan RESULT_VARIABLE aborted ERROR_VARIABLE last_words)
if(NOT thrown EQUAL 2 OR NOT sentence MATCHES "samples.row 1, column 2. = -?nan")
  message(FATAL_ERROR "With exceptions: result ${thrown}, \"${sentence}\"")
endif()
if(NOT aborted MATCHES "abort" OR NOT last_words STREQUAL sentence)
  message(FATAL_ERROR
    "Without exceptions: result ${aborted}, \"${last_words}\"; expected SIGABRT and \"${sentence}\"")
endif()
