#include "host/backend/negative_share.hpp"

#include <algorithm>

namespace tern {

NegativeShare negative_share(const SamplingOptions& options, std::int64_t num_items,
                             std::span<const std::int64_t> degrees) {
  const NegativeShare uniform{.scale = 1.0 / static_cast<double>(num_items)};
  if (options.negatives != NegativeSampling::kPopularity || options.popularity_tries == 0) {
    return uniform;
  }
  // Relative to the largest degree, so that no power overflows; make_triplets allows no exponent below 0.
  const std::int64_t largest = *std::ranges::max_element(degrees);
  NegativeShare share{.unit = static_cast<double>(largest),
                      .exponent = options.popularity_exponent};
  double total = 0.0;
  for (const std::int64_t degree : degrees) total += share(static_cast<double>(degree));
  share.scale = 1.0 / total;
  return share;
}

}  // namespace tern
