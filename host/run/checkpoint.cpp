#include "host/run/checkpoint.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "host/data/fingerprint.hpp"
#include "host/data/tensor_bytes.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

constexpr char kChecksum[] = "checksum";

std::uint64_t hash_of(std::string_view text) {
  return hash_bytes(std::span<const char>(text));
}

/// "user_embedding is nan at element 12", where a value of a file is not finite.
std::optional<std::string> find_non_finite(const TensorFile& file) {
  for (const auto& [name, tensor] : file.tensors) {
    std::optional<std::string> found;
    std::visit(
        [&, &name = name](const auto& values) {
          using Value = typename std::decay_t<decltype(values)>::value_type;
          if constexpr (std::is_floating_point_v<Value>) {
            const auto bad = std::find_if(values.begin(), values.end(),
                                          [](Value value) { return !std::isfinite(value); });
            if (bad != values.end()) {
              found = fmt::format("{} is {} at element {}", name, *bad, bad - values.begin());
            }
          }
        },
        tensor.values);
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace

std::string checksum_of(const TensorFile& file) {
  std::uint64_t hash = file.tensors.size();
  const auto add = [&](std::uint64_t next) { hash = combine_hashes(hash, next); };
  for (const auto& [key, value] : file.metadata) {
    if (key == kChecksum) continue;
    add(hash_of(key));
    add(hash_of(value));
  }
  for (const auto& [name, tensor] : file.tensors) {
    add(hash_of(name));
    add(tensor.values.index());
    for (const std::int64_t size : tensor.shape) add(static_cast<std::uint64_t>(size));
    add(hash_bytes(bytes_of(tensor)));
  }
  return fmt::format("{:016x}", hash);
}

void write_checkpoint(const std::filesystem::path& path, TensorFile file) {
  if (const auto found = find_non_finite(file)) {
    throw NumericalFault(fmt::format("{}: Not written: {}.", path.string(), *found));
  }
  file.metadata[kChecksum] = checksum_of(file);
  write_safetensors(path, file);
}

TensorFile read_checkpoint(const std::filesystem::path& path) {
  const auto damaged = [&](const std::string& what) {
    return DamagedCheckpoint(path.string(), 0, "The checkpoint is damaged: " + what);
  };
  if (::access(path.c_str(), R_OK) != 0) {
    throw Error(fmt::format("{}: The file cannot be opened: {}.", path.string(),
                            std::generic_category().message(errno)));
  }
  std::error_code unknown;
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path, unknown));
  if (const std::int64_t free = host_memory().free; !unknown && size > free) {
    throw MemoryError(
        fmt::format("out of memory: {} takes {} bytes, more than the {} that are free",
                    path.string(), size, free));
  }
  TensorFile file;
  try {
    file = read_safetensors(path);
  } catch (const DataError& error) {
    throw damaged(error.what());
  }
  const auto stored = file.metadata.find(kChecksum);
  if (stored == file.metadata.end()) throw damaged("its metadata has no checksum.");
  const std::string found = checksum_of(file);
  if (stored->second != found) {
    throw damaged(fmt::format("its contents have checksum {}, expected {}.", found,
                              stored->second.substr(0, 60)));
  }
  if (const auto bad = find_non_finite(file)) {
    throw damaged(fmt::format("{}, expected finite numbers.", *bad));
  }
  return file;
}

}  // namespace tern
