// SampleSet: adding, weights, merging, copying. The model is a list of the samples.
#include "fuzz.hpp"

#include <scorematch/data/sample_set.hpp>

namespace {

namespace sm = scorematch;
using fuzz::Long;

constexpr int sets = 3;
constexpr std::array<double, 10> numbers{0, -0.0, 1, -3.5, 1e-300, 5e-324, 1e8, -1e100, 8e307, 7};
constexpr std::array<double, 10> positive{0, 1, 1, 1, 2, 0.5, 3, 1e-300, 1e308, 1};

struct Model {
  std::vector<double> values;  // sample after sample
  std::vector<double> weights;
  Long count = 0;
};

template <class Set>
void check(const Set& set, const Model& model) {
  const auto n = Eigen::Index(model.weights.size());
  fuzz::require(set.size() == n, "a set holds the samples of a weight above 0");
  const Eigen::Map<const Eigen::MatrixXd> samples(model.values.data(), set.dimension(), n);
  fuzz::require(fuzz::same_bits(set.samples(), samples), "a set holds the samples in their order");
  fuzz::require(
      fuzz::same_bits(set.weights(), Eigen::Map<const Eigen::VectorXd>(model.weights.data(), n)),
      "a set holds their weights");
  fuzz::require_near(set.count(), model.count, Long(n) * fuzz::epsilon * model.count,
                     "the count is the sum of the weights");
}

const auto same = [](const auto& a, const auto& b) {
  return fuzz::same_bits(a.samples(), b.samples()) && fuzz::same_bits(a.weights(), b.weights()) &&
         a.count() == b.count();
};

template <int Dim>
void run(fuzz::Input& input, Eigen::Index d) {
  std::vector<sm::SampleSet<double, Dim>> set(sets, sm::SampleSet<double, Dim>(d));
  std::vector<Model> model(sets);
  while (!input.empty()) {
    const unsigned operation = input.byte();
    const unsigned i = operation % sets;
    const unsigned j = operation / sets % sets;
    switch (operation / (sets * sets) % 5) {
      case 0:
      case 1: {
        const bool weighted = input.below(2) == 1;
        fuzz::Block block{Eigen::MatrixXd(d, input.below(6)), {}};
        block.weights.setOnes(block.samples.cols());
        for (double& x : block.samples.reshaped()) x = input.near(numbers);
        if (weighted) {
          for (double& w : block.weights) w = input.one_of(positive);
        }
        Model sum = model[i];
        for (Eigen::Index k = 0; k < block.samples.cols(); ++k) {
          sum.count += Long(block.weights(k));
          if (block.weights(k) == 0) continue;
          sum.weights.push_back(block.weights(k));
          for (const double x : block.samples.col(k)) sum.values.push_back(x);
        }
        const bool threw = fuzz::change_or_refuse(
            set[i],
            [&](auto& s) {
              if (weighted) {
                s.add(block.samples, block.weights);
              } else if (block.samples.cols() == 1) {
                s.add(block.samples.col(0));
              } else {
                s.add(block.samples);
              }
            },
            same);
        const bool overflows = sum.count > Long(std::numeric_limits<double>::max());
        fuzz::require(threw == overflows, "samples are refused where their weights overflow");
        if (!threw) model[i] = sum;
        break;
      }
      case 2: {
        if (model[i].weights.size() + model[j].weights.size() > 5000) break;
        Model sum = model[i];
        const Model other = model[j];
        sum.values.insert(sum.values.end(), other.values.begin(), other.values.end());
        sum.weights.insert(sum.weights.end(), other.weights.begin(), other.weights.end());
        sum.count += other.count;
        const bool threw = fuzz::change_or_refuse(
            set[i], [&](auto& s) { s.merge(set[j]); }, same);
        const bool overflows = sum.count > Long(std::numeric_limits<double>::max());
        fuzz::require(threw == overflows, "a merge is refused where the weights overflow");
        if (!threw) model[i] = sum;
        break;
      }
      case 3:
        set[i] = set[j];
        model[i] = Model(model[j]);
        break;
      default: {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        constexpr double nan = std::numeric_limits<double>::quiet_NaN();
        const double bad = input.one_of(std::array{nan, infinity, -infinity});
        Eigen::MatrixXd samples = Eigen::MatrixXd::Ones(d, 3);
        Eigen::VectorXd weights = Eigen::VectorXd::Ones(3);
        if (input.below(2) == 0) {
          samples(input.below(unsigned(d)), input.below(3)) = bad;
        } else {
          weights(input.below(3)) = input.below(2) == 0 ? bad : -1;
        }
        fuzz::require(fuzz::change_or_refuse(
                          set[i], [&](auto& s) { s.add(samples, weights); }, same),
                      "what is not finite, or a negative weight, is refused");
      }
    }
    check(set[i], model[i]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::Input input(bytes, size);
  if (input.below(2) == 0) {
    run<2>(input, 2);
  } else {
    run<Eigen::Dynamic>(input, 1 + input.below(4));
  }
  return 0;
}
