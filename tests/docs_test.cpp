// What the pages say of files holds. A ```cpp block stands in the compiled file that is named on
// the line before it:
// <!-- examples/notebook.cpp -->
// A ```text block is the output of a program that docs/snippets/CMakeLists.txt compares with it, or
// says why it is none:
// <!-- output of docs/snippets/energies.cpp -->
// <!-- no output: a drawing -->
// Names, headers and links lead somewhere, and lines are short.
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

// The pages that people read: those at the root and those of docs/.
std::vector<std::filesystem::path> all_pages() {
  const std::filesystem::path root = PROJECT_ROOT;
  std::vector<std::filesystem::path> pages;
  for (const auto& folder : {root, root / "docs"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".md") pages.push_back(entry.path());
    }
  }
  return pages;
}

bool opens_block(const std::string& line) { return without_indent(line).starts_with("```"); }

// The lines outside of ``` blocks; those inside are empty.
Lines prose_of(Lines lines) {
  bool inside = false;
  for (std::string& line : lines) {
    const bool fence = opens_block(line);
    if (inside || fence) line.clear();
    if (fence) inside = !inside;
  }
  return lines;
}

// How many letters a reader sees: bytes that go on with a letter of UTF-8 are none.
std::size_t columns(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(
      line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

// The anchor that GitHub gives to a heading.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading.substr(heading.find_first_not_of("# "))) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || byte >= 128) {
      anchor += static_cast<char>(std::tolower(byte));
    } else if (c == ' ') {
      anchor += '-';
    }
  }
  return anchor;
}

std::set<std::string> anchors_of(const std::filesystem::path& page) {
  std::set<std::string> anchors;
  for (const std::string& line : prose_of(read_lines(page))) {
    if (line.starts_with("#")) anchors.insert(anchor_of(line));
  }
  return anchors;
}

// What stands in [text](here) on one line.
Lines links_in(const std::string& line) {
  Lines links;
  for (std::size_t start = line.find("]("); start != std::string::npos;) {
    const std::size_t end = line.find(')', start);
    if (end == std::string::npos) break;
    links.push_back(line.substr(start + 2, end - start - 2));
    start = line.find("](", end);
  }
  return links;
}

bool leads_somewhere(const std::string& link, const std::filesystem::path& page) {
  if (link.starts_with("https://")) return true;
  const std::size_t hash = link.find('#');
  const std::string file = link.substr(0, hash);
  const auto target = file.empty() ? page : page.parent_path() / file;
  if (!std::filesystem::exists(target)) return false;
  return hash == std::string::npos || anchors_of(target).count(link.substr(hash + 1)) == 1;
}

// A class or concept, by its capitals: `GaussianFamily`.
bool is_type_name(const std::string& word) {
  const auto upper = [](char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; };
  const auto lower = [](char c) { return std::islower(static_cast<unsigned char>(c)) != 0; };
  return word.size() > 2 && upper(word[0]) && std::any_of(word.begin() + 1, word.end(), upper) &&
         std::any_of(word.begin(), word.end(), lower);
}

// A file as the pages name it: from the root, as it is included, or by its name alone.
bool stands_below(const std::filesystem::path& root, const std::string& file) {
  const auto folders = {"", "include", "include/scorematch", "tests", "docs/snippets"};
  return std::any_of(folders.begin(), folders.end(), [&](const char* folder) {
    return std::filesystem::exists(root / folder / file);
  });
}

// What follows `key` on the first line that begins with it, without quotes.
std::string value_of(const Lines& lines, const std::string& key) {
  for (const std::string& line : lines) {
    if (!line.starts_with(key)) continue;
    std::string value = without_indent(line.substr(key.size()));
    value.erase(std::remove(value.begin(), value.end(), '"'), value.end());
    return value;
  }
  return "";
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
  int blocks = 0;
  for (const auto& page : all_pages()) {
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

TEST_CASE("a block of text is a program's output, or says why it is none") {
  const std::filesystem::path root = PROJECT_ROOT;
  const std::string output = "<!-- output of ", other = "<!-- no output: ";
  int outputs = 0;
  for (const auto& page : all_pages()) {
    const Lines lines = read_lines(page);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].starts_with(output)) {
        CAPTURE(lines[i]);
        REQUIRE(i + 1 < lines.size());
        CHECK(lines[i + 1] == "```text");
      }
      if (!without_indent(lines[i]).starts_with("```text")) continue;
      CAPTURE(page.string());
      CAPTURE(i + 1);
      REQUIRE(i > 0);
      const std::string& marker = lines[i - 1];
      CAPTURE(marker);
      if (marker.starts_with(other)) continue;
      REQUIRE(marker.starts_with(output));
      // The programs that docs/snippets/CMakeLists.txt runs.
      const std::string program = marker.substr(output.size(), marker.find(" -->") - output.size());
      CHECK((program == "scripts/rooms.py" ||
             (program.starts_with("docs/snippets/") && std::filesystem::exists(root / program))));
      ++outputs;
    }
  }
  CHECK(outputs > 0);
}

TEST_CASE("links lead to files and to headings") {
  int links = 0;
  for (const auto& page : all_pages()) {
    CAPTURE(page.string());
    for (const std::string& line : prose_of(read_lines(page))) {
      for (const std::string& link : links_in(line)) {
        CAPTURE(link);
        CHECK(leads_somewhere(link, page));
        ++links;
      }
    }
  }
  CHECK(links > 0);
  const std::filesystem::path readme = std::filesystem::path(PROJECT_ROOT) / "README.md";
  CHECK_FALSE(leads_somewhere("docs/no_page_has_this.md", readme));
  CHECK_FALSE(leads_somewhere("docs/design.md#no-heading-says-this", readme));
  CHECK(anchor_of("## L-BFGS: what, and *why*?") == "l-bfgs-what-and-why");
}

TEST_CASE("lines have at most 100 columns, but for tables") {
  for (const auto& page : all_pages()) {
    CAPTURE(page.string());
    const Lines lines = read_lines(page);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].starts_with("|")) continue;
      CAPTURE(i + 1);
      CHECK(columns(lines[i]) <= 100);
    }
  }
  CHECK(columns("θ = 1") == 5);
}

TEST_CASE("the files and types that the pages name are there") {
  const std::filesystem::path root = PROJECT_ROOT;
  std::set<std::string> known = words_of_headers(root / "include");
  for (const auto* folder : {"examples", "tests", "docs/snippets", "bench"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
      for (const std::string& line : read_lines(entry.path())) {
        known.merge(words_of(line.substr(0, line.find("//"))));
      }
    }
  }
  // A file of CMake's, and names that stand for a user's own.
  const std::set<std::string> of_others{"CMakeLists", "FetchContent", "MyFamily", "MyLoss"};
  known.insert(of_others.begin(), of_others.end());
  int files = 0, types = 0;
  for (const auto& page : all_pages()) {
    if (page.filename() == "CHANGELOG.md") continue;  // tells what was
    CAPTURE(page.string());
    for (const std::string& line : prose_of(read_lines(page))) {
      for (const std::string& quoted : quoted_in(line)) {
        CAPTURE(quoted);
        const bool file = quoted.ends_with(".hpp") || quoted.ends_with(".cpp") ||
                          quoted.ends_with(".py") || quoted.ends_with(".cmake");
        if (file && quoted[0] != '.' && quoted.find_first_of("<*{ ") == std::string::npos) {
          CHECK(stands_below(root, quoted));
          ++files;
        }
        for (const std::string& word : words_of(quoted)) {
          if (!is_type_name(word)) continue;
          CAPTURE(word);
          CHECK(known.count(word) == 1);
          ++types;
        }
      }
    }
  }
  CHECK(files > 0);
  CHECK(types > 0);
  CHECK(is_type_name("GaussianFamily"));
  CHECK_FALSE(is_type_name("Dim"));
  CHECK_FALSE(is_type_name("NDEBUG"));
}

TEST_CASE("the page on choices says what to do about every status") {
  const std::filesystem::path root = PROJECT_ROOT;
  const Lines header = read_lines(root / "include/scorematch/core/status.hpp");
  const Lines page = read_lines(root / "docs/which-one.md");
  int statuses = 0;
  bool inside = false;
  for (const std::string& line : header) {
    if (line.starts_with("enum class Status")) inside = true;
    if (line.starts_with("};")) inside = false;
    if (!inside || line.find("///<") == std::string::npos) continue;
    const std::string heading = "### `" + *words_of(line.substr(0, line.find(','))).begin() + "`";
    CAPTURE(heading);
    CHECK(std::find(page.begin(), page.end(), heading) != page.end());
    ++statuses;
  }
  CHECK(statuses == 7);
}

TEST_CASE("the citation names this version and license") {
  const std::filesystem::path root = PROJECT_ROOT;
  const Lines citation = read_lines(root / "CITATION.cff");
  const Lines version = read_lines(root / "include/scorematch/core/version.hpp");
  const std::string define = "#define SCOREMATCH_VERSION_";
  CHECK(value_of(citation, "version:") == value_of(version, define + "MAJOR") + '.' +
                                              value_of(version, define + "MINOR") + '.' +
                                              value_of(version, define + "PATCH"));
  CHECK(value_of(citation, "license:") + " License" == read_lines(root / "LICENSE").at(0));
}
