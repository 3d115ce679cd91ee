#pragma once

#include <cstdint>
#include <functional>

namespace tern::bench {

/// The caches before a timed run: overwritten, or as a run of the same case leaves them.
enum class CacheState : std::uint8_t { kEvicted, kWarm };

/// Times work that a device does in order: on one stream, or on the calling thread.
class Timer {
 public:
  virtual ~Timer() = default;
  /// Overwrites the device's caches. May return before that is done: the next timed work waits.
  virtual void evict() = 0;
  /// Runs the work, waits for it, and returns the seconds that the device took.
  virtual double seconds(const std::function<void()>& work) = 0;
};

}  // namespace tern::bench
