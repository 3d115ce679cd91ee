// Sampling, see Backend::sample. A triplet depends on (seed, epoch, index) alone, so a batch is
// drawn when it becomes current, and an epoch is never stored.

#include <algorithm>
#include <array>
#include <limits>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "tern/error.hpp"
#include "tern/random.hpp"

namespace tern::cpu {

namespace {

/// The r-th item (from 0) absent from an ascending row: r + #{k : row[k] - k <= r}. row[k] - k, the
/// number of absent items before row[k], never falls with k, so one binary search finds the count.
NodeId absent_item(const NodeId* row, EdgeOffset degree, std::uint32_t r) {
  EdgeOffset low = 0;
  EdgeOffset high = degree;
  while (low < high) {
    const EdgeOffset middle = (low + high) / 2;
    if (static_cast<std::int64_t>(row[middle]) - middle <= static_cast<std::int64_t>(r)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return static_cast<NodeId>(r + low);
}

Interaction draw_positive(const TripletsStorage& state, const Permutation& permutation,
                          std::int64_t pair) {
  const CsrView csr = state.graph->csr(Side::kUser);
  if (state.options.positives == PositiveSampling::kUser) {
    RandomStream stream(state.options.seed, Purpose::kPositive, state.epoch,
                        static_cast<std::uint64_t>(pair));
    const NodeId user =
        state.participants[stream.below(static_cast<std::uint32_t>(state.participants.size()))];
    const auto pick = stream.below(static_cast<std::uint32_t>(csr.degree(user)));
    return {user, csr.columns[csr.offsets[user] + pick]};
  }
  const auto position = static_cast<EdgeOffset>(permutation(static_cast<std::uint64_t>(pair)));
  const auto& offsets = state.participant_offsets;
  const auto p = std::upper_bound(offsets.begin(), offsets.end(), position) - offsets.begin() - 1;
  const NodeId user = state.participants[p];
  return {user, csr.columns[csr.offsets[user] + position - offsets[p]]};
}

NodeId draw_negative(const TripletsStorage& state, NodeId user, std::int64_t triplet) {
  if (!state.options.has_negatives()) return kNoItem;
  const CsrView csr = state.graph->csr(Side::kUser);
  const NodeId* row = csr.columns + csr.offsets[user];
  const EdgeOffset degree = csr.degree(user);
  RandomStream stream(state.options.seed, Purpose::kNegative, state.epoch,
                      static_cast<std::uint64_t>(triplet));
  if (state.options.negatives == NegativeSampling::kPopularity) {
    for (int attempt = 0; attempt < state.options.popularity_tries; ++attempt) {
      const auto cell = stream.below(static_cast<std::uint32_t>(csr.num_columns));
      const NodeId item = stream.next() < state.alias.threshold[cell] ? static_cast<NodeId>(cell)
                                                                      : state.alias.alias[cell];
      if (!std::binary_search(row, row + degree, item)) return item;
    }
  }
  return absent_item(row, degree,
                     stream.below(static_cast<std::uint32_t>(csr.num_columns - degree)));
}

/// A stable sort of keys by their upper half (the row): radix 2⁸, only the digits that row ids
/// below num_nodes have.
void sort_by_row(std::vector<std::uint64_t>& keys, std::vector<std::uint64_t>& scratch,
                 NodeId num_nodes) {
  for (int shift = 32; (static_cast<std::uint64_t>(num_nodes) << 32 >> shift) != 0; shift += 8) {
    std::array<std::uint32_t, 257> starts{};
    for (const std::uint64_t key : keys) ++starts[((key >> shift) & 255) + 1];
    for (int d = 0; d < 256; ++d) starts[d + 1] += starts[d];
    scratch.resize(keys.size());
    for (const std::uint64_t key : keys) scratch[starts[(key >> shift) & 255]++] = key;
    keys.swap(scratch);
  }
}

/// Turns the keys (row << 32 | occurrence) into the set of rows and their occurrences.
void list_occurrences(Occurrences& side) {
  RowSetStorage& set = *side.set;
  for (const NodeId row : set.rows) set.marks[row] = 0;
  set.rows.clear();
  side.starts.clear();
  side.occurrences.clear();
  sort_by_row(side.keys, side.scratch, static_cast<NodeId>(set.marks.size()));
  for (const std::uint64_t key : side.keys) {
    const auto row = static_cast<NodeId>(key >> 32);
    if (set.rows.empty() || set.rows.back() != row) {
      set.rows.push_back(row);
      set.marks[row] = 1;
      side.starts.push_back(static_cast<std::int32_t>(side.occurrences.size()));
    }
    side.occurrences.push_back(static_cast<std::int32_t>(key & 0xFFFFFFFFu));
  }
  side.starts.push_back(static_cast<std::int32_t>(side.occurrences.size()));
}

RowSet make_batch_rows(Occurrences& side, NodeId num_nodes, std::int64_t most) {
  const std::int64_t capacity = std::min<std::int64_t>(num_nodes, most);
  auto set = std::make_unique<RowSetStorage>();
  set->marks.assign(static_cast<std::size_t>(num_nodes), 0);
  set->rows.reserve(static_cast<std::size_t>(capacity));
  side.set = set.get();
  return {std::move(set), num_nodes, capacity};
}

/// Draws triplets [first, first + triplets.size()) of the epoch.
void draw(const TripletsStorage& state, std::int64_t first, std::span<Triplet> triplets) {
  const Permutation permutation(state.options.seed, state.epoch,
                                static_cast<std::uint64_t>(state.counts.interactions));
  const std::int64_t per_positive = state.options.triplets_per_positive();
  for (std::size_t i = 0; i < triplets.size(); ++i) {
    const std::int64_t t = first + static_cast<std::int64_t>(i);
    const Interaction pair = draw_positive(state, permutation, t / per_positive);
    triplets[i] = {pair.user, pair.item, draw_negative(state, pair.user, t)};
  }
}

/// Makes the batch current: its triplets, its distinct rows and their occurrences.
void select_batch(TripletsStorage& state, std::int64_t batch, ThreadPool& pool) {
  const std::int64_t first = batch * state.batch_size;
  const std::int64_t count = std::min(state.batch_size, state.size - first);
  state.batch = batch;
  state.current.resize(static_cast<std::size_t>(count));
  if (state.given) {
    std::copy_n(state.given->begin() + first, count, state.current.begin());
  } else {
    constexpr std::int64_t kPiece = 256;
    parallel_for_ranges(pool, count, kPiece, [&](std::int64_t begin, std::int64_t end) {
      draw(state, first + begin,
           std::span(state.current)
               .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
    });
  }
  parallel_for(pool, 2, [&state](std::int64_t side) {
    auto& keys = state.occurrences[side].keys;
    keys.clear();
    for (std::uint64_t t = 0; t < state.current.size(); ++t) {
      const Triplet& triplet = state.current[t];
      if (side == 0) {
        keys.push_back(static_cast<std::uint64_t>(triplet.user) << 32 | t);
      } else {
        keys.push_back(static_cast<std::uint64_t>(triplet.positive) << 32 | (2 * t));
        if (triplet.negative == kNoItem) continue;
        keys.push_back(static_cast<std::uint64_t>(triplet.negative) << 32 | (2 * t + 1));
      }
    }
    list_occurrences(state.occurrences[side]);
  });
}

}  // namespace

Triplets CpuBackend::make_triplets(const Graph& graph, const SamplingOptions& options,
                                   std::int64_t batch_size) {
  expect_not_recording("make_triplets");
  const GraphStorage& parts = storage(graph);
  const CsrView csr = parts.csr(Side::kUser);
  auto state = std::make_unique<TripletsStorage>();
  state->counts =
      check_make_triplets(options, batch_size, parts.directions[0].offsets, graph.num_items());
  state->graph = &parts;
  state->options = options;
  EdgeOffset before = 0;
  for (NodeId user = 0; user < csr.num_rows; ++user) {
    const EdgeOffset degree = csr.degree(user);
    if (degree == 0 || degree == csr.num_columns) continue;
    state->participants.push_back(user);
    state->participant_offsets.push_back(before);
    before += degree;
  }
  std::vector<std::int64_t> degrees;  // only for popularity
  if (options.negatives == NegativeSampling::kPopularity) {
    const CsrView items = parts.csr(Side::kItem);
    degrees.resize(static_cast<std::size_t>(items.num_rows));
    for (NodeId item = 0; item < items.num_rows; ++item) degrees[item] = items.degree(item);
    state->alias = make_alias_table(degrees, options.popularity_exponent);
  }
  state->negative_share = negative_share(options, graph.num_items(), degrees);
  state->size = state->counts.interactions * options.triplets_per_positive();
  state->batch_size = std::min(batch_size, state->size);
  const auto room = static_cast<std::size_t>(state->batch_size);
  state->weights.resize(room);
  state->losses.resize(3 * room);
  RowSet users = make_batch_rows(state->occurrences[0], graph.num_users(), state->batch_size);
  RowSet items = make_batch_rows(state->occurrences[1], graph.num_items(),
                                 options.items_per_triplet() * state->batch_size);
  const std::int64_t size = state->size;
  const std::int64_t batch = state->batch_size;
  const int negatives = options.negatives_per_positive;
  return {std::move(state), size, batch, std::move(users), std::move(items), negatives};
}

SamplingCounts CpuBackend::sampling_counts(const Triplets& triplets) const {
  return storage(triplets).counts;
}

void CpuBackend::sample(Triplets& triplets, std::uint32_t epoch) {
  expect_not_recording("sample");
  TripletsStorage& state = storage(triplets);
  state.epoch = epoch;
  state.given.reset();
  select_batch(state, 0, pool_);
}

void CpuBackend::set_triplets(Triplets& triplets, std::span<const Triplet> values) {
  expect_not_recording("set_triplets");
  check_set_triplets(triplets, values);
  TripletsStorage& state = storage(triplets);
  state.given.emplace(values.begin(), values.end());
  select_batch(state, 0, pool_);
}

std::vector<Triplet> CpuBackend::get_triplets(const Triplets& triplets) {
  expect_not_recording("get_triplets");
  const TripletsStorage& state = storage(triplets);
  check_sampled("get_triplets", state.sampled());
  if (state.given) return *state.given;
  std::vector<Triplet> all(static_cast<std::size_t>(state.size));
  constexpr std::int64_t kPiece = 4096;
  parallel_for_ranges(pool_, state.size, kPiece, [&](std::int64_t begin, std::int64_t end) {
    draw(state, begin,
         std::span(all).subspan(static_cast<std::size_t>(begin),
                                static_cast<std::size_t>(end - begin)));
  });
  return all;
}

std::int64_t CpuBackend::batch_number(const Triplets& triplets) const {
  expect_not_recording("batch_number");
  const TripletsStorage& state = storage(triplets);
  check_sampled("batch_number", state.sampled());
  return state.batch;
}

std::vector<Triplet> CpuBackend::get_batch(const Triplets& triplets) {
  expect_not_recording("get_batch");
  const TripletsStorage& state = storage(triplets);
  check_sampled("get_batch", state.sampled());
  return state.current;
}

void CpuBackend::next_batch(Triplets& triplets) {
  TripletsStorage& state = storage(triplets);
  check_sampled("next_batch", state.sampled());
  select_batch(state, (state.batch + 1) % triplets.num_batches(), pool_);
}

}  // namespace tern::cpu
