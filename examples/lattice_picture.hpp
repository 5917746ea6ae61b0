// A picture of estimated against true couplings: a data file for gnuplot, and an SVG where gnuplot
// is installed.
#pragma once

#include <Eigen/Core>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace lattice {

inline void draw(const std::filesystem::path& directory, const std::string& name,
                 const Eigen::VectorXd& truth, const Eigen::VectorXd& few,
                 const Eigen::VectorXd& many, const std::string& few_title,
                 const std::string& many_title) {
  std::filesystem::create_directories(directory);
  const auto open = [&](const std::string& file) {
    std::ofstream stream(directory / file);
    if (!stream) throw std::runtime_error("cannot write " + (directory / file).string());
    stream.precision(4);
    return stream;
  };
  std::ofstream data = open(name + ".dat");
  for (Eigen::Index e = 0; e < truth.size(); ++e) {
    data << truth(e) << ' ' << few(e) << ' ' << many(e) << '\n';
  }
  data.close();
  std::ofstream script = open(name + ".gp");
  script << "set terminal svg size 520,480 font \"sans-serif,12\" background \"white\"\n"
         << "set output '" << name << ".svg'\n"
         << "set key top left\nset grid lc rgb '#dddddd'\nset size square\n"
         << "set xlabel 'true coupling'\nset ylabel 'estimated coupling'\n"
         << "plot x with lines lc rgb '#000000' notitle, \\\n"
         << "     '" << name << ".dat' using 1:2 with points pt 7 ps 0.4 lc rgb '#d55e00' title '"
         << few_title << "', \\\n"
         << "     '' using 1:3 with points pt 7 ps 0.4 lc rgb '#0072b2' title '" << many_title
         << "'\n";
  script.close();
  std::fflush(stdout);
  const std::string where = directory.string();
  if (std::system("gnuplot --version >/dev/null 2>&1") != 0) {
    std::printf("gnuplot is not installed: the data of the picture is in %s (%s.gp draws it)\n",
                where.c_str(), name.c_str());
  } else if (std::system(("cd '" + where + "' && gnuplot " + name + ".gp").c_str()) != 0) {
    throw std::runtime_error("gnuplot failed on " + where + "/" + name + ".gp");
  } else {
    std::printf("picture: %s/%s.svg\n", where.c_str(), name.c_str());
  }
}

}  // namespace lattice
