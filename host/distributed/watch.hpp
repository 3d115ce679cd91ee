#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "host/support/clock.hpp"
#include "host/support/unique_fd.hpp"

namespace tern::distributed {

/// Why a training of several ranks cannot go on.
struct Failure {
  std::string reason;
  /// Rank 0 has reported it: it is alive, and prints the same reason.
  bool reported = false;
};

/// Watches the other ranks on a thread of its own, over connections that carry nothing else: rank 0
/// watches all, and every other rank watches rank 0. Each sends a beat every second. A rank whose
/// connection ends without a word, or that is silent for too long, is a failure, as is one that says so;
/// rank 0 passes a failure on to all. The first failure counts.
class Watch {
 public:
  struct Peer {
    int rank = 0;
    std::string place;  // "rank 2 on host node7"
    UniqueFd connection;
  };

  /// own_place: of this rank. on_failure is called once, on the thread of whoever finds the failure.
  Watch(std::string own_place, std::vector<Peer> peers, std::chrono::milliseconds patience,
        std::function<void()> on_failure);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  /// Says to the others that this rank has ended in order, unless there was a failure.
  ~Watch();

  /// Tells the others that this rank fails.
  void fail(std::string_view reason);
  std::optional<Failure> failure() const;
  /// Waits for a failure that is about to be found; none after this time.
  std::optional<Failure> wait_for_failure(std::chrono::milliseconds time) const;

 private:
  struct Watched {
    Peer peer;
    std::string inbox;
    Clock::time_point heard;
    bool ended = false;
  };

  void watch();
  void listen(Watched& watched);
  /// Handles the whole messages of the inbox.
  void read_inbox(Watched& watched);
  void send_to_all(std::string_view message);
  void set_failure(const Failure& failure);

  std::string own_place_;
  std::chrono::milliseconds patience_;
  std::function<void()> on_failure_;
  bool leads_;  // this is rank 0
  std::vector<Watched> watched_;
  UniqueFd wake_;
  mutable std::mutex mutex_;  // for failure_, and for sending
  mutable std::condition_variable found_;
  std::optional<Failure> failure_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace tern::distributed
