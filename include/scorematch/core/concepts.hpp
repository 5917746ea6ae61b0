// The joints of the library. A family, a loss and an optimizer are any types that model these;
// none has a base class. docs/concepts.md has one table for each, with models to copy.
#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/core/status.hpp>

#include <Eigen/Core>

#include <concepts>
#include <type_traits>
#include <utility>

namespace scorematch {

// --- samples -------------------------------------------------------------------------------------

namespace detail {
template <class Derived>
void take_dense(const Eigen::DenseBase<Derived>&);
}

/// Any dense Eigen object or expression: a matrix, an array, a map, a block, a product. (Not
/// `DenseBase<X>`: `head`, `segment` and `tail` derive from the base of another expression.)
template <class X>
concept DenseExpression = requires(const X& x) {
  detail::take_dense(x);
};

/// No silent conversion: float samples belong in a float family.
template <class X, class Scalar>
concept HasScalar = std::same_as<typename X::Scalar, Scalar>;

/// Rows known at compile time must match; otherwise they are checked when the samples arrive.
template <class X, int Dim>
concept HasRows = Dim == Eigen::Dynamic || int(X::RowsAtCompileTime) == Eigen::Dynamic ||
                  int(X::RowsAtCompileTime) == Dim;

/// A Dim x n block of samples, one sample per column. A single sample is the case n = 1.
template <class X, class Scalar, int Dim>
concept SamplesOf = DenseExpression<X> && HasScalar<X, Scalar> && HasRows<X, Dim>;

/// A row or column of n weights.
template <class X, class Scalar>
concept WeightsOf = DenseExpression<X> && HasScalar<X, Scalar> && bool(X::IsVectorAtCompileTime);

namespace detail {

// What Eigen would copy into a matrix of fixed size without asking for its own, but for an
// assertion.
template <class X, class Fixed>
concept SizedLater = DenseExpression<X> && HasScalar<X, typename Fixed::Scalar> &&
    ((int(Fixed::RowsAtCompileTime) != Eigen::Dynamic &&
      int(X::RowsAtCompileTime) == Eigen::Dynamic) ||
     (int(Fixed::ColsAtCompileTime) != Eigen::Dynamic &&
      int(X::ColsAtCompileTime) == Eigen::Dynamic));

// `x` as a `Fixed`, once its size has been looked at. What is no `SizedLater` passes as it is.
template <class Fixed, class X>
decltype(auto) sized(const char* argument, const X& x) {
  if constexpr (SizedLater<X, Fixed>) {
    constexpr int rows = Fixed::RowsAtCompileTime, cols = Fixed::ColsAtCompileTime;
    if ((rows != Eigen::Dynamic && x.rows() != rows) ||
        (cols != Eigen::Dynamic && x.cols() != cols)) {
      fail(argument, " is ", x.rows(), " x ", x.cols(), "; expected ",
           rows == Eigen::Dynamic ? x.rows() : rows, " x ",
           cols == Eigen::Dynamic ? x.cols() : cols);
    }
    return Fixed(x);
  } else {
    return (x);
  }
}

}  // namespace detail

// --- domain --------------------------------------------------------------------------------------

/// A family or a model whose densities end at the edge of a box, `box()`.
template <class M>
concept HasBox = requires(const M& model) {
  model.box();
};

/// What is about angles says so with `static constexpr bool periodic = true`: a model whose density
/// has the period 2 pi in every coordinate, the statistics of such models, a kernel for them. A
/// model that says nothing, and has no box (`HasBox`), has a density on all of R^Dim.
template <class T>
concept Periodic = requires {
  requires bool(T::periodic);
};

// --- family --------------------------------------------------------------------------------------

template <class F>
concept FamilyTypes = requires {
  typename F::Scalar;
  typename F::Parameters;
  typename F::Distribution;
}
&&Number<typename F::Scalar>&& HasScalar<typename F::Parameters, typename F::Scalar>&& bool(
    F::Parameters::IsVectorAtCompileTime);

template <class F>
concept FamilyDimension = requires {
  std::integral_constant<int, F::Dim>{};  // Dim or Eigen::Dynamic
};

/// A set of densities on R^Dim and its coordinates.
///
/// Laws: `start()` and every argument of `distribution` have `parameter_count()` entries;
/// `distribution(start())` is valid; the same theta always gives the same distribution; a family is
/// a value (copies are interchangeable).
///
/// No derivative is asked for here: how a loss differentiates a family is between the two.
template <class F>
concept Family = FamilyTypes<F> && FamilyDimension<F> && std::copy_constructible<F> &&
    requires(const F& family, const typename F::Parameters& theta) {
  { family.dimension() } -> std::convertible_to<Eigen::Index>;
  { family.parameter_count() } -> std::convertible_to<Eigen::Index>;
  { family.start() } -> std::convertible_to<typename F::Parameters>;
  { family.distribution(theta) } -> std::same_as<typename F::Distribution>;
};

/// A family that takes a start from what was seen. Law: it moves with the samples, and is a valid
/// argument of `distribution` for every summary with samples.
template <class F, class Summary>
concept StartsFrom = Family<F> && requires(const F& family, const Summary& summary) {
  { family.start(summary) } -> std::convertible_to<typename F::Parameters>;
};

/// Where a fit of the family may set out: a column of its parameters.
template <class X, class F>
concept StartFor = DenseExpression<X> && HasScalar<X, typename F::Scalar> &&
    HasRows<X, int(F::Parameters::SizeAtCompileTime)>;

// --- objective -----------------------------------------------------------------------------------

/// A function to minimize: `value = objective(theta, gradient)` writes all of `gradient`.
///
/// Laws: the gradient is that of the value; a point outside the domain gives a value that is not
/// finite, it does not throw. The call may change the objective (workspace, random draws).
template <class O, class Parameters>
concept Objective = requires(O& objective, const Parameters& theta, Parameters& gradient) {
  { objective(theta, gradient) } -> std::convertible_to<typename Parameters::Scalar>;
};

/// What an objective knows of itself as a whole, whatever theta is. An objective without `info()`,
/// or one that leaves out a member, is one of which the defaults are true.
template <Number Scalar>
struct ObjectiveInfo {
  /// There is no minimum: the value falls for ever. A mask, where Scalar is a pack.
  MaskOf<Scalar> unbounded = false;
  /// There is a minimum, but not only one. False where `unbounded`.
  bool ambiguous = false;
  /// It draws anew at every call, so that value and gradient are right on average only. Where not,
  /// equal arguments give equal bits.
  bool stochastic = false;
  /// The part of the value that theta does not change. Convergence is relative to what remains: in
  /// a large constant any flat place would pass for a minimum.
  Scalar constant{0};
  /// How many parameters it has; 0 where it takes any number.
  Eigen::Index parameter_count = 0;
};

/// An objective with an `info()`. Law: it is the same at every call.
template <class O, class Parameters>
concept HasInfo = requires(const O& objective) {
  { objective.info() } -> std::same_as<ObjectiveInfo<typename Parameters::Scalar>>;
};

/// The minimum of an objective, known without a walk. The gradient there is zero up to rounding.
template <class Parameters_>
struct ExactMinimum {
  using Parameters = Parameters_;
  using Scalar = typename Parameters::Scalar;

  Parameters parameters;
  Scalar loss;  ///< the value there, up to rounding; not finite where that is not
};

/// An objective that knows its minimum. Laws: those of `ExactMinimum`; where `info()` says that
/// there is none, the result means nothing; where there are many it is one of them.
template <class O, class Parameters>
concept HasExactMinimum = Objective<O, Parameters> && requires(O& objective) {
  { objective.exact() } -> std::same_as<ExactMinimum<Parameters>>;
};

/// One that also knows the distribution there, for less than `family.distribution(parameters)`
/// costs, to which it is equal up to rounding. It gives away what it holds: the last call.
template <class O, class F>
concept HasExactDistribution = HasExactMinimum<O, typename F::Parameters> &&
    requires(O&& objective) {
  { std::move(objective).exact_distribution() } -> std::same_as<typename F::Distribution>;
};

/// An objective that knows how far theta is from its minimum, without units. Laws: zero at a
/// minimum alone, up to rounding; of order one or more where the model at theta is nothing like the
/// samples, also in a single direction; the same whatever the units of samples and parameters.
template <class O, class Parameters>
concept HasDistanceToMinimum = requires(O& objective, const Parameters& theta) {
  { objective.distance_to_minimum(theta) } -> std::convertible_to<typename Parameters::Scalar>;
};

/// An objective with coordinates u of its own: their origin lies near the samples, and a change of
/// one is of the order of one. An optimizer that adapts walks in them, so that neither an offset
/// nor a unit of the samples makes its work harder.
///
/// Laws: `local(u, gradient)` is the value at `from_local(u)`, with the gradient by u;
/// `to_local(from_local(u))` is u up to rounding. Samples that are moved or scaled together leave u
/// of the moved parameters, and the ratio of values and gradients, as they are.
template <class O, class Parameters>
concept HasLocalCoordinates = Objective<O, Parameters> &&
    requires(O& objective, const Parameters& u, Parameters& gradient) {
  { objective.local(u, gradient) } -> std::convertible_to<typename Parameters::Scalar>;
  { objective.to_local(u) } -> std::convertible_to<Parameters>;
  { objective.from_local(u) } -> std::convertible_to<Parameters>;
};

/// A convex penalty that is a sum over the parameters, each on its own: sum_k value(k, theta_k).
///
/// Laws: `value(k, t)` is at least 0, zero at t = 0, and convex in t; `proximal(k, t, step)` is the
/// z that minimizes (z - t)^2 / 2 + step value(k, z), for step >= 0.
template <class P, class Scalar>
concept SeparablePenalty = std::copy_constructible<std::remove_cvref_t<P>> &&
    requires(const std::remove_cvref_t<P>& penalty, Eigen::Index k, Scalar t, Scalar step) {
  { penalty.value(k, t) } -> std::convertible_to<Scalar>;
  { penalty.proximal(k, t, step) } -> std::convertible_to<Scalar>;
};

/// An objective that is `smooth()`, an `Objective`, plus `penalty()`. Where the penalty has a
/// corner there is no gradient, and an optimizer that knows of corners asks for the two apart.
template <class O, class Parameters>
concept PenalizedObjective = requires(O& objective) {
  { objective.smooth() } -> Objective<Parameters>;
  { objective.penalty() } -> SeparablePenalty<typename Parameters::Scalar>;
};

/// An objective that can say what is wrong with a start, before any step: `check_start` throws
/// std::invalid_argument with a sentence that names the sample.
template <class O, class Parameters>
concept ChecksStart = requires(O& objective, const Parameters& start) {
  objective.check_start(start);
};

namespace detail {

// The one place where objectives are asked for it.
template <class Parameters, class Obj>
EIGEN_ALWAYS_INLINE ObjectiveInfo<typename Parameters::Scalar> info_of(
    [[maybe_unused]] const Obj& objective) {
  if constexpr (HasInfo<Obj, Parameters>) {
    return objective.info();
  } else {
    return {};
  }
}

}  // namespace detail

// --- loss ----------------------------------------------------------------------------------------

/// What a loss keeps of the samples. One sample x is a Dim-vector, a block is Dim x n.
///
/// Laws: adding a block equals adding its columns; `merge` equals having added the other's samples;
/// an `add` that throws leaves the summary as it was.
template <class S, class F>
concept SummaryFor = std::copy_constructible<S> &&
    requires(S& summary, const S& other, const Eigen::Matrix<typename F::Scalar, F::Dim, 1>& x,
             const Eigen::Matrix<typename F::Scalar, F::Dim, Eigen::Dynamic>& samples) {
  summary.add(x);
  summary.add(samples);
  summary.merge(other);
  { any(other.count() > 0) } -> std::convertible_to<bool>;
};

template <class L, class F>
concept Summarizes = requires(const L& loss, const F& family) {
  { loss.summary(family) } -> SummaryFor<F>;
};

/// A family on all of R^Dim. What most losses take: at an edge their integration by parts is wrong.
template <class F>
concept WithoutEdge = !HasBox<F>;

// Named, so that the compiler says which loss is for families with an edge.
template <class L, class F>
concept NoEdgeOrGeneralizedScoreMatchingLoss = WithoutEdge<F> || Summarizes<L, F>;

/// The summary a loss keeps for a family, and the objective it makes of it.
template <class L, class F>
using SummaryOf =
    std::remove_cvref_t<decltype(std::declval<const L&>().summary(std::declval<const F&>()))>;

template <class L, class F>
using ObjectiveOf = std::remove_cvref_t<decltype(std::declval<const L&>().objective(
    std::declval<const F&>(), std::declval<const SummaryOf<L, F>&>()))>;

/// Turns a family and what was seen into an objective over the family's parameters.
///
/// Laws: `summary(family)` is empty; the objective keeps no reference to loss, family or summary.
template <class L, class F>
concept LossFor = Family<F> && NoEdgeOrGeneralizedScoreMatchingLoss<L, F> && Summarizes<L, F> &&
    requires(const L& loss, const F& family, const SummaryOf<L, F>& summary) {
  { loss.objective(family, summary) } -> Objective<typename F::Parameters>;
};

// --- observer ------------------------------------------------------------------------------------

/// Called once per step with `const IterationState<Parameters>&`; returns void, or false to stop.
/// (Eigen's columns can be called too, with indices; as the last argument of `fit` they are
/// starts.)
template <class O, class Parameters>
concept Observer = !DenseExpression<std::remove_cvref_t<O>> &&
                   requires(O & observer, const IterationState<Parameters>& state) {
  observer(state);
}
&&(std::is_void_v<std::invoke_result_t<O&, const IterationState<Parameters>&>> ||
   std::convertible_to<std::invoke_result_t<O&, const IterationState<Parameters>&>, bool>);

/// The observer that looks at nothing.
struct NoObserver {
  template <class Parameters>
  void operator()(const IterationState<Parameters>&) const {}
};

// --- optimizer -----------------------------------------------------------------------------------

/// One that does not walk, but asks the objective for its `exact()` minimum.
template <class O>
concept ExactOptimizer = bool(O::exact);

// Named, so that the compiler says what ClosedForm misses in an objective.
template <class O, class Obj, class Parameters>
concept HasExactMinimumIfExact = !ExactOptimizer<O> || HasExactMinimum<Obj, Parameters>;

/// One that learns the scales of the loss on its way, and has no learning rate that ties it to
/// samples of order one: `fit` starts it from what the family makes of the samples
/// (`StartsFrom`), and it walks in `HasLocalCoordinates`.
template <class O>
concept AdaptiveOptimizer = bool(O::adaptive);

/// Walks an objective from a start to a `Minimum`.
///
/// Laws: the same arguments give the same bits; the returned parameters are finite; `status` is
/// `converged` only where the optimizer's stated test holds; options out of range throw
/// std::invalid_argument. A plain value: settings only, nothing of a run stays in it.
template <class O, class Obj, class Parameters>
concept OptimizerFor = Objective<Obj, Parameters> && HasExactMinimumIfExact<O, Obj, Parameters> &&
    requires(const O& optimizer, Obj& objective, const Parameters& start, NoObserver& observer) {
  { optimizer.minimize(objective, start, observer) } -> std::same_as<Minimum<Parameters>>;
};

}  // namespace scorematch
