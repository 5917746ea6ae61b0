// A fit by gradient descent written by hand, the reference of fixed_bench and contexts.cpp.
#pragma once

#include <scorematch/scorematch.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <cmath>
#include <cstddef>

namespace by_hand {

namespace sm = scorematch;

constexpr int steps = 4000;
constexpr double rate = 1e-3;

// The library's formulas (see GaussianScoreMatching) on plain doubles. Returns the last loss.
template <int d>
struct ByHand {
  static constexpr std::size_t size = std::size_t(d);
  static constexpr std::size_t parameters = size + size * (size + 1) / 2;
  double m[size];
  double c[size][size];

  explicit ByHand(const sm::Moments<double, d>& seen) {
    const Eigen::Matrix<double, d, d> root = seen.covariance().llt().matrixL();
    for (int i = 0; i < d; ++i) {
      m[i] = seen.mean()(i);
      for (int j = 0; j < d; ++j) c[i][j] = root(i, j);
    }
  }

  double operator()(double (&theta)[parameters]) const {
    double loss = 0;
    for (int step = 0;; ++step) {
      double l[size][size], a[size][size], r[size], n[size][size], e[size][size], b[size][size],
          u[size], k[size][size];
      for (int i = 0, p = 2 * d; i < d; ++i) {
        for (int j = 0; j < i; ++j) l[i][j] = theta[p++];
        l[i][i] = std::exp(theta[d + i]);
      }
      for (int j = 0; j < d; ++j) {
        a[j][j] = 1 / l[j][j];
        for (int i = j + 1; i < d; ++i) {
          double sum = 0;
          for (int q = j; q < i; ++q) sum -= l[i][q] * a[q][j];
          a[i][j] = sum / l[i][i];
        }
      }
      for (int i = 0; i < d; ++i) {
        r[i] = 0;
        for (int q = 0; q <= i; ++q) r[i] += a[i][q] * (m[q] - theta[q]);
        for (int j = 0; j <= i; ++j) {
          n[i][j] = 0;
          for (int q = j; q <= i; ++q) n[i][j] += a[i][q] * c[q][j];
        }
      }
      loss = 0;
      for (int i = 0; i < d; ++i) {
        for (int j = 0; j <= i; ++j) {
          double w = r[i] * r[j], s = 0;
          for (int q = 0; q <= j; ++q) {
            w += n[i][q] * n[j][q];
            s += a[i][q] * a[j][q];
          }
          e[i][j] = e[j][i] = (i == j ? 1 : 0) - w;
          b[i][j] = b[j][i] = s;
          loss -= (i == j ? 0.5 : 1.0) * s * ((i == j ? 2 : 0) - w);
        }
      }
      if (step == steps) return loss;
      for (int i = 0; i < d; ++i) {
        u[i] = 0;
        for (int q = 0; q < d; ++q) u[i] += b[i][q] * r[q];
      }
      for (int i = 0; i < d; ++i) {
        for (int j = 0; j <= i; ++j) {
          double sum = 0;
          for (int q = 0; q < d; ++q) sum += b[i][q] * e[q][j] + e[i][q] * b[q][j];
          k[i][j] = k[j][i] = sum;
        }
      }
      for (int i = 0, p = 2 * d; i < d; ++i) {
        double sum = 0;
        for (int q = i; q < d; ++q) sum += a[q][i] * u[q];
        theta[i] += rate * sum;
        for (int j = 0; j <= i; ++j) {
          double g = 0;
          for (int q = i; q < d; ++q) g += a[q][i] * k[q][j];
          if (j < i) {
            theta[p++] -= rate * g;
          } else {
            theta[d + i] -= rate * g * l[i][i];
          }
        }
      }
    }
  }
};

// A = L^-1 = [p 0; q r], N = A C.
template <>
inline double ByHand<2>::operator()(double (&theta)[5]) const {
  for (int step = 0;; ++step) {
    const double l0 = std::exp(theta[2]), l1 = std::exp(theta[3]), off = theta[4];
    const double p = 1 / l0, r = 1 / l1, q = -off * p * r;
    const double d0 = m[0] - theta[0], d1 = m[1] - theta[1];
    const double a0 = p * d0, a1 = q * d0 + r * d1;
    const double n00 = p * c[0][0], n10 = q * c[0][0] + r * c[1][0], n11 = r * c[1][1];
    const double e00 = 1 - n00 * n00 - a0 * a0, e10 = -n10 * n00 - a1 * a0;
    const double e11 = 1 - n11 * n11 - n10 * n10 - a1 * a1;
    const double b00 = p * p, b10 = q * p, b11 = q * q + r * r;
    const double be00 = b00 * e00 + b10 * e10, be11 = b10 * e10 + b11 * e11;
    const double loss = -(b00 + b11 + be00 + be11) / 2;
    if (step == steps) return loss;
    const double c0 = b00 * a0 + b10 * a1, c1 = b10 * a0 + b11 * a1;
    const double k10 = b10 * e00 + b11 * e10 + (b00 * e10 + b10 * e11);
    theta[0] += rate * (p * c0 + q * c1);
    theta[1] += rate * (r * c1);
    theta[2] -= rate * ((p * (2 * be00) + q * k10) * l0);
    theta[3] -= rate * (r * (2 * be11) * l1);
    theta[4] -= rate * (r * k10);
  }
}

}  // namespace by_hand
