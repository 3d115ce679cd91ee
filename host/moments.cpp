#include "host/moments.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tern {

void merge(const Moments& other, Moments& m) {
  const auto n = static_cast<double>(m.rows);
  const auto k = static_cast<double>(other.rows);
  for (std::size_t c = 0; c < m.mean.size(); ++c) {
    const double delta = other.mean[c] - m.mean[c];
    m.mean[c] += delta * k / (n + k);
    m.square[c] += other.square[c] + delta * delta * n * k / (n + k);
    m.unit_sum[c] += other.unit_sum[c];
  }
  for (std::size_t c = 0; c < m.gram.size(); ++c) m.gram[c] += other.gram[c];
  m.rows += other.rows;
  m.non_finite += other.non_finite;
  m.directed += other.directed;
  m.norm_sum += other.norm_sum;
  m.max_norm = std::max(m.max_norm, other.max_norm);
}

EmbeddingStatistics summarize(Moments m, std::int64_t width) {
  EmbeddingStatistics s;
  s.rows = m.rows;
  s.non_finite = m.non_finite;
  const auto n = static_cast<double>(m.rows);
  s.mean_norm = m.norm_sum / n;
  s.max_norm = m.max_norm;
  if (m.directed > 1) {
    double square = 0.0;
    for (const double u : m.unit_sum) square += u * u;
    const auto k = static_cast<double>(m.directed);
    s.mean_cosine = (square - k) / (k * (k - 1.0));
  }
  const auto [least, most] = std::ranges::minmax_element(m.square);
  s.min_column_deviation = std::sqrt(*least / n);
  s.max_column_deviation = std::sqrt(*most / n);
  if (m.non_finite == 0) s.effective_rank = effective_rank(m.gram, width);
  s.gram = std::move(m.gram);
  return s;
}

}  // namespace tern
