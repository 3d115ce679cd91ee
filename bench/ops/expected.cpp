#include "bench/ops/expected.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>

#include "bench/support/batch.hpp"
#include "bench/support/compare.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

std::vector<double> values_on_reference(const Workload& workload, const Matrix& matrix) {
  std::vector<double> values(static_cast<std::size_t>(matrix.size()));
  workload.reference().download(matrix, values);
  return values;
}

}  // namespace

const char* side_name(Side side) {
  return side == Side::kUser ? "users" : "items";
}

Cost cost_of_propagation(const Workload& workload, Side to, Addend addend, Subset subset,
                         double gathered_value) {
  const auto lists = [&](Side side) -> const Interactions& {
    return side == Side::kUser ? workload.interactions() : workload.transposed();
  };
  std::int64_t edges = workload.interactions().size();
  std::int64_t rows = workload.nodes(to);
  if (subset != Subset::kAll) {
    const Side side = subset == Subset::kToBatch ? to : opposite(to);
    const BatchRows batch(workload);
    edges = 0;
    for (const NodeId row : batch[side]) {
      edges += static_cast<std::int64_t>(lists(side).row(row).size());
    }
    if (subset == Subset::kToBatch) rows = static_cast<std::int64_t>(batch[side].size());
  }
  return propagate_cost(rows, edges, workload.width(), addend == Addend::kFull, gathered_value);
}

std::vector<double> expected_propagation(const Workload& workload, Side to, Subset subset) {
  Backend& reference = workload.reference();
  const Side from = opposite(to);
  const Matrix x = workload.table(reference, from, 1);
  Matrix y = reference.allocate(workload.nodes(to), workload.width());
  PropagateOptions options;
  RowSet rows;
  if (subset == Subset::kFromBatch) {
    rows = reference.make_row_set(workload.reference_graph().num_nodes(from),
                                  BatchRows(workload)[from]);
    options.from = &rows;
  }
  reference.propagate(workload.reference_graph(), to, x, y, options);
  return values_on_reference(workload, y);
}

std::vector<double> expected_adam(const Workload& workload) {
  Backend& reference = workload.reference();
  const Matrix gradient = workload.table(reference, Side::kItem, 1);
  Matrix parameter = workload.table(reference, Side::kItem, 2);
  AdamState state{reference.allocate(parameter.rows(), parameter.cols()),
                  reference.allocate(parameter.rows(), parameter.cols())};
  const Counter step = reference.make_counter(1);
  reference.adam({}, step, gradient, parameter, state);
  return values_on_reference(workload, parameter);
}

std::vector<double> expected_sgd(const Workload& workload) {
  Backend& reference = workload.reference();
  const Matrix gradient = workload.table(reference, Side::kItem, 1);
  Matrix parameter = workload.table(reference, Side::kItem, 2);
  SgdState state;
  reference.sgd({}, reference.make_counter(1), gradient, parameter, state);
  return values_on_reference(workload, parameter);
}

std::vector<NodeId> queries_of(const Workload& workload) {
  std::vector<NodeId> queries(
      static_cast<std::size_t>(std::min<std::int64_t>(kQueries, workload.nodes(Side::kUser))));
  std::iota(queries.begin(), queries.end(), 0);
  return queries;
}

Cost cost_of_score_topk(const Workload& workload) {
  return score_topk_cost(std::min<std::int64_t>(kQueries, workload.nodes(Side::kUser)),
                         workload.nodes(Side::kItem), workload.width());
}

void expect_best_items(const Workload& workload, const TopItems& found) {
  Backend& reference = workload.reference();
  const Matrix users = workload.table(reference, Side::kUser, 1);
  const Matrix items = workload.table(reference, Side::kItem, 2);
  const Graph* observed = &workload.reference_graph();
  std::vector<NodeId> few = queries_of(workload);
  few.resize(std::min<std::size_t>(64, few.size()));
  TopItems wanted;
  reference.score_topk(users, items, few, std::span(&observed, 1), kBestItems, wanted);
  if (found.scores.size() < wanted.scores.size() || found.items.size() < wanted.items.size()) {
    throw Error(fmt::format("score_topk: {} scores, expected at least {}", found.scores.size(),
                            wanted.scores.size()));
  }
  const std::span<const float> scores(found.scores.data(), wanted.scores.size());
  const std::vector<double> expected(wanted.scores.begin(), wanted.scores.end());
  expect_equal("score_topk, scores", scores, expected, kBestItems);

  const std::vector<float> user_rows = workload.table_values(Side::kUser, 1);
  const std::vector<float> item_rows = workload.table_values(Side::kItem, 2);
  const std::int64_t width = workload.width();
  std::vector<float> of_found(expected.size(), -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (found.items[i] < 0) continue;
    const float* user = user_rows.data() + few[i / kBestItems] * width;
    const float* item = item_rows.data() + found.items[i] * width;
    of_found[i] = static_cast<float>(std::inner_product(user, user + width, item, 0.0));
  }
  expect_equal("score_topk, scores of the items", of_found, expected, kBestItems);
}

}  // namespace tern::bench
