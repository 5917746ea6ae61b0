// Fits a Gaussian to any table of numbers and prints what it says: mean, covariance, correlations,
// partial correlations. By default the marks of 88 students in five exams (Mardia, Kent and Bibby
// 1979), where mechanics and vectors turn out nearly independent of analysis and statistics, given
// algebra. `fit_csv --help` lists its options.
#include "csv.hpp"
#include "csv_options.hpp"

#include <scorematch/scorematch.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace sm = scorematch;
using csv::positive;
using csv::refuse;

namespace {

constexpr const char* usage = R"(Usage: fit_csv [FILE] [OPTION VALUE]...

Fits a Gaussian to the rows of a table of numbers. FILE has fields between commas, semicolons, tabs
or blanks, with or without a header; without FILE, the marks of 88 students.

  --header yes|no      whether the first row holds names; else it is guessed
  --columns A,B,...    these columns only, by name or number from 1
  --missing drop       leave out rows that lack a value; else they are an error
  --loss LOSS          score-matching (the default) or likelihood: the covariance of the samples
                       denoising: with --sigma, also for fewer rows than columns
                       sliced: score matching along random directions
                       generalized: a Gaussian cut off at zero, for non-negative data
  --sigma S            deviation of the noise of the denoising loss, in the unit of the data
  --ridge R            add R to the diagonal of the covariance (in the unit of the data, squared)
  --optimizer NAME     closed-form (the default, but for sliced), gradient-descent, momentum, adam
                       or lbfgs
  --learning-rate R    of gradient-descent, momentum and adam
  --iterations N       at most
  --errors yes         standard errors too: for score-matching and likelihood without a ridge, of
                       independent rows
  --help               this text

Exit status: 0 converged, 1 not (the output says why), 2 wrong input.
)";

struct Options {
  // Beside this source file.
  std::string file = std::filesystem::path(__FILE__).replace_filename("data/marks.csv").string();
  csv::Options reading;
  std::string loss = "score-matching";
  std::string optimizer;
  double sigma = 0;
  bool errors = false;
  double ridge = 0;
  double learning_rate = 1e-2;
  long iterations = 20000;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (!option.starts_with("--")) {
      options.file = option;
      continue;
    }
    if (i + 1 == argc) throw std::invalid_argument(csv::shown(option) + " needs a value");
    const std::string value = argv[++i];
    if (csv::take(option, value, options.reading)) continue;
    if (option == "--loss") {
      options.loss = value;
    } else if (option == "--optimizer") {
      options.optimizer = value;
    } else if (option == "--sigma") {
      options.sigma = positive(option, value);
    } else if (option == "--ridge") {
      options.ridge = positive(option, value);
    } else if (option == "--errors") {
      if (value != "yes" && value != "no") refuse(option, value, "yes or no");
      options.errors = value == "yes";
    } else if (option == "--learning-rate") {
      options.learning_rate = positive(option, value);
    } else if (option == "--iterations") {
      const double number = positive(option, value);
      if (!(number >= 1 && number <= 1e15)) refuse(option, value, "at least 1");
      options.iterations = static_cast<long>(number);
    } else {
      throw std::invalid_argument("unknown option " + csv::shown(option) + " (see --help)");
    }
  }
  if (options.optimizer.empty()) {
    options.optimizer = options.loss == "sliced" ? "lbfgs" : "closed-form";
  }
  if ((options.loss == "denoising") != (options.sigma > 0)) {
    throw std::invalid_argument("--loss denoising and --sigma S go together");
  }
  if (options.loss == "generalized" && options.ridge > 0) {
    throw std::invalid_argument("--ridge is for the other losses, not for --loss generalized");
  }
  const bool known = options.loss == "score-matching" || options.loss == "likelihood";
  if (options.errors && (!known || options.ridge > 0)) {
    throw std::invalid_argument(
        "--errors is for --loss score-matching and likelihood, without --ridge");
  }
  return options;
}

template <class Family, class Loss>
sm::Fit<Family> fit(const Options& options, const Family& family, const Loss& loss,
                    const Eigen::MatrixXd& samples) {
  const double rate = options.learning_rate;
  const long steps = options.iterations;
  const auto with = [&](const auto& optimizer) {
    return sm::fit(family, loss, optimizer, samples);
  };
  if (options.optimizer == "closed-form") {
    if constexpr (sm::HasExactMinimum<sm::ObjectiveOf<Loss, Family>, typename Family::Parameters>) {
      return with(sm::ClosedForm{});
    }
  } else if (options.optimizer == "gradient-descent") {
    return with(sm::GradientDescent{.learning_rate = rate, .max_iterations = steps});
  } else if (options.optimizer == "momentum") {
    return with(sm::Momentum{.learning_rate = rate, .max_iterations = steps});
  } else if (options.optimizer == "adam") {
    return with(sm::Adam{.learning_rate = rate, .amsgrad = true, .max_iterations = steps});
  } else if (options.optimizer == "lbfgs") {
    return with(sm::Lbfgs{.max_iterations = steps});
  }
  refuse("--optimizer", options.optimizer,
         "gradient-descent, momentum, adam, lbfgs or, but for --loss sliced, closed-form");
}

void print(const char* title, const std::vector<std::string>& names,
           const Eigen::MatrixXd& matrix) {
  std::printf("\n%s\n", title);
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    std::printf("  %-16s", csv::shown(names[static_cast<std::size_t>(i)]).c_str());
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) std::printf(" %12.6g", matrix(i, j));
    std::printf("\n");
  }
}

Eigen::MatrixXd to_unit_diagonal(const Eigen::MatrixXd& matrix) {
  const Eigen::VectorXd scale = matrix.diagonal().cwiseSqrt().cwiseInverse();
  return scale.asDiagonal() * matrix * scale.asDiagonal();
}

void print_partial_correlations(const std::vector<std::string>& names,
                                const Eigen::MatrixXd& precision) {
  Eigen::MatrixXd partial = -to_unit_diagonal(precision);
  partial.diagonal().setOnes();
  print("partial correlations (each pair given all others)", names, partial);
}

// True where there is an estimate.
template <class Family>
bool report(const Options& options, const sm::Fit<Family>& fitted) {
  std::printf("%s, %s: %td iterations, loss %.9g, gradient norm %.3g\n%s\n", options.loss.c_str(),
              options.optimizer.c_str(), fitted.iterations, fitted.loss, fitted.gradient_norm,
              std::string(explain(fitted.status)).c_str());
  return fitted.status != sm::Status::unbounded && fitted.status != sm::Status::diverged;
}

// Numbers on and below the diagonal, or below alone, row by row, as a matrix.
Eigen::MatrixXd symmetric(const Eigen::VectorXd& entries, Eigen::Index d, bool with_diagonal) {
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(d, d);
  for (Eigen::Index i = 0, k = 0; i < d; ++i) {
    for (Eigen::Index j = 0; j < i + (with_diagonal ? 1 : 0); ++j) {
      matrix(i, j) = matrix(j, i) = entries(k++);
    }
  }
  return matrix;
}

// Both losses have one estimate, which is that of the closed form, and one error.
void print_errors(const std::vector<std::string>& names, const sm::GaussianFamily<double>& family,
                  const sm::Fit<sm::GaussianFamily<double>>& exact,
                  const Eigen::MatrixXd& samples) {
  const Eigen::Index d = samples.rows();
  const auto sure = sm::uncertainty(exact, family, sm::ScoreMatchingLoss{}, samples);
  const auto errors = [&](const auto& quantity) { return sure.of(quantity).standard_errors(); };
  print("standard errors of the mean", names, errors(sm::means(family)));
  print("standard errors of the covariance", names,
        symmetric(errors(sm::covariances(family)), d, true));
  print("standard errors of the correlations", names,
        symmetric(errors(sm::correlations(family)), d, false));
  print("standard errors of the partial correlations", names,
        symmetric(errors(sm::partial_correlations(family)), d, false));
}

// Samples with the same mean, and a multiple of the identity added to the covariance: all that a
// Gaussian loss sees of them. mean +- sqrt(d) L_j have it, for the columns of a Cholesky factor L.
Eigen::MatrixXd with_ridge(const sm::Moments<double>& moments, double ridge) {
  const Eigen::Index d = moments.dimension();
  const sm::Gaussian<double> gaussian(
      moments.mean(), moments.covariance() + ridge * Eigen::MatrixXd::Identity(d, d));
  const Eigen::MatrixXd root = std::sqrt(double(d)) * gaussian.cholesky();
  Eigen::MatrixXd samples(d, 2 * d);
  samples << root, -root;
  return samples.colwise() + gaussian.mean();
}

int fit_gaussian(const Options& options, const std::vector<std::string>& names,
                 Eigen::MatrixXd samples) {
  const Eigen::Index d = samples.rows();
  const sm::GaussianFamily<double> family(d);
  sm::Moments<double> moments(d);
  moments.add(samples);
  if (options.ridge > 0) {
    samples = with_ridge(moments, options.ridge);
    moments = sm::Moments<double>(d);
    moments.add(samples);
  }
  const auto exact = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, moments);
  if (exact.status == sm::Status::unbounded && options.loss != "denoising") {
    std::printf("%s\n--ridge R, --loss denoising --sigma S or fewer --columns give an estimate.\n",
                std::string(explain(exact.status)).c_str());
    return 1;
  }

  // Iterative optimizers walk from a standard normal, so they get samples of that scale; an affine
  // map of the samples maps the estimate with them. The closed form needs no such help. The noise
  // of the denoising loss is the same in all directions, so its scale is one for all.
  Eigen::VectorXd center = Eigen::VectorXd::Zero(d);
  Eigen::VectorXd scale = Eigen::VectorXd::Ones(d);
  if (options.optimizer != "closed-form") {
    center = moments.mean();
    scale = moments.covariance().diagonal().cwiseSqrt();
    if (options.loss == "denoising") scale.setConstant(scale.norm() / std::sqrt(double(d)));
    for (double& s : scale) s = s > 0 ? s : 1;
    std::printf("standardized for the optimizer\n");
  }
  const Eigen::MatrixXd given = options.errors ? samples : Eigen::MatrixXd();
  samples = scale.cwiseInverse().asDiagonal() * (samples.colwise() - center);

  const auto fitted = [&] {
    const auto by = [&](const auto& loss) { return fit(options, family, loss, samples); };
    if (options.loss == "score-matching") return by(sm::ScoreMatchingLoss{});
    if (options.loss == "likelihood") return by(sm::NegativeLogLikelihood{});
    if (options.loss == "denoising") {
      return by(sm::DenoisingScoreMatchingLoss{.sigma = options.sigma / scale(0)});
    }
    if (options.loss == "sliced") {
      return by(sm::SlicedScoreMatchingLoss{.projections = 16, .variance_reduced = true});
    }
    refuse("--loss", options.loss, "score-matching, likelihood, denoising, sliced or generalized");
  }();
  if (!report(options, fitted)) return 1;

  const sm::Gaussian<double>& gaussian = fitted.distribution;
  const Eigen::MatrixXd covariance =
      scale.asDiagonal() * gaussian.covariance() * scale.asDiagonal();
  print("mean", names, center + scale.cwiseProduct(gaussian.mean()));
  print("covariance", names, covariance);
  print("correlations", names, to_unit_diagonal(covariance));
  print_partial_correlations(names, gaussian.precision());
  if (options.errors) print_errors(names, family, exact, given);
  return fitted.status == sm::Status::converged ? 0 : 1;
}

// exp(eta . x - x . K x / 2) where no x_j is negative.
int fit_truncated(const Options& options, const std::vector<std::string>& names,
                  const Eigen::MatrixXd& samples) {
  if (samples.minCoeff() < 0) {
    throw std::invalid_argument("--loss generalized is for data without negative numbers; found " +
                                std::to_string(samples.minCoeff()));
  }
  // The weight function min(x, 1) and the optimizers want samples of order one.
  const Eigen::VectorXd scale = samples.rowwise().norm() / std::sqrt(double(samples.cols()));
  if (!(scale.minCoeff() > 0)) throw std::invalid_argument("a column holds nothing but zeros");
  std::printf("every variable divided by its root mean square for the fit\n");
  const auto fitted =
      fit(options, sm::TruncatedGaussianFamily<double>(samples.rows()),
          sm::GeneralizedScoreMatchingLoss{}, scale.cwiseInverse().asDiagonal() * samples);
  if (!report(options, fitted)) return 1;

  const Eigen::VectorXd inverse = scale.cwiseInverse();
  const Eigen::MatrixXd precision =
      inverse.asDiagonal() * fitted.distribution.precision() * inverse.asDiagonal();
  print("eta", names, inverse.cwiseProduct(fitted.distribution.eta()));
  print("K", names, precision);
  if (fitted.distribution.positive_definite()) {
    const sm::Gaussian<double> whole = fitted.distribution.untruncated();
    print("mean before the cut", names, scale.cwiseProduct(whole.mean()));
    print("covariance before the cut", names,
          scale.asDiagonal() * whole.covariance() * scale.asDiagonal());
    print_partial_correlations(names, precision);
  }
  return fitted.status == sm::Status::converged ? 0 : 1;
}

int run(const Options& options) {
  const csv::Table table = csv::read(options.file, options.reading);
  std::printf("%s: %td samples of %td variables", csv::shown(options.file).c_str(),
              table.values.cols(), table.values.rows());
  if (table.dropped > 0) std::printf("; %zu dropped, lacking a value", table.dropped);
  std::printf("\n");
  return options.loss == "generalized" ? fit_truncated(options, table.names, table.values)
                                       : fit_gaussian(options, table.names, table.values);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    for (int i = 1; i < argc; ++i) {
      if (std::string(argv[i]) == "--help") return std::fputs(usage, stdout) < 0 ? 2 : 0;
    }
    return run(parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fit_csv: %s\n", error.what());
    return 2;
  }
}
