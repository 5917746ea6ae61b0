// SPDX-License-Identifier: MIT
//
// Solves G x = b for a Gram matrix G that may be singular, and says in which directions.
#pragma once

#include <scorematch/linalg/cholesky.hpp>
#include <scorematch/linalg/triangular.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace scorematch::detail {

// Orthonormal columns that span the null space of a symmetric positive semidefinite R of unit (or
// zero) diagonal, by Cholesky with diagonal pivoting (Higham 2002, section 10.3): with
// P^T R P = [A B^T; B .], A = L L^T of full rank, the columns of P [-A^-1 B^T; I] are null vectors;
// Gram and Schmidt, twice, make them orthonormal. R is singular by assumption: at least one column.
template <class Scalar>
Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> null_space(
    Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> r, Scalar negligible) {
  using std::sqrt;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::Index n = r.rows();
  std::vector<Eigen::Index> order(static_cast<std::size_t>(n));
  for (Eigen::Index i = 0; i < n; ++i) order[std::size_t(i)] = i;
  Eigen::Index rank = 0;
  for (; rank + 1 < n; ++rank) {
    Eigen::Index pivot = rank;
    for (Eigen::Index i = rank + 1; i < n; ++i) {
      if (r(i, i) > r(pivot, pivot)) pivot = i;
    }
    if (!(r(pivot, pivot) > negligible)) break;
    // Both triangles are kept, so that a symmetric exchange is one of rows and one of columns.
    r.row(rank).swap(r.row(pivot));
    r.col(rank).swap(r.col(pivot));
    std::swap(order[std::size_t(rank)], order[std::size_t(pivot)]);
    const Scalar diagonal = sqrt(r(rank, rank));
    r(rank, rank) = diagonal;
    const Eigen::Index rest = n - rank - 1;
    r.col(rank).tail(rest) /= diagonal;
    for (Eigen::Index j = rank + 1; j < n; ++j) {
      const Scalar factor = r(j, rank);
      for (Eigen::Index i = rank + 1; i < n; ++i) r(i, j) -= r(i, rank) * factor;
    }
  }
  const Eigen::Index nullity = n - rank;
  Matrix basis(n, nullity);
  for (Eigen::Index c = 0; c < nullity; ++c) {
    // -A^-1 B^T = -L^-T (row of L below)^T.
    Eigen::Matrix<Scalar, Eigen::Dynamic, 1> v(n);
    v.setZero();
    for (Eigen::Index i = rank; i-- > 0;) {
      Scalar sum = -r(rank + c, i);
      for (Eigen::Index k = i + 1; k < rank; ++k) sum -= r(k, i) * v(k);
      v(i) = sum / r(i, i);
    }
    v(rank + c) = Scalar(1);
    for (Eigen::Index i = 0; i < n; ++i) basis(order[std::size_t(i)], c) = v(i);
    for (int pass = 0; pass < 2; ++pass) {
      for (Eigen::Index b = 0; b < c; ++b) {
        basis.col(c) -= basis.col(b).dot(basis.col(c)) * basis.col(b);
      }
    }
    basis.col(c) /= basis.col(c).norm();
  }
  return basis;
}

// G x = b, in the scaled coordinates y_k = sqrt(G_kk) x_k, in which G has unit diagonal.
template <class Scalar, int ParameterCount>
class SemidefiniteSolution {
 public:
  using Vector = Eigen::Matrix<Scalar, ParameterCount, 1>;
  using Matrix = Eigen::Matrix<Scalar, ParameterCount, ParameterCount>;

  SemidefiniteSolution(const Matrix& g, const Vector& b) : x(b), scale(b.size()) {
    using std::sqrt;
    const Scalar smallest = (std::numeric_limits<Scalar>::min)();
    for (Eigen::Index k = 0; k < b.size(); ++k) {
      scale(k) = g(k, k) >= smallest ? sqrt(g(k, k)) : Scalar(0);
    }
    const SemidefiniteRoot<Scalar, ParameterCount> root(g, rounding());
    singular = root.singular;
    if (!singular) {
      solve_lower(root.lower, x);
      solve_transposed_lower(root.lower, x);
    } else {
      solve_singular(g, b);
    }
    write_sizes(g, b);
  }

  // Components of the null space that are rounding, not a parameter's part in it.
  static constexpr Scalar negligible_part() { return Scalar(1e-6); }

  std::vector<Eigen::Index> undetermined() const {
    std::vector<Eigen::Index> result;
    if (!singular) return result;
    for (Eigen::Index k = 0; k < basis.rows(); ++k) {
      if (basis.row(k).norm() > negligible_part()) result.push_back(k);
    }
    return result;
  }

  // A basis of the null space of G: orthonormal in scaled coordinates, given in those of x.
  Eigen::Index nullity() const { return basis.cols(); }
  Vector null_vector(Eigen::Index c) const {
    Vector v = basis.col(c);
    for (Eigen::Index k = 0; k < v.size(); ++k) v(k) /= scale(k) > 0 ? scale(k) : Scalar(1);
    return v;
  }

  // The largest difference of `theta` from x, each coordinate in units of the terms that its own
  // equation balances, and without what the null space has of it. No coordinate is measured by
  // another one: a stiff parameter would hide a soft one. Infinity where theta is far out of range.
  template <class Theta>
  Scalar distance(const Theta& theta) const {
    using std::abs;
    Scalar largest(0);
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      Scalar difference = scale(k) * (theta(k) - x(k));
      if (singular) {
        difference = Scalar(0);
        for (Eigen::Index j = 0; j < theta.size(); ++j) {
          difference += range_(k, j) * (scale(j) * (theta(j) - x(j)));
        }
      }
      if (difference == 0) continue;
      const Scalar ratio = abs(difference) / size_(k);
      if (!(ratio <= (std::numeric_limits<Scalar>::max)())) {
        return std::numeric_limits<Scalar>::infinity();
      }
      largest = (std::max)(largest, ratio);
    }
    return largest;
  }

  Vector x;
  Vector scale;
  bool singular = false;
  bool consistent = true;  // b lies in the range of G

 private:
  using Dense = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

  // Sums over samples leave more rounding than the factorization; float samples have their own.
  static Scalar rounding() {
    using Sum = std::common_type_t<Scalar, double>;
    return (std::max)(Scalar(16) * std::numeric_limits<Scalar>::epsilon(),
                      static_cast<Scalar>(Sum(1000) * std::numeric_limits<Sum>::epsilon()));
  }

  void remove_null(Vector& y) const {
    if (!singular) return;
    for (Eigen::Index c = 0; c < basis.cols(); ++c) y -= basis.col(c).dot(y) * basis.col(c);
  }

  // |R| |y| + |E^-1/2 b|: what the equations R y = E^-1/2 b balance, row by row, and what rounding
  // leaves of them is relative to. Where that is itself rounding, of a parameter that is zero and
  // that no other one depends on, there is nothing of its own to measure it by: the largest size
  // stands in, by a factor so small that what is missed would be lost in the loss.
  void write_sizes(const Matrix& g, const Vector& b) {
    using std::abs;
    using std::sqrt;
    const Eigen::Index n = b.size();
    size_.resize(n);
    for (Eigen::Index k = 0; k < n; ++k) {
      size_(k) = Scalar(0);
      if (!(scale(k) > 0)) continue;
      Scalar sum = abs(b(k)) / scale(k);
      for (Eigen::Index j = 0; j < n; ++j) {
        if (scale(j) > 0) sum += abs(g(k, j) / scale(k) * x(j));
      }
      size_(k) = sum;
    }
    const Scalar largest = size_.maxCoeff();
    const Scalar least = sqrt(sqrt(std::numeric_limits<Scalar>::epsilon())) * largest;
    for (Eigen::Index k = 0; k < n; ++k) {
      if (!(size_(k) > Scalar(n) * rounding() * largest)) size_(k) = least;
    }
  }

  void solve_singular(const Matrix& g, const Vector& b) {
    using std::abs;
    using std::sqrt;
    const Eigen::Index n = b.size();
    Dense r = Dense::Zero(n, n);
    Vector y = Vector::Zero(n);
    for (Eigen::Index j = 0; j < n; ++j) {
      if (!(scale(j) > 0)) {
        // A statistic without a derivative anywhere: what b has there, nothing can balance.
        consistent = consistent && b(j) == 0;
        continue;
      }
      y(j) = b(j) / scale(j);
      for (Eigen::Index i = 0; i < n; ++i) {
        if (scale(i) > 0) r(i, j) = g(i, j) / scale(i) / scale(j);
      }
    }
    basis = null_space<Scalar>(r, Scalar(n) * rounding());
    // A part of b in the null space is told from rounding by what cancels in it. Its own terms: a
    // coordinate in small units has large ones, beside which those of another would vanish.
    for (Eigen::Index c = 0; c < basis.cols(); ++c) {
      const Scalar part = abs(basis.col(c).dot(y));
      const Scalar terms = basis.col(c).cwiseAbs().dot(y.cwiseAbs());
      const Scalar limit = sqrt(std::numeric_limits<Scalar>::epsilon()) * terms +
                           Scalar(n) * rounding() * y.cwiseAbs().maxCoeff();
      consistent = consistent && part <= limit;
    }
    Vector in_range = y;
    remove_null(in_range);
    // R + N N^T is regular, and agrees with R on the range.
    Dense regular = r + basis * basis.transpose();
    semidefinite_cholesky(regular, Scalar(0));
    solve_lower(regular, in_range);
    solve_transposed_lower(regular, in_range);
    remove_null(in_range);
    for (Eigen::Index k = 0; k < n; ++k) {
      x(k) = scale(k) > 0 ? in_range(k) / scale(k) : Scalar(0);
    }
    range_ = Dense::Identity(n, n) - basis * basis.transpose();
  }

  Vector size_;  // of each scaled coordinate
  Dense basis;   // of the null space in scaled coordinates, orthonormal columns; where singular
  Dense range_;  // the projector off it; where singular
};

}  // namespace scorematch::detail
