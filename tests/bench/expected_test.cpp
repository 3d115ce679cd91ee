// The costs of the cases: the edges and rows that a variant touches, counted here one by one.

#include "bench/ops/expected.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tern/device.hpp"
#include "tests/support/graphs.hpp"

namespace tern::test {
namespace {

using bench::Addend;
using bench::Subset;
using bench::Workload;

class Expected : public testing::Test {
 protected:
  Expected()
      : backend_(make_cpu_backend(1)),
        device_(bench::make_cpu_device(1)),
        workload_(*backend_, *device_, random_interactions(2500, 90, 0.02, 1), 6, 1) {}

  /// Distinct users, and items, of the first batch.
  std::set<NodeId> batch(Side side) const {
    std::set<NodeId> rows;
    for (std::size_t t = 0; t < static_cast<std::size_t>(Workload::kBatchSize); ++t) {
      const Triplet& triplet = workload_.epoch().at(t);
      if (side == Side::kUser) rows.insert(triplet.user);
      if (side == Side::kItem) rows.insert({triplet.positive, triplet.negative});
    }
    return rows;
  }
  double edges_of(Side side, const std::set<NodeId>& rows) const {
    double edges = 0.0;
    for (NodeId user = 0; user < workload_.interactions().num_users(); ++user) {
      for (const NodeId item : workload_.interactions().row(user)) {
        edges += rows.contains(side == Side::kUser ? user : item) ? 1.0 : 0.0;
      }
    }
    return edges;
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<bench::Device> device_;
  Workload workload_;
};

TEST_F(Expected, CostsOfPropagationCountWhatIsTouched) {
  ASSERT_GT(workload_.epoch().size(), static_cast<std::size_t>(Workload::kBatchSize));
  const double edge = 4 + 4 + 6 * 4;
  const double row = 8 + 4 + 6 * 4;
  for (const Side to : {Side::kUser, Side::kItem}) {
    const auto cost = [&](Addend addend, Subset subset) {
      return bench::cost_of_propagation(workload_, to, addend, subset);
    };
    const auto all_rows = static_cast<double>(workload_.nodes(to));
    const auto all_edges = static_cast<double>(workload_.interactions().size());
    const auto some = static_cast<double>(batch(to).size());
    EXPECT_EQ(cost(Addend::kNone, Subset::kAll).bytes, all_edges * edge + all_rows * row);
    EXPECT_EQ(cost(Addend::kFull, Subset::kToBatch).bytes,
              edges_of(to, batch(to)) * edge + some * (row + 6 * 4));
    EXPECT_EQ(cost(Addend::kNone, Subset::kFromBatch).bytes,
              edges_of(opposite(to), batch(opposite(to))) * edge + all_rows * row);
  }
}

TEST_F(Expected, PropagationFromABatchLeavesTheOtherRowsOut) {
  const auto all = bench::expected_propagation(workload_, Side::kItem, Subset::kAll);
  const auto from = bench::expected_propagation(workload_, Side::kItem, Subset::kFromBatch);
  ASSERT_EQ(all.size(), from.size());
  EXPECT_NE(all, from);

  // By hand, one element: item 3, column 2.
  const std::set<NodeId> users = batch(Side::kUser);
  const std::vector<float> x = workload_.table_values(Side::kUser, 1);
  const std::vector<float> to = bench::degree_scales(workload_.transposed());
  const std::vector<float> scales = bench::degree_scales(workload_.interactions());
  double sum = 0.0;
  for (const NodeId user : workload_.transposed().row(3)) {
    const auto u = static_cast<std::size_t>(user);
    if (users.contains(user)) sum += scales[u] * x[u * 6 + 2];
  }
  EXPECT_NEAR(from[3 * 6 + 2], to[3] * sum, 1e-6);
}

TEST_F(Expected, QueriesAreTheFirstUsers) {
  EXPECT_EQ(bench::queries_of(workload_).size(), 2048u);
  EXPECT_EQ(bench::queries_of(workload_).back(), 2047);
  EXPECT_EQ(bench::cost_of_score_topk(workload_).flops, 2.0 * 2048 * 90 * 6);
}

TEST_F(Expected, TablesAreTheSameWheneverTheyAreRead) {
  std::set<std::vector<float>> all;
  for (const Side side : {Side::kUser, Side::kItem}) {
    for (const std::uint32_t salt : {1U, 2U, 3U}) {
      const std::vector<float> first = workload_.table_values(side, salt);
      EXPECT_EQ(static_cast<std::int64_t>(first.size()), workload_.nodes(side) * workload_.width());
      EXPECT_EQ(workload_.table_values(side, salt), first);
      all.insert(first);
    }
  }
  EXPECT_EQ(all.size(), 6u);
}

}  // namespace
}  // namespace tern::test
