// SPDX-License-Identifier: MIT
//
// Runs a program over packs of samples for derivatives along one line, and for scores.
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/recorded/jet_products.hpp>
#include <scorematch/derivative/recorded/line_forward.hpp>
#include <scorematch/derivative/recorded/program.hpp>
#include <scorematch/derivative/second_order.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace scorematch::detail {

// along: v is beside the sample, and the result is its jet.
// none: the result is the value and the score s, by one run backward in x. With a = dl/ds of a loss
// l(s), the derivative of l by theta is that of a . s: the slope of log p along a. So `backward`
// runs forward once more, along a, and backward from that slope alone. The cost does not depend on
// the dimension but for the rows.
template <VectorLane T, int width, SecondOrder order>
class LineReplay : public LineForward<T, width, order> {
  using Base = LineForward<T, width, order>;

 public:
  using Base::gradient;
  using Base::second;
  using typename Base::Id;
  using typename Base::Live;
  using typename Base::P;

  void reserve(Eigen::Index dimension, int beside) {
    this->reserve_samples(dimension, second ? (std::max)(beside, 1) : beside);
    result_.assign(std::size_t(gradient) + (second ? 1 : padded_), P(T(0)));
    result_adjoint_ = result_;
    direction_.assign(second ? 0 : padded_, P(T(0)));
  }

  void begin(const Program<T>& program) { this->begin_sums(program); }

  Live forward(int, Live live, Live kept) {
    live = this->values(live, kept);
    if (live == 0) return live;
    result_[0] = value_[result_jet()];
    if constexpr (second) {
      this->slopes(beside_.data());
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
      this->slopes(direction_.data());
      of_result[0] = T(0);
      of_result[1] = T(1);
    }
    const P* const direction = second ? beside_.data() : direction_.data();
    this->for_each_step_back([&](const Layer& layer) { layer_back(layer); },
                             [&](const Step& step, const Node& n) {
                               if (!n.depends) return;
                               switch (step.op) {
                                 case Op::form:
                                   curved_back(&value_[n.slot], program_->nodes[n.a], n.adjoint,
                                               P(T(1)));
                                   break;
                                 case Op::sum:
                                   sum_back(n, direction, second || step.node != program_->result);
                                   break;
                                 case Op::product: product_back(n); break;
                                 case Op::binary: binary_back(n); break;
                                 case Op::logsumexp: logsumexp_back(n); break;
                                 default: break;
                               }
                             });
    for (const Row& row : program_->rows) {
      const Node& n = program_->nodes[row.node];
      if (n.depends && n.formed) row_back(row, direction);
    }
  }

  void flush() { this->flush_sums(); }

 private:
  using Base::adjoint_;
  using Base::beside_;
  using Base::for_each_run;
  using Base::has_jet;
  using Base::is_curved;
  using Base::jet_a;
  using Base::jet_b;
  using Base::jet_of;
  using Base::jet_size;
  using Base::layer_sum_;
  using Base::moves;
  using Base::padded_;
  using Base::product;
  using Base::program_;
  using Base::result_jet;
  using Base::times;
  using Base::uniform;
  using Base::uniform_sum_;
  using Base::value_;
  using Base::weight_sum_;
  using Base::with_entries;
  using Base::x_;
  using typename Base::KnownEntries;
  using typename Base::Layer;
  using typename Base::Node;
  using typename Base::Op;
  using typename Base::Products;
  using typename Base::Row;
  using typename Base::Step;
  using typename Base::Term;

  // --- backward in x -----------------------------------------------------------------------------

  // The score: derivatives of the result's value by x.
  void pull_back() {
    std::fill_n(adjoint_.begin(), program_->adjoint_count, P(T(0)));
    adjoint_[program_->nodes[program_->result].adjoint] = T(1);
    P* const score = &result_[gradient];
    std::fill_n(score, padded_, P(T(0)));
    this->for_each_step_back(
        [&](const Layer& layer) {
          Products::multiply(&adjoint_[layer.inputs_adjoint], layer.count, &adjoint_[layer.adjoint],
                             layer.size(), this->transposed_of(layer), 0, 1);
        },
        [&](const Step& step, const Node& n) {
          if (n.adjoint == Program<T>::none) return;
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
        });
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
    auto s = this->template local<Entries>(score);
    for (const Term* term = begin; term != end; ++term) {
      const T* const w = &program_->weights[term->entries];
      const P scaled = times(uniform(term->coefficient) * by, value_[term->value + 1]);
      this->template entries_of<Entries>(program_->rows[term->row])
          .each([&](auto i, auto e) SCOREMATCH_INLINE { s[i] += scaled * P(w[e]); });
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
    const auto v = this->template local<Entries>(direction);
    for (const Term* at = begin; at != end; ++at) {
      const Term& term = *at;
      if (!term.active) continue;
      const P* const phi = &value_[term.value];
      const Entries entries = this->template entries_of<Entries>(program_->rows[term.row]);
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
