#include "host/data/pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "host/data/adjacency.hpp"
#include "host/data/compression.hpp"
#include "host/data/interaction_table.hpp"
#include "host/data/number_ids.hpp"
#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

using Notes = std::vector<std::string>;

std::string name_of(const Source& source) {
  return source.path.filename().string();
}

void note_blank_lines(const Source& source, std::int64_t blank_lines, Notes& notes) {
  if (blank_lines == 0) return;
  notes.push_back(fmt::format("{}: blank lines left out: {}.", name_of(source), blank_lines));
}

/// The number of lines whose user has an earlier one.
std::int64_t count_repeated(std::vector<NodeId> users) {
  if (!std::is_sorted(users.begin(), users.end())) std::sort(users.begin(), users.end());
  return users.end() - std::unique(users.begin(), users.end());
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

void renumber(std::vector<Interaction>& pairs, const IdNumbering& users, const IdNumbering& items) {
  if (users.direct() && items.direct()) return;
  constexpr std::int64_t kPairsAtOnce = 1 << 16;
  parallel_for_blocks(static_cast<std::int64_t>(pairs.size()), kPairsAtOnce, [&](std::int64_t e) {
    pairs[e] = {users(pairs[e].user), items(pairs[e].item)};
  });
}

void number_nodes(std::array<AdjacencyList, kSplitParts>& lists, Pool& pool, Notes& notes) {
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
  note_numbering("user", users, notes);
  note_numbering("item", items, notes);
  pool.users = {users.names(), users.size(), {}};
  pool.items = {items.names(), items.size(), {}};
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    pool.parts[part].pairs = std::move(lists[part].pairs);
    renumber(pool.parts[part].pairs, users, items);
  }
}

void read_adjacency_lists(const Sources& sources, const DataOptions& options, Pool& pool,
                          Notes& notes) {
  if (options.min_rating) {
    throw ConfigError(
        fmt::format("{}: data.min_rating is set, but an adjacency list has no ratings",
                    sources.interactions[0]->path.string()));
  }
  std::array<AdjacencyList, kSplitParts> lists;
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    if (!sources.interactions[part]) continue;
    const Source& source = *sources.interactions[part];
    AdjacencyList& list = lists[part];
    list = parse_adjacency(read_file(source.path, options.max_bytes).view(), source.path.string());
    notes.push_back(fmt::format("{}: lines: {}, interactions: {}.", name_of(source),
                                list.users.size(), list.pairs.size()));
    note_blank_lines(source, list.blank_lines, notes);
    if (const std::int64_t repeated = count_repeated(list.users); repeated > 0) {
      notes.push_back(fmt::format("{}: lines merged into an earlier one of the same user: {}.",
                                  name_of(source), repeated));
    }
  }
  number_nodes(lists, pool, notes);
}

void read_tables(const Sources& sources, const DataOptions& options, Pool& pool, Notes& notes) {
  std::int64_t below_min_rating = 0;
  pool.has_times = true;
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    if (!sources.interactions[part]) continue;
    const Source& source = *sources.interactions[part];
    InteractionTable table =
        parse_interactions(read_file(source.path, options.max_bytes).view(), source.path.string(),
                           source.table_format(), options, pool.users.names, pool.items.names);
    notes.push_back(fmt::format("{}: interactions: {}; {}.", name_of(source),
                                table.pairs.size() + table.below_min_rating, table.columns));
    note_blank_lines(source, table.blank_lines, notes);
    if (table.below_min_rating > 0) {
      notes.push_back(fmt::format("{}: interactions dropped for a rating below {}: {}.",
                                  name_of(source), *options.min_rating, table.below_min_rating));
    }
    below_min_rating += table.below_min_rating;
    pool.has_times = pool.has_times && (table.has_times || table.pairs.empty());
    pool.parts[part] = {std::move(table.pairs), std::move(table.times)};
  }
  pool.users.num_read = pool.users.names.size();
  pool.items.num_read = pool.items.names.size();
  if (below_min_rating == 0) return;
  keep_nodes(pool, find_occurring(pool));
  const NodeId users = pool.users.num_read - pool.users.names.size();
  const NodeId items = pool.items.num_read - pool.items.names.size();
  if (users + items > 0) {
    notes.push_back(
        fmt::format("Dropped for lack of other ratings: users: {}, items: {}.", users, items));
  }
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
  if (!side.rows.empty()) {
    for (NodeId& node : stay) node = side.rows[node];
  }
  side.rows = std::move(stay);
  return numbers;
}

}  // namespace

std::int64_t Pool::size() const {
  std::int64_t total = 0;
  for (const PoolPart& part : parts) total += static_cast<std::int64_t>(part.pairs.size());
  return total;
}

Pool read_pool(const Sources& sources, const DataOptions& options, Notes& notes) {
  Pool pool;
  const Source& train = *sources.interactions[0];
  if (train.format == SourceFormat::kAdjacency) {
    read_adjacency_lists(sources, options, pool, notes);
  } else {
    read_tables(sources, options, pool, notes);
  }
  const std::string file = train.path.string();
  if (pool.parts[0].pairs.empty()) {
    throw DataError(file, 0, "no interactions to train on, expected at least one");
  }
  for (const auto& [kind, side] :
       {std::pair<std::string_view, const PoolSide&>{"users", pool.users}, {"items", pool.items}}) {
    if (side.num_read > options.max_nodes) {
      throw DataError(file, 0,
                      fmt::format("{} {}, more than data.max_nodes = {} allows", side.num_read,
                                  kind, options.max_nodes));
    }
  }
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
    part.pairs.resize(stay);
    if (!part.times.empty()) part.times.resize(stay);
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
