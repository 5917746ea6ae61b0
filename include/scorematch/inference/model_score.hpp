// What the distances ask of a model: its score, as a member or as a plain function.
#pragma once

#include <scorematch/concepts.hpp>
#include <scorematch/data/samples.hpp>
#include <scorematch/detail/require.hpp>

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
