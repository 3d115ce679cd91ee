// Adds nodes after training. Only their features are known.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <system_error>
#include <unordered_map>
#include <unordered_set>

#include "host/data/compression.hpp"
#include "host/data/feature_columns.hpp"
#include "host/data/feature_header.hpp"
#include "host/data/feature_missing.hpp"
#include "host/data/feature_table.hpp"
#include "host/data/memory_budget.hpp"
#include "host/data/sources.hpp"
#include "host/data/table.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "tern/dataset.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// The ids of a table's rows in order, without the header. key: their column.
Vocabulary read_ids(std::string_view text, const std::string& file, TableFormat format,
                    std::size_t key, const Vocabulary& known) {
  Vocabulary ids;
  MemoryBudget budget(file, MemoryBudget::for_text_of(text.size()));
  for_each_chunk(text, file, 1, [&](std::int64_t) {
    RowReader reader(text, format, 0);
    std::vector<Field> fields;
    std::string scratch;
    MemoryMeter meter(budget);
    reader.next(fields);
    while (reader.next(fields)) {
      if (fields.size() <= key) throw TextError{reader.row(), "id is missing"};
      const std::string_view id = id_value("new", fields[key], reader.row(), scratch);
      if (known.find(id)) {
        throw TextError{
            reader.row(),
            fmt::format("id {} is known from training, expected new ids only", quote(id))};
      }
      const NodeId before = ids.size();
      if (ids.add(id) == before) meter.add(memory_of_name(id.size()));
    }
  });
  return ids;
}

/// The column of a table that a feature comes from: the part of a category's name before '='.
std::string stem_of(const std::string& name) {
  return name.substr(0, name.find('='));
}

/// The columns of training. A name may have '=' without being a category: "a=b" of numbers.
KnownColumns known_columns(const Features& known) {
  KnownColumns columns;
  for (const std::string& name : known.names) {
    columns.names.insert(name);
    columns.names.insert(stem_of(name));
    if (name.find('=') != std::string::npos) columns.categories.insert(stem_of(name));
  }
  return columns;
}

/// The column of ids: a new id is in no column of training, and so is no other column that is left out.
std::size_t find_new_key(std::string_view text, const std::string& file, Side side,
                         TableFormat format, const KnownColumns& known,
                         const DataOptions& options) {
  const FeatureHeader header = read_feature_header(text, file, format);
  std::vector<KeyEvidence> evidence;
  for (const std::string& name : header.names) {
    const bool is_feature = known.names.contains(name);
    evidence.push_back({is_feature ? 0.0 : 1.0, is_feature});
  }
  return find_key(header, side, options, evidence);
}

/// For each added column its place among the known ones; -1 if it is a value that training lacks.
std::vector<std::int64_t> match_columns(const Features& known, const Features& added,
                                        const std::string& file) {
  std::unordered_map<std::string, std::int64_t> place;
  // A name may occur twice: a column "a=b" of numbers beside the value "b" of a column "a".
  for (std::size_t c = 0; c < known.names.size(); ++c) {
    place.emplace(known.names[c], static_cast<std::int64_t>(c));
  }
  std::vector<std::int64_t> places;
  places.reserve(added.names.size());
  for (const std::string& name : added.names) {
    const auto found = place.find(name);
    places.push_back(found == place.end() ? -1 : found->second);
    if (found != place.end()) continue;
    const std::string stem = stem_of(name);
    if (stem != name && place.contains(stem)) {
      throw DataError(
          file, 0,
          fmt::format("column {} holds words, expected numbers as in training", quote(stem)));
    }
  }
  return places;
}

/// Reports values that training lacks, and the new nodes that have no others.
void note_unknown_values(const Features& added, const std::vector<std::int64_t>& places, Side side,
                         const std::string& file, std::vector<std::string>& notes) {
  std::map<std::string, std::vector<std::string>> unknown;  // by column
  for (std::size_t c = 0; c < places.size(); ++c) {
    if (places[c] < 0) {
      const std::string stem = stem_of(added.names[c]);
      unknown[stem].push_back(in_message(added.names[c].substr(stem.size() + 1)));
    }
  }
  for (const auto& [stem, values] : unknown) {
    notes.push_back(fmt::format("{}: values of {} that training does not have, left out: {} ({}).",
                                file, in_message(stem), values.size(), some_of(values)));
  }
  if (unknown.empty()) return;
  std::int64_t without = 0;
  const std::size_t width = places.size();
  for (std::size_t begin = 0; begin < added.values.size(); begin += width) {
    bool has_known = false;
    bool has_unknown = false;
    for (std::size_t c = 0; c < width; ++c) {
      if (added.names[c].find('=') == std::string::npos || added.values[begin + c] == 0) continue;
      (places[c] < 0 ? has_unknown : has_known) = true;
    }
    if (has_unknown && !has_known) ++without;
  }
  if (without == 0) return;
  notes.push_back(fmt::format(
      "{}: warning: new {} whose categories are all unknown to training: {} "
      "of {}.",
      file, side == Side::kUser ? "users" : "items", without, added.values.size() / width));
}

/// Appends the rows of new nodes. trained: the number of nodes of training. If it throws, `known` is
/// unchanged.
void append_features(Features& known, const Features& added, NodeId trained, NodeId nodes,
                     Side side, const std::string& file, std::vector<std::string>& notes) {
  const auto width = static_cast<std::size_t>(known.width());
  const auto added_width = static_cast<std::size_t>(added.width());
  const auto count = static_cast<std::size_t>(nodes);
  const std::vector<std::int64_t> places = match_columns(known, added, file);
  note_unknown_values(added, places, side, file, notes);
  std::vector<float> row(width, 0.0F);
  std::unordered_set<std::string> given;
  for (const std::string& name : added.names) given.insert(stem_of(name));
  for (std::size_t c = 0; c < width; ++c) {
    const std::string stem = stem_of(known.names[c]);
    if (given.contains(stem)) continue;
    if (stem == known.names[c]) {
      row[c] = mean_of_column(known, static_cast<std::int64_t>(c), trained);
      notes.push_back(
          fmt::format("{}: no column {}: its mean in training is taken.", file, in_message(stem)));
    } else {
      given.insert(stem);  // noted once
      notes.push_back(fmt::format("{}: no values of {}.", file, in_message(stem)));
    }
  }
  const std::size_t begin = known.values.size();
  known.values.reserve(begin + count * width);
  for (std::size_t n = 0; n < count; ++n) {
    known.values.insert(known.values.end(), row.begin(), row.end());
  }
  for (std::size_t c = 0; c < added_width; ++c) {
    if (places[c] < 0) continue;
    const std::size_t to = begin + static_cast<std::size_t>(places[c]);
    const float mean = mean_of_column(known, places[c], trained);
    for (std::size_t n = 0; n < count; ++n) {
      const float value = added.values[n * added_width + c];
      known.values[to + n * width] = std::isnan(value) ? mean : value;
    }
  }
}

/// The same interactions among more users and items.
Interactions widen(const Interactions& interactions, NodeId more_users, NodeId more_items) {
  std::vector<EdgeOffset> offsets(interactions.offsets().begin(), interactions.offsets().end());
  offsets.insert(offsets.end(), static_cast<std::size_t>(more_users), offsets.back());
  return Interactions(interactions.num_users() + more_users, interactions.num_items() + more_items,
                      std::move(offsets),
                      {interactions.items().begin(), interactions.items().end()});
}

void expect_table(const std::filesystem::path& path, Side side) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  const bool is_there = std::filesystem::exists(status);
  if (is_there && !std::filesystem::is_directory(status)) return;
  throw DataError(path.string(), 0,
                  fmt::format("{}, expected a table of new {}, .tsv or .csv",
                              is_there ? "found a directory" : "no such file",
                              side == Side::kUser ? "users" : "items"));
}

}  // namespace

void add_new_nodes(Dataset& data, Side side, const std::filesystem::path& path,
                   const DataOptions& options) {
  const bool of_users = side == Side::kUser;
  std::optional<Features>& features = of_users ? data.user_features : data.item_features;
  if (!features.has_value()) {
    throw DataError(path.string(), 0,
                    fmt::format("the data has no features of {}, which new ones need",
                                of_users ? "users" : "items"));
  }
  expect_table(path, side);
  const Source source = file_source(path);
  if (source.format == SourceFormat::kAdjacency) {
    throw DataError(path.string(), 0,
                    "found an adjacency list, expected a table with a header, .tsv or .csv");
  }
  const std::string file = path.string();
  const ByteBuffer bytes = read_file(path, options.max_bytes);
  Vocabulary& names = of_users ? data.users : data.items;
  const KnownColumns known = known_columns(*features);
  FeatureTableTask task;
  task.side = side;
  task.format = source.table_format();
  task.known = &known;
  const std::string_view text = checked_text(bytes.view(), file);
  task.key = find_new_key(text, file, side, task.format, known, options);
  const Vocabulary added = read_ids(text, file, task.format, *task.key, names);
  if (added.size() == 0) throw DataError(file, 0, "the table has no rows, expected new nodes");
  const Features rows = parse_feature_table(bytes.view(), file, task, added, options, data.notes);
  const double all_bytes = static_cast<double>(features->width()) *
                           (static_cast<double>(names.size()) + added.size()) * sizeof(float);
  if (all_bytes > static_cast<double>(options.max_feature_bytes)) {
    throw DataError(file, 0,
                    fmt::format("with new nodes, the features would take {:.3g} bytes, more than "
                                "data.max_feature_bytes = {}",
                                all_bytes, options.max_feature_bytes));
  }
  require_memory(static_cast<std::uint64_t>(all_bytes), file);
  const NodeId trained = names.size() - (of_users ? data.new_users : data.new_items);
  append_features(*features, rows, trained, added.size(), side, file, data.notes);
  for (NodeId id = 0; id < added.size(); ++id) names.add(added.name(id));
  for (Interactions* split : {&data.train, &data.valid, &data.test}) {
    *split = widen(*split, of_users ? added.size() : 0, of_users ? 0 : added.size());
  }
  (of_users ? data.new_users : data.new_items) += added.size();
}

}  // namespace tern
