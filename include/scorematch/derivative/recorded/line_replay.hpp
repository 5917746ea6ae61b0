// SPDX-License-Identifier: MIT
//
// Runs a program over packs of samples for derivatives along one line, and for scores.
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/derivative/recorded/jet_products.hpp>
#include <scorematch/derivative/recorded/program.hpp>
#include <scorematch/derivative/recorded/replay_memory.hpp>
#include <scorematch/derivative/second_order.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace scorematch::detail {

// A jet of one number is [value, second derivative along v (if along), slope along v].
//
// along: v is beside the sample, and the result is its jet.
// none: the result is the value and the score s, by one run backward in x. With a = dl/ds of a loss
// l(s), the derivative of l by theta is that of a . s: the slope of log p along a. So `backward`
// runs forward once more, along a, and backward from that slope alone. The cost does not depend on
// the dimension but for the rows.
//
// A ridge phi(w . x + b) that has one use, in a sum, as its row has, has no jet and no adjoint: the
// sum reads the weights, and the slope of the row is kept beside phi.
template <VectorLane T, int width, SecondOrder order>
class LineReplay : public ReplayMemory<T> {
  using Base = ReplayMemory<T>;

 public:
  using typename Base::Id;
  using typename Base::Live;
  using typename Base::P;
  static constexpr bool second = order == SecondOrder::along;
  static constexpr Id gradient = second ? 2 : 1;  // where it begins in a jet, and in the result

  static JetShape shape(Eigen::Index dimension) { return {dimension, 1, 1, second, true}; }

  void reserve(Eigen::Index dimension, int beside) {
    this->reserve_samples(dimension, second ? (std::max)(beside, 1) : beside);
    result_.assign(std::size_t(gradient) + (second ? 1 : padded_), P(T(0)));
    result_adjoint_ = result_;
    direction_.assign(second ? 0 : padded_, P(T(0)));
  }

  void begin(const Program<T>& program) { this->begin_sums(program); }

  Live forward(int, Live live, Live kept) {
    for (const Row& row : program_->rows) {
      if (row.used) linear(row);
    }
    for (const auto& group : program_->ridges) {
      group.function.at(value_.data(), &program_->ridge_rows[group.first], group.count,
                        group.function.parameter, &value_[group.phi]);
    }
    for (const Step& step : program_->steps) {
      const Node& n = step.op == Op::layer ? program_->nodes[0] : node(step);
      switch (step.op) {
        case Op::linear: break;
        case Op::composed: {
          const Node& base = program_->nodes[n.a];
          n.function.at(value_.data(), &base.jet, 1, n.function.parameter, &value_[n.slot]);
          break;
        }
        case Op::form: value_[n.jet] = value_[n.slot]; break;
        case Op::sum: value_[n.jet] = value_of_sum(n); break;
        case Op::product: value_[n.jet] = value_[jet_a(n)] * value_[jet_b(n)]; break;
        case Op::binary:
          n.pair.at(value_[jet_a(n)], value_[jet_b(n)], &value_[n.slot]);
          value_[n.jet] = value_[n.slot + of_value];
          break;
        case Op::logsumexp: value_[n.jet] = this->weigh(n); break;
        case Op::layer: layer_values(program_->layers[step.node]); break;
        case Op::guard:
          live = (live & this->agreeing(step, value_of(n), value_of_other(step))) | kept;
          if (live == 0) return live;
          break;
      }
    }
    result_[0] = value_[result_jet()];
    if constexpr (second) {
      slopes(beside_.data());
      for (Id i = 1; i <= gradient; ++i) result_[i] = value_[result_jet() + i];
    }
    return live;
  }

  // The derivatives that `forward` leaves out.
  void differentiate() {
    if constexpr (!second) pull_back();
  }

  // Value, second-order part and derivatives in x.
  const P& value() const { return result_[0]; }
  const P& second_part() const { return result_[1]; }
  Eigen::Index derivatives(int) const { return second ? 1 : Eigen::Index(padded_); }
  P derivative(Eigen::Index i) const { return result_[gradient + std::size_t(i)]; }

  // The adjoint of these, to be filled before `backward`.
  P* result_adjoint(int) {
    std::fill(result_adjoint_.begin(), result_adjoint_.end(), P(T(0)));
    return result_adjoint_.data();
  }
  static std::size_t adjoint_size(Eigen::Index dimension) {
    return std::size_t(gradient) + (second ? 1 : std::size_t(dimension));
  }

  void backward(int) {
    for (const auto& [begin, end] : program_->sums) {
      std::fill_n(&adjoint_[begin], end - begin, P(T(0)));
    }
    P* const of_result = &adjoint_[program_->nodes[program_->result].adjoint];
    if constexpr (second) {
      std::copy_n(result_adjoint_.data(), jet_size, of_result);
    } else {
      std::copy_n(&result_adjoint_[1], padded_, direction_.data());
      slopes(direction_.data());
      of_result[0] = T(0);
      of_result[1] = T(1);
    }
    const P* const direction = second ? beside_.data() : direction_.data();
    for (std::size_t s = program_->steps.size(); s-- > 0;) {
      const Step& step = program_->steps[s];
      if (step.op == Op::layer) {
        layer_back(program_->layers[step.node]);
        continue;
      }
      const Node& n = node(step);
      if (!n.depends) continue;
      switch (step.op) {
        case Op::form:
          curved_back(&value_[n.slot], program_->nodes[n.a], n.adjoint, P(T(1)));
          break;
        case Op::sum: sum_back(n, direction, second || step.node != program_->result); break;
        case Op::product: product_back(n); break;
        case Op::binary: binary_back(n); break;
        case Op::logsumexp: logsumexp_back(n); break;
        default: break;
      }
    }
    for (const Row& row : program_->rows) {
      const Node& n = program_->nodes[row.node];
      if (n.depends && n.formed) row_back(row, direction);
    }
  }

  void flush() { this->flush_sums(); }

 private:
  using Base::adjoint_;
  using Base::beside_;
  using Base::layer_sum_;
  using Base::moves;
  using Base::node;
  using Base::padded_;
  using Base::program_;
  using Base::times;
  using Base::uniform;
  using Base::uniform_sum_;
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

  static constexpr Id jet_size = gradient + 1;
  using Products = JetProducts<T, jet_size>;

  bool has_jet(const Row& row) const { return program_->nodes[row.node].formed; }
  // Where its value is.
  Id slot_of(const Row& row) const {
    const Node& n = program_->nodes[row.node];
    return n.formed ? n.jet : n.slot;
  }
  Id jet_a(const Node& n) const { return program_->nodes[n.a].jet; }
  Id jet_b(const Node& n) const { return program_->nodes[n.b].jet; }
  Id result_jet() const { return program_->nodes[program_->result].jet; }
  const P& value_of(const Node& n) const { return value_[program_->has_jet(n) ? n.jet : n.slot]; }
  const P& value_of_other(const Step& step) const {
    const bool alone = step.other == Program<T>::none;
    return value_of(alone ? node(step) : program_->nodes[step.other]);
  }
  static bool is_curved(const Term& term) {
    return term.kind == TermKind::dense_curved || term.kind == TermKind::sparse_curved;
  }

  // The entries of rows: each calls visit(coordinate, place of the entry in the row). Of dense rows
  // they are as many as there are coordinates, which may be known when this is compiled.
  struct KnownEntries {
    template <class Visit>
    EIGEN_ALWAYS_INLINE void each(Visit visit) const {
      for_each_entry<width>([&](auto i) SCOREMATCH_INLINE { visit(i, i); });
    }
  };
  struct AllEntries {
    std::size_t count;
    template <class Visit>
    EIGEN_ALWAYS_INLINE void each(Visit visit) const {
      for (std::size_t i = 0; i < count; ++i) visit(i, i);
    }
  };
  struct SomeEntries {
    const Id* coordinate;
    Id count;
    template <class Visit>
    EIGEN_ALWAYS_INLINE void each(Visit visit) const {
      for (Id e = 0; e < count; ++e) visit(coordinate[e], e);
    }
  };
  template <class Entries>
  Entries entries_of(const Row& row) const {
    if constexpr (std::is_same_v<Entries, KnownEntries>) {
      return {};
    } else if constexpr (std::is_same_v<Entries, AllEntries>) {
      return {padded_};
    } else {
      return {program_->coordinate.data() + row.begin, row.count};
    }
  }
  // use(entries) with those of a row.
  template <class Use>
  EIGEN_ALWAYS_INLINE void with_entries(const Row& row, Use use) const {
    if (!row.dense) {
      use(entries_of<SomeEntries>(row));
    } else if (padded_ == std::size_t(width)) {
      use(KnownEntries());
    } else {
      use(AllEntries{padded_});
    }
  }
  // use(begin, end, Named<kind of entries>) for the single ridges of a sum, and others(begin, end)
  // for its other terms.
  template <class Type>
  struct Named {
    using type = Type;
  };
  template <class Use, class Others>
  void for_each_run(const Node& n, Use use, Others others) const {
    const Term* const terms = program_->terms.data();
    for (Id t = n.first; t < n.last;) {
      const TermKind kind = terms[t].kind;
      Id last = t + 1;
      while (last < n.last && terms[last].kind == kind) ++last;
      const Term *const begin = terms + t, *const end = terms + last;
      if (kind == TermKind::sparse_ridge) {
        use(begin, end, Named<SomeEntries>());
      } else if (kind != TermKind::dense_single_ridge) {
        others(begin, end);
      } else if (padded_ == std::size_t(width)) {
        use(begin, end, Named<KnownEntries>());
      } else {
        use(begin, end, Named<AllEntries>());
      }
      t = last;
    }
  }

  // Packs by coordinate: in registers where their number is known.
  struct Local {
    P at[std::size_t(width)];
    EIGEN_ALWAYS_INLINE P& operator[](std::size_t i) { return at[i]; }
    EIGEN_ALWAYS_INLINE const P& operator[](std::size_t i) const { return at[i]; }
  };
  template <class Entries, class Packs>
  EIGEN_ALWAYS_INLINE static auto local(Packs* from) {
    if constexpr (std::is_same_v<Entries, KnownEntries>) {
      Local to;
      for_each_entry<width>([&](auto i) SCOREMATCH_INLINE { to.at[i] = from[i]; });
      return to;
    } else {
      return from;
    }
  }

  // sum + w . x, in two sums whose latencies overlap.
  template <class Entries, class X>
  EIGEN_ALWAYS_INLINE static P product(const Entries& entries, const T* w, const X& x, P sum) {
    P other(T(0));
    entries.each([&](auto i, auto e) SCOREMATCH_INLINE {
      if (e % 2 == 0) {
        sum += x[i] * P(w[e]);
      } else {
        other += x[i] * P(w[e]);
      }
    });
    return sum + other;
  }

  // --- forward -----------------------------------------------------------------------------------

  void linear(const Row& row) {
    const P offset = row.offset == Program<T>::none ? P(T(0)) : uniform(row.offset);
    with_entries(row, [&](const auto& entries) SCOREMATCH_INLINE {
      value_[slot_of(row)] = product(entries, &program_->weights[row.begin], x_.data(), offset);
    });
  }

  P value_of_sum(const Node& n) const {
    P v = n.offset == Program<T>::none ? P(T(0)) : uniform(n.offset);
    for (Id t = n.first; t < n.last; ++t) {
      const Term& term = program_->terms[t];
      v += uniform(term.coefficient) * value_[term.value];
    }
    return v;
  }

  void layer_values(const Layer& layer) {
    P* const to = &value_[layer.jet];
    for (Id j = 0; j < layer.size(); ++j) {
      const Id offset = this->offset_of(layer, j);
      to[j * jet_size] = offset == Program<T>::none ? P(T(0)) : uniform(offset);
    }
    Products::multiply(to, layer.size(), &value_[layer.inputs], layer.count,
                       this->coefficients_of(layer), 0, 1);
  }

  // --- slopes along a direction, and second derivatives ------------------------------------------

  // The slope of the result is asked for where there are second derivatives.
  void slopes(const P* direction) {
    for (const Row& row : program_->rows) {
      if (!row.used || !has_jet(row)) continue;
      P* const to = &value_[slot_of(row)];
      if constexpr (second) to[1] = P(T(0));
      with_entries(row, [&](const auto& entries) SCOREMATCH_INLINE {
        to[gradient] = product(entries, &program_->weights[row.begin], direction, P(T(0)));
      });
    }
    for (const Step& step : program_->steps) {
      switch (step.op) {
        case Op::form: {
          const Node& n = node(step);
          P* const to = &value_[n.jet];
          if constexpr (second) to[1] = T(0);
          to[gradient] = T(0);
          add_curved(&value_[n.slot], &value_[jet_a(n)], P(T(1)), to);
          break;
        }
        case Op::sum:
          if (second || step.node != program_->result) sum_slopes(node(step), direction);
          break;
        case Op::product: product_slopes(node(step)); break;
        case Op::binary: binary_slopes(node(step)); break;
        case Op::logsumexp: logsumexp_slopes(node(step)); break;
        case Op::layer: layer_slopes(program_->layers[step.node]); break;
        default: break;
      }
    }
  }

  // c phi(a): slope phi' a', second derivative phi'' a'^2 + phi' a''.
  EIGEN_ALWAYS_INLINE static void add_curved(const P* phi, const P* a, const P& c, P* to) {
    const P scale = c * phi[1];
    if constexpr (second) to[1] += (c * phi[2]) * (a[gradient] * a[gradient]) + scale * a[1];
    to[gradient] += scale * a[gradient];
  }

  void sum_slopes(const Node& n, const P* direction) {
    P sum[std::size_t(jet_size)];
    for (P& s : sum) s = P(T(0));
    for_each_run(
        n,
        [&](const Term* begin, const Term* end, auto entries) {
          this->ridge_slopes<typename decltype(entries)::type>(begin, end, direction, sum);
        },
        [&](const Term* begin, const Term* end) { this->term_slopes(begin, end, sum); });
    std::copy_n(sum + 1, gradient, &value_[n.jet + 1]);
  }

  template <class Entries>
  EIGEN_DONT_INLINE void ridge_slopes(const Term* begin, const Term* end, const P* direction,
                                      P* sum) {
    for (const Term* term = begin; term != end; ++term) {
      P* const phi = &value_[term->value];
      const P slope = product(entries_of<Entries>(program_->rows[term->row]),
                              &program_->weights[term->entries], direction, P(T(0)));
      phi[4] = slope;
      const P c = uniform(term->coefficient);
      if constexpr (second) sum[1] += (c * phi[2]) * (slope * slope);
      sum[gradient] += (c * phi[1]) * slope;
    }
  }

  void term_slopes(const Term* begin, const Term* end, P* sum) const {
    for (const Term* term = begin; term != end; ++term) {
      const P c = uniform(term->coefficient);
      const P* const z = &value_[term->value];
      if (is_curved(*term)) {
        add_curved(z, &value_[term->entries], c, sum);
      } else {
        if constexpr (second) sum[1] += c * z[1];
        sum[gradient] += c * z[gradient];
      }
    }
  }

  void product_slopes(const Node& n) {
    const P *const u = &value_[jet_a(n)], *const w = &value_[jet_b(n)];
    P* const to = &value_[n.jet];
    const P du = u[gradient], dw = w[gradient];
    to[gradient] = u[0] * dw + w[0] * du;
    if constexpr (second) to[1] = u[0] * w[1] + w[0] * u[1] + P(T(2)) * (du * dw);
  }

  void binary_slopes(const Node& n) {
    const P *const u = &value_[jet_a(n)], *const w = &value_[jet_b(n)];
    const P* const phi = &value_[n.slot];
    P* const to = &value_[n.jet];
    const P du = u[gradient], dw = w[gradient];
    to[gradient] = times(phi[of_a], du) + times(phi[of_b], dw);
    if constexpr (second) {
      to[1] = times(phi[of_a], u[1]) + times(phi[of_b], w[1]) + times(phi[of_aa], du * du) +
              times(phi[of_bb], dw * dw) + P(T(2)) * times(phi[of_ab], du * dw);
    }
  }

  // As in `ForwardReplay`.
  void logsumexp_slopes(const Node& n) {
    P* const to = &value_[n.jet];
    const P* const weight = &value_[n.slot];
    P mean(T(0)), curve(T(0));
    for (Id t = n.first; t < n.last; ++t) {
      mean += times(weight[t - n.first], jet_of(t)[gradient]);
    }
    to[gradient] = mean;
    if constexpr (second) {
      for (Id t = n.first; t < n.last; ++t) {
        const P apart = jet_of(t)[gradient] - mean;
        curve += times(weight[t - n.first], jet_of(t)[1] + apart * apart);
      }
      to[1] = curve;
    }
  }
  // The jet that term t of a node is.
  const P* jet_of(Id t) const { return &value_[program_->nodes[program_->terms[t].node].jet]; }

  void layer_slopes(const Layer& layer) {
    P* const to = &value_[layer.jet];
    for (Id j = 0; j < layer.size(); ++j) {
      for (Id e = 1; e < jet_size; ++e) to[j * jet_size + e] = P(T(0));
    }
    Products::multiply(to, layer.size(), &value_[layer.inputs], layer.count,
                       this->coefficients_of(layer), 1, jet_size);
  }

  // --- backward in x -----------------------------------------------------------------------------

  // The score: derivatives of the result's value by x.
  void pull_back() {
    std::fill_n(adjoint_.begin(), program_->adjoint_count, P(T(0)));
    adjoint_[program_->nodes[program_->result].adjoint] = T(1);
    P* const score = &result_[gradient];
    std::fill_n(score, padded_, P(T(0)));
    for (std::size_t s = program_->steps.size(); s-- > 0;) {
      const Step& step = program_->steps[s];
      if (step.op == Op::layer) {
        const Layer& layer = program_->layers[step.node];
        Products::multiply(&adjoint_[layer.inputs_adjoint], layer.count, &adjoint_[layer.adjoint],
                           layer.size(), this->transposed_of(layer), 0, 1);
        continue;
      }
      const Node& n = node(step);
      if (n.adjoint == Program<T>::none) continue;
      const P by = adjoint_[n.adjoint];
      const auto pass = [&](Id to, const P& slope) {
        adjoint_[program_->nodes[to].adjoint] += times(by, slope);
      };
      switch (step.op) {
        case Op::form: pass(n.a, value_[n.slot + 1]); break;
        case Op::sum:
          for_each_run(
              n,
              [&](const Term* begin, const Term* end, auto entries) {
                this->pull_ridges<typename decltype(entries)::type>(begin, end, by, score);
              },
              [&](const Term* begin, const Term* end) { this->pull_terms(begin, end, by); });
          break;
        case Op::product:
          pass(n.a, value_[jet_b(n)]);
          pass(n.b, value_[jet_a(n)]);
          break;
        case Op::binary:
          pass(n.a, value_[n.slot + of_a]);
          pass(n.b, value_[n.slot + of_b]);
          break;
        case Op::logsumexp:
          for (Id t = n.first; t < n.last; ++t) {
            pass(program_->terms[t].node, value_[n.slot + (t - n.first)]);
          }
          break;
        default: break;
      }
    }
    for (const Row& row : program_->rows) {
      if (!row.used || !has_jet(row)) continue;
      const P by = adjoint_[program_->nodes[row.node].adjoint];
      const T* const w = &program_->weights[row.begin];
      with_entries(row, [&](const auto& entries) SCOREMATCH_INLINE {
        entries.each([&](auto i, auto e) SCOREMATCH_INLINE { score[i] += by * P(w[e]); });
      });
    }
  }

  template <class Entries>
  EIGEN_DONT_INLINE void pull_ridges(const Term* begin, const Term* end, const P& by,
                                     P* score) const {
    auto s = local<Entries>(score);
    for (const Term* term = begin; term != end; ++term) {
      const T* const w = &program_->weights[term->entries];
      const P scaled = times(uniform(term->coefficient) * by, value_[term->value + 1]);
      entries_of<Entries>(program_->rows[term->row]).each([&](auto i, auto e) SCOREMATCH_INLINE {
        s[i] += scaled * P(w[e]);
      });
    }
    if constexpr (std::is_same_v<Entries, KnownEntries>) {
      for_each_entry<width>([&](auto i) SCOREMATCH_INLINE { score[i] = s[i]; });
    }
  }

  void pull_terms(const Term* begin, const Term* end, const P& by) {
    for (const Term* term = begin; term != end; ++term) {
      const P scaled = uniform(term->coefficient) * by;
      adjoint_[term->adjoint] += is_curved(*term) ? times(scaled, value_[term->value + 1]) : scaled;
    }
  }

  // --- backward in theta -------------------------------------------------------------------------

  void row_back(const Row& row, const P* direction) {
    const P* const from = &adjoint_[program_->nodes[row.node].adjoint];
    const P by_value = from[0], by_slope = from[gradient];
    P* const sums = weight_sum_.data() + row.begin;
    if (moves(row.offset)) uniform_sum_[row.offset] += by_value;
    with_entries(row, [&](const auto& entries) SCOREMATCH_INLINE {
      entries.each([&](auto i, auto e) SCOREMATCH_INLINE {
        sums[e] += x_[i] * by_value + direction[i] * by_slope;
      });
    });
  }

  // The adjoint of c phi(a), to a; returns that by c.
  EIGEN_ALWAYS_INLINE P curved_back(const P* phi, const Node& base, Id from_adjoint, const P& c) {
    const P* const from = &adjoint_[from_adjoint];
    P* const to = &adjoint_[base.adjoint];
    const P* const a = &value_[base.jet];
    const P v = from[0], s = from[gradient], slope = a[gradient];
    P along = s * slope;
    P by_value = v * phi[1], by_coefficient = v * phi[0];
    P by_slope = s * phi[1];
    if constexpr (second) {
      const P l = from[1];
      const P curve = l * (slope * slope);
      along += l * a[1];
      by_value += curve * phi[3];
      by_coefficient += curve * phi[2];
      by_slope += P(T(2)) * ((l * phi[2]) * slope);
      to[1] += c * (l * phi[1]);
    }
    to[0] += c * (by_value + along * phi[2]);
    to[gradient] += c * by_slope;
    return by_coefficient + along * phi[1];
  }

  // The adjoint `from` of a sum, to single ridges, whose slopes may be there already.
  template <class Entries>
  EIGEN_DONT_INLINE void ridges_back(const Term* begin, const Term* end, const P* from,
                                     const P* direction, bool with_slopes) {
    const P* const x = x_.data();
    const auto v = local<Entries>(direction);
    for (const Term* at = begin; at != end; ++at) {
      const Term& term = *at;
      if (!term.active) continue;
      const P* const phi = &value_[term.value];
      const Entries entries = entries_of<Entries>(program_->rows[term.row]);
      P slope = phi[4];
      if (!with_slopes) {
        slope = product(entries, &program_->weights[term.entries], v, P(T(0)));
      }
      const P c = uniform(term.coefficient);
      const P along = from[gradient] * slope;
      P by_coefficient = from[0] * phi[0] + along * phi[1];
      P by_value = from[0] * phi[1] + along * phi[2];
      P by_slope = from[gradient] * phi[1];
      if constexpr (second) {
        const P curve = from[1] * (slope * slope);
        by_coefficient += curve * phi[2];
        by_value += curve * phi[3];
        by_slope += P(T(2)) * ((from[1] * phi[2]) * slope);
      }
      by_value *= c;
      by_slope *= c;
      if (moves(term.coefficient)) uniform_sum_[term.coefficient] += by_coefficient;
      if (term.offset != Program<T>::none) uniform_sum_[term.offset] += by_value;
      P* const sums = &weight_sum_[term.entries];
      entries.each([&](auto i, auto e)
                       SCOREMATCH_INLINE { sums[e] += x[i] * by_value + v[i] * by_slope; });
    }
  }

  void sum_back(const Node& n, const P* direction, bool with_slopes) {
    const P* const from = &adjoint_[n.adjoint];
    if (moves(n.offset)) uniform_sum_[n.offset] += from[0];
    for_each_run(
        n,
        [&](const Term* begin, const Term* end, auto entries) {
          this->ridges_back<typename decltype(entries)::type>(begin, end, from, direction,
                                                              with_slopes);
        },
        [&](const Term* begin, const Term* end) { this->terms_back(begin, end, n.adjoint); });
  }

  void terms_back(const Term* begin, const Term* end, Id from_adjoint) {
    const P* const from = &adjoint_[from_adjoint];
    for (const Term* at = begin; at != end; ++at) {
      const Term& term = *at;
      if (!term.active) continue;
      const P c = uniform(term.coefficient);
      const P* const z = &value_[term.value];
      P by_coefficient;
      if (is_curved(term)) {
        by_coefficient = curved_back(z, program_->nodes[term.base], from_adjoint, c);
      } else {
        P* const to = &adjoint_[term.adjoint];
        by_coefficient = P(T(0));
        for_each_entry<int(jet_size)>([&](auto e) SCOREMATCH_INLINE {
          by_coefficient += from[e] * z[e];
          to[e] += c * from[e];
        });
      }
      if (moves(term.coefficient)) uniform_sum_[term.coefficient] += by_coefficient;
    }
  }

  void product_back(const Node& n) {
    const Node &a = program_->nodes[n.a], &b = program_->nodes[n.b];
    const P *const u = &value_[a.jet], *const w = &value_[b.jet];
    P *const to_a = &adjoint_[a.adjoint], *const to_b = &adjoint_[b.adjoint];
    const P* const from = &adjoint_[n.adjoint];
    const P v = from[0], s = from[gradient], du = u[gradient], dw = w[gradient];
    P by_a = v * w[0] + s * dw, by_b = v * u[0] + s * du;
    P by_du = s * w[0], by_dw = s * u[0];
    if constexpr (second) {
      const P l = from[1], twice = l + l;
      by_a += l * w[1];
      by_b += l * u[1];
      by_du += twice * dw;
      by_dw += twice * du;
      to_a[1] += l * w[0];
      to_b[1] += l * u[0];
    }
    to_a[0] += by_a;
    to_b[0] += by_b;
    to_a[gradient] += by_du;
    to_b[gradient] += by_dw;
  }

  void binary_back(const Node& n) {
    const Node &a = program_->nodes[n.a], &b = program_->nodes[n.b];
    const P *const u = &value_[a.jet], *const w = &value_[b.jet];
    P *const to_a = &adjoint_[a.adjoint], *const to_b = &adjoint_[b.adjoint];
    const P* const from = &adjoint_[n.adjoint];
    const P* const phi = &value_[n.slot];
    const P s = from[gradient], du = u[gradient], dw = w[gradient];
    P along_a = s * du, along_b = s * dw;
    P by_du = times(phi[of_a], s), by_dw = times(phi[of_b], s);
    P by_a(T(0)), by_b(T(0));
    if constexpr (second) {
      const P l = from[1], twice = l + l;
      const P aa = l * (du * du), ab = l * (du * dw), bb = l * (dw * dw);
      along_a += l * u[1];
      along_b += l * w[1];
      by_a = times(phi[of_aaa], aa) + P(T(2)) * times(phi[of_aab], ab) + times(phi[of_abb], bb);
      by_b = times(phi[of_aab], aa) + P(T(2)) * times(phi[of_abb], ab) + times(phi[of_bbb], bb);
      by_du += times(twice, times(phi[of_aa], du) + times(phi[of_ab], dw));
      by_dw += times(twice, times(phi[of_ab], du) + times(phi[of_bb], dw));
      to_a[1] += times(phi[of_a], l);
      to_b[1] += times(phi[of_b], l);
    }
    by_a += times(phi[of_a], from[0]) + times(phi[of_aa], along_a) + times(phi[of_ab], along_b);
    by_b += times(phi[of_b], from[0]) + times(phi[of_ab], along_a) + times(phi[of_bb], along_b);
    to_a[0] += by_a;
    to_b[0] += by_b;
    to_a[gradient] += by_du;
    to_b[gradient] += by_dw;
  }

  void logsumexp_back(const Node& n) {
    const P* const from = &adjoint_[n.adjoint];
    const P* const mean = &value_[n.jet];
    for (Id t = n.first; t < n.last; ++t) {
      const P weight = value_[n.slot + (t - n.first)];
      P* const to = &adjoint_[program_->nodes[program_->terms[t].node].adjoint];
      const P apart = jet_of(t)[gradient] - mean[gradient];
      P by_value = from[0] + from[gradient] * apart, by_slope = from[gradient];
      if constexpr (second) {
        by_value += from[1] * (jet_of(t)[1] - mean[1] + apart * apart);
        by_slope += (from[1] + from[1]) * apart;
        to[1] += times(weight, from[1]);
      }
      to[0] += times(weight, by_value);
      to[gradient] += times(weight, by_slope);
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

  std::vector<P> result_;
  std::vector<P> result_adjoint_;
  std::vector<P> direction_;  // none: the adjoint of the score
};

}  // namespace scorematch::detail
