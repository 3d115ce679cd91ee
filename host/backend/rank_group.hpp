#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace tern {

/// The processes that train one model together, as far as a backend needs them to connect its devices
/// (host/distributed has more).
class RankGroup {
 public:
  virtual ~RankGroup() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// bytes := those of rank `from`. All ranks call it with the same size. Throws as expect_all() does.
  virtual void broadcast(std::span<std::byte> bytes, int from) = 0;
  /// Throws Error, naming rank, host and reason, if a rank is lost.
  virtual void expect_all() = 0;
  /// Calls stop() once when a rank is lost, or at once if one is lost already: on any thread, so that it can end
  /// a wait of this rank's own. It replaces the former one; after a call with null none is running.
  virtual void on_loss(std::function<void()> stop) = 0;
};

}  // namespace tern
