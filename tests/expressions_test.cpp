// Every dense expression of Eigen through every way in. What is read is its value, whatever the
// expression is made of.
#include "support.hpp"

#include <doctest/doctest.h>

#include <complex>
#include <functional>
#include <type_traits>
#include <vector>

namespace {

using namespace support;

using Eigen::all;
using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// Gives `use` expressions of every type that are all equal to `value`, of a fixed number of rows.
template <int Rows, class Use>
void for_each_block(const MatrixXd& value, const Use& use) {
  using Block = Eigen::Matrix<double, Rows, Eigen::Dynamic>;
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  const Index d = value.rows();
  const Index n = value.cols();
  const Block x = value;
  const RowMajor row_major = value;
  const MatrixXd transposed = value.transpose();
  const MatrixXd zero = MatrixXd::Zero(d, n);
  const MatrixXd one = MatrixXd::Ones(d, n);
  const MatrixXd identity = MatrixXd::Identity(d, d);
  const VectorXd flat = value.reshaped();
  const VectorXd by_rows = transposed.reshaped();
  const MatrixXd reversed = value.reverse();
  MatrixXd wide = MatrixXd::Constant(2 * d, 2 * n, not_a_number);
  wide(Eigen::seq(0, 2 * d - 2, 2), Eigen::seq(0, 2 * n - 2, 2)) = value;
  MatrixXd padded = MatrixXd::Constant(d + 2, n + 2, not_a_number);
  padded.block(1, 1, d, n) = value;
  const Eigen::MatrixXcd complex = value.cast<std::complex<double>>() * std::complex<double>(0, 1);
  Eigen::PermutationMatrix<Eigen::Dynamic> same(d);
  same.setIdentity();

  use(x);
  use(value);
  use(row_major);
  use(x.array());
  use(Eigen::ArrayXXd(value));
  use(x.array().matrix());
  use(Eigen::Map<const Block>(x.data(), d, n));
  use(Eigen::Map<const MatrixXd, 0, Stride>(wide.data(), d, n, Stride(4 * d, 2)));
  use(Eigen::Ref<const Block>(x));
  use(Eigen::Ref<const MatrixXd, 0, Eigen::OuterStride<>>(padded.block(1, 1, d, n)));
  use(padded.block(1, 1, d, n));
  use(padded.template block<Rows, Eigen::Dynamic>(1, 1, d, n));
  use(x.leftCols(n));
  use(value.template topRows<Rows>(d));
  use(value.middleRows(0, d));
  use(transposed.transpose());
  use(transposed.adjoint());
  use(x + zero);
  use(2 * x - x);
  use(-(-x));
  use(x / 1.0);
  use(x.cwiseProduct(one));
  use(x.array() * one.array());
  use(x.unaryExpr([](double v) { return v; }));
  use(x.binaryExpr(one, [](double v, double) { return v; }));
  use(value.cast<long double>().cast<double>());
  use(complex.imag());
  use(MatrixXd::NullaryExpr(d, n, [&](Index i, Index j) { return value(i, j); }));
  use(identity * x);
  use(identity.lazyProduct(x));
  use(identity * (x * MatrixXd::Identity(n, n)));
  use(VectorXd::Ones(d).asDiagonal() * x);
  use(identity.template triangularView<Eigen::Lower>() * x);
  use(identity.template selfadjointView<Eigen::Lower>() * x);
  use(same * x);
  use(identity.partialPivLu().solve(x));
  use(flat.reshaped(d, n));
  use(by_rows.template reshaped<Eigen::RowMajor>(d, n));
  use(wide(Eigen::seq(0, 2 * d - 2, 2), Eigen::seq(0, 2 * n - 2, 2)));
  use(value(all, std::vector<Index>{0, 1, 2}));
  use(reversed.reverse());
  use(x.template replicate<1, 1>());
  use(x.replicate(1, 1));
  use((one.array() > 0).select(x, zero));
  use(x.colwise() + VectorXd::Zero(d));
  use(x.rowwise().reverse().eval().rowwise().reverse());
  use(x.nestByValue());
}

// The same of one column, with what there is for vectors alone.
template <int Rows, class Use>
void for_each_column(const VectorXd& value, const Use& use) {
  using Vector = Eigen::Matrix<double, Rows, 1>;
  const Index d = value.rows();
  const Vector x = value;
  const VectorXd dynamic = value;
  const MatrixXd square = value.asDiagonal();
  const MatrixXd identity = MatrixXd::Identity(d, d);
  VectorXd state = VectorXd::Constant(2 * d + 1, not_a_number);
  state.segment(1, d) = value;
  VectorXd start = state, end = state;
  start.head(d) = value;
  end.tail(d) = value;
  const Eigen::ArrayXd array = state;
  MatrixXd block = MatrixXd::Constant(d + 1, 3, not_a_number);
  block.col(1).head(d) = value;
  const Eigen::RowVectorXd row = value.transpose();

  use(x);
  use(dynamic);
  use(x.array());
  use(start.head(d));
  use(end.tail(d));
  use(state.segment(1, d));
  use(start.template head<Rows>(d));
  use(end.template tail<Rows>(d));
  use(state.template segment<Rows>(1, d));
  use(array.segment(1, d));
  use(block.col(1).head(d));
  use(block.col(1).template head<Rows>(d));
  use(2 * start.head(d) - start.head(d));
  use(row.transpose());
  use(row.head(d).transpose());
  use(square.diagonal());
  use(square.array().rowwise().sum());
  use(square * VectorXd::Ones(d));
  use(identity * start.head(d));
  use(start.head(d).reshaped(d, Eigen::fix<1>));
  use(start(Eigen::seqN(0, d)));
  use(x.homogeneous().hnormalized());
  use(VectorXd::Constant(d, 1).cwiseProduct(x));
  use(Eigen::Map<const Vector>(x.data(), d));
  use(Eigen::Map<const VectorXd, 0, Eigen::InnerStride<>>(start.data(), d,
                                                          Eigen::InnerStride<>(1)));
  use(x.reverse().eval().reverse());
  use(VectorXd(x));
}

// One kind of summary, and what it is to be in the end. The compiler sees `take` for some hundred
// types: what does not depend on them is behind functions.
template <class S>
struct Way {
  std::function<S()> empty;
  std::function<void(const S&)> expect;

  template <class... X>
  void take(const X&... x) const {
    S summary = empty();
    summary.add(x...);
    expect(summary);
  }
};

template <class S, class Fill>
Way<S> way(const S& empty, const Fill& fill) {
  S expected = empty;
  fill(expected);
  return {[empty] { return empty; }, [expected](const S& summary) { CHECK(summary == expected); }};
}

const auto model =
    sm::energy_family<2>([](const auto& x, const auto& t) { return -x.squaredNorm() * t(0); },
                         Eigen::Matrix<double, 1, 1>(1.0));

// Every kind of summary of two coordinates.
struct Ways {
  Way<sm::Moments<double, 2>> fixed;
  Way<sm::Moments<double>> dynamic;
  Way<sm::SampleSet<double, 2>> set;
  Way<sm::SummaryOf<sm::ScoreMatchingLoss, sm::PairwiseGaussianFamily<double, 2>>> form;
  Way<std::decay_t<decltype(sm::GeneralizedScoreMatchingLoss{}.summary(model))>> truncated;

  template <class Fill>
  explicit Ways(const Fill& fill)
      : fixed(way(sm::Moments<double, 2>(), fill)),
        dynamic(way(sm::Moments<double>(2), fill)),
        set(way(sm::SampleSet<double, 2>(), fill)),
        form(way(sm::ScoreMatchingLoss{}.summary(sm::PairwiseGaussianFamily<double, 2>()), fill)),
        truncated(way(sm::GeneralizedScoreMatchingLoss{}.summary(model), fill)) {}

  template <class... X>
  void take(const X&... x) const {
    fixed.take(x...);
    dynamic.take(x...);
    set.take(x...);
    form.take(x...);
    truncated.take(x...);
  }
};

// Samples without an edge nearby.
MatrixXd inner(Index d, Index n) {
  Rng rng(3);
  return random_samples(d, n, rng).cwiseAbs().array() + 0.5;
}

}  // namespace

TEST_CASE("every summary takes every block of samples and every vector of weights") {
  const MatrixXd value = inner(2, 3);
  const VectorXd weights = Eigen::Vector3d(0.5, 2, 1);
  const Ways plain([&](auto& summary) { summary.add(value); });
  for_each_block<2>(value, [&](const auto& x) { plain.take(x); });
  const Ways weighted([&](auto& summary) { summary.add(value, weights); });
  for_each_column<3>(weights, [&](const auto& w) {
    weighted.take(value, w);
    weighted.take(value, w.transpose());
  });
}

TEST_CASE("every summary takes every single sample") {
  const VectorXd value = inner(2, 1);
  const Ways single([&](auto& summary) { summary.add(value); });
  for_each_column<2>(value, [&](const auto& x) { single.take(x); });
}

TEST_CASE("every distribution and every box takes every point") {
  const VectorXd value = inner(2, 1);
  const sm::Gaussian<double, 2> gaussian(Eigen::Vector2d(1, 2),
                                         Eigen::Matrix2d{{2, 0.5}, {0.5, 1}});
  const sm::GaussianMixture<double, 2, 2> mixture(Eigen::Vector2d(1, 3), {gaussian, gaussian});
  const sm::StudentT<double, 2> student(gaussian, 4);
  const sm::TruncatedGaussianFamily<double, 2> family;
  const auto truncated = family.distribution(family.parameters(gaussian));
  const sm::PairwiseGaussianFamily<double, 2> pairwise;
  const auto exponential = pairwise.distribution(pairwise.parameters(gaussian));
  const auto unnormalized = model.distribution(model.start());
  const Eigen::Vector2d plain = value;
  for_each_column<2>(value, [&](const auto& x) {
    const auto normalized = [&](const auto& density) {
      CHECK(density.log_density(x) == density.log_density(plain));
      CHECK(same_bits(density.score(x), density.score(plain)));
    };
    normalized(gaussian);
    normalized(mixture);
    normalized(student);
    CHECK(gaussian.density(x) == gaussian.density(plain));
    CHECK(same_bits(mixture.responsibilities(x), mixture.responsibilities(plain)));
    const auto without_constant = [&](const auto& density) {
      CHECK(density.unnormalized_log_density(x) == density.unnormalized_log_density(plain));
      CHECK(same_bits(density.score(x), density.score(plain)));
      CHECK(density.laplacian(x) == density.laplacian(plain));
    };
    without_constant(truncated);
    without_constant(exponential);
    without_constant(unnormalized);
    const sm::Box<double, 2> box(x, (x.array() + 1).matrix());
    CHECK(same_bits(box.lower(), value));
    CHECK(box.contains(x));
    box.require_inside(x);
  });
}

TEST_CASE("fits, starts, divergences and tests take every block") {
  const MatrixXd value = inner(2, 3);
  const VectorXd weights = Eigen::Vector3d(0.5, 2, 1);
  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
  const auto bowl = [](const VectorXd& at, VectorXd& gradient) {
    gradient = at;
    return at.squaredNorm() / 2;
  };
  const sm::Gaussian<double> p(VectorXd::Zero(2), MatrixXd::Identity(2, 2));
  const sm::Gaussian<double> q(VectorXd::Ones(2), MatrixXd::Identity(2, 2));
  const auto fit = sm::fit(family, loss, sm::ClosedForm{}, value);
  sm::Estimator weighted(family, loss, sm::ClosedForm{});
  weighted.observe(value, weights);
  // One of a kind: the compiler takes a second for each of these.
  const MatrixXd identity = MatrixXd::Identity(2, 2);
  const VectorXd padded = VectorXd::LinSpaced(9, 1, 2);
  const auto check = [&](const auto& x) {
    CHECK(same_bits(sm::fit(family, loss, sm::ClosedForm{}, x).parameters, fit.parameters));
    sm::Estimator estimator(family, loss, sm::ClosedForm{});
    estimator.observe(x);
    CHECK(same_bits(estimator.fit().parameters, fit.parameters));
    CHECK(sm::fisher_divergence(p, q, x).value == sm::fisher_divergence(p, q, value).value);
    CHECK(sm::stein_discrepancy(p, x).u_statistic == sm::stein_discrepancy(p, value).u_statistic);
  };
  check(identity * value);
  check(value.array() + 0);
  check(value(all, Eigen::seq(0, 2)));
  check(value.reshaped(2, 3));
  const auto check_weights = [&](const auto& w) {
    sm::Estimator estimator(family, loss, sm::ClosedForm{});
    estimator.observe(value, w);
    CHECK(same_bits(estimator.fit().parameters, weighted.fit().parameters));
    CHECK(sm::fisher_divergence(p, q, value, w).value ==
          sm::fisher_divergence(p, q, value, weights).value);
  };
  VectorXd longer(5);
  longer << weights, 7, 7;
  check_weights(longer.head(3));
  check_weights(longer.head<3>());
  check_weights(MatrixXd::Identity(3, 3) * weights);
  // Starts.
  const auto check_start = [&](const auto& start) {
    const auto found = sm::minimize(sm::Lbfgs{}, bowl, start);
    CHECK(found.status == sm::Status::converged);
    CHECK(found.parameters.size() == 3);
  };
  check_start(padded.head(3));
  check_start(padded.segment(2, 3));
  check_start(padded.tail(3));
  check_start(VectorXd::Ones(3));
  check_start(MatrixXd::Identity(3, 3) * padded.head(3));
  const auto energy = sm::energy_family<2>(
      [](const auto& x, const auto& t) { return -x.squaredNorm() * t(0) - x(1) * t(1); },
      padded.head<2>());
  CHECK(same_bits(energy.start(), padded.head(2)));
  const MatrixXd starts = MatrixXd::Identity(5, 5);
  CHECK(sm::multi_start(family, loss, sm::Lbfgs{}, value, starts.leftCols(2)).losses.size() == 2);
  CHECK(sm::multi_start(family, loss, sm::Lbfgs{}, identity * value, starts * starts.leftCols(2))
            .losses.size() == 2);
}

TEST_CASE("an expression is evaluated once") {
  // Counts how often its entries are computed.
  int computed = 0;
  const auto once = [&](Index size) {
    return VectorXd::NullaryExpr(size, [&](Index) {
      ++computed;
      return 1.0;
    });
  };
  const MatrixXd value = inner(2, 3);
  const auto check = [&](auto summary) {
    computed = 0;
    summary.add(value, once(3));
    CHECK(computed == 3);
    CHECK(summary.count() == 3);
  };
  check(sm::Moments<double, 2>());
  check(sm::Moments<double>(2));
  check(sm::SampleSet<double, 2>());
  check(sm::ScoreMatchingLoss{}.summary(sm::PairwiseGaussianFamily<double, 2>()));
  check(sm::GeneralizedScoreMatchingLoss{}.summary(model));
  check(sm::GeneralizedScoreMatchingLoss{}.summary(sm::TruncatedGaussianFamily<double, 2>()));
  computed = 0;
  const sm::Gaussian<double> p(VectorXd::Zero(2), MatrixXd::Identity(2, 2));
  sm::fisher_divergence(p, p, value, once(3));
  CHECK(computed == 3);
}
