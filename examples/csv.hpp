// A reader for tables of numbers as people have them: with or without a header; comma, semicolon,
// tab or blanks between fields; quotes; either line ending. Debian's small CSV readers want the
// number of columns at compile time or do not say where a bad field is.
#pragma once

#include <Eigen/Core>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace csv {

struct Table {
  std::vector<std::string> names;  // one for each column; "x0", "x1", ... without a header
  Eigen::MatrixXd values;          // columns x rows: one record per column
};

struct Field {
  std::string text;
  bool quoted = false;
};

[[noreturn]] inline void fail(const std::string& file, std::size_t line, std::size_t column,
                              const std::string& what) {
  throw std::runtime_error(file + ":" + std::to_string(line) + ": column " +
                           std::to_string(column) + ": " + what);
}

inline bool blank(char c) { return c == ' ' || c == '\t'; }

// The first of tab, semicolon and comma that stands outside quotes; else blanks.
inline char find_delimiter(const std::string& line) {
  for (const char candidate : {'\t', ';', ','}) {
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (c == candidate && !quoted) return candidate;
    }
  }
  return ' ';
}

inline std::vector<Field> split(const std::string& file, std::size_t line_number,
                                const std::string& line, char delimiter) {
  std::vector<Field> fields;
  std::size_t at = 0;
  const auto skip_blanks = [&] {
    while (at < line.size() && blank(line[at]) && line[at] != (delimiter == '\t' ? '\t' : '\0'))
      ++at;
  };
  while (true) {
    Field field;
    skip_blanks();
    if (at < line.size() && line[at] == '"') {
      field.quoted = true;
      for (++at;; ++at) {
        if (at >= line.size())
          fail(file, line_number, fields.size() + 1, "the quote is not closed");
        if (line[at] == '"') {
          if (at + 1 >= line.size() || line[at + 1] != '"') break;
          ++at;  // a doubled quote stands for one
        }
        field.text += line[at];
      }
      ++at;
    } else {
      while (at < line.size() && line[at] != delimiter && !(delimiter == ' ' && blank(line[at]))) {
        field.text += line[at++];
      }
      while (!field.text.empty() && blank(field.text.back())) field.text.pop_back();
    }
    skip_blanks();
    fields.push_back(field);
    if (at >= line.size()) return fields;
    if (delimiter != ' ') {
      if (line[at] != delimiter) {
        fail(file, line_number, fields.size(), "unexpected text after the closing quote");
      }
      ++at;
    }
  }
}

inline std::optional<double> number(const std::string& text) {
  if (text.empty()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size()) return std::nullopt;
  return value;
}

inline std::string default_name(std::size_t column) {
  std::string name = "x";
  return name += std::to_string(column);
}

inline Table read(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error(file + ": cannot open");
  Table table;
  std::vector<double> values;
  std::size_t width = 0;
  char delimiter = ' ';
  std::string line;
  for (std::size_t line_number = 1; std::getline(stream, line); ++line_number) {
    if (line_number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    while (!line.empty() && (line.back() == '\r' || blank(line.back()))) {
      // A trailing tab is an empty last field where tabs delimit.
      if (line.back() == '\t' && delimiter == '\t' && width > 0) break;
      line.pop_back();
    }
    if (line.empty()) continue;
    const bool first = width == 0;
    if (first) delimiter = find_delimiter(line);
    const std::vector<Field> fields = split(file, line_number, line, delimiter);
    if (first) {
      width = fields.size();
      bool any_number = false;
      for (const Field& field : fields) any_number = any_number || number(field.text);
      if (!any_number) {
        for (const Field& field : fields) table.names.push_back(field.text);
        continue;
      }
      for (std::size_t i = 0; i < width; ++i) table.names.push_back(default_name(i));
    }
    if (fields.size() != width) {
      fail(file, line_number, fields.size(),
           std::to_string(fields.size()) + " fields; expected " + std::to_string(width));
    }
    for (std::size_t i = 0; i < width; ++i) {
      const std::optional<double> value = number(fields[i].text);
      if (!value || !std::isfinite(*value)) {
        fail(file, line_number, i + 1, "\"" + fields[i].text + "\" is not a finite number");
      }
      values.push_back(*value);
    }
  }
  if (stream.bad()) throw std::runtime_error(file + ": cannot read");
  if (values.empty()) throw std::runtime_error(file + ": no rows of numbers");
  table.values =
      Eigen::Map<const Eigen::MatrixXd>(values.data(), static_cast<Eigen::Index>(width),
                                        static_cast<Eigen::Index>(values.size() / width));
  return table;
}

}  // namespace csv
