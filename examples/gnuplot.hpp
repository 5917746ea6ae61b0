// Where an example writes the data of a picture, and the call of gnuplot that draws it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

class Picture {
 public:
  explicit Picture(const std::string& directory) : directory_(directory) {
    std::filesystem::create_directories(directory_);
  }

  std::ofstream open(const std::string& name) const {
    std::ofstream file(directory_ / name);
    if (!file) throw std::runtime_error("cannot write " + (directory_ / name).string());
    file.precision(9);
    return file;
  }

  // Runs the script NAME.gp, which writes `made`, or says where the data is.
  void draw(const std::string& name, const std::string& script, const std::string& made) const {
    open(name + ".gp") << script;
    std::fflush(stdout);
    const std::string where = directory_.string();
    if (std::system("gnuplot --version >/dev/null 2>&1") != 0) {
      std::printf("gnuplot is not installed: the data is in %s (%s.gp draws it)\n", where.c_str(),
                  name.c_str());
    } else if (std::system(("cd '" + where + "' && gnuplot " + name + ".gp").c_str()) != 0) {
      throw std::runtime_error("gnuplot failed on " + where + "/" + name + ".gp");
    } else {
      std::printf("picture: %s/%s\n", where.c_str(), made.c_str());
    }
  }

 private:
  std::filesystem::path directory_;
};
