// SPDX-License-Identifier: MIT
//
// What a replay along a line reads: jets of one number, and the entries of rows.
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/derivative/recorded/jet_products.hpp>
#include <scorematch/derivative/recorded/program.hpp>
#include <scorematch/derivative/recorded/replay_memory.hpp>
#include <scorematch/derivative/second_order.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <type_traits>

namespace scorematch::detail {

// A jet of one number is [value, second derivative along v (if along), slope along v].
//
// A ridge phi(w . x + b) that has one use, in a sum, as its row has, has no jet and no adjoint: the
// sum reads the weights, and the slope of the row is kept beside phi.
template <VectorLane T, int width, SecondOrder order>
class LineRows : public ReplayMemory<T> {
  using Base = ReplayMemory<T>;

 public:
  using typename Base::Id;
  using typename Base::P;
  static constexpr bool second = order == SecondOrder::along;
  static constexpr Id gradient = second ? 2 : 1;  // where it begins in a jet, and in the result

  static JetShape shape(Eigen::Index dimension) { return {dimension, 1, 1, second, true}; }

 protected:
  using Base::node;
  using Base::padded_;
  using Base::program_;
  using Base::value_;
  using typename Base::Node;
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
  // The jet that term t of a node is.
  const P* jet_of(Id t) const { return &value_[program_->nodes[program_->terms[t].node].jet]; }

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
  // use(begin, end, std::type_identity<kind of entries>) for the single ridges of a sum, and
  // others(begin, end) for its other terms.
  template <class Use, class Others>
  void for_each_run(const Node& n, Use use, Others others) const {
    const Term* const terms = program_->terms.data();
    for (Id t = n.first; t < n.last;) {
      const TermKind kind = terms[t].kind;
      Id last = t + 1;
      while (last < n.last && terms[last].kind == kind) ++last;
      const Term *const begin = terms + t, *const end = terms + last;
      if (kind == TermKind::sparse_ridge) {
        use(begin, end, std::type_identity<SomeEntries>());
      } else if (kind != TermKind::dense_single_ridge) {
        others(begin, end);
      } else if (padded_ == std::size_t(width)) {
        use(begin, end, std::type_identity<KnownEntries>());
      } else {
        use(begin, end, std::type_identity<AllEntries>());
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
};

}  // namespace scorematch::detail
