// embedding_statistics of the item table.

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {
namespace {

PreparedCase prepare(Workload& w) {
  auto table = std::make_shared<Matrix>(w.table(w.backend(), Side::kItem, 1));
  auto statistics = std::make_shared<EmbeddingStatistics>();
  PreparedCase ready;
  ready.cost = embedding_statistics_cost(table->rows(), table->cols());
  ready.table = Side::kItem;
  ready.run = [&w, table, statistics] { *statistics = w.backend().embedding_statistics(*table); };
  ready.reset = [statistics] { *statistics = {}; };
  const auto expected = once(
      [&w] { return w.reference().embedding_statistics(w.table(w.reference(), Side::kItem, 1)); });
  ready.verify = [&w, statistics, expected] {
    const EmbeddingStatistics& found = *statistics;
    const EmbeddingStatistics& wanted = expected();
    const auto figures = [](const EmbeddingStatistics& s) {
      return std::vector<double>{s.mean_norm, s.max_norm, s.min_column_deviation,
                                 s.max_column_deviation, s.effective_rank};
    };
    const std::vector<double> values = figures(found);
    expect_equal("embedding_statistics", std::vector<float>(values.begin(), values.end()),
                 figures(wanted), 1);
    expect_equal("embedding_statistics, Gram matrix",
                 std::vector<float>(found.gram.begin(), found.gram.end()), wanted.gram, w.width());
  };
  return ready;
}

}  // namespace

void add_embedding_statistics_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"embedding_statistics", "items", "tern", Bound::kProduct, prepare});
}

}  // namespace tern::bench
