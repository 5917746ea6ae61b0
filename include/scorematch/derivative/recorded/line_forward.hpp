// SPDX-License-Identifier: MIT
//
// Runs a program over packs of samples along a line, forward: values, then slopes.
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/recorded/jet_products.hpp>
#include <scorematch/derivative/recorded/line_rows.hpp>
#include <scorematch/derivative/recorded/program.hpp>
#include <scorematch/derivative/second_order.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>

namespace scorematch::detail {

// Values need no direction, so that guards decide and scores are found before there is one.
template <VectorLane T, int width, SecondOrder order>
class LineForward : public LineRows<T, width, order> {
  using Base = LineRows<T, width, order>;

 public:
  using Base::gradient;
  using Base::second;
  using typename Base::Id;
  using typename Base::Live;
  using typename Base::P;

 protected:
  using Base::for_each_run;
  using Base::has_jet;
  using Base::is_curved;
  using Base::jet_a;
  using Base::jet_b;
  using Base::jet_of;
  using Base::jet_size;
  using Base::node;
  using Base::product;
  using Base::program_;
  using Base::slot_of;
  using Base::times;
  using Base::uniform;
  using Base::value_;
  using Base::value_of;
  using Base::value_of_other;
  using Base::with_entries;
  using Base::x_;
  using typename Base::Layer;
  using typename Base::Node;
  using typename Base::Op;
  using typename Base::Products;
  using typename Base::Row;
  using typename Base::Step;
  using typename Base::Term;

  // The values; the lanes of `live` for which every comparison comes out as it did for the leader,
  // and those of `kept` in any case.
  Live values(Live live, Live kept) {
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
    return live;
  }

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

 private:
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
      const P slope = product(this->template entries_of<Entries>(program_->rows[term->row]),
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

  void layer_slopes(const Layer& layer) {
    P* const to = &value_[layer.jet];
    for (Id j = 0; j < layer.size(); ++j) {
      for (Id e = 1; e < jet_size; ++e) to[j * jet_size + e] = P(T(0));
    }
    Products::multiply(to, layer.size(), &value_[layer.inputs], layer.count,
                       this->coefficients_of(layer), 1, jet_size);
  }
};

}  // namespace scorematch::detail
