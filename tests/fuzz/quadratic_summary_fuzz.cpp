// QuadraticSummary in each way that it sums (small and fixed; sparse, in packs; sparse, one by one;
// gathered), with plain and with generalized score matching, and the fit to it. The model sums the
// definition in long double, beside the sum of the terms' sizes, which says what rounding may do.
#include "fuzz.hpp"

#include <scorematch/family/exponential_family.hpp>
#include <scorematch/fit/fit.hpp>
#include <scorematch/loss/generalized_score_matching.hpp>
#include <scorematch/loss/score_matching.hpp>
#include <scorematch/optimizer/closed_form.hpp>

#include <tuple>

namespace {

namespace sm = scorematch;
using fuzz::Long;

constexpr int summaries = 2;
constexpr int dim = 2;
constexpr int parameters = 5;
constexpr std::array<double, 14> numbers{0,   -0.0, 1,   -1,   0.5, 3,    1e-3,
                                         100, -50,  1e4, 0.25, -8,  2.75, 1e-5};

// t(x, y) = x, y, -x^2/2, -y^2/2, -x y.
struct Generic {
  template <class X>
  auto operator()(const X& x) const {
    Eigen::Matrix<typename X::Scalar, Eigen::Dynamic, 1> t(parameters);
    t(0) = x(0);
    t(1) = x(1);
    t(2) = x(0) * x(0) * -0.5;
    t(3) = x(1) * x(1) * -0.5;
    t(4) = -(x(0) * x(1));
    return t;
  }
};

template <bool Packs>
struct Sparse : Generic {
  static constexpr bool takes_packs = Packs;
  template <class X, class Visit>
  void for_each_derivative(const X& x, Eigen::Index j, Visit&& visit) const {
    using T = std::remove_cvref_t<decltype(x(j))>;
    visit(j, T(1), T(0));
    visit(2 + j, T(-x(j)), T(-1));
    visit(4, T(-x(1 - j)), T(0));
  }
};

struct Model {
  using Matrix = Eigen::Matrix<Long, parameters, parameters>;
  using Vector = Eigen::Matrix<Long, parameters, 1>;
  Long count = 0;
  Long steps = 0;
  Matrix quadratic = Matrix::Zero(), quadratic_size = Matrix::Zero();
  Vector linear = Vector::Zero(), linear_size = Vector::Zero();

  // Where `truncated`, with the weight function min(x, 1).
  void add(const fuzz::Block& block, bool truncated) {
    for (Eigen::Index n = 0; n < block.samples.cols(); ++n) {
      const auto w = Long(block.weights(n));
      const std::array<Long, dim> x{Long(block.samples(0, n)), Long(block.samples(1, n))};
      count += w;
      ++steps;
      for (std::size_t j = 0; j < dim; ++j) {
        const Long h = truncated && x[j] < 1 ? x[j] : 1;
        const Long slope = truncated && x[j] < 1 ? 1 : 0;
        Vector first = Vector::Zero(), second = Vector::Zero();
        const auto at = Eigen::Index(j);
        first(at) = 1;
        first(2 + at) = -x[j];
        first(4) = -x[1 - j];
        second(2 + at) = -1;
        quadratic += w * h * first * first.transpose();
        quadratic_size += (w * h * first * first.transpose()).cwiseAbs();
        linear += w * (h * second + slope * first);
        linear_size += w * (h * second + slope * first).cwiseAbs();
      }
    }
  }

  void merge(const Model& other) {
    count += other.count;
    steps += other.steps;
    quadratic += other.quadratic;
    quadratic_size += other.quadratic_size;
    linear += other.linear;
    linear_size += other.linear_size;
  }
};

template <class Summary>
void check(const Summary& summary, const Model& model) {
  const Long relative = (16 + model.steps) * fuzz::epsilon;
  fuzz::require_near(summary.count(), model.count, relative * model.count,
                     "the count is the sum of the weights");
  if (!(model.count > 0)) return;
  const auto quadratic = summary.form().quadratic();
  const auto linear = summary.form().linear();
  fuzz::require(summary.form().constant() == 0, "no base measure, no constant");
  for (int a = 0; a < parameters; ++a) {
    fuzz::require_near(linear(a), model.linear(a) / model.count,
                       relative * model.linear_size(a) / model.count, "the linear term");
    for (int b = 0; b < parameters; ++b) {
      fuzz::require(quadratic(a, b) == quadratic(b, a), "the form is symmetric to the bit");
      fuzz::require_near(quadratic(a, b), model.quadratic(a, b) / model.count,
                         relative * model.quadratic_size(a, b) / model.count, "the quadratic term");
    }
  }
}

const auto same = [](const auto& a, const auto& b) {
  if (a.count() != b.count()) return false;
  return !(a.count() > 0) || (fuzz::same_bits(a.form().quadratic(), b.form().quadratic()) &&
                              fuzz::same_bits(a.form().linear(), b.form().linear()) &&
                              a.form().constant() == b.form().constant());
};

fuzz::Block read_block(fuzz::Input& input, bool truncated, bool weighted) {
  constexpr std::array<double, 8> some{1, 1, 0, 2, 3, 1, 1, 2};
  fuzz::Block block;
  if (input.below(2) == 0) {
    block.samples.resize(dim, input.below(20));
    for (double& x : block.samples.reshaped()) x = input.near(numbers);
  } else {
    block.samples.resize(dim, 2 * input.byte());
    const double center = input.near(numbers);
    const double width = input.near(numbers);
    fuzz::Uniform uniform(input.byte());
    for (double& x : block.samples.reshaped()) x = center + width * (uniform() - 0.5);
  }
  if (truncated) block.samples = block.samples.cwiseAbs().eval();
  block.weights.setOnes(block.samples.cols());
  if (weighted) {
    for (double& w : block.weights) w = input.one_of(some);
  }
  return block;
}

template <class Loss>
void run(fuzz::Input& input, const Loss& loss, bool truncated) {
  constexpr int any = Eigen::Dynamic;
  const auto families = std::tuple(
      sm::ExponentialFamily<double, dim, parameters, Sparse<true>>(),           // small
      sm::ExponentialFamily<double, any, any, Sparse<true>>(dim, parameters),   // sparse, packs
      sm::ExponentialFamily<double, dim, any, Sparse<false>>(dim, parameters),  // sparse
      sm::ExponentialFamily<double, any, any, Generic>(dim, parameters));       // gathered
  const auto empty = std::apply(
      [&](const auto&... family) { return std::tuple(loss.summary(family)...); }, families);
  std::vector<decltype(std::tuple(empty))> summary(summaries, empty);
  std::vector<Model> model(summaries);
  // All do the same, or all refuse. `act` is given the summary and its copies of the other ones.
  const auto change = [&](unsigned i, unsigned j, const auto& act) {
    const auto others = summary[j];
    int refusals = 0;
    const auto each = [&]<std::size_t... K>(std::index_sequence<K...>) {
      ((refusals += fuzz::change_or_refuse(
            std::get<K>(summary[i]), [&](auto& s) { act(s, std::get<K>(others)); }, same)),
       ...);
    };
    each(std::make_index_sequence<4>());
    fuzz::require(refusals == 0 || refusals == 4, "all ways of summing refuse the same");
    return refusals == 0;
  };
  while (!input.empty()) {
    const unsigned operation = input.byte();
    const unsigned i = operation % summaries;
    const unsigned j = operation / summaries % summaries;
    switch (operation / (summaries * summaries) % 6) {
      case 0:
      case 1:
      case 2: {
        const bool weighted = input.below(2) == 1;
        const fuzz::Block block = read_block(input, truncated, weighted);
        const unsigned how = input.below(3);
        if (change(i, i, [&](auto& s, const auto&) {
              if (weighted && how == 0) {
                s.add(fuzz::copies(block));
              } else if (weighted) {
                s.add(block.samples, block.weights);
              } else if (how == 0 && block.samples.cols() < 20) {
                for (Eigen::Index k = 0; k < block.samples.cols(); ++k) {
                  s.add(Eigen::Vector2d(block.samples.col(k)));
                }
              } else {
                s.add(block.samples);
              }
            })) {
          model[i].add(block, truncated);
        }
        break;
      }
      case 3: {
        if (model[i].count + model[j].count > 1e12L) break;
        const Model other = model[j];
        if (change(i, j, [](auto& s, const auto& o) { s.merge(o); })) model[i].merge(other);
        break;
      }
      case 4:
        summary[i] = decltype(std::tuple(empty))(summary[j]);
        model[i] = Model(model[j]);
        break;
      default: {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        constexpr double nan = std::numeric_limits<double>::quiet_NaN();
        // The square of the last one overflows.
        const double bad = input.one_of(std::array{nan, infinity, -infinity, 1e200});
        Eigen::Matrix2Xd samples = Eigen::Matrix2Xd::Ones(dim, 1 + input.below(20));
        samples(input.below(dim), input.below(unsigned(samples.cols()))) = bad;
        fuzz::require(!change(i, i, [&](auto& s, const auto&) { s.add(samples); }),
                      "what is not finite or overflows is refused");
      }
    }
    std::apply([&](const auto&... s) { (check(s, model[i]), ...); }, summary[i]);
  }
  for (unsigned i = 0; i < summaries; ++i) {
    if (!(model[i].count > 0)) continue;
    const auto& small = std::get<0>(summary[i]);
    const auto fit = sm::fit(std::get<0>(families), loss, sm::ClosedForm{}, small);
    fuzz::require(fit.parameters.allFinite() && !std::isnan(fit.loss), "a fit is finite");
    if (fit.status != sm::Status::converged) continue;
    // No theta is better than the minimum, as far as rounding can tell.
    const Model::Vector theta = fit.parameters.template cast<Long>();
    const Model::Vector gradient = (model[i].quadratic * theta + model[i].linear) / model[i].count;
    const Model::Vector size =
        (model[i].quadratic_size * theta.cwiseAbs() + model[i].linear_size) / model[i].count;
    for (int k = 0; k < parameters; ++k) {
      fuzz::require_near(gradient(k), 0, 1e-6L * size(k), "the gradient vanishes at the minimum");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::Input input(bytes, size);
  if (input.below(2) == 0) {
    run(input, sm::ScoreMatchingLoss{}, false);
  } else {
    run(input, sm::GeneralizedScoreMatchingLoss{}, true);
  }
  return 0;
}
