// Watches a block's shared memory: which words were written, by whom, since which barrier.
//
// `__shared__` variables are thread-locals of the CPU thread that runs the block, so they lie in
// one window of addresses. Instrumented code reports each of its loads and stores; those inside the
// window come here, where every 4-byte word has a Cell.
//
// Two accesses to one word conflict if different threads make them, at least one writes, at least
// one is not atomic, and nothing orders them: no block barrier between (the epochs are equal), and
// no chain of __syncwarp from one to the other (a lane's `seen` stamps; a small vector clock).
// Shuffles and votes order nothing, as in CUDA. So a race is found in any order of the threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace simt::detail {

enum class Access { read, write, atomic };

/// A fault that the watch found; `text` is empty if there is none.
struct Finding {
  enum class Kind { none, race, unwritten, out_of_bounds } kind = Kind::none;
  std::string text;
  const void* other_code = nullptr;  // where the other thread of a race was
};

class SharedWatch {
 public:
  SharedWatch();
  SharedWatch(const SharedWatch&) = delete;
  SharedWatch& operator=(const SharedWatch&) = delete;

  std::uintptr_t low() const { return low_; }
  std::size_t size() const { return size_; }

  void begin_block(unsigned threads, std::size_t dynamic_bytes);
  void block_barrier() { ++epoch_; }
  void warp_barrier(unsigned warp, unsigned lanes);

  /// Returns false if the access by `thread` is faulty; take_finding() then returns the fault.
  bool access(unsigned thread, std::uintptr_t address, std::size_t bytes, Access kind,
              const void* code);
  Finding take_finding() { return std::move(finding_); }

 private:
  struct Cell {
    std::uint32_t write_epoch = 0;
    std::uint32_t write_stamp = 0;
    std::uint32_t read_epoch = 0;
    std::uint32_t read_stamp = 0;
    std::uint32_t read_lanes = 0;
    std::uint16_t read_warp = 0;
    std::uint16_t writer = 0;
    const void* write_code = nullptr;
    const void* read_code = nullptr;
    std::uint8_t write_bytes = 0;    // of the last write: a bit a byte
    std::uint8_t read_bytes = 0;     // of the reads since
    std::uint8_t written_bytes = 0;  // in this block
    bool atomic = false;             // the last write was one
    bool outside = false;            // outside every shared variable
  };
  struct Clock {
    std::uint32_t seen[32];  // this lane runs after all that lane i did up to this stamp
  };

  bool touch(Cell& cell, unsigned thread, unsigned bytes, Access kind, const void* code);
  bool after_write(const Cell& cell, unsigned thread) const;
  bool after_reads(const Cell& cell, unsigned thread) const;
  void note_read(Cell& cell, unsigned thread, unsigned bytes, const void* code);
  void note_write(Cell& cell, unsigned thread, unsigned bytes, bool atomic, const void* code);
  void lay_out();
  std::string name(std::uintptr_t address) const;
  bool found(Finding::Kind kind, const std::string& text, const void* other = nullptr);

  std::uintptr_t low_ = 0;
  std::size_t size_ = 0;
  std::uintptr_t dynamic_ = 0;     // where dynamic shared memory begins
  std::size_t dynamic_bytes_ = 0;  // its size in this launch
  std::vector<Cell> cells_;
  std::vector<Clock> clocks_;          // one a thread
  std::vector<std::uint32_t> stamps_;  // one a warp: the number of __syncwarp so far
  std::uint32_t epoch_ = 1;            // counts blocks and barriers, never reset
  std::uint32_t first_epoch_ = 1;      // of this block
  std::uintptr_t address_ = 0;         // of the current access
  Finding finding_;
};

}  // namespace simt::detail
