// The notebook's picture: loss against iteration, and the samples with the one- and two-sigma
// ellipses of three Gaussians. Data files for gnuplot, and an SVG where gnuplot is installed.
#pragma once

#include <scorematch/distribution/gaussian.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

namespace notebook {

using Gaussian2 = scorematch::Gaussian<double, 2>;

// <fstream>, and Eigen's expressions below, would cost as much to compile as a fit.
class File {
 public:
  explicit File(const std::string& path) : file_(std::fopen(path.c_str(), "w")) {
    if (file_ == nullptr) throw std::runtime_error("cannot write " + path);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { std::fclose(file_); }

  void point(double x, double y) { std::fprintf(file_, "%.9g %.9g\n", x, y); }
  void write(const char* text) { std::fputs(text, file_); }

 private:
  std::FILE* file_;
};

// The points mean + radius L (cos t, sin t): radius standard deviations away in every direction.
inline void write_ellipses(File& file, const Gaussian2& gaussian) {
  const auto& mean = gaussian.mean();
  const auto& l = gaussian.cholesky();
  for (const double radius : {1.0, 2.0}) {
    for (int k = 0; k <= 120; ++k) {
      const double t = 2 * std::numbers::pi * k / 120;
      const double c = radius * std::cos(t);
      const double s = radius * std::sin(t);
      file.point(mean(0) + l(0, 0) * c, mean(1) + l(1, 0) * c + l(1, 1) * s);
    }
    file.write("\n");
  }
  file.write("\n");
}

inline void write_data(const std::string& directory, const std::vector<double>& losses,
                       const Eigen::Matrix2Xd& samples, const Gaussian2& truth,
                       const Gaussian2& estimate, const Gaussian2& maximum_likelihood) {
  File loss_file(directory + "/loss.dat");
  for (std::size_t k = 0; k < losses.size(); ++k) loss_file.point(double(k), losses[k]);
  File sample_file(directory + "/samples.dat");
  for (Eigen::Index j = 0; j < samples.cols(); ++j) sample_file.point(samples(0, j), samples(1, j));
  File ellipse_file(directory + "/ellipses.dat");
  for (const Gaussian2* gaussian : {&truth, &estimate, &maximum_likelihood}) {
    write_ellipses(ellipse_file, *gaussian);
  }
  File(directory + "/picture.gp")
      .write(R"(set terminal svg size 900,400 font "sans-serif,12" background "white"
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
)");
}

inline void draw(const std::string& directory, const std::vector<double>& losses,
                 const Eigen::Matrix2Xd& samples, const Gaussian2& truth, const Gaussian2& estimate,
                 const Gaussian2& maximum_likelihood) {
  // <filesystem> would cost more to compile than the rest of this file.
  if (std::system(("mkdir -p '" + directory + "'").c_str()) != 0) {
    throw std::runtime_error("cannot make the directory " + directory);
  }
  write_data(directory, losses, samples, truth, estimate, maximum_likelihood);
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
