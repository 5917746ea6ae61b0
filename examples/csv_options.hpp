// What the programs that read a table of numbers (csv.hpp) have in common on their command lines.
#pragma once

#include "csv.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace csv {

[[noreturn]] inline void refuse(const std::string& option, const std::string& value,
                                const std::string& expected) {
  throw std::invalid_argument(option + " " + shown(value) + ": expected " + expected);
}

inline double positive(const std::string& option, const std::string& value) {
  const auto given = number(value);
  if (given && std::isfinite(*given) && *given > 0) return *given;
  refuse(option, value, "a number above 0");
}

// Whether the option is one of how the table is read; then it is taken.
inline bool take(const std::string& option, const std::string& value, Options& options) {
  if (option == "--header") {
    if (value != "yes" && value != "no") refuse(option, value, "yes or no");
    options.header = value == "yes" ? Header::yes : Header::no;
  } else if (option == "--columns") {
    options.columns = split(value, ',');
  } else if (option == "--missing") {
    if (value != "drop") refuse(option, value, "drop");
    options.drop_missing = true;
  } else {
    return false;
  }
  return true;
}

}  // namespace csv
