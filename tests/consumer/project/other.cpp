#include "mean.hpp"

#include <scorematch/scorematch.hpp>

sm::Fit<Centre> fit_in_the_other_unit() {
  return sm::fit(Centre{}, SquaredDistance{}, sm::GradientDescent{.learning_rate = 0.5}, samples());
}
