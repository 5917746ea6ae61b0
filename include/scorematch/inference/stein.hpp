// SPDX-License-Identifier: MIT
//
// The kernelized Stein discrepancy: how well samples fit a model of which only the score is known.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/inference/model_score.hpp>
#include <scorematch/inference/stein_kernel.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

namespace scorematch {

// --- the discrepancy -----------------------------------------------------------------------------

/// The squared kernelized Stein discrepancy of samples from a model, estimated twice.
template <Real Scalar>
struct SteinDiscrepancy {
  /// Unbiased; about 0, and of either sign, where the samples are those of the model.
  Scalar u_statistic;
  /// Never negative, never less than its part of order 1/n: the squared discrepancy of the set of
  /// samples itself.
  Scalar v_statistic;
  /// The length the kernel was used with, in the units of the samples.
  Scalar length;
};

/// A discrepancy with the probability of one as large if the samples were those of the model.
template <Real Scalar>
struct SteinTest : SteinDiscrepancy<Scalar> {
  double p_value;
};

/// How `stein_test` finds what the discrepancy would be if the samples were those of the model.
struct WildBootstrap {
  /// The p-value is a multiple of 1 / (draws + 1).
  int draws = 1000;
  /// How often the random sign changes from one sample to the next: 1/2 for independent samples,
  /// less for a Markov chain, about one over the number of steps over which it forgets.
  double flip_probability = 0.5;

  void require_options() const {
    detail::require_option(draws >= 1, "WildBootstrap", "draws", draws, "at least 1");
    detail::require_option(flip_probability > 0 && flip_probability <= 0.5, "WildBootstrap",
                           "flip_probability", flip_probability,
                           "a number above 0 and at most 0.5");
  }
};

/// What `stein_test` asks of a generator: std::uniform_random_bit_generator in all but name, whose
/// header is a large one.
template <class G>
concept RandomBits = std::unsigned_integral<std::invoke_result_t<G&>> && requires {
  { (G::min)() } -> std::same_as<std::invoke_result_t<G&>>;
  { (G::max)() } -> std::same_as<std::invoke_result_t<G&>>;
};

namespace detail {

// The median of n numbers, which one of them, however far, does not move.
template <class Sum, class Numbers>
Sum median(const Numbers& numbers) {
  std::vector<Sum> sorted;
  sorted.reserve(static_cast<std::size_t>(numbers.size()));
  for (Eigen::Index j = 0; j < numbers.size(); ++j) sorted.push_back(static_cast<Sum>(numbers(j)));
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

// That a kernel has no boundary term in the domain of a model.
template <class Model, class Kernel>
constexpr void require_domain() {
  static_assert(!HasBox<Model> || VanishesAtEdge<Kernel>,
                "the density of this model ends at a box, where Stein's identity needs a kernel "
                "that vanishes at its edge: give BoxKernel{kernel}, or no kernel");
  static_assert(HasBox<Model> || !Periodic<Model> || Periodic<Kernel>,
                "the density of this model is one of angles, where Stein's identity needs a kernel "
                "with their period: give PeriodicKernel{kernel}, or no kernel");
  static_assert(HasBox<Model> || !VanishesAtEdge<Kernel>,
                "BoxKernel has to know the box: the model has no box(), give in_box(model, box)");
  static_assert(Periodic<Model> || !Periodic<Kernel>,
                "PeriodicKernel is for models of angles, which this one does not say to be: give "
                "on_torus(model)");
}

// h = g(a) g(b) at the distances a and b from the bounds, in lengths, and its slope along a.
template <class Sum>
struct EdgeWeight {
  Sum value;
  Sum slope;
};
template <class Sum>
EdgeWeight<Sum> edge_weight(Sum above, Sum below) {
  using std::hypot;
  using std::isfinite;
  const auto g = [](Sum r) -> EdgeWeight<Sum> {
    if (!isfinite(r)) return {Sum(1), Sum(0)};
    const Sum root = hypot(Sum(1), r);
    return {r / root, 1 / root / root / root};
  };
  const auto lower = g(above);
  const auto upper = g(below);
  return {lower.value * upper.value, lower.slope * upper.value - lower.value * upper.slope};
}

// What pairs of samples are compared by, without units: positions z = (x - median) / length, and
// t = length s.
//
// In these u_p(x, y) length^2 = kappa t_x . t_y + 2 kappa' (sum_i (t_y - t_x)_i D_i - M)
//                               - 4 kappa'' sum_i D_i^2,
// D = z_x - z_y = half the gradient of rho in x, M = Dim = minus half its mixed derivatives.
// Weights h of a box: t becomes h t + length h', the (t_y - t_x)_i D_i become
// (h_x t_y - h_y t_x)_i D_i, and each term of the other two sums has a factor h_x h_y.
// On circles: D_i = sin(x_i - y_i) / length, M = sum_i cos(x_i - y_i) = Dim - length^2 rho / 2.
template <class Sum, int Dim, class Kernel>
class SteinPairs {
  static constexpr bool circles = Periodic<Kernel>;
  static constexpr bool weighted = VanishesAtEdge<Kernel>;
  static constexpr int PositionRows = circles && Dim != Eigen::Dynamic ? 2 * Dim : Dim;

 public:
  template <class Model, class X>
  SteinPairs(const Model& model, const X& samples, const Kernel& kernel) : kernel_(kernel) {
    using Scalar = typename X::Scalar;
    using Vector = Eigen::Matrix<Scalar, Dim, 1>;
    require_domain<Model, Kernel>();
    const Eigen::Index d = samples.rows();
    const Eigen::Index n = samples.cols();
    kernel.require_options();
    require_model_dimension(model, d);
    if (d < 1) fail("samples have 0 rows; expected at least 1");
    if (n < 2) fail("samples have ", n, " columns; expected at least 2, as pairs are compared");
    require_finite(samples);
    if constexpr (weighted) model.box().require_inside(samples);
    place(samples);
    scores_.resize(d, n);
    Vector x(d);
    Vector score(d);
    for (Eigen::Index j = 0; j < n; ++j) {
      x = samples.col(j).matrix();
      score_at(model, "the model", j, x, score);
      for (Eigen::Index i = 0; i < d; ++i) scores_(i, j) = length_ * static_cast<Sum>(score(i));
    }
    if constexpr (weighted) weigh(samples, model.box());
  }

  Eigen::Index count() const { return scores_.cols(); }
  Sum length() const { return length_; }

  Sum operator()(Eigen::Index i, Eigen::Index j) const {
    const Eigen::Index d = scores_.rows();
    Sum rho(0);
    Sum along(0);
    Sum product(0);
    Sum mixed(0);
    Sum squares(0);
    for (Eigen::Index k = 0; k < d; ++k) {
      product += scores_(k, i) * scores_(k, j);
      if constexpr (circles) {
        const Sum cosine = positions_(k, i) - positions_(k, j);
        const Sum sine = positions_(d + k, i) - positions_(d + k, j);
        const Sum step = length_ * (positions_(d + k, i) * positions_(k, j) -
                                    positions_(k, i) * positions_(d + k, j));
        rho += cosine * cosine + sine * sine;
        along += (scores_(k, j) - scores_(k, i)) * step;
        squares += step * step;
      } else {
        const Sum step = positions_(k, i) - positions_(k, j);
        rho += step * step;
        if constexpr (weighted) {
          const Sum weight = weights_(k, i) * weights_(k, j);
          along += (weights_(k, i) * scores_(k, j) - weights_(k, j) * scores_(k, i)) * step;
          mixed += weight;
          squares += weight * step * step;
        } else {
          along += (scores_(k, j) - scores_(k, i)) * step;
        }
      }
    }
    if constexpr (!weighted) mixed = static_cast<Sum>(d);
    if constexpr (circles) mixed -= length_ * length_ * rho / 2;
    if constexpr (!circles && !weighted) squares = rho;
    const RadialKernel<Sum> kappa = kernel_(rho);
    return kappa.value * product + 2 * kappa.first * (along - mixed) - 4 * squares * kappa.second;
  }

  template <Real Scalar>
  SteinDiscrepancy<Scalar> result(Sum diagonal, Sum off_diagonal) const {
    const Sum n = static_cast<Sum>(count());
    const auto with_units = [&](Sum mean) {
      return finite_or_infinity(static_cast<Scalar>(mean / length_ / length_));
    };
    const Scalar v = with_units((diagonal + off_diagonal) / n / n);
    return {with_units(off_diagonal / n / (n - 1)), v < 0 ? Scalar(0) : v,
            static_cast<Scalar>(length_)};
  }

 private:
  using Coordinates = Eigen::Matrix<Sum, Dim, Eigen::Dynamic>;

  template <class X>
  void place(const X& samples) {
    using std::cos;
    using std::sin;
    const Eigen::Index d = samples.rows();
    positions_.resize(circles ? 2 * d : d, samples.cols());
    for (Eigen::Index i = 0; i < d; ++i) {
      const Sum center = median<Sum>(samples.row(i));
      for (Eigen::Index j = 0; j < samples.cols(); ++j) {
        const Sum x = static_cast<Sum>(samples(i, j)) - center;
        positions_(i, j) = circles ? cos(x) : x;
        if constexpr (circles) positions_(d + i, j) = sin(x);
      }
    }
    const std::optional<double> length = kernel_.length;
    if (length) {
      length_ = static_cast<Sum>(*length);
    } else if constexpr (circles) {
      length_ = median_distance(positions_);
    } else {
      length_ = static_cast<Sum>(median_distance(samples));
    }
    positions_ /= length_;
  }

  template <class X, class Domain>
  void weigh(const X& samples, const Domain& box) {
    weights_.resize(samples.rows(), samples.cols());
    for (Eigen::Index j = 0; j < samples.cols(); ++j) {
      for (Eigen::Index i = 0; i < samples.rows(); ++i) {
        const Sum x = static_cast<Sum>(samples(i, j));
        const auto h = edge_weight((x - static_cast<Sum>(box.lower()(i))) / length_,
                                   (static_cast<Sum>(box.upper()(i)) - x) / length_);
        weights_(i, j) = h.value;
        scores_(i, j) = h.value * scores_(i, j) + h.slope;
      }
    }
  }

  Kernel kernel_;
  Sum length_{};
  Eigen::Matrix<Sum, PositionRows, Eigen::Dynamic> positions_;  // on circles: cosines, then sines
  Coordinates scores_;
  Coordinates weights_;
};

template <class X, class Kernel>
using SteinPairsOf =
    SteinPairs<std::common_type_t<typename X::Scalar, double>, int(X::RowsAtCompileTime), Kernel>;

// signs(i, b) = +1 or -1: for each b a chain that changes its sign with the given probability.
template <class Signs, class Rng>
void draw_signs(Rng& rng, double flip_probability, Signs& signs) {
  const double range = static_cast<double>((Rng::max)() - (Rng::min)()) + 1;
  const auto happens = [&](double probability) {
    return static_cast<double>(rng() - (Rng::min)()) < probability * range;
  };
  for (Eigen::Index b = 0; b < signs.cols(); ++b) {
    signs(0, b) = happens(0.5) ? 1 : -1;
    for (Eigen::Index i = 1; i < signs.rows(); ++i) {
      signs(i, b) = happens(flip_probability) ? -signs(i - 1, b) : signs(i - 1, b);
    }
  }
}

}  // namespace detail

/// The squared kernelized Stein discrepancy between samples and a model: a figure of the fit that
/// needs no normalizing constant.
///
/// **Math** mean over pairs of samples of the Stein kernel (Liu, Lee and Jordan 2016; Chwialkowski,
/// Strathmann and Gretton 2016; Gorham and Mackey 2017)
/// u(x, y) = s(x) . s(y) k + s(x) . grad_y k + s(y) . grad_x k + tr grad_x grad_y k,
/// over all i != j (U) and over all i, j (V). Its expectation over the model, in x or in y, is 0;
/// over samples of density q it is E (s - s_q)(x) . k(x, y) (s - s_q)(y): a Fisher divergence,
/// smoothed by the kernel, for which s_q need not be known.
///
/// **Shapes** samples Dim x n, one per column, n at least 2; `model` has `score(x)`, or is a
/// callable x -> score.
///
/// **Units** x in u: 1/u^2, as the Fisher divergence.
///
/// **Errors** std::invalid_argument for fewer than 2 samples, another dimension than the model has,
/// a sample that is not finite, a score that is not finite or of the wrong size (with the index of
/// its sample), options of the kernel, and no length where no two samples differ. Infinity where
/// the statistic overflows.
///
/// **Cost** n scores and O(n^2 Dim). Sums are kept in double for float samples. **Allocation**
/// O(n Dim): pairs are not stored.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <class Model, DenseExpression X, class Kernel = DefaultSteinKernel<Model>>
  requires ModelWithScore<Model, typename X::Scalar, X::RowsAtCompileTime> &&
           SteinKernel<Kernel, std::common_type_t<typename X::Scalar, double>>
SteinDiscrepancy<typename X::Scalar> stein_discrepancy(const Model& model, const X& samples,
                                                       const Kernel& kernel = {}) {
  using Sum = std::common_type_t<typename X::Scalar, double>;
  SteinDiscrepancy<typename X::Scalar> result{};
  detail::with_coefficients(samples, [&](const auto& block) {
    const detail::SteinPairsOf<X, Kernel> pairs(model, block, kernel);
    Sum diagonal(0);
    Sum above(0);
    for (Eigen::Index j = 0; j < pairs.count(); ++j) {
      Sum column(0);
      for (Eigen::Index i = 0; i < j; ++i) column += pairs(i, j);
      above += column;
      diagonal += pairs(j, j);
    }
    result = pairs.template result<typename X::Scalar>(diagonal, 2 * above);
  });
  return result;
}

/// Tests whether samples are those of a model, by the kernelized Stein discrepancy.
///
/// The samples must not be those the model was fitted to: it would fit them too well.
///
/// **Math** the discrepancy as in `stein_discrepancy`. Under the model the sum over pairs of u_ij
/// is distributed as that of e_i e_j u_ij, e random signs, in the limit of many samples
/// (Chwialkowski, Strathmann and Gretton 2016): with `draws` of them, p = (1 + how many are at
/// least as large) / (1 + draws).
///
/// `rng` is any std::uniform_random_bit_generator; it is called draws * n times, and the same
/// state of it gives the same p-value everywhere.
///
/// **Errors** as `stein_discrepancy`, and for options of the bootstrap. Where the statistic
/// overflows, p is at its least, 1 / (1 + draws).
///
/// **Cost** n scores, O(n^2 Dim) and draws * n^2 flops. **Allocation** O(n (Dim + draws)).
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <class Model, DenseExpression X, RandomBits Rng, class Kernel = DefaultSteinKernel<Model>>
  requires ModelWithScore<Model, typename X::Scalar, X::RowsAtCompileTime> &&
           SteinKernel<Kernel, std::common_type_t<typename X::Scalar, double>>
SteinTest<typename X::Scalar> stein_test(const Model& model, const X& samples, Rng& rng,
                                         const Kernel& kernel = {},
                                         const WildBootstrap& bootstrap = {}) {
  using Sum = std::common_type_t<typename X::Scalar, double>;
  using Matrix = Eigen::Matrix<Sum, Eigen::Dynamic, Eigen::Dynamic>;
  bootstrap.require_options();
  SteinTest<typename X::Scalar> result{};
  detail::with_coefficients(samples, [&](const auto& block) {
    const detail::SteinPairsOf<X, Kernel> pairs(model, block, kernel);
    const Eigen::Index n = pairs.count();
    Matrix signs(n, bootstrap.draws);
    detail::draw_signs(rng, bootstrap.flip_probability, signs);
    Sum diagonal(0);
    Sum above(0);
    Sum size(0);
    Eigen::Matrix<Sum, 1, Eigen::Dynamic> above_drawn =
        Eigen::Matrix<Sum, 1, Eigen::Dynamic>::Zero(bootstrap.draws);
    // A few rows of u above the diagonal at a time, for all draws at once.
    const Eigen::Index rows = (std::min)(n, Eigen::Index(32));
    Matrix u(rows, n);
    Matrix products(rows, bootstrap.draws);
    for (Eigen::Index start = 0; start < n; start += rows) {
      const Eigen::Index height = (std::min)(rows, n - start);
      for (Eigen::Index j = start; j < n; ++j) {
        for (Eigen::Index i = start; i < start + height; ++i) {
          u(i - start, j) = i < j ? pairs(i, j) : Sum(0);
        }
      }
      const auto part = u.block(0, start, height, n - start);
      above += part.sum();
      size += part.cwiseAbs().sum();
      products.topRows(height).noalias() = part * signs.bottomRows(n - start);
      above_drawn +=
          products.topRows(height).cwiseProduct(signs.middleRows(start, height)).colwise().sum();
    }
    for (Eigen::Index j = 0; j < n; ++j) diagonal += pairs(j, j);
    static_cast<SteinDiscrepancy<typename X::Scalar>&>(result) =
        pairs.template result<typename X::Scalar>(diagonal, 2 * above);
    int as_large = 0;
    // A draw may equal the statistic but for the order of its sum, in which nothing stands but u
    // above the diagonal: one sample far off makes the diagonal as large as it likes.
    const Sum rounding = 16 * std::numeric_limits<Sum>::epsilon() * size;
    for (Eigen::Index b = 0; b < bootstrap.draws; ++b) {
      if (above_drawn(b) >= above - rounding) ++as_large;
    }
    result.p_value = (1.0 + as_large) / (1.0 + bootstrap.draws);
  });
  return result;
}

}  // namespace scorematch
