// A picture of estimated against true couplings: a data file for gnuplot, and an SVG where gnuplot
// is installed.
#pragma once

#include "gnuplot.hpp"

#include <Eigen/Core>

#include <fstream>
#include <string>

namespace lattice {

inline void draw(const std::string& directory, const std::string& name,
                 const Eigen::VectorXd& truth, const Eigen::VectorXd& few,
                 const Eigen::VectorXd& many, const std::string& few_title,
                 const std::string& many_title) {
  const Picture picture(directory);
  std::ofstream data = picture.open(name + ".dat");
  for (Eigen::Index e = 0; e < truth.size(); ++e) {
    data << truth(e) << ' ' << few(e) << ' ' << many(e) << '\n';
  }
  data.close();
  picture.draw(name,
               "set terminal svg size 520,480 font \"sans-serif,12\" background \"white\"\n"
               "set output '" +
                   name +
                   ".svg'\n"
                   "set key top left\nset grid lc rgb '#dddddd'\nset size square\n"
                   "set xlabel 'true coupling'\nset ylabel 'estimated coupling'\n"
                   "plot x with lines lc rgb '#000000' notitle, \\\n"
                   "     '" +
                   name + ".dat' using 1:2 with points pt 7 ps 0.4 lc rgb '#d55e00' title '" +
                   few_title +
                   "', \\\n     '' using 1:3 with points pt 7 ps 0.4 lc rgb '#0072b2' title '" +
                   many_title + "'\n",
               name + ".svg");
}

}  // namespace lattice
