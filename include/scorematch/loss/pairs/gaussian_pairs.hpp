// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/linalg/sparse_columns.hpp>
#include <scorematch/loss/pairs/pair_coordinate.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <utility>

namespace scorematch {

/// Score matching of a centred Gaussian in the entries of a sparse precision matrix K.
///
/// **Math** J(K) = 1/2 tr(K S K) - tr K + ridge/2 |K|^2, S the covariance. With W = S K the slope
/// in K_ij = K_ji is W_ij + W_ji, and W_ii - 1 in K_ii; the curvatures are S_ii + S_jj and S_ii
/// (Lin, Drton and Shojaie 2016).
///
/// **Memory** one p x p matrix where it is made from a covariance; where it is made from n centred
/// samples, two n x p ones and no p x p one. The points keep what is not zero.
///
/// **Cost** with z entries in a column of K: a slope O(z) from a covariance, O(n) from samples; all
/// slopes O(p^2 z) and O(p^2 n). A change O(z) and O(n).
template <Real Scalar_>
class GaussianPairs {
 public:
  using Scalar = Scalar_;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  class Point;

  /// Of no sites.
  GaussianPairs() = default;

  /// From a covariance.
  static GaussianPairs of_covariance(Matrix covariance, Scalar ridge) {
    GaussianPairs result(ridge);
    result.covariance_ = std::move(covariance);
    result.diagonal_ = result.covariance_.diagonal();
    return result;
  }

  /// From centred samples, n x p and divided by sqrt(n): S = samples^T samples.
  static GaussianPairs of_samples(Matrix samples, Scalar ridge) {
    GaussianPairs result(ridge);
    result.samples_ = std::move(samples);
    result.diagonal_ = result.samples_.colwise().squaredNorm().transpose();
    return result;
  }

  Eigen::Index sites() const { return diagonal_.size(); }
  Eigen::Index parameter_count() const { return sites() * (sites() + 1) / 2; }
  /// Of S.
  const Vector& diagonal() const { return diagonal_; }
  Scalar ridge() const { return ridge_; }

  /// K = 0.
  Point origin() const { return Point(*this, true); }

  /// S K, for a dense K.
  Matrix times(const Matrix& precision) const {
    Matrix result = ridge_ * precision;
    if (from_samples()) {
      const Matrix scores = samples_ * precision;
      result.noalias() += samples_.transpose() * scores;
    } else {
      result.noalias() += covariance_ * precision;
    }
    return result;
  }

 private:
  explicit GaussianPairs(Scalar ridge) : ridge_(ridge) {}

  bool from_samples() const { return covariance_.size() == 0; }

  Matrix covariance_;
  Matrix samples_;
  Vector diagonal_;
  Scalar ridge_{0};
};

/// A sparse K, of which one entry is changed at a time. Models `QuadraticPoint`.
template <Real Scalar_>
class GaussianPairs<Scalar_>::Point {
 public:
  using Scalar = Scalar_;
  using Coordinate = PairCoordinate;

  Point(const GaussianPairs& form, bool inhomogeneous)
      : form_(&form), linear_(inhomogeneous ? 1 : 0), precision_(form.sites(), form.sites()) {
    if (form.from_samples()) scores_ = Matrix::Zero(form.samples_.rows(), form.sites());
  }

  Eigen::Index sites() const { return form_->sites(); }
  Eigen::Index parameter_count() const { return form_->parameter_count(); }

  Scalar value(const Coordinate& c, Eigen::Index = 0) const { return precision_.value(c.i, c.j); }

  Scalar curvature(const Coordinate& c, Eigen::Index = 0) const {
    const Vector& s = form_->diagonal_;
    const Scalar ridge = form_->ridge_;
    return c.diagonal() ? s(c.i) + ridge : s(c.i) + s(c.j) + 2 * ridge;
  }

  Scalar slope(const Coordinate& c, Eigen::Index = 0) const {
    if (c.diagonal()) return product(c.i, c.i) - linear_;
    return product(c.i, c.j) + product(c.j, c.i);
  }

  void set(const Coordinate& c, Eigen::Index, Scalar to) {
    if (form_->from_samples()) {
      const Scalar change = to - precision_.value(c.i, c.j);
      scores_.col(c.j) += change * form_->samples_.col(c.i);
      if (!c.diagonal()) scores_.col(c.i) += change * form_->samples_.col(c.j);
    }
    precision_.set(c.i, c.j, to);
    if (!c.diagonal()) precision_.set(c.j, c.i, to);
  }

  /// Diagonal entries, then pairs, column by column.
  template <class Visit>
  void for_each_nonzero(Visit&& visit) const {
    for (Eigen::Index i = 0; i < sites(); ++i) {
      if (precision_.value(i, i) != 0) visit(detail::diagonal_coordinate(i));
    }
    for (Eigen::Index j = 0; j < sites(); ++j) {
      precision_.for_each(j, [&](Eigen::Index i, Scalar) {
        if (i > j) visit(detail::pair_coordinate(sites(), i, j));
      });
    }
  }

  template <class Visit>
  void for_each_slope(Visit&& visit) {
    if (form_->from_samples()) sum_scores();
    const Eigen::Index p = sites();
    Matrix down, across;  // W_ij and W_ji for some columns j, and i from the first of them on
    for (Eigen::Index begin = 0; begin < p; begin += panel) {
      const Eigen::Index width = (std::min)(panel, p - begin);
      products(begin, width, down, across);
      for (Eigen::Index c = 0; c < width; ++c) {
        const Eigen::Index j = begin + c;
        Scalar slope = down(c, c) - linear_;
        visit(detail::diagonal_coordinate(j), &slope);
        for (Eigen::Index r = c + 1; r < p - begin; ++r) {
          slope = down(r, c) + across(r, c);
          visit(detail::pair_coordinate(p, begin + r, j), &slope);
        }
      }
    }
  }

  /// J(K).
  Scalar loss() const {
    Scalar twice(0);
    Scalar trace(0);
    for (Eigen::Index j = 0; j < sites(); ++j) {
      precision_.for_each(j, [&](Eigen::Index i, Scalar value) {
        twice += value * product(i, j);
        if (i == j) trace += value;
      });
    }
    return twice / 2 - linear_ * trace;
  }

  Point direction() const { return Point(*form_, false); }

  Scalar unit() const {
    using std::sqrt;
    const Scalar largest = form_->diagonal_.maxCoeff() + form_->ridge_;
    return largest > 0 ? 1 / sqrt(largest) : Scalar(1);
  }

  const detail::SparseColumns<Scalar>& precision() const { return precision_; }

 private:
  static constexpr Eigen::Index panel = 64;

  // W_ij = sum_k S_ik K_kj + ridge K_ij.
  Scalar product(Eigen::Index i, Eigen::Index j) const {
    const Scalar sum = form_->from_samples() ? form_->samples_.col(i).dot(scores_.col(j))
                                             : precision_.dot(j, form_->covariance_.col(i));
    return form_->ridge_ == 0 ? sum : sum + form_->ridge_ * precision_.value(i, j);
  }

  // samples K, without what the changes have left of rounding.
  void sum_scores() {
    scores_.setZero();
    for (Eigen::Index j = 0; j < sites(); ++j) {
      precision_.for_each(j, [&](Eigen::Index i, Scalar value) {
        scores_.col(j) += value * form_->samples_.col(i);
      });
    }
  }

  void products(Eigen::Index begin, Eigen::Index width, Matrix& down, Matrix& across) const {
    const Eigen::Index rows = sites() - begin;
    if (form_->from_samples()) {
      const auto& x = form_->samples_;
      down.noalias() = x.rightCols(rows).transpose() * scores_.middleCols(begin, width);
      across.noalias() = scores_.rightCols(rows).transpose() * x.middleCols(begin, width);
    } else {
      down.setZero(rows, width);
      across.setZero(rows, width);
      const auto& s = form_->covariance_;
      for (Eigen::Index c = 0; c < width; ++c) {
        precision_.for_each(begin + c, [&](Eigen::Index i, Scalar value) {
          down.col(c) += value * s.col(i).tail(rows);
        });
      }
      // By rows of `across`, in which the entries of S lie side by side.
      Vector row(width);
      for (Eigen::Index r = 0; r < rows; ++r) {
        row.setZero();
        precision_.for_each(begin + r, [&](Eigen::Index i, Scalar value) {
          row += value * s.col(i).segment(begin, width);
        });
        across.row(r) = row.transpose();
      }
    }
    if (form_->ridge_ == 0) return;
    for (Eigen::Index c = 0; c < width; ++c) {
      precision_.for_each(begin + c, [&](Eigen::Index i, Scalar value) {
        if (i < begin) return;
        down(i - begin, c) += form_->ridge_ * value;
        across(i - begin, c) += form_->ridge_ * value;
      });
    }
  }

  const GaussianPairs* form_;
  Scalar linear_;
  detail::SparseColumns<Scalar> precision_;
  Matrix scores_;  // samples K, where S is given by samples
};

}  // namespace scorematch
