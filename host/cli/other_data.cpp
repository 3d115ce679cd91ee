#include "host/cli/other_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "host/cli/format.hpp"
#include "host/cli/ids.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

constexpr NodeId kUnknown = -1;

// The run's id of each name that has interactions. *unknown is the number of those without one.
std::vector<NodeId> find_all(const Vocabulary& names, const Vocabulary& known,
                             const std::vector<bool>& occurs, std::int64_t* unknown) {
  std::vector<NodeId> ids(static_cast<std::size_t>(names.size()), kUnknown);
  for (NodeId id = 0; id < names.size(); ++id) {
    if (!occurs[static_cast<std::size_t>(id)]) continue;
    const std::optional<NodeId> found = find_id(known, names.name(id));
    if (!found) ++*unknown;
    ids[static_cast<std::size_t>(id)] = found.value_or(kUnknown);
  }
  return ids;
}

std::int64_t count_in(const Interactions& interactions, const Interactions& other) {
  std::int64_t count = 0;
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    const std::span<const NodeId> row = other.row(user);
    for (const NodeId item : interactions.row(user)) {
      if (std::binary_search(row.begin(), row.end(), item)) ++count;
    }
  }
  return count;
}

[[noreturn]] void fail_unknown(const std::string& file, const Dataset& found, const Dataset& run) {
  throw DataError(
      file, 0,
      fmt::format("the run knows user and item of none of its {} interactions: found "
                  "for example user {} and item {}, the run has for example user {} "
                  "and item {}",
                  grouped(found.train.size()), quote(found.users.name(0)),
                  quote(found.items.name(0)), quote(run.users.name(0)), quote(run.items.name(0))));
}

void expect_file(const std::string& file, std::string_view option) {
  std::error_code unknown_kind;
  if (std::filesystem::is_directory(file, unknown_kind)) {
    throw ConfigError(
        fmt::format("{}: {} is a directory, expected a file of interactions", option, quote(file)));
  }
}

/// The first configuration key that a message names, such as "data.user_column"; "" if none.
std::string key_in(std::string_view message) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz_";
  std::size_t place = 0;
  while ((place = message.find("data.", place)) != std::string_view::npos) {
    const std::size_t end = message.find_first_not_of(kLetters, place + 5);
    const std::string_view word = message.substr(place, end - place);
    const auto& keys = config_keys();
    if (std::ranges::find(keys, word, &ConfigKey::key) != keys.end()) return std::string(word);
    place += 5;
  }
  return "";
}

/// The end of a message about a file that is read with a run's settings: the option that sets the key
/// which the message names; empty if it names none.
std::string way_out(std::string_view message) {
  const std::string key = key_in(message);
  if (key.empty()) return "";
  return fmt::format(
      "; --set {}=VALUE sets it for this file, which is otherwise read as the run's data", key);
}

/// Returns read(). Its errors that name a key also name the option that sets it.
template <typename Read>
auto read_as_run(const Read& read) {
  try {
    return read();
  } catch (const ConfigError& error) {
    throw ConfigError(error.what() + way_out(error.what()));
  } catch (const DataError& error) {
    throw DataError(error.file(), error.line(),
                    std::string(error.finding()) + way_out(error.finding()));
  }
}

}  // namespace

DataOptions reading_of(const std::vector<std::string>& sets, Config config) {
  for (const std::string& assignment : sets) {
    const std::size_t equals = assignment.find('=');
    const std::string key = assignment.substr(0, equals);
    if (equals == std::string::npos || !key.starts_with("data.")) {
      throw ConfigError(fmt::format("--set: found \"{}\", expected data.KEY=VALUE", assignment));
    }
    set_config(config, key, assignment.substr(equals + 1));
  }
  return config.data;
}

DataOptions reading_of_rows(const std::vector<std::string>& sets, Config config) {
  config.data.min_rating.reset();
  for (std::string* column : {&config.data.rating_column, &config.data.timestamp_column}) {
    if (*column != "none") column->clear();
  }
  return reading_of(sets, std::move(config));
}

InteractionRows read_rows(const std::string& file, const DataOptions& options,
                          std::string_view option, Console& console) {
  expect_file(file, option);
  InteractionRows rows = read_as_run([&] { return read_interaction_rows(file, options); });
  for (const std::string& note : rows.notes) console.line(note);
  return rows;
}

OtherData read_other_data(const std::string& file, const DataOptions& options, const Dataset& run,
                          Console& console) {
  expect_file(file, "--data");
  const Dataset other = read_as_run([&] { return load_interactions(file, options); });
  for (const std::string& note : other.notes) console.line(note);
  std::vector<bool> users_occur(static_cast<std::size_t>(other.users.size()), false);
  std::vector<bool> items_occur(static_cast<std::size_t>(other.items.size()), false);
  for (NodeId user = 0; user < other.train.num_users(); ++user) {
    users_occur[static_cast<std::size_t>(user)] = !other.train.row(user).empty();
  }
  for (const NodeId item : other.train.items()) items_occur[static_cast<std::size_t>(item)] = true;
  std::int64_t unknown_users = 0;
  std::int64_t unknown_items = 0;
  const std::vector<NodeId> users = find_all(other.users, run.users, users_occur, &unknown_users);
  const std::vector<NodeId> items = find_all(other.items, run.items, items_occur, &unknown_items);
  std::vector<Interaction> pairs;
  for (NodeId user = 0; user < other.train.num_users(); ++user) {
    for (const NodeId item : other.train.row(user)) {
      const Interaction pair{users[static_cast<std::size_t>(user)],
                             items[static_cast<std::size_t>(item)]};
      if (pair.user != kUnknown && pair.item != kUnknown) pairs.push_back(pair);
    }
  }
  OtherData data;
  data.read = other.train.size();
  data.left_out = data.read - static_cast<std::int64_t>(pairs.size());
  if (pairs.empty()) fail_unknown(file, other, run);
  if (data.left_out > 0) {
    console.line(fmt::format(
        "{}: unknown to the run: users: {}, items: {}; interactions left out: {} of {}.", file,
        grouped(unknown_users), grouped(unknown_items), grouped(data.left_out),
        grouped(data.read)));
  }
  data.interactions = Interactions::from_pairs(run.users.size(), run.items.size(), pairs);
  const std::int64_t masked =
      count_in(data.interactions, run.train) + count_in(data.interactions, run.valid);
  if (masked > 0) {
    console.line(fmt::format(
        "{}: interactions that are in the run's training or validation split, are masked and can "
        "never be hit: {}.",
        file, grouped(masked)));
  }
  return data;
}

}  // namespace tern::cli
