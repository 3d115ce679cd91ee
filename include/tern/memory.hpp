#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern {

/// free: the bytes that this process can still allocate on the host, the least of the kernel's
/// MemAvailable, the room within the memory limits of its control group and of the groups above
/// (versions 1 and 2; the page cache of files counts as free), and the room of its address space
/// (RLIMIT_AS). total: the least of the limits themselves. A source that cannot be read is ignored.
MemoryInfo host_memory();

/// The backend that an estimate is made for.
struct MemoryTarget {
  enum class Kind : std::uint8_t { kReference, kCpu, kCuda };
  Kind kind = Kind::kCpu;
  /// Memory of the GPU, a sixteenth of which bounds the triplets planned ahead. 0: unknown, no
  /// bound.
  std::int64_t device_bytes = 0;
  /// The processes that train together, each with a part of the columns of every table.
  int ranks = 1;
};
MemoryTarget memory_target(const Backend& backend);

/// The bytes of one purpose.
struct MemoryPart {
  std::string name;
  std::int64_t host = 0;
  std::int64_t device = 0;  // 0 if the host is the device
  std::string keys;         // the keys of the configuration that shrink it; may be empty
};

/// The memory of a training job at its peak, after its data has been read.
struct MemoryEstimate {
  /// The first part is the data, which is in memory before a job starts. The last one is the
  /// process: the program, its libraries, its threads.
  std::vector<MemoryPart> parts;

  std::int64_t host() const;
  std::int64_t device() const;
  /// Bytes that the host still has to allocate: all but the data and the process.
  std::int64_t host_to_come() const;
};

/// The memory formula. With N nodes, E training interactions, width D, batch B, m moments of the
/// optimiser (Adam 2, SGD with momentum 1, else 0) and p bytes an element (reference 8, else 4), a
/// table takes T = p N D bytes, D rounded up to 16 elements on a CPU and to 4 on a GPU:
///   graph       8 E + 16 N; on a GPU 30 more for each segment: a node of more than 64 interactions has
///               one for every 64
///   triplets    some 100 B; on a GPU 120 for each triplet of an epoch, see MemoryTarget, unless a single process
///               trains without reproducibility
///   parameters, gradients, layers   mf: T, T, 0; lightgcn: T, T, 2 T (with a contrast 4 T,
///               or 5 T if two layers or more follow the view); lightgcn++ of L layers: T, T,
///               (L + 2) T + 2 p N; gcmc: T and the weights, as much again, and for every layer
///               8 T to 13 T with its width for D
///   copies      2 N D for each table that is propagated in bf16 (lightgcn min(L, 3), lightgcn++
///               min(L, 2)); none in f32
///   optimizer   m times the parameters; mf with Adam 8 N more
///   loss        work space of the loss and of a contrast; with loss.kind = sl@k also p for each user
///   scratch     work space of operations, on a GPU also 4 D for each segment; with evaluation.score =
///               cosine also a copy of the item rows, with loss.kind = sl@k of all rows
///   gathers     of several ranks: T for the final embeddings that an evaluation gathers, the rank's part of
///               the larger table, and some MB for messages; of gcmc besides the two inputs and their
///               gradients of the largest layer, whole, of one side; of lightgcn++ 32 and of sl@k 16 for each
///               row of the larger side. Their parameters, gradients, moments, layers and copies, and a loss's
///               gradients, have the rank's columns only; a loss has the rows of its batch whole, and with
///               the rank's columns. All else is whole on each of them
///   best        one copy of the parameters on the host
///   checkpoint  1 + m copies of the parameters on the host, while a checkpoint is written
///   allocator   5% of the host's parts
/// A fitted model (ease, graph_filter) has none of these parts, but `fit` on the host, whatever the device:
/// its arrays (ease 4 I², graph_filter 4 I times the rank at most), the work space of fitting, rankings.
/// The aim is 0 to 25% above the measured peak. The estimate encodes the features of a gcmc, and
/// allocates nothing else that is large.
MemoryEstimate estimate_memory(const MemoryTarget& target, const Dataset& data,
                               const Config& config);

/// One line for the start of training: "Memory: about 84 MB on the host (60 MB to come, ...".
std::string memory_line(const MemoryEstimate& estimate, const Backend& backend);
/// The need and the free bytes of the backend's memory, the largest parts and the keys that shrink
/// them, as one clause.
std::string memory_need(const MemoryEstimate& estimate, const Backend& backend);
/// memory_need() of the memory that is too small, device or host; empty if the job fits.
std::string memory_shortage(const MemoryEstimate& estimate, const Backend& backend);
/// Throws Error with memory_shortage() if the job does not fit.
void expect_memory(const MemoryEstimate& estimate, const Backend& backend);

}  // namespace tern
