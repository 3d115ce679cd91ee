#include "host/cli/ids.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <iostream>
#include <system_error>

#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

std::string unknown(const Vocabulary& names, std::string_view name, std::string_view kind) {
  std::string text = fmt::format("there is no {} {}", kind, quote(name));
  const std::vector<std::string> nearest = names.nearest(name.substr(0, 256));
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    text += i == 0 ? "; the most similar: " : ", ";
    text += quote(nearest[i]);
  }
  return text;
}

}  // namespace

NodeId find_id(const Vocabulary& names, std::string_view name, std::string_view kind) {
  const std::optional<NodeId> id = names.find(name);
  if (!id) throw ConfigError(unknown(names, name, kind));
  return *id;
}

std::vector<NodeId> read_ids(const std::string& path, const Vocabulary& names,
                             std::string_view kind) {
  std::ifstream file;
  if (path != "-") {
    errno = 0;
    file.open(path, std::ios::binary);
    if (!file) {
      throw DataError(
          path, 0,
          "cannot be read: " + std::generic_category().message(errno != 0 ? errno : ENOENT));
    }
  }
  std::istream& stream = path == "-" ? std::cin : file;
  std::vector<NodeId> ids;
  std::string line;
  for (std::int64_t number = 1; std::getline(stream, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (line.empty()) continue;
    const std::optional<NodeId> id = names.find(line);
    if (!id) throw DataError(path, number, unknown(names, line, kind));
    ids.push_back(*id);
  }
  if (stream.bad()) throw DataError(path, 0, "cannot be read to its end");
  return ids;
}

}  // namespace tern::cli
