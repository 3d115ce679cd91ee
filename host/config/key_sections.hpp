#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "host/config/keys.hpp"
#include "host/config/value.hpp"

namespace tern {

// The sections of the table of keys, each in a file named after what it configures.

std::vector<KeySpec> data_keys();
std::vector<KeySpec> model_keys();
std::vector<KeySpec> contrast_keys();
std::vector<KeySpec> ease_keys();
std::vector<KeySpec> graph_filter_keys();
std::vector<KeySpec> propagation_keys();
std::vector<KeySpec> loss_keys();
std::vector<KeySpec> sampling_keys();
std::vector<KeySpec> optimizer_keys();
std::vector<KeySpec> train_keys();
std::vector<KeySpec> monitor_keys();
std::vector<KeySpec> checkpoint_keys();
std::vector<KeySpec> log_keys();

inline constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

/// For paths and other text without a rule of its own.
inline bool any_text(std::string_view value) {
  return value.find('\0') == std::string_view::npos;
}

}  // namespace tern
