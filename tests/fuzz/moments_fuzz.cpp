// Moments: adding one by one and in blocks, weights, merging, copying, and the fit of a Gaussian to
// them; of fixed and of dynamic size side by side. The model is a list of the samples, of which
// mean and covariance are computed in two passes in long double.
#include "fuzz.hpp"

#include <scorematch/data/moments.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/fit/fit.hpp>
#include <scorematch/loss/score_matching.hpp>
#include <scorematch/optimizer/closed_form.hpp>

#include <Eigen/LU>

namespace {

namespace sm = scorematch;
using fuzz::Long;

constexpr int summaries = 3;
// Squares of the last ones overflow together with others.
constexpr std::array<double, 18> numbers{0,     -0.0,  1,      -1,     0.5,  3,
                                         7,     1e-8,  1e8,    -1e8,   1e15, 1e-60,
                                         1e-30, 1e100, -1e100, 0x1p30, 2.75, 1e200};

struct Model {
  fuzz::Block seen{};
  Long steps = 0;  // additions that a sum may have gone through

  void add(const Eigen::MatrixXd& samples, const Eigen::VectorXd& weights) {
    const Eigen::Index n = seen.samples.cols();
    seen.samples.conservativeResize(samples.rows(), n + samples.cols());
    seen.weights.conservativeResize(n + samples.cols());
    seen.samples.rightCols(samples.cols()) = samples;
    seen.weights.tail(samples.cols()) = weights;
    steps += Long(samples.cols());
  }
};

template <int Dim>
struct Reference {
  using Vector = Eigen::Matrix<Long, Dim, 1>;
  using Matrix = Eigen::Matrix<Long, Dim, Dim>;
  Long count = 0;
  Vector mean = Vector::Zero();
  Matrix covariance = Matrix::Zero();
  Vector range = Vector::Zero();  // the largest distance of a sample from the mean

  explicit Reference(const fuzz::Block& seen) {
    Eigen::Index first = -1;
    for (Eigen::Index j = 0; j < seen.weights.size(); ++j) {
      count += Long(seen.weights(j));
      if (first < 0 && seen.weights(j) > 0) first = j;
    }
    if (first < 0) return;
    // About a sample, so that samples that are all equal have a mean without rounding.
    const Vector start = seen.samples.col(first).template cast<Long>();
    const auto from_start = [&](Eigen::Index j) -> Vector {
      return seen.samples.col(j).template cast<Long>() - start;
    };
    Vector shift = Vector::Zero();
    for (Eigen::Index j = 0; j < seen.weights.size(); ++j) {
      shift += Long(seen.weights(j)) * from_start(j);
    }
    shift /= count;
    mean = start + shift;
    for (Eigen::Index j = 0; j < seen.weights.size(); ++j) {
      if (!(seen.weights(j) > 0)) continue;
      const Vector x = from_start(j) - shift;
      covariance += Long(seen.weights(j)) * x * x.transpose();
      range = range.cwiseMax(x.cwiseAbs());
    }
    covariance /= count;
  }
};

// Rounding, as it must be: relative to the mean and to the distances from it, whatever the offset,
// and growing with the number of additions. No spread at all leaves no error.
template <int Dim, class M>
void check(const M& moments, const Reference<Dim>& reference, Long steps) {
  fuzz::require_near(moments.count(), reference.count, steps * fuzz::epsilon * reference.count,
                     "the count is the sum of the weights");
  if (!(reference.count > 0)) {
    fuzz::require(fuzz::refused([&] { moments.mean(); }), "no samples have no mean");
    return;
  }
  const auto mean = moments.mean();
  const auto covariance = moments.covariance();
  const Long relative = (16 + steps) * fuzz::epsilon;
  for (int i = 0; i < Dim; ++i) {
    const Long si = std::sqrt(reference.covariance(i, i));
    fuzz::require_near(
        mean(i), reference.mean(i),
        2 * fuzz::epsilon * std::abs(reference.mean(i)) + relative * reference.range(i),
        "the mean");
    for (int j = 0; j < Dim; ++j) {
      const Long sj = std::sqrt(reference.covariance(j, j));
      fuzz::require(covariance(i, j) == covariance(j, i), "a covariance is symmetric to the bit");
      fuzz::require_near(covariance(i, j), reference.covariance(i, j),
                         relative * (si * reference.range(j) + sj * reference.range(i)),
                         "the covariance");
    }
  }
}

// The fit's covariance is that of the moments, and there is one where they are far from singular.
template <int Dim, class Family>
void check_fit(const Family& family, const sm::Moments<double, Family::Dim>& moments,
               const Reference<Dim>& reference) {
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, moments);
  fuzz::require(fit.parameters.allFinite() && !std::isnan(fit.loss), "a fit is finite");
  fuzz::require(fit.status == sm::Status::converged || fit.status == sm::Status::unbounded,
                "a closed form is converged or unbounded");
  const typename Reference<Dim>::Vector s = reference.covariance.diagonal().cwiseSqrt();
  if (s.minCoeff() > 0) {
    const typename Reference<Dim>::Matrix correlation =
        s.cwiseInverse().asDiagonal() * reference.covariance * s.cwiseInverse().asDiagonal();
    fuzz::require(fit.status == sm::Status::converged || correlation.determinant() < 1e-6L,
                  "regular moments have a fit");
  } else {
    fuzz::require(fit.status == sm::Status::unbounded, "a constant coordinate is unbounded");
  }
  if (fit.status != sm::Status::converged) return;
  const auto fitted = fit.distribution.covariance();
  const auto expected = moments.covariance();
  // The parameters are logarithms: their rounding grows with their size.
  const typename Reference<Dim>::Vector logs = s.array().log().abs();
  for (int i = 0; i < Dim; ++i) {
    for (int j = 0; j < Dim; ++j) {
      fuzz::require_near(fitted(i, j), expected(i, j),
                         (8 * Dim + 2 * (logs(i) + logs(j))) * fuzz::epsilon *
                             std::sqrt(Long(expected(i, i)) * Long(expected(j, j))),
                         "the fit has the moments' covariance");
    }
  }
}

const auto same = [](const auto& a, const auto& b) {
  if (a.count() != b.count()) return false;
  return !(a.count() > 0) ||
         (fuzz::same_bits(a.mean(), b.mean()) && fuzz::same_bits(a.covariance(), b.covariance()));
};

// Samples of any size, or noise about a point: both are what sums go wrong on.
fuzz::Block read_block(fuzz::Input& input, Eigen::Index d, bool weighted) {
  constexpr std::array<double, 8> some{1, 1, 0, 2, 3, 1, 1, 2};
  fuzz::Block block;
  if (input.below(2) == 0) {
    block.samples.resize(d, input.below(6));
    for (double& x : block.samples.reshaped()) x = input.near(numbers);
  } else {
    block.samples.resize(d, 3 * input.byte());
    Eigen::VectorXd center(d);
    for (double& x : center) x = input.near(numbers);
    const double width = input.near(numbers);
    fuzz::Uniform uniform(input.byte());
    for (auto x : block.samples.colwise()) {
      for (Eigen::Index i = 0; i < d; ++i) x(i) = center(i) + width * (uniform() - 0.5);
    }
  }
  block.weights.setOnes(block.samples.cols());
  if (weighted) {
    for (double& w : block.weights) w = input.one_of(some);
  }
  return block;
}

template <int Dim>
void run(fuzz::Input& input) {
  std::vector<sm::Moments<double, Dim>> fixed(summaries);
  std::vector<sm::Moments<double>> dynamic(summaries, sm::Moments<double>(Dim));
  std::vector<Model> model(summaries);
  for (Model& m : model) m.seen.samples.resize(Dim, 0);
  // Both do the same, or both refuse.
  const auto change = [&](unsigned i, const auto& of_fixed, const auto& of_dynamic) {
    const bool threw = fuzz::change_or_refuse(fixed[i], of_fixed, same);
    fuzz::require(fuzz::change_or_refuse(dynamic[i], of_dynamic, same) == threw,
                  "fixed and dynamic moments refuse the same");
    return !threw;
  };
  while (!input.empty()) {
    const unsigned operation = input.byte();
    const unsigned i = operation % summaries;
    const unsigned j = operation / summaries % summaries;
    switch (operation / (summaries * summaries) % 6) {
      case 0:
      case 1: {
        const fuzz::Block block = read_block(input, Dim, false);
        const Eigen::MatrixXd& x = block.samples;
        const bool one_by_one = input.below(2) == 1 || x.cols() == 1;
        const auto add = [&](auto& moments) {
          auto sum = moments;
          for (Eigen::Index k = 0; one_by_one && k < x.cols(); ++k) sum.add(x.col(k));
          if (!one_by_one) sum.add(x);
          moments = sum;
        };
        if (change(i, add, add)) model[i].add(x, block.weights);
        break;
      }
      case 2: {
        const fuzz::Block block = read_block(input, Dim, true);
        // A weight is a number of copies.
        const auto weights = [&](auto& moments) { moments.add(block.samples, block.weights); };
        const auto copied = [&](auto& moments) { moments.add(fuzz::copies(block)); };
        const bool swap = input.below(2) == 1;
        if (swap ? change(i, copied, weights) : change(i, weights, copied)) {
          model[i].add(block.samples, block.weights);
        }
        break;
      }
      case 3: {
        if (model[i].steps + model[j].steps > 4000) break;
        const Model other = model[j];
        if (change(
                i, [&](auto& moments) { moments.merge(fixed[j]); },
                [&](auto& moments) { moments.merge(dynamic[j]); })) {
          model[i].add(other.seen.samples, other.seen.weights);
        }
        break;
      }
      case 4:
        fixed[i] = fixed[j];
        dynamic[i] = dynamic[j];
        model[i] = Model(model[j]);
        break;
      default: {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        constexpr double nan = std::numeric_limits<double>::quiet_NaN();
        const double bad = input.one_of(std::array{nan, infinity, -infinity});
        Eigen::MatrixXd samples = Eigen::MatrixXd::Ones(Dim, 3);
        Eigen::VectorXd weights = Eigen::VectorXd::Ones(3);
        if (input.below(2) == 0) {
          samples(input.below(Dim), input.below(3)) = bad;
        } else {
          weights(input.below(3)) = input.below(2) == 0 ? bad : -1;
        }
        const auto add = [&](auto& moments) { moments.add(samples, weights); };
        fuzz::require(!change(i, add, add), "what is not finite, or a negative weight, is refused");
      }
    }
    const Reference<Dim> reference(model[i].seen);
    check(fixed[i], reference, model[i].steps);
    check(dynamic[i], reference, model[i].steps);
  }
  for (unsigned i = 0; i < summaries; ++i) {
    const Reference<Dim> reference(model[i].seen);
    if (!(reference.count > 0)) continue;
    check_fit(sm::GaussianFamily<double, Dim>{}, fixed[i], reference);
    check_fit(sm::GaussianFamily<double>(Dim), dynamic[i], reference);
    // In another order, and all at once.
    sm::Moments<double, Dim> reversed;
    if (!fuzz::refused([&] {
          reversed.add(model[i].seen.samples.rowwise().reverse(), model[i].seen.weights.reverse());
        })) {
      check(reversed, reference, model[i].steps);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::Input input(bytes, size);
  if (input.below(2) == 0) {
    run<2>(input);
  } else {
    run<3>(input);
  }
  return 0;
}
