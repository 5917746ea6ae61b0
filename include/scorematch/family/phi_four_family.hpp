// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/parameters.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/family/graph.hpp>

#include <Eigen/Core>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace scorematch {

/// Couplings x_i x_j, then -1/2 sum_i x_i^2, then -1/4 sum_i x_i^4.
template <Real Scalar, int Dim>
class PhiFourStatistics {
 public:
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Values = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

  PhiFourStatistics(Eigen::Index dimension, std::vector<Edge> edges, Couplings couplings)
      : graph_("PhiFourFamily", dimension, std::move(edges)),
        couplings_(couplings),
        count_(graph_.count(couplings)) {
    if (couplings == Couplings::with_phase) {
      detail::fail("PhiFourFamily: couplings = with_phase; expected shared or per_edge");
    }
  }

  /// Number of coupling parameters.
  Eigen::Index coupling_count() const { return count_; }
  const std::vector<Edge>& edges() const { return graph_.edges(); }
  Eigen::Index sites() const { return graph_.sites(); }

  /// Of one graph, with as many couplings.
  bool operator==(const PhiFourStatistics&) const = default;

  Values operator()(const Vector& x) const {
    Values t = Values::Zero(count_ + 2);
    Eigen::Index e = 0;
    for (const Edge& edge : graph_.edges()) {
      t(couplings_ == Couplings::shared ? 0 : e++) += x(edge.first) * x(edge.second);
    }
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      const Scalar square = x(i) * x(i);
      t(count_) -= square / 2;
      t(count_ + 1) -= square * square / 4;
    }
    return t;
  }

  static constexpr bool takes_packs = true;

  template <class X, class Visit>
  void for_each_derivative(const X& x, Eigen::Index j, Visit&& visit) const {
    using T = std::remove_cvref_t<decltype(x(j))>;
    if (couplings_ == Couplings::shared) {
      T sum(0);
      for (const auto& link : graph_.links(j)) sum += x(link.neighbor);
      if (count_ > 0) visit(Eigen::Index(0), sum, T(0));
    } else {
      for (const auto& link : graph_.links(j)) visit(link.edge, T(x(link.neighbor)), T(0));
    }
    const T own = x(j);
    const T square = own * own;
    visit(count_, T(-own), T(-1));
    visit(count_ + 1, T(-square * own), T(-3 * square));
  }

 private:
  detail::Adjacency graph_;
  Couplings couplings_;
  Eigen::Index count_;
};

/// Lattice phi-four: continuous spins on a graph, each in a quartic well, coupled along the edges.
///
/// **Math** log p(x) = sum_edges J_e x_i x_j - r/2 sum_i x_i^2 - u/4 sum_i x_i^4 + const. A density
/// for u > 0; for r < 0 each site has two wells at +-sqrt(-r / u).
///
/// **Shapes** theta, in order: the couplings J (one where they are shared, else one for each edge,
/// in their order), r, u.
///
/// **Units** x in v: J and r in v^-2, u in v^-4.
///
/// **Errors** std::invalid_argument for an edge to a site that does not exist or to itself, and for
/// a pair that is joined twice.
///
/// **Cost** of a sample, with z edges at a site: O(Dim z^2) for a coupling each, O(Dim z) shared.
///
/// **Example** examples/phi_four.cpp
template <Real Scalar, int Dim = Eigen::Dynamic>
class PhiFourFamily
    : public ExponentialFamily<Scalar, Dim, Eigen::Dynamic, PhiFourStatistics<Scalar, Dim>> {
  using Parent = ExponentialFamily<Scalar, Dim, Eigen::Dynamic, PhiFourStatistics<Scalar, Dim>>;
  using Statistics = PhiFourStatistics<Scalar, Dim>;

 public:
  using typename Parent::Parameters;

  PhiFourFamily(Eigen::Index dimension, std::vector<Edge> edges,
                Couplings couplings = Couplings::shared)
      : PhiFourFamily(Statistics(dimension, std::move(edges), couplings)) {}

  const std::vector<Edge>& edges() const { return this->statistics().edges(); }
  /// How many of the parameters are couplings: the first ones.
  Eigen::Index coupling_count() const { return this->statistics().coupling_count(); }
  std::vector<Coupling> couplings() const {
    return detail::couplings_of(edges(), 0, coupling_count());
  }

  // Of parameters theta. **Errors** std::invalid_argument where theta has the wrong size, or there
  // is no such edge.

  /// J of an edge, the same for all where it is shared.
  Scalar coupling(const Parameters& theta, Eigen::Index edge) const {
    detail::require_parameter_count(theta, this->parameter_count());
    detail::require_index("PhiFourFamily::coupling", "edge", edge, Eigen::Index(edges().size()));
    return theta(coupling_count() == 1 ? 0 : edge);
  }
  /// r, the coefficient of -x_i^2 / 2.
  Scalar r(const Parameters& theta) const {
    detail::require_parameter_count(theta, this->parameter_count());
    return theta(coupling_count());
  }
  /// u, the coefficient of -x_i^4 / 4.
  Scalar u(const Parameters& theta) const {
    detail::require_parameter_count(theta, this->parameter_count());
    return theta(coupling_count() + 1);
  }

  /// "J(3)", the coupling of edge 3; "J", "r", "u".
  std::string parameter_name(Eigen::Index k) const {
    detail::require_index("PhiFourFamily::parameter_name", "k", k, this->parameter_count());
    if (k >= coupling_count()) return k == coupling_count() ? "r" : "u";
    return detail::coupling_name(k, edges(), coupling_count());
  }

 private:
  // In braces, whose arguments are evaluated from left to right.
  explicit PhiFourFamily(Statistics statistics)
      : Parent{statistics.sites(), statistics.coupling_count() + 2, std::move(statistics)} {}
};

}  // namespace scorematch
