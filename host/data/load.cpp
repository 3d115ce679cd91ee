// load_dataset finds the files, reads them into one pool, assembles a data set, and adds features.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "host/data/assemble.hpp"
#include "host/data/feature_columns.hpp"
#include "host/data/features.hpp"
#include "host/data/fingerprint.hpp"
#include "host/data/pool.hpp"
#include "host/data/sources.hpp"
#include "tern/dataset.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

void skip_features(Sources& sources, std::vector<std::string>& notes) {
  std::vector<std::string> names;
  for (std::optional<Source>* source : {&sources.user_features, &sources.item_features}) {
    if (*source) names.push_back((*source)->name());
    source->reset();
  }
  if (names.empty()) return;
  notes.push_back(
      fmt::format("Features that this model does not read: {} (gcmc reads them, unless "
                  "model.inputs is ids).",
                  fmt::join(names, ", ")));
}

void note_unread(const Sources& sources, std::vector<std::string>& notes) {
  if (sources.unread.empty()) return;
  notes.push_back(fmt::format("Files that are not read: {}.", some_of(sources.unread)));
}

/// Reads the features of both sides. pool: its vocabularies are in data by now.
void load_features(const Sources& sources, const Pool& pool, const DataOptions& options,
                   Dataset& data) {
  if (sources.user_features) {
    data.user_features = read_features(
        *sources.user_features,
        {Side::kUser, data.users, pool.users.numbers.value_or(IdNumbers{}), sources.user_ids},
        options, data.notes);
  }
  if (sources.item_features) {
    data.item_features = read_features(
        *sources.item_features,
        {Side::kItem, data.items, pool.items.numbers.value_or(IdNumbers{}), sources.item_ids},
        options, data.notes);
  }
}

}  // namespace

Dataset load_dataset(const std::filesystem::path& path, const DataOptions& options,
                     FeatureFiles features) {
  check_data_options(options);
  Sources sources = find_sources(path);
  const DataOrigin origin{.place = path.string(),
                          .has_valid = sources.interactions[1].has_value(),
                          .has_test = sources.interactions[2].has_value()};
  choose_split(origin, options);  // before anything is read

  std::vector<std::string> notes;
  if (features == FeatureFiles::kSkip) skip_features(sources, notes);
  note_unread(sources, notes);
  Pool pool = read_pool(sources, options, PoolUse::kDataset, notes);
  Dataset data = assemble(pool, origin, options, std::move(notes));
  load_features(sources, pool, options, data);
  data.feature_fingerprint = feature_fingerprint(data.user_features, data.item_features);
  return data;
}

Dataset load_interactions(const std::filesystem::path& path, const DataOptions& options) {
  check_data_options(options);
  Dataset data;
  Sources sources = find_sources(path);
  sources.user_features.reset();
  sources.item_features.reset();
  Pool pool = read_pool(sources, options, PoolUse::kRows, data.notes);
  merge_parts(pool);
  data.train = to_interactions(pool, 0, &data.duplicates);
  data.valid = data.test =
      Interactions::from_pairs(data.train.num_users(), data.train.num_items(), {});
  if (data.duplicates > 0) {
    data.notes.push_back(fmt::format("Repeated interactions left out: {}.", data.duplicates));
  }
  data.users = std::move(pool.users.names);
  data.items = std::move(pool.items.names);
  return data;
}

}  // namespace tern
