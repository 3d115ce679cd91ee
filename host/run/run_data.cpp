// The members of Run that keep, check and load its data.

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "host/run/manifest.hpp"
#include "host/run/stored_data.hpp"
#include "host/run/stored_features.hpp"
#include "host/support/files.hpp"
#include "host/support/hash.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"
#include "tern/run.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

/// Throws DataError if a node has another name in the data than in the run.
void compare_names(const fs::path& file, const Vocabulary& names) {
  const Vocabulary saved = Vocabulary::read(file);
  if (saved.size() != names.size()) {
    throw DataError(file.string(), 0,
                    fmt::format("found {} names, but the data has {}", saved.size(), names.size()));
  }
  for (NodeId id = 0; id < saved.size(); ++id) {
    if (saved.name(id) != names.name(id)) {
      throw DataError(file.string(), static_cast<std::int64_t>(id) + 1,
                      fmt::format("found \"{}\", but the data has \"{}\" in its place",
                                  saved.name(id), names.name(id)));
    }
  }
}

std::string sizes(const RunManifest& of) {
  return fmt::format("{} users, {} items, {} + {} + {} interactions to train, validate and test",
                     of.users, of.items, of.train, of.valid, of.test);
}

}  // namespace

bool Run::holds_data() const {
  return is_there(path_ / kInteractionsFile);
}

void Run::keep_data(const Dataset& data) {
  if (holds_data()) return;
  write_stored_data(path_, data,
                    reads_features(config_.model) ? StoredFeatures::kYes : StoredFeatures::kNo);
}

void Run::check_data(const Dataset& data, std::string_view where) const {
  const RunManifest now = describe_data(data, config_);
  const RunManifest then = read_manifest(path_ / kManifestFile);
  if (now != then) {
    const bool as_large = sizes(now) == sizes(then);
    std::string text =
        fmt::format("the data has changed since the run in {}: found {}, expected {}",
                    path_.string(), sizes(now), sizes(then));
    if (as_large) {
      text += fmt::format("; as many, but not the same (fingerprint {}, expected {})",
                          hexadecimal(now.fingerprint), hexadecimal(then.fingerprint));
    }
    if (holds_data()) {
      text += fmt::format(
          ": tern train --resume {}, without DATA, continues with the run's own copy of the former "
          "data; another --out trains on the data of now",
          path_.string());
    }
    throw DataError(where, 0, text);
  }
  compare_names(path_ / kUsersFile, data.users);
  compare_names(path_ / kItemsFile, data.items);
}

Dataset Run::load_original_data() const {
  Dataset data;
  try {
    data = load_dataset(config_.data_path, config_.data);
  } catch (const DataError& error) {
    throw DataError(path_.string(), 0,
                    fmt::format("the run holds no copy of its data, as runs of version 0.1 do not, "
                                "and the original cannot be loaded: {}",
                                error.what()));
  }
  check_data(data, config_.data_path);
  return data;
}

Dataset Run::load_data(DataParts parts) const {
  if (!holds_data()) return load_original_data();
  Dataset data = read_stored_data(
      path_, parts == DataParts::kAll ? StoredFeatures::kYes : StoredFeatures::kNo);
  if (describe_data(data, config_) != read_manifest(path_ / kManifestFile)) {
    throw DataError((path_ / kInteractionsFile).string(), 0,
                    fmt::format("the file belongs to another run: it holds {}",
                                sizes(describe_data(data, config_))));
  }
  return data;
}

Vocabulary Run::load_names(Side side) const {
  return read_stored_names(path_, side);
}

bool Run::has_features(Side side) const {
  if (holds_data()) return holds_stored_features(path_ / kFeaturesFile, side);
  const Dataset data = load_original_data();
  return (side == Side::kUser ? data.user_features : data.item_features).has_value();
}

}  // namespace tern
