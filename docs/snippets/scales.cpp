// Which optimizer, with its defaults, fits a Gaussian of which scale and condition: the table of
// docs/getting-started.md. `scales all` prints the whole of it (a minute), without an argument its
// first dimensions. Fails where ClosedForm or Lbfgs is not right.
#include <scorematch/scorematch.hpp>

#include <Eigen/QR>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace sm = scorematch;

namespace {

std::mt19937_64 rng(1);

// Samples of a Gaussian whose covariance has eigenvalues from scale^2 to condition scale^2, and
// whose mean is three deviations off the origin.
Eigen::MatrixXd draw(Eigen::Index d, double scale, double condition) {
  std::normal_distribution<double> normal;
  const auto normals = [&](Eigen::Index rows, Eigen::Index columns) {
    return Eigen::MatrixXd(
        Eigen::MatrixXd::NullaryExpr(rows, columns, [&](Eigen::Index) { return normal(rng); }));
  };
  const Eigen::MatrixXd axes = Eigen::HouseholderQR<Eigen::MatrixXd>(normals(d, d)).householderQ();
  Eigen::VectorXd deviations(d);
  for (Eigen::Index k = 0; k < d; ++k) {
    deviations(k) = scale * std::pow(condition, 0.5 * double(k) / double(d - 1));
  }
  const Eigen::MatrixXd root = axes * deviations.asDiagonal();
  return (root * normals(d, 20 * d)).colwise() + root * Eigen::VectorXd::Constant(d, 3);
}

// "right" where the moments of the fit are those of the samples to 10^-6, in the samples'
// deviations; else why the fit ended.
template <class Optimizer>
std::string judge(const Optimizer& optimizer, const Eigen::MatrixXd& samples) {
  const sm::GaussianFamily<double> family(samples.rows());
  sm::Moments<double> moments(samples.rows());
  moments.add(samples);
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, optimizer, moments);
  const sm::Gaussian<double> exact(moments.mean(), moments.covariance());
  const double off = std::sqrt(sm::kullback_leibler(exact, fit.distribution));
  return off <= 1e-6 ? "right" : std::string(to_string(fit.status));
}

}  // namespace

int main(int count, char**) {
  const bool all = count > 1;
  bool right = true;
  for (const Eigen::Index d : {2, 5, 20, 50}) {
    if (!all && d > 5) break;
    std::printf(
        "\n| d = %d, scale | condition | ClosedForm | Lbfgs | GradientDescent | Momentum "
        "| Adam, amsgrad |\n|---|---|---|---|---|---|---|\n",
        int(d));
    for (const double scale : {1e-4, 1e-2, 1.0, 1e2, 1e4}) {
      for (const double condition : {1.0, 1e3, 1e6}) {
        const Eigen::MatrixXd samples = draw(d, scale, condition);
        const std::string exact = judge(sm::ClosedForm{}, samples);
        const std::string lbfgs = judge(sm::Lbfgs{}, samples);
        right = right && exact == "right" && lbfgs == "right";
        std::printf("| %g | %g | %s | %s | %s | %s | %s |\n", scale, condition, exact.c_str(),
                    lbfgs.c_str(), judge(sm::GradientDescent{}, samples).c_str(),
                    judge(sm::Momentum{}, samples).c_str(),
                    judge(sm::Adam{.amsgrad = true}, samples).c_str());
      }
    }
  }
  return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
