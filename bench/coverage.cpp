// How often 95 % intervals hold the truth: the table of docs/uncertainty.md.
//
// Usage: coverage [FITS]   10000 unless given; the standard error of a percentage is then 0.22
#include "../examples/lattice_samplers.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace sm = scorematch;

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using Rng = std::mt19937_64;

Index fits = 10000;

MatrixXd normals(Index rows, Index columns, Rng& rng) {
  std::normal_distribution<double> normal;
  return MatrixXd::NullaryExpr(rows, columns, [&](Index, Index) { return normal(rng); });
}

// How many of the intervals of each number hold its truth, over all fits and numbers.
class Coverage {
 public:
  explicit Coverage(std::string name) : name_(std::move(name)) {}

  void see(const sm::Estimate<double>& estimate, const VectorXd& truth) {
    see(estimate.interval(0.95), truth);
  }
  void see(const sm::Interval<double>& within, const VectorXd& truth) {
    for (Index i = 0; i < truth.size(); ++i) {
      ++seen_;
      if (within.lower(i) <= truth(i) && truth(i) <= within.upper(i)) ++held_;
    }
  }
  void print() const { std::printf("  %-46s %5.1f %%\n", name_.c_str(), 100.0 * held_ / seen_); }

 private:
  std::string name_;
  double seen_ = 0;
  double held_ = 0;
};

// Fits the family to what `draw` draws, and lets `see` look at the uncertainty, `fits` times.
template <class F, class L, class Optimizer, class Draw, class See>
void repeat(const F& family, const L& loss, const Optimizer& optimizer, const Draw& draw,
            const See& see) {
  for (Index k = 0; k < fits; ++k) {
    Rng rng(static_cast<std::uint64_t>(k));
    const MatrixXd samples = draw(rng);
    const auto fit = sm::fit(family, loss, optimizer, samples);
    if (fit.status != sm::Status::converged) continue;
    see(fit, samples);
  }
}

Eigen::Matrix3d root() { return Eigen::Matrix3d{{1.2, 0, 0}, {0.9, 0.7, 0}, {-0.3, 0.4, 0.8}}; }

void gaussian(Index n) {
  std::printf("Gaussian in 3 dimensions, n = %td\n", n);
  const sm::GaussianFamily<double, 3> family;
  const sm::ScoreMatchingLoss loss;
  const sm::Gaussian<double, 3> truth(Eigen::Vector3d(1, -2, 0), root() * root().transpose());
  sm::Uncertainty<double> at_truth{};
  at_truth.parameters = family.parameters(truth);
  at_truth.covariance = MatrixXd::Zero(9, 9);
  const auto check = [&](const char* name, const auto& quantity) {
    const VectorXd expected = at_truth.of(quantity).values;
    Coverage sandwich(std::string(name) + ", sandwich");
    Coverage model(std::string(name) + ", of the model");
    repeat(
        family, loss, sm::ClosedForm{}, [&](Rng& rng) { return truth.sample(n, rng); },
        [&](const auto& fit, const MatrixXd& samples) {
          sandwich.see(sm::uncertainty(fit, family, loss, samples).of(quantity), expected);
          sm::Moments<double, 3> moments;
          moments.add(samples);
          model.see(sm::uncertainty(fit, family, loss, moments).of(quantity), expected);
        });
    sandwich.print();
    model.print();
    if (n > 100) return;
    // Replicates cost more than all else, and are for few samples.
    Coverage percentile(std::string(name) + ", bootstrap, percentile");
    Coverage bca(std::string(name) + ", bootstrap, BCa");
    for (Index k = 0; k < fits; ++k) {
      Rng rng(static_cast<std::uint64_t>(k));
      const auto boot =
          sm::bootstrap(family, loss, sm::ClosedForm{}, truth.sample(n, rng), sm::DrawSamples{},
                        {.seed = static_cast<std::uint64_t>(k + 1), .threads = 0})
              .of(quantity);
      percentile.see(boot.percentile(), expected);
      bca.see(boot.bca(), expected);
    }
    percentile.print();
    bca.print();
  };
  check("mean", sm::means(family));
  check("covariance", sm::covariances(family));
  check("correlation", sm::correlations(family));
  check("partial correlation", sm::partial_correlations(family));
}

void student(Index n) {
  std::printf("Student t, 5 degrees of freedom, fitted by a Gaussian, n = %td\n", n);
  const sm::GaussianFamily<double, 3> family;
  const sm::ScoreMatchingLoss loss;
  const Eigen::Matrix3d covariance = root() * root().transpose();
  VectorXd truth(3);
  for (Index i = 0, k = 0; i < 3; ++i) {
    for (Index j = 0; j < i; ++j) {
      truth(k++) = covariance(i, j) / std::sqrt(covariance(i, i) * covariance(j, j));
    }
  }
  const auto draw = [&](Rng& rng) {
    std::chi_squared_distribution<double> spread(5);
    MatrixXd x = root() * normals(3, n, rng);
    for (Index j = 0; j < n; ++j) x.col(j) /= std::sqrt(spread(rng) / 5);
    return x;
  };
  Coverage sandwich("correlation, sandwich"), model("correlation, of the model");
  repeat(family, loss, sm::ClosedForm{}, draw, [&](const auto& fit, const MatrixXd& samples) {
    const auto quantity = sm::correlations(family);
    sandwich.see(sm::uncertainty(fit, family, loss, samples).of(quantity), truth);
    sm::Moments<double, 3> moments;
    moments.add(samples);
    model.see(sm::uncertainty(fit, family, loss, moments).of(quantity), truth);
  });
  sandwich.print();
  model.print();
}

void energy(Index n) {
  std::printf("exp(-a x^4 - b x^2), a = 1, b = -1, n = %td\n", n);
  const auto well = [](const auto& x, const auto& theta) {
    const auto square = x(0) * x(0);
    return -theta(0) * square * square - theta(1) * square;
  };
  const auto family = sm::energy_family<1>(well, Eigen::Vector2d(1, 0));
  const auto draw = [&](Rng& rng) {
    std::uniform_real_distribution<double> place(-2.5, 2.5), height(0, std::exp(0.25));
    MatrixXd x(1, n);
    for (Index k = 0; k < n;) {
      const double y = place(rng);
      if (height(rng) < std::exp(y * y - y * y * y * y)) x(0, k++) = y;
    }
    return x;
  };
  Coverage sandwich("a and b, sandwich");
  repeat(family, sm::ScoreMatchingLoss{}, sm::Lbfgs{}, draw,
         [&](const auto& fit, const MatrixXd& samples) {
           const auto sure = sm::uncertainty(fit, family, sm::ScoreMatchingLoss{}, samples);
           sandwich.see(sure.estimate(), Eigen::Vector2d(1, -1));
         });
  sandwich.print();
  if (n > 100) return;
  // The same density by its statistics, whose fits need no walk.
  const auto statistics = [](const auto& x) {
    const auto square = x(0) * x(0);
    return Eigen::Matrix<std::remove_cvref_t<decltype(square)>, 2, 1>(-square * square, -square);
  };
  const sm::ExponentialFamily<double, 1, 2, decltype(statistics)> exponential{statistics};
  Coverage percentile("a and b, bootstrap, percentile"), bca("a and b, bootstrap, BCa");
  for (Index k = 0; k < fits; ++k) {
    Rng rng(static_cast<std::uint64_t>(k));
    const auto boot =
        sm::bootstrap(exponential, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, draw(rng),
                      sm::DrawSamples{}, {.seed = static_cast<std::uint64_t>(k + 1), .threads = 0})
            .parameters();
    percentile.see(boot.percentile(), Eigen::Vector2d(1, -1));
    bca.see(boot.bca(), Eigen::Vector2d(1, -1));
  }
  percentile.print();
  bca.print();
}

void truncated(Index n) {
  std::printf("truncated Gaussian in 2 dimensions, n = %td\n", n);
  const sm::TruncatedGaussianFamily<double, 2> family;
  const sm::GeneralizedScoreMatchingLoss loss;
  const sm::PairwiseGaussianFamily<double, 2> natural;
  const Eigen::Matrix2d covariance{{1, 0.5}, {0.5, 1}};
  const sm::Gaussian<double, 2> whole(Eigen::Vector2d(0.5, 0.3), covariance);
  const auto draw = [&](Rng& rng) {
    Eigen::Matrix2Xd x(2, n);
    for (Index k = 0; k < n;) {
      const Eigen::Vector2d y = whole.sample(rng);
      if (y.minCoeff() >= 0) x.col(k++) = y;
    }
    return x;
  };
  Coverage sandwich("eta and K, sandwich");
  repeat(family, loss, sm::ClosedForm{}, draw, [&](const auto& fit, const MatrixXd& samples) {
    sandwich.see(sm::uncertainty(fit, family, loss, samples).estimate(), natural.parameters(whole));
  });
  sandwich.print();
}

void phi_four(Index n) {
  std::printf("phi-four, a ring of 4 sites, n = %td\n", n);
  const sm::PhiFourFamily<double> family(4, sm::ring(4), sm::Couplings::per_edge);
  VectorXd theta = VectorXd::Zero(family.parameter_count());
  theta.head(4) << 0.4, 0.2, 0.6, -0.3;
  theta(4) = 0.5;
  theta(5) = 1;
  const auto draw = [&](Rng& rng) {
    lattice::PhiFourChain chain(family, theta, rng());
    MatrixXd x(4, n);
    for (int sweep = 0; sweep < 100; ++sweep) chain.sweep();
    for (Index k = 0; k < n; ++k) {
      for (int sweep = 0; sweep < 15; ++sweep) chain.sweep();
      x.col(k) = chain.state();
    }
    return x;
  };
  Coverage sandwich("couplings, 15 sweeps apart, sandwich");
  const sm::ScoreMatchingLoss loss;
  repeat(family, loss, sm::ClosedForm{}, draw, [&](const auto& fit, const MatrixXd& samples) {
    const auto sure = sm::uncertainty(fit, family, loss, samples);
    sandwich.see(sure.of(sm::couplings(family)), theta.head(4));
  });
  sandwich.print();
}

void chain(Index n, double r) {
  std::printf("AR(1) chain, r = %g, autocorrelation time %.3g, n = %td\n", r, (1 + r) / (1 - r), n);
  const sm::GaussianFamily<double, 1> family;
  const sm::ScoreMatchingLoss loss;
  const auto draw = [&](Rng& rng) {
    MatrixXd x = std::sqrt(1 - r * r) * normals(1, n, rng);
    x(0, 0) /= std::sqrt(1 - r * r);
    for (Index j = 1; j < n; ++j) x(0, j) += r * x(0, j - 1);
    return x;
  };
  Coverage independent("mean and variance, as if independent");
  Coverage batches("mean and variance, BatchMeans");
  Coverage overlapping("mean and variance, OverlappingBatchMeans");
  Coverage newey_west("mean and variance, NeweyWest");
  repeat(family, loss, sm::ClosedForm{}, draw, [&](const auto& fit, const MatrixXd& samples) {
    const auto both = [&](const auto& dependence) {
      return sm::uncertainty(fit, family, loss, samples, dependence).of([](const auto& theta) {
        using std::exp;
        auto result = theta;
        result(1) = exp(2 * theta(1));
        return result;
      });
    };
    const Eigen::Vector2d truth(0, 1);
    independent.see(both(sm::Independent{}), truth);
    batches.see(both(sm::BatchMeans{}), truth);
    overlapping.see(both(sm::OverlappingBatchMeans{}), truth);
    newey_west.see(both(sm::NeweyWest{}), truth);
  });
  for (const Coverage* one : {&independent, &batches, &overlapping, &newey_west}) one->print();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) fits = std::strtol(argv[1], nullptr, 10);
  if (fits < 1) {
    std::fputs("usage: coverage [FITS]\n", stderr);
    return 2;
  }
  std::printf("%td fits, standard error of a percentage %.2f\n\n", fits,
              100 * std::sqrt(0.95 * 0.05 / double(fits)));
  for (const Index n : {1000, 100}) {
    gaussian(n);
    energy(n);
    truncated(n);
    phi_four(n);
  }
  student(1000);
  chain(5000, 0.5);
  chain(20000, 0.9);
}
