// SPDX-License-Identifier: MIT
//
// Runs a program over packs of samples, forward and backward.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/pack.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/recorded/program.hpp>
#include <scorematch/derivative/second_order.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace scorematch::detail {

template <int width, class Visit>
EIGEN_ALWAYS_INLINE void for_each_coordinate(Visit visit) {
  [&]<int... i>(std::integer_sequence<int, i...>) SCOREMATCH_INLINE {
    (visit(std::integral_constant<int, i>{}), ...);
  }(std::make_integer_sequence<int, width>{});
}

// A jet in `width` coordinates from `first` on, and one for each sample of a pack:
//   [value, second-order part (unless none), gradient]
//
// Backward, a sum s = sum_k c_k z_k passes its adjoint on to each z_k; where z_k = phi(b) is
// composed, past it to b, so that the jet of z_k is never formed:
//   d z = phi' d b,  z'' = phi' b'' + phi'' <b, b>,  with <b, b> = sum_i m_i (d_i b)^2.
template <VectorLane T, int width, SecondOrder order>
class Replay {
 public:
  using P = ReplayPack<T>;
  using Id = typename Program<T>::Id;
  static constexpr int lanes = replay_lanes<T>;
  static constexpr bool second = order != SecondOrder::none;
  static constexpr Id gradient = second ? 2 : 1;  // where it begins in a jet
  using Live = std::uint32_t;

  static JetShape shape(Eigen::Index dimension) {
    if constexpr (order == SecondOrder::along) {
      return {dimension, 1, 1, true, true};
    } else {
      return {dimension, width, static_cast<int>((dimension + width - 1) / width), second, false};
    }
  }

  // Places for the samples: x(i) of coordinate i, and beside(i), which is h_i where `weighted`, the
  // direction where `along`, and else what the loss likes.
  void reserve(Eigen::Index dimension, int beside) {
    padded_ = std::size_t((dimension + width - 1) / width * width);
    x_.assign(padded_, P(T(0)));
    beside_.assign(padded_ * std::size_t(beside), P(T(0)));
  }
  P& x(Eigen::Index i) { return x_[std::size_t(i)]; }
  P& beside(int which, Eigen::Index i) {
    return beside_[std::size_t(which) * padded_ + std::size_t(i)];
  }
  const P& beside(int which, Eigen::Index i) const {
    return beside_[std::size_t(which) * padded_ + std::size_t(i)];
  }

  // For a program that has been finished: sums of derivatives are zero.
  void begin(const Program<T>& program) {
    program_ = &program;
    if (value_.size() < program.value_count) value_.resize(program.value_count);
    if (adjoint_.size() < program.adjoint_count) adjoint_.resize(program.adjoint_count, P(T(0)));
    uniform_sum_.assign(program.uniforms.size(), P(T(0)));
    weight_sum_.assign(program.weights.size(), P(T(0)));
    norm_sum_.assign(program.square_norms.size(), P(T(0)));
    layer_sum_.assign(program.coefficients.size(), T(0));
    total_.assign(program.uniforms.size(), 0.0);
    set_block(0);
    if (program.shape().blocks == 1) keep_norms();
  }

  // The lanes of `live` for which every comparison comes out as it did for the leader, and those of
  // `kept` in any case.
  Live forward(int block, Live live, Live kept) {
    set_block(block);
    for (const Row& row : program_->rows) linear(row);
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
        case Op::peak: peak(node(step)); break;
        case Op::layer: layer(program_->layers[step.node]); break;
        case Op::guard:
          live = (live & agreeing(step)) | kept;
          if (live == 0) return live;
          break;
      }
    }
    return live;
  }

  // The jet of the result: value, second-order part and gradient.
  const P* result() const { return &value_[program_->nodes[program_->result].jet]; }
  // The same of one sample, every entry.
  void copy_result(int lane, T* jet) const {
    const P* const from = result();
    const std::uint32_t mask = result_mask();
    for (Id i = 0; i < gradient; ++i) jet[i] = from[i][lane];
    for (Id i = 0; i < Id(width); ++i) {
      jet[gradient + i] = mask >> i & 1 ? from[gradient + i][lane] : T(0);
    }
  }
  // Entries of the gradient that may be other than zero.
  std::uint32_t result_mask() const { return mask_of(program_->nodes[program_->result]); }

  // The adjoint of that jet, to be filled before `backward`. Before the first block of a pack all
  // adjoints are zero; those of the values of rows are kept to the last.
  P* result_adjoint(int block) {
    for (const auto& [begin, end] : block == 0 ? program_->sums : program_->sums_of_jets) {
      std::fill_n(&adjoint_[begin], end - begin, P(T(0)));
    }
    return &adjoint_[program_->nodes[program_->result].adjoint];
  }

  void backward(int block) {
    set_block(block);
    const bool last = block + 1 == program_->shape().blocks;
    for (std::size_t s = program_->steps.size(); s-- > 0;) {
      const Step& step = program_->steps[s];
      if (step.op == Op::layer) {
        layer_back(program_->layers[step.node]);
        continue;
      }
      const Node& n = node(step);
      if (!n.depends) continue;
      switch (step.op) {
        case Op::form: form_back(n); break;
        case Op::sum: sum_back(n); break;
        case Op::product: product_back(n); break;
        case Op::binary: binary_back(n); break;
        default: break;
      }
    }
    if (!last) return;
    for (const Row& row : program_->rows) {
      const Node& n = program_->nodes[row.node];
      if (n.depends && !n.single) linear_back(row);
    }
  }

  // Moves the sums over the lanes to those in double precision.
  void flush() {
    const auto drain = [](P& from) {
      const double sum = static_cast<double>(from.array().sum());
      from = P(T(0));
      return sum;
    };
    for (std::size_t u = 0; u < uniform_sum_.size(); ++u) total_[u] += drain(uniform_sum_[u]);
    for (std::size_t e = 0; e < weight_sum_.size(); ++e) {
      const Id u = program_->weight_of[e];
      const double sum = drain(weight_sum_[e]);
      if (u != Program<T>::none && !Program<T>::is_constant(u)) total_[u] += sum;
    }
    if constexpr (order == SecondOrder::laplacian) flush_norms(drain);
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

 private:
  using Node = typename Program<T>::Node;
  using Term = typename Program<T>::Term;
  using TermKind = typename Program<T>::TermKind;
  using Row = typename Program<T>::Row;
  using Step = typename Program<T>::Step;
  using Op = typename Program<T>::Op;
  using Kind = typename Program<T>::Kind;
  using Relation = typename Program<T>::Relation;
  using Layer = typename Program<T>::Layer;

  static constexpr Id jet_size = gradient + Id(width);

  const Node& node(const Step& step) const { return program_->nodes[step.node]; }
  std::uint32_t mask_of(const Node& n) const { return program_->masks_of(n)[block_]; }
  P uniform(Id u) const { return P(program_->uniform(u)); }
  void set_block(int block) {
    block_ = block;
    first_ = Id(block * width);
  }

  // sum_i m_i g_i^2 has the terms times(i, g_i) g_i.
  P measured(int i, const P& g) const {
    if constexpr (order == SecondOrder::weighted) {
      return beside_[first_ + Id(i)] * g;
    } else {
      return g;
    }
  }

  // Gradients that nodes are made of: each calls visit(i, entry, sum of the derivatives by it).

  struct DenseRow {
    static constexpr bool dense = true;
    static constexpr bool row = true;
    const T* weight;
    P* adjoint;
    template <class Visit>
    EIGEN_ALWAYS_INLINE void each(Visit visit) const {
      for_each_coordinate<width>([&](auto i)
                                     SCOREMATCH_INLINE { visit(i, P(weight[i]), adjoint[i]); });
    }
  };
  struct SparseRow {
    static constexpr bool dense = false;
    static constexpr bool row = true;
    const T* weight;
    P* adjoint;
    const Id* coordinate;
    Id count;
    Id first;
    template <class Visit>
    EIGEN_ALWAYS_INLINE void each(Visit visit) const {
      for (Id e = 0; e < count; ++e) {
        const Id i = coordinate[e] - first;
        if (i < Id(width)) visit(int(i), P(weight[e]), adjoint[e]);
      }
    }
  };
  struct DenseJet {
    static constexpr bool dense = true;
    static constexpr bool row = false;
    const P* entry;
    P* adjoint;
    template <class Visit>
    EIGEN_ALWAYS_INLINE void each(Visit visit) const {
      for_each_coordinate<width>([&](auto i) SCOREMATCH_INLINE { visit(i, entry[i], adjoint[i]); });
    }
  };
  struct SparseJet {
    static constexpr bool dense = false;
    static constexpr bool row = false;
    const P* entry;
    P* adjoint;
    std::uint32_t mask;
    template <class Visit>
    EIGEN_ALWAYS_INLINE void each(Visit visit) const {
      for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
        const int i = std::countr_zero(rest);
        visit(i, entry[i], adjoint[i]);
      }
    }
  };

  template <class Gradient>
  Gradient gradient_of(const Node& n) {
    if constexpr (Gradient::row) {
      if (n.kind == Kind::peak) return {};
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
  bool over_row(const Node& n) const {
    return n.kind == Kind::linear && order != SecondOrder::along;
  }
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

  P value_of(const Node& n) const {
    if (n.kind == Kind::linear && order == SecondOrder::along) return value_[n.jet];
    if (n.slot != Program<T>::none && n.kind != Kind::binary) return value_[n.slot];
    return value_[n.jet];
  }

  // --- forward -----------------------------------------------------------------------------------

  void linear(const Row& row) {
    const T* const weight = program_->weights.data() + row.begin;
    P v = row.offset == Program<T>::none ? P(T(0)) : uniform(row.offset);
    if (row.dense) {
      if (width > 1 && program_->shape().blocks == 1) {
        for_each_coordinate<width>(
            [&](auto i) SCOREMATCH_INLINE { v += x_[std::size_t(i)] * P(weight[i]); });
      } else {
        for (Id i = 0; i < row.count; ++i) v += x_[i] * P(weight[i]);
      }
    } else {
      const Id* const coordinate = program_->coordinate.data() + row.begin;
      for (Id e = 0; e < row.count; ++e) v += x_[coordinate[e]] * P(weight[e]);
    }
    if constexpr (order == SecondOrder::along) {
      P slope(T(0));
      const Id* const coordinate = program_->coordinate.data() + row.begin;
      for (Id e = 0; e < row.count; ++e) slope += beside_[coordinate[e]] * P(weight[e]);
      P* const to = &value_[program_->nodes[row.node].jet];
      to[0] = v;
      to[1] = P(T(0));
      to[gradient] = slope;
    } else {
      value_[std::size_t(&row - program_->rows.data())] = v;
    }
  }

  // phi and its derivatives, and <b, b> of the jet that it is composed of.
  void compose(const Node& n) {
    const Node& base = program_->nodes[n.a];
    P* const phi = &value_[n.slot];
    n.function.at(value_.data(), &base.jet, 1, n.function.parameter, phi);
    if constexpr (second) {
      P sum(T(0));
      with_jet(base, [&](const auto& g) {
        g.each([&](auto i, const P& entry, P&)
                   SCOREMATCH_INLINE { sum += this->measured(i, entry) * entry; });
      });
      phi[4] = sum;
    }
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
      if constexpr (second) to[1] = P(T(0));
      with_base(n, [&](const auto& g) {
        g.each([&](auto i, const P& entry, P&) SCOREMATCH_INLINE { to[gradient + Id(i)] = entry; });
      });
      return;
    }
    const Node& base = program_->nodes[n.a];
    const P* const phi = &value_[n.slot];
    to[0] = phi[0];
    if constexpr (second) {
      to[1] = phi[2] * phi[4];
      if (!over_row(base)) to[1] += phi[1] * value_[base.jet + 1];
    }
    with_base(base, [&](const auto& g) {
      const P slope = phi[1];
      g.each([&](auto i, const P& entry, P&)
                 SCOREMATCH_INLINE { to[gradient + Id(i)] = slope * entry; });
    });
  }

  void sum(const Node& n) {
    P* const to = &value_[n.jet];
    to[0] = n.offset == Program<T>::none ? P(T(0)) : uniform(n.offset);
    if constexpr (second) to[1] = P(T(0));
    with_jet(n, [&](const auto& g) {
      g.each([&](auto i, const P&, P&) SCOREMATCH_INLINE { to[gradient + Id(i)] = P(T(0)); });
    });
    for_each_run(n, [&](const Term* begin, const Term* end, auto composed, auto base, auto) {
      this->add_terms<composed, typename decltype(base)::type>(begin, end, to);
    });
  }

  template <class Type>
  struct Named {
    using type = Type;
  };
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
        case TermKind::dense_ridge: run(from, to, yes, Named<DenseRow>(), no); break;
        case TermKind::dense_single_ridge: run(from, to, yes, Named<DenseRow>(), yes); break;
        case TermKind::dense_curved: run(from, to, yes, Named<DenseJet>(), no); break;
        case TermKind::dense_jet: run(from, to, no, Named<DenseJet>(), no); break;
        case TermKind::dense_row: run(from, to, no, Named<DenseRow>(), no); break;
        case TermKind::sparse_ridge: run(from, to, yes, Named<SparseRow>(), no); break;
        case TermKind::sparse_curved: run(from, to, yes, Named<SparseJet>(), no); break;
        case TermKind::sparse_jet: run(from, to, no, Named<SparseJet>(), no); break;
        case TermKind::sparse_row: run(from, to, no, Named<SparseRow>(), no); break;
      }
      t = end;
    }
  }

  template <bool composed, class Gradient>
  EIGEN_DONT_INLINE void add_terms(const Term* begin, const Term* end, P* to) {
    // The gradient of the sum: in registers where all terms are dense.
    std::conditional_t<Gradient::dense, P[std::size_t(width)], P*> s;
    if constexpr (Gradient::dense) {
      for_each_coordinate<width>([&](auto i) SCOREMATCH_INLINE { s[i] = to[gradient + Id(i)]; });
    } else {
      s = to + gradient;
    }
    P v = to[0], l = second ? to[1] : P(T(0));
    for (const Term* term = begin; term != end; ++term) {
      const P c = uniform(term->coefficient);
      const Gradient g = gradient_of<Gradient>(*term);
      const P* const z = &value_[term->value];
      P scale = c;
      v += c * z[0];
      if constexpr (composed) {
        scale = c * z[1];
        if constexpr (second) {
          l += (c * z[2]) * z[4];
          if constexpr (!Gradient::row) l += scale * value_[term->entries + 1];
        }
      } else if constexpr (second && !Gradient::row) {
        l += c * z[1];
      }
      g.each([&](auto i, const P& entry, P&) SCOREMATCH_INLINE { s[i] += scale * entry; });
    }
    if constexpr (Gradient::dense) {
      for_each_coordinate<width>([&](auto i) SCOREMATCH_INLINE { to[gradient + Id(i)] = s[i]; });
    }
    to[0] = v;
    if constexpr (second) to[1] = l;
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
      if constexpr (second) inner += this->measured(i, ga) * gb;
    });
    if constexpr (second) to[1] = ua * w[1] + wb * u[1] + P(T(2)) * inner;
  }

  // visit(i, entry of a, entry of b) for the coordinates of n, an entry that a jet lacks being
  // zero.
  template <class Visit>
  EIGEN_ALWAYS_INLINE void with_pair(const Node& n, const Node& a, const Node& b, Visit visit) {
    const P* const u = &value_[a.jet + gradient];
    const P* const w = &value_[b.jet + gradient];
    const std::uint32_t of_a = a.dense ? ~0u : mask_of(a), of_b = b.dense ? ~0u : mask_of(b);
    const std::uint32_t padded = n.dense ? (width == 32 ? ~0u : (1u << width) - 1) : mask_of(n);
    for (std::uint32_t rest = padded; rest != 0; rest &= rest - 1) {
      const int i = std::countr_zero(rest);
      visit(i, of_a >> i & 1 ? u[i] : P(T(0)), of_b >> i & 1 ? w[i] : P(T(0)));
    }
  }

  // A product that is zero where a factor is: the other may not be finite, such as a derivative by
  // what does not move, or the side that a maximum does not take.
  static P times(const P& a, const P& b) {
    const P zero(T(0));
    return select((a == zero) | (b == zero), zero, a * b);
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
      if constexpr (second) {
        const P ma = this->measured(i, ga), mb = this->measured(i, gb);
        aa += ma * ga;
        ab += ma * gb;
        bb += mb * gb;
      }
    });
    if constexpr (second) {
      to[1] = times(phi[of_a], u[1]) + times(phi[of_b], w[1]) + times(phi[of_aa], aa) +
              times(phi[of_bb], bb) + P(T(2)) * times(phi[of_ab], ab);
    }
  }

  // The largest; where that is not finite 0, so that differences from it are.
  void peak(const Node& n) {
    const Term* const terms = program_->terms.data();
    P top = value_of(program_->nodes[terms[n.first].node]);
    for (Id t = n.first + 1; t < n.last; ++t) {
      const P v = value_of(program_->nodes[terms[t].node]);
      top = select(top < v, v, top);
    }
    value_[n.slot] = select(is_finite(top), top, P(T(0)));
  }

  // Packs that half of the registers hold: what a product keeps of its sums.
  static constexpr int packs_kept =
      (std::max)(vector_registers * vector_bytes / int(2 * sizeof(P)), 1);
  static constexpr int columns_kept = (std::min)(packs_kept, 4);
  static constexpr int rows_kept = packs_kept / columns_kept;

  // to_j += sum_k coefficient(j, k) from_k for jets that follow one another: entry by entry, some
  // sums at a time.
  template <class Coefficient>
  static EIGEN_DONT_INLINE void multiply(P* to, Id rows, const P* from, Id count,
                                         Coefficient coefficient) {
    const auto some = [&]<int size>(std::integral_constant<int, size>, Id e, Id j) {
      P* const at = to + j * jet_size + e;
      P s[std::size_t(size)];
      for_each_coordinate<size>([&](auto i) SCOREMATCH_INLINE { s[i] = at[Id(i) * jet_size]; });
      for (Id k = 0; k < count; ++k) {
        const P& entry = from[k * jet_size + e];
        for_each_coordinate<size>(
            [&](auto i) SCOREMATCH_INLINE { s[i] += P(coefficient(j + Id(i), k)) * entry; });
      }
      for_each_coordinate<size>([&](auto i) SCOREMATCH_INLINE { at[Id(i) * jet_size] = s[i]; });
    };
    for (Id e = 0; e < jet_size; ++e) {
      Id j = 0;
      for (; j + columns_kept <= rows; j += columns_kept) {
        some(std::integral_constant<int, columns_kept>(), e, j);
      }
      for (; j < rows; ++j) some(std::integral_constant<int, 1>(), e, j);
    }
  }

  void layer(const Layer& layer) {
    P* const to = &value_[layer.jet];
    std::fill_n(to, layer.size() * jet_size, P(T(0)));
    for (Id j = 0; j < layer.size(); ++j) {
      const Id offset = program_->nodes[program_->outputs[layer.first + j]].offset;
      if (offset != Program<T>::none) to[j * jet_size] = uniform(offset);
    }
    const T* const c = &program_->coefficients[layer.coefficients];
    multiply(to, layer.size(), &value_[layer.inputs], layer.count,
             [c, &layer](Id j, Id k) { return c[j * layer.count + k]; });
  }

  Live agreeing(const Step& step) const {
    const P a = value_of(program_->nodes[step.node]);
    const P b = step.other == Program<T>::none ? a : value_of(program_->nodes[step.other]);
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

  // --- backward ----------------------------------------------------------------------------------

  void linear_back(const Row& row) {
    const Node& n = program_->nodes[row.node];
    P* const sums = weight_sum_.data() + row.begin;
    const Id* const coordinate = program_->coordinate.data() + row.begin;
    P by_value = adjoint_[n.slot_adjoint];
    if constexpr (order == SecondOrder::along) {
      by_value = adjoint_[n.adjoint];
      const P by_slope = adjoint_[n.adjoint + gradient];
      for (Id e = 0; e < row.count; ++e) sums[e] += beside_[coordinate[e]] * by_slope;
    }
    if (row.offset != Program<T>::none && !Program<T>::is_constant(row.offset)) {
      uniform_sum_[row.offset] += by_value;
    }
    if (row.dense && width > 1 && program_->shape().blocks == 1) {
      for_each_coordinate<width>(
          [&](auto i) SCOREMATCH_INLINE { sums[i] += x_[std::size_t(i)] * by_value; });
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
    if (n.offset != Program<T>::none && !Program<T>::is_constant(n.offset)) {
      uniform_sum_[n.offset] += from[0];
    }
    for_each_run(n, [&](const Term* begin, const Term* end, auto composed, auto base, auto single) {
      this->pass_on<composed, typename decltype(base)::type, single>(begin, end, from);
    });
  }

  // The adjoint `from` of a sum, to its terms and their coefficients.
  template <bool composed, class Gradient, bool single>
  EIGEN_DONT_INLINE void pass_on(const Term* begin, const Term* end, const P* from) {
    const P sv = from[0], sl = second ? from[1] : P(T(0));
    std::conditional_t<Gradient::dense, P[std::size_t(width)], const P*> s;
    if constexpr (Gradient::dense) {
      for_each_coordinate<width>([&](auto i) SCOREMATCH_INLINE { s[i] = from[gradient + Id(i)]; });
    } else {
      s = from + gradient;
    }
    for (const Term* term = begin; term != end; ++term) {
      if (!term->active) continue;
      const Gradient g = gradient_of<Gradient>(*term);
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
        if constexpr (second && !Gradient::row) along += sl * value_[term->entries + 1];
        by_coefficient = sv * phi[0] + along * phi[1];
        P by_value = sv * phi[1] + along * phi[2];
        const P slope = c * phi[1];
        P bend(T(0));
        if constexpr (second) {
          const P curve = sl * phi[4];
          by_coefficient += curve * phi[2];
          by_value += curve * phi[3];
          bend = c * (sl * phi[2]);
        }
        by_value *= c;
        if constexpr (order == SecondOrder::laplacian && Gradient::row) {
          // |w|^2 is the same for all samples: its derivative is taken at the end.
          norm_sum_[term->row * Id(program_->shape().blocks) + Id(block_)] += bend;
        }
        if constexpr (single) {
          if (term->offset != Program<T>::none) uniform_sum_[term->offset] += by_value;
        } else {
          by_base[0] += by_value;
          if constexpr (second && !Gradient::row) by_base[1] += sl * slope;
        }
        const P twice = bend + bend;
        g.each([&](auto i, [[maybe_unused]] const P& entry, P& sum) SCOREMATCH_INLINE {
          P add = slope * s[i];
          if constexpr (single) add += by_value * x_[std::size_t(i)];
          if constexpr (second && !(order == SecondOrder::laplacian && Gradient::row)) {
            add += twice * this->measured(i, entry);
          }
          sum += add;
        });
      } else {
        by_coefficient = along + sv * z[0];
        if constexpr (Gradient::row) {
          if (term->row != Program<T>::none) by_base[0] += c * sv;
        } else {
          by_base[0] += c * sv;
          if constexpr (second) {
            by_coefficient += sl * z[1];
            by_base[1] += c * sl;
          }
        }
        g.each([&](auto i, const P&, P& sum) SCOREMATCH_INLINE { sum += c * s[i]; });
      }
      if (!Program<T>::is_constant(term->coefficient)) {
        uniform_sum_[term->coefficient] += by_coefficient;
      }
    }
  }

  void product_back(const Node& n) {
    const Node &a = program_->nodes[n.a], &b = program_->nodes[n.b];
    const P *const u = &value_[a.jet], *const w = &value_[b.jet];
    P *const to_a = &adjoint_[a.adjoint], *const to_b = &adjoint_[b.adjoint];
    const P* const from = &adjoint_[n.adjoint];
    P by_a = from[0] * w[0], by_b = from[0] * u[0];
    const P ua = u[0], wb = w[0];
    P twice(T(0));
    if constexpr (second) {
      twice = from[1] + from[1];
      by_a += from[1] * w[1];
      by_b += from[1] * u[1];
    }
    // a and b may be the same.
    with_pair(n, a, b, [&](auto i, const P& ga, const P& gb) SCOREMATCH_INLINE {
      const P s = from[gradient + Id(i)];
      by_a += s * gb;
      by_b += s * ga;
      P add_a = s * wb, add_b = s * ua;
      if constexpr (second) {
        add_a += twice * this->measured(i, gb);
        add_b += twice * this->measured(i, ga);
      }
      to_a[gradient + Id(i)] += add_a;
      to_b[gradient + Id(i)] += add_b;
    });
    to_a[0] += by_a;
    to_b[0] += by_b;
    if constexpr (second) {
      to_a[1] += from[1] * wb;
      to_b[1] += from[1] * ua;
    }
  }

  void binary_back(const Node& n) {
    const Node &a = program_->nodes[n.a], &b = program_->nodes[n.b];
    const P *const u = &value_[a.jet], *const w = &value_[b.jet];
    P *const to_a = &adjoint_[a.adjoint], *const to_b = &adjoint_[b.adjoint];
    const P* const from = &adjoint_[n.adjoint];
    const P* const phi = &value_[n.slot];
    const P sl = second ? from[1] : P(T(0));
    P along_a(T(0)), along_b(T(0)), aa(T(0)), ab(T(0)), bb(T(0));
    with_pair(n, a, b, [&](auto i, const P& ga, const P& gb) SCOREMATCH_INLINE {
      const P s = from[gradient + Id(i)];
      along_a += s * ga;
      along_b += s * gb;
      P add_a = times(phi[of_a], s), add_b = times(phi[of_b], s);
      if constexpr (second) {
        const P ma = this->measured(i, ga), mb = this->measured(i, gb);
        aa += ma * ga;
        ab += ma * gb;
        bb += mb * gb;
        const P twice = sl + sl;
        add_a += times(twice, times(phi[of_aa], ma) + times(phi[of_ab], mb));
        add_b += times(twice, times(phi[of_ab], ma) + times(phi[of_bb], mb));
      }
      to_a[gradient + Id(i)] += add_a;
      to_b[gradient + Id(i)] += add_b;
    });
    if constexpr (second) {
      along_a += sl * u[1];
      along_b += sl * w[1];
    }
    P by_a = times(phi[of_a], from[0]) + times(phi[of_aa], along_a) + times(phi[of_ab], along_b);
    P by_b = times(phi[of_b], from[0]) + times(phi[of_ab], along_a) + times(phi[of_bb], along_b);
    if constexpr (second) {
      by_a += times(phi[of_aaa], sl * aa) + P(T(2)) * times(phi[of_aab], sl * ab) +
              times(phi[of_abb], sl * bb);
      by_b += times(phi[of_aab], sl * aa) + P(T(2)) * times(phi[of_abb], sl * ab) +
              times(phi[of_bbb], sl * bb);
      to_a[1] += times(phi[of_a], sl);
      to_b[1] += times(phi[of_b], sl);
    }
    to_a[0] += by_a;
    to_b[0] += by_b;
  }

  void layer_back(const Layer& layer) {
    const P* const from = &adjoint_[layer.adjoint];
    const T* const c = &program_->coefficients[layer.coefficients];
    multiply(&adjoint_[layer.inputs_adjoint], layer.count, from, layer.size(),
             [c, &layer](Id k, Id j) { return c[j * layer.count + k]; });
    T* const sums = &layer_sum_[layer.coefficients];
    const P* const inputs = &value_[layer.inputs];
    Id j = 0;
    for (; j + rows_kept <= layer.size(); j += rows_kept) {
      add_products<rows_kept>(from + j * jet_size, inputs, layer.count, sums + j * layer.count);
    }
    for (; j < layer.size(); ++j) {
      add_products<1>(from + j * jet_size, inputs, layer.count, sums + j * layer.count);
    }
    for (j = 0; j < layer.size(); ++j) {
      const Id offset = program_->nodes[program_->outputs[layer.first + j]].offset;
      if (offset != Program<T>::none && !Program<T>::is_constant(offset)) {
        uniform_sum_[offset] += from[j * jet_size];
      }
    }
  }
  // sums(j, k) += <from_j, to_k> over jets and lanes, for `rows` of j and some k at a time.
  template <int rows>
  static EIGEN_DONT_INLINE void add_products(const P* from, const P* to, Id count, T* sums) {
    const auto tile = [&]<int columns>(std::integral_constant<int, columns>, Id k) {
      P s[std::size_t(rows * columns)];
      for_each_coordinate<rows * columns>([&](auto i) SCOREMATCH_INLINE { s[i] = P(T(0)); });
      for (Id e = 0; e < jet_size; ++e) {
        // Nothing is copied: g++ would copy a pack through memory, in halves.
        for_each_coordinate<rows * columns>([&](auto i) SCOREMATCH_INLINE {
          s[i] += from[Id(i / columns) * jet_size + e] * to[(k + Id(i % columns)) * jet_size + e];
        });
      }
      for_each_coordinate<rows * columns>([&](auto i) SCOREMATCH_INLINE {
        sums[Id(i / columns) * count + k + Id(i % columns)] += s[i].array().sum();
      });
    };
    Id k = 0;
    for (; k + columns_kept <= count; k += columns_kept) {
      tile(std::integral_constant<int, columns_kept>(), k);
    }
    for (; k < count; ++k) tile(std::integral_constant<int, 1>(), k);
  }

  template <class Drain>
  void flush_norms(const Drain& drain) {
    const std::size_t blocks = std::size_t(program_->shape().blocks);
    for (std::size_t r = 0; r < program_->rows.size(); ++r) {
      const Row& row = program_->rows[r];
      for (std::size_t b = 0; b < blocks; ++b) {
        const double sum = drain(norm_sum_[r * blocks + b]);
        if (sum == 0) continue;
        for (Id e = row.begin; e < row.begin + row.count; ++e) {
          const Id u = program_->weight_of[e];
          if (program_->coordinate[e] / Id(width) != b || u == Program<T>::none ||
              Program<T>::is_constant(u)) {
            continue;
          }
          total_[u] += 2 * static_cast<double>(program_->weights[e]) * sum;
        }
      }
    }
  }

  const Program<T>* program_ = nullptr;
  int block_ = 0;
  Id first_ = 0;
  std::size_t padded_ = 0;
  std::vector<P> x_;
  std::vector<P> beside_;
  std::vector<P> value_;
  std::vector<P> adjoint_;
  std::vector<P> uniform_sum_;  // of the derivatives by uniforms
  std::vector<P> weight_sum_;   // by entries of rows, as such
  std::vector<P> norm_sum_;     // by the square norms of rows
  std::vector<T> layer_sum_;    // by the coefficients of layers
  std::vector<double> total_;   // all of them, by uniforms
};

}  // namespace scorematch::detail
