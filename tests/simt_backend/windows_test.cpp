// Recorded steps that move through several batches, while an epoch is planned a window at a time.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>

#include "cuda/ops/next_batch_plan.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"

namespace tern::test {
namespace {

constexpr NodeId kUsers = 20;
constexpr NodeId kItems = 15;
constexpr std::int64_t kWidth = 3;
constexpr std::int64_t kBatch = 11;

/// Gradients and losses of the batches of an epoch, in steps of two batches. Other triplets of the
/// same graph advance by one batch a step.
struct Walk {
  explicit Walk(Backend& backend_in)
      : backend(backend_in),
        graph(backend.make_graph(random_interactions(kUsers, kItems, 0.5, 3))),
        triplets(backend.make_triplets(graph, {.seed = Seed{4}}, kBatch)),
        others(backend.make_triplets(graph, {.seed = Seed{5}}, kBatch + 2)),
        users(make_matrix(backend, kUsers, kWidth, random_values(kUsers * kWidth, 1))),
        items(make_matrix(backend, kItems, kWidth, random_values(kItems * kWidth, 2))) {
    for (const std::int64_t batches : {triplets.num_batches(), others.num_batches()}) {
      grad_users.push_back(make_poisoned(backend, kUsers, kWidth));
      grad_items.push_back(make_poisoned(backend, kItems, kWidth));
      losses.push_back(make_poisoned(backend, 2, batches));
    }
  }

  void sample(std::uint32_t epoch) {
    backend.sample(triplets, epoch);
    backend.sample(others, epoch);
  }

  void step() {
    for (int batch = 0; batch < 2; ++batch) {
      backend.bpr(triplets, users, items, grad_users[0], grad_items[0], losses[0]);
      backend.next_batch(triplets);
    }
    backend.bpr(others, users, items, grad_users[1], grad_items[1], losses[1]);
    backend.next_batch(others);
  }

  Backend& backend;
  Graph graph;
  Triplets triplets;
  Triplets others;
  Matrix users;
  Matrix items;
  std::vector<Matrix> grad_users;
  std::vector<Matrix> grad_items;
  std::vector<Matrix> losses;
};

void expect_same(Walk& actual, Walk& expected) {
  for (const std::size_t i : {0, 1}) {
    const auto same = [&](const Matrix& a, const Matrix& e, const char* what) {
      EXPECT_TRUE(same_bits(values_of(actual.backend, a), values_of(expected.backend, e)))
          << what << " of triplets " << i;
    };
    same(actual.losses[i], expected.losses[i], "losses");
    same(actual.grad_users[i], expected.grad_users[i], "gradient of users");
    same(actual.grad_items[i], expected.grad_items[i], "gradient of items");
  }
  for (const Side side : {Side::kUser, Side::kItem}) {
    EXPECT_EQ(members(actual.backend, actual.triplets.rows(side)),
              members(expected.backend, expected.triplets.rows(side)))
        << "rows of the current batch";
  }
}

/// Replays the step for three rounds of the epoch, then for a part of another, and compares each
/// replay with the same calls on a backend that plans the whole epoch.
void compare_replays(const SimtOptions& options) {
  const auto whole = make_simt_backend({.device = options.device, .fused = options.fused});
  const auto backend = make_simt_backend(options);
  Walk called(*whole);
  Walk replayed(*backend);
  const auto recording = backend->record([&] { replayed.step(); });
  const std::int64_t batches = called.triplets.num_batches();
  ASSERT_GT(batches, 10);
  for (const std::uint32_t epoch : {0u, 1u}) {
    called.sample(epoch);
    replayed.sample(epoch);
    const std::int64_t replays = epoch == 0 ? 3 * batches / 2 : 3;
    for (std::int64_t replay = 0; replay < replays; ++replay) {
      SCOPED_TRACE("epoch " + std::to_string(epoch) + ", replay " + std::to_string(replay));
      called.step();
      recording->replay();
      expect_same(replayed, called);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(SimtWindows, AStepOfTwoBatchesFollowsWindowsOfEverySize) {
  for (const std::int64_t window : {1, 2, 3, 4, 5, 6, 7, 10}) {
    SCOPED_TRACE("window of " + std::to_string(window));
    compare_replays({.plan_bytes = window * kBatch * cuda::kPlanBytesPerTriplet});
    if (HasFailure()) return;
  }
}

TEST(SimtWindows, AStepOfTwoBatchesFollowsTheWholeEpoch) {
  compare_replays(kPlainSimt);
}

TEST(SimtWindows, AStepOfTwoBatchesFollowsBatchesThatAreDrawnOnEntry) {
  compare_replays(kFusedSimt);
}

}  // namespace
}  // namespace tern::test
