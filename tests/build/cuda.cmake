cmake_minimum_required(VERSION 3.23)

# A CUDA source with fits in its host code compiles, and its fits are right.
execute_process(
  COMMAND "${NVCC}" -ccbin "${COMPILER}" -std=c++20 -O1 -isystem "${INCLUDE}" -isystem "${EIGEN}"
          "${SOURCE}" -o "${PROGRAM}"
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${PROGRAM}" COMMAND_ERROR_IS_FATAL ANY)
