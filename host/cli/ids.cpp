#include "host/cli/ids.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "host/cli/format.hpp"
#include "host/data/compression.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "tern/dataset.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

/// The number of unknown names that a message shows.
constexpr std::int64_t kShownNames = 3;

/// Looks names up one by one, and keeps account of those that are unknown.
class IdSearch {
 public:
  /// place: the file or the option that the names come from.
  IdSearch(const Vocabulary& names, std::string place, std::string_view kind)
      : names_(names), place_(std::move(place)), kind_(kind) {}

  /// line: 0 if the name is not from a file.
  void add(std::string_view name, std::int64_t line) {
    ++asked_;
    if (const std::optional<NodeId> id = find_id(names_, name)) {
      ids_.push_back(*id);
      return;
    }
    const std::int64_t before = asked_ - 1 - static_cast<std::int64_t>(ids_.size());
    if (before == 0) {
      first_ = name;
      first_line_ = line;
    }
    if (before >= kShownNames) return;
    if (before > 0) shown_ += ", ";
    shown_ += quote(name);
    if (line > 0) shown_ += fmt::format(" (line {})", line);
  }

  std::vector<NodeId> take(Console& console) {
    const auto known = static_cast<std::int64_t>(ids_.size());
    if (asked_ > 0 && known == 0) throw DataError(place_, first_line_, none_known());
    if (known < asked_) {
      console.line(fmt::format("{}: {}s that are unknown to the run and left out: {} of {}: {}",
                               place_, kind_, grouped(asked_ - known), grouped(asked_),
                               shown_ + (asked_ - known > kShownNames ? ", ..." : "")));
    }
    return std::move(ids_);
  }

 private:
  std::string none_known() const {
    std::string text = fmt::format("there is no {} {}", kind_, quote(first_));
    const std::vector<std::string> nearest =
        names_.nearest(std::string_view(first_).substr(0, 256));
    for (std::size_t i = 0; i < nearest.size(); ++i) {
      text += i == 0 ? "; the most similar: " : ", ";
      text += quote(nearest[i]);
    }
    if (nearest.empty() && names_.size() > 0) {
      text += fmt::format("; the run has for example {}", quote(names_.name(0)));
    }
    if (asked_ > 1) text += fmt::format("; none of the {} {}s is known", grouped(asked_), kind_);
    return text;
  }

  const Vocabulary& names_;
  std::string place_;
  std::string kind_;
  std::vector<NodeId> ids_;
  std::int64_t asked_ = 0;
  std::string first_;  // of the unknown names, with its line
  std::int64_t first_line_ = 0;
  std::string shown_;  // the first few
};

}  // namespace

std::optional<NodeId> find_id(const Vocabulary& names, std::string_view name) {
  if (const std::optional<NodeId> id = names.find(name)) return id;
  const std::size_t begin = name.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  return names.find(name.substr(begin, name.find_last_not_of(" \t") + 1 - begin));
}

std::vector<NodeId> find_ids(const std::vector<std::string>& wanted, const Vocabulary& names,
                             std::string_view option, std::string_view kind, Console& console) {
  IdSearch search(names, std::string(option), kind);
  for (const std::string& name : wanted) search.add(name, 0);
  return search.take(console);
}

std::vector<NodeId> read_ids(const std::string& path, const Vocabulary& names,
                             std::string_view kind, Console& console) {
  const ByteBuffer bytes = read_file(path, DataOptions{}.max_bytes);
  const std::string place = path == "-" ? "standard input" : path;
  const auto is_blank = [](std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
  };
  if (is_blank(bytes.view())) throw DataError(place, 0, fmt::format("the file lists no {}s", kind));
  const std::string_view text = checked_text(bytes.view(), place);
  IdSearch search(names, place, kind);
  const char* cursor = text.data();
  const char* const end = cursor + text.size();
  for (std::int64_t number = 1; cursor < end; ++number) {
    const std::string_view line = next_line(cursor, end);
    if (!is_blank(line)) search.add(line, number);
  }
  return search.take(console);
}

}  // namespace tern::cli
