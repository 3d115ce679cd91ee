// The mask of observed pairs of in_batch_softmax: its bits, and that results do not depend on it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <tuple>
#include <vector>

#include "cuda/ops/in_batch_softmax.hpp"
#include "simt/buffer.hpp"
#include "tests/simt_backend/device_queue.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/contrasts.hpp"
#include "tests/support/pairs.hpp"

namespace tern::test {
namespace {

template <typename T>
simt::Buffer<T> buffer_of(const std::vector<T>& values) {
  return simt::Buffer<T>(std::span<const T>(values));
}

/// Users 0, 1, ... with 0, 1, 2, 3, 4, 31, 200 and 700 of 701 items, which are all even but the last.
constexpr int kDegrees[] = {0, 1, 2, 3, 4, 31, 200, 700};
constexpr NodeId kUsers = 8;
constexpr NodeId kLastItem = 1401;

std::vector<std::vector<NodeId>> observed_rows() {
  std::vector<std::vector<NodeId>> rows;
  std::mt19937 random(7);
  for (const int degree : kDegrees) {
    std::vector<NodeId> items;
    for (NodeId i = 0; i < 700; ++i) items.push_back(2 * i);
    std::shuffle(items.begin(), items.end(), random);
    items.resize(static_cast<std::size_t>(degree));
    if (degree == 2) items.back() = kLastItem;
    std::sort(items.begin(), items.end());
    rows.push_back(std::move(items));
  }
  return rows;
}

/// Items that a row has, and others before, between and behind them.
std::vector<NodeId> column_items(std::int64_t count, const std::vector<std::vector<NodeId>>& rows) {
  std::vector<NodeId> items;
  std::mt19937 random(8);
  for (std::int64_t j = 0; j < count; ++j) {
    const auto& row = rows[1 + random() % (rows.size() - 1)];
    const NodeId near = j % 3 == 0   ? row.front()
                        : j % 3 == 1 ? row.back()
                                     : row[random() % row.size()];
    items.push_back(
        std::clamp<NodeId>(near + static_cast<NodeId>(random() % 5) / 2 - 1, 0, kLastItem));
  }
  return items;
}

/// pairs of the batch, and room for more of them.
void check_bits(std::int32_t negatives, std::int64_t pairs, std::int64_t room) {
  SCOPED_TRACE(testing::Message() << pairs << " pairs, " << negatives << " negatives");
  const auto rows = observed_rows();
  std::vector<EdgeOffset> offsets{0};
  std::vector<NodeId> edges;
  for (const auto& row : rows) {
    edges.insert(edges.end(), row.begin(), row.end());
    offsets.push_back(static_cast<EdgeOffset>(edges.size()));
  }
  const std::int64_t count = pairs * std::max(negatives, 1);
  cuda::InBatchSoftmaxTask task;
  task.layout = {negatives};
  const std::int64_t columns = task.layout.columns(count);
  std::vector<NodeId> users;
  for (std::int64_t t = 0; t < pairs; ++t) users.push_back(static_cast<NodeId>(t * 3 % kUsers));
  const std::vector<NodeId> items = column_items(columns, rows);

  auto device_count = buffer_of(std::vector<std::int64_t>{count});
  auto device_offsets = buffer_of(offsets);
  auto device_edges = buffer_of(edges);
  auto device_users = buffer_of(users);
  auto device_items = buffer_of(items);
  task.count = device_count.data();
  task.observed = {device_offsets.data(), device_edges.data(), kUsers, kLastItem + 1};
  task.mask = SoftmaxMask::kObserved;
  task.keys[0] = device_users.data();
  task.keys[1] = device_items.data();
  task.set_sizes(room, task.layout.columns(room * std::max(negatives, 1)));
  simt::Buffer<std::uint64_t> words(
      static_cast<std::size_t>(cuda::observed_words_size(task.sizes[0], task.sizes[1])));
  task.observed_words = words.data();
  cuda::launch_in_batch_softmax_observed(DeviceQueue(), task);

  std::int64_t found = 0;
  for (std::int64_t t = 0; t < pairs; ++t) {
    const auto& row = rows[static_cast<std::size_t>(users[t])];
    for (std::int64_t j = 0; j < (columns + 63) / 64 * 64; ++j) {
      const bool expected = j < columns && std::binary_search(row.begin(), row.end(), items[j]);
      const std::uint64_t word = words[static_cast<std::size_t>(task.observed_word(t, j / 64))];
      ASSERT_EQ((word >> (j % 64) & 1) != 0, expected) << "row " << t << ", column " << j;
      found += expected ? 1 : 0;
    }
  }
  EXPECT_GE(found, pairs > 60 ? pairs : 0) << "the mask is not empty";
}

TEST(SimtObservedMask, HasABitForEachPair) {
  for (const std::int64_t pairs : {1, 2, 31, 63, 64, 65, 127, 129, 300}) {
    check_bits(0, pairs, pairs);
    check_bits(0, pairs, pairs + 70);  // a short last batch
  }
  for (const std::int32_t negatives : {1, 2, 21}) {
    for (const std::int64_t pairs : {1, 33, 64, 70}) check_bits(negatives, pairs, pairs + 1);
  }
  check_bits(0, 1100, 1100);  // each warp more than one stretch
}

std::vector<Values> battery_results(const SimtOptions& options, const PairBattery& battery,
                                    const InBatchSoftmaxOptions& softmax) {
  const auto backend = make_simt_backend(options);
  return pair_battery_results(*backend, battery,
                              [&](Triplets& triplets, const Matrix& users, const Matrix& items,
                                  Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
                                backend->in_batch_softmax(triplets, softmax, users, items,
                                                          grad_users, grad_items, losses);
                              });
}

TEST(SimtObservedMask, GivesTheBitsOfTheSearch) {
  for (const SimtOptions& form : {kPlainSimt, kFusedSimt}) {
    SimtOptions searching = form;
    searching.mask_bytes = 1;
    for (const auto& [pairs, batch, width] :
         {std::tuple{1, 1, 4}, {170, 65, 20}, {200, 64, 5}, {140, 150, 130}, {420, 300, 7}}) {
      const PairBattery battery(pairs, batch, width);
      const InBatchSoftmaxOptions softmax{.temperature = 0.2, .mask = SoftmaxMask::kObserved};
      const auto masked = battery_results(form, battery, softmax);
      const auto searched = battery_results(searching, battery, softmax);
      ASSERT_EQ(masked.size(), searched.size());
      for (std::size_t i = 0; i < masked.size(); ++i) {
        EXPECT_TRUE(same_bits(masked[i], searched[i])) << pairs << " pairs, result " << i;
      }
    }
    const ContrastProblem problem = contrast_problem_of(150, 3, 65, 20);
    const auto mixed_results = [&](const SimtOptions& options) {
      const auto backend = make_simt_backend(options);
      return run_sampled_loss(
          *backend, problem,
          [&](Triplets& triplets, const Matrix& users, const Matrix& items, Matrix& grad_users,
              Matrix& grad_items, Matrix& losses) {
            backend->in_batch_softmax(
                triplets,
                {.mask = SoftmaxMask::kObserved, .columns = SoftmaxColumns::kPairsAndNegatives},
                users, items, grad_users, grad_items, losses);
          });
    };
    const auto masked = mixed_results(form);
    const auto searched = mixed_results(searching);
    for (std::size_t b = 0; b < masked.size(); ++b) {
      EXPECT_TRUE(same_bits(masked[b].grad_users, searched[b].grad_users)) << b;
      EXPECT_TRUE(same_bits(masked[b].grad_items, searched[b].grad_items)) << b;
      EXPECT_EQ(masked[b].losses[b], searched[b].losses[b]) << b;
    }
  }
}

/// Bytes that a batch of 100 pairs makes a backend take.
std::int64_t bytes_taken(std::int64_t mask_bytes, SoftmaxMask mask) {
  const auto backend = make_simt_backend({.mask_bytes = mask_bytes});
  const PairProblem problem = pair_problem_of(100, 4);
  PairsOnBackend on(*backend, problem);
  Matrix grad_users = backend->allocate(on.users.rows(), 4);
  Matrix grad_items = backend->allocate(on.items.rows(), 4);
  Matrix losses = backend->allocate(2, 1);
  const std::int64_t before = backend->memory().free;
  backend->in_batch_softmax(on.triplets, {.mask = mask}, on.users, on.items, grad_users, grad_items,
                            losses);
  backend->synchronize();
  return before - backend->memory().free;
}

TEST(SimtObservedMask, IsStoredUpToItsLimit) {
  constexpr std::int64_t kBytes = 128 * 2 * 8;  // rows and columns in whole tiles, a bit each
  const std::int64_t without = bytes_taken(0, SoftmaxMask::kSameItem);
  EXPECT_EQ(bytes_taken(0, SoftmaxMask::kObserved), without + kBytes);
  EXPECT_EQ(bytes_taken(kBytes, SoftmaxMask::kObserved), without + kBytes);
  EXPECT_EQ(bytes_taken(kBytes - 1, SoftmaxMask::kObserved), without);
}

}  // namespace
}  // namespace tern::test
