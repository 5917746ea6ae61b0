// Fits a Gaussian to any table of numbers and prints what it says: mean, covariance, correlations,
// partial correlations. By default the marks of 88 students in five exams (Mardia, Kent and Bibby
// 1979), where mechanics and vectors turn out nearly independent of analysis and statistics, given
// algebra.
//
// Usage: fit_csv [FILE] [--loss score-matching|likelihood]
//                [--optimizer closed-form|gradient-descent|momentum|adam|lbfgs]
//                [--learning-rate R] [--iterations N]
#include "csv.hpp"

#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

namespace sm = scorematch;

namespace {

struct Options {
  std::string file = DEFAULT_CSV;
  std::string loss = "score-matching";
  std::string optimizer = "closed-form";
  double learning_rate = 1e-2;
  long iterations = 20000;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (!argument.starts_with("--")) {
      options.file = argument;
      continue;
    }
    if (i + 1 == argc) throw std::invalid_argument(argument + " needs a value");
    const std::string value = argv[++i];
    if (argument == "--loss") {
      options.loss = value;
    } else if (argument == "--optimizer") {
      options.optimizer = value;
    } else if (argument == "--learning-rate" || argument == "--iterations") {
      const auto number = csv::number(value);
      if (!number) throw std::invalid_argument(argument + " " + value + ": expected a number");
      if (argument == "--iterations") {
        if (!(*number >= 1 && *number <= 1e15)) {
          throw std::invalid_argument("--iterations " + value + ": expected at least 1");
        }
        options.iterations = static_cast<long>(*number);
      } else {
        options.learning_rate = *number;
      }
    } else {
      throw std::invalid_argument("unknown option " + argument);
    }
  }
  return options;
}

using Family = sm::GaussianFamily<double>;

template <class Loss>
sm::Fit<Family> fit_with(const Options& options, const Loss& loss, const Eigen::MatrixXd& samples) {
  const Family family(samples.rows());
  const double rate = options.learning_rate;
  const long steps = options.iterations;
  if (options.optimizer == "closed-form") return sm::fit(family, loss, sm::ClosedForm{}, samples);
  if (options.optimizer == "gradient-descent") {
    return sm::fit(family, loss,
                   sm::GradientDescent{.learning_rate = rate, .max_iterations = steps}, samples);
  }
  if (options.optimizer == "momentum") {
    return sm::fit(family, loss, sm::Momentum{.learning_rate = rate, .max_iterations = steps},
                   samples);
  }
  if (options.optimizer == "adam") {
    return sm::fit(family, loss,
                   sm::Adam{.learning_rate = rate, .amsgrad = true, .max_iterations = steps},
                   samples);
  }
  if (options.optimizer == "lbfgs") {
    return sm::fit(family, loss, sm::Lbfgs{.max_iterations = steps}, samples);
  }
  throw std::invalid_argument("--optimizer " + options.optimizer +
                              ": expected closed-form, gradient-descent, momentum, adam or lbfgs");
}

sm::Fit<Family> fit(const Options& options, const Eigen::MatrixXd& samples) {
  if (options.loss == "score-matching") return fit_with(options, sm::ScoreMatchingLoss{}, samples);
  if (options.loss == "likelihood") return fit_with(options, sm::NegativeLogLikelihood{}, samples);
  throw std::invalid_argument("--loss " + options.loss + ": expected score-matching or likelihood");
}

void print(const char* title, const std::vector<std::string>& names,
           const Eigen::MatrixXd& matrix) {
  std::printf("\n%s\n", title);
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    std::printf("  %-16s", names[static_cast<std::size_t>(i)].c_str());
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) std::printf(" %12.6g", matrix(i, j));
    std::printf("\n");
  }
}

Eigen::MatrixXd to_unit_diagonal(const Eigen::MatrixXd& matrix) {
  const Eigen::VectorXd scale = matrix.diagonal().cwiseSqrt().cwiseInverse();
  return scale.asDiagonal() * matrix * scale.asDiagonal();
}

int run(const Options& options) {
  const csv::Table table = csv::read(options.file);
  const Eigen::Index d = table.values.rows();
  std::printf("%s: %td samples of %td variables\n", options.file.c_str(), table.values.cols(), d);

  // Iterative optimizers walk from a standard normal, so they get samples of that scale; an affine
  // map of the samples maps the estimate with them. The closed form needs no such help.
  Eigen::VectorXd center = Eigen::VectorXd::Zero(d);
  Eigen::VectorXd scale = Eigen::VectorXd::Ones(d);
  if (options.optimizer != "closed-form") {
    sm::Moments<double> moments(d);
    moments.add(table.values);
    center = moments.mean();
    scale = moments.covariance().diagonal().cwiseSqrt();
    for (double& s : scale) s = s > 0 ? s : 1;
    std::printf("standardized for the optimizer\n");
  }
  const Eigen::MatrixXd standardized =
      scale.cwiseInverse().asDiagonal() * (table.values.colwise() - center);
  const sm::Fit<Family> fitted = fit(options, standardized);

  std::printf("%s, %s: %td iterations, loss %.9g, gradient norm %.3g\n%s\n", options.loss.c_str(),
              options.optimizer.c_str(), fitted.iterations, fitted.loss, fitted.gradient_norm,
              std::string(explain(fitted.status)).c_str());
  if (fitted.status == sm::Status::unbounded || fitted.status == sm::Status::diverged) return 1;

  const sm::Gaussian<double>& gaussian = fitted.distribution;
  const Eigen::VectorXd mean = center + scale.cwiseProduct(gaussian.mean());
  const Eigen::MatrixXd covariance =
      scale.asDiagonal() * gaussian.covariance() * scale.asDiagonal();
  print("mean", table.names, mean);
  print("covariance", table.names, covariance);
  print("correlations", table.names, to_unit_diagonal(covariance));
  Eigen::MatrixXd partial = -to_unit_diagonal(gaussian.precision());
  partial.diagonal().setOnes();
  print("partial correlations (each pair given all others)", table.names, partial);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fit_csv: %s\n", error.what());
    return 2;
  }
}
