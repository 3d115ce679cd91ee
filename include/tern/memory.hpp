#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern {

/// What this process can still allocate on the host, in bytes: the least of what the kernel calls
/// available (MemAvailable), what the memory limits of its control group and of the groups above
/// leave (versions 1 and 2; the page cache of files counts as free), and what its address space
/// may still grow by (RLIMIT_AS). total is the least of the same limits. A source that cannot be
/// read limits nothing.
MemoryInfo host_memory();

/// What an estimate is made for.
struct MemoryTarget {
  enum class Kind : std::uint8_t { kReference, kCpu, kCuda };
  Kind kind = Kind::kCpu;
  /// Of a CPU backend.
  int threads = 1;
  /// Of a GPU: a sixteenth of it is what triplets may take that are planned ahead. 0: unknown, and
  /// taken for as much as is needed.
  std::int64_t device_bytes = 0;
  /// Of a GPU: half of its second-level cache is what a block of scores may take. The default is
  /// that of the largest so far (H200).
  std::int64_t cache_bytes = std::int64_t{60} << 20;
};
/// threads: as make_cpu_backend() has it.
MemoryTarget memory_target(const Backend& backend, int threads);

/// One purpose, in bytes.
struct MemoryPart {
  std::string name;
  std::int64_t host = 0;
  std::int64_t device = 0;  // 0 where the host is the device
};

/// What a training job takes at its largest, after its data was read.
struct MemoryEstimate {
  /// The data first, which is there already when a job starts; "process" last: the program, its
  /// libraries, its threads.
  std::vector<MemoryPart> parts;

  std::int64_t host() const;
  std::int64_t device() const;
  /// What is still to be allocated on the host: all but the data and the process.
  std::int64_t host_to_come() const;
};

/// Allocates nothing large: model, loss and optimiser are made over a backend that counts what it
/// is asked for, and run through one step and one look at the results. Features are encoded, as in
/// training. Throws ConfigError as a Trainer would.
MemoryEstimate estimate_memory(const MemoryTarget& target, const Dataset& data,
                               const Config& config);

/// One line for the start of training: "needs 84 MB on the host (of 8.1 GB free), ...".
std::string memory_line(const MemoryEstimate& estimate, const Backend& backend);
/// Why the job cannot be run as things are, with the need, what is free, what takes most, and what
/// to change; empty where it can.
std::string memory_shortage(const MemoryEstimate& estimate, const Backend& backend,
                            const Config& config);
/// Throws Error with that.
void expect_memory(const MemoryEstimate& estimate, const Backend& backend, const Config& config);

}  // namespace tern
