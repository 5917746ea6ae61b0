// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/coupling.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/linalg/sparse_columns.hpp>
#include <scorematch/loss/pairs/column_sums.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace scorematch {

/// The parameters of one pair, or one that belongs to no pair: then both sites are -1.
struct CouplingCoordinate {
  Eigen::Index k;  ///< the first parameter
  Eigen::Index count;
  Eigen::Index i;
  Eigen::Index j;

  bool is_pair() const { return i >= 0; }
};

/// Score matching of a family of pairs in its parameters, most of the couplings zero.
///
/// **Math** that of `ColumnSums`. A parameter occurs in the forms of the coordinates that its
/// statistic depends on: a coupling in two, a parameter of one site in one, one that all sites
/// share in all.
///
/// **Memory** that of the sums. **Cost** with z couplings at a site that are not zero: a slope O(z)
/// for each occurrence; all slopes O(Dim^2 z).
template <Real Scalar_>
class ColumnPairs {
 public:
  using Scalar = Scalar_;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  class Point;

  /// The diagonals are multiplied by 1 + `ridge` where it is relative (the diagonal multiplier of
  /// Yu, Drton and Shojaie 2019), else the ridge is added to them.
  template <class Sum>
  ColumnPairs(const std::vector<detail::ColumnTerms<Sum>>& columns, Sum weight,
              Eigen::Index parameters, const std::vector<Coupling>& couplings, Scalar ridge,
              bool relative)
      : occurrences_(std::size_t(parameters)) {
    for (std::size_t j = 0; j < columns.size(); ++j) {
      const auto& column = columns[j];
      Matrix quadratic(column.size(), column.size());
      for (Eigen::Index b = 0; b < column.size(); ++b) {
        for (Eigen::Index a = b; a < column.size(); ++a) {
          quadratic(a, b) = quadratic(b, a) = Scalar(column.quadratic(a, b) / weight);
        }
        const Scalar more = relative ? ridge * quadratic(b, b) : ridge;
        quadratic(b, b) += more;
        occurrences_[std::size_t(column.parameters[std::size_t(b)])].push_back(
            {Eigen::Index(j), b});
      }
      quadratic_.push_back(std::move(quadratic));
      linear_.push_back((column.linear / weight).template cast<Scalar>());
    }
    set_groups(couplings);
    for (Eigen::Index k = 0; k < parameters; ++k) {
      Scalar curvature(0);
      for (const Occurrence& at : of(k)) curvature += quadratic_of(at.column)(at.slot, at.slot);
      curvatures_.push_back(curvature);
    }
    set_unit();
  }

  Eigen::Index parameter_count() const { return Eigen::Index(occurrences_.size()); }
  const std::vector<CouplingCoordinate>& groups() const { return groups_; }
  Scalar curvature(Eigen::Index k) const { return curvatures_[std::size_t(k)]; }

  /// theta = 0.
  Point origin() const { return Point(*this, true); }

 private:
  struct Occurrence {
    Eigen::Index column;
    Eigen::Index slot;
  };

  const std::vector<Occurrence>& of(Eigen::Index k) const { return occurrences_[std::size_t(k)]; }
  const Matrix& quadratic_of(Eigen::Index j) const { return quadratic_[std::size_t(j)]; }
  const Vector& linear_of(Eigen::Index j) const { return linear_[std::size_t(j)]; }

  void set_groups(const std::vector<Coupling>& couplings) {
    std::vector<bool> taken(occurrences_.size(), false);
    for (const Coupling& coupling : couplings) {
      if (coupling.count > Eigen::Index(most_in_group)) {
        detail::fail("the edge of sites ", coupling.edge.first, " and ", coupling.edge.second,
                     " has ", coupling.count, " parameters; expected at most ", most_in_group);
      }
      for (Eigen::Index m = 0; m < coupling.count; ++m) {
        auto is_taken = taken[std::size_t(coupling.first + m)];
        if (is_taken) {
          detail::fail("the edge of sites ", coupling.edge.first, " and ", coupling.edge.second,
                       " shares its coupling with another edge; expected one of its own "
                       "(Couplings::per_edge), as a graph is to be found");
        }
        is_taken = true;
      }
      groups_.push_back(
          {coupling.first, coupling.count, coupling.edge.first, coupling.edge.second});
    }
    for (std::size_t k = 0; k < taken.size(); ++k) {
      if (!taken[k]) groups_.push_back({Eigen::Index(k), 1, -1, -1});
    }
    std::sort(groups_.begin(), groups_.end(),
              [](const auto& a, const auto& b) { return a.k < b.k; });
  }

  // The largest |slope| / sqrt(curvature) at the origin.
  void set_unit() {
    using std::abs;
    using std::sqrt;
    Scalar largest(0);
    for (Eigen::Index k = 0; k < parameter_count(); ++k) {
      Scalar slope(0);
      for (const Occurrence& at : of(k)) slope += linear_of(at.column)(at.slot);
      if (curvature(k) > 0) largest = (std::max)(largest, Scalar(abs(slope) / sqrt(curvature(k))));
    }
    unit_ = largest > 0 ? largest : Scalar(1);
  }

  static constexpr std::size_t most_in_group = 8;

  std::vector<std::vector<Occurrence>> occurrences_;
  std::vector<Matrix> quadratic_;
  std::vector<Vector> linear_;
  std::vector<Scalar> curvatures_;
  std::vector<CouplingCoordinate> groups_;
  Scalar unit_{1};
};

/// Parameters of which one is changed at a time. Models `QuadraticPoint`.
template <Real Scalar_>
class ColumnPairs<Scalar_>::Point {
 public:
  using Scalar = Scalar_;
  using Coordinate = CouplingCoordinate;

  Point(const ColumnPairs& form, bool inhomogeneous)
      : form_(&form),
        inhomogeneous_(inhomogeneous),
        theta_(Vector::Zero(form.parameter_count())),
        columns_(lengths(form)) {}

  Eigen::Index parameter_count() const { return form_->parameter_count(); }
  const Vector& parameters() const { return theta_; }

  Scalar value(const Coordinate& c, Eigen::Index m) const { return theta_(c.k + m); }
  Scalar curvature(const Coordinate& c, Eigen::Index m) const { return form_->curvature(c.k + m); }

  Scalar slope(const Coordinate& c, Eigen::Index m) const {
    Scalar sum(0);
    for (const Occurrence& at : form_->of(c.k + m)) {
      sum += columns_.dot(at.column, form_->quadratic_of(at.column).col(at.slot));
      if (inhomogeneous_) sum += form_->linear_of(at.column)(at.slot);
    }
    return sum;
  }

  void set(const Coordinate& c, Eigen::Index m, Scalar to) {
    theta_(c.k + m) = to;
    for (const Occurrence& at : form_->of(c.k + m)) columns_.set(at.slot, at.column, to);
  }

  template <class Visit>
  void for_each_nonzero(Visit&& visit) const {
    for (const Coordinate& c : form_->groups()) {
      if (!theta_.segment(c.k, c.count).isZero(0)) visit(c);
    }
  }

  template <class Visit>
  void for_each_slope(Visit&& visit) {
    Vector slopes = Vector::Zero(parameter_count());
    std::vector<Vector> products;
    for (Eigen::Index j = 0; j < columns_.columns(); ++j) products.push_back(product(j));
    for (const Coordinate& c : form_->groups()) {
      for (Eigen::Index m = 0; m < c.count; ++m) {
        for (const Occurrence& at : form_->of(c.k + m)) {
          slopes(c.k + m) += products[std::size_t(at.column)](at.slot);
        }
      }
      visit(c, slopes.data() + c.k);
    }
  }

  /// J(theta), up to the part that theta does not change.
  Scalar loss() const {
    Scalar sum(0);
    for (Eigen::Index j = 0; j < columns_.columns(); ++j) {
      const auto& quadratic = form_->quadratic_of(j);
      columns_.for_each(j, [&](Eigen::Index a, Scalar value) {
        sum += value * columns_.dot(j, quadratic.col(a)) / 2;
        if (inhomogeneous_) sum += value * form_->linear_of(j)(a);
      });
    }
    return sum;
  }

  Point direction() const { return Point(*form_, false); }

  Scalar unit() const { return form_->unit_; }

 private:
  static std::vector<Eigen::Index> lengths(const ColumnPairs& form) {
    std::vector<Eigen::Index> result;
    for (const Vector& linear : form.linear_) result.push_back(linear.size());
    return result;
  }

  Vector product(Eigen::Index j) const {
    Vector result = Vector::Zero(form_->linear_of(j).size());
    if (inhomogeneous_) result = form_->linear_of(j);
    columns_.for_each(
        j, [&](Eigen::Index a, Scalar value) { result += value * form_->quadratic_of(j).col(a); });
    return result;
  }

  const ColumnPairs* form_;
  bool inhomogeneous_;
  Vector theta_;
  detail::SparseColumns<Scalar> columns_;  // of each coordinate, by slots
};

}  // namespace scorematch
