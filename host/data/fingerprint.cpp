#include "host/data/fingerprint.hpp"

#include <array>

#include "host/support/hash.hpp"

namespace tern {

std::uint64_t fingerprint(std::span<const Interactions* const> splits) {
  std::uint64_t hash = splits.size();
  for (const Interactions* split : splits) {
    hash = mix_hash(hash, static_cast<std::uint64_t>(split->num_users()));
    hash = mix_hash(hash, static_cast<std::uint64_t>(split->num_items()));
    hash = mix_hash(hash, hash_values(split->offsets()));
    hash = mix_hash(hash, hash_values(split->items()));
  }
  return hash;
}

std::uint64_t feature_fingerprint(const std::optional<Features>& users,
                                  const std::optional<Features>& items) {
  if (!users.has_value() && !items.has_value()) return 0;
  std::uint64_t hash = 2;
  for (const std::optional<Features>* side : {&users, &items}) {
    hash = mix_hash(hash, side->has_value() ? 1 : 0);
    if (!side->has_value()) continue;
    for (const std::string& name : (*side)->names) {
      hash = mix_hash(hash, hash_values(std::span<const char>(name)));
    }
    hash = mix_hash(hash, hash_values(std::span<const float>((*side)->values)));
  }
  return hash;
}

std::uint64_t fingerprint_of(const Dataset& data) {
  if (data.fingerprint != 0) return data.fingerprint;
  return fingerprint(std::array<const Interactions*, 3>{&data.train, &data.valid, &data.test});
}

std::uint64_t feature_fingerprint_of(const Dataset& data) {
  if (data.feature_fingerprint != 0) return data.feature_fingerprint;
  return feature_fingerprint(data.user_features, data.item_features);
}

std::uint64_t job_fingerprint(const Dataset& data, FeatureFiles features) {
  const std::uint64_t splits = fingerprint_of(data);
  const std::uint64_t of_features =
      features == FeatureFiles::kSkip ? 0 : feature_fingerprint_of(data);
  if (of_features == 0) return splits;
  return hash_text(hexadecimal(splits) + hexadecimal(of_features));
}

}  // namespace tern
