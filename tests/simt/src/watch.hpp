// The watched addresses while a block runs on this CPU thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace simt::detail {

class Block;

struct Window {
  std::uintptr_t low = 0;
  std::size_t size = 0;
  bool holds(std::uintptr_t address) const { return address - low < size; }
};

/// Both are empty while no block runs: instrumented host code is not watched.
struct WatchedMemory {
  Window shared;
  Window buffers;
  Block* block = nullptr;  // the one that runs
};
extern constinit thread_local WatchedMemory watched;

/// Where Buffers lie. The window never moves.
Window buffer_window();

/// Whether these bytes of the window all belong to one buffer, and where they lie if not.
bool inside_buffer(std::uintptr_t address, std::size_t bytes);
std::string describe_address(std::uintptr_t address);

}  // namespace simt::detail
