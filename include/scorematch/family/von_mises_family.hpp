// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/parameters.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/family/graph.hpp>

#include <Eigen/Core>

#include <cmath>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace scorematch {

/// The field that acts on each angle by itself.
enum class Fields {
  none,      ///< the XY model without a field
  shared,    ///< one field for all angles
  per_site,  ///< one for each angle
};

/// cos x_i and sin x_i (summed over i where the field is shared), then for each edge
/// cos(x_i - x_j), with a phase followed by sin(x_i - x_j).
template <Real Scalar, int Dim>
class VonMisesStatistics {
 public:
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Values = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  static constexpr bool periodic = true;

  VonMisesStatistics(Eigen::Index dimension, std::vector<Edge> edges, Couplings couplings,
                     Fields fields)
      : graph_("VonMisesFamily", dimension, std::move(edges)),
        couplings_(couplings),
        fields_(fields),
        field_count_(fields == Fields::none     ? 0
                     : fields == Fields::shared ? 2
                                                : 2 * dimension),
        count_(field_count_ + graph_.count(couplings)),
        turned_with_(fields == Fields::per_site
                         ? graph_.components()
                         : std::vector<Eigen::Index>(std::size_t(graph_.sites()), 0)) {}

  Eigen::Index count() const { return count_; }
  Eigen::Index field_count() const { return field_count_; }
  const std::vector<Edge>& edges() const { return graph_.edges(); }
  Eigen::Index sites() const { return graph_.sites(); }

  /// Of one graph, with as many fields and couplings.
  bool operator==(const VonMisesStatistics&) const = default;

  Values operator()(const Vector& x) const {
    using std::cos;
    using std::sin;
    Values t = Values::Zero(count_);
    for (Eigen::Index i = 0; i < x.size() && fields_ != Fields::none; ++i) {
      t(field(i)) += cos(x(i));
      t(field(i) + 1) += sin(x(i));
    }
    Eigen::Index e = field_count_;
    for (const Edge& edge : graph_.edges()) {
      const Scalar difference = x(edge.first) - x(edge.second);
      t(couplings_ == Couplings::shared ? e : e++) += cos(difference);
      if (couplings_ == Couplings::with_phase) t(e++) = sin(difference);
    }
    return t;
  }

  static constexpr bool takes_packs = true;

  template <class X, class Visit>
  void for_each_derivative(const X& x, Eigen::Index j, Visit&& visit) const {
    using std::cos;
    using std::sin;
    using T = std::remove_cvref_t<decltype(x(j))>;
    const T own = x(j);
    if (fields_ != Fields::none) {
      const T c = cos(own);
      const T s = sin(own);
      visit(field(j), T(-s), T(-c));
      visit(field(j) + 1, c, T(-s));
    }
    T first(0);
    T second(0);
    for (const auto& link : graph_.links(j)) {
      const T difference = own - x(link.neighbor);
      const T by_first = -sin(difference);
      const T by_second = -cos(difference);
      if (couplings_ == Couplings::shared) {
        first += by_first;
        second += by_second;
      } else if (couplings_ == Couplings::with_phase) {
        const Eigen::Index k = field_count_ + 2 * link.edge;
        visit(k, by_first, by_second);
        // The sine changes its sign with the end of the edge that j is.
        const bool is_first = graph_.edges()[std::size_t(link.edge)].first == j;
        if (is_first) {
          visit(k + 1, T(-by_second), by_first);
        } else {
          visit(k + 1, by_second, T(-by_first));
        }
      } else {
        visit(field_count_ + link.edge, by_first, by_second);
      }
    }
    if (couplings_ == Couplings::shared && count_ > field_count_) {
      visit(field_count_, first, second);
    }
  }

  // As TranslatableStatistics asks. What shares a field or is joined by edges turns together;
  // couplings see no turn, and without fields there is nothing to turn.
  Vector anchor(const Vector& x) const {
    Vector v(x.size());
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      v(i) = fields_ == Fields::none ? Scalar(0) : x(turned_with_[std::size_t(i)]);
    }
    return v;
  }

  template <class Theta, class Shift>
  void translate(Theta& theta, const Shift& v) const {
    for (Eigen::Index f = 0; f < field_count_; f += 2) turn(theta, f, v(f / 2));
  }

  template <class Gradient, class Shift>
  void pull_back(Gradient& gradient, const Shift& v) const {
    for (Eigen::Index f = 0; f < field_count_; f += 2) turn(gradient, f, -v(f / 2));
  }

  // The mean direction: g is minus the mean of the fields' statistics, cosines and sines.
  template <class Matrix, class Linear>
  Vector middle(const Matrix&, const Linear& g) const {
    using std::atan2;
    Vector cosine = Vector::Zero(sites());
    Vector sine = cosine;
    for (Eigen::Index f = 0; f < field_count_; f += 2) {
      const Eigen::Index with = turned_with_[std::size_t(f / 2)];
      cosine(with) -= g(f);
      sine(with) -= g(f + 1);
    }
    Vector v(sites());
    for (Eigen::Index i = 0; i < v.size(); ++i) {
      const Eigen::Index with = turned_with_[std::size_t(i)];
      v(i) = atan2(sine(with), cosine(with));
    }
    return v;
  }

 private:
  // The field (kappa cos mu, kappa sin mu) at theta(f), with mu + angle for mu.
  template <class Theta, class Angle>
  static void turn(Theta& theta, Eigen::Index f, Angle angle) {
    using std::cos;
    using std::sin;
    const Angle c = cos(angle);
    const Angle s = sin(angle);
    const auto first = theta(f);
    theta(f) = c * first - s * theta(f + 1);
    theta(f + 1) = s * first + c * theta(f + 1);
  }

  Eigen::Index field(Eigen::Index site) const { return fields_ == Fields::per_site ? 2 * site : 0; }

  detail::Adjacency graph_;
  Couplings couplings_;
  Fields fields_;
  Eigen::Index field_count_;
  Eigen::Index count_;
  std::vector<Eigen::Index> turned_with_;  // a site for each, the same for those that turn together
};

/// Angles on circles: the von Mises distribution of one angle, and the XY model of angles coupled
/// along the edges of a graph.
///
/// **Math** log p(x) = sum_i kappa_i cos(x_i - mu_i) + sum_edges J_e cos(x_i - x_j) + const, with
/// kappa cos(x - mu) = (kappa cos mu) cos x + (kappa sin mu) sin x. With a phase an edge (i, j) has
/// J_e cos(x_i - x_j) + J'_e sin(x_i - x_j). Everything is periodic, so that
/// integration by parts has no boundary term, and angles may be given in any turn.
///
/// **Shapes** theta, in order: (kappa cos mu, kappa sin mu) once where the field is shared, for
/// each site where it is `per_site`; then the couplings J (one where they are shared, else one for
/// each edge, in their order; with a phase two for each, J and J').
///
/// **Units** x in radians.
///
/// **Errors** std::invalid_argument for an edge to a site that does not exist or to itself, a pair
/// that is joined twice, and where there is neither field nor edge. Angles that are not finite are
/// refused when the samples arrive.
///
/// **Example** examples/xy_model.cpp
template <Real Scalar, int Dim = Eigen::Dynamic>
class VonMisesFamily
    : public ExponentialFamily<Scalar, Dim, Eigen::Dynamic, VonMisesStatistics<Scalar, Dim>> {
  using Parent = ExponentialFamily<Scalar, Dim, Eigen::Dynamic, VonMisesStatistics<Scalar, Dim>>;
  using Statistics = VonMisesStatistics<Scalar, Dim>;

 public:
  using typename Parent::Parameters;

  /// Independent angles, each with a field of its own.
  VonMisesFamily()
    requires(Dim != Eigen::Dynamic)
      : VonMisesFamily(Dim) {}

  /// Independent angles, each with a field of its own.
  explicit VonMisesFamily(Eigen::Index dimension)
      : VonMisesFamily(dimension, {}, Couplings::shared, Fields::per_site) {}

  VonMisesFamily(Eigen::Index dimension, std::vector<Edge> edges,
                 Couplings couplings = Couplings::shared, Fields fields = Fields::none)
      : VonMisesFamily(Statistics(dimension, std::move(edges), couplings, fields)) {}

  const std::vector<Edge>& edges() const { return this->statistics().edges(); }
  /// How many of the parameters are fields: the first ones; the others are couplings.
  Eigen::Index field_count() const { return this->statistics().field_count(); }
  std::vector<Coupling> couplings() const {
    return detail::couplings_of(edges(), field_count(), this->parameter_count() - field_count());
  }

  // Of parameters theta. **Errors** std::invalid_argument where theta has the wrong size, or there
  // is no such site, edge or field.

  /// kappa of the field at a site, at least 0: the concentration of an angle without couplings.
  Scalar kappa(const Parameters& theta, Eigen::Index site) const {
    using std::hypot;
    const Eigen::Index f = field("VonMisesFamily::kappa", theta, site);
    return hypot(theta(f), theta(f + 1));
  }
  /// mu of the field at a site, in (-pi, pi].
  Scalar mean_direction(const Parameters& theta, Eigen::Index site) const {
    using std::atan2;
    const Eigen::Index f = field("VonMisesFamily::mean_direction", theta, site);
    return atan2(theta(f + 1), theta(f));
  }
  /// J of an edge, the same for all where it is shared. (With a phase, J' is the parameter after.)
  Scalar coupling(const Parameters& theta, Eigen::Index edge) const {
    detail::require_parameter_count(theta, this->parameter_count());
    detail::require_index("VonMisesFamily::coupling", "edge", edge, Eigen::Index(edges().size()));
    const Eigen::Index couplings = this->parameter_count() - field_count();
    return theta(field_count() + detail::couplings_per_edge(edges(), couplings) * edge);
  }

  /// "kappa cos mu of site 2" and the like, "J(3), of sites 0 and 4".
  std::string parameter_name(Eigen::Index k) const {
    detail::require_index("VonMisesFamily::parameter_name", "k", k, this->parameter_count());
    if (k >= field_count()) {
      return detail::coupling_name(k - field_count(), edges(),
                                   this->parameter_count() - field_count());
    }
    const char* part = k % 2 == 0 ? "kappa cos mu" : "kappa sin mu";
    if (field_count() == 2 && this->dimension() > 1) return part;
    return detail::text_of(part, " of site ", k / 2);
  }

 private:
  // Where in theta the field of a site is.
  Eigen::Index field(const char* owner, const Parameters& theta, Eigen::Index site) const {
    detail::require_parameter_count(theta, this->parameter_count());
    detail::require_index(owner, "site", site, this->dimension());
    if (field_count() == 0) detail::fail(owner, ": the family has no fields (Fields::none)");
    return field_count() == 2 ? 0 : 2 * site;
  }

  // In braces, whose arguments are evaluated from left to right.
  explicit VonMisesFamily(Statistics statistics)
      : Parent{statistics.sites(), statistics.count(), std::move(statistics)} {}
};

}  // namespace scorematch
