cmake_minimum_required(VERSION 3.23)

# The headers compile after <windows.h>, with and without the macros that make it define less.
foreach(macros "" -DNOMINMAX -DWIN32_LEAN_AND_MEAN "-DNOMINMAX;-DWIN32_LEAN_AND_MEAN")
  execute_process(
    COMMAND "${COMPILER}" "@${FLAGS}" -Wall -Wextra -Werror ${macros} -fsyntax-only "${SOURCE}"
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
