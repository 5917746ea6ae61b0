#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/forward_curvature.hpp>
#include <scorematch/derivative/forward_laplacian.hpp>
#include <scorematch/derivative/functions.hpp>
#include <scorematch/derivative/taylor2.hpp>
#include <scorematch/derivative/variables.hpp>
#include <scorematch/detail/require.hpp>
#include <scorematch/family/score_model.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

namespace scorematch {

namespace detail {

template <class Scalar>
struct DerivativeVisitor {
  void operator()(Eigen::Index, Scalar, Scalar) const {}
};

template <class Scalar, int Dim>
using ForwardPoint = Eigen::Matrix<ForwardCurvature<Scalar, pass_width<Dim>>, Dim, 1>;

// Whether a result is a Number or consists of them.
template <class Result, class Number>
inline constexpr bool carries = std::same_as<Result, Number>;
template <DenseExpression Result, class Number>
inline constexpr bool carries<Result, Number> = std::same_as<typename Result::Scalar, Number>;

}  // namespace detail

/// Statistics that say, coordinate by coordinate, which of them depend on it and how:
/// `s.for_each_derivative(x, j, visit)` calls `visit(k, d_j t_k, d_jj t_k)` once for each statistic
/// k that depends on x_j: the same ones in the same order at every x. The way to write many
/// statistics of few coordinates each (a lattice).
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

/// A function of x that takes numbers which carry derivatives and returns such numbers: statistics
/// or a base measure written once, as a generic callable, and differentiated by the library.
// Eigen converts matrices of any scalar types to each other, so that the result has to be asked.
template <class S, class Scalar, int Dim>
concept DifferentiableFunction = requires(const S& s, const detail::ForwardPoint<Scalar, Dim>& x) {
  s(x);
  requires detail::carries < std::decay_t<decltype(s(x))>,
  typename detail::ForwardPoint<Scalar, Dim>::Scalar > ;
};

/// What an `ExponentialFamily` takes for its statistics.
template <class S, class Scalar, int Dim>
concept StatisticsFor = StatisticsByHand<S, Scalar, Dim> || DifferentiableFunction<S, Scalar, Dim>;

/// Statistics whose second derivatives are known one by one, as generalized score matching needs
/// them.
template <class S, class Scalar, int Dim>
concept KnowsCurvature = SparseStatistics<S, Scalar, Dim> ||
                         (HasJacobian<S, Scalar, Dim>&& HasStatisticCurvature<S, Scalar, Dim>) ||
                         DifferentiableFunction<S, Scalar, Dim>;

/// A base measure b(x) by hand: `b.gradient(x)` and `b.curvature(x)` have Dim entries, d_j b and
/// d_jj b, and `b(x)` is its value.
template <class B, class Scalar, int Dim>
concept BaseByHand = requires(const B& b, const Eigen::Matrix<Scalar, Dim, 1>& x) {
  { b(x) } -> std::convertible_to<Scalar>;
  b.gradient(x);
  b.curvature(x);
};

/// No base measure: b = 0.
struct FlatBase {};

/// What an `ExponentialFamily` takes for its base measure.
template <class B, class Scalar, int Dim>
concept BaseFor = std::same_as<B, FlatBase> || BaseByHand<B, Scalar, Dim> ||
    DifferentiableFunction<B, Scalar, Dim>;

namespace detail {

template <class Base>
inline constexpr bool flat = std::same_as<Base, FlatBase>;

// What a user's member returns has the shape that the family promises.
template <class Matrix>
void require_shape(const char* what, const Matrix& matrix, Eigen::Index rows,
                   Eigen::Index columns) {
  if (matrix.rows() != rows || matrix.cols() != columns) {
    fail("the statistics' ", what, matrix.rows(), " x ", matrix.cols(), "; expected ", rows, " x ",
         columns);
  }
}

// Differentiates a callable of `count` values in passes over the coordinates of x:
// `visit(k, j, first, second)` takes what a pass yields of value k by coordinate j. Of a
// ForwardLaplacian, `second` is the Laplacian of the pass, given once, at its first coordinate; of
// a ForwardCurvature, the second derivative by j. It is NaN where the value is not finite: log(x)
// has derivatives at a negative x.
template <class Number, class Scalar, int Dim, class Function, class Visit>
void for_each_forward(const Function& function, const Eigen::Matrix<Scalar, Dim, 1>& x,
                      Eigen::Index count, Visit&& visit) {
  for (Eigen::Index begin = 0; begin < x.size(); begin += Number::Variables) {
    const auto t = function(variables<Number>(x, begin));
    require_shape("values are ", t, count, 1);
    const Eigen::Index end = (std::min)(x.size(), begin + Number::Variables);
    for (Eigen::Index k = 0; k < count; ++k) {
      const Scalar unless_finite = guard_of(t(k));
      for (Eigen::Index j = begin; j < end; ++j) {
        const std::size_t variable = std::size_t(j - begin);
        Scalar second(0);
        if constexpr (std::same_as<Number, ForwardLaplacian<Scalar, Number::Variables>>) {
          if (j == begin) second = t(k).laplacian;
        } else {
          second = t(k).curvature[variable];
        }
        visit(k, j, t(k).gradient[variable], second + unless_finite);
      }
    }
  }
}

// D (K x Dim) and the Laplacian of t (K).
template <class Scalar, int Dim, int K, class Statistics>
void write_laplacian(const Statistics& statistics, const Eigen::Matrix<Scalar, Dim, 1>& x,
                     Eigen::Matrix<Scalar, K, Dim>& jacobian,
                     Eigen::Matrix<Scalar, K, 1>& laplacian) {
  if constexpr (SparseStatistics<Statistics, Scalar, Dim>) {
    jacobian.setZero();
    laplacian.setZero();
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      statistics.for_each_derivative(x, j, [&](Eigen::Index k, Scalar first, Scalar second) {
        jacobian(k, j) = first;
        laplacian(k) += second;
      });
    }
  } else if constexpr (HasJacobian<Statistics, Scalar, Dim>) {
    const Eigen::Index count = laplacian.size();
    jacobian = statistics.jacobian(x);
    if constexpr (HasStatisticLaplacian<Statistics, Scalar, Dim>) {
      laplacian = statistics.laplacian(x);
    } else {
      laplacian = statistics.curvature(x).rowwise().sum();
    }
    require_shape("jacobian is ", jacobian, count, x.size());
    require_shape("laplacian is ", laplacian, count, 1);
  } else {
    laplacian.setZero();
    for_each_forward<ForwardLaplacian<Scalar, pass_width<Dim>>>(
        statistics, x, laplacian.size(),
        [&](Eigen::Index k, Eigen::Index j, Scalar first, Scalar second) {
          jacobian(k, j) = first;
          laplacian(k) += second;
        });
  }
}

// D and d_jj t, both K x Dim.
template <class Scalar, int Dim, int K, class Statistics>
requires KnowsCurvature<Statistics, Scalar, Dim>
void write_curvature(const Statistics& statistics, const Eigen::Matrix<Scalar, Dim, 1>& x,
                     Eigen::Matrix<Scalar, K, Dim>& jacobian,
                     Eigen::Matrix<Scalar, K, Dim>& curvature) {
  if constexpr (SparseStatistics<Statistics, Scalar, Dim>) {
    jacobian.setZero();
    curvature.setZero();
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      statistics.for_each_derivative(x, j, [&](Eigen::Index k, Scalar first, Scalar second) {
        jacobian(k, j) = first;
        curvature(k, j) = second;
      });
    }
  } else if constexpr (HasJacobian<Statistics, Scalar, Dim> &&
                       HasStatisticCurvature<Statistics, Scalar, Dim>) {
    const Eigen::Index count = jacobian.rows();
    jacobian = statistics.jacobian(x);
    curvature = statistics.curvature(x);
    require_shape("jacobian is ", jacobian, count, x.size());
    require_shape("curvature is ", curvature, count, x.size());
  } else {
    for_each_forward<ForwardCurvature<Scalar, pass_width<Dim>>>(
        statistics, x, jacobian.rows(),
        [&](Eigen::Index k, Eigen::Index j, Scalar first, Scalar second) {
          jacobian(k, j) = first;
          curvature(k, j) = second;
        });
  }
}

// d_j b and d_jj b, Dim entries each.
template <class Scalar, int Dim, class Base>
void write_base(const Base& base, const Eigen::Matrix<Scalar, Dim, 1>& x,
                Eigen::Matrix<Scalar, Dim, 1>& gradient, Eigen::Matrix<Scalar, Dim, 1>& curvature) {
  if constexpr (flat<Base>) {
    gradient.setZero();
    curvature.setZero();
  } else if constexpr (BaseByHand<Base, Scalar, Dim>) {
    gradient = base.gradient(x);
    curvature = base.curvature(x);
  } else {
    const auto one = [&base](const auto& at) {
      return Eigen::Matrix<std::decay_t<decltype(base(at))>, 1, 1>(base(at));
    };
    for_each_forward<ForwardCurvature<Scalar, pass_width<Dim>>>(
        one, x, 1, [&](Eigen::Index, Eigen::Index j, Scalar first, Scalar second) {
          gradient(j) = first;
          curvature(j) = second;
        });
  }
}

// Score and Laplacian of theta . t + b, for parameters of any number type.
template <class Scalar, int Dim, int K, class Statistics, class Base, class Theta>
ScoreAndLaplacian<typename Theta::Scalar, Dim> score_and_laplacian(
    const Statistics& statistics, const Base& base, const Eigen::Matrix<Scalar, Dim, 1>& x,
    const Theta& theta) {
  using T = typename Theta::Scalar;
  Eigen::Matrix<Scalar, K, Dim> jacobian(theta.size(), x.size());
  Eigen::Matrix<Scalar, K, 1> laplacian(theta.size());
  Eigen::Matrix<Scalar, Dim, 1> base_gradient(x.size());
  Eigen::Matrix<Scalar, Dim, 1> base_curvature(x.size());
  write_laplacian<Scalar, Dim, K>(statistics, x, jacobian, laplacian);
  write_base<Scalar, Dim>(base, x, base_gradient, base_curvature);
  ScoreAndLaplacian<T, Dim> result{Eigen::Matrix<T, Dim, 1>(x.size()), T(base_curvature.sum())};
  for (Eigen::Index j = 0; j < x.size(); ++j) {
    result.score(j) = T(base_gradient(j));
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      result.score(j) += theta(k) * jacobian(k, j);
    }
  }
  for (Eigen::Index k = 0; k < theta.size(); ++k) result.laplacian += theta(k) * laplacian(k);
  return result;
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
    return derivatives(x).score;
  }

  /// Laplacian in x of log p.
  template <SamplesOf<Scalar, Dim> X>
  Scalar laplacian(const X& x) const {
    return derivatives(x).laplacian;
  }

 private:
  template <class X>
  ScoreAndLaplacian<Scalar, Dim> derivatives(const X& x) const {
    return detail::score_and_laplacian<Scalar, Dim, K_>(statistics_, base_, point(x), theta_);
  }

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
/// `const Eigen::Matrix<Scalar, Dim, 1>&`. Where it is generic in the number type (it returns a
/// column of the entries' type of x, made of the library's elementary functions) that is all, and
/// the derivatives come from forward passes. Else they are by hand: `jacobian(x)` (K x Dim) with
/// `laplacian(x)` (K) or `curvature(x)` (K x Dim); or `for_each_derivative(x, j, visit)`
/// (`SparseStatistics`). The base measure likewise.
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
  static_assert(
      StatisticsFor<Statistics_, Scalar_, Dim_>,
      "Statistics is a generic operator()(x), or has its derivatives by hand: jacobian(x) "
      "with laplacian(x) or curvature(x), or for_each_derivative(x, j, visit)");
  static_assert(BaseFor<Base_, Scalar_, Dim_>,
                "a base measure is a generic operator()(x), or has gradient(x) and curvature(x)");

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

  // theta below holds Scalar, or numbers that carry derivatives by theta (`Dual`).

  /// Gradient in x of log p_theta.
  template <DenseExpression Theta>
  Eigen::Matrix<typename Theta::Scalar, Dim, 1> score(const Vector& x, const Theta& theta) const {
    return score_and_laplacian(x, theta).score;
  }

  template <DenseExpression Theta>
  ScoreAndLaplacian<typename Theta::Scalar, Dim> score_and_laplacian(const Vector& x,
                                                                     const Theta& theta) const {
    return detail::score_and_laplacian<Scalar, Dim, K_>(statistics_, base_, x, theta);
  }

  template <DenseExpression Theta>
  requires KnowsCurvature<Statistics, Scalar, Dim> ScoreAndCurvature<typename Theta::Scalar, Dim>
  score_and_curvature(const Vector& x, const Theta& theta)
  const {
    using T = typename Theta::Scalar;
    Eigen::Matrix<Scalar, K_, Dim> jacobian(theta.size(), x.size());
    Eigen::Matrix<Scalar, K_, Dim> curvature(theta.size(), x.size());
    Vector base_gradient(x.size());
    Vector base_curvature(x.size());
    detail::write_curvature<Scalar, Dim, K_>(statistics_, x, jacobian, curvature);
    detail::write_base<Scalar, Dim>(base_, x, base_gradient, base_curvature);
    ScoreAndCurvature<T, Dim> result{Eigen::Matrix<T, Dim, 1>(x.size()),
                                     Eigen::Matrix<T, Dim, 1>(x.size())};
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      result.score(j) = T(base_gradient(j));
      result.curvature(j) = T(base_curvature(j));
      for (Eigen::Index k = 0; k < theta.size(); ++k) {
        result.score(j) += theta(k) * jacobian(k, j);
        result.curvature(j) += theta(k) * curvature(k, j);
      }
    }
    return result;
  }

  /// v . grad log p_theta and v^T (Hessian of log p_theta) v.
  template <DenseExpression Theta>
  requires(DifferentiableFunction<Statistics, Scalar, Dim> &&
           (detail::flat<Base> || DifferentiableFunction<Base, Scalar, Dim>))
      Directional<typename Theta::Scalar> directional(const Vector& x, const Vector& v,
                                                      const Theta& theta)
  const {
    using T = typename Theta::Scalar;
    const auto along = variables_along<Scalar>(x, v);
    const auto t = statistics_(along);
    Directional<T> result{T(0), T(0)};
    if constexpr (!detail::flat<Base>) {
      const auto b = base_(along);
      result = {T(b.first), T(b.second)};
    }
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      result.first += theta(k) * t(k).first;
      result.second += theta(k) * t(k).second;
    }
    return result;
  }

  /// theta . t(x) + b(x): log p_theta up to a constant in x.
  template <DenseExpression Theta>
  typename Theta::Scalar log_density(const Vector& x, const Theta& theta) const {
    using T = typename Theta::Scalar;
    const Eigen::Matrix<Scalar, K_, 1> t = statistics_(x);
    T result(0);
    if constexpr (!detail::flat<Base>) result = T(base_(x));
    for (Eigen::Index k = 0; k < theta.size(); ++k) result += theta(k) * t(k);
    return result;
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
