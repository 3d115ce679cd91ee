#include "host/cli/history.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "host/cli/format.hpp"
#include "host/cli/ids.hpp"
#include "host/cli/other_data.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

/// The rows of the file that count, and how many do not.
struct KnownRows {
  std::vector<Interaction> rows;  // users as in names, items as in the run
  Vocabulary names;
  std::int64_t known_users = 0;
  std::string a_known_user;
  std::int64_t unknown_items = 0;
  std::string an_unknown_item;
};

KnownRows select_rows(const InteractionRows& file, LoadedRun& loaded) {
  KnownRows known;
  for (const Interaction& row : file.rows) {
    const std::string user = file.users.name(row.user);
    if (find_id(loaded.names(Side::kUser), user)) {
      if (known.known_users++ == 0) known.a_known_user = user;
      continue;
    }
    const NodeId new_user = known.names.add(user);  // also one of whom no item is known
    const std::string item = file.items.name(row.item);
    const std::optional<NodeId> id = find_id(loaded.names(Side::kItem), item);
    if (!id) {
      if (known.unknown_items++ == 0) known.an_unknown_item = item;
      continue;
    }
    known.rows.push_back({new_user, *id});
  }
  return known;
}

void note_left_out(const std::string& file, const KnownRows& known, std::size_t all,
                   Console& console) {
  const std::string of = grouped(static_cast<std::int64_t>(all));
  if (known.known_users > 0) {
    console.line(
        fmt::format("{}: rows of users that the run knows, left out (--user lists for them): "
                    "{} of {}, for example {}",
                    file, grouped(known.known_users), of, quote(known.a_known_user)));
  }
  if (known.unknown_items > 0) {
    console.line(
        fmt::format("{}: rows with items that are unknown to the run, left out: {} of {}, "
                    "for example {}",
                    file, grouped(known.unknown_items), of, quote(known.an_unknown_item)));
  }
  if (known.rows.empty()) {
    throw DataError(file, 0,
                    fmt::format("none of its {} rows has a new user and a known item", of));
  }
}

}  // namespace

NewUsers read_history(const std::string& file, const DataOptions& options, LoadedRun& loaded,
                      Console& console) {
  expect_places_users(loaded, "--history");
  const InteractionRows rows = read_rows(file, options, "--history", console);
  KnownRows known = select_rows(rows, loaded);
  note_left_out(file, known, rows.rows.size(), console);
  return place_users(loaded, std::move(known.names), known.rows);
}

}  // namespace tern::cli
