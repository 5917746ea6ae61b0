// The founding notebook: two real spins, a true Gaussian, 50 samples, score matching over all
// Gaussians by 4000 steps of plain gradient descent, and how far that is from the truth.
//
// Usage: notebook [DIRECTORY]   writes its picture (or, without gnuplot, the data of it) there
#include "data/notebook.hpp"
#include "notebook_picture.hpp"
#include "print.hpp"

#include <scorematch/scorematch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <string>

namespace sm = scorematch;

namespace {

void report(const char* name, const sm::Gaussian<double, 2>& gaussian) {
  std::printf("%s: mean = %s, cov = %s\n", name, text(gaussian.mean()).c_str(),
              text_rows(gaussian.covariance()).c_str());
}

double largest_difference(const sm::Gaussian<double, 2>& a, const sm::Gaussian<double, 2>& b) {
  return std::max((a.mean() - b.mean()).cwiseAbs().maxCoeff(),
                  (a.covariance() - b.covariance()).cwiseAbs().maxCoeff());
}

void run(const std::string& directory) {
  const Eigen::Matrix2Xd samples = notebook::samples();
  const sm::Gaussian<double, 2> truth(notebook::true_mean(), notebook::true_covariance());
  std::printf("n_spins = 2, n_data = %td, seed = 1\n", samples.cols());
  report("true", truth);

  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
  const sm::GradientDescent descent{.learning_rate = 1e-3, .max_iterations = 4000};

  std::printf("\nScore matching, %td steps of gradient descent, learning rate %g, from zero\n",
              descent.max_iterations, descent.learning_rate);
  sm::LossHistory<> history;
  const auto fit = sm::fit(family, loss, descent, samples, [&](const auto& state) {
    history(state);
    if (state.iteration % 500 == 0) {
      const std::string name = "iteration " + std::to_string(state.iteration);
      report(name.c_str(), family.distribution(state.parameters));
    }
  });
  std::printf("final mean - true mean: %s\n",
              text<2>(fit.distribution.mean() - truth.mean()).c_str());
  std::printf("final cov - true cov: %s\n",
              text_rows<2>(fit.distribution.covariance() - truth.covariance()).c_str());
  std::printf("loss %.8f, gradient norm %.2g, status %s\n", fit.loss, fit.gradient_norm,
              std::string(to_string(fit.status)).c_str());

  std::printf("\nWhat the steps lead to\n");
  const auto exact = sm::fit(family, loss, sm::ClosedForm{}, samples);
  report("closed form of score matching", exact.distribution);
  const auto sure = sm::uncertainty(exact, family, loss, samples);
  const auto mean = sure.of(sm::means(family));
  const auto covariance = sure.of(sm::covariances(family));  // (0, 0), (1, 0), (1, 1)
  const Eigen::Vector2d mean_errors = mean.standard_errors();
  const Eigen::Vector3d errors = covariance.standard_errors();
  std::printf(
      "its standard errors: mean %s, cov %s\n", text<2>(mean_errors).c_str(),
      text_rows<2>(Eigen::Matrix2d{{errors(0), errors(1)}, {errors(1), errors(2)}}).c_str());
  const Eigen::Vector3d off =
      covariance.values -
      Eigen::Vector3d(truth.covariance()(0, 0), truth.covariance()(1, 0), truth.covariance()(1, 1));
  std::printf("the true mean is %.1f and %.1f of them away, the covariance %.1f, %.1f and %.1f\n",
              std::abs(mean.values(0) - truth.mean()(0)) / mean_errors(0),
              std::abs(mean.values(1) - truth.mean()(1)) / mean_errors(1),
              std::abs(off(0)) / errors(0), std::abs(off(1)) / errors(1),
              std::abs(off(2)) / errors(2));
  const auto likely =
      sm::fit(family, sm::NegativeLogLikelihood{},
              sm::Adam{.learning_rate = 1e-2, .amsgrad = true, .max_iterations = 20000}, samples);
  report("maximum likelihood, by Adam", likely.distribution);
  std::printf("they differ by at most %.1e: for a full Gaussian the two are one estimate\n",
              largest_difference(exact.distribution, likely.distribution));
  std::printf("the 4000 steps are still %.1e away from it, and %.1e above its loss\n",
              largest_difference(fit.distribution, exact.distribution), fit.loss - exact.loss);

  notebook::draw(directory, history.losses, samples, truth, fit.distribution, likely.distribution);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "notebook_picture");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
