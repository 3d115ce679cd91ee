#include "host/run/checkpoint.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "host/data/tensor_bytes.hpp"
#include "host/support/hash.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

using Metadata = std::map<std::string, std::string>;

constexpr char kCounterPrefix[] = "counter.";
constexpr char kNone[] = "none";

/// Reads numbers from metadata; errors name the file.
class Reader {
 public:
  Reader(const Metadata& metadata, std::string_view file) : metadata_(metadata), file_(file) {}

  bool has(const std::string& key) const { return metadata_.contains(key); }

  template <typename Number>
  Number number(const std::string& key) const {
    const std::string& text = text_at(key);
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) fail(key, text, "a number");
    return value;
  }

  template <typename Number>
  Number count(const std::string& key) const {
    const auto value = number<Number>(key);
    if (value < 0) fail(key, text_at(key), "0 or more");
    return value;
  }

  double finite(const std::string& key) const {
    const auto value = number<double>(key);
    if (!std::isfinite(value)) fail(key, text_at(key), "a finite number");
    return value;
  }

  std::optional<double> optional(const std::string& key) const {
    if (text_at(key) == kNone) return std::nullopt;
    return finite(key);
  }

  [[noreturn]] void fail(const std::string& key, const std::string& found,
                         std::string_view expected) const {
    throw DataError(
        file_, 0,
        fmt::format("metadata: {} is \"{}\", expected {}", key, found.substr(0, 60), expected));
  }

 private:
  const std::string& text_at(const std::string& key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) {
      throw DataError(file_, 0, fmt::format("metadata: {} is missing", key));
    }
    return found->second;
  }

  const Metadata& metadata_;
  std::string_view file_;
};

std::uint64_t hash_of(std::string_view text) {
  return hash_bytes(std::span<const char>(text));
}

std::string to_text(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : kNone;
}

void write_watch(const std::string& side, const CollapseWatch& watch, Metadata& metadata) {
  metadata[side + "_first_rank"] = to_text(watch.first_rank);
  metadata[side + "_first_norm"] = to_text(watch.first_norm);
  metadata[side + "_last_norm"] = to_text(watch.last_norm);
  metadata[side + "_growing_norms"] = std::to_string(watch.growing_norms);
  metadata[side + "_small_ranks"] = std::to_string(watch.small_ranks);
}

CollapseWatch read_watch(const std::string& side, const Reader& read) {
  return {.first_rank = read.optional(side + "_first_rank"),
          .first_norm = read.optional(side + "_first_norm"),
          .last_norm = read.optional(side + "_last_norm"),
          .growing_norms = read.count<int>(side + "_growing_norms"),
          .small_ranks = read.count<int>(side + "_small_ranks")};
}

/// Writes every field under its name; {} formats a double so that it is read back bit for bit.
void write_progress(const TrainingProgress& progress, Metadata& metadata) {
  metadata["epoch"] = std::to_string(progress.epoch);
  metadata["step"] = std::to_string(progress.step);
  metadata["steps"] = std::to_string(progress.steps);
  metadata["updates"] = std::to_string(progress.updates);
  metadata["best_epoch"] = std::to_string(progress.best_epoch);
  metadata["selected_epoch"] = std::to_string(progress.selected_epoch);
  metadata["best_metric"] = to_text(progress.best_metric);
  metadata["since_best"] = std::to_string(progress.since_best);
  // States of earlier versions have no watch, nor have those before the first check.
  if (progress.user_watch != CollapseWatch{} || progress.item_watch != CollapseWatch{}) {
    write_watch("user", progress.user_watch, metadata);
    write_watch("item", progress.item_watch, metadata);
    metadata["collapsed"] = std::to_string(progress.collapsed ? 1 : 0);
  }
  metadata["collapse_explained"] = std::to_string(progress.collapse_explained ? 1 : 0);
  metadata["rollbacks"] = std::to_string(progress.rollbacks);
  metadata["seconds"] = fmt::format("{}", progress.seconds);
  metadata["user_gradient_norm"] = fmt::format("{}", progress.user_gradient_norm);
  metadata["item_gradient_norm"] = fmt::format("{}", progress.item_gradient_norm);
}

/// "user_embedding is nan at element 12"; nothing if all values are finite.
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
  return hexadecimal(hash);
}

void write_checkpoint(const std::filesystem::path& path, TensorFile file) {
  if (const auto found = find_non_finite(file)) {
    throw NumericalFault(fmt::format("{}: not written: {}", path.string(), *found));
  }
  file.metadata[kChecksum] = checksum_of(file);
  write_safetensors(path, file);
}

TensorFile read_checkpoint(const std::filesystem::path& path) {
  const auto damaged = [&](const std::string& what) {
    return DamagedCheckpoint(path.string(), 0, "the checkpoint is damaged: " + what);
  };
  if (::access(path.c_str(), R_OK) != 0) {
    throw Error(fmt::format("{}: the file cannot be opened: {}", path.string(),
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
    throw damaged(std::string(error.finding()));  // damaged() names the file
  }
  const auto stored = file.metadata.find(kChecksum);
  if (stored == file.metadata.end()) throw damaged("the metadata has no checksum");
  const std::string found = checksum_of(file);
  if (stored->second != found) {
    throw damaged(fmt::format("its contents have checksum {}, expected {}", found,
                              stored->second.substr(0, 60)));
  }
  if (const auto bad = find_non_finite(file)) {
    throw damaged(fmt::format("{}, expected finite numbers", *bad));
  }
  return file;
}

TrainingProgress read_progress(const Metadata& metadata, std::string_view file) {
  const Reader read(metadata, file);
  TrainingProgress progress;
  progress.epoch = read.count<int>("epoch");
  progress.step = read.count<std::int64_t>("step");
  progress.steps = read.count<std::int64_t>("steps");
  progress.updates = read.count<std::int64_t>("updates");
  progress.best_epoch = read.count<int>("best_epoch");
  progress.selected_epoch = read.count<int>("selected_epoch");
  progress.best_metric = read.optional("best_metric");
  progress.since_best = read.count<int>("since_best");
  if (read.has("collapsed")) {
    progress.user_watch = read_watch("user", read);
    progress.item_watch = read_watch("item", read);
    progress.collapsed = read.count<int>("collapsed") != 0;
  }
  progress.collapse_explained = read.count<int>("collapse_explained") != 0;
  progress.rollbacks = read.count<int>("rollbacks");
  progress.seconds = read.finite("seconds");
  progress.user_gradient_norm = read.number<double>("user_gradient_norm");
  progress.item_gradient_norm = read.number<double>("item_gradient_norm");
  if (progress.epoch == std::numeric_limits<int>::max()) {
    read.fail("epoch", metadata.at("epoch"), "fewer");
  }
  if (progress.step > progress.steps) {
    read.fail("step", metadata.at("step"), "at most " + metadata.at("steps"));
  }
  constexpr std::int64_t kMaxUpdates = std::int64_t{1} << 60;  // far from an overflow
  if (progress.updates > kMaxUpdates) read.fail("updates", metadata.at("updates"), "fewer");
  if (progress.best_epoch > progress.epoch) {
    read.fail("best_epoch", metadata.at("best_epoch"), "at most " + metadata.at("epoch"));
  }
  return progress;
}

int read_epoch(const Metadata& metadata, std::string_view file) {
  return Reader(metadata, file).count<int>("epoch");
}

TensorFile to_file(TrainingState state) {
  TensorFile file;
  write_progress(state.progress, file.metadata);
  for (const auto& [name, value] : state.counters) {
    file.metadata[kCounterPrefix + name] = std::to_string(value);
  }
  file.tensors = std::move(state.tensors);
  return file;
}

TrainingState to_state(TensorFile file, std::string_view name) {
  TrainingState state;
  state.progress = read_progress(file.metadata, name);
  const Reader read(file.metadata, name);
  for (const auto& entry : file.metadata) {
    const std::string& key = entry.first;
    if (!key.starts_with(kCounterPrefix)) continue;
    state.counters[key.substr(std::strlen(kCounterPrefix))] = read.count<std::int64_t>(key);
  }
  state.tensors = std::move(file.tensors);
  return state;
}

}  // namespace tern
