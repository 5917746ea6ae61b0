// SPDX-License-Identifier: MIT
//
// What every replay keeps: numbers of a pack, adjoints, and the sums of derivatives by theta.
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/derivative/recorded/jet_products.hpp>
#include <scorematch/derivative/recorded/program.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace scorematch::detail {

template <VectorLane T>
class ReplayMemory {
 public:
  using P = ReplayPack<T>;
  using Id = typename Program<T>::Id;
  static constexpr int lanes = replay_lanes<T>;
  using Live = std::uint32_t;

  P& x(Eigen::Index i) { return x_[std::size_t(i)]; }
  // Numbers beside the sample: h_i where `weighted`, the direction where `along`, and else what the
  // loss likes.
  P& beside(int which, Eigen::Index i) {
    return beside_[std::size_t(which) * padded_ + std::size_t(i)];
  }
  const P& beside(int which, Eigen::Index i) const {
    return beside_[std::size_t(which) * padded_ + std::size_t(i)];
  }

  // After flush(): adds the derivatives by theta.
  template <class Gradient>
  void add_gradient(Gradient& gradient_sum) {
    for (std::size_t k = program_->uniform_steps.size(); k-- > 0;) {
      const auto& step = program_->uniform_steps[k];
      const double by = total_[step.to];
      if (!Program<T>::is_constant(step.a)) total_[step.a] += static_cast<double>(step.by_a) * by;
      if (!Program<T>::is_constant(step.b)) total_[step.b] += static_cast<double>(step.by_b) * by;
    }
    for (Eigen::Index k = 0; k < gradient_sum.size(); ++k) {
      gradient_sum(k) += total_[std::size_t(k) + 1];
    }
  }

 protected:
  using Node = typename Program<T>::Node;
  using Term = typename Program<T>::Term;
  using TermKind = typename Program<T>::TermKind;
  using Row = typename Program<T>::Row;
  using Step = typename Program<T>::Step;
  using Op = typename Program<T>::Op;
  using Kind = typename Program<T>::Kind;
  using Layer = typename Program<T>::Layer;

  // `padded`: coordinates, those that fill the last block among them.
  void reserve_samples(Eigen::Index padded, int beside) {
    padded_ = std::size_t(padded);
    x_.assign(padded_, P(T(0)));
    beside_.assign(padded_ * std::size_t(beside), P(T(0)));
  }

  void begin_sums(const Program<T>& program) {
    program_ = &program;
    if (value_.size() < program.value_count) value_.resize(program.value_count);
    if (adjoint_.size() < program.adjoint_count) adjoint_.resize(program.adjoint_count, P(T(0)));
    uniform_sum_.assign(program.uniforms.size(), P(T(0)));
    weight_sum_.assign(program.weights.size(), P(T(0)));
    layer_sum_.assign(program.coefficients.size(), T(0));
    total_.assign(program.uniforms.size(), 0.0);
  }

  static double drain(P& from) {
    const double sum = static_cast<double>(from.array().sum());
    from = P(T(0));
    return sum;
  }

  // Moves the sums over the lanes to those in double precision.
  void flush_sums() {
    for (std::size_t u = 0; u < uniform_sum_.size(); ++u) total_[u] += drain(uniform_sum_[u]);
    for (std::size_t e = 0; e < weight_sum_.size(); ++e) {
      const Id u = program_->weight_of[e];
      const double sum = drain(weight_sum_[e]);
      if (moves(u)) total_[u] += sum;
    }
    std::size_t at = 0;
    for (const Layer& layer : program_->layers) {
      for (Id k = layer.first; k < layer.last; ++k) {
        const Node& n = program_->nodes[program_->outputs[k]];
        for (Id t = n.first; t < n.last; ++t, ++at) {
          const Id u = program_->terms[t].coefficient;
          if (!Program<T>::is_constant(u)) total_[u] += static_cast<double>(layer_sum_[at]);
          layer_sum_[at] = T(0);
        }
      }
    }
  }

  // The steps from the last to the first: of_layer(layer), or visit(step, node).
  template <class OfLayer, class Visit>
  void for_each_step_back(OfLayer of_layer, Visit visit) const {
    for (std::size_t s = program_->steps.size(); s-- > 0;) {
      const Step& step = program_->steps[s];
      if (step.op == Op::layer) {
        of_layer(program_->layers[step.node]);
      } else {
        visit(step, node(step));
      }
    }
  }

  const Node& node(const Step& step) const { return program_->nodes[step.node]; }
  P uniform(Id u) const { return P(program_->uniform(u)); }
  // Whether a uniform is there and moves with theta.
  static bool moves(Id u) { return u != Program<T>::none && !Program<T>::is_constant(u); }

  // Of a layer: of each output, by the inputs; and transposed.
  Coefficients<T> coefficients_of(const Layer& layer) const {
    return {&program_->coefficients[layer.coefficients], layer.count, 1};
  }
  Coefficients<T> transposed_of(const Layer& layer) const {
    return {&program_->coefficients[layer.coefficients], 1, layer.count};
  }
  Id offset_of(const Layer& layer, Id j) const {
    return program_->nodes[program_->outputs[layer.first + j]].offset;
  }

  // A product that is zero where a factor is: the other may not be finite, such as a derivative by
  // what does not move, or the side that a maximum does not take.
  static P times(const P& a, const P& b) {
    const P zero(T(0));
    return select((a == zero) | (b == zero), zero, a * b);
  }

  // The value of a logsumexp, and in its slot the weights of its terms. The largest term stands
  // for 0 where it is not finite, so that differences from it are.
  P weigh(const Node& n) {
    const Term* const terms = &program_->terms[n.first];
    const Id count = n.last - n.first;
    const auto value = [&](Id k) -> const P& { return value_[program_->nodes[terms[k].node].jet]; };
    P top = value(0);
    for (Id k = 1; k < count; ++k) top = select(top < value(k), value(k), top);
    top = select(is_finite(top), top, P(T(0)));
    P* const weight = &value_[n.slot];
    P sum(T(0));
    for (Id k = 0; k < count; ++k) {
      weight[k] = exp(value(k) - top);
      sum += weight[k];
    }
    const P inverse = P(T(1)) / sum;
    for (Id k = 0; k < count; ++k) weight[k] *= inverse;
    return top + log(sum);
  }

  // Where a comparison comes out as it did for the leader.
  static Live agreeing(const Step& step, const P& a, const P& b) {
    using Relation = typename Program<T>::Relation;
    const auto bits = [&](const typename P::Mask& mask) {
      Live result = 0;
      for (int k = 0; k < lanes; ++k) result |= Live(mask[k] == step.outcome) << k;
      return result;
    };
    switch (step.relation) {
      case Relation::below: return bits(a < b);
      case Relation::at_most: return bits(a <= b);
      case Relation::equal: return bits(a == b);
      case Relation::finite: return bits(is_finite(a));
      case Relation::nan: break;
    }
    return bits(a != a);
  }

  const Program<T>* program_ = nullptr;
  std::size_t padded_ = 0;
  std::vector<P> x_;
  std::vector<P> beside_;
  std::vector<P> value_;
  std::vector<P> adjoint_;
  std::vector<P> uniform_sum_;  // of the derivatives by uniforms
  std::vector<P> weight_sum_;   // by entries of rows, as such
  std::vector<T> layer_sum_;    // by the coefficients of layers
  std::vector<double> total_;   // all of them, by uniforms
};

}  // namespace scorematch::detail
