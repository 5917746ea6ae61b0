// The notebook's picture: loss against iteration, and the samples with the one- and two-sigma
// ellipses of three Gaussians. Data files for gnuplot, and an SVG where gnuplot is installed.
#pragma once

#include <scorematch/distribution/gaussian.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

namespace notebook {

using Gaussian2 = scorematch::Gaussian<double, 2>;

inline std::ofstream open(const std::string& path) {
  std::ofstream file(path);
  if (!file) throw std::runtime_error("cannot write " + path);
  file.precision(9);
  return file;
}

// The points mean + radius L (cos t, sin t): radius standard deviations away in every direction.
inline void write_ellipses(std::ofstream& file, const Gaussian2& gaussian) {
  for (const double radius : {1.0, 2.0}) {
    for (int k = 0; k <= 120; ++k) {
      const double t = 2 * std::numbers::pi * k / 120;
      const Eigen::Vector2d circle(radius * std::cos(t), radius * std::sin(t));
      const Eigen::Vector2d x = gaussian.mean() + gaussian.cholesky() * circle;
      file << x(0) << ' ' << x(1) << '\n';
    }
    file << '\n';
  }
  file << '\n';
}

inline void draw(const std::string& directory, const std::vector<double>& losses,
                 const Eigen::Matrix2Xd& samples, const Gaussian2& truth, const Gaussian2& estimate,
                 const Gaussian2& maximum_likelihood) {
  // <filesystem> would cost more to compile than the rest of this file.
  if (std::system(("mkdir -p '" + directory + "'").c_str()) != 0) {
    throw std::runtime_error("cannot make the directory " + directory);
  }
  std::ofstream loss_file = open(directory + "/loss.dat");
  for (std::size_t k = 0; k < losses.size(); ++k) loss_file << k << ' ' << losses[k] << '\n';
  loss_file.close();
  std::ofstream sample_file = open(directory + "/samples.dat");
  for (const auto x : samples.colwise()) sample_file << x(0) << ' ' << x(1) << '\n';
  sample_file.close();
  std::ofstream ellipse_file = open(directory + "/ellipses.dat");
  for (const Gaussian2* gaussian : {&truth, &estimate, &maximum_likelihood}) {
    write_ellipses(ellipse_file, *gaussian);
  }
  ellipse_file.close();
  std::ofstream script = open(directory + "/picture.gp");
  script << R"(set terminal svg size 900,400 font "sans-serif,12" background "white"
set output 'notebook.svg'
set multiplot layout 1,2
set key top right
set grid lc rgb '#dddddd'
set xlabel 'iteration'
set ylabel 'score matching loss'
plot 'loss.dat' every 20 with lines lw 2 lc rgb '#0072b2' title 'gradient descent'
set key below maxcols 2
set xlabel 'spin 0'
set ylabel 'spin 1'
plot 'samples.dat' with points pt 7 ps 0.4 lc rgb '#999999' title 'samples', \
     'ellipses.dat' index 0 with lines lw 2 lc rgb '#000000' title 'true, 1 and 2 sigma', \
     '' index 1 with lines lw 2 lc rgb '#0072b2' title 'score matching, 4000 steps', \
     '' index 2 with lines lw 2 dt 2 lc rgb '#d55e00' title 'maximum likelihood'
)";
  script.close();
  std::fflush(stdout);
  if (std::system("gnuplot --version >/dev/null 2>&1") != 0) {
    std::printf(
        "\ngnuplot is not installed: the data of the picture is in %s (picture.gp draws it)\n",
        directory.c_str());
  } else if (std::system(("cd '" + directory + "' && gnuplot picture.gp").c_str()) != 0) {
    throw std::runtime_error("gnuplot failed on " + directory + "/picture.gp");
  } else {
    std::printf("\npicture: %s/notebook.svg\n", directory.c_str());
  }
}

}  // namespace notebook
