// SPDX-License-Identifier: MIT
//
// What the losses of a full Gaussian share: the samples' moments seen in whitened coordinates.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/unroll.hpp>
#include <scorematch/data/moments.hpp>
#include <scorematch/family/gaussian_family.hpp>
#include <scorematch/linalg/cholesky.hpp>
#include <scorematch/linalg/dynamic.hpp>
#include <scorematch/linalg/triangular.hpp>
#include <scorematch/loss/gaussian/gaussian_hessian.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>
#include <utility>

namespace scorematch::detail {

// With m and S the sample mean and covariance, S = C C^T, and theta = (mu, L): A = L^-1,
// a = A (m - mu), N = A C, W = N N^T + a a^T, the second moment of the whitened samples, and
// E = I - W, which vanishes where model and samples agree.
template <Number Scalar_, int Dim_>
class GaussianObjective {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Family = GaussianFamily<Scalar, Dim>;
  using Parameters = typename Family::Parameters;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Matrix = Eigen::Matrix<Scalar, Dim, Dim>;
  using Mask = MaskOf<Scalar>;
  static constexpr bool keeps_covariance = Real<Scalar> && !unrolled<Matrix>;
  // Packs do not ask for L_ii = exp(l_i), but for exp(-l_i): one exponential, and no division.
  static constexpr bool without_diagonal = Lockstep<Scalar> && unrolled<Matrix>;

  // `ridge` is added to the variances of the samples.
  GaussianObjective(const Family& family, const Moments<Scalar, Dim>& moments,
                    LaneOf<Scalar> ridge = 0)
      : family_(family), root_(family.dimension(), family.dimension()) {
    const Eigen::Index d = family.dimension();
    if (moments.dimension() != d) {
      fail("the moments have dimension ", moments.dimension(), "; expected ", d,
           ", as the family has it");
    }
    if (!all(moments.count() > 0)) fail("no samples (count = 0); expected at least one");
    mean_ = moments.mean();
    Matrix covariance = moments.covariance();
    for (Eigen::Index i = 0; i < d; ++i) covariance(i, i) += ridge;
    for (int k = 0; k < lanes_of<Scalar>; ++k) {
      SemidefiniteRoot<LaneOf<Scalar>, Dim> root(lane_of(covariance, k));
      if constexpr (lanes_of<Scalar> == 1) {
        root_ = std::move(root.lower);
      } else {
        set_lane(root_, k, root.lower);
      }
      set_lane(unbounded_, k, root.singular);
    }
    if constexpr (keeps_covariance) covariance_ = std::move(covariance);
  }

  Eigen::Index parameter_count() const { return family_.parameter_count(); }

  /// `unbounded` where S is singular: the loss then falls for ever as the precision grows along the
  /// null direction.
  ObjectiveInfo<Scalar> info() const {
    return {.unbounded = unbounded_, .parameter_count = parameter_count()};
  }

  /// Local coordinates: means from m, and all in the deviations of the samples.
  Parameters from_local(const Parameters& u)
    requires Real<Scalar>
  {
    Parameters theta = from_mean_at(u);
    for (Eigen::Index i = 0; i < mean_.size(); ++i) theta(i) += mean_(i);
    return theta;
  }

  Parameters to_local(const Parameters& theta)
    requires Real<Scalar>
  {
    using std::log;
    require_deviations();
    Parameters u = theta;
    for (Eigen::Index i = 0; i < mean_.size(); ++i) {
      u(i) -= mean_(i);
      u(mean_.size() + i) -= log(deviation_(i));
    }
    scale<true>(u);
    return u;
  }

  /// The Gaussian at the minimum: its covariance is S to the bit. For sizes at which L L^T would
  /// cost more than to keep S.
  Gaussian<LaneOf<Scalar>, Dim> exact_distribution() &&
        requires(keeps_covariance)
  {
    return Gaussian<LaneOf<Scalar>, Dim>(
        GaussianParts<Vector, Matrix>{std::move(mean_), std::move(covariance_), std::move(root_)});
  }

  /// The largest entry of |E| and |a| at theta: how far the moments of the samples are from the
  /// model's, in the model's own standard deviations. E alone also vanishes where a covariance that
  /// is too wide makes up for a mean that is off.
  Scalar distance_to_minimum(const Parameters& theta) {
    using std::abs;
    auto&& at = workspace();
    const Mask inside = whiten(theta, 1, at);
    Scalar largest(0);
    for (Eigen::Index j = 0; j < at.error.cols(); ++j) {
      largest = Eigen::numext::maxi(largest, Scalar(abs(at.residual(j))));
      for (Eigen::Index i = j; i < at.error.rows(); ++i) {
        largest = Eigen::numext::maxi(largest, Scalar(abs(at.error(i, j))));
      }
    }
    return select(inside, largest, Scalar(outside()));
  }

 protected:
  // What an evaluation computes on its way. Of a fixed size it is a local variable, which the
  // compiler keeps in registers while they last; else the first evaluation allocates it (a closed
  // form asks for none), and later ones nothing. Three matrices stand for one thing after another:
  //
  //            whiten   value of score matching   gradient
  //   first    N        B = A A^T
  //   error    E                                  of score matching, B E + E B
  //   second                                      of score matching, B E; then d/dL
  struct Workspace {
    Matrix lower;     // L, or where `without_diagonal` A diag(L) below the diagonal
    Matrix inverse;   // A
    Vector residual;  // a
    Vector by_mean;   // d/dmu
    Matrix error;
    Matrix first;
    Matrix second;

    Workspace() {  // of a fixed size, or empty
      if constexpr (!unrolled<Matrix>) inverse.setZero();
    }
    explicit Workspace(Eigen::Index d)
        : lower(d, d),
          inverse(d, d),
          residual(d),
          by_mean(d),
          error(d, d),
          first(d, d),
          second(d, d) {
      if constexpr (!unrolled<Matrix>) inverse.setZero();
    }
  };

  EIGEN_ALWAYS_INLINE std::conditional_t<unrolled<Matrix>, Workspace, Workspace&> workspace() {
    if constexpr (unrolled<Matrix>) {
      return Workspace(Dim);
    } else {
      if (workspace_.lower.size() == 0) workspace_ = Workspace(family_.dimension());
      return workspace_;
    }
  }

  // What has the unit of coordinate i, its mean and row i of L, times or over the deviation of the
  // samples.
  template <bool over = false>
  void scale(Parameters& theta) const {
    const Eigen::Index d = family_.dimension();
    for (Eigen::Index i = 0, k = 2 * d; i < d; ++i) {
      const Scalar factor = over ? 1 / deviation_(i) : deviation_(i);
      theta(i) *= factor;
      for (Eigen::Index j = 0; j < i; ++j) theta(k++) *= factor;
    }
  }

  // theta of u, but for the mean, which is seen from m. The same object at every call.
  const Parameters& from_mean_at(const Parameters& u) {
    using std::log;
    require_deviations();
    at_local_ = u;
    scale(at_local_);
    const Eigen::Index d = family_.dimension();
    for (Eigen::Index i = 0; i < d; ++i) at_local_(d + i) += log(deviation_(i));
    return at_local_;
  }

  // Fills `at` for theta, whose mean may be seen from m. False outside the domain, where exp(power
  // l) or exp(-power l) leaves the range of Scalar: the powers of L_ii that a loss and its gradient
  // pass through would vanish there, and a gradient of zero would stand for a minimum.
  template <bool from_mean = false>
  EIGEN_ALWAYS_INLINE Mask whiten(const Parameters& theta, int power, Workspace& at) const {
    using std::abs;
    using std::exp;
    const Eigen::Index d = family_.dimension();
    const Scalar limit(log_of_largest() / LaneOf<Scalar>(power));
    Mask inside = true;
    for_each_entry(mean_, [&](Eigen::Index i) SCOREMATCH_INLINE {
      inside = inside & (abs(theta(d + i)) <= limit);
      at.residual(i) = from_mean ? Scalar(-theta(i)) : Scalar(mean_(i) - theta(i));
    });
    if (!worth_going_on(inside)) return inside;
    if constexpr (without_diagonal) {
      for_each_entry(
          mean_, [&](Eigen::Index i) SCOREMATCH_INLINE { at.inverse(i, i) = exp(-theta(d + i)); });
      unpack_below(theta, 2 * d, at.lower);
      invert_below(at.lower, at.inverse);
    } else {
      family_.unpack_cholesky(theta, at.lower);
      invert_lower(at.lower, at.inverse);
    }
    apply_lower(at.inverse, at.residual);
    multiply_lower(at.inverse, root_, at.first);
    identity_minus_grams(at.first, at.residual, at.error);
    return inside;
  }

  // mu = m, L = C: the minimum of score matching and of the likelihood alike.
  Parameters minimizer() const { return family_.pack(mean_, root_); }

  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> hessian_at(const Parameters& theta,
                                                                   GaussianLoss loss) const
    requires Real<Scalar>
  {
    const Eigen::Index d = family_.dimension();
    DynamicMatrix<Scalar> lower = DynamicMatrix<Scalar>::Zero(d, d);
    family_.unpack_cholesky(theta, lower);
    return gaussian_hessian<Scalar>(lower, dynamic_of(mean_ - theta.head(d)), dynamic_of(root_),
                                    loss);
  }

  // Whether it is in the domain that `whiten` asks for.
  Mask minimizer_inside(int power) const {
    using std::exp;
    const LaneOf<Scalar> limit = log_of_largest() / LaneOf<Scalar>(power);
    const Scalar smallest(exp(-limit));
    const Scalar largest(exp(limit));
    Mask inside = true;
    for (Eigen::Index i = 0; i < root_.rows(); ++i) {
      inside = inside & (root_(i, i) >= smallest);
      inside = inside & (root_(i, i) <= largest);
    }
    return inside;
  }

  static constexpr LaneOf<Scalar> log_of_largest() {
    using Limits = std::numeric_limits<LaneOf<Scalar>>;
    return LaneOf<Scalar>(Limits::max_exponent) * std::numbers::ln2_v<LaneOf<Scalar>>;
  }

  static constexpr LaneOf<Scalar> outside() {
    return std::numeric_limits<LaneOf<Scalar>>::infinity();
  }

  // False where all is outside. Lanes of a pack are replaced at the end in any case: to ask them
  // takes longer than it saves.
  static bool worth_going_on(const Mask& inside) { return Lockstep<Scalar> || any(inside); }

  // Where the domain ends, or an overflow on the way may have made a NaN of the value.
  static Scalar finite_or_outside(const Mask& inside, const Scalar& value) {
    return select(inside & (value < outside()), value, Scalar(outside()));
  }

  // Writes the gradient from d/dmu and, in at.second, the lower triangle of d/dL = A^T F with F in
  // at.error; the chain rule through L_ii = exp(l_i) multiplies its diagonal by L_ii.
  EIGEN_ALWAYS_INLINE void pack_gradient(const Workspace& at, Parameters& gradient) const {
    const Eigen::Index d = family_.dimension();
    for_each_entry(at.by_mean, [&](Eigen::Index i) SCOREMATCH_INLINE {
      gradient(i) = at.by_mean(i);
      if constexpr (without_diagonal) {
        Scalar sum = at.error(i, i);
        for_each_index<Matrix>(int(i) + 1, Dim, [&](int k) SCOREMATCH_INLINE {
          sum += at.lower(k, i) * at.error(k, i);
        });
        gradient(d + i) = sum;
      } else {
        gradient(d + i) = at.second(i, i) * at.lower(i, i);
      }
    });
    pack_below(at.second, 2 * d, gradient);
  }

  Family family_;
  Vector mean_;     // m
  Matrix root_;     // C
  Mask unbounded_;  // S is singular

 private:
  template <int>
  struct Nothing {};
  [[no_unique_address]] std::conditional_t<keeps_covariance, Matrix, Nothing<0>> covariance_;  // S
  [[no_unique_address]] std::conditional_t<unrolled<Matrix>, Nothing<1>, Workspace> workspace_;

  // Of the samples, 1 for one of 0; not before they are asked for.
  void require_deviations() {
    using std::sqrt;
    if (has_deviations_) return;
    deviation_.resize(family_.dimension());
    for (Eigen::Index i = 0; i < deviation_.size(); ++i) {
      Scalar square(0);
      for (Eigen::Index j = 0; j <= i; ++j) square += root_(i, j) * root_(i, j);
      deviation_(i) = square > 0 ? Scalar(sqrt(square)) : Scalar(1);
    }
    has_deviations_ = true;
  }

  Vector deviation_;
  Parameters at_local_;
  bool has_deviations_ = false;
};

}  // namespace scorematch::detail
