#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/detail/require.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <string>
#include <utility>

namespace scorematch {

namespace detail {

template <class Scalar>
struct DerivativeVisitor {
  void operator()(Eigen::Index, Scalar, Scalar) const {}
};

}  // namespace detail

/// Statistics that say, coordinate by coordinate, which of them depend on it and how:
/// `s.for_each_derivative(x, j, visit)` calls `visit(k, d_j t_k, d_jj t_k)` once for each statistic
/// k that depends on x_j. The way to write many statistics of few coordinates each (a lattice).
template <class S, class Scalar, int Dim>
concept SparseStatistics = requires(const S& s, const Eigen::Matrix<Scalar, Dim, 1>& x,
                                    Eigen::Index j, detail::DerivativeVisitor<Scalar> visit) {
  s.for_each_derivative(x, j, visit);
};

/// Statistics whose Jacobian is written by hand: `s.jacobian(x)` is K x Dim, D_kj = d_j t_k.
template <class S, class Scalar, int Dim>
concept HasJacobian = requires(const S& s, const Eigen::Matrix<Scalar, Dim, 1>& x) {
  s.jacobian(x);
};

/// `s.laplacian(x)` has K entries, sum_j d_jj t_k.
template <class S, class Scalar, int Dim>
concept HasStatisticLaplacian = requires(const S& s, const Eigen::Matrix<Scalar, Dim, 1>& x) {
  s.laplacian(x);
};

/// `s.curvature(x)` is K x Dim, d_jj t_k: what generalized score matching asks for.
template <class S, class Scalar, int Dim>
concept HasStatisticCurvature = requires(const S& s, const Eigen::Matrix<Scalar, Dim, 1>& x) {
  s.curvature(x);
};

/// Statistics by hand, in one of the two ways.
template <class S, class Scalar, int Dim>
concept StatisticsByHand = SparseStatistics<S, Scalar, Dim> ||
    (HasJacobian<S, Scalar, Dim> &&
     (HasStatisticLaplacian<S, Scalar, Dim> || HasStatisticCurvature<S, Scalar, Dim>));

/// A base measure b(x) by hand: `b.gradient(x)` and `b.curvature(x)` have Dim entries, d_j b and
/// d_jj b, and `b(x)` is its value.
template <class B, class Scalar, int Dim>
concept BaseByHand = requires(const B& b, const Eigen::Matrix<Scalar, Dim, 1>& x) {
  { b(x) } -> std::convertible_to<Scalar>;
  b.gradient(x);
  b.curvature(x);
};

/// No base measure: b = 0.
struct FlatBase {
  friend bool operator==(const FlatBase&, const FlatBase&) { return true; }
};

namespace detail {

template <class Base>
inline constexpr bool flat = std::same_as<Base, FlatBase>;

// D, K x Dim.
template <class Scalar, int Dim, int K, class Statistics>
void write_jacobian(const Statistics& statistics, const Eigen::Matrix<Scalar, Dim, 1>& x,
                    Eigen::Matrix<Scalar, K, Dim>& jacobian) {
  if constexpr (SparseStatistics<Statistics, Scalar, Dim>) {
    jacobian.setZero();
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      statistics.for_each_derivative(
          x, j, [&](Eigen::Index k, Scalar first, Scalar) { jacobian(k, j) = first; });
    }
  } else {
    jacobian = statistics.jacobian(x);
  }
}

// d_jj t_k, K x Dim.
template <class Scalar, int Dim, int K, class Statistics>
void write_curvature(const Statistics& statistics, const Eigen::Matrix<Scalar, Dim, 1>& x,
                     Eigen::Matrix<Scalar, K, Dim>& curvature) {
  if constexpr (SparseStatistics<Statistics, Scalar, Dim>) {
    curvature.setZero();
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      statistics.for_each_derivative(
          x, j, [&](Eigen::Index k, Scalar, Scalar second) { curvature(k, j) = second; });
    }
  } else {
    curvature = statistics.curvature(x);
  }
}

// Laplacian of t, K.
template <class Scalar, int Dim, int K, class Statistics>
void write_laplacian(const Statistics& statistics, const Eigen::Matrix<Scalar, Dim, 1>& x,
                     Eigen::Matrix<Scalar, K, 1>& laplacian) {
  if constexpr (SparseStatistics<Statistics, Scalar, Dim>) {
    laplacian.setZero();
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      statistics.for_each_derivative(
          x, j, [&](Eigen::Index k, Scalar, Scalar second) { laplacian(k) += second; });
    }
  } else if constexpr (HasStatisticLaplacian<Statistics, Scalar, Dim>) {
    laplacian = statistics.laplacian(x);
  } else {
    laplacian = statistics.curvature(x).rowwise().sum();
  }
}

}  // namespace detail

/// One density of an exponential family, its normalizing constant unknown.
///
/// **Math** log p(x) = theta . t(x) + b(x) + const.
///
/// **Shapes** x any dense Dim-vector.
template <Real Scalar_, int Dim_, int K_, class Statistics, class Base = FlatBase>
class ExponentialDistribution {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Parameters = Eigen::Matrix<Scalar, K_, 1>;

  ExponentialDistribution(Eigen::Index dimension, const Statistics& statistics, const Base& base,
                          const Parameters& theta)
      : dimension_(dimension), statistics_(statistics), base_(base), theta_(theta) {}

  Eigen::Index dimension() const { return dimension_; }
  /// theta: the natural parameters.
  const Parameters& parameters() const { return theta_; }

  /// theta . t(x) + b(x).
  template <SamplesOf<Scalar, Dim> X>
  Scalar unnormalized_log_density(const X& x) const {
    const Vector at = point(x);
    const Parameters t = statistics_(at);
    Scalar result = theta_.dot(t);
    if constexpr (!detail::flat<Base>) result += base_(at);
    return result;
  }

  /// Gradient in x of log p: D^T theta + grad b.
  template <SamplesOf<Scalar, Dim> X>
  Vector score(const X& x) const {
    const Vector at = point(x);
    Eigen::Matrix<Scalar, K_, Dim> jacobian(theta_.size(), dimension_);
    detail::write_jacobian<Scalar, Dim, K_>(statistics_, at, jacobian);
    Vector result = jacobian.transpose().lazyProduct(theta_);
    if constexpr (!detail::flat<Base>) result += base_.gradient(at);
    return result;
  }

  /// Laplacian in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    const Vector at = point(x);
    Parameters laplacian(theta_.size());
    detail::write_laplacian<Scalar, Dim, K_>(statistics_, at, laplacian);
    Scalar result = theta_.dot(laplacian);
    if constexpr (!detail::flat<Base>) result += base_.curvature(at).sum();
    return result;
  }

 private:
  template <class X>
  Vector point(const X& x) const {
    if (x.rows() != dimension_ || x.cols() != 1) {
      detail::fail("x is ", x.rows(), " x ", x.cols(), "; expected ", dimension_, " x 1");
    }
    return x.matrix();
  }

  Eigen::Index dimension_;
  Statistics statistics_;
  [[no_unique_address]] Base base_;
  Parameters theta_;
};

/// All densities exp(theta . t(x) + b(x)) of given statistics t, whatever their normalizing
/// constants: linear in the parameters, so that score matching is a quadratic form of them and
/// `ClosedForm` one linear solve.
///
/// **Math** the score is D^T theta + grad b with D = dt/dx. theta = 0 is the base measure alone,
/// which need not be normalizable; nor need the estimate be (docs/exponential-families.md).
///
/// **Shapes** t has K entries, theta too; D is K x Dim. Either may be Eigen::Dynamic.
///
/// **Statistics** a copyable class with `operator()(x)` -> K values, called with
/// `const Eigen::Matrix<Scalar, Dim, 1>&`, and its derivatives in one of these ways:
/// `jacobian(x)` (K x Dim) with `laplacian(x)` (K) or `curvature(x)` (K x Dim); or
/// `for_each_derivative(x, j, visit)` (`SparseStatistics`).
///
/// **Errors** std::invalid_argument for a dimension or parameter count below 1, or other than a
/// fixed one.
///
/// **Example** docs/snippets/exponential_families.cpp
template <Real Scalar_, int Dim_, int K_, class Statistics_, class Base_ = FlatBase>
class ExponentialFamily {
 public:
  static_assert(Dim_ == Eigen::Dynamic || Dim_ >= 1, "Dim is a positive size or Eigen::Dynamic");
  static_assert(K_ == Eigen::Dynamic || K_ >= 1, "K is a positive size or Eigen::Dynamic");
  static_assert(StatisticsByHand<Statistics_, Scalar_, Dim_>,
                "Statistics needs, beside operator()(x), either jacobian(x) with laplacian(x) or "
                "curvature(x), or for_each_derivative(x, j, visit)");
  static_assert(detail::flat<Base_> || BaseByHand<Base_, Scalar_, Dim_>,
                "a base measure needs operator()(x), gradient(x) and curvature(x)");

  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  static constexpr int ParameterCount = K_;
  using Statistics = Statistics_;
  using Base = Base_;
  using Vector = Eigen::Matrix<Scalar, Dim, 1>;
  using Parameters = Eigen::Matrix<Scalar, K_, 1>;
  using Distribution = ExponentialDistribution<Scalar, Dim, K_, Statistics, Base>;
  /// This class, also seen from a family derived from it.
  using Exponential = ExponentialFamily;

  explicit ExponentialFamily(Statistics statistics = Statistics(),
                             Base base = Base()) requires(Dim != Eigen::Dynamic &&
                                                          K_ != Eigen::Dynamic)
      : ExponentialFamily(Dim, K_, std::move(statistics), std::move(base)) {}

  ExponentialFamily(Eigen::Index dimension, Eigen::Index parameter_count,
                    Statistics statistics = Statistics(), Base base = Base())
      : dimension_(dimension),
        parameter_count_(parameter_count),
        statistics_(std::move(statistics)),
        base_(std::move(base)) {
    require_size("dimension", dimension, Dim);
    require_size("parameter_count", parameter_count, K_);
  }

  Eigen::Index dimension() const { return Dim == Eigen::Dynamic ? dimension_ : Eigen::Index(Dim); }
  Eigen::Index parameter_count() const {
    return K_ == Eigen::Dynamic ? parameter_count_ : Eigen::Index(K_);
  }
  const Statistics& statistics() const { return statistics_; }
  const Base& base() const { return base_; }

  /// All zeros: the base measure alone.
  Parameters start() const { return Parameters::Zero(parameter_count()); }

  /// **Errors** std::invalid_argument where theta has the wrong size or is not finite.
  Distribution distribution(const Parameters& theta) const {
    using std::isfinite;
    if (theta.size() != parameter_count()) {
      detail::fail("theta has ", theta.size(), " entries; expected ", parameter_count());
    }
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      if (!isfinite(theta(k))) {
        detail::fail(detail::entry("theta", k, theta(k)), "; expected a finite value");
      }
    }
    return Distribution(dimension(), statistics_, base_, theta);
  }

 private:
  static void require_size(const char* what, Eigen::Index size, int fixed) {
    if (size < 1 || (fixed != Eigen::Dynamic && size != fixed)) {
      detail::fail("ExponentialFamily: ", what, " = ", size, "; expected ",
                   fixed == Eigen::Dynamic ? std::string("at least 1") : detail::to_text(fixed));
    }
  }

  Eigen::Index dimension_;
  Eigen::Index parameter_count_;
  Statistics statistics_;
  [[no_unique_address]] Base base_;
};

/// An `ExponentialFamily`, or a family derived from one.
template <class F>
concept ExponentialModel = requires {
  typename F::Exponential;
}
&&std::derived_from<F, typename F::Exponential>;

}  // namespace scorematch
