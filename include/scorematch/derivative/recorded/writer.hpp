// SPDX-License-Identifier: MIT
//
// How a program is written, node by node.
#pragma once

#include <scorematch/derivative/recorded/layout.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace scorematch::detail {

// A program that is being written: `Recorded` numbers call it.
template <VectorLane T>
class ProgramWriter : public ProgramLayout<T> {
  using Base = ProgramLayout<T>;

 public:
  using Base::adjoint_count;
  using Base::blocks;
  using Base::coefficients;
  using Base::constant_bit;
  using Base::coordinate;
  using Base::form;
  using Base::gathered;
  using Base::is_constant;
  using Base::is_jet;
  using Base::layers;
  using Base::leader;
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
  using Base::square_norms;
  using Base::steps;
  using Base::terms;
  using Base::uniform;
  using Base::uniform_steps;
  using Base::uniforms;
  using Base::value_count;
  using Base::weight_of;
  using Base::weights;
  using typename Base::Id;
  using typename Base::Kind;
  using typename Base::Node;
  using typename Base::Op;
  using typename Base::Relation;
  using typename Base::Row;
  using typename Base::Step;

  template <class X, class Theta>
  void start(const JetShape& shape, const X& x, const Theta& theta) {
    shape_ = shape;
    leader.assign(std::size_t(shape.dimension), T(0));
    for (Eigen::Index i = 0; i < shape.dimension; ++i) leader[std::size_t(i)] = x(i);
    uniforms.assign(1, T(1));
    for (Eigen::Index k = 0; k < theta.size(); ++k) uniforms.push_back(theta(k));
    uniform_steps.clear();
    constants_.clear();
    nodes.clear();
    links_.clear();
    terms.clear();
    rows.clear();
    weights.clear();
    weight_of.clear();
    coordinate.clear();
    square_norms.clear();
    masks.clear();
    steps.clear();
    ridges.clear();
    ridge_rows.clear();
    layers.clear();
    outputs.clear();
    coefficients.clear();
    value_count = adjoint_count = 0;
    result = none;
    place_.assign(std::size_t(shape.dimension), none);
    for (Id i = 0; i < Id(shape.dimension); ++i) {  // node i is coordinate i
      touched_.assign(1, i);
      weight_at_.assign(1, Id(one));
      linear(none);
    }
  }

  Id constant(T value) {
    if (value == T(1)) return one;
    // Those of the last few, which loops write again and again.
    for (std::size_t k = constants_.size(), tries = 0; k-- > 0 && tries < 8; ++tries) {
      if (uniform(constants_[k]) == value) return constants_[k];
    }
    const Id id = Id(uniforms.size()) | constant_bit;
    uniforms.push_back(value);
    constants_.push_back(id);
    return id;
  }

  // A uniform with its derivatives by two others (or one and `one`).
  Id made_of(T value, Id a, T by_a, Id b, T by_b) {
    const Id id = Id(uniforms.size());
    uniforms.push_back(value);
    if (is_constant(a) && is_constant(b)) return id | constant_bit;
    uniform_steps.push_back({a, b, id, by_a, by_b});
    return id;
  }
  Id times(Id a, Id b) {
    if (a == one) return b;
    if (b == one) return a;
    return made_of(uniform(a) * uniform(b), a, uniform(b), b, uniform(a));
  }
  Id plus(Id a, Id b) {
    if (a == none) return b;
    if (b == none) return a;
    return made_of(uniform(a) + uniform(b), a, T(1), b, T(1));
  }

  // base + coefficient term; base may be none, term none (the coefficient alone), both nodes.
  Id link(Id base, Id term, Id coefficient) {
    if (base != none) {
      if (links_[base].extended) placed(base);  // two sums begin with this one: not a copy in each
      links_[base].extended = true;
    }
    links_.push_back({base, term, coefficient, none, false});
    return Id(links_.size() - 1);
  }

  // The node that a sum stands for, from now on fixed.
  Id placed(Id link) {
    if (links_[link].node == none) links_[link].node = place(link);
    return links_[link].node;
  }

  Id scaled(Id node, Id coefficient) {
    return coefficient == one ? node : placed(link(none, node, coefficient));
  }

  // A uniform as a node.
  Id lifted(Id u) {
    touched_.clear();
    weight_at_.clear();
    return linear(u);
  }

  Id composed(const UnaryFunction<T>& function, Id node) {
    if (nodes[node].kind != Kind::linear) form(node);
    Node n = made(Kind::composed, {node});
    n.function = function;
    n.a = node;
    return push(n, Op::composed);
  }

  Id product(Id a, Id b) {
    form(a);
    form(b);
    Node n = made(Kind::product, {a, b});
    n.a = a;
    n.b = b;
    return push(n, Op::product);
  }

  Id binary(const BinaryFunction<T>& function, Id a, Id b) {
    form(a);
    form(b);
    Node n = made(Kind::binary, {a, b});
    n.pair = function;
    n.a = a;
    n.b = b;
    return push(n, Op::binary);
  }

  // log of the sum of exp over `gathered`.
  Id logsumexp() {
    Node n = made(Kind::logsumexp, {});
    n.first = Id(terms.size());
    for (const Id node : gathered) {
      form(node);
      use(n, node);
      terms.push_back({node, one});
    }
    n.last = Id(terms.size());
    n.dense = dense(n);
    return push(n, Op::logsumexp);
  }

  void guard(Id a, Id b, Relation relation, bool outcome) {
    Step step{Op::guard};
    step.node = a;
    step.other = b;
    step.relation = relation;
    step.outcome = outcome;
    steps.push_back(step);
  }

  // The program ends with this node.
  void finish(Id node) {
    if (nodes[node].kind == Kind::linear) {
      nodes[node].formed = true;
    } else if (!is_jet(nodes[node].kind)) {
      node = placed(link(none, node, one));
    }
    Base::finish(node);
  }

 private:
  struct Link {
    Id base;
    Id term;
    Id coefficient;
    Id node;
    bool extended;  // by another
  };

  // Along a line there is one coordinate, which every x_i moves with.
  Id block_of(Id i) const { return shape_.rows_are_jets ? 0 : i / Id(shape_.width); }
  std::uint32_t bit_of(Id i) const {
    return std::uint32_t(1) << (shape_.rows_are_jets ? 0 : i % Id(shape_.width));
  }
  // The coordinates of a block, without those that pad the last one.
  std::uint32_t full(std::size_t block) const {
    const Eigen::Index all = shape_.rows_are_jets ? 1 : shape_.dimension;
    const Eigen::Index left = all - Eigen::Index(block) * shape_.width;
    return static_cast<std::uint32_t>(
        (std::uint64_t(1) << (left < shape_.width ? left : Eigen::Index(shape_.width))) - 1);
  }

  Id no_coordinates() {
    const Id at = Id(masks.size());
    masks.resize(masks.size() + blocks(), 0);
    return at;
  }

  Id push(const Node& n, Op op) {
    nodes.push_back(n);
    const Id id = Id(nodes.size() - 1);
    Step step{op};
    step.node = id;
    steps.push_back(step);
    return id;
  }

  // A node made of others: used, and depending on what they depend on.
  Node made(Kind kind, std::initializer_list<Id> of) {
    Node n{};
    n.kind = kind;
    n.mask = no_coordinates();
    for (const Id id : of) use(n, id);
    n.dense = dense(n);
    return n;
  }
  void use(Node& n, Id id) {
    Node& used = nodes[id];
    ++used.uses;
    n.depends = n.depends || used.depends;
    for (std::size_t b = 0; b < blocks(); ++b) masks[n.mask + b] |= masks[used.mask + b];
  }
  bool dense(const Node& n) const {
    for (std::size_t b = 0; b < blocks(); ++b) {
      if (masks[n.mask + b] != full(b)) return false;
    }
    return true;
  }
  // The linear node of touched_ and weight_at_.
  Id linear(Id offset) {
    Node n{};
    n.kind = Kind::linear;
    n.row = Id(rows.size());
    n.mask = no_coordinates();
    Row row{Id(weights.size()), 0, offset, false, offset != none && !is_constant(offset),
            Id(nodes.size())};
    for (std::size_t k = 0; k < touched_.size(); ++k) {
      masks[n.mask + block_of(touched_[k])] |= bit_of(touched_[k]);
      row.depends = row.depends || !is_constant(weight_at_[k]);
    }
    row.dense = 2 * touched_.size() > std::size_t(shape_.dimension);
    if (row.dense) {
      const std::size_t padded = shape_.rows_are_jets ? std::size_t(shape_.dimension)
                                                      : blocks() * std::size_t(shape_.width);
      row.count = Id(padded);
      weights.resize(weights.size() + padded, T(0));
      weight_of.resize(weight_of.size() + padded, none);
      for (std::size_t i = 0; i < padded; ++i) coordinate.push_back(Id(i));
      for (std::size_t k = 0; k < touched_.size(); ++k) {
        weights[row.begin + touched_[k]] = uniform(weight_at_[k]);
        weight_of[row.begin + touched_[k]] = weight_at_[k];
      }
      for (std::size_t b = 0; b < blocks(); ++b) masks[n.mask + b] = full(b);
    } else {
      row.count = Id(touched_.size());
      for (std::size_t k = 0; k < touched_.size(); ++k) {
        weights.push_back(uniform(weight_at_[k]));
        weight_of.push_back(weight_at_[k]);
        coordinate.push_back(touched_[k]);
      }
    }
    square_norms.resize(square_norms.size() + blocks(), T(0));
    for (Id e = row.begin; e < row.begin + row.count; ++e) {
      square_norms[n.row * blocks() + block_of(coordinate[e])] += weights[e] * weights[e];
    }
    n.dense = row.dense || shape_.rows_are_jets;
    n.depends = row.depends;
    rows.push_back(row);
    return push(n, Op::linear);
  }

  Id place(Id last) {
    chain_.clear();
    bool is_linear = true;
    for (Id k = last; k != none;) {
      const Link& at = links_[k];
      if (at.node != none) {
        chain_.push_back({none, at.node, one, none, false});
        break;
      }
      chain_.push_back(at);
      k = at.base;
    }
    std::reverse(chain_.begin(), chain_.end());
    for (const Link& at : chain_) {
      if (at.term != none && nodes[at.term].kind != Kind::linear) is_linear = false;
    }
    return is_linear ? place_linear() : place_sum();
  }

  Id place_linear() {
    touched_.clear();
    weight_at_.clear();
    Id offset = none;
    const auto add = [&](Id i, Id weight) {
      if (place_[i] == none) {
        place_[i] = Id(touched_.size());
        touched_.push_back(i);
        weight_at_.push_back(weight);
      } else {
        weight_at_[place_[i]] = plus(weight_at_[place_[i]], weight);
      }
    };
    for (const Link& at : chain_) {
      if (at.term == none) {
        offset = plus(offset, at.coefficient);
        continue;
      }
      const Row row = rows[nodes[at.term].row];
      for (Id e = row.begin; e < row.begin + row.count; ++e) {
        if (weight_of[e] != none) add(coordinate[e], times(weight_of[e], at.coefficient));
      }
      if (row.offset != none) offset = plus(offset, times(row.offset, at.coefficient));
    }
    for (const Id i : touched_) place_[i] = none;
    return linear(offset);
  }

  Id place_sum() {
    Node n{};
    n.kind = Kind::sum;
    n.mask = no_coordinates();
    n.first = Id(terms.size());
    for (const Link& at : chain_) {
      if (at.term == none) {
        n.offset = plus(n.offset, at.coefficient);
        continue;
      }
      use(n, at.term);
      n.depends = n.depends || !is_constant(at.coefficient);
      terms.push_back({at.term, at.coefficient});
    }
    n.last = Id(terms.size());
    n.depends = n.depends || (n.offset != none && !is_constant(n.offset));
    n.dense = dense(n);
    return push(n, Op::sum);
  }

  std::vector<Link> links_;
  std::vector<Link> chain_;
  std::vector<Id> constants_;
  std::vector<Id> touched_;    // the coordinates of the row that is made
  std::vector<Id> weight_at_;  // and their uniforms
  std::vector<Id> place_;      // of a coordinate in touched_
};

}  // namespace scorematch::detail
