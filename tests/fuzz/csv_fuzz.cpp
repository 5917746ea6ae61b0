// The CSV reader on any bytes. What it accepts is a table of finite numbers, which reads the same
// when it is written anew; what it does not, it refuses with the name of the file.
#include "../../examples/csv.hpp"
#include "fuzz.hpp"

#include <string>

namespace {

std::string written(const csv::Table& table) {
  std::string text;
  for (std::size_t i = 0; i < table.names.size(); ++i) {
    text += i == 0 ? "\"" : ",\"";
    for (const char c : table.names[i]) {
      text += c;
      if (c == '"') text += c;
    }
    text += '"';
  }
  for (Eigen::Index j = 0; j < table.values.cols(); ++j) {
    for (Eigen::Index i = 0; i < table.values.rows(); ++i) {
      std::array<char, 32> number;
      std::snprintf(number.data(), number.size(), "%.17g", table.values(i, j));
      text += i == 0 ? '\n' : ',';
      text += number.data();
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  // The first byte gives the options.
  csv::Options options;
  options.header = std::array{csv::Header::guess, csv::Header::yes, csv::Header::no}[bytes[0] % 3];
  options.drop_missing = bytes[0] / 3 % 2 == 1;
  if (bytes[0] / 6 % 4 == 1) options.columns = {"2", "1"};
  if (bytes[0] / 6 % 4 == 2) options.columns = {"a"};
  const std::string text(bytes + 1, bytes + size);
  csv::Table table;
  try {
    table = csv::parse("file", text, options);
  } catch (const std::runtime_error& error) {
    fuzz::require(std::string(error.what()).starts_with("file:"), "a message names the file");
    return 0;
  }
  fuzz::require(std::size_t(table.values.rows()) == table.names.size(), "a name for each column");
  fuzz::require(table.values.rows() > 0 && table.values.cols() > 0, "a table holds numbers");
  fuzz::require(table.values.allFinite(), "a table holds finite numbers");
  fuzz::require(options.drop_missing || table.dropped == 0, "no row is dropped unasked");
  for (const std::string& name : table.names)
    fuzz::require(!name.empty(), "every column has a name");

  const csv::Table again = csv::parse("file", written(table), {.header = csv::Header::yes});
  fuzz::require(again.names == table.names, "names read as they are written");
  fuzz::require(fuzz::same_bits(again.values, table.values), "numbers read as they are written");
  return 0;
}
