#pragma once

#include <functional>

namespace tern::bench {

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
