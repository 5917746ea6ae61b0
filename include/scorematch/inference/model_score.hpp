// SPDX-License-Identifier: MIT
//
// What the distances ask of a model: its score, as a member or as a plain function, and where its
// density lives.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/box.hpp>
#include <scorematch/data/samples.hpp>

#include <Eigen/Core>

#include <cmath>
#include <type_traits>
#include <utility>

namespace scorematch {

/// What a score is: a column of Dim numbers.
template <class Vector, class Scalar, int Dim>
concept ScoreVector = SamplesOf<std::remove_cvref_t<Vector>, Scalar, Dim>;

/// A distribution of any family: `model.score(x)` is the gradient in x of its log density.
template <class M, class Scalar, int Dim>
concept HasScoreMember = requires(const M& model, const Eigen::Matrix<Scalar, Dim, 1>& x) {
  { model.score(x) } -> ScoreVector<Scalar, Dim>;
};

/// A plain callable: `model(x)` is the score itself.
template <class M, class Scalar, int Dim>
concept ScoreFunction = requires(const M& model, const Eigen::Matrix<Scalar, Dim, 1>& x) {
  { model(x) } -> ScoreVector<Scalar, Dim>;
};

/// Anything that has a score at a sample x, an `Eigen::Matrix<Scalar, Dim, 1>`. Normalizing
/// constants are not asked for.
///
/// Laws: the score is finite at every sample, and has as many entries; the same x always gives the
/// same score.
template <class M, class Scalar, int Dim>
concept ModelWithScore = HasScoreMember<M, Scalar, Dim> || ScoreFunction<M, Scalar, Dim>;

/// A model whose density ends at the edge of a box: what `in_box` makes of a score that does not
/// say so itself.
template <class Model, Real Scalar_, int Dim_>
class InBox {
 public:
  using Scalar = Scalar_;
  static constexpr int Dim = Dim_;

  InBox(Model model, Box<Scalar, Dim> box) : model_(std::move(model)), box_(std::move(box)) {}

  Eigen::Index dimension() const { return box_.dimension(); }
  const Box<Scalar, Dim>& box() const { return box_; }

  template <HasScalar<Scalar> X>
    requires ModelWithScore<Model, Scalar, X::RowsAtCompileTime>
  auto score(const X& x) const {
    if constexpr (HasScoreMember<Model, Scalar, X::RowsAtCompileTime>) {
      return model_.score(x);
    } else {
      return model_(x);
    }
  }

 private:
  Model model_;
  Box<Scalar, Dim> box_;
};

/// Says of a model that its density ends at the edge of a box, for one that has no `box()`: a plain
/// score, or an energy that was fitted by `GeneralizedScoreMatchingLoss`.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <class Model, Real Scalar, int Dim>
InBox<Model, Scalar, Dim> in_box(Model model, Box<Scalar, Dim> box) {
  return {std::move(model), std::move(box)};
}

/// A model of angles: what `on_torus` makes of a score that does not say so itself.
template <class Model>
class OnTorus {
 public:
  static constexpr bool periodic = true;

  explicit OnTorus(Model model) : model_(std::move(model)) {}

  template <DenseExpression X>
    requires ModelWithScore<Model, typename X::Scalar, X::RowsAtCompileTime>
  auto score(const X& x) const {
    if constexpr (HasScoreMember<Model, typename X::Scalar, X::RowsAtCompileTime>) {
      return model_.score(x);
    } else {
      return model_(x);
    }
  }

 private:
  Model model_;
};

/// Says of a model that its coordinates are angles, in radians, and its density has their period.
///
/// **Example** docs/snippets/judging_a_fit.cpp
template <class Model>
OnTorus<Model> on_torus(Model model) {
  return OnTorus<Model>(std::move(model));
}

namespace detail {

template <class M>
void require_model_dimension(const M& model, Eigen::Index rows) {
  if constexpr (requires { Eigen::Index(model.dimension()); }) {
    if (Eigen::Index(model.dimension()) != rows) {
      fail("samples have ", rows, " rows; expected ", Eigen::Index(model.dimension()),
           ", the dimension of the model (one sample per column, one row per coordinate)");
    }
  }
}

// score = that of the model at x, which is sample j; `name` is the argument that holds the model.
template <class M, class Scalar, int Dim, class Out>
void score_at(const M& model, const char* name, Eigen::Index j,
              const Eigen::Matrix<Scalar, Dim, 1>& x, Out& score) {
  using std::isfinite;
  const auto store = [&](const auto& result) {
    if (result.rows() != x.rows() || result.cols() != 1) {
      fail("the score of ", name, " at sample ", j, " is ", result.rows(), " x ", result.cols(),
           "; expected ", x.rows(), " x 1");
    }
    score = result.matrix();
  };
  if constexpr (HasScoreMember<M, Scalar, Dim>) {
    store(model.score(x));
  } else {
    store(model(x));
  }
  for (Eigen::Index i = 0; i < score.size(); ++i) {
    if (!isfinite(score(i))) {
      fail("the score of ", name, " at sample ", j, ": ", entry("score", i, score(i)),
           "; expected a finite value");
    }
  }
}

}  // namespace detail
}  // namespace scorematch
