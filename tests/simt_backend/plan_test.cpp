// The plan of a window: for each batch its distinct rows, and where each row occurs. Checked by hand.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "cuda/storage.hpp"
#include "tests/simt_backend/simt_backend.hpp"

namespace tern::cuda {
namespace {

/// The plan of one side, as OccurrencesView has it, and the first row of each batch.
struct Plan {
  std::vector<NodeId> rows;
  std::vector<std::int32_t> starts;
  std::vector<std::int32_t> occurrences;
  std::vector<std::int32_t> first_row;
};

template <typename T>
std::vector<T> first_of(const DeviceArray<T>& array, std::int64_t count) {
  std::vector<T> all(static_cast<std::size_t>(array.size()));
  array.download(all);
  return {all.begin(), all.begin() + count};
}

/// Compares the plan of triplets in batches of three with the expected one.
void expect_plan(int negatives_per_positive, const std::vector<Triplet>& values, Side side,
                 const Plan& expected) {
  const auto backend = test::make_simt_backend(test::kPlainSimt);
  const Graph graph = backend->make_graph({5, 8, {0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4}});
  Triplets triplets =
      backend->make_triplets(graph, {.negatives_per_positive = negatives_per_positive}, 3);
  backend->set_triplets(triplets, values);
  backend->synchronize();
  const auto& storage = dynamic_cast<const TripletsStorage&>(*triplets.storage());
  const SidePlan& plan = storage.plans[static_cast<std::size_t>(side)];
  const std::vector<std::int32_t> first_row = first_of(plan.first_row, triplets.num_batches() + 1);
  EXPECT_EQ(first_row, expected.first_row);
  EXPECT_EQ(first_of(plan.rows, first_row.back()), expected.rows);
  const std::vector<std::int32_t> starts = first_of(plan.starts, first_row.back() + 1);
  EXPECT_EQ(starts, expected.starts);
  EXPECT_EQ(first_of(plan.occurrences, starts.back()), expected.occurrences);
}

TEST(SimtPlan, OfTripletsNumbersPositivesEvenAndNegativesOdd) {
  const std::vector<Triplet> triplets{{4, 7, 1}, {2, 7, 2}, {4, 0, 7}, {0, 3, 3}, {4, 1, 0}};
  expect_plan(1, triplets, Side::kUser,
              {.rows = {2, 4, 0, 4},
               .starts = {0, 1, 3, 4, 5},
               .occurrences = {1, 0, 2, 0, 1},
               .first_row = {0, 2, 4}});
  expect_plan(1, triplets, Side::kItem,
              {.rows = {0, 1, 2, 7, 0, 1, 3},
               .starts = {0, 1, 2, 3, 6, 7, 8, 10},
               .occurrences = {4, 1, 3, 0, 2, 5, 3, 2, 0, 1},
               .first_row = {0, 4, 7}});
}

TEST(SimtPlan, OfPairsNumbersPositivesEven) {
  const std::vector<Triplet> pairs{{4, 7, -1}, {2, 7, -1}, {4, 0, -1}, {0, 3, -1}, {4, 1, -1}};
  expect_plan(0, pairs, Side::kUser,
              {.rows = {2, 4, 0, 4},
               .starts = {0, 1, 3, 4, 5},
               .occurrences = {1, 0, 2, 0, 1},
               .first_row = {0, 2, 4}});
  expect_plan(0, pairs, Side::kItem,
              {.rows = {0, 7, 1, 3},
               .starts = {0, 1, 3, 4, 5},
               .occurrences = {4, 0, 2, 2, 0},
               .first_row = {0, 2, 4}});
}

}  // namespace
}  // namespace tern::cuda
