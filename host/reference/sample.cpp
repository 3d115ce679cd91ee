#include <algorithm>
#include <utility>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"
#include "tern/random.hpp"

namespace tern::reference {
namespace {

bool contains(std::span<const NodeId> row, NodeId item) {
  return std::find(row.begin(), row.end(), item) != row.end();
}

/// The r-th item absent from the row, counted from 0: each observed item before it adds one.
NodeId absent_item(std::span<const NodeId> row, std::uint32_t r) {
  auto item = static_cast<NodeId>(r);
  for (const NodeId observed : row) {
    if (observed <= item) ++item;
  }
  return item;
}

Interaction draw_positive(const TripletsStorage& storage, const Permutation& permutation,
                          std::uint32_t epoch, std::uint64_t q) {
  if (storage.options.positives == PositiveSampling::kInteraction) {
    return storage.positives[permutation(q)];
  }
  RandomStream stream(storage.options.seed, Purpose::kPositive, epoch, q);
  const NodeId user =
      storage.participants[stream.below(static_cast<std::uint32_t>(storage.participants.size()))];
  const std::span<const NodeId> row = storage.interactions.row(user);
  return {user, row[stream.below(static_cast<std::uint32_t>(row.size()))]};
}

NodeId draw_negative(const TripletsStorage& storage, NodeId user, std::uint32_t epoch,
                     std::uint64_t t) {
  if (!storage.options.has_negatives()) return kNoItem;
  const std::span<const NodeId> row = storage.interactions.row(user);
  const auto num_items = static_cast<std::uint32_t>(storage.interactions.num_items());
  RandomStream stream(storage.options.seed, Purpose::kNegative, epoch, t);
  if (storage.options.negatives == NegativeSampling::kPopularity) {
    for (int attempt = 0; attempt < storage.options.popularity_tries; ++attempt) {
      const std::uint32_t cell = stream.below(num_items);
      const std::uint32_t word = stream.next();
      const NodeId item = word < storage.popularity.threshold[cell]
                              ? static_cast<NodeId>(cell)
                              : storage.popularity.alias[cell];
      if (!contains(row, item)) return item;
    }
  }
  return absent_item(row, stream.below(num_items - static_cast<std::uint32_t>(row.size())));
}

std::vector<std::int64_t> item_degrees(const GraphStorage& graph) {
  const Interactions& items = graph.rows_of(Side::kItem).neighbours;
  std::vector<std::int64_t> degrees;
  degrees.reserve(static_cast<std::size_t>(items.num_users()));
  for (NodeId item = 0; item < items.num_users(); ++item) {
    degrees.push_back(static_cast<std::int64_t>(items.row(item).size()));
  }
  return degrees;
}

/// An empty set of rows.
RowSet empty_row_set(NodeId num_nodes, std::int64_t capacity) {
  auto storage = std::make_unique<RowSetStorage>();
  storage->member.assign(static_cast<std::size_t>(num_nodes), false);
  return {std::move(storage), num_nodes, capacity};
}

void replace_rows(const RowSet& set, std::vector<NodeId> rows) {
  auto& storage = storage_of<RowSetStorage>(set, "next_batch", "rows");
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  std::fill(storage.member.begin(), storage.member.end(), false);
  for (const NodeId row : rows) storage.member[row] = true;
  storage.rows = std::move(rows);
}

void make_current(Triplets& triplets, TripletsStorage& storage, std::int64_t batch) {
  storage.batch = batch;
  std::vector<NodeId> users;
  std::vector<NodeId> items;
  for (const Triplet& triplet : current_batch(triplets, "next_batch")) {
    users.push_back(triplet.user);
    items.push_back(triplet.positive);
    if (triplet.negative != kNoItem) items.push_back(triplet.negative);
  }
  replace_rows(triplets.rows(Side::kUser), std::move(users));
  replace_rows(triplets.rows(Side::kItem), std::move(items));
}

}  // namespace

std::span<const Triplet> current_batch(const Triplets& triplets, std::string_view op) {
  const auto& storage = storage_of<TripletsStorage>(triplets, op, "triplets");
  check_sampled(op, storage.sampled);
  const std::int64_t begin = storage.batch * triplets.batch_size();
  const std::int64_t size = std::min(triplets.batch_size(), triplets.size() - begin);
  return std::span(storage.triplets).subspan(begin, size);
}

Triplets ReferenceBackend::make_triplets(const Graph& graph, const SamplingOptions& options,
                                         std::int64_t batch_size) {
  expect_not_recording("make_triplets");
  const auto& graph_storage = storage_of<GraphStorage>(graph, "make_triplets", "graph");
  auto storage = std::make_unique<TripletsStorage>();
  storage->interactions = graph_storage.rows_of(Side::kUser).neighbours;
  const NodeId num_users = graph.num_users();
  const NodeId num_items = graph.num_items();
  storage->counts =
      check_make_triplets(options, batch_size, storage->interactions.offsets(), num_items);
  storage->options = options;
  for (NodeId user = 0; user < num_users; ++user) {
    const std::span<const NodeId> row = storage->interactions.row(user);
    if (row.empty() || row.size() == static_cast<std::size_t>(num_items)) continue;
    storage->participants.push_back(user);
    for (const NodeId item : row) storage->positives.push_back({user, item});
  }
  const std::vector<std::int64_t> degrees = item_degrees(graph_storage);
  if (options.negatives == NegativeSampling::kPopularity) {
    storage->popularity = make_alias_table(degrees, options.popularity_exponent);
  }
  storage->negative_share = negative_share(options, num_items, degrees);
  const std::int64_t size = storage->counts.interactions * options.triplets_per_positive();
  reserve_memory("make_triplets", static_cast<double>(size) * sizeof(Triplet),
                 [&] { storage->triplets.resize(static_cast<std::size_t>(size)); });
  RowSet users = empty_row_set(num_users, std::min<std::int64_t>(batch_size, num_users));
  const std::int64_t most =
      options.items_per_triplet() * std::min<std::int64_t>(batch_size, num_items);
  RowSet items = empty_row_set(num_items, std::min<std::int64_t>(most, num_items));
  const int negatives = options.negatives_per_positive;
  return {std::move(storage), size, batch_size, std::move(users), std::move(items), negatives};
}

SamplingCounts ReferenceBackend::sampling_counts(const Triplets& triplets) const {
  return storage_of<TripletsStorage>(triplets, "sampling_counts", "triplets").counts;
}

void ReferenceBackend::sample(Triplets& triplets, std::uint32_t epoch) {
  expect_not_recording("sample");
  auto& storage = storage_of<TripletsStorage>(triplets, "sample", "triplets");
  const Permutation permutation(storage.options.seed, epoch, storage.positives.size());
  const auto per_positive = static_cast<std::uint64_t>(storage.options.triplets_per_positive());
  for (std::uint64_t t = 0; t < storage.triplets.size(); ++t) {
    const auto [user, positive] = draw_positive(storage, permutation, epoch, t / per_positive);
    storage.triplets[t] = {user, positive, draw_negative(storage, user, epoch, t)};
  }
  storage.sampled = true;
  make_current(triplets, storage, 0);
}

void ReferenceBackend::set_triplets(Triplets& triplets, std::span<const Triplet> values) {
  expect_not_recording("set_triplets");
  auto& storage = storage_of<TripletsStorage>(triplets, "set_triplets", "triplets");
  check_set_triplets(triplets, values);
  storage.triplets.assign(values.begin(), values.end());
  storage.sampled = true;
  make_current(triplets, storage, 0);
}

std::vector<Triplet> ReferenceBackend::get_triplets(const Triplets& triplets) {
  expect_not_recording("get_triplets");
  const auto& storage = storage_of<TripletsStorage>(triplets, "get_triplets", "triplets");
  check_sampled("get_triplets", storage.sampled);
  return storage.triplets;
}

std::int64_t ReferenceBackend::batch_number(const Triplets& triplets) const {
  expect_not_recording("batch_number");
  const auto& storage = storage_of<TripletsStorage>(triplets, "batch_number", "triplets");
  check_sampled("batch_number", storage.sampled);
  return storage.batch;
}

std::vector<Triplet> ReferenceBackend::get_batch(const Triplets& triplets) {
  expect_not_recording("get_batch");
  const std::span<const Triplet> batch = current_batch(triplets, "get_batch");
  return {batch.begin(), batch.end()};
}

void ReferenceBackend::next_batch(Triplets& triplets) {
  auto& storage = storage_of<TripletsStorage>(triplets, "next_batch", "triplets");
  check_sampled("next_batch", storage.sampled);
  make_current(triplets, storage, (storage.batch + 1) % triplets.num_batches());
}

}  // namespace tern::reference
