#include "host/serve/scores.hpp"

#include <cstddef>

#include "host/train/cosine.hpp"

namespace tern {

float printed_score(ScoreKind kind, std::span<const float> user, std::span<const float> item) {
  double sum = 0.0;
  for (std::size_t d = 0; d < user.size(); ++d) sum += static_cast<double>(user[d]) * item[d];
  if (kind == ScoreKind::kCosine) sum /= norm_of(user) * norm_of(item);
  return static_cast<float>(sum);
}

std::span<const float> row_of(std::span<const float> table, std::int64_t width, NodeId node) {
  return table.subspan(static_cast<std::size_t>(node * width), static_cast<std::size_t>(width));
}

}  // namespace tern
