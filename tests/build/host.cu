// Host code of a CUDA source: 0 where its fits are right.
#include <scorematch/scorematch.hpp>

#include <cmath>
#include <vector>

namespace sm = scorematch;

__global__ void twice(double* x) { x[threadIdx.x] *= 2; }  // there is device code in the same file

int main() {
  Eigen::Matrix2Xd x(2, 7);
  x << 1, 2, 3, 4, 7, 1, 0, 2, 1, 5, 3, 3, 2, 2;
  const auto near = [](const auto& a, const auto& b) { return (a - b).norm() < 1e-6 * b.norm(); };

  const sm::GaussianFamily<double, 2> family;
  const sm::ScoreMatchingLoss loss;
  const auto exact = sm::fit(family, loss, sm::ClosedForm{}, x);
  const Eigen::Vector2d mean = x.rowwise().mean();
  const Eigen::Matrix2d covariance = (x.colwise() - mean) * (x.colwise() - mean).transpose() / 7;
  bool right =
      near(exact.distribution.mean(), mean) && near(exact.distribution.covariance(), covariance);

  const sm::Momentum momentum{.learning_rate = 1e-2, .max_iterations = 100000};
  for (const auto& fit :
       sm::fit_batch(family, loss, momentum, std::vector<Eigen::Matrix2Xd>(17, x))) {
    right = right && fit.status == sm::Status::converged &&
            near(fit.distribution.covariance(), covariance);
  }

  const sm::PairwiseGaussianFamily<double> pairwise(2);
  const auto natural = sm::fit(pairwise, loss, sm::ClosedForm{}, x);
  right = right && near(pairwise.precision(natural.parameters) * covariance,
                        Eigen::Matrix2d::Identity().eval());

  const sm::PhiFourFamily<double> lattice(2, sm::ring(2));
  right = right && sm::fit(lattice, loss, sm::ClosedForm{}, x).status == sm::Status::converged;

  // Numbers that carry derivatives, and are compared: exp(-theta x^2) where abs(x) is below 8, as
  // it is for all samples, so that theta is 1 / (2 mean(x^2)).
  const auto log_density = [](const auto& at, const auto& theta) {
    using std::abs;
    return abs(at(0)) < 8 ? -theta(0) * at(0) * at(0) : -theta(0) * at(0);
  };
  const auto energy = sm::energy_family<1>(log_density, Eigen::Matrix<double, 1, 1>(1.0));
  const auto fitted = sm::fit(energy, loss, sm::Lbfgs{}, x.row(0));
  right = right && fitted.status == sm::Status::converged &&
          std::abs(fitted.parameters(0) * 2 * x.row(0).squaredNorm() / 7 - 1) < 1e-6;
  return right ? 0 : 1;
}
