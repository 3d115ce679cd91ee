// score_topk: blocks of users against all items, observed items left out, k = 20; beside it the
// product of the same size followed by a partial sort, which holds block × I scores.

#include <cblas.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

constexpr std::int64_t kQueries = 2048;
constexpr std::int64_t kBest = 20;

struct Tables {
  explicit Tables(Workload& w)
      : users(w.table(w.backend(), Side::kUser, 1)), items(w.table(w.backend(), Side::kItem, 2)) {
    queries.resize(static_cast<std::size_t>(std::min<std::int64_t>(kQueries, users.rows())));
    std::iota(queries.begin(), queries.end(), 0);
  }
  Matrix users;
  Matrix items;
  std::vector<NodeId> queries;
  TopItems top;
};

/// Compares with the reference on a few queries: it sorts all items of each. Scores must agree;
/// another item than the reference's is right where its score is the same but for rounding.
void expect_best(Workload& w, const Tables& tables, const TopItems& found) {
  const Matrix users = w.table(w.reference(), Side::kUser, 1);
  const Matrix items = w.table(w.reference(), Side::kItem, 2);
  const Graph* observed = &w.reference_graph();
  const auto few =
      std::span(tables.queries).first(std::min<std::size_t>(64, tables.queries.size()));
  TopItems wanted;
  w.reference().score_topk(users, items, few, std::span(&observed, 1), kBest, wanted);
  const std::span<const float> scores(found.scores.data(), wanted.scores.size());
  const std::vector<double> expected(wanted.scores.begin(), wanted.scores.end());
  expect_equal("score_topk, scores", scores, expected, kBest);

  const std::vector<float> user_rows = w.table_values(Side::kUser, 1);
  const std::vector<float> item_rows = w.table_values(Side::kItem, 2);
  std::vector<float> of_found(expected.size(), -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (found.items[i] < 0) continue;
    const float* user = user_rows.data() + few[i / kBest] * w.width();
    const float* item = item_rows.data() + found.items[i] * w.width();
    of_found[i] = static_cast<float>(std::inner_product(user, user + w.width(), item, 0.0));
  }
  expect_equal("score_topk, scores of the items", of_found, expected, kBest);
}

PreparedCase prepare(Workload& w) {
  auto tables = std::make_shared<Tables>(w);
  PreparedCase ready;
  ready.cost = score_topk_cost(static_cast<std::int64_t>(tables->queries.size()),
                               tables->items.rows(), w.width());
  ready.run = [&w, tables] {
    const Graph* observed = &w.graph();
    w.backend().score_topk(tables->users, tables->items, tables->queries, std::span(&observed, 1),
                           kBest, tables->top);
  };
  ready.verify = [&w, tables, run = ready.run] {
    run();
    expect_best(w, *tables, tables->top);
  };
  return ready;
}

PreparedCase prepare_product_and_sort(Workload& w) {
  struct State {
    std::vector<float> users;
    std::vector<float> items;
    std::vector<float> scores;
    TopItems top;
  };
  auto tables = std::make_shared<Tables>(w);
  auto s = std::make_shared<State>();
  s->users = w.table_values(Side::kUser, 1);
  s->items = w.table_values(Side::kItem, 2);
  const std::int64_t items = w.nodes(Side::kItem);
  const auto count = static_cast<std::int64_t>(tables->queries.size());
  s->scores.resize(static_cast<std::size_t>(count * items));
  s->top.items.resize(static_cast<std::size_t>(count * kBest));
  s->top.scores.resize(s->top.items.size());
  PreparedCase ready;
  ready.cost = score_topk_cost(count, items, w.width());
  ready.run = [&w, s, count, items] {
    const int d = static_cast<int>(w.width());
    openblas_set_num_threads(w.threads());
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(count),
                static_cast<int>(items), d, 1.0F, s->users.data(), d, s->items.data(), d, 0.0F,
                s->scores.data(), static_cast<int>(items));
    openblas_set_num_threads(1);
#pragma omp parallel for num_threads(w.threads()) schedule(dynamic, 8)
    for (std::int64_t q = 0; q < count; ++q) {
      float* row = s->scores.data() + q * items;
      for (const NodeId item : w.interactions().row(static_cast<NodeId>(q))) {
        row[item] = -std::numeric_limits<float>::infinity();
      }
      std::vector<NodeId> order(static_cast<std::size_t>(items));
      std::iota(order.begin(), order.end(), 0);
      std::partial_sort(
          order.begin(), order.begin() + kBest, order.end(),
          [row](NodeId a, NodeId b) { return row[a] > row[b] || (row[a] == row[b] && a < b); });
      for (std::int64_t i = 0; i < kBest; ++i) {
        s->top.items[static_cast<std::size_t>(q * kBest + i)] = order[static_cast<std::size_t>(i)];
        s->top.scores[static_cast<std::size_t>(q * kBest + i)] =
            row[order[static_cast<std::size_t>(i)]];
      }
    }
  };
  ready.verify = [&w, tables, s, run = ready.run] {
    run();
    expect_best(w, *tables, s->top);
  };
  return ready;
}

}  // namespace

void add_score_topk_cases(Cases& cases, DeviceKind device) {
  cases.push_back({"score_topk", "2048_users", "tern", Bound::kProduct, prepare});
  if (device == DeviceKind::kCpu) {
    cases.push_back({"score_topk", "2048_users", "product_and_sort", Bound::kProduct,
                     prepare_product_and_sort});
  }
}

}  // namespace tern::bench
