// score_topk: blocks of users against all items, observed items left out, k = 20; beside it the
// product of the same size followed by a partial sort, which holds block × I scores.

#include <cblas.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>

#include "bench/ops/expected.hpp"
#include "bench/support/case.hpp"

namespace tern::bench {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

/// Lists of the same lengths without an item.
void poison(TopItems& top) {
  std::ranges::fill(top.items, -1);
  std::ranges::fill(top.scores, kNone);
}

struct Tables {
  explicit Tables(Workload& w)
      : users(w.table(w.backend(), Side::kUser, 1)),
        items(w.table(w.backend(), Side::kItem, 2)),
        queries(queries_of(w)) {}
  Matrix users;
  Matrix items;
  std::vector<NodeId> queries;
  TopItems top;
};

PreparedCase prepare(Workload& w) {
  auto tables = std::make_shared<Tables>(w);
  PreparedCase ready;
  ready.cost = cost_of_score_topk(w);
  ready.run = [&w, tables] {
    const Graph* observed = &w.graph();
    w.backend().score_topk(tables->users, tables->items, tables->queries, std::span(&observed, 1),
                           kBestItems, tables->top);
  };
  ready.reset = [tables] { poison(tables->top); };
  ready.verify = [&w, tables] { expect_best_items(w, tables->top); };
  return ready;
}

PreparedCase prepare_product_and_sort(Workload& w) {
  struct State {
    std::vector<float> users;
    std::vector<float> items;
    std::vector<float> scores;
    TopItems top;
  };
  auto s = std::make_shared<State>();
  s->users = w.table_values(Side::kUser, 1);
  s->items = w.table_values(Side::kItem, 2);
  const std::int64_t items = w.nodes(Side::kItem);
  const auto count = static_cast<std::int64_t>(queries_of(w).size());
  s->scores.resize(static_cast<std::size_t>(count * items));
  s->top.items.assign(static_cast<std::size_t>(count * kBestItems), -1);
  s->top.scores.assign(s->top.items.size(), kNone);
  PreparedCase ready;
  ready.cost = cost_of_score_topk(w);
  ready.run = [&w, s, count, items, best = std::min(kBestItems, items)] {
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
        row[item] = kNone;
      }
      std::vector<NodeId> order(static_cast<std::size_t>(items));
      std::iota(order.begin(), order.end(), 0);
      std::partial_sort(
          order.begin(), order.begin() + best, order.end(),
          [row](NodeId a, NodeId b) { return row[a] > row[b] || (row[a] == row[b] && a < b); });
      for (std::int64_t i = 0; i < best; ++i) {
        const NodeId item = order[static_cast<std::size_t>(i)];
        if (row[item] == kNone) break;  // only observed items are left
        const auto at = static_cast<std::size_t>(q * kBestItems + i);
        s->top.items[at] = item;
        s->top.scores[at] = row[item];
      }
    }
  };
  ready.reset = [s] { poison(s->top); };
  ready.verify = [&w, s] { expect_best_items(w, s->top); };
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
