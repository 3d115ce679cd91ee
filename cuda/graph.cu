#include <algorithm>

#include "cuda/backend.hpp"
#include "cuda/ops/make_graph.hpp"
#include "host/backend/checks.hpp"

// The graph and sets of rows on the device. R is uploaded as it is; Rᵀ is made there, by one sort.

namespace tern::cuda {
namespace {

/// The scales of a direction whose offsets and columns are there, and how its heavy rows are cut.
void finish_direction(Direction& direction, std::span<const EdgeOffset> offsets,
                      const Memory& memory, const Queue& queue) {
  const auto rows = static_cast<NodeId>(offsets.size() - 1);
  direction.scale = DeviceArray<float>(rows, memory);
  launch_degree_scale(queue, direction.offsets.data(), rows, direction.scale.data());
  const HeavyRows heavy = find_heavy_rows(offsets);
  direction.segments = to_device(std::span(heavy.segments), memory);
  direction.split = to_device(std::span(heavy.split), memory);
  direction.slots = heavy.slots;
}

}  // namespace

Graph CudaBackend::make_graph(const Interactions& interactions) {
  const Range range("make_graph");
  expect_not_recording("make_graph");
  const DeviceScope scope = use_device();
  const EdgeOffset size = interactions.size();
  auto parts = std::make_unique<GraphStorage>();
  parts->num_nodes = {interactions.num_users(), interactions.num_items()};
  Direction& users = parts->direction(Side::kUser);
  Direction& items = parts->direction(Side::kItem);
  users.offsets = to_device(interactions.offsets(), pool_memory());
  users.columns = to_device(interactions.items(), pool_memory());
  items.offsets = DeviceArray<EdgeOffset>(EdgeOffset{interactions.num_items()} + 1, pool_memory());
  items.columns = DeviceArray<NodeId>(size, pool_memory());
  const DeviceArray<NodeId> rows(size, pool_memory());
  const DeviceArray<NodeId> sorted(size, pool_memory());
  const DeviceArray<std::uint8_t> temporary(static_cast<std::int64_t>(transpose_bytes(size)),
                                            pool_memory());
  launch_transpose(queue(),
                   {.csr = parts->csr(Side::kUser),
                    .size = size,
                    .rows = rows.data(),
                    .sorted = sorted.data(),
                    .offsets = items.offsets.data(),
                    .columns = items.columns.data()},
                   temporary.data(), static_cast<std::size_t>(temporary.size()));
  std::vector<EdgeOffset> item_offsets(static_cast<std::size_t>(items.offsets.size()));
  items.offsets.download(item_offsets);
  finish_direction(users, interactions.offsets(), pool_memory(), queue());
  finish_direction(items, item_offsets, pool_memory(), queue());
  return {std::move(parts), interactions.num_users(), interactions.num_items(), size};
}

RowSet CudaBackend::make_row_set(NodeId num_nodes, std::span<const NodeId> rows) {
  check_make_row_set(num_nodes, rows);
  expect_not_recording("make_row_set");
  const DeviceScope scope = use_device();
  std::vector<NodeId> distinct(rows.begin(), rows.end());
  std::ranges::sort(distinct);
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<std::uint8_t> marks(static_cast<std::size_t>(num_nodes), 0);
  for (const NodeId row : distinct) marks[static_cast<std::size_t>(row)] = 1;
  const auto capacity = static_cast<std::int64_t>(distinct.size());
  const RowSpan span{0, capacity};
  // An empty set is a set, not "every row": its list has room for one row, and none in it.
  if (distinct.empty()) distinct.push_back(0);

  auto set = std::make_unique<RowSetStorage>();
  set->marks = to_device(std::span<const std::uint8_t>(marks), pool_memory());
  set->rows = to_device(std::span<const NodeId>(distinct), pool_memory());
  set->span = to_device(std::span<const RowSpan>(&span, 1), pool_memory());
  set->view = {set->rows.data(), set->span.data(), set->marks.data(), capacity};
  return {std::move(set), num_nodes, capacity};
}

}  // namespace tern::cuda
