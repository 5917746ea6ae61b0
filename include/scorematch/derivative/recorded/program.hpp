// SPDX-License-Identifier: MIT
//
// What a callable did, written down: the program that `Replay` runs over packs of samples.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/pack.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace scorematch::detail {

// Samples that run through a program together: two registers of them, or what makes the rest of an
// instruction small beside its arithmetic.
template <VectorLane T>
inline constexpr int replay_lanes = (std::max)(2 * vector_bytes / int(sizeof(T)), 8);

template <VectorLane T>
using ReplayPack = Pack<T, replay_lanes<T>>;

// What a composed node keeps: phi, its first three derivatives, and |gradient|^2 beneath phi.
inline constexpr std::uint32_t composed_size = 5;

// phi of one number, for `count` of them: with v = values[which[k]], it writes phi and its first
// three derivatives from phi[k composed_size] on.
template <VectorLane T>
struct UnaryFunction {
  using Phi = void (*)(const ReplayPack<T>* values, const std::uint32_t* which, std::uint32_t count,
                       T parameter, ReplayPack<T>* phi);
  Phi at = nullptr;
  T parameter{};
  bool operator==(const UnaryFunction&) const = default;
};

// phi(a, b) and its partial derivatives up to the third order, in the order of `Partial`.
enum Partial { of_value, of_a, of_b, of_aa, of_ab, of_bb, of_aaa, of_aab, of_abb, of_bbb };
inline constexpr int partials = 10;

template <VectorLane T>
struct BinaryFunction {
  using Phi = void (*)(const ReplayPack<T>& a, const ReplayPack<T>& b, ReplayPack<T>* phi);
  Phi at = nullptr;
};

// How the coordinates of x are cut, and what a jet is.
struct JetShape {
  Eigen::Index dimension;
  int width;           // coordinates that one run differentiates by
  int blocks;          // runs, for all of them
  bool second;         // a jet has a second-order part
  bool rows_are_jets;  // along a line: the gradient of a row is another for each sample
  int size() const { return width + (second ? 2 : 1); }
};

// A program of nodes. A number of theta alone is a *uniform*: known while the program is written,
// with a tape of its own for the derivatives. What depends on the sample is a node:
//
// - linear: sum_i u_i x_i + u, kept as a row of uniforms; its gradient is the same for all samples.
// - composed: phi(linear or jet); phi and its derivatives are kept, its gradient is not.
// - sum: sum_k u_k node_k + u; a jet, which is value, second-order part and gradient.
// - product, binary: of two jets; a jet.
// - peak: the largest of some values, taken as a constant.
//
// A sum is kept as a chain of links while it grows, and becomes a node where it is used. Every
// number is also known at one sample, the leader, which decides comparisons; a *guard* in the
// program finds the samples that would have decided otherwise.
template <VectorLane T>
class Program {
 public:
  using Id = std::uint32_t;
  static constexpr Id none = ~Id(0);
  // In the number of a uniform: a constant, without derivative.
  static constexpr Id constant_bit = Id(1) << 31;
  static constexpr Id one = constant_bit;

  enum class Kind : std::uint8_t { linear, composed, sum, product, binary, peak };
  enum class Relation : std::uint8_t { below, at_most, equal, finite, nan };

  struct Node {
    Kind kind;
    bool depends = false;  // on theta
    bool formed = false;   // linear, composed: as a jet as well
    bool single = false;   // composed, of a row that has no other use, used by one dense sum: both
    bool dense = false;    // in its gradient all coordinates may be other than zero
    UnaryFunction<T> function;
    BinaryFunction<T> pair;
    Id a = none;  // composed, product, binary: of what
    Id b = none;
    Id row = none;  // linear
    Id first = 0;   // sum, peak: of the terms
    Id last = 0;
    Id offset = none;  // sum
    Id uses = 0;
    Id mask = none;       // where its masks are, one for each block
    Id layer = none;      // the layer that it is an input of
    bool output = false;  // of a layer
    Id slot = none;  // linear: value; composed: phi, its derivatives, and |gradient|^2 beneath phi
    Id jet = none;
    Id adjoint = none;       // of the jet
    Id slot_adjoint = none;  // linear: of the value
  };

  // u_k node_k. The kinds in the order in which a sum goes through them; `curved` and `ridge` are
  // composed nodes over jets and rows.
  enum class TermKind : std::uint8_t {
    dense_ridge,
    dense_single_ridge,
    dense_curved,
    dense_jet,
    dense_row,
    sparse_ridge,
    sparse_curved,
    sparse_jet,
    sparse_row
  };
  static constexpr int term_kinds = 9;
  struct Term {
    Id node;
    Id coefficient;
    TermKind kind = TermKind::dense_jet;
    bool active = true;  // its derivatives by theta are not all zero
    // Where things are: the node's value, phi, or jet; and of that whose gradient it has, which is
    // what a composed node is of and else the node itself, the node, its entries or its jet, and
    // the adjoint of its value or jet.
    Id value = 0;
    Id base = 0;
    Id entries = 0;
    Id adjoint = 0;
    Id row = none;
    Id offset = none;  // of the row: a uniform that is not constant, or none
  };

  struct Row {
    Id begin;  // of its entries
    Id count;
    Id offset;  // a uniform, or none
    bool dense;
    bool depends;
    Id node;
  };

  // Composed nodes over rows that have one function, all at once.
  struct Ridges {
    UnaryFunction<T> function;
    Id first;  // of their rows in `ridge_rows`
    Id count;
    Id phi;  // what they keep, one after the other
  };

  // Rows and what is composed of them need the sample alone: they run before the steps.
  enum class Op : std::uint8_t { linear, composed, form, sum, product, binary, peak, layer, guard };
  struct Step {
    Op op;
    Id node = none;   // layer: in `layers`
    Id other = none;  // guard: what `node` is compared with
    Relation relation = Relation::below;
    bool outcome = false;
  };

  // Sums over the same terms: outputs = coefficients inputs, as matrices of jets.
  struct Layer {
    Id first;  // of its outputs in `outputs`
    Id last;
    Id count;   // of inputs
    Id inputs;  // the first jet of those
    Id inputs_adjoint;
    Id jet;  // the first of the outputs
    Id adjoint;
    Id coefficients;  // where they begin, row by row
    Id size() const { return last - first; }
  };

  struct UniformStep {
    Id a;
    Id b;
    Id to;
    T by_a;
    T by_b;
  };

  // --- what replays read -------------------------------------------------------------------------

  std::vector<T> uniforms;  // 1, then theta, then what was made of them
  std::vector<UniformStep> uniform_steps;
  std::vector<Node> nodes;
  std::vector<Term> terms;
  std::vector<Row> rows;
  std::vector<T> weights;       // of the entries of rows
  std::vector<Id> weight_of;    // which uniforms they are, or none
  std::vector<Id> coordinate;   // and of which coordinate
  std::vector<T> square_norms;  // of each row in each block
  std::vector<std::uint32_t> masks;
  std::vector<Step> steps;
  std::vector<Ridges> ridges;
  std::vector<Id> ridge_rows;
  std::vector<Layer> layers;
  std::vector<Id> outputs;              // of the layers: nodes
  std::vector<T> coefficients;          // of the layers
  std::vector<Id> gathered;             // for peak()
  std::vector<T> leader;                // the sample that decides
  std::vector<std::pair<Id, Id>> sums;  // ranges of adjoints that a pack begins with at zero
  std::vector<std::pair<Id, Id>> sums_of_jets;  // and each further block of it
  Id value_count = 0;
  Id adjoint_count = 0;
  Id result = none;

  const JetShape& shape() const { return shape_; }
  T uniform(Id u) const { return uniforms[u & ~constant_bit]; }
  static bool is_constant(Id u) { return (u & constant_bit) != 0; }

  // --- writing -----------------------------------------------------------------------------------

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

  // The largest of `gathered`.
  Id peak() {
    Node n{};
    n.kind = Kind::peak;
    n.first = Id(terms.size());
    for (const Id node : gathered) terms.push_back({node, one});
    n.last = Id(terms.size());
    n.mask = no_coordinates();
    return push(n, Op::peak);
  }

  void guard(Id a, Id b, Relation relation, bool outcome) {
    Step step{Op::guard};
    step.node = a;
    step.other = b;
    step.relation = relation;
    step.outcome = outcome;
    steps.push_back(step);
  }

  // The program ends with this node: finds layers, forms what is used more than once, and gives
  // everything its place.
  void finish(Id node) {
    if (nodes[node].kind == Kind::linear) {
      nodes[node].formed = true;
    } else if (!is_jet(nodes[node].kind)) {
      node = placed(link(none, node, one));
    }
    result = node;
    forget_unused();
    find_layers();
    for (Node& n : nodes) {
      if (n.kind == Kind::composed && n.uses > 1) n.formed = true;
      if (n.kind == Kind::linear && shape_.rows_are_jets) n.formed = true;
    }
    for (Node& n : nodes) {
      n.single = n.kind == Kind::composed && !n.formed && n.dense &&
                 nodes[n.a].kind == Kind::linear && nodes[n.a].uses == 1 && !nodes[n.a].formed &&
                 rows[nodes[n.a].row].dense && shape_.blocks == 1;
      if (n.single) nodes[n.a].single = true;
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

  static bool is_jet(Kind kind) {
    return kind == Kind::sum || kind == Kind::product || kind == Kind::binary;
  }
  // A composed node that is formed, as the one term of a sum.
  Term only_term(const Node& n) const {
    Term term{none, one};
    term.value = n.slot;
    base_of(n.a, nodes[n.a].kind == Kind::linear && !shape_.rows_are_jets, term);
    return term;
  }
  const std::uint32_t* masks_of(const Node& n) const { return &masks[n.mask]; }
  bool has_jet(const Node& n) const { return n.formed || is_jet(n.kind); }

 private:
  struct Link {
    Id base;
    Id term;
    Id coefficient;
    Id node;
    bool extended;  // by another
  };

  std::size_t blocks() const { return std::size_t(shape_.blocks); }
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
  void form(Id id) {
    if (!is_jet(nodes[id].kind)) nodes[id].formed = true;
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
    row.dense = !shape_.rows_are_jets && 2 * touched_.size() > std::size_t(shape_.dimension);
    if (row.dense) {
      const std::size_t padded = blocks() * std::size_t(shape_.width);
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

  // --- finishing ---------------------------------------------------------------------------------

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
      if (n.kind == Kind::peak) continue;
      if (n.a != none) used_[n.a] = true;
      if (n.b != none) used_[n.b] = true;
      for (Id t = n.first; t < n.last; ++t) used_[terms[t].node] = true;
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
      free = input.layer == none && !input.output && input.dense && input.kind != Kind::peak;
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
        Step form{Op::form};
        form.node = step.node;
        draft_.push_back(form);
      }
    }
    std::swap(steps, draft_);
  }

  bool is_ridge(const Step& step) const {
    return step.op == Op::composed && !shape_.rows_are_jets &&
           nodes[nodes[step.node].a].kind == Kind::linear;
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
      case Kind::peak: n.slot = value_count++; break;
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
      base_of(node.a, nodes[node.a].kind == Kind::linear && !shape_.rows_are_jets, term);
    } else {
      term.value = has_jet(node) ? node.jet : node.slot;
      base_of(term.node, !has_jet(node), term);
    }
  }
  void base_of(Id id, bool as_row, Term& term) const {
    const Node& base = nodes[id];
    term.base = id;
    if (!as_row) {
      term.entries = base.jet;
      term.adjoint = base.adjoint;
    } else if (base.kind == Kind::linear) {
      const Row& row = rows[base.row];
      term.entries = row.begin;
      term.adjoint = base.slot_adjoint;
      term.row = base.row;
      if (row.offset != none && !is_constant(row.offset)) term.offset = row.offset;
    }
  }
  TermKind kind_of(const Node& n) const {
    if (has_jet(n)) return n.dense ? TermKind::dense_jet : TermKind::sparse_jet;
    if (n.kind == Kind::composed) {
      if (nodes[n.a].kind == Kind::linear && !shape_.rows_are_jets) {
        if (n.single) return TermKind::dense_single_ridge;
        return rows[nodes[n.a].row].dense ? TermKind::dense_ridge : TermKind::sparse_ridge;
      }
      return n.dense ? TermKind::dense_curved : TermKind::sparse_curved;
    }
    if (n.kind == Kind::linear && rows[n.row].dense) return TermKind::dense_row;
    return TermKind::sparse_row;  // a peak as well: a row without entries
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
        const bool all = n.dense || blocks() > 1;
        const Id end = n.adjoint + (all ? Id(shape_.size()) : gradient);
        add(sums, n.adjoint, end);
        add(sums_of_jets, n.adjoint, end);
        for (Id i = 0; i < Id(shape_.width) && !all; ++i) {
          const Id entry = n.adjoint + gradient + i;
          if (masks[n.mask] >> i & 1) add(sums, entry, entry + 1);
        }
      }
      if (n.kind == Kind::linear && !n.single) add(sums, n.slot_adjoint, n.slot_adjoint + 1);
    }
  }

  JetShape shape_{};
  std::vector<Link> links_;
  std::vector<Link> chain_;
  std::vector<Id> constants_;
  std::vector<Id> touched_;    // the coordinates of the row that is made
  std::vector<Id> weight_at_;  // and their uniforms
  std::vector<Id> place_;      // of a coordinate in touched_
  std::vector<std::pair<std::uint64_t, std::size_t>> alike_;  // hash of the terms, and step
  std::vector<Step> draft_;
  std::vector<bool> used_;
  std::vector<Term> sorted_;
};

}  // namespace scorematch::detail
