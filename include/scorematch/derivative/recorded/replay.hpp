// SPDX-License-Identifier: MIT
//
// Runs a program over packs of samples, forward and backward.
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/recorded/forward_replay.hpp>
#include <scorematch/derivative/recorded/line_replay.hpp>
#include <scorematch/derivative/recorded/program.hpp>
#include <scorematch/derivative/second_order.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <type_traits>

namespace scorematch::detail {

// Backward, a sum s = sum_k c_k z_k passes its adjoint on to each z_k; where z_k = phi(b) is
// composed, past it to b, whose jet alone is read.
template <VectorLane T, int width, SecondOrder order>
class GradientReplay : public ForwardReplay<T, width, order> {
  using Base = ForwardReplay<T, width, order>;

 public:
  using Base::gradient;
  using typename Base::Id;
  using typename Base::P;

  // The adjoint of the result's jet, to be filled before `backward`. Before the first block of a
  // pack all adjoints are zero; those of the values of rows are kept to the last.
  P* result_adjoint(int block) {
    for (const auto& [begin, end] : block == 0 ? program_->sums : program_->sums_of_jets) {
      std::fill_n(&adjoint_[begin], end - begin, P(T(0)));
    }
    return &adjoint_[program_->nodes[program_->result].adjoint];
  }
  static std::size_t adjoint_size(Eigen::Index) { return std::size_t(Base::jet_size); }

  void backward(int block) {
    set_block(block);
    const bool last = block + 1 == program_->shape().blocks;
    this->for_each_step_back([&](const Layer& layer) { layer_back(layer); },
                             [&](const Step& step, const Node& n) {
                               if (!n.depends) return;
                               switch (step.op) {
                                 case Op::form: form_back(n); break;
                                 case Op::sum: sum_back(n); break;
                                 case Op::product: product_back(n); break;
                                 case Op::binary: binary_back(n); break;
                                 case Op::logsumexp: logsumexp_back(n); break;
                                 default: break;
                               }
                             });
    if (!last) return;
    for (const Row& row : program_->rows) {
      const Node& n = program_->nodes[row.node];
      if (n.depends && !n.single) linear_back(row);
    }
  }

  // Moves the sums over the lanes to those in double precision.
  void flush() {
    this->flush_sums();
    if constexpr (order == SecondOrder::laplacian) flush_norms();
  }

 private:
  using Base::adjoint_;
  using Base::block_;
  using Base::for_each_run;
  using Base::jet_size;
  using Base::layer_sum_;
  using Base::moves;
  using Base::norm_sum_;
  using Base::program_;
  using Base::set_block;
  using Base::times;
  using Base::total_;
  using Base::uniform;
  using Base::uniform_sum_;
  using Base::value_;
  using Base::weight_sum_;
  using Base::with_base;
  using Base::with_pair;
  using Base::x_;
  using typename Base::Kind;
  using typename Base::Layer;
  using typename Base::Node;
  using typename Base::Op;
  using typename Base::Products;
  using typename Base::Row;
  using typename Base::Step;
  using typename Base::Term;

  void linear_back(const Row& row) {
    const Node& n = program_->nodes[row.node];
    P* const sums = weight_sum_.data() + row.begin;
    const Id* const coordinate = program_->coordinate.data() + row.begin;
    const P by_value = adjoint_[n.slot_adjoint];
    if (moves(row.offset)) uniform_sum_[row.offset] += by_value;
    if (row.dense && width > 1 && program_->shape().blocks == 1) {
      for_each_entry<width>([&](auto i)
                                SCOREMATCH_INLINE { sums[i] += x_[std::size_t(i)] * by_value; });
    } else {
      for (Id e = 0; e < row.count; ++e) sums[e] += x_[coordinate[e]] * by_value;
    }
  }

  void form_back(const Node& n) {
    const P* const from = &adjoint_[n.adjoint];
    if (n.kind == Kind::linear) {
      adjoint_[n.slot_adjoint] += from[0];
      with_base(n, [&](const auto& g) {
        g.each([&](auto i, const P&, P& sum) SCOREMATCH_INLINE { sum += from[gradient + Id(i)]; });
      });
      return;
    }
    with_base(program_->nodes[n.a], [&](const auto& g) {
      using Gradient = std::remove_cvref_t<decltype(g)>;
      const Term one = program_->only_term(n);
      this->template pass_on<true, Gradient, false>(&one, &one + 1, from);
    });
  }

  void sum_back(const Node& n) {
    const P* const from = &adjoint_[n.adjoint];
    if (moves(n.offset)) uniform_sum_[n.offset] += from[0];
    for_each_run(n, [&](const Term* begin, const Term* end, auto composed, auto base, auto single) {
      this->pass_on<composed, typename decltype(base)::type, single>(begin, end, from);
    });
  }

  // The adjoint `from` of a sum, to its terms and their coefficients.
  template <bool composed, class Gradient, bool single>
  EIGEN_DONT_INLINE void pass_on(const Term* begin, const Term* end, const P* from) {
    const P sv = from[0], sl = from[1];
    std::conditional_t<Gradient::dense, P[std::size_t(width)], const P*> s;
    if constexpr (Gradient::dense) {
      for_each_entry<width>([&](auto i) SCOREMATCH_INLINE { s[i] = from[gradient + Id(i)]; });
    } else {
      s = from + gradient;
    }
    for (const Term* term = begin; term != end; ++term) {
      if (!term->active) continue;
      const Gradient g = this->template gradient_of<Gradient>(*term);
      const P c = uniform(term->coefficient);
      const P* const z = &value_[term->value];
      P* const by_base = &adjoint_[term->adjoint];
      P along(T(0)), beside(T(0));  // two sums, whose latencies overlap
      g.each([&](auto i, const P& entry, P&) SCOREMATCH_INLINE {
        if (i % 2 == 0) {
          along += s[i] * entry;
        } else {
          beside += s[i] * entry;
        }
      });
      along += beside;
      P by_coefficient;
      if constexpr (composed) {
        const P* const phi = z;
        if constexpr (!Gradient::row) along += sl * value_[term->entries + 1];
        const P curve = sl * phi[4];
        by_coefficient = sv * phi[0] + along * phi[1] + curve * phi[2];
        P by_value = sv * phi[1] + along * phi[2];
        by_value += curve * phi[3];
        by_value *= c;
        const P slope = c * phi[1];
        const P bend = c * (sl * phi[2]);
        if constexpr (order == SecondOrder::laplacian && Gradient::row) {
          // |w|^2 is the same for all samples: its derivative is taken at the end.
          norm_sum_[term->row * Id(program_->shape().blocks) + Id(block_)] += bend;
        }
        if constexpr (single) {
          if (term->offset != Program<T>::none) uniform_sum_[term->offset] += by_value;
        } else {
          by_base[0] += by_value;
          if constexpr (!Gradient::row) by_base[1] += sl * slope;
        }
        const P twice = bend + bend;
        g.each([&](auto i, [[maybe_unused]] const P& entry, P& sum) SCOREMATCH_INLINE {
          P add = slope * s[i];
          if constexpr (single) add += by_value * x_[std::size_t(i)];
          if constexpr (!(order == SecondOrder::laplacian && Gradient::row)) {
            add += twice * this->measured(i, entry);
          }
          sum += add;
        });
      } else {
        by_coefficient = along + sv * z[0];
        if constexpr (Gradient::row) {
          by_base[0] += c * sv;
        } else {
          by_base[0] += c * sv;
          by_coefficient += sl * z[1];
          by_base[1] += c * sl;
        }
        g.each([&](auto i, const P&, P& sum) SCOREMATCH_INLINE { sum += c * s[i]; });
      }
      if (moves(term->coefficient)) uniform_sum_[term->coefficient] += by_coefficient;
    }
  }

  void product_back(const Node& n) {
    const Node &a = program_->nodes[n.a], &b = program_->nodes[n.b];
    const P *const u = &value_[a.jet], *const w = &value_[b.jet];
    P *const to_a = &adjoint_[a.adjoint], *const to_b = &adjoint_[b.adjoint];
    const P* const from = &adjoint_[n.adjoint];
    P by_a = from[0] * w[0], by_b = from[0] * u[0];
    const P ua = u[0], wb = w[0];
    const P twice = from[1] + from[1];
    by_a += from[1] * w[1];
    by_b += from[1] * u[1];
    // a and b may be the same.
    with_pair(n, a, b, [&](auto i, const P& ga, const P& gb) SCOREMATCH_INLINE {
      const P s = from[gradient + Id(i)];
      by_a += s * gb;
      by_b += s * ga;
      P add_a = s * wb, add_b = s * ua;
      add_a += twice * this->measured(i, gb);
      add_b += twice * this->measured(i, ga);
      to_a[gradient + Id(i)] += add_a;
      to_b[gradient + Id(i)] += add_b;
    });
    to_a[0] += by_a;
    to_b[0] += by_b;
    to_a[1] += from[1] * wb;
    to_b[1] += from[1] * ua;
  }

  void binary_back(const Node& n) {
    const Node &a = program_->nodes[n.a], &b = program_->nodes[n.b];
    const P *const u = &value_[a.jet], *const w = &value_[b.jet];
    P *const to_a = &adjoint_[a.adjoint], *const to_b = &adjoint_[b.adjoint];
    const P* const from = &adjoint_[n.adjoint];
    const P* const phi = &value_[n.slot];
    const P sl = from[1];
    P along_a(T(0)), along_b(T(0)), aa(T(0)), ab(T(0)), bb(T(0));
    with_pair(n, a, b, [&](auto i, const P& ga, const P& gb) SCOREMATCH_INLINE {
      const P s = from[gradient + Id(i)];
      along_a += s * ga;
      along_b += s * gb;
      P add_a = times(phi[of_a], s), add_b = times(phi[of_b], s);
      const P ma = this->measured(i, ga), mb = this->measured(i, gb);
      aa += ma * ga;
      ab += ma * gb;
      bb += mb * gb;
      const P twice = sl + sl;
      add_a += times(twice, times(phi[of_aa], ma) + times(phi[of_ab], mb));
      add_b += times(twice, times(phi[of_ab], ma) + times(phi[of_bb], mb));
      to_a[gradient + Id(i)] += add_a;
      to_b[gradient + Id(i)] += add_b;
    });
    along_a += sl * u[1];
    along_b += sl * w[1];
    P by_a = times(phi[of_a], from[0]) + times(phi[of_aa], along_a) + times(phi[of_ab], along_b);
    P by_b = times(phi[of_b], from[0]) + times(phi[of_ab], along_a) + times(phi[of_bb], along_b);
    by_a += times(phi[of_aaa], sl * aa) + P(T(2)) * times(phi[of_aab], sl * ab) +
            times(phi[of_abb], sl * bb);
    by_b += times(phi[of_aab], sl * aa) + P(T(2)) * times(phi[of_abb], sl * ab) +
            times(phi[of_bbb], sl * bb);
    to_a[1] += times(phi[of_a], sl);
    to_b[1] += times(phi[of_b], sl);
    to_a[0] += by_a;
    to_b[0] += by_b;
  }

  void logsumexp_back(const Node& n) {
    const P* const from = &adjoint_[n.adjoint];
    const P* const mean = &value_[n.jet];
    const P sl = from[1], twice = sl + sl;
    for (Id t = n.first; t < n.last; ++t) {
      const Node& z = this->jet_of(t);
      const P weight = value_[n.slot + (t - n.first)];
      P* const to = &adjoint_[z.adjoint];
      P by_value = from[0], curve = value_[z.jet + 1] - mean[1];
      this->for_each_coordinate(n, [&](int i) {
        const P apart = this->entry_of(z, i) - mean[gradient + Id(i)];
        const P s = from[gradient + Id(i)], by_spread = this->measured(i, apart);
        by_value += s * apart;
        curve += by_spread * apart;
        if ((this->coordinates(z) >> i & 1) != 0) {
          to[gradient + Id(i)] += times(weight, s + twice * by_spread);
        }
      });
      to[0] += times(weight, by_value + sl * curve);
      to[1] += times(weight, sl);
    }
  }

  void layer_back(const Layer& layer) {
    const P* const from = &adjoint_[layer.adjoint];
    Products::multiply(&adjoint_[layer.inputs_adjoint], layer.count, from, layer.size(),
                       this->transposed_of(layer));
    Products::add_products(from, layer.size(), &value_[layer.inputs], layer.count,
                           &layer_sum_[layer.coefficients]);
    for (Id j = 0; j < layer.size(); ++j) {
      const Id offset = this->offset_of(layer, j);
      if (moves(offset)) uniform_sum_[offset] += from[j * jet_size];
    }
  }

  void flush_norms() {
    const std::size_t blocks = std::size_t(program_->shape().blocks);
    for (std::size_t r = 0; r < program_->rows.size(); ++r) {
      const Row& row = program_->rows[r];
      for (std::size_t b = 0; b < blocks; ++b) {
        const double sum = this->drain(norm_sum_[r * blocks + b]);
        if (sum == 0) continue;
        for (Id e = row.begin; e < row.begin + row.count; ++e) {
          const Id u = program_->weight_of[e];
          if (program_->coordinate[e] / Id(width) != b || !moves(u)) continue;
          total_[u] += 2 * static_cast<double>(program_->weights[e]) * sum;
        }
      }
    }
  }
};

// Gradients in x, or derivatives along a line.
template <VectorLane T, int width, SecondOrder order>
using Replay = std::conditional_t<order == SecondOrder::laplacian || order == SecondOrder::weighted,
                                  GradientReplay<T, width, order>, LineReplay<T, width, order>>;

}  // namespace scorematch::detail
