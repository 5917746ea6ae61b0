// Every ```cpp block of README.md and docs/ stands in the compiled file named on the line before
// it:
// <!-- examples/notebook.cpp -->
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
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

}  // namespace

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
