# What the project's own programs are compiled with. Never installed, never seen by a consumer.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)

option(SCOREMATCH_WERROR "Treat warnings as errors" OFF)
option(SCOREMATCH_SANITIZE "Build with the address and undefined behaviour sanitizers" OFF)

add_library(scorematch_developer INTERFACE)
if(MSVC)
  target_compile_options(scorematch_developer INTERFACE /W4 /permissive-)
else()
  target_compile_options(scorematch_developer INTERFACE
    -Wall
    -Wextra
    -Wpedantic            # standard C++ only
    -Wshadow              # a name that hides another
    -Wconversion          # a value that may change on the way
    -Wsign-conversion     # the same through a sign: Eigen::Index is signed
    -Wold-style-cast      # C casts say too little
    -Wdouble-promotion    # float computed in double by accident
    -Wcast-align          # a cast that may misalign
    -Woverloaded-virtual  # a virtual function hidden, not overridden
    -Wnon-virtual-dtor    # deleting through a base
    -Wformat=2            # printf against its arguments
    -Wundef               # a misspelt macro in #if
    -Wextra-semi)         # stray semicolons
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 sees these inside Eigen's storage once enough is inlined, falsely. The address sanitizer
    # and clang look for the same.
    target_compile_options(scorematch_developer INTERFACE -Wno-maybe-uninitialized -Wno-use-after-free)
    # g++ collects its garbage from 500 MB on: a seventh of its time for templates like these.
    target_compile_options(scorematch_developer INTERFACE --param=ggc-min-heapsize=500000)
  endif()
endif()
if(SCOREMATCH_WERROR)
  target_compile_options(scorematch_developer INTERFACE -Werror)
endif()
if(SCOREMATCH_SANITIZE)
  # The three left out stand at every access of a member and double the compiler's work: what they
  # find is found by the address sanitizer, and no class here has virtual functions.
  target_compile_options(scorematch_developer INTERFACE
    -fsanitize=address,undefined -fno-sanitize=null,object-size,vptr -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(scorematch_developer INTERFACE -fsanitize=address,undefined)
endif()
