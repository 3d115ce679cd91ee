#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

inline constexpr std::size_t kMaxHeaderBytes = 100'000'000;
inline constexpr const char* kMetadataKey = "__metadata__";

/// A tensor as the header describes it; begin and end are offsets from the first value's byte.
struct SafetensorsEntry {
  std::string name;
  std::size_t type = 0;  // index of element_types()
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// Reads the JSON of a header, strictly by the format: only known keys, each once, and no further
/// nesting. Does not compare offsets and shapes. Throws DataError.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file);

}  // namespace tern
