// Two units that include every header, linked; they must agree.
#include "mean.hpp"

sm::Fit<Centre> fit_in_the_first_unit();
sm::Fit<Centre> fit_in_the_second_unit();

int main() {
  const auto first = fit_in_the_first_unit();
  const auto second = fit_in_the_second_unit();
  return first.status == sm::Status::converged && first.parameters == second.parameters ? 0 : 1;
}
