// What the losses of a full Gaussian share: the samples' moments seen in whitened coordinates.
#pragma once

#include <scorematch/data/moments.hpp>
#include <scorematch/detail/cholesky.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/detail/triangular.hpp>
#include <scorematch/family/gaussian_family.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>

namespace scorematch::detail {

// With m and S the sample mean and covariance, S = C C^T, and theta = (mu, L): A = L^-1,
// a = A (m - mu), N = A C, and W = N N^T + a a^T, the second moment of the whitened samples, which
// is the identity where model and samples agree.
//
// The workspace is allocated with the objective; an evaluation allocates nothing.
template <class Scalar_, int Dim_>
class GaussianObjective {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Family = GaussianFamily<Scalar, Dim>;
  using Parameters = typename Family::Parameters;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;

  GaussianObjective(const Family& family, const Moments<Scalar, Dim>& moments)
      : family_(family), root_(Matrix::Zero(family.dimension(), family.dimension())) {
    const Eigen::Index d = family.dimension();
    if (moments.dimension() != d) {
      fail("the moments have dimension ", moments.dimension(), "; expected ", d,
           ", as the family has it");
    }
    if (!(moments.count() > 0)) fail("no samples (count = 0); expected at least one");
    mean_ = moments.mean();
    CovarianceRoot<Scalar, Dim> root(moments.covariance());
    root_ = root.lower;
    unbounded_ = root.singular;
    for (Matrix* matrix : {&lower_, &inverse_, &whitened_root_, &whitened_, &scratch_}) {
      matrix->setZero(d, d);
    }
    residual_.setZero(d);
  }

  /// True where S is singular: the loss then falls for ever as the precision grows along the null
  /// direction, and there is no minimum.
  bool unbounded() const { return unbounded_; }

  /// mu = m, L = C: the minimum of score matching and of the likelihood alike.
  Parameters minimizer() const { return family_.pack(mean_, root_); }

  /// The largest entry of |W - I|: the moments of the samples in the model's own standard
  /// deviations.
  Scalar mismatch() const { return mismatch_; }

 protected:
  // Fills lower_ ... whitened_ for theta. False outside the domain, where exp(power l) or
  // exp(-power l) leaves the range of Scalar: the powers of L_ii that a loss and its gradient pass
  // through would vanish there, and a gradient of zero would stand for a minimum.
  bool whiten(const Parameters& theta, int power) {
    using std::abs;
    const Eigen::Index d = family_.dimension();
    const Scalar limit = log_of_largest() / Scalar(power);
    bool inside = true;
    for (Eigen::Index i = 0; i < d; ++i) {
      inside = inside && abs(theta(d + i)) <= limit;
      residual_(i) = mean_(i) - theta(i);
    }
    if (!inside) return false;
    family_.unpack_cholesky(theta, lower_);
    invert_lower(lower_, inverse_);
    apply_lower(inverse_, residual_);
    multiply_lower(inverse_, root_, whitened_root_);
    gram_of_rows(whitened_root_, whitened_);
    mismatch_ = Scalar(0);
    for (Eigen::Index j = 0; j < d; ++j) {
      for (Eigen::Index i = 0; i < d; ++i) {
        whitened_(i, j) += residual_(i) * residual_(j);
        mismatch_ = (std::max)(mismatch_, abs(whitened_(i, j) - Scalar(i == j ? 1 : 0)));
      }
    }
    return true;
  }

  static Scalar log_of_largest() {
    using std::log;
    static const Scalar value = log((std::numeric_limits<Scalar>::max)());
    return value;
  }

  static Scalar outside() { return std::numeric_limits<Scalar>::infinity(); }

  // An overflow on the way to the value may have made a NaN of it.
  static Scalar finite_or_outside(Scalar value) { return value < outside() ? value : outside(); }

  // Writes the gradient from d/dmu and from d/dL, whose lower triangle is `sign` times that of
  // `by_lower`; the chain rule through L_ii = exp(l_i) multiplies its diagonal by L_ii.
  void pack_gradient(const Vector& by_mean, const Matrix& by_lower, Scalar sign,
                     Parameters& gradient) const {
    const Eigen::Index d = family_.dimension();
    for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
      gradient(i) = by_mean(i);
      gradient(d + i) = sign * (by_lower(i, i) * lower_(i, i));
      for (Eigen::Index j = 0; j < i; ++j) gradient(k++) = sign * by_lower(i, j);
    }
  }

  Family family_;
  Vector mean_;           // m
  Matrix root_;           // C
  bool unbounded_;        // S is singular
  Matrix lower_;          // L
  Matrix inverse_;        // A
  Vector residual_;       // a
  Matrix whitened_root_;  // N
  Matrix whitened_;       // W
  Matrix scratch_;
  Scalar mismatch_{0};  // |W - I|, largest entry
};

}  // namespace scorematch::detail
