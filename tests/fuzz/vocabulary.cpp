// The reader of vocabularies. Promises: an accepted vocabulary has exactly the names of the file;
// every name is found by its id and no other; any vocabulary, written and read again, is equal.

#include "tern/vocabulary.hpp"

#include "tests/fuzz/targets.hpp"

namespace tern::fuzz {
namespace {

std::string lines_of(const Vocabulary& names) {
  std::string text;
  for (NodeId id = 0; id < names.size(); ++id) text += names.name(id) + '\n';
  return text;
}

void check(const Vocabulary& names) {
  for (NodeId id = 0; id < names.size(); ++id) {
    require(names.find(names.name(id)) == id, "a name is not found under its id");
  }
  if (names.size() == 0) return;
  const std::vector<std::string> nearest = names.nearest(names.name(0));
  require(!nearest.empty() && nearest.size() <= 3, "no name is near the first");
}

/// Passes the lines, names of any bytes, through add() and a file.
void write_and_read(std::string_view text) {
  Vocabulary names;
  while (!text.empty()) {
    const std::size_t stop = text.find('\n');
    const std::string_view name = text.substr(0, stop);
    text.remove_prefix(stop == std::string_view::npos ? text.size() : stop + 1);
    const NodeId before = names.size();
    try {
      const NodeId id = names.add(name);
      require(id <= before && names.name(id) == name, "a name gets another's id");
    } catch (const ShapeError& error) {
      require_one_line(error.what());
      require(name.empty() || name.find_first_of(std::string("\t\0", 2)) != std::string::npos,
              "a good name is refused");
      require(names.size() == before, "a refused name is kept");
    }
  }
  check(names);
  const std::filesystem::path path = scratch_directory() / "names.tsv";
  names.write(path);
  require(lines_of(Vocabulary::read(path)) == lines_of(names), "written, it reads otherwise");
}

}  // namespace

void read_vocabulary(Input input) {
  const bool write = input.byte() % 2 != 0;
  const std::string_view text = input.rest();
  if (write) {
    write_and_read(text);
    return;
  }
  const std::filesystem::path path = scratch_file("vocabulary", text);
  const auto names = attempt([&] { return Vocabulary::read(path); });
  if (accepted(names) == nullptr) return;
  require(lines_of(*accepted(names)) == text, "the names are not those of the file");
  check(*accepted(names));
}

}  // namespace tern::fuzz
