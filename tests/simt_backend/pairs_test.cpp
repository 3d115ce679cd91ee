// R from an edge list on the device, which the seam does not ask for yet.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cuda/ops/make_graph.hpp"
#include "cuda/support/launch.hpp"
#include "cuda/support/resources.hpp"
#include "simt/runtime/device.hpp"
#include "tern/interactions.hpp"
#include "tern/random.hpp"

namespace tern::cuda {
namespace {

void expect_graph(NodeId num_users, NodeId num_items, const std::vector<Interaction>& pairs) {
  const Stream stream = make_stream();
  const MemoryPool pool = make_pool(0);
  const Memory memory{pool.get(), stream.get()};
  const auto size = static_cast<EdgeOffset>(pairs.size());
  const auto device_pairs = to_device(std::span(pairs), memory);
  const DeviceArray<std::uint64_t> keys(size, memory);
  const DeviceArray<std::uint64_t> sorted(size, memory);
  const DeviceArray<EdgeOffset> unique(1, memory);
  const DeviceArray<EdgeOffset> offsets(EdgeOffset{num_users} + 1, memory);
  const DeviceArray<NodeId> columns(size, memory);
  const DeviceArray<std::uint8_t> temporary(static_cast<std::int64_t>(pairs_bytes(size)), memory);
  launch_pairs({stream.get(), 2},
               {.pairs = device_pairs.data(),
                .size = size,
                .num_users = num_users,
                .num_items = num_items,
                .keys = keys.data(),
                .sorted = sorted.data(),
                .unique_size = unique.data(),
                .offsets = offsets.data(),
                .columns = columns.data()},
               temporary.data(), static_cast<std::size_t>(temporary.size()));

  const Interactions expected = Interactions::from_pairs(num_users, num_items, pairs);
  std::vector<EdgeOffset> entries(1);
  unique.download(entries);
  ASSERT_EQ(entries[0], expected.size());
  std::vector<EdgeOffset> got_offsets(static_cast<std::size_t>(num_users) + 1);
  offsets.download(got_offsets);
  EXPECT_EQ(got_offsets,
            std::vector<EdgeOffset>(expected.offsets().begin(), expected.offsets().end()));
  std::vector<NodeId> got_items(static_cast<std::size_t>(entries[0]));
  columns.download(got_items);
  EXPECT_EQ(got_items, std::vector<NodeId>(expected.items().begin(), expected.items().end()));
}

TEST(SimtPairs, MakeTheGraphThatTheHostMakes) {
  for (const simt::Timing timing : {simt::Timing::at_once, simt::Timing::late}) {
    simt::set_devices({{.timing = timing}});
    expect_graph(3, 4, {});
    expect_graph(4, 3, {{2, 1}, {2, 1}, {2, 1}});
    for (const auto& [users, items] : {std::pair{1, 700}, {700, 1}, {65, 64}, {300, 200}}) {
      RandomStream random(Seed{3}, Purpose::kGenerate, 0, static_cast<std::uint64_t>(users));
      std::vector<Interaction> pairs(3000);
      for (Interaction& pair : pairs) {  // the last user has none
        pair.user = static_cast<NodeId>(random.below(static_cast<std::uint32_t>(users)));
        pair.item = static_cast<NodeId>(random.below(static_cast<std::uint32_t>(items)));
        if (users > 1 && pair.user == users - 1) pair.user = users - 2;
      }
      pairs.push_back({users == 1 ? 0 : users - 2, items - 1});
      expect_graph(users, items, pairs);
    }
  }
}

}  // namespace
}  // namespace tern::cuda
