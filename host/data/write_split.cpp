#include "host/data/write_split.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>

#include "host/data/sources.hpp"
#include "host/data/split.hpp"
#include "tern/error.hpp"
#include "tern/generate.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

enum class SplitFormat : bool { kAdjacency, kTable };

std::array<const Interactions*, kSplitParts> parts_of(const Dataset& data) {
  return {&data.train, &data.valid, &data.test};
}

/// Adds the name of each file to `names` before the file is written.
void write_parts(const Dataset& data, const fs::path& to, SplitFormat format,
                 std::vector<std::string>& names) {
  constexpr std::array<const char*, kSplitParts> kNames{"train", "valid", "test"};
  const auto parts = parts_of(data);
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    if (parts[part]->size() == 0) continue;
    const bool as_table = format == SplitFormat::kTable;
    names.push_back(std::string(kNames[part]) + (as_table ? ".tsv" : ".txt"));
    if (as_table) {
      write_interactions_tsv(to / names.back(), *parts[part], data.users, data.items);
    } else {
      write_adjacency(to / names.back(), *parts[part]);
    }
  }
}

void remove_files(const fs::path& folder, const std::vector<std::string>& names) {
  std::error_code ignored;
  for (const std::string& name : names) fs::remove(folder / name, ignored);
}

/// For each name of one vocabulary its id in another, -1 if it has none.
std::vector<NodeId> ids_in(const Vocabulary& other, const Vocabulary& names) {
  std::vector<NodeId> ids;
  ids.reserve(static_cast<std::size_t>(names.size()));
  for (NodeId id = 0; id < names.size(); ++id) {
    ids.push_back(other.find(names.name(id)).value_or(-1));
  }
  return ids;
}

/// Whether the part has the same interactions by name as another, given the ids of its names there.
bool is_same(const Interactions& part, const Interactions& other, std::span<const NodeId> users,
             std::span<const NodeId> items) {
  if (part.size() != other.size()) return false;
  std::vector<Interaction> pairs;
  pairs.reserve(static_cast<std::size_t>(part.size()));
  for (NodeId user = 0; user < part.num_users(); ++user) {
    for (const NodeId item : part.row(user)) {
      const Interaction pair{users[static_cast<std::size_t>(user)],
                             items[static_cast<std::size_t>(item)]};
      if (pair.user < 0 || pair.item < 0) return false;
      pairs.push_back(pair);
    }
  }
  return Interactions::from_pairs(other.num_users(), other.num_items(), pairs) == other;
}

/// Whether the files are read as this data set.
bool reads_back(const Dataset& data, const fs::path& to, SplitFormat format) {
  Dataset read;
  try {
    read = load_dataset(to, {}, FeatureFiles::kSkip);
  } catch (const DataError&) {
    return false;  // the ids have characters that a table gives another meaning
  }
  if (format == SplitFormat::kAdjacency) return read.fingerprint == data.fingerprint;
  const std::vector<NodeId> users = ids_in(read.users, data.users);
  const std::vector<NodeId> items = ids_in(read.items, data.items);
  const auto written = parts_of(data);
  const auto found = parts_of(read);
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    if (!is_same(*written[part], *found[part], users, items)) return false;
  }
  return true;
}

/// The feature files beside the data, with the ids of the rows of arrays.
std::vector<fs::path> feature_files(const fs::path& from) {
  const Sources sources = find_sources(from);
  std::vector<fs::path> files;
  for (const std::optional<Source>& source : {sources.user_features, sources.item_features}) {
    if (source) files.push_back(source->path);
  }
  for (const std::optional<fs::path>& ids : {sources.user_ids, sources.item_ids}) {
    if (ids) files.push_back(*ids);
  }
  return files;
}

void copy_into(const fs::path& file, const fs::path& to) {
  std::error_code error;
  fs::copy_file(file, to / file.filename(), error);
  if (error) {
    throw Error(
        fmt::format("cannot copy {} to {}: {}", file.string(), to.string(), error.message()));
  }
}

}  // namespace

std::vector<std::string> write_split(const fs::path& from, const Dataset& data,
                                     const fs::path& to) {
  if (data.valid.size() + data.test.size() == 0) {
    throw ConfigError(
        "the split holds nothing out, so that there is nothing to write: set data.test_fraction or "
        "data.valid_fraction");
  }
  const bool is_numbered = data.users.is_numbered() && data.items.is_numbered();
  const SplitFormat format = is_numbered ? SplitFormat::kAdjacency : SplitFormat::kTable;
  std::vector<std::string> names;
  try {
    write_parts(data, to, format, names);
    if (!reads_back(data, to, format)) {
      throw Error("the ids cannot be written so that they are read as the same split");
    }
    for (const fs::path& file : feature_files(from)) {
      names.push_back(file.filename().string());
      copy_into(file, to);
    }
  } catch (...) {
    remove_files(to, names);
    throw;
  }
  return names;
}

}  // namespace tern
