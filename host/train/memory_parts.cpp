#include "host/train/memory_parts.hpp"

#include <algorithm>
#include <vector>

namespace tern {
namespace {

Bytes bytes_of(const Interactions& interactions) {
  return static_cast<Bytes>(interactions.offsets().size_bytes() +
                            interactions.items().size_bytes());
}

/// The names with their ends, and a hash table of 8 bytes a slot, at most half full.
Bytes bytes_of(const Vocabulary& names) {
  if (names.is_numbered()) return 0;
  Bytes slots = 1;
  while (slots < 2 * Bytes{names.size()}) slots *= 2;
  Bytes bytes = 8 * (names.size() + slots);
  for (NodeId id = 0; id < names.size(); ++id) bytes += static_cast<Bytes>(names.name(id).size());
  return bytes;
}

Bytes bytes_of(const std::optional<Features>& features) {
  return features ? static_cast<Bytes>(features->values.size() * sizeof(float)) : 0;
}

}  // namespace

Bytes matrix_bytes(MemoryTarget::Kind kind, std::int64_t rows, std::int64_t cols) {
  if (kind == MemoryTarget::Kind::kReference) return 8 * rows * cols;
  const bool cpu = kind == MemoryTarget::Kind::kCpu;
  const Bytes bytes = 4 * rows * round_up(cols, cpu ? 16 : 4);
  return cpu && bytes >= 4 * kMiB ? round_up(bytes, 2 * kMiB) : bytes;
}

Bytes graph_bytes(const Interactions& interactions) {
  return 8 * interactions.size() +
         16 * (Bytes{interactions.num_users()} + interactions.num_items());
}

Bytes data_bytes(const Dataset& data) {
  return bytes_of(data.train) + bytes_of(data.valid) + bytes_of(data.test) + bytes_of(data.users) +
         bytes_of(data.items) + bytes_of(data.user_features) + bytes_of(data.item_features);
}

Bytes encoded_bytes(const EncodedFeatures& features) {
  return static_cast<Bytes>(features.numbers.size() * sizeof(float)) +
         bytes_of(features.categories);
}

Bytes triplet_bytes(const MemoryTarget& target, const Interactions& train, const Config& config) {
  const std::int64_t drawn =
      std::max<std::int64_t>(1, train.size() * config.sampling.negatives_per_positive);
  const std::int64_t batch = std::clamp<std::int64_t>(config.batch_size, 1, drawn);
  // Participants and marks; losses of an epoch; of a batch triplets, rows, and the room to sort.
  const Bytes bytes = 13 * Bytes{train.num_users()} + 9 * Bytes{train.num_items()} +
                      64 * (drawn / batch + 1) + 192 * batch;
  switch (target.kind) {
    case MemoryTarget::Kind::kReference:
      return bytes + 40 * drawn;  // the triplets of an epoch, and the permutation that they follow
    case MemoryTarget::Kind::kCpu:
      return bytes;
    case MemoryTarget::Kind::kCuda:
      break;
  }
  if (config.reproducibility == Reproducibility::kNone) return bytes;
  // Triplets are planned in windows of whole batches: 96 bytes a triplet of a sixteenth of the
  // device, and 24 that sorting may take.
  const std::int64_t most = target.device_bytes > 0 ? target.device_bytes / (16 * 96) : drawn;
  return bytes + 120 * std::clamp(most, batch, drawn + batch) + 2 * kMiB;
}

Bytes evaluation_bytes(MemoryTarget::Kind kind, const Interactions& train, const Config& config,
                       int threads) {
  constexpr std::int64_t kUsers = 4096;  // ranked at a time (evaluation.cpp)
  const std::vector<int>& ks = config.evaluation.ks;
  const std::int64_t k = ks.empty() ? 1 : *std::ranges::max_element(ks);
  const std::int64_t width = config.model.width;
  const Bytes lists = 16 * k * std::min<std::int64_t>(kUsers, train.num_users());
  if (kind == MemoryTarget::Kind::kCuda) {
    // A block of scores fills half of the cache (H200: 60 MB). Beyond k = 1024 its rows are sorted.
    const Bytes scores =
        std::min(30 * kMiB, 4 * kUsers * train.num_items()) + 4 * Bytes{train.num_items()};
    const Bytes statistics = std::max(8 * kMiB, 8 * width * width) + 24 * 1024 * width;
    return 32 * kMiB + lists + (k > 1024 ? 9 : 1) * scores + statistics;
  }
  const Bytes scores = 256 * (width + 1024) + 1024 * k;
  const Bytes statistics = 8 * (width + 3) * width;
  return lists + 16 * Bytes{train.num_items()} + threads * (scores + 4096 * width) +
         (16 + threads) * statistics;
}

Bytes process_bytes(int threads) {
  // Resident memory of `tern train` on a data set of a few lines, with 1 to 8 threads.
  return (24 + threads) * kMiB;
}

}  // namespace tern
