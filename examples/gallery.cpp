// A gallery of densities in the plane that no ready family has: a ring, two moons, eight Gaussians,
// a checkerboard and a pinwheel. Each is fitted by a network with two hidden layers, as an energy,
// by score matching on mini-batches. The densities are known, and so is what their score would
// lose on samples that were held out: the networks are judged beside it.
//
// Usage: gallery [DIRECTORY [STEPS]]   writes its picture (or, without gnuplot, the data of it)
// there; STEPS of each fit, by default 4000
#include "expect.hpp"
#include "gnuplot.hpp"

#include <scorematch/scorematch.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <numbers>
#include <random>
#include <string>
#include <vector>

namespace sm = scorematch;

namespace {

// --- what there is to fit ------------------------------------------------------------------------

enum class Shape { ring, moons, gaussians, checkerboard, pinwheel };

constexpr double pi = std::numbers::pi;

// The noise about the circle, the arcs, the eight points and the squares.
double noise_of(Shape shape) {
  switch (shape) {
    case Shape::ring: return 0.25;
    case Shape::moons: return 0.2;
    case Shape::gaussians: return 0.4;
    case Shape::checkerboard: return 0.2;
    case Shape::pinwheel: return 0.25;  // across an arm; 0.5 along it
  }
  return 0;
}

Eigen::Vector2d at_angle(double angle, double radius) {
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// Two half circles, one upside down; t runs from 0 to 1.
Eigen::Vector2d on_moon(bool second, double t) {
  const Eigen::Vector2d on_circle = at_angle(pi * t, 1.8);
  if (second) return {0.9 - on_circle(0), 0.45 - on_circle(1)};
  return {on_circle(0) - 0.9, on_circle(1) - 0.45};
}

constexpr double arm = 1.7;         // from the origin to the middle of an arm of the pinwheel
constexpr double arm_length = 0.5;  // its deviation
constexpr double twist = 0.2;       // an arm turns by this times |x|^2

template <class Rng>
Eigen::Matrix2Xd draw(Shape shape, Eigen::Index n, Rng& rng) {
  std::uniform_real_distribution<double> uniform;
  std::normal_distribution<double> normal;
  const auto any_of = [&](int count) { return std::uniform_int_distribution(0, count - 1)(rng); };
  const double noise = noise_of(shape);
  Eigen::Matrix2Xd samples(2, n);
  for (auto x : samples.colwise()) {
    const Eigen::Vector2d around(noise * normal(rng), noise * normal(rng));
    switch (shape) {
      case Shape::ring: x = at_angle(2 * pi * uniform(rng), 2 + around(0)); break;
      case Shape::moons: x = on_moon(any_of(2) == 1, uniform(rng)) + around; break;
      case Shape::gaussians: x = at_angle(pi / 4 * any_of(8), 2.2) + around; break;
      case Shape::checkerboard: {
        const int row = any_of(4), column = 2 * any_of(2) + row % 2;
        x << 1.5 * (column - 2 + uniform(rng)), 1.5 * (row - 2 + uniform(rng));
        x += around;
        break;
      }
      case Shape::pinwheel: {
        const Eigen::Vector2d straight(arm + arm_length * normal(rng), around(1));
        const double angle = 2 * pi / 5 * any_of(5) + twist * straight.squaredNorm();
        x << std::cos(angle) * straight(0) - std::sin(angle) * straight(1),
            std::sin(angle) * straight(0) + std::cos(angle) * straight(1);
        break;
      }
    }
  }
  return samples;
}

// The log densities of those samples, as an energy without parameters.
struct Truth {
  Shape shape;

  template <class X, class Theta>
  typename X::Scalar operator()(const X& x, const Theta&) const {
    using std::cos;
    using std::erf;
    using std::log;
    using std::sin;
    using std::sqrt;
    using Number = typename X::Scalar;
    const double scale = 0.5 / (noise_of(shape) * noise_of(shape));
    switch (shape) {
      case Shape::ring: {
        const Number r = sqrt(x.squaredNorm());
        return sm::square(r - 2) * -scale - log(r);
      }
      case Shape::moons: {  // the arcs by quadrature
        constexpr int points = 60;
        Eigen::Matrix<Number, 2 * points, 1> near_point;
        for (int k = 0; k < points; ++k) {
          const double t = (k + 0.5) / points;
          near_point(k) = closeness(x, on_moon(false, t), scale);
          near_point(points + k) = closeness(x, on_moon(true, t), scale);
        }
        return sm::logsumexp(near_point);
      }
      case Shape::gaussians: {
        Eigen::Matrix<Number, 8, 1> near_point;
        for (int k = 0; k < 8; ++k) near_point(k) = closeness(x, at_angle(pi / 4 * k, 2.2), scale);
        return sm::logsumexp(near_point);
      }
      case Shape::checkerboard: {  // a uniform number plus noise is a difference of two erf
        const auto in_cell = [&](const Number& at, int cell) {
          const double root = std::sqrt(scale);
          return erf((at - 1.5 * (cell - 2)) * root) - erf((at - 1.5 * (cell - 1)) * root);
        };
        Number even(0), odd(0), even_rows(0), odd_rows(0);
        for (int cell = 0; cell < 4; cell += 2) {
          even += in_cell(x(0), cell), odd += in_cell(x(0), cell + 1);
          even_rows += in_cell(x(1), cell), odd_rows += in_cell(x(1), cell + 1);
        }
        return log(even * even_rows + odd * odd_rows);
      }
      case Shape::pinwheel: {  // the twist leaves areas as they are: no Jacobian
        Eigen::Matrix<Number, 5, 1> in_arm;
        for (int k = 0; k < 5; ++k) {
          const Number angle = x.squaredNorm() * twist + 2 * pi / 5 * k;
          const Number c = cos(angle), s = sin(angle);
          in_arm(k) = sm::square(c * x(0) + s * x(1) - arm) * (-0.5 / (arm_length * arm_length)) -
                      sm::square(c * x(1) - s * x(0)) * scale;
        }
        return sm::logsumexp(in_arm);
      }
    }
    return Number(0);
  }

 private:
  template <class X>
  static typename X::Scalar closeness(const X& x, const Eigen::Vector2d& point, double scale) {
    return (sm::square(x(0) - point(0)) + sm::square(x(1) - point(1))) * -scale;
  }
};

// --- the network ---------------------------------------------------------------------------------

constexpr int width = 32;
constexpr int parameter_count = 3 * width + width * (width + 1) + width + 1;

// log p(x) = sum_k a_k tanh(v_k . tanh(W x + b) + c_k) - exp(d) |x|^2 / 2: the last term keeps it
// integrable.
struct Network {
  template <class X, class Theta>
  typename X::Scalar operator()(const X& x, const Theta& theta) const {
    using std::exp;
    using std::tanh;
    using Number = typename X::Scalar;
    Eigen::Matrix<Number, width, 1> first;
    Eigen::Index p = 0;
    for (int k = 0; k < width; ++k, p += 3) {
      first(k) = tanh(x(0) * theta(p) + x(1) * theta(p + 1) + theta(p + 2));
    }
    Number sum(0);
    for (int k = 0; k < width; ++k) {
      Number a(0);
      for (int j = 0; j < width; ++j) a += first(j) * theta(p++);
      a += theta(p++);
      sum += tanh(a) * theta(p++);
    }
    return sum - x.squaredNorm() * exp(theta(p)) * 0.5;
  }

  // Random directions break the symmetry of the units.
  template <class Rng>
  static Eigen::VectorXd start(Rng& rng) {
    std::normal_distribution<double> normal;
    Eigen::VectorXd theta(parameter_count);
    for (double& entry : theta) entry = normal(rng);
    auto second = theta.segment(3 * width, width * (width + 2));
    second /= std::sqrt(double(width));
    theta(parameter_count - 1) = 0;
    return theta;
  }
};

// The mean loss of a model on samples that nothing has seen.
template <class F>
double held_out_loss(const F& family, const typename F::Parameters& theta,
                     const Eigen::Matrix2Xd& samples) {
  const sm::ScoreMatchingLoss loss;
  auto summary = loss.summary(family);
  summary.add(samples);
  auto objective = loss.objective(family, summary);
  typename F::Parameters gradient = theta;
  return objective(theta, gradient);
}

// --- the picture ---------------------------------------------------------------------------------

constexpr int cells = 90;
constexpr double side = 3.6;

// The points of a grid, and the density there, normalized on the grid.
Eigen::Matrix2Xd grid() {
  const auto place = [](int i) { return side * (2 * (i + 0.5) / cells - 1); };
  Eigen::Matrix2Xd points(2, cells * cells);
  for (int i = 0; i < cells; ++i) {
    for (int j = 0; j < cells; ++j) points.col(i * cells + j) << place(i), place(j);
  }
  return points;
}

template <class Density>
Eigen::RowVectorXd on_grid(const Density& density) {
  Eigen::RowVectorXd values = density.unnormalized_log_density(grid());
  values = (values.array() - values.maxCoeff()).exp();
  return values / values.sum();
}

void write(std::ofstream file, const Eigen::RowVectorXd& values) {
  const Eigen::Matrix2Xd points = grid();
  for (Eigen::Index k = 0; k < points.cols(); ++k) {
    file << points(0, k) << ' ' << points(1, k) << ' ' << values(k) << '\n';
  }
}

struct Named {
  Shape shape;
  const char* name;
};

constexpr std::array<Named, 5> shapes{{{Shape::ring, "ring"},
                                       {Shape::moons, "two moons"},
                                       {Shape::gaussians, "eight Gaussians"},
                                       {Shape::checkerboard, "checkerboard"},
                                       {Shape::pinwheel, "pinwheel"}}};

void draw(const Picture& picture) {
  std::string script =
      R"(set terminal svg size 1100,470 font "sans-serif,12" background "white"
set output 'gallery.svg'
set multiplot layout 2,5 margins 0.03,0.99,0.02,0.92 spacing 0.01,0.03
set size ratio -1
set xrange [-3.6:3.6]
set yrange [-3.6:3.6]
set cbrange [0:1]
unset colorbox
unset tics
set palette defined (0 '#ffffff', 0.5 '#7fb8d8', 1 '#00456b')
)";
  for (const char* row : {"truth", "network"}) {
    script += "set ylabel '" + std::string(row) + "'\n";
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      const std::string title = row == std::string("truth") ? shapes[k].name : "";
      script += "set title '" + title + "'\nplot '" + row + std::to_string(k) +
                ".dat' with image notitle\nunset ylabel\n";
    }
  }
  picture.draw("gallery", script, "gallery.svg");
}

// --- the fits ------------------------------------------------------------------------------------

// Whether the network is close to the truth.
bool run(const Named& named, std::size_t k, Eigen::Index steps, const Picture& picture) {
  const auto begin = std::chrono::steady_clock::now();
  std::mt19937_64 rng(k + 1);
  const Eigen::Matrix2Xd samples = draw(named.shape, 60000, rng);
  const Eigen::Matrix2Xd validation = draw(named.shape, 4000, rng);
  std::mt19937_64 other_rng(2026);  // seen by nothing that chose the model
  const Eigen::Matrix2Xd held_out = draw(named.shape, 10000, other_rng);

  const auto family = sm::energy_family<2>(Network{}, Network::start(rng));
  const sm::ScoreMatchingLoss loss;
  const sm::MiniBatches batches(loss, {.size = 128, .seed = 1});
  const sm::Adam adam{
      .learning_rate = 0.01, .schedule = {.warm_up = 100, .cosine_to = 0}, .max_iterations = steps};
  auto stop = sm::early_stopping(loss, family, validation,
                                 {.every = std::max<Eigen::Index>(1, steps / 40), .patience = 20});
  sm::fit(family, batches, adam, samples, stop);
  const auto& best = stop.best();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;

  const Eigen::VectorXd none = Eigen::VectorXd::Zero(1);
  const auto truth = sm::energy_family<2>(Truth{named.shape}, none);
  const sm::GaussianFamily<double, 2> gaussians;
  const auto gaussian = sm::fit(gaussians, loss, sm::ClosedForm{}, samples);
  const double of_truth = held_out_loss(truth, none, held_out);
  const double of_network = held_out_loss(family, best.parameters, held_out);
  sm::Moments<double, 2> moments;
  moments.add(held_out);
  auto gaussian_loss = loss.objective(gaussians, moments);
  const double of_gaussian = gaussian_loss(gaussian.parameters);
  // The loss is half the mean square of the difference of two scores, less half that of the true
  // score: the loss of the truth is what there is to learn.
  const double share = of_network / of_truth;
  std::printf("%-16s %8.3f %8.3f %8.3f   %5.1f %%   step %5d, %4.1f s\n", named.name, of_truth,
              of_network, of_gaussian, 100 * share, int(best.iteration), seconds.count());
  std::fflush(stdout);
  const Eigen::RowVectorXd density = on_grid(truth.distribution(none));
  const double darkest = density.maxCoeff();
  write(picture.open("truth" + std::to_string(k) + ".dat"), density / darkest);
  write(picture.open("network" + std::to_string(k) + ".dat"),
        on_grid(family.distribution(best.parameters)) / darkest);
  return expect(share > 0.85, "the network knows 85 % of the score");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Picture picture(argc > 1 ? argv[1] : "gallery_picture");
    const Eigen::Index steps = argc > 2 ? std::atol(argv[2]) : 4000;
    std::printf("held-out loss       truth  network Gaussian   learned   time of a fit\n");
    bool good = true;
    for (std::size_t k = 0; k < shapes.size(); ++k) good &= run(shapes[k], k, steps, picture);
    draw(picture);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
