cmake_minimum_required(VERSION 3.23)

# Every public header refuses the modes that the library cannot be right under, those in which NaN
# "cannot occur" and row-major matrices by default, and says why; the modes that it recommends
# instead are accepted.
#
# All of that stands in one header. That every other one reaches it is read from the includes, those
# under no #if: to ask the preprocessor for each takes it forty seconds.
set(refusing scorematch/core/require.hpp)
file(GLOB_RECURSE headers RELATIVE "${INCLUDE}" "${INCLUDE}/*.hpp")
# What is private, or has no arithmetic, is reached through the others.
list(FILTER headers EXCLUDE REGEX
  "/linalg[./]|/(block|moment)_sums[.]|/core/(machine|random|unroll|vector_register|version)[.]")
set(problems "")
set(reached "${refusing}")
set(others "${headers}")
list(REMOVE_ITEM others ${refusing})
foreach(header IN LISTS others)
  file(STRINGS "${INCLUDE}/${header}" lines REGEX "^ *# *(if|endif|include <scorematch/)")
  set(depth 0)
  set(includes_${header} "")
  foreach(line IN LISTS lines)
    if(line MATCHES "# *if")
      math(EXPR depth "${depth} + 1")
    elseif(line MATCHES "# *endif")
      math(EXPR depth "${depth} - 1")
    elseif(depth EQUAL 0 AND line MATCHES "<(.*)>")
      list(APPEND includes_${header} "${CMAKE_MATCH_1}")
    endif()
  endforeach()
endforeach()
set(found TRUE)
while(found)
  set(found FALSE)
  foreach(header IN LISTS others)
    foreach(included IN LISTS includes_${header})
      if(included IN_LIST reached)
        list(APPEND reached "${header}")
        list(REMOVE_ITEM others "${header}")
        set(found TRUE)
        break()
      endif()
    endforeach()
  endforeach()
endwhile()
foreach(header IN LISTS others)
  list(APPEND problems "${header} does not include ${refusing}")
endforeach()

set(reason_-ffast-math "-ffast-math[^\n]*NaN")
set(reason_-ffinite-math-only "-ffast-math[^\n]*NaN")
set(reason_-DEIGEN_DEFAULT_TO_ROW_MAJOR "EIGEN_DEFAULT_TO_ROW_MAJOR[^\n]*column by column")
foreach(mode -ffast-math -ffinite-math-only -DEIGEN_DEFAULT_TO_ROW_MAJOR)
  foreach(header ${refusing} scorematch/scorematch.hpp)
    file(WRITE "${BINARY}/refused.cpp" "#include <${header}>\n")
    # The preprocessor knows enough to refuse; there is no need to compile Eigen for it.
    execute_process(
      COMMAND "${COMPILER}" "@${FLAGS}" ${mode} -Wfatal-errors -E "${BINARY}/refused.cpp"
              -o "${BINARY}/refused.i"
      RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(result EQUAL 0 OR NOT output MATCHES "error:[^\n]*${reason_${mode}}")
      list(APPEND problems "${header} with ${mode}: result ${result}\n${output}")
    endif()
  endforeach()
endforeach()

# Under the modes that reorder sums, a fit is refused or right. Only g++ says by a macro that they are
# on; a batch of fits is right with clang too.
foreach(mode -funsafe-math-optimizations
             "-fassociative-math -fno-signed-zeros -fno-trapping-math")
  separate_arguments(mode_flags UNIX_COMMAND "${mode}")
  execute_process(
    COMMAND "${COMPILER}" "@${FLAGS}" ${mode_flags} -O2 "${CMAKE_CURRENT_LIST_DIR}/associative_math.cpp"
            -o "${BINARY}/associative_math"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(result EQUAL 0)
    execute_process(COMMAND "${BINARY}/associative_math" RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
      list(APPEND problems "${mode}: a batch differs from its problems fitted alone")
    endif()
  elseif(NOT output MATCHES "error:[^\n]*-fassociative-math[^\n]*digits")
    list(APPEND problems "${mode}: ${output}")
  endif()
endforeach()

file(WRITE "${BINARY}/accepted.cpp" "#include <scorematch/scorematch.hpp>\n")
execute_process(
  COMMAND "${COMPILER}" "@${FLAGS}" -O3 -fno-math-errno -ffp-contract=fast -fsyntax-only
          "${BINARY}/accepted.cpp"
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  list(APPEND problems "-O3 -fno-math-errno -ffp-contract=fast: ${output}")
endif()
if(problems)
  list(JOIN problems "\n  " problems)
  message(FATAL_ERROR "\n  ${problems}")
endif()
