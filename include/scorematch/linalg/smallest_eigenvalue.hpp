// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/random.hpp>
#include <scorematch/linalg/sparse_columns.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>

namespace scorematch::detail {

// The number of eigenvalues below x of the symmetric tridiagonal matrix with diagonal a and the
// squares b of what is beside it (Sturm).
template <class Vector, class Scalar>
Eigen::Index eigenvalues_below(const Vector& a, const Vector& b, Eigen::Index size, Scalar x) {
  Eigen::Index below = 0;
  Scalar pivot(1);
  for (Eigen::Index i = 0; i < size; ++i) {
    pivot = a(i) - x - (i > 0 ? b(i - 1) / pivot : Scalar(0));
    if (pivot == 0) pivot = (std::numeric_limits<Scalar>::min)();
    if (pivot < 0) ++below;
  }
  return below;
}

// The smallest eigenvalue of a symmetric matrix, by the iteration of Lanczos from a random start,
// the same at every call: from above, and mostly exact to 1e-3 of the norm or much less. As many
// products with the matrix as it has rows, at most `most`.
template <class Scalar>
Scalar smallest_eigenvalue(const SparseColumns<Scalar>& matrix, Eigen::Index most = 150) {
  using std::abs;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  const Eigen::Index p = matrix.columns();
  const Eigen::Index steps = (std::min)(p, most);
  Vector a(steps), b(steps);
  Vector before = Vector::Zero(p), v(p), w(p);
  RandomNumbers random(1);
  for (Eigen::Index i = 0; i < p; ++i) v(i) = static_cast<Scalar>(random.normal());
  v.normalize();
  // Of entries of order one, whose squares neither overflow nor vanish.
  Scalar unit(0);
  for (Eigen::Index j = 0; j < p; ++j) {
    matrix.for_each(j, [&](Eigen::Index, Scalar value) { unit = (std::max)(unit, abs(value)); });
  }
  if (!(unit > 0)) return 0;
  Eigen::Index size = 0;
  Scalar norm(0);
  while (size < steps) {
    w = -(size > 0 ? Scalar(std::sqrt(b(size - 1))) : Scalar(0)) * before;
    for (Eigen::Index j = 0; j < p; ++j) w(j) += matrix.dot(j, v) / unit;
    a(size) = w.dot(v);
    w -= a(size) * v;
    b(size) = w.squaredNorm();
    norm = (std::max)({norm, abs(a(size)), Scalar(std::sqrt(b(size)))});
    ++size;
    if (!(b(size - 1) > norm * norm * std::numeric_limits<Scalar>::epsilon())) break;
    before = v;
    v = w / std::sqrt(b(size - 1));
  }
  Scalar low = -3 * norm, high = a.head(size).minCoeff();
  for (int halving = 0; halving < 60 && low < high; ++halving) {
    const Scalar middle = low + (high - low) / 2;
    (eigenvalues_below(a, b, size, middle) > 0 ? high : low) = middle;
  }
  return high * unit;
}

}  // namespace scorematch::detail
