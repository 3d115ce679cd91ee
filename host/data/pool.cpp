#include "host/data/pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "host/data/adjacency.hpp"
#include "host/data/compression.hpp"
#include "host/data/interaction_table.hpp"
#include "host/data/number_ids.hpp"
#include "host/data/text.hpp"
#include "host/data/text_blocks.hpp"
#include "host/support/message.hpp"
#include "host/support/parallel.hpp"
#include "host/support/utf8.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

using Notes = std::vector<std::string>;

/// The files of interactions. Their heads are read first: how one is read can depend on another.
struct Texts {
  std::array<std::unique_ptr<TextBlocks>, kSplitParts> texts;
  std::array<Reading, kSplitParts> readings;
  std::array<std::int64_t, kSplitParts> comments{};
};

Texts open_texts(const Sources& sources, const DataOptions& options, PoolUse use, Notes& notes) {
  Texts opened;
  std::vector<InteractionText> known;
  std::vector<std::size_t> parts;
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    if (!sources.interactions[part]) continue;
    const Source& source = *sources.interactions[part];
    opened.texts[part] = std::make_unique<TextBlocks>(open_file(source.path, options.max_bytes),
                                                      source.file(), options.encoding);
    TextBlocks& text = *opened.texts[part];
    if (text.was_utf8()) {
      notes.push_back(
          fmt::format("{}: the text is valid UTF-8, so that data.encoding = latin-1 is "
                      "probably wrong.",
                      source.name()));
    }
    opened.comments[part] = text.blank_out_comments();
    known.push_back({text.head(), source.file(), source.format});
    parts.push_back(part);
  }
  const std::vector<Reading> readings = recognise(known, options, use);
  for (std::size_t i = 0; i < parts.size(); ++i) opened.readings[parts[i]] = readings[i];
  return opened;
}

/// comments: those that were made blank.
void note_blank_lines(const Source& source, std::int64_t blank_lines, std::int64_t comments,
                      Notes& notes) {
  const auto note = [&](std::string_view kind, std::int64_t count) {
    if (count == 0) return;
    notes.push_back(fmt::format("{}: {} lines left out: {}.", source.name(), kind, count));
  };
  note("comment", comments);
  note("blank", blank_lines - comments);
}

/// The number of lines whose user has an earlier one.
std::int64_t count_repeated(const GrowingArray<NodeId>& users) {
  const auto repeats = [](std::span<const NodeId> sorted) {
    std::int64_t count = 0;
    for (std::size_t i = 1; i < sorted.size(); ++i) count += sorted[i] == sorted[i - 1] ? 1 : 0;
    return count;
  };
  if (std::is_sorted(users.begin(), users.end())) return repeats(users);
  std::vector<NodeId> sorted(users.begin(), users.end());
  std::sort(sorted.begin(), sorted.end());
  return repeats(sorted);
}

void note_numbering(std::string_view kind, const IdNumbering& ids, Notes& notes) {
  if (!ids.direct()) {
    notes.push_back(
        fmt::format("The {0} ids are sparse ({1} of them up to {2}): {0}s are numbered in "
                    "ascending order of their ids, and keep them as names.",
                    kind, ids.size(), ids.largest()));
  } else if (ids.unused() > 0) {
    notes.push_back(
        fmt::format("Ids below the largest {0} id, {1}, that occur nowhere and become {0}s without "
                    "interactions: {2}.",
                    kind, ids.largest(), ids.unused()));
  }
}

void renumber(GrowingArray<Interaction>& pairs, const IdNumbering& users,
              const IdNumbering& items) {
  if (users.direct() && items.direct()) return;
  constexpr std::int64_t kPairsAtOnce = 1 << 16;
  parallel_for_blocks(static_cast<std::int64_t>(pairs.size()), kPairsAtOnce, [&](std::int64_t e) {
    pairs[e] = {users(pairs[e].user), items(pairs[e].item)};
  });
}

void number_nodes(std::array<AdjacencyList, kSplitParts>& lists, PoolUse use, Pool& pool,
                  Notes& notes) {
  std::int64_t num_lines = 0;
  std::int64_t num_pairs = 0;
  for (const AdjacencyList& list : lists) {
    num_lines += static_cast<std::int64_t>(list.users.size());
    num_pairs += static_cast<std::int64_t>(list.pairs.size());
  }
  const IdNumbering users(num_lines, [&](const auto& use) {
    for (const AdjacencyList& list : lists) {
      for (const NodeId raw : list.users) use(raw);
    }
  });
  const IdNumbering items(num_pairs, [&](const auto& use) {
    for (const AdjacencyList& list : lists) {
      for (const Interaction& pair : list.pairs) use(pair.item);
    }
  });
  if (use == PoolUse::kDataset) {
    note_numbering("user", users, notes);
    note_numbering("item", items, notes);
  }
  pool.users = {users.names(), users.size(), {}};
  pool.items = {items.names(), items.size(), {}};
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    pool.parts[part].pairs = std::move(lists[part].pairs);
    renumber(pool.parts[part].pairs, users, items);
  }
}

/// To be called before nodes are dropped: ids 1 to N without the last would look like rows of an array.
void find_numbers(const Sources& sources, Pool& pool) {
  const auto is_array = [](const std::optional<Source>& source) {
    return source && source->is_array();
  };
  if (is_array(sources.user_features)) pool.users.numbers = find_id_numbers(pool.users.names);
  if (is_array(sources.item_features)) pool.items.numbers = find_id_numbers(pool.items.names);
}

void read_adjacency_lists(const Sources& sources, Texts texts, const DataOptions& options,
                          PoolUse use, Pool& pool, Notes& notes) {
  if (options.min_rating) {
    throw ConfigError(
        fmt::format("{}: data.min_rating is set, but an adjacency list has no ratings",
                    sources.interactions[0]->file()));
  }
  std::array<AdjacencyList, kSplitParts> lists;
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    if (!sources.interactions[part]) continue;
    const Source& source = *sources.interactions[part];
    AdjacencyList& list = lists[part];
    list = parse_adjacency(*texts.texts[part]);
    texts.texts[part].reset();
    notes.push_back(fmt::format("{}: {}; lines: {}, interactions: {}.", source.name(),
                                texts.readings[part].description, list.users.size(),
                                list.pairs.size()));
    note_blank_lines(source, list.blank_lines, texts.comments[part], notes);
    if (const std::int64_t repeated = count_repeated(list.users); repeated > 0) {
      notes.push_back(fmt::format("{}: lines merged into an earlier one of the same user: {}.",
                                  source.name(), repeated));
    }
  }
  number_nodes(lists, use, pool, notes);
  find_numbers(sources, pool);
}

/// Ids such as "1.0" and "1", which are one number, but two ids.
void warn_of_equal_numbers(std::string_view kind, const Vocabulary& names, Notes& notes) {
  std::int64_t count = 0;
  std::string example;
  for (NodeId id = 0; !names.is_numbered() && id < names.size(); ++id) {
    const std::string name = names.name(id);
    const std::size_t point = name.find('.');
    if (point == std::string::npos || point == 0 || point + 1 == name.size() ||
        name.find_first_not_of("0123456789") != point ||
        name.find_first_not_of('0', point + 1) != std::string::npos) {
      continue;
    }
    if (!names.find(std::string_view(name).substr(0, point))) continue;
    if (count++ == 0) example = name;
  }
  if (count == 0) return;
  notes.push_back(fmt::format(
      "Warning: {0} ids that are written in two ways, such as {1} and {2}, and "
      "count as different {0}s: {3}.",
      kind, quote(example), quote(std::string_view(example).substr(0, example.find('.'))), count));
}

/// A wrong column often has one value only, such as the arrow of "1 -> 5".
void warn_of_one_name(std::string_view kind, const Vocabulary& names, Notes& notes) {
  if (names.size() != 1) return;
  notes.push_back(
      fmt::format("Warning: all interactions have the same {0}, {1}; if another column "
                  "holds the {0}s, choose it with data.{0}_column.",
                  kind, quote(names.name(0))));
}

void note_table(const Source& source, const Reading& reading, const InteractionTable& table,
                const DataOptions& options, Notes& notes) {
  notes.push_back(fmt::format("{}: interactions: {}; {}; {}.", source.name(),
                              static_cast<std::int64_t>(table.pairs.size()) +
                                  table.below_min_rating +
                                  (options.min_rating ? table.missing_ratings : 0),
                              reading.description, table.columns));
  for (const std::string& warning : table.warnings) {
    notes.push_back(fmt::format("{}: warning: {}", source.name(), warning));
  }
  if (table.repeated_headers > 0) {
    notes.push_back(fmt::format("{}: rows that repeat the header, left out: {}.", source.name(),
                                table.repeated_headers));
  }
  if (table.missing_ratings > 0) {
    notes.push_back(fmt::format("{}: interactions without a rating, which are {}: {}.",
                                source.name(), options.min_rating ? "dropped" : "kept",
                                table.missing_ratings));
  }
  if (table.below_min_rating > 0) {
    notes.push_back(fmt::format("{}: interactions dropped for a rating below {}: {}.",
                                source.name(), *options.min_rating, table.below_min_rating));
  }
}

void read_tables(const Sources& sources, Texts texts, const DataOptions& options, PoolUse use,
                 Pool& pool, Notes& notes) {
  pool.has_times = true;
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    if (!sources.interactions[part]) continue;
    const Source& source = *sources.interactions[part];
    const Reading& reading = texts.readings[part];
    const RowFormat format = reading.format == DataFormat::kJsonLines ? RowFormat(JsonLines{})
                                                                      : RowFormat(reading.table);
    InteractionTable table =
        parse_interactions(*texts.texts[part], format, options, pool.users.names, pool.items.names);
    texts.texts[part].reset();
    note_table(source, reading, table, options, notes);
    note_blank_lines(source, table.blank_lines, texts.comments[part], notes);
    pool.below_min_rating += table.below_min_rating;
    if (options.min_rating) pool.below_min_rating += table.missing_ratings;
    pool.ratings.add(table.ratings);
    pool.has_times = pool.has_times && (table.has_times || table.pairs.empty());
    pool.parts[part] = {std::move(table.pairs), std::move(table.times)};
  }
  pool.users.num_read = pool.users.names.size();
  pool.items.num_read = pool.items.names.size();
  find_numbers(sources, pool);
  warn_of_ids(pool, use, notes);
  if (pool.below_min_rating > 0) drop_unrated(pool, find_occurring(pool), notes);
}

/// The reason why nothing is left to train on, or to look up.
std::string no_interactions(const Pool& pool, const DataOptions& options, PoolUse use) {
  const std::string_view what =
      use == PoolUse::kDataset ? "no interactions to train on" : "no interactions";
  if (pool.below_min_rating == 0) return fmt::format("{}, expected at least one", what);
  return fmt::format(
      "{}: data.min_rating = {} drops all with a lower rating: {}; the ratings are from {} to {}",
      what, *options.min_rating, pool.below_min_rating, pool.ratings.least, pool.ratings.greatest);
}

/// Keeps some nodes of one side. Returns the new number of each old node, -1 if it is dropped.
std::vector<NodeId> keep_side(PoolSide& side, const std::vector<char>& kept) {
  std::vector<NodeId> numbers(kept.size(), -1);
  std::vector<NodeId> stay;
  for (std::size_t node = 0; node < kept.size(); ++node) {
    if (kept[node] == 0) continue;
    numbers[node] = static_cast<NodeId>(stay.size());
    stay.push_back(static_cast<NodeId>(node));
  }
  if (stay.size() == kept.size()) return numbers;
  side.names = side.names.subset(stay);
  return numbers;
}

}  // namespace

std::int64_t Pool::size() const {
  std::int64_t total = 0;
  for (const PoolPart& part : parts) total += static_cast<std::int64_t>(part.pairs.size());
  return total;
}

void warn_of_ids(const Pool& pool, PoolUse use, Notes& notes) {
  if (use == PoolUse::kDataset) {
    warn_of_one_name("user", pool.users.names, notes);
    warn_of_one_name("item", pool.items.names, notes);
  }
  warn_of_equal_numbers("user", pool.users.names, notes);
  warn_of_equal_numbers("item", pool.items.names, notes);
}

void drop_unrated(Pool& pool, const KeptNodes& kept, Notes& notes) {
  if (pool.below_min_rating == 0) return;
  keep_nodes(pool, kept);
  const NodeId users = pool.users.num_read - pool.users.names.size();
  const NodeId items = pool.items.num_read - pool.items.names.size();
  if (users + items > 0) {
    notes.push_back(
        fmt::format("Dropped for lack of other ratings: users: {}, items: {}.", users, items));
  }
}

void check_pool(const Pool& pool, const std::string& place, const DataOptions& options,
                PoolUse use) {
  if (pool.parts[0].pairs.empty()) {
    throw DataError(place, 0, no_interactions(pool, options, use));
  }
  for (const auto& [kind, side] :
       {std::pair<std::string_view, const PoolSide&>{"users", pool.users}, {"items", pool.items}}) {
    if (side.num_read > options.max_nodes) {
      throw DataError(place, 0,
                      fmt::format("{} {}, more than data.max_nodes = {} allows", side.num_read,
                                  kind, options.max_nodes));
    }
  }
}

Pool read_pool(const Sources& sources, const DataOptions& options, PoolUse use, Notes& notes) {
  Pool pool;
  Texts texts = open_texts(sources, options, use, notes);
  if (texts.readings[0].format == DataFormat::kAdjacency) {
    read_adjacency_lists(sources, std::move(texts), options, use, pool, notes);
  } else {
    read_tables(sources, std::move(texts), options, use, pool, notes);
  }
  check_pool(pool, sources.interactions[0]->file(), options, use);
  return pool;
}

void keep_nodes(Pool& pool, const KeptNodes& kept) {
  const std::vector<NodeId> users = keep_side(pool.users, kept.users);
  const std::vector<NodeId> items = keep_side(pool.items, kept.items);
  for (PoolPart& part : pool.parts) {
    std::size_t stay = 0;
    for (std::size_t e = 0; e < part.pairs.size(); ++e) {
      const Interaction pair{users[part.pairs[e].user], items[part.pairs[e].item]};
      if (pair.user < 0 || pair.item < 0) continue;
      part.pairs[stay] = pair;
      if (!part.times.empty()) part.times[stay] = part.times[e];
      ++stay;
    }
    part.pairs.truncate(stay);
    part.times.truncate(stay);
  }
}

KeptNodes find_occurring(const Pool& pool) {
  KeptNodes kept{std::vector<char>(static_cast<std::size_t>(pool.users.names.size()), 0),
                 std::vector<char>(static_cast<std::size_t>(pool.items.names.size()), 0)};
  for (const PoolPart& part : pool.parts) {
    for (const Interaction& pair : part.pairs) {
      kept.users[pair.user] = 1;
      kept.items[pair.item] = 1;
    }
  }
  return kept;
}

}  // namespace tern
