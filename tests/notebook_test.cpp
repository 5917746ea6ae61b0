// The founding notebook: its samples from its seed, its printed numbers from its samples.
#include "../examples/data/notebook.hpp"

#include "support.hpp"

#include <Random123/threefry.h>
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

using namespace support;

struct Printed {
  Eigen::Index iteration;
  std::array<double, 2> mean;
  std::array<double, 4> covariance;
};

constexpr std::array<Printed, 6> trajectory{{
    {500, {0.05451116, 0.4317398}, {0.9454663, 0.33368996, 0.33368996, 0.19797575}},
    {1000, {0.1948535, 0.48528156}, {0.90306747, 0.31750458, 0.31750458, 0.19178313}},
    {1500, {0.2936692, 0.5229742}, {0.84912366, 0.29692477, 0.29692477, 0.18393223}},
    {2000, {0.3574913, 0.5473177}, {0.82127243, 0.28630427, 0.28630427, 0.17988238}},
    {2500, {0.3951242, 0.56167203}, {0.81047714, 0.28218898, 0.28218898, 0.17831337}},
    {3000, {0.4163038, 0.5697507}, {0.8068265, 0.28079757, 0.28079757, 0.17778319}},
}};
// Iteration 3500, whose last entry the notebook cut off.
constexpr std::array<double, 2> mean_3500{0.42801183, 0.57421666};
constexpr std::array<double, 3> covariance_3500{0.80566853, 0.28035626, 0.28035626};
constexpr std::array<double, 2> final_mean_difference{0.03079867, 0.02777547};
constexpr std::array<double, 4> final_covariance_difference{0.0893954, 0.0659835, 0.0659835,
                                                            0.05019057};

template <class Actual, std::size_t N>
void check_close(const Actual& actual, const std::array<double, N>& printed, double tolerance) {
  for (std::size_t i = 0; i < N; ++i) {
    CHECK(std::abs(double(actual(Eigen::Index(i))) - printed[i]) <= tolerance);
  }
}

template <class Scalar, int Dim>
void check_trajectory(double tolerance) {
  const sm::GaussianFamily<Scalar, Dim> family(2);
  const auto samples = notebook::samples().cast<Scalar>().eval();
  std::size_t seen = 0;
  const auto fit = sm::fit(family, sm::ScoreMatchingLoss{},
                           sm::GradientDescent{.learning_rate = 1e-3, .max_iterations = 4000},
                           samples, [&](const auto& state) {
                             if (state.iteration % 500 != 0 || state.iteration > 3500) return;
                             const auto gaussian = family.distribution(state.parameters);
                             const auto covariance = gaussian.covariance().reshaped().eval();
                             CAPTURE(state.iteration);
                             if (state.iteration == 3500) {
                               check_close(gaussian.mean(), mean_3500, tolerance);
                               check_close(covariance, covariance_3500, tolerance);
                             } else {
                               const Printed& printed = trajectory[seen];
                               CHECK(printed.iteration == state.iteration);
                               check_close(gaussian.mean(), printed.mean, tolerance);
                               check_close(covariance, printed.covariance, tolerance);
                             }
                             ++seen;
                           });
  CHECK(seen == 7);
  CHECK(fit.iterations == 4000);
  CHECK(fit.status == sm::Status::iteration_limit);
  check_close((fit.distribution.mean() - notebook::true_mean().cast<Scalar>()).eval(),
              final_mean_difference, tolerance);
  check_close((fit.distribution.covariance() - notebook::true_covariance().cast<Scalar>())
                  .reshaped()
                  .eval(),
              final_covariance_difference, tolerance);
}

// The notebook's random numbers: Threefry-2x32-20, keys split as its generator splits them.
using Key = std::array<std::uint32_t, 2>;

Key draw(const Key& key, std::uint64_t counter) {
  const threefry2x32_ctr_t c = {{std::uint32_t(counter >> 32), std::uint32_t(counter)}};
  const threefry2x32_key_t k = {{key[0], key[1]}};
  const threefry2x32_ctr_t words = threefry2x32_R(20, c, k);
  return {words.v[0], words.v[1]};
}

std::uint32_t bits(const Key& key, std::uint64_t counter) {
  const Key words = draw(key, counter);
  return words[0] ^ words[1];
}

float unit_uniform(std::uint32_t word) {
  const std::uint32_t one_to_two = (word >> 9) | 0x3f800000U;
  float value;
  std::memcpy(&value, &one_to_two, sizeof value);
  return value - 1.0F;
}

// Inverse error function: Newton steps on std::erf, exact to the rounding of double.
double inverse_erf(double y) {
  double x = 0;
  for (int k = 0; k < 100; ++k) {
    x -= (std::erf(x) - y) / (2 / std::sqrt(3.14159265358979323846) * std::exp(-x * x));
  }
  return x;
}

float normal(std::uint32_t word) {
  const float low = std::nextafter(-1.0F, 0.0F);
  const float u = std::max(low, unit_uniform(word) * (1.0F - low) + low);
  return std::sqrt(2.0F) * static_cast<float>(inverse_erf(double(u)));
}

}  // namespace

TEST_CASE("every printed number, for the whole trajectory, fixed and dynamic, double and float") {
  check_trajectory<double, 2>(2e-6);
  check_trajectory<double, Eigen::Dynamic>(2e-6);
  check_trajectory<long double, 2>(2e-6);
  check_trajectory<float, 2>(2e-5);
  check_trajectory<float, Eigen::Dynamic>(2e-5);
}

TEST_CASE("the loss the notebook records is the one a step leaves from") {
  sm::LossHistory<> history;
  const auto fit = sm::fit(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
                           sm::GradientDescent{.learning_rate = 1e-3, .max_iterations = 4000},
                           notebook::samples(), history);
  REQUIRE(history.losses.size() == 4000);
  // At zero parameters the model is the standard normal: J = mean |x|^2 / 2 - 2.
  const double start = notebook::samples().squaredNorm() / 100 - 2;
  CHECK(history.losses.front() == doctest::Approx(start).epsilon(1e-12));
  CHECK(std::is_sorted(history.losses.rbegin(), history.losses.rend()));
  CHECK(fit.loss < history.losses.back());
}

TEST_CASE("the samples are those of seed 1") {
  const Key seed{0, 1};
  // Known answers of the generator.
  CHECK(draw(seed, 0) == Key{0x1e3f1835, 0x6e752082});
  CHECK(draw(seed, 1) == Key{0x74298876, 0xfc8d8048});
  const Key mean_key = draw(seed, 1);
  CHECK(bits(mean_key, 0) == 0x67555efc);
  CHECK(bits(mean_key, 1) == 0x8c8463af);
  CHECK(bits(mean_key, 2) == 0x38fee2e0);
  CHECK(bits(mean_key, 3) == 0x2d07bb69);
  const Key second = draw(seed, 0);
  CHECK(draw(second, 0) == Key{0xdcd56e66, 0x6f0bf614});
  const Key factor_key = draw(second, 1);
  CHECK(factor_key == Key{0xa1495f6e, 0x9d577f1c});
  const Key third = draw(second, 0);
  CHECK(draw(third, 0) == Key{0xe14166ec, 0x9ec84f81});
  const Key sample_key = draw(third, 1);
  CHECK(sample_key == Key{0x61f15a13, 0x246fe96d});

  const Eigen::Vector2f mean(unit_uniform(bits(mean_key, 0)), unit_uniform(bits(mean_key, 1)));
  CHECK(relative_difference(notebook::true_mean().cast<float>().eval(), mean) <= 1e-7);
  Eigen::Matrix2f t;
  for (Eigen::Index k = 0; k < 4; ++k) {
    t(k / 2, k % 2) = unit_uniform(bits(factor_key, std::uint64_t(k)));
  }
  const Eigen::Matrix2f covariance = t * t.transpose();
  CHECK(relative_difference(notebook::true_covariance().cast<float>().eval(), covariance) <= 2e-7);
  const Eigen::Matrix2f lower = covariance.llt().matrixL();
  Eigen::Matrix2Xf samples(2, 50);
  for (Eigen::Index j = 0; j < 50; ++j) {
    Eigen::Vector2f z;
    for (Eigen::Index i = 0; i < 2; ++i) z(i) = normal(bits(sample_key, std::uint64_t(2 * j + i)));
    samples.col(j) = mean + lower * z;
  }
  // Float arithmetic in another order: a few units in the last place.
  CHECK((samples - notebook::samples().cast<float>()).cwiseAbs().maxCoeff() <= 5e-7F);
}

#ifdef NOTEBOOK_EXECUTABLE
TEST_CASE("the example program prints them") {
  std::FILE* pipe = popen(NOTEBOOK_EXECUTABLE " " NOTEBOOK_PICTURE, "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  std::array<char, 512> line{};
  std::size_t matched = 0;
  bool mean_difference = false;
  bool covariance_difference = false;
  while (std::fgets(line.data(), int(line.size()), pipe) != nullptr) {
    long long iteration = 0;
    std::array<double, 2> m{};
    std::array<double, 4> c{};
    if (std::sscanf(line.data(),
                    "iteration %lld: mean = [%lf, %lf], cov = [[%lf, %lf], [%lf, %lf]]", &iteration,
                    &m[0], &m[1], &c[0], &c[1], &c[2], &c[3]) == 7) {
      for (const Printed& printed : trajectory) {
        if (printed.iteration != iteration) continue;
        check_close(Eigen::Map<const Eigen::Vector2d>(m.data()), printed.mean, 2e-6);
        check_close(Eigen::Map<const Eigen::Vector4d>(c.data()), printed.covariance, 2e-6);
        ++matched;
      }
    }
    if (std::sscanf(line.data(), "final mean - true mean: [%lf, %lf]", &m[0], &m[1]) == 2) {
      check_close(Eigen::Map<const Eigen::Vector2d>(m.data()), final_mean_difference, 2e-6);
      mean_difference = true;
    }
    if (std::sscanf(line.data(), "final cov - true cov: [[%lf, %lf], [%lf, %lf]]", &c[0], &c[1],
                    &c[2], &c[3]) == 4) {
      check_close(Eigen::Map<const Eigen::Vector4d>(c.data()), final_covariance_difference, 2e-6);
      covariance_difference = true;
    }
  }
  CHECK(pclose(pipe) == 0);
  CHECK(matched == trajectory.size());
  CHECK(mean_difference);
  CHECK(covariance_difference);
}
#endif
