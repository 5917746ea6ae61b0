#include "../examples/csv.hpp"

#include <doctest/doctest.h>

#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

csv::Table table_of(const std::string& text, const csv::Options& options = {}) {
  return csv::parse("csv_test.csv", text, options);
}

std::string complaint(const std::string& text, const csv::Options& options = {}) {
  try {
    table_of(text, options);
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
    for (const std::string end : {"\n", "\r\n", "\r"}) {
      for (const bool last : {true, false}) {
        const std::string rows =
            "1" + delimiter + "2.5" + end + "-3e2" + delimiter + "4" + (last ? end : "");
        CAPTURE(rows);
        const csv::Table plain = table_of(rows);
        check_numbers(plain);
        CHECK(plain.names == std::vector<std::string>{"x1", "x2"});
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
  check("a,b\r\n1,2\r\n\r\n1,2,3\r\n", "csv_test.csv:4: column 3: 3 fields; expected 2");
  check("1,2\n3\n", "csv_test.csv:2: column 1: 1 fields; expected 2");
  check("1,a\n",
        "csv_test.csv:1: column 2: \"a\" is not a finite number (is the line a header? --header "
        "yes)");
  check("a,b\n1,inf\n", "column 2: \"inf\"");
  check("a,b\n1,1e999\n", "column 2: \"1e999\"");
  check("a;b\n1,5;2\n", "csv_test.csv:2: column 1: \"1,5\"");
  check("a,b\n1,\"2\n", "csv_test.csv:2: column 2: the quote is not closed");
  check("a,b\n1,\"2\"3\n", "csv_test.csv:2: column 2: unexpected text");
  check("a,b\n1,2 3\n", "csv_test.csv:2: column 2: \"2 3\"");
  check("a,b\r1,2\r3,x\r", "csv_test.csv:3: column 2: \"x\"");
  check("\"a\nb\",c\n1,2\n3,\"\nx\"\n4\n", "csv_test.csv:4: column 2: \"x\"");
  check("\"a\r\nb\",c\r\n1,2\r\n3\r\n", "csv_test.csv:4: column 1: 1 fields");
  check("1,2\n\"3\n4,5\n", "csv_test.csv:2: column 1: the quote is not closed");
  check("1,\"\x1b[2J" + std::string(100, 'y') + "\"\n",
        "column 2: \"?[2J" + std::string(36, 'y') + "...\" is not");
  check("", "no rows of numbers");
  check("\n\r\n # \n#\n", "no rows of numbers");
  check("a,b\n", "no rows of numbers");
  CHECK_THROWS_WITH(csv::read("no/such/file.csv"), "no/such/file.csv: cannot open");
  CHECK_THROWS_WITH(csv::read(PROJECT_ROOT), PROJECT_ROOT ": cannot read");
}

TEST_CASE("what a message quotes holds no character that a terminal obeys") {
  using namespace std::string_literals;
  const auto check = [](const std::string& text, const std::string& expected) {
    CAPTURE(expected);
    CHECK(text == expected);
    for (const char c : text) CHECK(std::iscntrl(static_cast<unsigned char>(c)) == 0);
  };
  check(csv::shown("a\x1b[2Jb\0c\nd\re\x7f"s), "a?[2Jb?c?d?e?");
  check(csv::shown("10 \xC2\xB5m, \xC3\x9F"), "10 \xC2\xB5m, \xC3\x9F");  // letters stay
  check(csv::shown("\xC2\x9B"
                   "2J"),
        "?2J");  // the control sequence introducer, as one character

  const std::string header = "a,\"evil\x1b[2J\nname\"\n";
  const csv::Table table = table_of(header + "1,2\n3,5\n");
  check(csv::shown(table.names[1]), "evil?[2J name");
  const std::string twice = "\"\x1b[2J\",\"\x1b[2J\"\n1,2\n";
  check(complaint(twice, {.columns = {"\x1b[2J"}}),
        "csv_test.csv: column \"?[2J\" stands in the header twice; expected its number");
  check(complaint(header + "1,2\n", {.columns = {"\x1b]0;x\x07\n\0"s}}),
        "csv_test.csv: column \"?]0;x???\" is not there; expected a name, or a number from 1 to 2");
  check(complaint(header + "1,2\n", {.header = csv::Header::no}),
        "csv_test.csv:1: column 1: \"a\" is not a finite number");
  check(complaint("1,\"\xC2\x9B"
                  "2J\"\n",
                  {.header = csv::Header::no}),
        "csv_test.csv:1: column 2: \"?2J\" is not a finite number");
  CHECK_THROWS_WITH(csv::parse("\x1b[2J\n.csv", "1,2\n3\n"),
                    "?[2J?.csv:2: column 1: 1 fields; expected 2");
  CHECK_THROWS_WITH(csv::read("no/\x1b[2J.csv"), "no/?[2J.csv: cannot open");
}

TEST_CASE("text that is not UTF-8 is named") {
  using namespace std::string_literals;
  CHECK(complaint("\xFF\xFE"
                  "1\0,\0"
                  "2\0\n\0"s) == "csv_test.csv: the text is UTF-16; expected UTF-8");
  CHECK(complaint("\xFE\xFF\0"
                  "1\0,\0"
                  "2\0\n"s) == "csv_test.csv: the text is UTF-16; expected UTF-8");
  const std::string nul = ": a NUL character; expected text in UTF-8 (is it UTF-16?)";
  CHECK(complaint("1\0,\0"s) == "csv_test.csv:1" + nul);
  CHECK(complaint("a,b\r\n1,2\r\n3,4\0\r\n5,1\r\n"s) == "csv_test.csv:3" + nul);
}

TEST_CASE("quotes hold line breaks and blanks") {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const csv::Table table =
        table_of("\"speed" + end + "(m/s)\",\" force \"\n\" 1\",\"2.5\"\n\"-3e2 \"," + "\"" + end +
                 "4" + end + "\"\n");
    check_numbers(table);
    CHECK(table.names == std::vector<std::string>{"speed (m/s)", "force"});
  }
}

TEST_CASE("comments, and a header in the last one, as NumPy's savetxt writes it") {
  const std::string rows = "1 2.5\n-3e2 4\n";
  check_numbers(table_of("# x y\n" + rows));
  CHECK(table_of("# x y\n" + rows).names == std::vector<std::string>{"x", "y"});
  CHECK(table_of("# drawn at 300 K\n#\n# x y\n\n" + rows + "# the end\n").names ==
        std::vector<std::string>{"x", "y"});
  CHECK(table_of("# drawn at 300 K\n" + rows).names == std::vector<std::string>{"x1", "x2"});
  CHECK(table_of("# drawn\ta b\n" + rows).names == std::vector<std::string>{"drawn", "a b"});
  CHECK(table_of("# \"not closed, y\n" + rows).names == std::vector<std::string>{"x1", "x2"});
  CHECK(table_of("# of this\na b\n" + rows).names == std::vector<std::string>{"a", "b"});
  const csv::Table years = table_of("# 2022 2023\n" + rows, {.header = csv::Header::yes});
  check_numbers(years);
  CHECK(years.names == std::vector<std::string>{"2022", "2023"});
  CHECK(table_of("# x y\n" + rows, {.header = csv::Header::no}).names ==
        std::vector<std::string>{"x1", "x2"});
  CHECK(table_of("#x,y\n1,2\n").names == std::vector<std::string>{"#x", "y"});
}

TEST_CASE("a header is guessed where no field is a finite number, and can be told") {
  using Names = std::vector<std::string>;
  const std::string rows = "1,2.5\n-3e2,4\n";
  CHECK(table_of("nan,inf\n" + rows).names == Names{"nan", "inf"});
  CHECK(table_of("inf,a\n" + rows).names == Names{"inf", "a"});
  CHECK(table_of(",a\n" + rows).names == Names{"x1", "a"});
  CHECK(table_of("2022,2023\n" + rows).values.cols() == 3);
  const csv::Table years = table_of("2022,2023\n" + rows, {.header = csv::Header::yes});
  check_numbers(years);
  CHECK(years.names == Names{"2022", "2023"});
  CHECK(table_of("NA,NA\n" + rows, {.header = csv::Header::yes}).names == Names{"NA", "NA"});
  CHECK(complaint("a,b\n" + rows, {.header = csv::Header::no}) ==
        "csv_test.csv:1: column 1: \"a\" is not a finite number");
}

TEST_CASE("missing values are counted, or their rows dropped") {
  const std::string rest = "; expected none, unless such rows are dropped (--missing drop)";
  CHECK(complaint("NA,NA\n1,2.5\n-3e2,4\n") ==
        "csv_test.csv: 2 values missing in 1 row, the first in line 1, column 1" + rest);
  CHECK(complaint("a,b\n1,2\n3,\n\n,NaN\n") ==
        "csv_test.csv: 3 values missing in 2 rows, the first in line 3, column 2" + rest);
  CHECK(complaint("1\t2\n3\t\n") ==
        "csv_test.csv: 1 value missing in 1 row, the first in line 2, column 2" + rest);
  CHECK(complaint("1,2\n,3\n").find("1 value missing") != std::string::npos);
  for (const std::string word : {"", "NA", "n/a", "#N/A", "NaN", "-nan", "null", "None", "?", ".",
                                 "-", "\"\"", "\" NA \""}) {
    CAPTURE(word);
    const csv::Table table =
        table_of("a,b\n" + word + ",3\n1,2.5\n7," + word + "\n-3e2,4\n" + word + "," + word + "\n",
                 {.drop_missing = true});
    check_numbers(table);
    CHECK(table.dropped == 3);
    CHECK(table.names == std::vector<std::string>{"a", "b"});
  }
  CHECK(complaint("NA,1\n2,NA\n", {.drop_missing = true}).find("no rows of numbers") !=
        std::string::npos);
  // An infinity is not missing.
  CHECK(complaint("1,2\n-inf,3\n", {.drop_missing = true}).find("\"-inf\" is not a finite") !=
        std::string::npos);
}

TEST_CASE("columns by name or number; what is wrong in the others does not matter") {
  using Names = std::vector<std::string>;
  const std::string text = "id,b,\"c, d\",1\nu,4,NA,1\nv,-3,x,2.5\n";
  const auto check = [&](const Names& columns, const Names& names, double first, double second) {
    const csv::Table table = table_of(text, {.header = csv::Header::yes, .columns = columns});
    CHECK(table.names == names);
    REQUIRE(table.values.rows() == 2);
    CHECK(table.values(0, 0) == first);
    CHECK(table.values(1, 0) == second);
  };
  check({"b", "4"}, {"b", "1"}, 4, 1);
  check({"1", "b"}, {"1", "b"}, 1, 4);  // a name comes before a number
  check(csv::split("4,2", ','), {"1", "b"}, 1, 4);
  CHECK(csv::split("\"c, d\",b", ',') == Names{"c, d", "b"});
  CHECK(csv::split("air pressure", ',') == Names{"air pressure"});
  const auto refused = [&](const Names& columns, const std::string& expected) {
    CHECK(complaint(text, {.header = csv::Header::yes, .columns = columns}) ==
          "csv_test.csv: column " + expected);
  };
  refused({"e"}, "\"e\" is not there; expected a name, or a number from 1 to 4");
  refused({"5"}, "\"5\" is not there; expected a name, or a number from 1 to 4");
  refused({"0"}, "\"0\" is not there; expected a name, or a number from 1 to 4");
  refused({"2.5"}, "\"2.5\" is not there; expected a name, or a number from 1 to 4");
  refused({"b", "2"}, "\"2\" is asked for twice");
  CHECK(complaint("a,a\n1,2\n", {.columns = {"a"}}) ==
        "csv_test.csv: column \"a\" stands in the header twice; expected its number");
}

TEST_CASE("a table written in any way reads as what was written, to the bit") {
  std::mt19937_64 rng(1);
  const auto any = [&](int n) { return int(rng() % std::uint64_t(n)); };
  for (int repeat = 0; repeat < 500; ++repeat) {
    const int rows = 1 + any(5), columns = 2 + any(4);
    const std::string end = std::vector<std::string>{"\n", "\r\n", "\r"}[std::size_t(any(3))];
    const std::string delimiter =
        std::vector<std::string>{",", ";", "\t", " "}[std::size_t(any(4))];
    std::string text = any(2) == 0 ? "\xEF\xBB\xBF" : "";
    Eigen::MatrixXd values(columns, rows);
    if (any(2) == 0) text += "# a comment of more words than columns" + end;
    const bool header = any(2) == 0;
    const auto put = [&](const std::string& field, int column) {
      const std::string pad =
          any(4) == 0 && delimiter != "\t" ? std::string(std::size_t(1 + any(2)), ' ') : "";
      text += any(3) == 0 ? pad + '"' + pad + field + '"' + pad : pad + field + pad;
      text += column + 1 < columns ? delimiter : end;
    };
    for (int i = 0; header && i < columns; ++i) put("name" + std::to_string(i), i);
    for (int j = 0; j < rows; ++j) {
      if (any(5) == 0) text += end;
      for (int i = 0; i < columns; ++i) {
        do {
          const std::uint64_t bits = rng();
          std::memcpy(&values(i, j), &bits, sizeof bits);
        } while (!std::isfinite(values(i, j)));
        char buffer[64];
        std::snprintf(buffer, sizeof buffer, "%.17g", values(i, j));
        put(buffer, i);
      }
    }
    CAPTURE(text);
    const csv::Table table = table_of(text);
    REQUIRE(table.values.rows() == columns);
    REQUIRE(table.values.cols() == rows);
    CHECK((table.values.array() == values.array()).all());
    CHECK(table.names[0] == (header ? "name0" : "x1"));
  }
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
