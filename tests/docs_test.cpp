// Every ```cpp block of README.md and docs/ stands in the compiled file named on the line before
// it:
// <!-- examples/notebook.cpp -->
// and every name that docs/mathematics.md quotes stands in a header.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace {

using Lines = std::vector<std::string>;

Lines read_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  Lines lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string without_indent(const std::string& line) {
  const std::size_t start = line.find_first_not_of(' ');
  return start == std::string::npos ? "" : line.substr(start);
}

bool stands_in(const Lines& block, const Lines& source) {
  if (block.empty()) return false;
  return std::search(source.begin(), source.end(), block.begin(), block.end(),
                     [](const std::string& a, const std::string& b) {
                       return without_indent(a) == without_indent(b);
                     }) != source.end();
}

// The words of letters, digits and underscores.
std::set<std::string> words_of(const std::string& text) {
  std::set<std::string> words;
  std::string word;
  for (const char c : text + ' ') {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      word += c;
    } else if (!word.empty()) {
      words.insert(word);
      word.clear();
    }
  }
  return words;
}

// The words of all headers' code, without comments, and of the headers' own paths.
std::set<std::string> words_of_headers(const std::filesystem::path& include) {
  std::set<std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(include)) {
    if (entry.path().extension() != ".hpp") continue;
    all.merge(words_of(entry.path().string()));
    for (const std::string& line : read_lines(entry.path())) {
      all.merge(words_of(line.substr(0, line.find("//"))));
    }
  }
  return all;
}

// What stands between `backticks` on one line.
Lines quoted_in(const std::string& line) {
  Lines quoted;
  for (std::size_t start = line.find('`'); start != std::string::npos;) {
    const std::size_t end = line.find('`', start + 1);
    if (end == std::string::npos) break;
    quoted.push_back(line.substr(start + 1, end - start - 1));
    start = line.find('`', end + 1);
  }
  return quoted;
}

}  // namespace

TEST_CASE("the names that the mathematics quotes are names in the headers") {
  const std::filesystem::path root = PROJECT_ROOT;
  const std::set<std::string> known = words_of_headers(root / "include");
  int names = 0;
  for (const std::string& line : read_lines(root / "docs" / "mathematics.md")) {
    for (const std::string& quoted : quoted_in(line)) {
      CAPTURE(quoted);
      for (const std::string& word : words_of(quoted)) {
        CAPTURE(word);
        CHECK(known.count(word) == 1);
        ++names;
      }
    }
  }
  CHECK(names > 0);
  CHECK(known.count("GaussianFamily") == 1);
  CHECK(known.count("no_header_has_this") == 0);
  CHECK(quoted_in("a `b` and `c::d`, a ` alone") == Lines{"b", "c::d"});
}

TEST_CASE("documentation quotes compiled code") {
  const std::filesystem::path root = PROJECT_ROOT;
  std::vector<std::filesystem::path> pages{root / "README.md", root / "CONTRIBUTING.md"};
  for (const auto& entry : std::filesystem::directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
  int blocks = 0;
  for (const auto& page : pages) {
    const Lines lines = read_lines(page);
    REQUIRE_FALSE(lines.empty());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!without_indent(lines[i]).starts_with("```cpp")) continue;
      CAPTURE(page.string());
      CAPTURE(i + 1);
      REQUIRE(i > 0);
      const std::string& marker = lines[i - 1];
      REQUIRE(marker.starts_with("<!-- "));
      const std::filesystem::path source = root / marker.substr(5, marker.find(" -->") - 5);
      Lines block;
      for (++i; i < lines.size() && without_indent(lines[i]) != "```"; ++i)
        block.push_back(lines[i]);
      CAPTURE(source.string());
      CHECK(stands_in(block, read_lines(source)));
      ++blocks;
    }
  }
  CHECK(blocks > 0);
}

TEST_CASE("the check sees a block that differs") {
  const Lines source{"int main() {", "  return 0;", "}"};
  CHECK(stands_in({"return 0;"}, source));
  CHECK(stands_in({"int main() {", "  return 0;"}, source));
  CHECK_FALSE(stands_in({"return 1;"}, source));
  CHECK_FALSE(stands_in({"int main() {", "}"}, source));
  CHECK_FALSE(stands_in({}, source));
}
