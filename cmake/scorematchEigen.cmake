# Finds Eigen, for the build and for the installed package alike. Sets scorematch_eigen_problem to a
# sentence where it cannot. No version is given to find_package: Eigen 3.4 rejects the range
# "3.4...5" and Eigen 5 rejects "3.4".
set(scorematch_eigen_problem "")
if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 QUIET NO_MODULE)
  if(NOT TARGET Eigen3::Eigen)
    set(scorematch_eigen_problem
      "Eigen was not found; install Eigen 3.4 or later (Debian and Ubuntu: libeigen3-dev) or set Eigen3_DIR")
  elseif(Eigen3_VERSION VERSION_LESS 3.4 OR Eigen3_VERSION VERSION_GREATER_EQUAL 6)
    set(scorematch_eigen_problem
      "Eigen ${Eigen3_VERSION} was found in ${Eigen3_DIR}; expected at least 3.4 and below 6")
  endif()
endif()
