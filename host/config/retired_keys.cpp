#include "host/config/retired_keys.hpp"

#include <algorithm>
#include <array>

namespace tern {
namespace {

constexpr std::array kRetiredKeys{
    RetiredKey{"monitor.min_rank_share",
               "monitor.min_rank (an effective rank, no share of the width)"},
};

}  // namespace

const RetiredKey* find_retired_key(std::string_view key) {
  const auto* const found = std::ranges::find(kRetiredKeys, key, &RetiredKey::key);
  return found == kRetiredKeys.end() ? nullptr : &*found;
}

}  // namespace tern
