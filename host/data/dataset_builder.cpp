#include "tern/dataset_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>

#include "host/data/assemble.hpp"
#include "host/data/feature_table.hpp"
#include "host/data/fingerprint.hpp"
#include "host/data/given_features.hpp"
#include "host/data/pool.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "host/support/utf8.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// The place in errors; their line is the number of the interaction.
constexpr char kPlace[] = "interactions in memory";

/// Throws DataError if an id breaks the rules of ids in files. line: as for DataError.
void check_id(std::string_view kind, std::string_view id, std::int64_t line) {
  std::string fault = fault_of_id(kind, id);
  if (fault.empty() && id.find('\0') != std::string_view::npos) {
    fault = fmt::format("{} id {} has a NUL byte, expected none", kind, quote(id));
  }
  if (fault.empty() && !is_utf8(id)) {
    fault = fmt::format("{} id {} is not UTF-8", kind, quote(id));
  }
  if (!fault.empty()) throw DataError(kPlace, line, fault);
}

void check_number(std::string_view kind, const std::optional<double>& value, std::int64_t line) {
  if (!value || std::isfinite(*value)) return;
  throw DataError(kPlace, line,
                  fmt::format("{} {} is not finite, expected a finite number", kind, *value));
}

}  // namespace

/// Interactions that have been added, as node ids. Those below the minimum rating are dropped at once.
struct DatasetBuilder::Impl {
  DataOptions options;
  Pool pool;
  std::int64_t added = 0;
  std::int64_t timed = 0;          // interactions with a timestamp
  std::int64_t first_untimed = 0;  // number of the first one without, from 1; 0: none
  std::int64_t rated = 0;
  std::int64_t unrated = 0;                    // dropped for lack of a rating
  std::array<std::vector<NodeId>, 2> lasting;  // by Side: nodes that need no interactions
  std::array<std::optional<GivenFeatures>, 2> features;
  std::array<std::optional<std::string>, 2> feature_tables;

  Vocabulary& names(Side of) { return of == Side::kUser ? pool.users.names : pool.items.names; }
  void check_limit(Side of, std::string_view id, std::int64_t line);
  bool keeps(const InteractionDetails& details);
  void check_times() const;
  KeptNodes kept_nodes() const;
  std::optional<Features> features_of(Side side, Dataset& data) const;
};

/// Throws DataError if adding an id would exceed the limit of nodes.
void DatasetBuilder::Impl::check_limit(Side of, std::string_view id, std::int64_t line) {
  if (names(of).size() < options.max_nodes || names(of).find(id)) return;
  throw DataError(
      kPlace, line,
      fmt::format("more {}s than data.max_nodes = {} allows", to_string(of), options.max_nodes));
}

/// Whether the minimum rating lets an interaction pass; counts it.
bool DatasetBuilder::Impl::keeps(const InteractionDetails& details) {
  if (details.rating) {
    ++rated;
    pool.ratings.add(*details.rating);
  }
  if (!options.min_rating ||
      details.rating.value_or(*options.min_rating - 1) >= *options.min_rating) {
    return true;
  }
  ++pool.below_min_rating;
  if (!details.rating) ++unrated;
  return false;
}

void DatasetBuilder::Impl::check_times() const {
  if (timed == 0 || first_untimed == 0) return;
  throw DataError(kPlace, first_untimed,
                  fmt::format("the interaction has no timestamp, but {} others have; expected one "
                              "for each or for none",
                              timed));
}

/// The nodes with interactions, and those that need none.
KeptNodes DatasetBuilder::Impl::kept_nodes() const {
  KeptNodes kept = find_occurring(pool);
  for (const NodeId user : lasting[0]) kept.users[user] = 1;
  for (const NodeId item : lasting[1]) kept.items[item] = 1;
  return kept;
}

std::optional<Features> DatasetBuilder::Impl::features_of(Side side, Dataset& data) const {
  const auto place = static_cast<std::size_t>(side);
  const Vocabulary& nodes = side == Side::kUser ? data.users : data.items;
  if (features[place]) return features[place]->for_nodes(nodes, options, data.notes);
  const std::optional<std::string>& table = feature_tables[place];
  if (!table) return std::nullopt;
  const FeatureTableTask task{.side = side, .format = TableFormat::kCsv, .key = 0};
  return parse_feature_table(*table, fmt::format("features of {}s in memory", to_string(side)),
                             task, nodes, options, data.notes);
}

DatasetBuilder::DatasetBuilder(const DataOptions& options) : impl_(std::make_unique<Impl>()) {
  check_data_options(options);
  impl_->options = options;
}
DatasetBuilder::DatasetBuilder(DatasetBuilder&&) noexcept = default;
DatasetBuilder& DatasetBuilder::operator=(DatasetBuilder&&) noexcept = default;
DatasetBuilder::~DatasetBuilder() = default;

DatasetBuilder& DatasetBuilder::add(ExternalId user, ExternalId item,
                                    const InteractionDetails& details) {
  Impl& impl = *impl_;
  const std::int64_t line = impl.added + 1;
  check_id("user", user.text(), line);
  check_id("item", item.text(), line);
  check_number("rating", details.rating, line);
  check_number("timestamp", details.timestamp, line);
  impl.check_limit(Side::kUser, user.text(), line);
  impl.check_limit(Side::kItem, item.text(), line);
  const Interaction pair{impl.pool.users.names.add(user.text()),
                         impl.pool.items.names.add(item.text())};
  impl.added = line;
  if (details.timestamp) ++impl.timed;
  if (!details.timestamp && impl.first_untimed == 0) impl.first_untimed = line;
  if (!impl.keeps(details)) return *this;
  PoolPart& part = impl.pool.parts[static_cast<std::size_t>(details.part)];
  part.pairs.push_back(pair);
  if (details.timestamp) part.times.push_back(*details.timestamp);
  return *this;
}

DatasetBuilder& DatasetBuilder::add_node(Side side, ExternalId id) {
  check_id(to_string(side), id.text(), 0);
  impl_->check_limit(side, id.text(), 0);
  impl_->lasting[static_cast<std::size_t>(side)].push_back(impl_->names(side).add(id.text()));
  return *this;
}

DatasetBuilder& DatasetBuilder::set_features(Side side, std::vector<std::string> columns,
                                             const std::vector<std::string>& ids,
                                             std::span<const float> values) {
  impl_->features[static_cast<std::size_t>(side)].emplace(side, std::move(columns), ids, values);
  impl_->feature_tables[static_cast<std::size_t>(side)].reset();
  return *this;
}

DatasetBuilder& DatasetBuilder::set_feature_table(Side side, std::string table) {
  impl_->feature_tables[static_cast<std::size_t>(side)] = std::move(table);
  impl_->features[static_cast<std::size_t>(side)].reset();
  return *this;
}

Dataset DatasetBuilder::build() {
  const DataOptions options = impl_->options;
  const std::unique_ptr<Impl> impl = std::exchange(impl_, std::make_unique<Impl>());
  impl_->options = options;
  Pool& pool = impl->pool;
  pool.users.num_read = pool.users.names.size();
  pool.items.num_read = pool.items.names.size();
  std::vector<std::string> notes{fmt::format("Interactions in memory: {}.", impl->added)};
  if (impl->added > 0 && options.min_rating && impl->rated == 0) {
    throw ConfigError("data.min_rating is set, but no interaction in memory has a rating");
  }
  impl->check_times();
  pool.has_times = impl->timed > 0;
  const auto note = [&](std::string_view what, std::int64_t count) {
    if (count > 0) notes.push_back(fmt::format("Interactions in memory: {}: {}.", what, count));
  };
  note("dropped for lack of a rating", impl->unrated);
  note("dropped for a low rating", pool.below_min_rating - impl->unrated);
  warn_of_ids(pool, PoolUse::kDataset, notes);
  drop_unrated(pool, impl->kept_nodes(), notes);
  check_pool(pool, kPlace, options, PoolUse::kDataset);
  const DataOrigin origin{.place = kPlace,
                          .has_valid = !pool.parts[1].pairs.empty(),
                          .has_test = !pool.parts[2].pairs.empty()};
  Dataset data = assemble(pool, origin, options, std::move(notes));
  data.user_features = impl->features_of(Side::kUser, data);
  data.item_features = impl->features_of(Side::kItem, data);
  data.feature_fingerprint = feature_fingerprint(data.user_features, data.item_features);
  return data;
}

}  // namespace tern
