// SPDX-License-Identifier: MIT
//
// How a program is finished: layers found, jets formed, and everything given its place.
#pragma once

#include <scorematch/derivative/recorded/program.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace scorematch::detail {

// A program whose nodes are all there: what replays need is found and laid out.
template <VectorLane T>
class ProgramLayout : public Program<T> {
  using Base = Program<T>;

 public:
  using Base::adjoint_count;
  using Base::base_of;
  using Base::blocks;
  using Base::coefficients;
  using Base::form;
  using Base::has_jet;
  using Base::is_constant;
  using Base::is_row;
  using Base::layers;
  using Base::masks;
  using Base::nodes;
  using Base::none;
  using Base::one;
  using Base::outputs;
  using Base::result;
  using Base::ridge_rows;
  using Base::ridges;
  using Base::rows;
  using Base::shape_;
  using Base::steps;
  using Base::sums;
  using Base::sums_of_jets;
  using Base::term_kinds;
  using Base::terms;
  using Base::uniform;
  using Base::value_count;
  using typename Base::Id;
  using typename Base::Kind;
  using typename Base::Layer;
  using typename Base::Node;
  using typename Base::Op;
  using typename Base::Ridges;
  using typename Base::Row;
  using typename Base::Step;
  using typename Base::Term;
  using typename Base::TermKind;

 protected:
  // The program ends with this node, which has a jet.
  void finish(Id node) {
    result = node;
    forget_unused();
    forget_coordinates();
    find_layers();
    for (Node& n : nodes) {
      if (n.kind == Kind::composed && n.uses > 1) n.formed = true;
    }
    for (Node& n : nodes) {
      n.single = n.kind == Kind::composed && !n.formed && (n.dense || shape_.rows_are_jets) &&
                 nodes[n.a].kind == Kind::linear && nodes[n.a].uses == 1 && !nodes[n.a].formed &&
                 (rows[nodes[n.a].row].dense || shape_.rows_are_jets) && shape_.blocks == 1;
      if (n.single) nodes[n.a].single = true;
    }
    for (Node& n : nodes) {
      if (n.kind == Kind::linear && shape_.rows_are_jets && !n.single) n.formed = true;
    }
    insert_forms();
    value_count = Id(rows.size());
    gather_ridges();
    for (const Layer& layer : layers) place_layer(layer);
    for (Node& n : nodes) place(n);
    for (const Step& step : steps) {
      if (step.op == Op::sum) sort_terms(nodes[step.node]);
    }
    for (Layer& layer : layers) fill(layer);
    find_sums();
  }

 private:
  static constexpr Id least_layer = 4;

  // What the result does not depend on has no derivatives: not zero times what may not be finite.
  void forget_unused() {
    used_.assign(nodes.size(), false);
    used_[result] = true;
    for (Id id = Id(nodes.size()); id-- > 0;) {
      Node& n = nodes[id];
      if (!used_[id]) {
        n.depends = false;
        continue;
      }
      if (n.a != none) used_[n.a] = true;
      if (n.b != none) used_[n.b] = true;
      for (Id t = n.first; t < n.last; ++t) used_[terms[t].node] = true;
    }
  }

  // Coordinates that are met in rows alone need no row of their own.
  void forget_coordinates() {
    for (Row& row : rows) row.used = nodes[row.node].uses > 0;
    const auto keep = [this](Id node) {
      if (node != none && nodes[node].kind == Kind::linear) rows[nodes[node].row].used = true;
    };
    keep(result);
    for (const Step& step : steps) {
      if (step.op == Op::guard) {
        keep(step.node);
        keep(step.other);
      }
    }
  }

  // Sums over the same terms become a layer, where the first of them stood.
  void find_layers() {
    alike_.clear();
    for (std::size_t at = 0; at < steps.size(); ++at) {
      if (steps[at].op != Op::sum) continue;
      const Node& n = nodes[steps[at].node];
      if (n.last - n.first < least_layer) continue;
      std::uint64_t hash = 14695981039346656037u;
      for (Id t = n.first; t < n.last; ++t) hash = (hash ^ terms[t].node) * 1099511628211u;
      alike_.emplace_back(hash, at);
    }
    std::sort(alike_.begin(), alike_.end());
    for (std::size_t k = 0; k < alike_.size();) {
      std::size_t end = k + 1;
      while (end < alike_.size() && same_terms(alike_[k], alike_[end])) ++end;
      if (end - k >= least_layer && may_be_layer(k, end)) {
        make_layer(k, end);
      }
      k = end;
    }
    std::erase_if(steps, [](const Step& step) { return step.op == Op::sum && step.node == none; });
  }
  bool same_terms(const std::pair<std::uint64_t, std::size_t>& x,
                  const std::pair<std::uint64_t, std::size_t>& y) const {
    const Node &a = nodes[steps[x.second].node], &b = nodes[steps[y.second].node];
    return x.first == y.first &&
           std::equal(terms.begin() + a.first, terms.begin() + a.last, terms.begin() + b.first,
                      terms.begin() + b.last,
                      [](const Term& s, const Term& t) { return s.node == t.node; });
  }
  // Jets of which every entry is written, each once, and no input of a layer an output of another:
  // both follow one another in memory.
  bool may_be_layer(std::size_t begin, std::size_t end) {
    for (std::size_t k = begin; k < end; ++k) {
      if (nodes[steps[alike_[k].second].node].layer != none) return false;
    }
    const Node& n = nodes[steps[alike_[begin].second].node];
    bool free = true;
    Id t = n.first;
    for (; t < n.last && free; ++t) {
      Node& input = nodes[terms[t].node];
      free = input.layer == none && !input.output && input.dense;
      if (free) input.layer = Id(layers.size());
    }
    if (free) return true;
    for (Id k = n.first; k + 1 < t; ++k) nodes[terms[k].node].layer = none;
    return false;
  }
  void make_layer(std::size_t begin, std::size_t end) {
    Layer layer{};
    layer.first = Id(outputs.size());
    for (std::size_t k = begin; k < end; ++k) {
      Step& step = steps[alike_[k].second];
      outputs.push_back(step.node);
      nodes[step.node].output = true;
      step.node = none;
    }
    layer.last = Id(outputs.size());
    const Node& n = nodes[outputs[layer.first]];
    layer.count = n.last - n.first;
    for (Id t = n.first; t < n.last; ++t) form(terms[t].node);
    Step& step = steps[alike_[begin].second];
    step.op = Op::layer;
    step.node = Id(layers.size());
    layers.push_back(layer);
  }

  void insert_forms() {
    draft_.clear();
    for (const Step& step : steps) {
      draft_.push_back(step);
      if ((step.op == Op::linear || step.op == Op::composed) && nodes[step.node].formed &&
          !(step.op == Op::linear && shape_.rows_are_jets)) {
        Step jet{Op::form};
        jet.node = step.node;
        draft_.push_back(jet);
      }
    }
    std::swap(steps, draft_);
  }

  bool is_ridge(const Step& step) const {
    return step.op == Op::composed && is_row(nodes[nodes[step.node].a]);
  }
  // Takes rows and ridges out of the steps.
  void gather_ridges() {
    for (const Step& step : steps) {
      if (is_ridge(step)) ++ridges_of(nodes[step.node].function).count;
    }
    Id first = 0;
    for (Ridges& group : ridges) {
      group.first = first;
      group.phi = value_count;
      first += group.count;
      value_count += group.count * composed_size;
      group.count = 0;
    }
    ridge_rows.resize(first);
    for (const Step& step : steps) {
      if (!is_ridge(step)) continue;
      Node& n = nodes[step.node];
      Ridges& group = ridges_of(n.function);
      n.slot = group.phi + group.count * composed_size;
      ridge_rows[group.first + group.count++] = nodes[n.a].row;
    }
    std::erase_if(steps,
                  [this](const Step& step) { return step.op == Op::linear || is_ridge(step); });
  }
  Ridges& ridges_of(const UnaryFunction<T>& function) {
    for (Ridges& group : ridges) {
      if (group.function == function) return group;
    }
    ridges.push_back({function, 0, 0, 0});
    return ridges.back();
  }

  // Inputs and outputs of a layer follow one another.
  void place_layer(const Layer& layer) {
    const Id first = nodes[outputs[layer.first]].first;
    for (Id t = first; t < first + layer.count; ++t) place_jet(nodes[terms[t].node]);
    for (Id k = layer.first; k < layer.last; ++k) place_jet(nodes[outputs[k]]);
  }
  void place_jet(Node& n) {
    if (n.jet != none) return;
    n.jet = value_count;
    n.adjoint = adjoint_count;
    value_count += Id(shape_.size());
    adjoint_count += Id(shape_.size());
  }
  void place(Node& n) {
    if (has_jet(n)) place_jet(n);
    switch (n.kind) {
      case Kind::linear:
        n.slot = n.row;
        n.slot_adjoint = adjoint_count++;
        break;
      case Kind::composed:
        if (n.slot != none) break;
        n.slot = value_count;
        value_count += composed_size;
        break;
      case Kind::binary:
        n.slot = value_count;
        value_count += Id(partials);
        break;
      case Kind::logsumexp:  // its weights
        n.slot = value_count;
        value_count += n.last - n.first;
        break;
      default: break;
    }
  }

  void sort_terms(const Node& n) {
    for (Id t = n.first; t < n.last; ++t) {
      Term& term = terms[t];
      const Node& node = nodes[term.node];
      term.kind = kind_of(node);
      term.active = node.depends || !is_constant(term.coefficient);
      fill(term);
    }
    sorted_.clear();
    for (int kind = 0; kind < term_kinds; ++kind) {
      for (Id t = n.first; t < n.last; ++t) {
        if (terms[t].kind == static_cast<TermKind>(kind)) sorted_.push_back(terms[t]);
      }
    }
    std::copy(sorted_.begin(), sorted_.end(), terms.begin() + n.first);
  }
  void fill(Term& term) const {
    const Node& node = nodes[term.node];
    if (node.kind == Kind::composed && !node.formed) {
      term.value = node.slot;
      base_of(node.a, is_row(nodes[node.a]), term);
    } else {
      term.value = has_jet(node) ? node.jet : node.slot;
      base_of(term.node, !has_jet(node), term);
    }
  }
  TermKind kind_of(const Node& n) const {
    if (has_jet(n)) return n.dense ? TermKind::dense_jet : TermKind::sparse_jet;
    if (n.kind == Kind::composed) {
      if (is_row(nodes[n.a])) {
        if (!rows[nodes[n.a].row].dense) return TermKind::sparse_ridge;
        return n.single ? TermKind::dense_single_ridge : TermKind::dense_ridge;
      }
      return n.dense ? TermKind::dense_curved : TermKind::sparse_curved;
    }
    if (n.kind == Kind::linear && rows[n.row].dense) return TermKind::dense_row;
    return TermKind::sparse_row;
  }

  void fill(Layer& layer) {
    layer.coefficients = Id(coefficients.size());
    for (Id k = layer.first; k < layer.last; ++k) {
      const Node& n = nodes[outputs[k]];
      for (Id t = n.first; t < n.last; ++t) coefficients.push_back(uniform(terms[t].coefficient));
    }
    const Node& output = nodes[outputs[layer.first]];
    layer.jet = output.jet;
    layer.adjoint = output.adjoint;
    const Node& input = nodes[terms[output.first].node];
    layer.inputs = input.jet;
    layer.inputs_adjoint = input.adjoint;
  }

  // The adjoints that are read, in order.
  void find_sums() {
    sums.clear();
    sums_of_jets.clear();
    const auto add = [](auto& ranges, Id begin, Id end) {
      if (!ranges.empty() && ranges.back().second == begin) {
        ranges.back().second = end;
      } else {
        ranges.emplace_back(begin, end);
      }
    };
    const Id gradient = Id(shape_.size() - shape_.width);
    for (const Node& n : nodes) {
      // A layer reads what all its outputs and inputs have, also those that nothing depends on.
      if (!n.depends && n.layer == none && !n.output) continue;
      if (has_jet(n)) {
        const bool all = n.dense || blocks() > 1 || shape_.rows_are_jets;
        const Id end = n.adjoint + (all ? Id(shape_.size()) : gradient);
        add(sums, n.adjoint, end);
        add(sums_of_jets, n.adjoint, end);
        for (Id i = 0; i < Id(shape_.width) && !all; ++i) {
          const Id entry = n.adjoint + gradient + i;
          if (masks[n.mask] >> i & 1) add(sums, entry, entry + 1);
        }
      }
      if (is_row(n) && !n.single) add(sums, n.slot_adjoint, n.slot_adjoint + 1);
    }
  }

  std::vector<std::pair<std::uint64_t, std::size_t>> alike_;  // hash of the terms, and step
  std::vector<Step> draft_;
  std::vector<bool> used_;
  std::vector<Term> sorted_;
};

}  // namespace scorematch::detail
