// Vectors and matrices on one line, as NumPy prints them.
#pragma once

#include <Eigen/Core>

#include <cstdio>
#include <string>

inline std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.8f", value);
  return buffer;
}

// By pointer: Eigen::Ref would cost more to compile than a fit.
inline std::string text(const double* values, Eigen::Index size, Eigen::Index stride = 1) {
  std::string line = "[";
  for (Eigen::Index i = 0; i < size; ++i) {
    if (i > 0) line += ", ";
    line += text(values[i * stride]);
  }
  line += ']';
  return line;
}

template <int Dim>
std::string text(const Eigen::Matrix<double, Dim, 1>& vector) {
  return text(vector.data(), vector.size());
}

template <int Dim>
std::string text_rows(const Eigen::Matrix<double, Dim, Dim>& matrix) {
  std::string line = "[";
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    if (i > 0) line += ", ";
    line += text(matrix.data() + i, matrix.cols(), matrix.rows());
  }
  line += ']';
  return line;
}
