#pragma once

#include <scorematch/core/require.hpp>
#include <scorematch/data/box.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/family/exponential_family.hpp>
#include <scorematch/family/score_model.hpp>
#include <scorematch/loss/quadratic/centered_objective.hpp>
#include <scorematch/loss/quadratic/quadratic_summary.hpp>
#include <scorematch/loss/sampled/sample_objective.hpp>

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

namespace scorematch {

/// h(x) = min(x, c): the distance to the edge, as far as it is below c. Samples farther inside than
/// c count as in plain score matching.
///
/// **Units** c in those of the samples.
///
/// **Errors** std::invalid_argument, by the loss that takes it, for c that is not a finite number
/// above 0.
struct MinWeight {
  double c = 1;

  template <Real T>
  T value(T x) const {
    const T most = static_cast<T>(c);
    return x < most ? x : most;
  }
  template <Real T>
  T derivative(T x) const {
    return x < static_cast<T>(c) ? T(1) : T(0);
  }

  void require_options() const {
    detail::require_option(c > 0 && c <= (std::numeric_limits<double>::max)(), "MinWeight", "c", c,
                           "a finite number above 0");
  }
};

/// h(x) = x. Not for coordinates without any bound, where the distance to the edge is infinite.
struct LinearWeight {
  template <Real T>
  T value(T x) const {
    return x;
  }
  template <Real T>
  T derivative(T) const {
    return T(1);
  }
};

/// h(x) = log(1 + x): knows the unit of the samples. Not for coordinates without any bound.
struct LogWeight {
  template <Real T>
  T value(T x) const {
    return std::log1p(x);
  }
  template <Real T>
  T derivative(T x) const {
    return T(1) / (T(1) + x);
  }
};

/// `value(x)` is h(x) and `derivative(x)` is h'(x), for a distance x >= 0 from the edge.
///
/// Laws: h(0) = 0, h >= 0 and finite, h absolutely continuous. (h(0) = 0 is checked when a loss is
/// made, h >= 0 and finite at each sample. Where there is a `require_options()`, the loss calls
/// it.)
template <class W, class Scalar>
concept WeightFunction = std::copy_constructible<W> && requires(const W& h, Scalar x) {
  { h.value(x) } -> std::convertible_to<Scalar>;
  { h.derivative(x) } -> std::convertible_to<Scalar>;
};

/// A weight function of the distance to the nearer bound of a box: the `Weighting` of a
/// `QuadraticSummary`.
///
/// **Math** h_j(x_j) = h(min(x_j - lower_j, upper_j - x_j)); its slope is h' where the lower bound
/// is the nearer one, -h' where the upper one is.
template <Real Scalar_, int Dim_, WeightFunction<Scalar_> H>
class BoxWeighting {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;
  static constexpr bool uniform = false;

  struct At {
    Scalar h;
    Scalar slope;
  };

  BoxWeighting(Box<Scalar_, Dim_> box, H weight)
      : box_(std::move(box)), weight_(std::move(weight)) {}

  const Box<Scalar, Dim>& box() const { return box_; }

  /// That of the coordinate j, which is not checked.
  At weight(Eigen::Index j, Scalar x) const {
    const Scalar above = x - box_.lower()(j);
    const Scalar below = box_.upper()(j) - x;
    if (above <= below) {
      return {static_cast<Scalar>(weight_.value(above)),
              static_cast<Scalar>(weight_.derivative(above))};
    }
    return {static_cast<Scalar>(weight_.value(below)),
            -static_cast<Scalar>(weight_.derivative(below))};
  }

  /// Throws std::invalid_argument where a sample lies outside the box, or h is no weight there.
  /// Samples of weight 0 are not looked at.
  template <class X, class W = detail::Unweighted>
  void require_inside(const X& samples, const W& weights = W()) const {
    using std::isfinite;
    detail::require_inside(box_, samples, weights);
    for (Eigen::Index i = 0; i < samples.cols(); ++i) {
      if (!(weights(i) > 0)) continue;
      for (Eigen::Index j = 0; j < samples.rows(); ++j) {
        const At at = weight(j, samples(j, i));
        if (!(at.h >= 0) || !isfinite(at.h) || !isfinite(at.slope)) {
          detail::fail("the weight function at ", detail::entry("samples", j, i, samples(j, i)),
                       " in [", box_.lower()(j), ", ", box_.upper()(j), "] has value ", at.h,
                       " and derivative ", at.slope,
                       "; expected finite numbers, the value at least 0");
        }
      }
    }
  }

 private:
  Box<Scalar, Dim> box_;
  [[no_unique_address]] H weight_;
};

/// The samples themselves, all of them inside the box of a weighting: a `SampleSet` that refuses
/// others.
template <class Weighting_>
class TruncatedSamples {
 public:
  using Weighting = Weighting_;
  using Scalar = typename Weighting::Scalar;
  static constexpr int Dim = Weighting::Dim;
  using Set = SampleSet<Scalar, Dim>;

  explicit TruncatedSamples(Weighting weighting)
      : weighting_(std::move(weighting)), set_(weighting_.box().dimension()) {}

  Eigen::Index dimension() const { return set_.dimension(); }
  typename Set::Weight count() const { return set_.count(); }
  const Set& samples() const { return set_; }
  const Weighting& weighting() const { return weighting_; }

  /// **Errors** std::invalid_argument as of `SampleSet`, and for samples outside the box (with row,
  /// column and value). A call that throws changes nothing.
  template <SamplesOf<Scalar, Dim> X>
  void add(const X& samples) {
    detail::require_rows(samples, dimension());
    detail::with_coefficients(samples, [this](const auto& block) {
      weighting_.require_inside(block);
      set_.add(block);
    });
  }

  /// Adds samples with weights: weight k counts as k copies, weight 0 as absence.
  template <SamplesOf<Scalar, Dim> X, WeightsOf<Scalar> W>
  void add(const X& samples, const W& weights) {
    detail::with_weighted(samples, weights, dimension(),
                          [this](const auto& block, const auto& weight) {
                            weighting_.require_inside(block, weight);
                            set_.add(block, weight);
                          });
  }

  /// Adds everything `other` has seen.
  ///
  /// **Errors** std::invalid_argument where its box is another: all samples get the weights of this
  /// one, which vanish at its edges, and would not at those that have cut off the other's.
  /// (`QuadraticSummary` has weighted each sample by then, and merges different boxes.)
  void merge(const TruncatedSamples& other) {
    if (other.dimension() == dimension()) {
      detail::require_same_box("TruncatedSamples::merge", weighting_.box(), other.weighting_.box());
      weighting_.require_inside(other.set_.samples());  // its weight function may be another
    }
    set_.merge(other.set_);
  }

 private:
  Weighting weighting_;
  Set set_;
};

/// sum_j h_j (1/2 s_j^2 + d_jj log p) + h_j' s_j: the loss of one sample.
template <class Weighting>
struct GeneralizedScoreMatchingPoint {
  Weighting weighting;

  template <HasCurvature F, DenseExpression Theta>
  typename Theta::Scalar operator()(const F& family, const PointOf<F>& x,
                                    const Theta& theta) const {
    using T = typename Theta::Scalar;
    const auto at = family.score_and_curvature(x, theta);
    T sum(0);
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      const auto h = weighting.weight(j, x(j));
      const T& s = at.score(j);
      sum += h.h * (s * s / 2 + at.curvature(j)) + h.slope * s;
    }
    return sum;
  }
};

/// The family's own box where it has one, else the positive orthant.
struct NaturalDomain {};

namespace detail {

template <class Domain, class F>
inline constexpr bool domain_for = std::same_as<Domain, NaturalDomain>;
template <class Scalar, int Dim, class F>
inline constexpr bool domain_for<Box<Scalar, Dim>, F> = std::same_as<Scalar, typename F::Scalar> &&
                                                        (Dim == F::Dim || Dim == Eigen::Dynamic ||
                                                         F::Dim == Eigen::Dynamic);

}  // namespace detail

/// Score matching of samples that a domain cuts off: non-negative ones, or those in a box
/// (Hyvarinen 2007; Yu, Drton and Shojaie, JMLR 20, 2019).
///
/// **Math** J(theta) = E[ sum_j h_j (1/2 (d_j log p)^2 + d_jj log p) + h_j' d_j log p ], with
/// h_j = h(distance of x_j to its nearer bound) and h(0) = 0: the weights take the boundary term
/// away that makes plain score matching wrong here. Up to a constant it is half the Fisher
/// divergence weighted by h.
///
/// **Domain** the box given to the loss; else the family's own, `box()`; else the positive orthant.
///
/// **Summary** for an `ExponentialFamily`, a `QuadraticForm`, so that `ClosedForm` is exact; for
/// any other family that offers its second derivatives (`HasCurvature`, every energy), the samples.
///
/// **Errors** std::invalid_argument for samples outside the domain (row, column, value, bounds), a
/// weight function that is not 0 at 0, or not finite or negative at a sample, a box of another
/// dimension than the family's, and one other than the family's own.
///
/// **Units** J in h's unit / u^2 for samples in u.
///
/// **Example** docs/snippets/truncated_data.cpp
template <class H = MinWeight, class Domain = NaturalDomain>
class GeneralizedScoreMatchingLoss {
  template <class F>
  using Weighting = BoxWeighting<typename F::Scalar, F::Dim, H>;

 public:
  explicit GeneralizedScoreMatchingLoss(H weight = H(), Domain domain = Domain())
      : weight_(std::move(weight)), domain_(std::move(domain)) {
    static_assert(WeightFunction<H, double> || WeightFunction<H, float>,
                  "a weight function has value(x) and derivative(x)");
    if constexpr (requires { weight_.require_options(); }) weight_.require_options();
    const double at_edge = static_cast<double>(weight_.value(0.0));
    if (!(at_edge == 0)) {
      detail::fail("GeneralizedScoreMatchingLoss: the weight function at 0 is ", at_edge,
                   "; expected 0");
    }
  }

  const H& weight() const { return weight_; }

  /// An empty summary.
  template <HasCurvature F>
  requires detail::domain_for<Domain, F>
  auto summary(const F& family) const {
    if constexpr (ExponentialModel<F>) {
      return QuadraticSummary<typename F::Exponential, Weighting<F>>(family, weighting(family));
    } else {
      return TruncatedSamples<Weighting<F>>(weighting(family));
    }
  }

  /// **Errors** as of `SampleObjective`.
  template <HasCurvature F>
  SampleObjective<F, GeneralizedScoreMatchingPoint<Weighting<F>>> objective(
      const F& family, const TruncatedSamples<Weighting<F>>& summary) const {
    return {family, summary.samples(), {summary.weighting()}};
  }

  /// **Errors** std::invalid_argument where there are no samples or the parameter counts differ.
  template <HasCurvature F>
  requires ExponentialModel<F>
      QuadraticObjectiveOf<F, QuadraticSummary<typename F::Exponential, Weighting<F>>> objective(
          const F& family, const QuadraticSummary<typename F::Exponential, Weighting<F>>& summary)
  const { return detail::quadratic_objective(family, summary); }

 private:
  template <class F>
  Weighting<F> weighting(const F& family) const {
    return {box(family), weight_};
  }

  template <class F>
  Box<typename F::Scalar, F::Dim> box(const F& family) const {
    using FamilyBox = Box<typename F::Scalar, F::Dim>;
    if constexpr (std::same_as<Domain, NaturalDomain>) {
      if constexpr (HasBox<F>) {
        return family.box();
      } else {
        return FamilyBox::positive_orthant(family.dimension());
      }
    } else {
      if (domain_.dimension() != family.dimension()) {
        detail::fail("GeneralizedScoreMatchingLoss: the box has dimension ", domain_.dimension(),
                     "; expected ", family.dimension(), ", as the family has it");
      }
      FamilyBox result(domain_.lower(), domain_.upper());
      if constexpr (HasBox<F>) {
        if (!(result == family.box())) {
          detail::fail("GeneralizedScoreMatchingLoss: the box, from ",
                       detail::entry("lower", 0, result.lower()(0)), " and ",
                       detail::entry("upper", 0, result.upper()(0)),
                       " on, is not that of the family; expected none or the same");
        }
      }
      return result;
    }
  }

  [[no_unique_address]] H weight_;
  [[no_unique_address]] Domain domain_;
};

template <class H>
GeneralizedScoreMatchingLoss(H) -> GeneralizedScoreMatchingLoss<H>;
template <class H, class Domain>
GeneralizedScoreMatchingLoss(H, Domain) -> GeneralizedScoreMatchingLoss<H, Domain>;

}  // namespace scorematch
