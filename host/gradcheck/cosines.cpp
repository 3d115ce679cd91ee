#include "host/gradcheck/cosines.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tern::gradcheck_detail {

Values negative_cosines(std::span<const Triplet> batch, const Values& users, const Values& items,
                        std::int64_t width) {
  Values cosines;
  for (const Triplet& triplet : batch) {
    const double* u = users.data() + triplet.user * width;
    const double* n = items.data() + triplet.negative * width;
    const auto norm = [width](const double* row) {
      return std::max(std::sqrt(std::inner_product(row, row + width, row, 0.0)), 1e-12);
    };
    cosines.push_back(std::inner_product(u, u + width, n, 0.0) / norm(u) / norm(n));
  }
  return cosines;
}

double margin_between(Values cosines) {
  constexpr double kSmallestGap = 1e-3;
  std::sort(cosines.begin(), cosines.end());
  const std::size_t size = cosines.size();
  for (const auto& [first, last] : {std::pair{size / 4, size - 1 - size / 4}, {0, size - 1}}) {
    double widest = kSmallestGap;
    double margin = 0.0;
    for (std::size_t i = first; i < last; ++i) {
      const double gap = cosines[i + 1] - cosines[i];
      if (gap <= widest) continue;
      widest = gap;
      margin = (cosines[i] + cosines[i + 1]) / 2;
    }
    if (widest > kSmallestGap) return margin;
  }
  return cosines.front() > 0 ? cosines.front() - 0.5 : cosines.back() + 0.5;
}

Triplets make_contrasted(Backend& backend, const Graph& graph, const GradcheckOptions& options,
                         Seed seed) {
  return backend.make_triplets(graph, {.negatives_per_positive = kContrastNegatives, .seed = seed},
                               std::int64_t{options.batch_size} * kContrastNegatives);
}

std::vector<Triplet> first_batch(Backend& backend, const Triplets& triplets) {
  std::vector<Triplet> batch = backend.get_triplets(triplets);
  batch.resize(std::min(batch.size(), static_cast<std::size_t>(triplets.batch_size())));
  return batch;
}

SampledContrastOptions contrast_options(SampledContrastKind kind, std::span<const Triplet> batch,
                                        const Values& users, const Values& items,
                                        std::int64_t width) {
  const double margin = margin_between(negative_cosines(batch, users, items, width));
  return {.kind = kind, .temperature = 0.5, .margin = margin, .negative_weight = 1.5};
}

}  // namespace tern::gradcheck_detail
