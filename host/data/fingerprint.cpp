#include "host/data/fingerprint.hpp"

#include <string>

#include "host/support/hash.hpp"

namespace tern {

std::uint64_t fingerprint(std::span<const Interactions* const> splits) {
  std::uint64_t state = splits.size();
  for (const Interactions* split : splits) {
    state = mix_hash(state, static_cast<std::uint64_t>(split->num_users()));
    state = mix_hash(state, static_cast<std::uint64_t>(split->num_items()));
    state = mix_hash(state, hash_values(split->offsets()));
    state = mix_hash(state, hash_values(split->items()));
  }
  return state;
}

std::uint64_t feature_fingerprint(const std::optional<Features>& users,
                                  const std::optional<Features>& items) {
  if (!users.has_value() && !items.has_value()) return 0;
  std::uint64_t state = 2;
  for (const std::optional<Features>* side : {&users, &items}) {
    state = mix_hash(state, side->has_value() ? 1 : 0);
    if (!side->has_value()) continue;
    for (const std::string& name : (*side)->names) {
      state = mix_hash(state, hash_values(std::span<const char>(name)));
    }
    state = mix_hash(state, hash_values(std::span<const float>((*side)->values)));
  }
  return state;
}

}  // namespace tern
