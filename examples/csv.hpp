// A reader for tables of numbers as people have them. The base is RFC 4180: fields, quotes, line
// breaks within quotes. To that come any line ending; comma, semicolon, tab or blanks between
// fields; with or without a header; comments and headers after "# ", as NumPy's savetxt writes
// them; missing values; and a choice of columns. Debian's small CSV readers want the number of
// columns at compile time or do not say where a bad field is.
#pragma once

#include <Eigen/Core>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace csv {

// `guess`: the first record is a header where no field of it is a finite number, and not all of
// them are missing.
enum class Header { guess, yes, no };

struct Options {
  Header header = Header::guess;
  bool drop_missing = false;  // true: without the records that lack a value; else an error
  std::vector<std::string> columns = {};  // names, or numbers from 1; none: all
};

struct Table {
  // One for each column; "x1", "x2", ... without a header. Print what `shown` makes of them.
  std::vector<std::string> names;
  Eigen::MatrixXd values;   // columns x rows: one record per column
  std::size_t dropped = 0;  // records left out because a value is missing
};

struct Record {
  std::size_t line = 0;  // the first of its lines, from 1
  std::vector<std::string> fields;
};

[[noreturn]] inline void fail(const std::string& file, std::size_t line, std::size_t column,
                              const std::string& what) {
  throw std::runtime_error(file + ":" + std::to_string(line) + ": column " +
                           std::to_string(column) + ": " + what);
}

inline bool blank(char c) { return c == ' ' || c == '\t'; }
inline bool line_end(char c) { return c == '\n' || c == '\r'; }

// Every run of blanks and line breaks becomes one blank, and none is left at the ends.
inline std::string simplified(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (!blank(c) && !line_end(c)) {
      result += c;
    } else if (!result.empty() && result.back() != ' ') {
      result += ' ';
    }
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

inline std::string counted(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// As it may be printed: "?" for each character that a terminal would obey, among them U+0080 to
// U+009F, of which UTF-8 makes C2 80 to C2 9F.
inline std::string shown(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto code = static_cast<unsigned char>(text[i]);
    const unsigned next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    const bool two = code == 0xC2 && next >= 0x80 && next < 0xA0;
    result += two || code < 0x20 || code == 0x7F ? '?' : text[i];
    i += two;
  }
  return result;
}

// As a message shows it: no longer than a line.
inline std::string quoted(const std::string& field) {
  return '"' + shown(field.size() <= 40 ? field : field.substr(0, 40) + "...") + '"';
}

inline std::optional<double> number(const std::string& text) {
  if (text.empty()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size()) return std::nullopt;
  return value;
}

inline bool finite_number(const std::string& text) {
  const std::optional<double> value = number(text);
  return value && std::isfinite(*value);
}

// What R, NumPy, pandas, spreadsheets and databases write for a value that is not there.
inline bool missing(const std::string& text) {
  std::string lower = text;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* word : {"", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "?", ".", "-"}) {
    if (lower == word) return true;
  }
  return false;
}

// Cuts a text into records.
class Records {
 public:
  // Without a delimiter it is looked for in the first record.
  Records(std::string file, std::string_view text, std::optional<char> delimiter = {})
      : file_(std::move(file)), text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
    if (text_.starts_with("\xFF\xFE") || text_.starts_with("\xFE\xFF")) {
      throw std::runtime_error(file_ + ": the text is UTF-16; expected UTF-8");
    }
    const std::size_t nul = text_.find('\0');
    if (nul != std::string_view::npos) {
      for (std::size_t i = 0; i < nul; ++i) line_ += ends_line(i);
      throw std::runtime_error(file_ + ":" + std::to_string(line_) +
                               ": a NUL character; expected text in UTF-8 (is it UTF-16?)");
    }
    skip_to_record();
    delimiter_ = delimiter ? *delimiter : find_delimiter();
    separators_ = std::string("\r\n") + (delimiter_ == ' ' ? " \t" : std::string(1, delimiter_));
  }

  // The next one, or none at the end.
  std::optional<Record> next() {
    skip_to_record();
    if (at_ == text_.size()) return std::nullopt;
    Record record{line_, {}};
    while (true) {
      record.fields.push_back(field(record.fields.size() + 1));
      if (at_ == text_.size() || line_end(text_[at_])) return record;
      if (text_[at_] == delimiter_) ++at_;
    }
  }

  // The last one so far, without its "#".
  std::string_view comment() const { return comment_; }

 private:
  // CR LF counts once.
  bool ends_line(std::size_t i) const {
    return text_[i] == '\n' || (text_[i] == '\r' && !text_.substr(i + 1).starts_with('\n'));
  }

  // The first character at or after `from` that is none of `characters`, or is one; else the end.
  std::size_t skip(std::string_view characters, std::size_t from) const {
    return (std::min)(text_.find_first_not_of(characters, from), text_.size());
  }
  std::size_t find(std::string_view characters, std::size_t from) const {
    return (std::min)(text_.find_first_of(characters, from), text_.size());
  }

  std::string_view blanks() const { return delimiter_ == '\t' ? " " : " \t"; }

  // Past empty lines, and comments: "#" and a blank or nothing more. ("#N/A" is a missing value.)
  void skip_to_record() {
    while (at_ < text_.size()) {
      std::size_t end = skip(blanks(), at_);
      if (text_[at_] == '#' &&
          (at_ + 1 == text_.size() || blank(text_[at_ + 1]) || line_end(text_[at_ + 1]))) {
        end = find("\r\n", at_);
        comment_ = text_.substr(at_ + 1, end - at_ - 1);
      } else if (end < text_.size() && !line_end(text_[end])) {
        return;
      }
      at_ = end;
      if (at_ < text_.size()) line_ += ends_line(at_++);
    }
  }

  // The first of tab, semicolon and comma that stands between fields of the first record; else
  // blanks.
  char find_delimiter() const {
    std::string outside;  // of quotes
    bool in_quotes = false;
    for (std::size_t i = at_; i < text_.size() && (in_quotes || !line_end(text_[i])); ++i) {
      const bool may_open =
          i == at_ || std::string_view(" \t;,\"").find(text_[i - 1]) != std::string_view::npos;
      if (text_[i] == '"' && (in_quotes || may_open)) in_quotes = !in_quotes;
      if (!in_quotes) outside += text_[i];
    }
    while (!outside.empty() && blank(outside.back())) outside.pop_back();
    for (const char candidate : {'\t', ';', ','}) {
      if (outside.find(candidate) != std::string::npos) return candidate;
    }
    return ' ';
  }

  std::string field(std::size_t column) {
    at_ = skip(blanks(), at_);
    if (at_ == text_.size() || text_[at_] != '"') {
      const std::size_t start = at_;
      at_ = find(separators_, at_);
      std::string text = simplified(text_.substr(start, at_ - start));
      at_ = skip(blanks(), at_);
      return text;
    }
    const std::size_t line = line_;
    std::string text;
    for (++at_;; ++at_) {
      if (at_ == text_.size()) fail(file_, line, column, "the quote is not closed");
      if (text_[at_] == '"') {
        if (!text_.substr(at_ + 1).starts_with('"')) break;
        ++at_;  // a doubled quote stands for one
      }
      line_ += ends_line(at_);
      text += text_[at_];
    }
    at_ = skip(blanks(), at_ + 1);
    if (delimiter_ != ' ' && at_ < text_.size() && text_[at_] != delimiter_ &&
        !line_end(text_[at_])) {
      fail(file_, line_, column, "unexpected text after the closing quote");
    }
    return simplified(text);
  }

  std::string file_;
  std::string_view text_;
  std::string_view comment_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  char delimiter_ = ' ';
  std::string separators_;  // what ends a field that is not quoted
};

// The fields of one line.
inline std::vector<std::string> split(std::string_view line, std::optional<char> delimiter = {}) {
  const std::optional<Record> record = Records("", line, delimiter).next();
  return record ? record->fields : std::vector<std::string>{};
}

struct Names {
  std::vector<std::string> names;
  bool in_first;  // record: it is the header
};

inline Names find_names(const Record& first, std::string_view comment, Header header) {
  const std::size_t width = first.fields.size();
  Names result{{}, false};
  if (header != Header::no) {
    const bool values = std::any_of(first.fields.begin(), first.fields.end(), finite_number) ||
                        std::all_of(first.fields.begin(), first.fields.end(), missing);
    if (comment.find('"') == std::string_view::npos) result.names = split(comment);
    if (result.names.size() != width) result.names.clear();
    result.in_first = !values || (header == Header::yes && result.names.empty());
    if (result.in_first) result.names = first.fields;
  }
  result.names.resize(width);
  for (std::size_t i = 0; i < width; ++i) {
    // Not "x" + ... or = "x": g++ 12 warns of an overlap in these.
    if (result.names[i].empty()) result.names[i].append(1, 'x').append(std::to_string(i + 1));
  }
  return result;
}

// The indices of the columns that are asked for.
inline std::vector<std::size_t> find_columns(const std::string& file,
                                             const std::vector<std::string>& names,
                                             const std::vector<std::string>& wanted) {
  std::vector<std::size_t> columns;
  const auto refuse = [&](const std::string& column, const std::string& what) {
    throw std::runtime_error(file + ": column " + quoted(column) + what);
  };
  for (const std::string& column : wanted) {
    std::size_t index = names.size();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] != column) continue;
      if (index < names.size()) refuse(column, " stands in the header twice; expected its number");
      index = i;
    }
    const double from_one = number(column).value_or(0);
    if (index == names.size() && from_one >= 1 && from_one <= static_cast<double>(names.size()) &&
        from_one == std::floor(from_one)) {
      index = static_cast<std::size_t>(from_one) - 1;
    }
    if (index == names.size()) {
      refuse(column, " is not there; expected a name, or a number from 1 to " +
                         std::to_string(names.size()));
    }
    if (std::find(columns.begin(), columns.end(), index) != columns.end()) {
      refuse(column, " is asked for twice");
    }
    columns.push_back(index);
  }
  for (std::size_t i = 0; wanted.empty() && i < names.size(); ++i) columns.push_back(i);
  return columns;
}

// `name` is what messages call the text.
inline Table parse(const std::string& name, std::string_view text, const Options& options = {}) {
  const std::string file = shown(name);
  Records records(file, text);
  std::optional<Record> record = records.next();
  if (!record) throw std::runtime_error(file + ": no rows of numbers");
  const std::size_t width = record->fields.size();
  const Names header = find_names(*record, records.comment(), options.header);
  const std::vector<std::size_t> columns = find_columns(file, header.names, options.columns);
  const bool guessed_data = options.header == Header::guess && !header.in_first;
  const std::size_t first_line = record->line;
  if (header.in_first) record = records.next();

  Table table;
  for (const std::size_t i : columns) table.names.push_back(header.names[i]);
  std::vector<double> values;
  std::size_t lacking = 0;  // values
  std::string first_lacking;
  for (; record; record = records.next()) {
    if (record->fields.size() != width) {
      fail(file, record->line, record->fields.size(),
           std::to_string(record->fields.size()) + " fields; expected " + std::to_string(width));
    }
    const std::size_t before = values.size();
    bool complete = true;
    for (const std::size_t i : columns) {
      const std::string& field = record->fields[i];
      if (missing(field)) {
        complete = false;
        if (lacking++ == 0) {
          first_lacking =
              "line " + std::to_string(record->line) + ", column " + std::to_string(i + 1);
        }
      } else if (finite_number(field)) {
        values.push_back(*number(field));
      } else {
        fail(file, record->line, i + 1,
             quoted(field) + " is not a finite number" +
                 (guessed_data && record->line == first_line
                      ? " (is the line a header? --header yes)"
                      : ""));
      }
    }
    if (!complete) {
      values.resize(before);
      ++table.dropped;
    }
  }
  if (lacking > 0 && !options.drop_missing) {
    throw std::runtime_error(file + ": " + counted(lacking, "value") + " missing in " +
                             counted(table.dropped, "row") + ", the first in " + first_lacking +
                             "; expected none, unless such rows are dropped (--missing drop)");
  }
  if (values.empty()) throw std::runtime_error(file + ": no rows of numbers");
  const auto rows = static_cast<Eigen::Index>(columns.size());
  table.values = Eigen::Map<const Eigen::MatrixXd>(values.data(), rows,
                                                   static_cast<Eigen::Index>(values.size()) / rows);
  return table;
}

inline Table read(const std::string& file, const Options& options = {}) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error(shown(file) + ": cannot open");
  std::string text;
  for (char c; stream.get(c);) text += c;
  if (stream.bad()) throw std::runtime_error(shown(file) + ": cannot read");
  return parse(file, text, options);
}

}  // namespace csv
