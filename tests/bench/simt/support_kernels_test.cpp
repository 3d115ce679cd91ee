// The kernels that measure the ceilings of gathers and streams, and the one between a product and a sort.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "bench/variants/cuda/gather_rows.cuh"
#include "bench/variants/cuda/prepare_sort.cuh"
#include "bench/variants/cuda/stream_rows.cuh"
#include "simt/buffer.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/simt_launcher.hpp"

namespace tern::test {
namespace {

TEST(GatherRows, SumsEveryRunOfRows) {
  for (const std::int64_t vectors : {1, 3, 16, 33}) {
    for (const std::int64_t count : {0, 1, 63, 64, 65, 700}) {
      const std::int64_t stride = 4 * vectors;
      const std::int64_t rows = 37;
      simt::Buffer<float> table(static_cast<std::size_t>(rows * stride));
      for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i % 101);
      simt::Buffer<NodeId> ids(static_cast<std::size_t>(count));
      for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<NodeId>(i * i % 37);
      const std::int64_t runs = cuda::ceil_div(count, cuda::kGatherRun);
      simt::Buffer<float> sums(static_cast<std::size_t>(runs * stride));
      cuda::run_gather_rows(SimtLauncher{}, {.table = {table.data(), rows, stride, stride},
                                             .ids = ids.data(),
                                             .count = count,
                                             .sums = sums.data()});
      std::vector<float> expected(sums.size());
      for (std::size_t i = 0; i < ids.size(); ++i) {
        for (std::int64_t f = 0; f < stride; ++f) {
          const auto run = static_cast<std::int64_t>(i) / cuda::kGatherRun;
          expected[static_cast<std::size_t>(run * stride + f)] +=
              table[static_cast<std::size_t>(ids[i] * stride + f)];
        }
      }
      ASSERT_TRUE(std::ranges::equal(sums.span(), expected)) << vectors << ", " << count;
    }
  }
}

TEST(StreamRows, UpdatesAndAddsEveryVector) {
  for (const std::int64_t count : {0, 1, 255, 256, 4097}) {
    const auto floats = static_cast<std::size_t>(4 * count);
    simt::Buffer<float> from(floats);
    simt::Buffer<float> to(floats);
    for (std::size_t i = 0; i < floats; ++i) from[i] = static_cast<float>(1 + i % 7) * 1e9F;
    for (std::size_t i = 0; i < floats; ++i) to[i] = static_cast<float>(i % 5);
    const cuda::StreamTask task{.from = cuda::as_vectors(std::as_const(from).data()),
                                .to = cuda::as_vectors(to.data()),
                                .count = count};
    cuda::run_read_stream(SimtLauncher{}, task);  // writes nothing
    cuda::run_update_stream(SimtLauncher{}, task);
    cuda::run_triad_stream(SimtLauncher{}, task);
    for (std::size_t i = 0; i < floats; ++i) {
      ASSERT_NEAR(to[i], static_cast<float>(1 + i % 7) - static_cast<float>(i % 5), 1e-5) << i;
    }
  }
}

TEST(PrepareSort, NumbersItemsAndMasksWhatWasObserved) {
  const Interactions observed = random_interactions(9, 500, 0.7, 2);
  const simt::Buffer<EdgeOffset> offsets(observed.offsets());
  const simt::Buffer<NodeId> columns(observed.items());
  const std::size_t first = 4, count = 5, items = 500;
  simt::Buffer<float> scores(count * items);
  simt::Buffer<NodeId> numbers(count * items);
  scores.fill(0.5F);
  cuda::run_prepare_sort(SimtLauncher{}, {.observed = {offsets.data(), columns.data(), 9, 500},
                                          .first_user = first,
                                          .count = count,
                                          .num_items = 500,
                                          .scores = scores.data(),
                                          .items = numbers.data()});
  for (std::size_t q = 0; q < count; ++q) {
    const auto row = observed.row(static_cast<NodeId>(first + q));
    for (std::size_t i = 0; i < items; ++i) {
      const bool seen = std::ranges::binary_search(row, static_cast<NodeId>(i));
      ASSERT_EQ(scores[q * items + i], seen ? -INFINITY : 0.5F) << q << ", " << i;
      ASSERT_EQ(numbers[q * items + i], static_cast<NodeId>(i));
    }
  }
}

}  // namespace
}  // namespace tern::test
