#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>

#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/interactions.hpp"
#include "tern/memory.hpp"

namespace tern::memory {

// Parts of the memory formula that its files share (memory.cpp, memory_models.cpp, memory_losses.cpp).

using Kind = MemoryTarget::Kind;
using Bytes = std::int64_t;
inline constexpr Bytes kMiB = Bytes{1} << 20;

constexpr Bytes round_up(Bytes bytes, Bytes unit) {
  return (bytes + unit - 1) / unit * unit;
}

/// A block of a CPU (host/cpu/storage.cpp): large ones are on huge pages.
constexpr Bytes block_bytes(Bytes bytes) {
  return bytes >= 4 * kMiB ? round_up(bytes, 2 * kMiB) : bytes;
}

/// A matrix as the backend stores it: rows padded to whole vectors, and on a CPU large matrices on
/// huge pages.
Bytes matrix_bytes(Kind kind, std::int64_t rows, std::int64_t cols);

std::int64_t triplets_of_epoch(const Interactions& train, const Config& config);
std::int64_t triplets_of_batch(const Interactions& train, const Config& config);

/// The workspace of the ranking loss and of the contrast, of one rank.
Bytes loss_bytes(const MemoryTarget& target, const Interactions& train, const Config& config,
                 int threads);

Bytes bytes_of(const Interactions& interactions);
/// Columns in both directions, offsets, scales; on a CPU as many ones, on a GPU the shorter rows in
/// order, the segments of the others (24 bytes), and where these rows' segments are (16 bytes; each
/// has two segments or more).
Bytes graph_bytes(Kind kind, const Interactions& interactions);
/// The segments into which propagate cuts rows of more than 64 neighbours on a GPU, in both
/// directions.
std::int64_t segments_of(const Interactions& interactions);

/// What a model takes, of one rank.
struct ModelMemory {
  std::int64_t values = 0;  // elements in a checkpoint, without the optimiser's
  Bytes parameters = 0, layers = 0, scratch = 0;
  Bytes copies = 0;   // for gathers in bf16
  Bytes encoded = 0;  // features, while the model is built
  /// Of several ranks: the whole tables that an op takes for its time, the largest first table, the largest
  /// second one, and so on (host/distributed/whole_tables.hpp).
  std::array<Bytes, 4> whole_tables = {};

  void take_whole_tables(std::initializer_list<Bytes> tables) {
    Bytes* largest = whole_tables.data();
    for (const Bytes table : tables) {
      *largest = std::max(*largest, table);
      ++largest;
    }
  }
};

/// ranks: that share the columns of the tables.
ModelMemory model_memory(Kind kind, const Dataset& data, const ModelOptions& options, int ranks);

/// The width of the widest table that the model propagates; 0: none.
std::int64_t widest_message(const ModelOptions& model);

/// What one of several ranks gathers: the final embeddings for an evaluation, which stay until training goes
/// on; this rank's part of a table on its way, and a block of rows (2^21 elements); the whole tables of a dense
/// layer, and the parts of a block (2^20 elements) of their gradients, sent and received. The host's copy of a
/// table on its way is no larger than a checkpoint, which comes at another time.
Bytes gathered_bytes(Kind kind, const Interactions& train, const Config& config,
                     const ModelMemory& model, int ranks);

}  // namespace tern::memory
