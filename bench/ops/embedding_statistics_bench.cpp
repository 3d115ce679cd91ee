// embedding_statistics of the item table.

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"

namespace tern::bench {
namespace {

PreparedCase prepare(Workload& w) {
  auto table = std::make_shared<Matrix>(w.table(w.backend(), Side::kItem, 1));
  PreparedCase ready;
  ready.cost = embedding_statistics_cost(table->rows(), table->cols());
  ready.run = [&w, table] { w.backend().embedding_statistics(*table); };
  ready.verify = [&w, table] {
    const Matrix same = w.table(w.reference(), Side::kItem, 1);
    const EmbeddingStatistics wanted = w.reference().embedding_statistics(same);
    const EmbeddingStatistics found = w.backend().embedding_statistics(*table);
    const auto figures = [](const EmbeddingStatistics& s) {
      return std::vector<double>{s.mean_norm, s.max_norm, s.min_column_deviation,
                                 s.max_column_deviation, s.effective_rank};
    };
    const std::vector<double> values = figures(found);
    expect_equal("embedding_statistics", std::vector<float>(values.begin(), values.end()),
                 figures(wanted), 1);
    expect_equal("embedding_statistics, Gram matrix",
                 std::vector<float>(found.gram.begin(), found.gram.end()), wanted.gram,
                 same.cols());
  };
  return ready;
}

}  // namespace

void add_embedding_statistics_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"embedding_statistics", "items", "tern", Bound::kCopy, prepare});
}

}  // namespace tern::bench
