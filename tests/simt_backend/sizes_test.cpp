// Sizes and shapes beyond 2³¹, from the functions that compute them and from captured launches.
// Nothing of that size is allocated or run.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "cuda/ops/adam.hpp"
#include "cuda/ops/embedding_statistics.hpp"
#include "cuda/ops/fill.hpp"
#include "cuda/ops/gather_copy.hpp"
#include "cuda/ops/in_batch_softmax.hpp"
#include "cuda/ops/next_batch_plan.hpp"
#include "cuda/ops/propagate.hpp"
#include "cuda/ops/sampled_contrast.hpp"
#include "cuda/ops/score_topk.hpp"
#include "cuda/ops/sgd.hpp"
#include "cuda/storage.hpp"
#include "cuda/support/launch.hpp"
#include "tern/error.hpp"
#include "tests/simt_backend/device_queue.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/graphs.hpp"

namespace tern::cuda {
namespace {

using test::DeviceQueue;

constexpr NodeId kMaxNodes = std::numeric_limits<NodeId>::max();
constexpr std::int64_t kOne = 1;

TEST(Sizes, OfArraysAreProductsOf64Bits) {
  EXPECT_EQ(padded(kMaxNodes), kOne << 31);
  EXPECT_EQ(ceil_div((kOne << 40) + 1, 256), (kOne << 32) + 1);
  EXPECT_EQ(partials_size(kMaxNodes, 1024), kOne * kMaxNodes * 1024);
  EXPECT_EQ(select_key_bytes(4096, kMaxNodes), std::size_t{kMaxNodes} * 4096 * 8);
  EXPECT_EQ(select_key_bytes(1, 33), 512u);
  EXPECT_EQ(select_key_bytes(0, 33), 0u);
  const PlanTask plan{.side = Side::kItem, .num_triplets = kMaxPlanned, .batch_size = 1};
  EXPECT_EQ(plan.size(), kMaxNodes - 1);
  EXPECT_EQ(plan.batches(), kMaxPlanned);
  EXPECT_EQ(bits_for(std::uint64_t{1} << 31), 31);
  EXPECT_EQ(bits_for((std::uint64_t{1} << 31) + 1), 32);
}

TEST(Sizes, WindowsKeepWithinTheirLimits) {
  EXPECT_EQ(window_batches(10, 100, 300 * kPlanBytesPerTriplet), 3);
  EXPECT_EQ(window_batches(10, 100, 300 * kPlanBytesPerTriplet - 1), 2);
  EXPECT_EQ(window_batches(10, 100, kOne << 60), 10) << "the whole epoch";
  EXPECT_EQ(window_batches(10, 100, 0), 1) << "at least one";
  EXPECT_EQ(window_batches(kOne << 40, 1, kOne << 60), kMaxPlanned) << "counted in 32 bits";
  EXPECT_EQ(window_batches(kOne << 40, kMaxPlanned, kOne << 60), 1);
}

TEST(Sizes, QueriesAreCutIntoBlocksAndChunksOfWholeBlocks) {
  const QueryLimits limits{.scores = 40'000, .results = 16'000};
  const QueryCuts cuts = cut_queries(1'000, 1'000, 20, limits);
  EXPECT_EQ(cuts.block, 8) << "whole tiles of the ten that the cache would hold";
  EXPECT_EQ(cuts.chunk, 96) << "whole blocks";
  EXPECT_EQ(cut_queries(1'000, 1'000, 19, limits).chunk, 104) << "whole blocks";
  EXPECT_EQ(cut_queries(7, 1'000, 20, limits).block, 8) << "one shape for any number of queries";
  EXPECT_EQ(cut_queries(7, 1'000, 20, limits).chunk, 7);
  EXPECT_EQ(cut_queries(1'000, 1'000, 300, limits).block, 8) << "and for any k";
  EXPECT_EQ(cut_queries(1'000, 1'000, 300, limits).chunk, 6) << "as many as results allow";
  EXPECT_EQ(cut_queries(kOne << 31, kOne << 31, kOne << 60, limits).block, 1);
  EXPECT_EQ(cut_queries(kOne << 31, kOne << 31, kOne << 60, limits).chunk, 1);
  EXPECT_EQ(cut_queries(kOne << 31, 4, 1, {kOne << 50, kOne << 50}).block, 4096);
  const auto block = [&](std::int64_t rows) {
    return cut_queries(10'000, 1'000, 20, {.scores = rows * 4'000, .results = kOne << 30}).block;
  };
  EXPECT_EQ(block(127), 64);
  EXPECT_EQ(block(128), 128);
  EXPECT_EQ(block(255), 128) << "144 would take the time of two tiles of 128";
  EXPECT_EQ(block(256), 256);
  EXPECT_EQ(block(1000), 896);
}

TEST(Sizes, StatisticsAreCutWithoutGapsOrOverlaps) {
  for (const std::int64_t rows :
       {kOne, kOne * 63, kOne * 64, kOne * 65, kOne * 1024 * 64 + 1, kOne * kMaxNodes}) {
    for (const std::int64_t cols : {1, 64, 1000, 40'000}) {
      const StatisticsCuts cuts = cut_statistics(rows, cols);
      EXPECT_GE(cuts.stretches * cuts.stretch_rows, rows);
      EXPECT_LT((cuts.stretches - 1) * cuts.stretch_rows, rows);
      EXPECT_GE(cuts.splits * cuts.split_rows, rows);
      EXPECT_LT((cuts.splits - 1) * cuts.split_rows, rows);
      EXPECT_LE(cuts.stretches, 1024);
      EXPECT_LE(cuts.splits, 1024) << "a grid's second dimension takes 65535";
    }
  }
}

TEST(Sizes, SoftmaxTilesAreCutWithoutGapsOrOverlaps) {
  for (const std::int64_t size : {kOne, kOne * 64, kOne * 65, kOne * 300, kOne * 2048, kOne * 2049,
                                  kOne * 65'536, kMaxPlanned}) {
    const PairCuts cuts = pair_cuts(size);
    const std::int64_t rows = ceil_div(size, kPairTile);
    EXPECT_GE(std::int64_t{cuts.splits} * cuts.tiles, rows) << size;
    EXPECT_LT((std::int64_t{cuts.splits} - 1) * cuts.tiles, rows) << size;
    EXPECT_LE(rows * cuts.splits, kMaxBlocks) << size;
    // Linear in the batch, and 512 tiles of partial gradients at the most besides.
    EXPECT_LE(softmax_workspace_size(size, size, 64), (4 * 64 + 10) * size + (64 + 2) * 512 * 64)
        << size;
  }
  for (const auto& [rows, columns] :
       {std::pair{kOne, kOne * 65}, {kOne * 65, kOne}, {kOne * 2048, kOne * 2048 * 9}}) {
    const PairCuts cuts = pair_cuts(rows, columns);
    const std::int64_t tiles = ceil_div(columns, kPairTile);
    EXPECT_GE(std::int64_t{cuts.splits} * cuts.tiles, tiles) << rows << " " << columns;
    EXPECT_LT((std::int64_t{cuts.splits} - 1) * cuts.tiles, tiles) << rows << " " << columns;
  }
  EXPECT_EQ(pair_cuts(2048).splits, 16);
  EXPECT_EQ(pair_cuts(2048).tiles, 2);
  EXPECT_EQ(pair_cuts(65'536).splits, 1);
}

TEST(Sizes, ContrastsOfBatchesBeyond32BitsCoverPairsAndRows) {
  ContrastTask task;
  task.negatives = 1000;
  task.size = kMaxPlanned / 1000 * 1000;
  task.stride = 64;
  task.values[0].rows = task.values[1].rows = kMaxNodes;
  task.batch.sides[0].capacity = task.batch.sides[1].capacity = kMaxNodes;
  EXPECT_EQ(task.pairs(), kMaxPlanned / 1000);
  EXPECT_EQ(contrast_workspace_size(task), kMaxPlanned / 1000 * 2064 + kOne * 2 * kMaxNodes);
  const DeviceQueue queue;
  const auto shapes = queue.shapes_of([&] { launch_sampled_contrast(queue, task); });
  ASSERT_EQ(shapes.size(), 3u);
  EXPECT_EQ(shapes[0].grid.x, ceil_div(kMaxNodes, 16)) << "rows, 16 lanes each";
  EXPECT_EQ(shapes[0].grid.y, 2u) << "sides";
  EXPECT_EQ(shapes[1].grid.x, ceil_div(kMaxPlanned / 1000, 16)) << "pairs";
  EXPECT_EQ(shapes[2].grid.x, 1 + ceil_div(kOne * 2 * kMaxNodes, 16)) << "the loss, and rows";
}

TEST(Sizes, LongRowsAreCutWhereverTheirEdgesLie) {
  const EdgeOffset far = kOne << 33;
  std::vector<EdgeOffset> offsets{far};
  for (const EdgeOffset degree : {2, 64, 65, 0, 200, 5000, 64}) {
    offsets.push_back(offsets.back() + degree);
  }
  const RowCuts cuts = cut_rows(offsets);
  EXPECT_EQ(cuts.short_rows, (std::vector<NodeId>{1, 6, 0, 3})) << "longest first";
  ASSERT_EQ(cuts.split.size(), 3u);
  EXPECT_EQ(cuts.slots, 2 + 4 + 71) << "71 segments of 71: the next whole number to the root";
  EXPECT_EQ(segment_size(4096), 64);
  EXPECT_EQ(segment_size(4097), 65);

  // Every row's segments cover its edges, in the order of their slots.
  std::vector<RowSegment> by_slot(static_cast<std::size_t>(cuts.slots));
  EdgeOffset before = kOne << 40;
  for (const RowSegment& segment : cuts.segments) {
    by_slot.at(static_cast<std::size_t>(segment.slot)) = segment;
    EXPECT_LE(segment.size, before) << "longest first";
    before = segment.size;
  }
  std::int32_t slot = 0;
  for (const SplitRow& split : cuts.split) {
    EdgeOffset edge = offsets[static_cast<std::size_t>(split.row)];
    EXPECT_EQ(split.first_slot, slot);
    for (; slot < split.first_slot + split.count; ++slot) {
      const RowSegment& segment = by_slot[static_cast<std::size_t>(slot)];
      EXPECT_EQ(segment.row, split.row);
      EXPECT_EQ(&cuts.split[static_cast<std::size_t>(segment.split)], &split);
      EXPECT_EQ(segment.begin, edge);
      EXPECT_GT(segment.size, 0);
      edge = segment.begin + segment.size;
    }
    EXPECT_EQ(edge, offsets[static_cast<std::size_t>(split.row) + 1]);
  }
}

PropagateTask propagate_task(std::int64_t rows) {
  PropagateTask task;
  task.x = {nullptr, 5, 64, 64};
  task.y = {nullptr, rows, 64, 64};
  return task;
}
SgdTask sgd_task(std::int64_t rows) {
  SgdTask task;
  task.rows = rows;
  task.stride = 64;
  return task;
}
AdamTask adam_task(std::int64_t rows, std::int64_t cols) {
  AdamTask task;
  task.rows = rows;
  task.cols = task.stride = cols;
  return task;
}

TEST(Sizes, GridsCoverTablesOfMoreThan32Bits) {
  constexpr std::int64_t kRows = kMaxNodes;
  constexpr std::int64_t kVectors = kRows * 64 / 4;  // of a table of width 64
  const DeviceQueue queue(132);
  auto shapes = queue.shapes_of([&] {
    launch_fill(queue, {nullptr, kRows, 63, 64}, 0.0F);
    launch_sgd(queue, sgd_task(kRows));
  });
  ASSERT_EQ(shapes.size(), 2u);
  for (const simt::CapturedLaunch& shape : shapes) {
    EXPECT_GE(std::int64_t{shape.grid.x} * shape.block.x, kVectors);
    EXPECT_LT((std::int64_t{shape.grid.x} - 1) * shape.block.x, kVectors);
  }
  shapes = queue.shapes_of([&] { launch_adam(queue, adam_task(kRows, 64)); });
  EXPECT_EQ(shapes.at(0).grid.x, 132u * 5) << "one wave of five blocks a multiprocessor";
  shapes = queue.shapes_of([&] { launch_adam_catch_up(queue, adam_task(kRows, 64)); });
  EXPECT_EQ(shapes.at(0).grid.x, ceil_div(kRows, 16)) << "16 lanes a row";
  PropagateTask task = propagate_task(kRows);
  task.num_short = kRows;
  shapes = queue.shapes_of([&] { launch_propagate(queue, task); });
  EXPECT_EQ(shapes.at(0).grid.x, ceil_div(kRows, 16)) << "16 lanes a row";
  Bf16 element = 0;
  task.x_copy = {&element, 8};
  shapes = queue.shapes_of([&] { launch_propagate(queue, task); });
  EXPECT_EQ(shapes.at(0).grid.x, ceil_div(kRows, 32)) << "8 lanes a row of bf16";
  task.x_copy = {};
  const NodeId row = 0;
  task.to.rows = &row;
  task.to.capacity = 1000;
  task.num_segments = 7;
  shapes = queue.shapes_of([&] { launch_propagate(queue, task); });
  EXPECT_EQ(shapes.at(0).grid.x, 1 + ceil_div(1000, 16)) << "segments, and rows of a set";
}

TEST(Sizes, ACopyHasVectorsThat32BitsNumber) {
  EXPECT_TRUE(can_copy(kMaxNodes, 8));
  EXPECT_TRUE(can_copy(kMaxNodes, 9)) << "2³² vectors, with the row of zeros";
  EXPECT_FALSE(can_copy(kMaxNodes, 17));
  EXPECT_TRUE(can_copy((kOne << 29) - 1, 64));
  EXPECT_FALSE(can_copy(kOne << 29, 64));
  EXPECT_TRUE(can_copy(kMaxNodes, 0));
  const auto backend = test::make_simt_backend();
  EXPECT_THROW(backend->allocate(kOne << 29, 64, {.gather = GatherPrecision::kBf16}), ConfigError);
}

TEST(Sizes, EmptyTasksLaunchNothing) {
  const DeviceQueue queue;
  const auto shapes = queue.shapes_of([&] {
    launch_sgd(queue, sgd_task(0));
    launch_adam(queue, adam_task(10, 0));
    launch_adam_catch_up(queue, adam_task(10, 0));
    launch_propagate(queue, propagate_task(0));
    launch_gather_copy(queue, {nullptr, 0, 4, 4}, {});
    launch_gather_copy(queue, {nullptr, 5, 4, 4}, {});
  });
  EXPECT_TRUE(shapes.empty());
}

__global__ void idle_kernel() {}

TEST(Sizes, ALauncherRefusesMoreBlocksThanAGridHas) {
  const Launcher launch(Queue{});
  EXPECT_THROW(launch({.blocks = kOne << 31, .threads = 32}, idle_kernel), DeviceError);
  EXPECT_THROW(launch({.blocks = 1, .threads = 32, .blocks_y = 65'536}, idle_kernel), DeviceError);
  EXPECT_THROW(launch({.blocks = 1, .threads = 32, .blocks_y = kOne << 32}, idle_kernel),
               DeviceError)
      << "counted in 64 bits";
  const DeviceQueue queue;
  const auto shapes = queue.shapes_of([&] {
    const Launcher to_queue{Queue(queue)};
    to_queue({.blocks = 1, .threads = 32, .blocks_y = 65'535}, idle_kernel);
  });
  EXPECT_EQ(shapes.at(0).grid.y, 65'535u);
  PropagateTask wide = propagate_task(1);
  wide.num_short = 1;
  wide.x.cols = wide.x.stride = wide.y.cols = wide.y.stride = 65'536 * std::int64_t{1024};
  EXPECT_THROW(launch_propagate(queue, wide), DeviceError) << "a table of 67 million columns";
  launch({.blocks = 0, .threads = 32}, idle_kernel);  // skipped
  launch({.blocks = 5, .threads = 32, .blocks_y = 0}, idle_kernel);
}

TEST(Battery, HoldsEveryWidthAndEveryKindOfGraphOnEveryBackend) {
  for (const test::BackendCase& backend : test::backends_of_batches_under_test()) {
    std::set<std::int64_t> widths;
    std::set<std::string> names;
    for (const test::NamedGraph& graph : test::graph_battery(backend.budget)) {
      widths.insert(graph.widths.begin(), graph.widths.end());
      names.insert(graph.name);
    }
    const std::set<std::int64_t> every{1,  2,   3,   8,   16,  31,  32,   33,
                                       64, 100, 128, 200, 256, 512, 1000, 2100};
    EXPECT_EQ(widths, every) << backend.name;
    EXPECT_EQ(names.size(), 14u) << backend.name;
  }
}

}  // namespace
}  // namespace tern::cuda
