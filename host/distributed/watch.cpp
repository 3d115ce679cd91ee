#include "host/distributed/watch.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "host/distributed/sockets.hpp"

namespace tern::distributed {
namespace {

// Messages: a letter, and for a beat the Wait of its rank, for a failure the exit code, the length and the
// text of its reason. Numbers have their lowest byte first.
constexpr char kBeat = 'b';
constexpr char kEnd = 'e';
constexpr char kFailure = 'f';
constexpr std::size_t kBeatSize = 1 + 2 * sizeof(std::int32_t);
constexpr std::size_t kHeader = 1 + 1 + sizeof(std::uint16_t);
constexpr std::size_t kMaxReason = 2000;

constexpr std::chrono::milliseconds kBetweenBeats{1000};

void append(std::string& message, std::uint32_t number, std::size_t bytes) {
  for (; bytes > 0; --bytes, number /= 256) message += static_cast<char>(number % 256);
}

std::uint32_t number_at(std::string_view message, std::size_t at, std::size_t bytes) {
  std::uint32_t number = 0;
  while (bytes > 0) number = number * 256 + static_cast<unsigned char>(message[at + --bytes]);
  return number;
}

std::string failure_message(const Failure& failure) {
  const std::string reason = failure.reason.substr(0, kMaxReason);
  std::string message(1, kFailure);
  append(message, static_cast<std::uint32_t>(failure.code), 1);
  append(message, static_cast<std::uint32_t>(reason.size()), sizeof(std::uint16_t));
  return message + reason;
}

std::string beat_message(const Wait& wait) {
  std::string message(1, kBeat);
  append(message, static_cast<std::uint32_t>(wait.rank), sizeof wait.rank);
  append(message, static_cast<std::uint32_t>(wait.time.count()), sizeof wait.rank);
  return message;
}

/// The size of the message at the beginning of a text of which more may come.
std::size_t size_of(std::string_view inbox) {
  if (inbox[0] == kBeat) return kBeatSize;
  if (inbox[0] != kFailure) return 1;
  return inbox.size() < kHeader ? kHeader : kHeader + number_at(inbox, 2, sizeof(std::uint16_t));
}

}  // namespace

Watch::Watch(std::string own_place, std::vector<Peer> peers, const Patience& patience, Calls calls)
    : own_place_(std::move(own_place)),
      patience_(patience),
      calls_(std::move(calls)),
      leads_(std::ranges::none_of(peers, [](const Peer& peer) { return peer.rank == 0; })),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  for (Peer& peer : peers) watched_.push_back({std::move(peer), {}, Clock::now(), {}, false});
  thread_ = std::thread([this] { watch(); });
}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  if (!failure()) send_to_all({&kEnd, 1});
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
  for (const Watched& watched : watched_) ::shutdown(watched.peer.connection.get(), SHUT_WR);
}

void Watch::fail(std::string_view reason, int code) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;  // the others know
  }
  const Failure failure{fmt::format("{}: {}", own_place_, reason), code, false};
  if (!leads_) send_to_all(failure_message(failure));  // rank 0 passes on what it finds
  set_failure(failure);
}

std::optional<Failure> Watch::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::optional<Failure> Watch::wait_for_failure(std::chrono::milliseconds time) const {
  std::unique_lock lock(mutex_);
  found_.wait_for(lock, time, [&] { return failure_.has_value(); });
  return failure_;
}

void Watch::watch() {
  Clock::time_point next_beat = Clock::now();
  Clock::time_point last_check = next_beat;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return;
    }
    if (Clock::now() >= next_beat) {
      send_to_all(beat_message(own_wait_.load(std::memory_order_relaxed)));
      next_beat = Clock::now() + kBetweenBeats;
    }
    std::vector<pollfd> events{{wake_.get(), POLLIN, 0}};
    for (const Watched& watched : watched_) {
      events.push_back({watched.ended ? -1 : watched.peer.connection.get(), POLLIN, 0});
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(next_beat - Clock::now()).count();
    ::poll(events.data(), events.size(), static_cast<int>(std::max<std::int64_t>(left, 0)) + 1);
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      if (events[i + 1].revents != 0) listen(watched_[i]);
    }
    const Clock::time_point now = Clock::now();
    // A pass takes a second at most, unless this process was stopped: perhaps with the whole job, whose ranks
    // need time to beat again.
    check_silence(now, now - last_check > patience_.silence / 2);
    last_check = now;
    if (leads_ && patience_.wait.count() > 0) check_waits();
    check_own_end(now);
  }
}

void Watch::check_silence(Clock::time_point now, bool was_stopped) {
  for (Watched& watched : watched_) {
    if (was_stopped) watched.heard = now;
    if (watched.ended || now - watched.heard < patience_.silence) continue;
    watched.ended = true;
    set_failure({fmt::format("{} has not answered for {:.1f} s", watched.peer.place,
                             std::chrono::duration<double>(patience_.silence).count())});
  }
}

Wait Watch::wait_of(int rank) const {
  for (const Watched& watched : watched_) {
    if (watched.peer.rank == rank) return watched.wait;
  }
  return own_wait_.load(std::memory_order_relaxed);
}

const std::string& Watch::place_of(int rank) const {
  for (const Watched& watched : watched_) {
    if (watched.peer.rank == rank) return watched.peer.place;
  }
  return own_place_;
}

void Watch::check_waits() {
  const int ranks = static_cast<int>(watched_.size()) + 1;
  for (int first = 0; first < ranks; ++first) {
    if (wait_of(first).time < patience_.wait) continue;
    int waiting = first;
    int awaited = wait_of(first).rank;
    // One that has begun to wait only now was at work of its own until then.
    const auto waits = [&](int rank) {
      return wait_of(rank).rank >= 0 && wait_of(rank).time + kBetweenBeats >= patience_.wait / 2;
    };
    for (int i = 1; i < ranks && waits(awaited); ++i) {
      waiting = awaited;
      awaited = wait_of(awaited).rank;
    }
    const auto seconds = [](const auto& time) {
      return std::chrono::duration<double>(time).count();
    };
    set_failure(
        {fmt::format("{} {}: {} has waited {:.1f} s for it, --timeout is {:.1f} s",
                     place_of(awaited), waits(awaited) ? "is out of reach" : "hangs",
                     place_of(waiting), seconds(wait_of(waiting).time), seconds(patience_.wait))});
    return;
  }
}

void Watch::check_own_end(Clock::time_point now) {
  std::optional<Failure> found;
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || overdue_ || !failure_ || now - failed_at_ < patience_.end) return;
    overdue_ = true;
    found = failure_;
  }
  if (calls_.on_overdue) calls_.on_overdue(*found);
}

void Watch::listen(Watched& watched) {
  std::array<std::byte, 4096> buffer;
  const std::ptrdiff_t received = receive_some(watched.peer.connection.get(), buffer);
  if (received < 0) {
    watched.ended = true;
    set_failure({fmt::format("{} has ended without a word", watched.peer.place)});
    return;
  }
  watched.heard = Clock::now();
  watched.inbox.append(reinterpret_cast<const char*>(buffer.data()),
                       static_cast<std::size_t>(received));
  read_inbox(watched);
}

void Watch::read_inbox(Watched& watched) {
  std::string& inbox = watched.inbox;
  while (!inbox.empty() && !watched.ended) {
    const std::size_t size = size_of(inbox);
    if (inbox.size() < size) return;
    if (inbox[0] == kBeat) {
      const auto number = [&](std::size_t at) {
        return static_cast<std::int32_t>(number_at(inbox, at, sizeof(std::int32_t)));
      };
      watched.wait = {number(1), decltype(Wait::time)(number(1 + sizeof(std::int32_t)))};
    } else {
      watched.ended = true;
    }
    if (inbox[0] == kFailure) {
      set_failure({inbox.substr(kHeader, size - kHeader), static_cast<int>(number_at(inbox, 1, 1)),
                   !leads_});
    }
    inbox.erase(0, size);
  }
}

void Watch::send_to_all(std::string_view message) {
  const std::lock_guard lock(mutex_);
  for (const Watched& watched : watched_) {
    // A message is far smaller than a socket's buffer. If the other end is gone, listen() finds it.
    send_some(watched.peer.connection.get(), std::as_bytes(std::span(message)));
  }
}

void Watch::set_failure(const Failure& failure) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    failure_ = failure;
    failed_at_ = Clock::now();
  }
  if (leads_) send_to_all(failure_message(failure));
  found_.notify_all();
  calls_.on_failure();
}

}  // namespace tern::distributed
