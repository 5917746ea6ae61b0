#include "../examples/csv.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// In a directory of this process alone: test cases may run side by side.
std::filesystem::path directory() {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() /
      ("scorematch_csv_test_" + std::to_string(std::random_device{}()));
  std::filesystem::create_directories(path);
  return path;
}

csv::Table table_of(const std::string& text) {
  const std::string name = (directory() / "csv_test.csv").string();
  {
    std::ofstream file(name, std::ios::binary);
    file << text;
  }
  try {
    csv::Table table = csv::read(name);
    std::filesystem::remove_all(directory());
    return table;
  } catch (...) {
    std::filesystem::remove_all(directory());
    throw;
  }
}

std::string complaint(const std::string& text) {
  try {
    table_of(text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "read";
}

// Rows 1 2.5 and -3e2 4.
void check_numbers(const csv::Table& table) {
  REQUIRE(table.values.rows() == 2);
  REQUIRE(table.values.cols() == 2);
  CHECK(table.values(0, 0) == 1);
  CHECK(table.values(1, 0) == 2.5);
  CHECK(table.values(0, 1) == -300);
  CHECK(table.values(1, 1) == 4);
}

}  // namespace

TEST_CASE("every delimiter, line ending and header") {
  for (const std::string delimiter : {",", ";", "\t", " ", "   ", ", ", " ; ", " \t "}) {
    for (const std::string end : {"\n", "\r\n"}) {
      for (const bool last : {true, false}) {
        const std::string rows =
            "1" + delimiter + "2.5" + end + "-3e2" + delimiter + "4" + (last ? end : "");
        CAPTURE(rows);
        const csv::Table plain = table_of(rows);
        check_numbers(plain);
        CHECK(plain.names == std::vector<std::string>{"x0", "x1"});
        const csv::Table named = table_of("a" + delimiter + "b" + end + rows);
        check_numbers(named);
        CHECK(named.names == std::vector<std::string>{"a", "b"});
      }
    }
  }
}

TEST_CASE("quotes, a byte order mark, blank lines and blanks around fields") {
  const csv::Table table = table_of(
      "\xEF\xBB\xBF\"speed, in m/s\",\"say \"\"hi\"\"\"\n\n 1 , \"2.5\" \n\r\n-3e2,+4\n\n");
  check_numbers(table);
  CHECK(table.names == std::vector<std::string>{"speed, in m/s", "say \"hi\""});
  check_numbers(table_of("\"x;1\";\"y\"\n1;2.5\n-300;4"));
  check_numbers(table_of("  1   2.5  \n -3e2 4  "));
  const csv::Table one = table_of("value\n1\n2\n");
  CHECK(one.values.rows() == 1);
  CHECK(one.values.cols() == 2);
  CHECK(table_of("7").values(0, 0) == 7);
}

TEST_CASE("what cannot be read is named by file, line and column") {
  const auto check = [](const std::string& text, const std::string& expected) {
    CAPTURE(text);
    CHECK(complaint(text).find(expected) != std::string::npos);
  };
  check("a,b\n1,2\n3,x\n", "csv_test.csv:3: column 2: \"x\" is not a finite number");
  check("1,2\n3,\n", "csv_test.csv:2: column 2: \"\"");
  check("1\t2\n3\t\n", "csv_test.csv:2: column 2: \"\"");
  check("1,2\n,3\n", "csv_test.csv:2: column 1: \"\"");
  check("a,b\r\n1,2\r\n\r\n1,2,3\r\n", "csv_test.csv:4: column 3: 3 fields; expected 2");
  check("1,2\n3\n", "csv_test.csv:2: column 1: 1 fields; expected 2");
  check("1,a\n", "csv_test.csv:1: column 2: \"a\"");
  check("a,b\n1,nan\n", "csv_test.csv:2: column 2: \"nan\"");
  check("a,b\n1,inf\n", "column 2: \"inf\"");
  check("a,b\n1,1e999\n", "column 2: \"1e999\"");
  check("a;b\n1,5;2\n", "csv_test.csv:2: column 1: \"1,5\"");
  check("a,b\n1,\"2\n", "csv_test.csv:2: column 2: the quote is not closed");
  check("a,b\n1,\"2\"3\n", "csv_test.csv:2: column 2: unexpected text");
  check("a,b\n1,2 3\n", "csv_test.csv:2: column 2: \"2 3\"");
  check("", "no rows of numbers");
  check("a,b\n", "no rows of numbers");
  CHECK_THROWS_WITH(csv::read("no/such/file.csv"), "no/such/file.csv: cannot open");
}

TEST_CASE("the marks of 88 students in five exams") {
  const csv::Table marks = csv::read(MARKS_CSV);
  CHECK(marks.names ==
        std::vector<std::string>{"mechanics", "vectors", "algebra", "analysis", "statistics"});
  CHECK(marks.values.cols() == 88);
  // The column means Mardia, Kent and Bibby (1979) print.
  const Eigen::VectorXd mean = marks.values.rowwise().mean();
  CHECK(mean(0) == doctest::Approx(38.9545).epsilon(1e-5));
  CHECK(mean(2) == doctest::Approx(50.6023).epsilon(1e-5));
  CHECK(mean(4) == doctest::Approx(42.3068).epsilon(1e-5));
}
