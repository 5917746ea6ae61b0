// What several tests share: random problems, one gradient checker, one of estimates of known
// parameters, comparisons to the bit.
#pragma once

#include <scorematch/scorematch.hpp>

#include <Eigen/Dense>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>

namespace support {

namespace sm = scorematch;

using Rng = std::mt19937_64;

inline constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

// What follows is the same for all tests as far as it can be, in support.cpp: a product or an
// inverse of Eigen's costs the compiler a second or two in each file that has one.

Eigen::MatrixXd normals_in_double(Eigen::Index rows, Eigen::Index columns, Rng& rng);
Eigen::MatrixXd random_samples_in_double(Eigen::Index d, Eigen::Index n, Rng& rng);

template <class Scalar, int Rows = Eigen::Dynamic>
Eigen::Matrix<Scalar, Rows, Eigen::Dynamic> normals(Eigen::Index rows, Eigen::Index columns,
                                                    Rng& rng) {
  return normals_in_double(rows, columns, rng).template cast<Scalar>();
}

// Samples of a random, well-conditioned Gaussian of order one.
template <class Scalar = double, int Rows = Eigen::Dynamic>
Eigen::Matrix<Scalar, Rows, Eigen::Dynamic> random_samples(Eigen::Index d, Eigen::Index n,
                                                           Rng& rng) {
  return random_samples_in_double(d, n, rng).template cast<Scalar>();
}

// A matrix of any type, by its numbers.
struct View {
  const double* data;
  Eigen::Index rows, columns, down, across;

  double operator()(Eigen::Index i, Eigen::Index j) const { return data[i * down + j * across]; }
};

bool same_bits(const View& a, const View& b);
double relative_difference(const View& actual, const View& expected);

template <class X>
concept InDouble = std::same_as<typename X::Scalar, double>;

template <class X>
concept Stored = requires(const X& x) {
  { x.data() } -> std::same_as<const double*>;
  x.colStride();
};

template <class X>
decltype(auto) stored(const X& x) {
  if constexpr (Stored<X>) {
    return (x);
  } else {
    return typename X::PlainObject(x);
  }
}

template <Stored X>
View view(const X& x) {
  return {x.data(), x.rows(), x.cols(), x.rowStride(), x.colStride()};
}

template <class A, class B>
bool same_bits(const A& a, const B& b) {
  if constexpr (InDouble<A> && InDouble<B>) {
    const auto& left = stored(a);
    const auto& right = stored(b);
    return same_bits(view(left), view(right));
  } else {
    return a.rows() == b.rows() && a.cols() == b.cols() && (a.array() == b.array()).all();
  }
}

// Largest difference of entries, relative to the largest entry of `expected`.
template <class A, class B>
double relative_difference(const A& actual, const B& expected) {
  if constexpr (InDouble<A> && InDouble<B>) {
    const auto& left = stored(actual);
    const auto& right = stored(expected);
    return relative_difference(view(left), view(right));
  } else {
    return static_cast<double>((actual - expected).cwiseAbs().maxCoeff() /
                               expected.cwiseAbs().maxCoeff());
  }
}

// Of a symmetric matrix, increasing, and the eigenvectors, one a column.
struct Spectrum {
  Eigen::VectorXd values;
  Eigen::MatrixXd vectors;
};
Spectrum spectrum_of(const Eigen::MatrixXd& symmetric);

// Largest difference of two covariances in units of the standard deviations of `expected`.
double covariance_difference(const Eigen::MatrixXd& actual, const Eigen::MatrixXd& expected);

template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no exception";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

using LongVector = Eigen::Matrix<long double, Eigen::Dynamic, 1>;

// How far `gradient`, computed in double, is from the slope of `value`.
//
// Central differences with one Richardson step: (4 D(h) - D(2 h)) / 3, error O(h^4). Component i is
// measured in steps of scale(i), which gives all components one unit; the result is the largest
// relative error, where what lies within `floor` of the largest component counts as rounding.
double gradient_error(const std::function<long double(const LongVector&)>& value,
                      const Eigen::VectorXd& theta, const Eigen::VectorXd& gradient,
                      const Eigen::VectorXd& scale, double floor = 1e-12);

// How estimates of known parameters err, over many seeds.
struct Recovery {
  // The largest mean error of a parameter, in standard errors: at most 3 where there is no bias.
  double bias_of_few;
  double bias_of_many;
  // Root mean square error from 4 n samples over that from n, a mean over the parameters: 1/2 where
  // errors fall as the root of n. Known to about 0.02 from 200 seeds.
  double ratio;
};

using DrawSamples = std::function<Eigen::MatrixXd(Rng&, Eigen::Index)>;
using Estimate = std::function<Eigen::VectorXd(const Eigen::MatrixXd&)>;

// Each seed gives one estimate from 4 n samples, `draw(rng, 4 n)`, and four from their quarters.
Recovery recovery(const Eigen::VectorXd& truth, Eigen::Index n, const DrawSamples& draw,
                  const Estimate& estimate);

// Without bias, at the rate of the root of n. Of few samples some estimators have a bias.
void check_recovery(const Eigen::VectorXd& truth, Eigen::Index n, const DrawSamples& draw,
                    const Estimate& estimate, bool also_of_few = false);

// The natural step of each log-Cholesky parameter: row i of the mean and of L in units of L_ii.
Eigen::VectorXd natural_scale(Eigen::Index d, const Eigen::VectorXd& theta);

inline Eigen::VectorXd natural_scale(const sm::GaussianFamily<double>& family,
                                     const Eigen::VectorXd& theta) {
  return natural_scale(family.dimension(), theta);
}

}  // namespace support
