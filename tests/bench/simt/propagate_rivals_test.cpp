// The rivals of propagate in bench/variants/cuda, executed on the CPU, next to the f64 reference.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "bench/variants/cuda/propagate_edge_scatter.cuh"
#include "bench/variants/cuda/propagate_heavy_blocks.cuh"
#include "bench/variants/cuda/propagate_merge_path.cuh"
#include "bench/variants/cuda/propagate_push_rows.cuh"
#include "bench/variants/cuda/propagate_row_per_block.cuh"
#include "bench/variants/cuda/propagate_row_per_warp.cuh"
#include "simt/buffer.hpp"
#include "tern/device.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/simt_launcher.hpp"

namespace tern::test {
namespace {

using cuda::ProductTask;

/// The most gathered elements of a graph of the battery: an executed thread takes microseconds.
constexpr std::int64_t kBudget = 150'000;
/// Larger graphs run once: one block a row takes a second.
constexpr std::int64_t kManyNodes = 65'536;

/// A CSR and its rows' scales in watched memory.
struct DeviceRows {
  explicit DeviceRows(const Interactions& rows)
      : offsets(rows.offsets()),
        columns(rows.items()),
        scale(static_cast<std::size_t>(rows.num_users())),
        num_rows(rows.num_users()),
        num_columns(rows.num_items()) {
    for (NodeId row = 0; row < num_rows; ++row) {
      const auto degree = static_cast<float>(rows.row(row).size());
      scale[static_cast<std::size_t>(row)] = degree > 0.0F ? 1.0F / std::sqrt(degree) : 0.0F;
    }
  }
  CsrView view() const { return {offsets.data(), columns.data(), num_rows, num_columns}; }

  simt::Buffer<EdgeOffset> offsets;
  simt::Buffer<NodeId> columns;
  simt::Buffer<float> scale;
  NodeId num_rows;
  NodeId num_columns;
};

/// One propagation to the users of a graph: inputs, a poisoned output, the reference's result.
class Problem {
 public:
  /// from: the rows of x to read; null: all.
  Problem(const Interactions& interactions, std::int64_t width,
          const std::vector<NodeId>* from = nullptr)
      : rows(interactions),
        columns(interactions.transposed()),
        width_(width),
        stride_((width + 3) / 4 * 4),
        x_(static_cast<std::size_t>(interactions.num_items() * stride_)),
        y_(static_cast<std::size_t>(interactions.num_users() * stride_)) {
    const Values values = random_values(interactions.num_items() * width, 11);
    x_.fill(0.0F);
    for (std::int64_t i = 0; i < interactions.num_items() * width; ++i) {
      x_[at(i)] = static_cast<float>(values[static_cast<std::size_t>(i)]);
    }
    expected_ = reference(interactions, values, from);
    magnitude_ = reference(interactions, absolute(values), from);
  }

  ProductTask task() {
    return {.csr = rows.view(),
            .to_scale = rows.scale.data(),
            .from_scale = columns.scale.data(),
            .x = x(),
            .y = y()};
  }
  MatrixView<const float> x() const { return {x_.data(), rows.num_columns, width_, stride_}; }
  MatrixView<float> y() { return {y_.data(), rows.num_rows, width_, stride_}; }
  EdgeOffset edges() const { return static_cast<EdgeOffset>(rows.columns.size()); }
  void poison() { y_.fill(std::numeric_limits<float>::quiet_NaN()); }

  /// y, without its padding, which must be zero.
  Values result() const {
    Values values(expected_.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = y_[at(static_cast<std::int64_t>(i))];
    for (std::int64_t i = 0; i < rows.num_rows * stride_; ++i) {
      if (i % stride_ >= width_) {
        EXPECT_EQ(y_[static_cast<std::size_t>(i)], 0.0F) << "padding";
      }
    }
    return values;
  }
  testing::AssertionResult correct() const {
    const double longest = std::max<double>(1.0, static_cast<double>(rows.num_columns));
    return within_bound({result(), expected_, magnitude_, std::max<std::int64_t>(1, width_)},
                        summation_factor(longest), 0x1p-24);
  }

  DeviceRows rows;     // of users
  DeviceRows columns;  // of items

 private:
  std::size_t at(std::int64_t i) const {
    return static_cast<std::size_t>(i / width_ * stride_ + i % width_);
  }
  Values reference(const Interactions& interactions, const Values& values,
                   const std::vector<NodeId>* from) const {
    const auto backend = make_reference_backend();
    const Graph graph = backend->make_graph(interactions);
    const Matrix x = make_matrix(*backend, interactions.num_items(), width_, values);
    Matrix y = backend->allocate(interactions.num_users(), width_);
    PropagateOptions options;
    RowSet set;
    if (from != nullptr) {
      set = backend->make_row_set(interactions.num_items(), *from);
      options.from = &set;
    }
    backend->propagate(graph, Side::kUser, x, y, options);
    return values_of(*backend, y);
  }

  std::int64_t width_;
  std::int64_t stride_;
  simt::Buffer<float> x_;
  simt::Buffer<float> y_;
  Values expected_;
  Values magnitude_;
};

enum class Order { fixed, chance };

using Run = std::function<void(const SimtLauncher&, Problem&)>;

struct Strategy {
  const char* name;
  Order order;
  Run run;
};

void row_per_warp(const SimtLauncher& launch, Problem& problem) {
  cuda::run_propagate_row_per_warp(launch, problem.task());
}

void row_per_block(const SimtLauncher& launch, Problem& problem) {
  cuda::run_propagate_row_per_block(launch, problem.task());
}

void heavy_blocks(const SimtLauncher& launch, Problem& problem) {
  const cuda::HeavyRows heavy = cuda::find_heavy_rows(problem.rows.offsets.span());
  const simt::Buffer<cuda::HeavyStretch> stretches{heavy.stretches};
  const simt::Buffer<cuda::HeavyRow> split{heavy.split};
  simt::Buffer<float> partials(static_cast<std::size_t>(heavy.slots * problem.x().stride));
  cuda::run_propagate_heavy_blocks(launch,
                                   {.product = problem.task(),
                                    .stretches = stretches.data(),
                                    .num_stretches = static_cast<std::int64_t>(stretches.size()),
                                    .split = split.data(),
                                    .num_split = static_cast<std::int64_t>(split.size()),
                                    .partials = partials.data()});
}

void merge_path(const SimtLauncher& launch, Problem& problem) {
  const std::int64_t shares = cuda::merge_shares(problem.rows.num_rows, problem.edges());
  simt::Buffer<NodeId> carry_rows(static_cast<std::size_t>(shares));
  simt::Buffer<float> carries(static_cast<std::size_t>(shares * problem.x().stride));
  cuda::run_propagate_merge_path(launch, {.product = problem.task(),
                                          .edges = problem.edges(),
                                          .carry_rows = carry_rows.data(),
                                          .carries = carries.data()});
}

void edge_scatter(const SimtLauncher& launch, Problem& problem) {
  simt::Buffer<NodeId> edge_rows(problem.rows.columns.size());
  for (NodeId row = 0; row < problem.rows.num_rows; ++row) {
    const auto r = static_cast<std::size_t>(row);
    for (EdgeOffset e = problem.rows.offsets[r]; e < problem.rows.offsets[r + 1]; ++e) {
      edge_rows[static_cast<std::size_t>(e)] = row;
    }
  }
  cuda::run_propagate_edge_scatter(
      launch, {.product = problem.task(), .edge_rows = edge_rows.data(), .edges = problem.edges()});
}

void push_rows(const SimtLauncher& launch, Problem& problem, std::vector<NodeId> from) {
  const simt::Buffer<NodeId> rows{from};
  cuda::run_propagate_push_rows(launch, {.csr = problem.columns.view(),
                                         .from_scale = problem.columns.scale.data(),
                                         .to_scale = problem.rows.scale.data(),
                                         .x = problem.x(),
                                         .y = problem.y(),
                                         .rows = rows.data(),
                                         .count = static_cast<std::int64_t>(rows.size())});
}

void push_all_rows(const SimtLauncher& launch, Problem& problem) {
  std::vector<NodeId> all;
  for (NodeId row = 0; row < problem.columns.num_rows; ++row) all.push_back(row);
  push_rows(launch, problem, all);
}

void PrintTo(const Strategy& strategy, std::ostream* out) {
  *out << strategy.name;
}

class PropagateRivals : public testing::TestWithParam<Strategy> {};

/// Runs a strategy under some orders of threads, and compares each result.
void expect_agreement(const Strategy& strategy, const Interactions& rows, std::int64_t width,
                      std::uint64_t seeds) {
  Problem problem(rows, width);
  Values first;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    problem.poison();
    strategy.run({{.seed = seed}}, problem);
    ASSERT_TRUE(problem.correct());
    if (seed == 1) first = problem.result();
  }
  if (strategy.order == Order::fixed) {
    ASSERT_TRUE(same_bits(problem.result(), first));
  }
}

TEST_P(PropagateRivals, AgreeWithTheReferenceInAnyOrderOfThreads) {
  for (const NamedGraph& graph : graph_battery(kBudget)) {
    if (graph.interactions.num_users() + graph.interactions.num_items() > kManyNodes) continue;
    for (const Interactions& rows : {graph.interactions, graph.interactions.transposed()}) {
      for (const std::int64_t width : graph.widths) {
        SCOPED_TRACE(graph.name + ", D = " + std::to_string(width));
        ASSERT_NO_FATAL_FAILURE(expect_agreement(GetParam(), rows, width, 2));
      }
    }
  }
}

TEST_P(PropagateRivals, TakeMoreRowsThanAGridDimensionHasBlocks) {
  for (const NamedGraph& graph : graph_battery(kBudget)) {
    if (graph.interactions.num_users() < kManyNodes) continue;
    SCOPED_TRACE(graph.name);
    ASSERT_NO_FATAL_FAILURE(expect_agreement(GetParam(), graph.interactions, 1, 1));
  }
}

TEST_P(PropagateRivals, AgreeForEveryKindOfWidth) {
  const Interactions rows = random_interactions(13, 17, 0.4, 5);
  for (const std::int64_t width :
       {1, 2, 3, 4, 5, 8, 12, 31, 32, 33, 64, 100, 127, 128, 129, 200, 256, 1000}) {
    SCOPED_TRACE(width);
    Problem problem(rows, width);
    problem.poison();
    GetParam().run({}, problem);
    ASSERT_TRUE(problem.correct());
  }
}

INSTANTIATE_TEST_SUITE_P(, PropagateRivals,
                         testing::Values(Strategy{"row_per_warp", Order::fixed, row_per_warp},
                                         Strategy{"row_per_block", Order::fixed, row_per_block},
                                         Strategy{"heavy_blocks", Order::fixed, heavy_blocks},
                                         Strategy{"merge_path", Order::fixed, merge_path},
                                         Strategy{"edge_scatter", Order::chance, edge_scatter},
                                         Strategy{"push_rows", Order::chance, push_all_rows}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PropagatePushRows, OnlyTheGivenRowsCount) {
  const Interactions rows = random_interactions(40, 60, 0.2, 3);
  for (const double share : {0.0, 0.1, 0.5}) {
    const std::vector<NodeId> from = random_rows(60, 4, share);
    Problem problem(rows, 20, &from);
    problem.poison();
    push_rows({}, problem, from);
    EXPECT_TRUE(problem.correct()) << share;
  }
}

// Rows and shares in every relation: a row within a share, over two, over many, and a share that
// ends with the row's last edge, before the end of the row.
TEST(PropagateMergePath, RowsBeginAndEndAnywhereInAShare) {
  for (NodeId before = 0; before < 4; ++before) {
    for (const NodeId degree : {126, 127, 128, 129, 255, 256, 257, 600}) {
      std::vector<Interaction> pairs;
      for (NodeId item = 0; item < degree; ++item) pairs.push_back({before, item});
      pairs.push_back({before + 2, 1});
      Problem problem(Interactions::from_pairs(before + 4, 600, pairs), 4);
      problem.poison();
      merge_path({}, problem);
      ASSERT_TRUE(problem.correct()) << before << ", " << degree;
    }
  }
}

TEST(PropagateRowPerWarp, OneEdgeByHand) {
  // User 1 has items 0 and 2; item 2 is user 0's too: scales 1/√2, 1, 1/√2.
  const std::vector<Interaction> pairs{{0, 2}, {1, 0}, {1, 2}};
  const DeviceRows users(Interactions::from_pairs(2, 3, pairs));
  const DeviceRows items(Interactions::from_pairs(2, 3, pairs).transposed());
  simt::Buffer<float> x(12), y(8);
  x.fill(0.0F);
  x[0] = 3.0F;
  x[8] = 5.0F;
  cuda::run_propagate_row_per_warp(SimtLauncher{}, {.csr = users.view(),
                                                    .to_scale = users.scale.data(),
                                                    .from_scale = items.scale.data(),
                                                    .x = {x.data(), 3, 1, 4},
                                                    .y = {y.data(), 2, 1, 4}});
  EXPECT_FLOAT_EQ(y[0], 5.0F / std::sqrt(2.0F));
  EXPECT_FLOAT_EQ(y[4], (3.0F + 5.0F / std::sqrt(2.0F)) / std::sqrt(2.0F));
  EXPECT_EQ(y[1], 0.0F);
}

}  // namespace
}  // namespace tern::test
