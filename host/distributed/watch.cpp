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

// Messages: a letter, and for a failure the length and text of its reason.
constexpr char kBeat = 'b';
constexpr char kEnd = 'e';
constexpr char kFailure = 'f';
constexpr std::size_t kHeader = 1 + sizeof(std::uint16_t);
constexpr std::size_t kMaxReason = 2000;

constexpr std::chrono::milliseconds kBetweenBeats{1000};

std::string failure_message(std::string_view reason) {
  reason = reason.substr(0, kMaxReason);
  const auto size = static_cast<std::uint16_t>(reason.size());
  std::string message(kHeader, kFailure);
  message[1] = static_cast<char>(size % 256);
  message[2] = static_cast<char>(size / 256);
  return message.append(reason);
}

}  // namespace

Watch::Watch(std::string own_place, std::vector<Peer> peers, std::chrono::milliseconds patience,
             std::function<void()> on_failure)
    : own_place_(std::move(own_place)),
      patience_(patience),
      on_failure_(std::move(on_failure)),
      leads_(std::ranges::none_of(peers, [](const Peer& peer) { return peer.rank == 0; })),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  for (Peer& peer : peers) watched_.push_back({std::move(peer), {}, Clock::now(), false});
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

void Watch::fail(std::string_view reason) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;  // the others know
  }
  const std::string text = fmt::format("{}: {}", own_place_, reason);
  if (!leads_) send_to_all(failure_message(text));  // rank 0 passes on what it finds
  set_failure({text, false});
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
      send_to_all({&kBeat, 1});
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
    const bool was_stopped = now - last_check > patience_ / 2;
    last_check = now;
    for (Watched& watched : watched_) {
      if (was_stopped) watched.heard = now;
      if (watched.ended || now - watched.heard < patience_) continue;
      watched.ended = true;
      set_failure({fmt::format("{} has not answered for {:.1f} s", watched.peer.place,
                               std::chrono::duration<double>(patience_).count()),
                   false});
    }
  }
}

void Watch::listen(Watched& watched) {
  std::array<std::byte, 4096> buffer;
  const std::ptrdiff_t received = receive_some(watched.peer.connection.get(), buffer);
  if (received < 0) {
    watched.ended = true;
    set_failure({fmt::format("{} has ended without a word", watched.peer.place), false});
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
    std::size_t size = 1;
    if (inbox[0] == kFailure) {
      if (inbox.size() < kHeader) return;
      size = kHeader + static_cast<unsigned char>(inbox[1]) +
             std::size_t{256} * static_cast<unsigned char>(inbox[2]);
      if (inbox.size() < size) return;
      set_failure({inbox.substr(kHeader, size - kHeader), !leads_});
    }
    watched.ended = inbox[0] != kBeat;
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
  }
  if (leads_) send_to_all(failure_message(failure.reason));
  found_.notify_all();
  on_failure_();
}

}  // namespace tern::distributed
