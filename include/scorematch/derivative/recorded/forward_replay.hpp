// SPDX-License-Identifier: MIT
//
// Runs a program over packs of samples, forward.
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/recorded/gradients.hpp>
#include <scorematch/derivative/recorded/jet_products.hpp>
#include <scorematch/derivative/recorded/program.hpp>
#include <scorematch/derivative/recorded/replay_memory.hpp>
#include <scorematch/derivative/second_order.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace scorematch::detail {

// A jet in `width` coordinates from `first` on, and one for each sample of a pack:
//   [value, second-order part, gradient]
// with the second-order part sum_i m_i d_ii, m_i = 1 (laplacian) or h_i (weighted).
//
// Where z = phi(b) is composed, its jet need not be formed:
//   d z = phi' d b,  z'' = phi' b'' + phi'' <b, b>,  with <b, b> = sum_i m_i (d_i b)^2.
template <VectorLane T, int width, SecondOrder order>
class ForwardReplay : public ReplayMemory<T> {
  using Base = ReplayMemory<T>;

 public:
  using typename Base::Id;
  using typename Base::Live;
  using typename Base::P;
  static constexpr Id gradient = 2;  // where it begins in a jet

  static JetShape shape(Eigen::Index dimension) {
    return {dimension, width, static_cast<int>((dimension + width - 1) / width), true, false};
  }

  void reserve(Eigen::Index dimension, int beside) {
    this->reserve_samples((dimension + width - 1) / width * width, beside);
  }

  // For a program that has been finished: sums of derivatives are zero.
  void begin(const Program<T>& program) {
    this->begin_sums(program);
    norm_sum_.assign(program.square_norms.size(), P(T(0)));
    set_block(0);
    if (program.shape().blocks == 1) keep_norms();
  }

  // The lanes of `live` for which every comparison comes out as it did for the leader, and those of
  // `kept` in any case.
  Live forward(int block, Live live, Live kept) {
    set_block(block);
    for (const Row& row : program_->rows) {
      if (row.used) linear(row);
    }
    for (const auto& group : program_->ridges) compose(group);
    if (program_->shape().blocks > 1) keep_norms();
    for (const Step& step : program_->steps) {
      switch (step.op) {
        case Op::linear: break;
        case Op::composed: compose(node(step)); break;
        case Op::form: form(node(step)); break;
        case Op::sum: sum(node(step)); break;
        case Op::product: product(node(step)); break;
        case Op::binary: binary(node(step)); break;
        case Op::logsumexp: logsumexp(node(step)); break;
        case Op::layer: layer(program_->layers[step.node]); break;
        case Op::guard: {
          const Node& a = node(step);
          const Node& b = step.other == Program<T>::none ? a : program_->nodes[step.other];
          live = (live & this->agreeing(step, value_of(a), value_of(b))) | kept;
          if (live == 0) return live;
          break;
        }
      }
    }
    return live;
  }

  // Of `LineReplay`: here nothing is left out.
  void differentiate() {}

  // Value, second-order part and gradient of the result.
  const P& value() const { return result()[0]; }
  const P& second_part() const { return result()[1]; }
  Eigen::Index derivatives(int block) const {
    const Eigen::Index left = program_->shape().dimension - Eigen::Index(block) * width;
    return (std::min)(left, Eigen::Index(width));
  }
  P derivative(Eigen::Index i) const {
    const bool other_than_zero = (mask_of(program_->nodes[program_->result]) >> i & 1) != 0;
    return other_than_zero ? result()[gradient + std::size_t(i)] : P(T(0));
  }

 protected:
  using Base::adjoint_;
  using Base::beside_;
  using Base::moves;
  using Base::node;
  using Base::program_;
  using Base::times;
  using Base::uniform;
  using Base::value_;
  using Base::weight_sum_;
  using Base::x_;
  using typename Base::Kind;
  using typename Base::Layer;
  using typename Base::Node;
  using typename Base::Op;
  using typename Base::Row;
  using typename Base::Step;
  using typename Base::Term;
  using typename Base::TermKind;

  static constexpr Id jet_size = gradient + Id(width);
  using Products = JetProducts<T, jet_size>;
  using DenseRow = detail::DenseRow<T, width>;
  using SparseRow = detail::SparseRow<T, width>;
  using DenseJet = detail::DenseJet<T, width>;
  using SparseJet = detail::SparseJet<T, width>;

  const P* result() const { return &value_[program_->nodes[program_->result].jet]; }
  std::uint32_t mask_of(const Node& n) const { return program_->masks_of(n)[block_]; }
  void set_block(int block) {
    block_ = block;
    first_ = Id(block * width);
  }

  // sum_i m_i g_i^2 has the terms measured(i, g_i) g_i.
  P measured(int i, const P& g) const {
    if constexpr (order == SecondOrder::weighted) {
      return beside_[first_ + Id(i)] * g;
    } else {
      return g;
    }
  }

  template <class Gradient>
  Gradient gradient_of(const Node& n) {
    if constexpr (Gradient::row) {
      const Row& row = program_->rows[n.row];
      if constexpr (Gradient::dense) {
        return {&program_->weights[row.begin + first_], &weight_sum_[row.begin + first_]};
      } else {
        return {program_->weights.data() + row.begin, weight_sum_.data() + row.begin,
                program_->coordinate.data() + row.begin, row.count, first_};
      }
    } else if constexpr (Gradient::dense) {
      return {&value_[n.jet + gradient], &adjoint_[n.adjoint + gradient]};
    } else {
      return {&value_[n.jet + gradient], &adjoint_[n.adjoint + gradient], mask_of(n)};
    }
  }

  // The same of what a term has its gradient from.
  template <class Gradient>
  Gradient gradient_of(const Term& term) {
    if constexpr (Gradient::dense && Gradient::row) {
      return {&program_->weights[term.entries + first_], &weight_sum_[term.entries + first_]};
    } else if constexpr (Gradient::dense) {
      return {&value_[term.entries + gradient], &adjoint_[term.adjoint + gradient]};
    } else {
      return gradient_of<Gradient>(program_->nodes[term.base]);
    }
  }

  // use(gradient) with the kind that n has. The kinds of jets, or those of what is composed of n.
  template <class Use>
  void with_jet(const Node& n, Use use) {
    if (n.dense) {
      use(gradient_of<DenseJet>(n));
    } else {
      use(gradient_of<SparseJet>(n));
    }
  }
  bool over_row(const Node& n) const { return n.kind == Kind::linear; }
  template <class Use>
  void with_base(const Node& n, Use use) {
    if (!over_row(n)) {
      with_jet(n, use);
    } else if (program_->rows[n.row].dense) {
      use(gradient_of<DenseRow>(n));
    } else {
      use(gradient_of<SparseRow>(n));
    }
  }

  const P& value_of(const Node& n) const {
    return value_[n.kind == Kind::linear || n.kind == Kind::composed ? n.slot : n.jet];
  }

  // The jet that term t of a node is.
  const Node& jet_of(Id t) const { return program_->nodes[program_->terms[t].node]; }
  // An entry of the gradient of a jet, zero where it has none.
  P entry_of(const Node& n, int i) const {
    return n.dense || (mask_of(n) >> i & 1) != 0 ? value_[n.jet + gradient + Id(i)] : P(T(0));
  }
  // visit(i) for the coordinates that the gradient of n has.
  template <class Visit>
  void for_each_coordinate(const Node& n, Visit visit) const {
    for (std::uint32_t rest = coordinates(n); rest != 0; rest &= rest - 1) {
      visit(std::countr_zero(rest));
    }
  }
  std::uint32_t coordinates(const Node& n) const {
    constexpr std::uint32_t all = width == 32 ? ~0u : (1u << width) - 1;
    return n.dense ? all : mask_of(n);
  }

  // run(begin, end, whether composed, of which gradient, whether single) for the terms of each
  // kind.
  template <class Run>
  void for_each_run(const Node& n, Run run) {
    const Term* const terms = program_->terms.data();
    constexpr std::true_type yes;
    constexpr std::false_type no;
    for (Id t = n.first; t < n.last;) {
      const TermKind kind = terms[t].kind;
      Id end = t + 1;
      while (end < n.last && terms[end].kind == kind) ++end;
      const Term *const from = terms + t, *const to = terms + end;
      switch (kind) {
        case TermKind::dense_ridge: run(from, to, yes, std::type_identity<DenseRow>(), no); break;
        case TermKind::dense_single_ridge:
          run(from, to, yes, std::type_identity<DenseRow>(), yes);
          break;
        case TermKind::dense_curved: run(from, to, yes, std::type_identity<DenseJet>(), no); break;
        case TermKind::dense_jet: run(from, to, no, std::type_identity<DenseJet>(), no); break;
        case TermKind::dense_row: run(from, to, no, std::type_identity<DenseRow>(), no); break;
        case TermKind::sparse_ridge: run(from, to, yes, std::type_identity<SparseRow>(), no); break;
        case TermKind::sparse_curved:
          run(from, to, yes, std::type_identity<SparseJet>(), no);
          break;
        case TermKind::sparse_jet: run(from, to, no, std::type_identity<SparseJet>(), no); break;
        case TermKind::sparse_row: run(from, to, no, std::type_identity<SparseRow>(), no); break;
      }
      t = end;
    }
  }

  // visit(i, entry of a, entry of b) for the coordinates of n, an entry that a jet lacks being
  // zero.
  template <class Visit>
  EIGEN_ALWAYS_INLINE void with_pair(const Node& n, const Node& a, const Node& b, Visit visit) {
    const P* const u = &value_[a.jet + gradient];
    const P* const w = &value_[b.jet + gradient];
    const std::uint32_t of_a = a.dense ? ~0u : mask_of(a), of_b = b.dense ? ~0u : mask_of(b);
    for (std::uint32_t rest = coordinates(n); rest != 0; rest &= rest - 1) {
      const int i = std::countr_zero(rest);
      visit(i, of_a >> i & 1 ? u[i] : P(T(0)), of_b >> i & 1 ? w[i] : P(T(0)));
    }
  }

  int block_ = 0;
  Id first_ = 0;
  std::vector<P> norm_sum_;  // of the derivatives by the square norms of rows

 private:
  void linear(const Row& row) {
    const T* const weight = program_->weights.data() + row.begin;
    P v = row.offset == Program<T>::none ? P(T(0)) : uniform(row.offset);
    if (row.dense) {
      if (width > 1 && program_->shape().blocks == 1) {
        for_each_entry<width>([&](auto i)
                                  SCOREMATCH_INLINE { v += x_[std::size_t(i)] * P(weight[i]); });
      } else {
        for (Id i = 0; i < row.count; ++i) v += x_[i] * P(weight[i]);
      }
    } else {
      const Id* const coordinate = program_->coordinate.data() + row.begin;
      for (Id e = 0; e < row.count; ++e) v += x_[coordinate[e]] * P(weight[e]);
    }
    value_[std::size_t(&row - program_->rows.data())] = v;
  }

  // phi and its derivatives, and <b, b> of the jet that it is composed of.
  void compose(const Node& n) {
    const Node& base = program_->nodes[n.a];
    P* const phi = &value_[n.slot];
    n.function.at(value_.data(), &base.jet, 1, n.function.parameter, phi);
    P sum(T(0));
    with_jet(base, [&](const auto& g) {
      g.each([&](auto i, const P& entry, P&)
                 SCOREMATCH_INLINE { sum += this->measured(i, entry) * entry; });
    });
    phi[4] = sum;
  }
  // The same of rows.
  void compose(const typename Program<T>::Ridges& group) {
    const Id* const rows = &program_->ridge_rows[group.first];
    P* const phi = &value_[group.phi];
    group.function.at(value_.data(), rows, group.count, group.function.parameter, phi);
    if constexpr (order == SecondOrder::weighted) {
      for (Id k = 0; k < group.count; ++k) {
        P sum(T(0));
        with_base(program_->nodes[program_->rows[rows[k]].node], [&](const auto& g) {
          g.each([&](auto i, const P& entry, P&)
                     SCOREMATCH_INLINE { sum += this->measured(i, entry) * entry; });
        });
        phi[k * composed_size + 4] = sum;
      }
    }
  }
  // |w|^2 of rows is the same for all samples.
  void keep_norms() {
    if constexpr (order == SecondOrder::laplacian) {
      const Id blocks = Id(program_->shape().blocks);
      for (const auto& group : program_->ridges) {
        for (Id k = 0; k < group.count; ++k) {
          const Id row = program_->ridge_rows[group.first + k];
          value_[group.phi + k * composed_size + 4] =
              P(program_->square_norms[row * blocks + Id(block_)]);
        }
      }
    }
  }

  // The jet of a linear or composed node.
  void form(const Node& n) {
    P* const to = &value_[n.jet];
    if (n.kind == Kind::linear) {
      to[0] = value_[n.slot];
      to[1] = P(T(0));
      with_base(n, [&](const auto& g) {
        g.each([&](auto i, const P& entry, P&) SCOREMATCH_INLINE { to[gradient + Id(i)] = entry; });
      });
      return;
    }
    const Node& base = program_->nodes[n.a];
    const P* const phi = &value_[n.slot];
    to[0] = phi[0];
    to[1] = phi[2] * phi[4];
    if (!over_row(base)) to[1] += phi[1] * value_[base.jet + 1];
    with_base(base, [&](const auto& g) {
      const P slope = phi[1];
      g.each([&](auto i, const P& entry, P&)
                 SCOREMATCH_INLINE { to[gradient + Id(i)] = slope * entry; });
    });
  }

  void sum(const Node& n) {
    P* const to = &value_[n.jet];
    to[0] = n.offset == Program<T>::none ? P(T(0)) : uniform(n.offset);
    to[1] = P(T(0));
    with_jet(n, [&](const auto& g) {
      g.each([&](auto i, const P&, P&) SCOREMATCH_INLINE { to[gradient + Id(i)] = P(T(0)); });
    });
    for_each_run(n, [&](const Term* begin, const Term* end, auto composed, auto base, auto) {
      this->add_terms<composed, typename decltype(base)::type>(begin, end, to);
    });
  }

  template <bool composed, class Gradient>
  EIGEN_DONT_INLINE void add_terms(const Term* begin, const Term* end, P* to) {
    // The gradient of the sum: in registers where all terms are dense.
    std::conditional_t<Gradient::dense, P[std::size_t(width)], P*> s;
    if constexpr (Gradient::dense) {
      for_each_entry<width>([&](auto i) SCOREMATCH_INLINE { s[i] = to[gradient + Id(i)]; });
    } else {
      s = to + gradient;
    }
    P v = to[0], l = to[1];
    for (const Term* term = begin; term != end; ++term) {
      const P c = uniform(term->coefficient);
      const Gradient g = gradient_of<Gradient>(*term);
      const P* const z = &value_[term->value];
      P scale = c;
      v += c * z[0];
      if constexpr (composed) {
        scale = c * z[1];
        l += (c * z[2]) * z[4];
        if constexpr (!Gradient::row) l += scale * value_[term->entries + 1];
      } else if constexpr (!Gradient::row) {
        l += c * z[1];
      }
      g.each([&](auto i, const P& entry, P&) SCOREMATCH_INLINE { s[i] += scale * entry; });
    }
    if constexpr (Gradient::dense) {
      for_each_entry<width>([&](auto i) SCOREMATCH_INLINE { to[gradient + Id(i)] = s[i]; });
    }
    to[0] = v;
    to[1] = l;
  }

  void product(const Node& n) {
    const Node &a = program_->nodes[n.a], &b = program_->nodes[n.b];
    const P *const u = &value_[a.jet], *const w = &value_[b.jet];
    P* const to = &value_[n.jet];
    const P ua = u[0], wb = w[0];
    to[0] = ua * wb;
    P inner(T(0));
    with_pair(n, a, b, [&](auto i, const P& ga, const P& gb) SCOREMATCH_INLINE {
      to[gradient + Id(i)] = ua * gb + wb * ga;
      inner += this->measured(i, ga) * gb;
    });
    to[1] = ua * w[1] + wb * u[1] + P(T(2)) * inner;
  }

  void binary(const Node& n) {
    const Node &a = program_->nodes[n.a], &b = program_->nodes[n.b];
    const P *const u = &value_[a.jet], *const w = &value_[b.jet];
    P* const to = &value_[n.jet];
    P* const phi = &value_[n.slot];
    n.pair.at(u[0], w[0], phi);
    to[0] = phi[of_value];
    P aa(T(0)), ab(T(0)), bb(T(0));
    with_pair(n, a, b, [&](auto i, const P& ga, const P& gb) SCOREMATCH_INLINE {
      to[gradient + Id(i)] = times(phi[of_a], ga) + times(phi[of_b], gb);
      const P ma = this->measured(i, ga), mb = this->measured(i, gb);
      aa += ma * ga;
      ab += ma * gb;
      bb += mb * gb;
    });
    to[1] = times(phi[of_a], u[1]) + times(phi[of_b], w[1]) + times(phi[of_aa], aa) +
            times(phi[of_bb], bb) + P(T(2)) * times(phi[of_ab], ab);
  }

  // With weights p_k = exp(z_k - z): the gradient is their mean of those of z_k, and the
  // second-order part the mean of z_k'' + <d z_k - d z, d z_k - d z>.
  void logsumexp(const Node& n) {
    P* const to = &value_[n.jet];
    P* const weight = &value_[n.slot];
    to[0] = this->weigh(n);
    for_each_coordinate(n, [&](int i) {
      P mean(T(0));
      for (Id t = n.first; t < n.last; ++t) {
        mean += times(weight[t - n.first], entry_of(jet_of(t), i));
      }
      to[gradient + Id(i)] = mean;
    });
    P curve(T(0));
    for (Id t = n.first; t < n.last; ++t) {
      const Node& z = jet_of(t);
      P sum = value_[z.jet + 1];
      for_each_coordinate(n, [&](int i) {
        const P apart = entry_of(z, i) - to[gradient + Id(i)];
        sum += measured(i, apart) * apart;
      });
      curve += times(weight[t - n.first], sum);
    }
    to[1] = curve;
  }

  void layer(const Layer& layer) {
    P* const to = &value_[layer.jet];
    std::fill_n(to, layer.size() * jet_size, P(T(0)));
    for (Id j = 0; j < layer.size(); ++j) {
      const Id offset = program_->nodes[program_->outputs[layer.first + j]].offset;
      if (offset != Program<T>::none) to[j * jet_size] = uniform(offset);
    }
    Products::multiply(to, layer.size(), &value_[layer.inputs], layer.count,
                       this->coefficients_of(layer));
  }
};

}  // namespace scorematch::detail
