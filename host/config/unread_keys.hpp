#pragma once

#include <string>
#include <vector>

#include "tern/config.hpp"

namespace tern {

/// A key that a training does not read, and the setting that would read it.
struct UnreadKey {
  std::string key;
  std::string reader;  // "loss.kind = ccl"
};

/// The keys whose values differ between two configurations, and that a training with `config` does not
/// read, such as loss.margin with loss.kind = bpr. For models that are trained: those of another kind
/// say themselves what they read.
std::vector<UnreadKey> unread_keys(const Config& base, const Config& config);

}  // namespace tern
