#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
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

/// How long ranks wait for each other.
struct Patience {
  /// Until all ranks are connected.
  std::chrono::milliseconds join = std::chrono::seconds(60);
  /// Until a silent rank is lost. A living one sends a beat every second, whatever it computes.
  std::chrono::milliseconds silence = std::chrono::seconds(7);
  /// Until a rank is lost that sends beats, but no byte of what another one waits for in a collective call;
  /// 0: no limit.
  std::chrono::milliseconds wait = std::chrono::minutes(30);
  /// Until a rank has to have ended after a failure, of its own or of another rank.
  std::chrono::milliseconds end = std::chrono::seconds(5);
};

/// Why a training of several ranks cannot go on.
struct Failure {
  std::string reason;
  int code = 1;  // with which all ranks exit
  /// Rank 0 has reported it: it is alive, and prints the same reason.
  bool reported = false;
};

/// The rank that a rank waits for in a collective call, and since when no byte has come or gone.
struct Wait {
  std::int32_t rank = -1;  // -1: none, it is at work of its own
  std::chrono::duration<std::int32_t, std::milli> time{0};
};

/// Watches the other ranks on a thread of its own, over connections that carry nothing else: rank 0
/// watches all, and every other rank watches rank 0. Each sends a beat every second, and with it whom it
/// waits for. A rank whose connection ends without a word, or that is silent for too long, is a failure, as
/// is one that says so; rank 0 passes a failure on to all. The first failure counts.
///
/// If a rank waits too long, rank 0 follows the waits from rank to rank: the one that waits for nobody hangs
/// in its own work. Rank 0 alone decides, so that ranks which wait for one that waits itself accuse nobody.
class Watch {
 public:
  struct Peer {
    int rank = 0;
    std::string place;  // "rank 2 on host node7"
    UniqueFd connection;
  };

  struct Calls {
    /// Called once, on the thread of whoever finds the failure.
    std::function<void()> on_failure;
    /// Called once, on the watch's thread, if this rank has not ended in time after a failure: it hangs, and
    /// only this call can end it. May be empty.
    std::function<void(const Failure&)> on_overdue;
  };

  /// own_place: of this rank.
  Watch(std::string own_place, std::vector<Peer> peers, const Patience& patience, Calls calls);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  /// Says to the others that this rank has ended in order, unless there was a failure.
  ~Watch();

  /// Tells the others that this rank fails, and the exit code for all.
  void fail(std::string_view reason, int code);
  /// What this rank does at present.
  void set_wait(const Wait& wait) noexcept { own_wait_.store(wait, std::memory_order_relaxed); }
  std::optional<Failure> failure() const;
  /// Waits for a failure that is about to be found; none after this time.
  std::optional<Failure> wait_for_failure(std::chrono::milliseconds time) const;

 private:
  struct Watched {
    Peer peer;
    std::string inbox;
    Clock::time_point heard;
    Wait wait;
    bool ended = false;
  };

  void watch();
  void listen(Watched& watched);
  /// Handles the whole messages of the inbox.
  void read_inbox(Watched& watched);
  void check_silence(Clock::time_point now, bool was_stopped);
  /// Rank 0: whether a rank hangs in its own work.
  void check_waits();
  Wait wait_of(int rank) const;
  const std::string& place_of(int rank) const;
  void check_own_end(Clock::time_point now);
  void send_to_all(std::string_view message);
  void set_failure(const Failure& failure);

  std::string own_place_;
  Patience patience_;
  Calls calls_;
  bool leads_;  // this is rank 0
  std::vector<Watched> watched_;
  UniqueFd wake_;
  mutable std::mutex mutex_;  // for failure_, and for sending
  mutable std::condition_variable found_;
  std::optional<Failure> failure_;
  Clock::time_point failed_at_;
  bool overdue_ = false;
  std::atomic<Wait> own_wait_{};
  bool ending_ = false;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace tern::distributed
