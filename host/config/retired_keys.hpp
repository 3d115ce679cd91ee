#pragma once

#include <string_view>

namespace tern {

/// A key that earlier versions had.
struct RetiredKey {
  std::string_view key;
  std::string_view successor;  // the key to set instead, and how it differs
};

/// Nothing if no version had this key, or this one has it.
const RetiredKey* find_retired_key(std::string_view key);

}  // namespace tern
