#include "cuda/ops/embedding_statistics.hpp"

#include "host/moments.hpp"

namespace tern::cuda {

EmbeddingStatistics merge_statistics(const StatisticsCut& cut, std::int64_t rows,
                                     std::int64_t width, std::span<const double> norms,
                                     std::span<const std::int32_t> non_finite,
                                     std::span<const double> unit_sums,
                                     std::span<const double> means, std::span<const double> squares,
                                     std::span<const double> gram) {
  if (cut.stretches == 0) {
    EmbeddingStatistics none;
    none.rows = rows;
    return none;
  }
  const auto columns = [width](std::span<const double> all, std::int64_t stretch) {
    const auto part =
        all.subspan(static_cast<std::size_t>(stretch * width), static_cast<std::size_t>(width));
    return std::vector<double>(part.begin(), part.end());
  };
  Moments total;
  for (std::int64_t s = 0; s < cut.stretches; ++s) {
    Moments part;
    const std::int64_t end = std::min((s + 1) * cut.stretch, rows);
    for (std::int64_t row = s * cut.stretch; row < end; ++row) {
      const auto r = static_cast<std::size_t>(row);
      ++part.rows;
      part.non_finite += non_finite[r];
      part.norm_sum += norms[r];
      part.max_norm = std::max(part.max_norm, norms[r]);
      part.directed += norms[r] > 0.0 ? 1 : 0;
    }
    part.unit_sum = columns(unit_sums, s);
    part.mean = columns(means, s);
    part.square = columns(squares, s);
    if (s == 0) {
      total = std::move(part);
    } else {
      merge(part, total);
    }
  }
  total.gram.assign(gram.begin(), gram.end());
  return summarize(std::move(total), width);
}

}  // namespace tern::cuda
