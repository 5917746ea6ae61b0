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

inline std::string text(const Eigen::Ref<const Eigen::VectorXd>& vector) {
  std::string line = "[";
  for (Eigen::Index i = 0; i < vector.size(); ++i) line += (i > 0 ? ", " : "") + text(vector(i));
  return line + "]";
}

inline std::string text_rows(const Eigen::Ref<const Eigen::MatrixXd>& matrix) {
  std::string line = "[";
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    line += (i > 0 ? ", " : "") + text(Eigen::VectorXd(matrix.row(i).transpose()));
  }
  return line + "]";
}
