// SPDX-License-Identifier: MIT
//
// What a program is: what a callable did, written down for replays over packs of samples.
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/pack.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace scorematch::detail {

// Samples that run through a program together: two registers of them, or what makes the rest of an
// instruction small beside its arithmetic.
template <VectorLane T>
inline constexpr int replay_lanes = (std::max)(2 * vector_bytes / int(sizeof(T)), 8);

template <VectorLane T>
using ReplayPack = Pack<T, replay_lanes<T>>;

// What a composed node keeps: phi, its first three derivatives, and of the gradient beneath phi
// |gradient|^2, or the slope along a line.
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
  bool rows_are_jets;  // along a line: the slope of a row is another for each sample, so that all
                       // but those of single ridges have jets
  int size() const { return width + (second ? 2 : 1); }
};

// A program of nodes. A number of theta alone is a *uniform*: known while the program is written,
// with a tape of its own for the derivatives. What depends on the sample is a node:
//
// - linear: sum_i u_i x_i + u, kept as a row of uniforms; its gradient is the same for all samples.
// - composed: phi(linear or jet); phi and its derivatives are kept, its gradient is not.
// - sum: sum_k u_k node_k + u; a jet, which is value, second-order part and gradient.
// - product, binary: of two jets; a jet.
// - logsumexp: of some jets; a jet. Its own instruction, since the chain rule through exp and log
//   would leave the spread of gradients to a difference of large squares.
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

  enum class Kind : std::uint8_t { linear, composed, sum, product, binary, logsumexp };
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
    Id first = 0;   // sum, logsumexp: of the terms
    Id last = 0;
    Id offset = none;  // sum
    Id uses = 0;
    Id mask = none;       // where its masks are, one for each block
    Id layer = none;      // the layer that it is an input of
    bool output = false;  // of a layer
    Id slot = none;       // linear: value; composed: phi and the rest
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
    bool used = true;
  };

  // Composed nodes over rows that have one function, all at once.
  struct Ridges {
    UnaryFunction<T> function;
    Id first;  // of their rows in `ridge_rows`
    Id count;
    Id phi;  // what they keep, one after the other
  };

  // Rows and what is composed of them need the sample alone: they run before the steps.
  enum class Op : std::uint8_t {
    linear,
    composed,
    form,
    sum,
    product,
    binary,
    logsumexp,
    layer,
    guard
  };
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
  std::vector<Id> gathered;             // for logsumexp()
  std::vector<T> leader;                // the sample that decides
  std::vector<std::pair<Id, Id>> sums;  // ranges of adjoints that a pack begins with at zero
  std::vector<std::pair<Id, Id>> sums_of_jets;  // and each further block of it
  Id value_count = 0;
  Id adjoint_count = 0;
  Id result = none;

  const JetShape& shape() const { return shape_; }
  T uniform(Id u) const { return uniforms[u & ~constant_bit]; }
  static bool is_constant(Id u) { return (u & constant_bit) != 0; }

  static bool is_jet(Kind kind) {
    return kind == Kind::sum || kind == Kind::product || kind == Kind::binary ||
           kind == Kind::logsumexp;
  }
  // A composed node that is formed, as the one term of a sum.
  Term only_term(const Node& n) const {
    Term term{none, one};
    term.value = n.slot;
    base_of(n.a, nodes[n.a].kind == Kind::linear, term);
    return term;
  }
  // Whether it is read as a row: along a line, where nothing but one function is composed of it.
  bool is_row(const Node& n) const {
    return n.kind == Kind::linear && !(shape_.rows_are_jets && n.formed);
  }
  const std::uint32_t* masks_of(const Node& n) const { return &masks[n.mask]; }
  bool has_jet(const Node& n) const { return n.formed || is_jet(n.kind); }
  std::size_t blocks() const { return std::size_t(shape_.blocks); }

  // Where the gradient of a node is.
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

 protected:
  // From now on its jet is kept.
  void form(Id id) {
    if (!is_jet(nodes[id].kind)) nodes[id].formed = true;
  }

  JetShape shape_{};
};

}  // namespace scorematch::detail
