// A small neural network as an energy: one hidden layer, fitted by score matching to points on a
// ring, drawn beside the truth. No normalizer is computed in the fit; the picture's is a sum over
// its pixels.
#include "expect.hpp"
#include "gnuplot.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numbers>
#include <random>
#include <string>

namespace sm = scorematch;

constexpr int hidden = 12;

// log p(x) = sum_k a_k tanh(w_k . x + b_k) - exp(c) |x|^2 / 2: the last term keeps it integrable.
// The weights are w = 2 tanh(v / 2): unbounded ones would build walls between single samples, which
// score matching rewards.
struct Network {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::exp;
    using std::tanh;
    using Number = typename X::Scalar;
    Number sum = x.squaredNorm() * exp(theta(4 * hidden)) * -0.5;
    for (int k = 0; k < 4 * hidden; k += 4) {
      const auto w0 = 2 * tanh(theta(k) / 2);
      const auto w1 = 2 * tanh(theta(k + 1) / 2);
      sum += tanh(x(0) * w0 + x(1) * w1 + theta(k + 2)) * theta(k + 3);
    }
    return sum;
  }
};

constexpr double radius = 2;
constexpr double width = 0.35;

// Points at a distance of about `radius` from the origin, in every direction.
template <class Rng>
Eigen::Matrix2Xd ring(Eigen::Index n, Rng& rng) {
  std::uniform_real_distribution<double> angle(0, 2 * std::numbers::pi);
  std::normal_distribution<double> distance(radius, width);
  Eigen::Matrix2Xd samples(2, n);
  for (auto x : samples.colwise()) {
    const double phi = angle(rng), r = distance(rng);
    x << r * std::cos(phi), r * std::sin(phi);
  }
  return samples;
}

// The density of those points, as an energy too: theta is radius and width.
struct Ring {
  template <class X, class Theta>
  auto operator()(const X& x, const Theta& theta) const {
    using std::log;
    using std::sqrt;
    const auto r = sqrt(x.squaredNorm());
    return sm::square((r - theta(0)) / theta(1)) * -0.5 - log(r);
  }
};

// One density on a grid, normalized there, as x, y and value in lines.
template <class Density>
void write_grid(std::ofstream file, const Density& density) {
  constexpr int cells = 80;
  constexpr double side = 3.5;
  Eigen::MatrixXd values(cells, cells);
  const auto place = [&](int i) { return side * (2 * (i + 0.5) / cells - 1); };
  for (int i = 0; i < cells; ++i) {
    for (int j = 0; j < cells; ++j) values(i, j) = density(Eigen::Vector2d(place(i), place(j)));
  }
  values /= values.sum() * (2 * side / cells) * (2 * side / cells);
  for (int i = 0; i < cells; ++i) {
    for (int j = 0; j < cells; ++j)
      file << place(i) << ' ' << place(j) << ' ' << values(i, j) << '\n';
  }
}

template <class Model>
void draw(const std::string& directory, const Eigen::Matrix2Xd& samples, const Model& model) {
  const Picture picture(directory);
  write_grid(picture.open("truth.dat"), [](const Eigen::Vector2d& x) {
    return std::exp(Ring{}(x, Eigen::Vector2d(radius, width)));
  });
  write_grid(picture.open("model.dat"),
             [&](const Eigen::Vector2d& x) { return std::exp(model.unnormalized_log_density(x)); });
  std::ofstream points = picture.open("samples.dat");
  for (const auto x : samples.leftCols(1000).colwise()) points << x(0) << ' ' << x(1) << '\n';
  points.close();
  picture.draw("picture", R"(set terminal svg size 900,400 font "sans-serif,12" background "white"
set output 'neural_energy.svg'
set multiplot layout 1,2
set size ratio -1
set xrange [-3.5:3.5]
set yrange [-3.5:3.5]
set cbrange [0:0.13]
unset colorbox
set palette defined (0 '#ffffff', 0.5 '#7fb8d8', 1 '#00456b')
set title 'truth, and 1000 of the samples'
plot 'truth.dat' with image notitle, 'samples.dat' with points pt 7 ps 0.25 lc rgb '#d55e00' notitle
set title 'network fitted by score matching'
plot 'model.dat' with image notitle
)",
               "neural_energy.svg");
}

int main(int argc, char** argv) {
  std::mt19937_64 rng(5);
  const Eigen::Matrix2Xd samples = ring(5000, rng);
  std::mt19937_64 other_rng(2026);  // seen by nothing that chose the model
  const Eigen::Matrix2Xd held_out = ring(5000, other_rng);

  // Random directions break the symmetry of the hidden units.
  std::normal_distribution<double> normal;
  Eigen::Matrix<double, 4 * hidden + 1, 1> start;
  for (double& entry : start) entry = normal(rng);
  start(4 * hidden) = 0;
  for (int k = 0; k < hidden; ++k) start(4 * k + 3) *= 0.1;

  const auto family = sm::energy_family<2>(Network{}, start);
  const sm::ScoreMatchingLoss loss;
  const auto fit = sm::fit(family, loss, sm::Adam{.learning_rate = 0.03, .max_iterations = 1000},
                           samples, sm::PrintEvery{250});

  // Judged where it was not fitted, beside the Gaussian: lower is closer to the truth.
  auto seen = loss.summary(family);
  seen.add(held_out);
  auto network_loss = loss.objective(family, seen);
  const sm::GaussianFamily<double, 2> gaussians;
  const auto gaussian = sm::fit(gaussians, loss, sm::ClosedForm{}, samples);
  sm::Moments<double, 2> moments;
  moments.add(held_out);
  auto gaussian_loss = loss.objective(gaussians, moments);
  const Eigen::Vector2d true_parameters(radius, width);
  auto true_loss = loss.objective(sm::energy_family<2>(Ring{}, true_parameters), seen);
  const double of_network = network_loss(fit.parameters);
  const double of_gaussian = gaussian_loss(gaussian.parameters);
  const double of_truth = true_loss(true_parameters);
  std::printf("held-out loss: truth %.3f, network %.3f, Gaussian %.3f\n", of_truth, of_network,
              of_gaussian);
  draw(argc > 1 ? argv[1] : "neural_energy_picture", samples, fit.distribution);
  const bool good = expect(of_network < of_truth + 0.4, "the network is close to the truth");
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
