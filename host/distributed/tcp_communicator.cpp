#include "host/distributed/tcp_communicator.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>

namespace tern::distributed {
namespace {

/// If a connection breaks, the watch knows the first rank that was lost, or learns it soon: the rank at the
/// other end may have ended because of a third one.
constexpr std::chrono::seconds kForTheReason{4};

/// The first value of part r of n values, of which each rank has one.
std::size_t part_begin(std::size_t n, int r, int ranks) {
  return n * static_cast<std::size_t>(r) / static_cast<std::size_t>(ranks);
}

}  // namespace

TcpCommunicator::TcpCommunicator(const RankPlace& place, const Patience& patience)
    : rank_(place.rank) {
  std::vector<Connections> all = meet(place, Clock::now() + patience.join);
  for (Connections& one : all) peers_.push_back({one.host, std::move(one.data), {}, {}});
  std::vector<Watch::Peer> watched;
  for (int r = 0; r < place.ranks; ++r) {
    UniqueFd& connection = all[static_cast<std::size_t>(r)].watch;
    if (connection.valid()) watched.push_back({r, place_of(r), std::move(connection)});
  }
  watch_ = std::make_unique<Watch>(place_of(rank_), std::move(watched), patience.silence, [this] {
    // Wakes a call that waits for a rank.
    for (const Peer& one : peers_) ::shutdown(one.data.get(), SHUT_RDWR);
  });
}

TcpCommunicator::~TcpCommunicator() = default;

std::string TcpCommunicator::place_of(int rank) const {
  return fmt::format("rank {} on host {}", rank, host_of(rank));
}

void TcpCommunicator::fail(std::string_view reason) {
  watch_->fail(reason);
}

void TcpCommunicator::throw_lost(int rank) {
  const std::optional<Failure> failure = watch_->wait_for_failure(kForTheReason);
  if (!failure) throw Error(fmt::format("{} has left the training", place_of(rank)));
  if (failure->reported) throw ReportedLoss(failure->reason);
  throw Error(failure->reason);
}

void TcpCommunicator::exchange() {
  if (watch_->failure()) throw_lost(rank_);
  std::vector<pollfd> events;
  std::vector<int> ranks;
  for (;;) {
    events.clear();
    ranks.clear();
    for (int r = 0; r < size(); ++r) {
      Peer& one = peer(r);
      // An answer is often there already, and a buffer seldom full.
      if (!one.outgoing.empty()) {
        const std::ptrdiff_t sent = send_some(one.data.get(), one.outgoing);
        if (sent < 0) throw_lost(r);
        one.outgoing = one.outgoing.subspan(static_cast<std::size_t>(sent));
        traffic_.sent += sent;
      }
      if (!one.incoming.empty()) {
        const std::ptrdiff_t received = receive_some(one.data.get(), one.incoming);
        if (received < 0) throw_lost(r);
        one.incoming = one.incoming.subspan(static_cast<std::size_t>(received));
        traffic_.received += received;
      }
      const int wanted = (one.outgoing.empty() ? 0 : POLLOUT) | (one.incoming.empty() ? 0 : POLLIN);
      if (wanted == 0) continue;
      events.push_back({one.data.get(), static_cast<short>(wanted), 0});
      ranks.push_back(r);
    }
    if (events.empty()) return;
    ::poll(events.data(), events.size(), -1);
  }
}

void TcpCommunicator::all_gather(std::span<const std::byte> own, std::span<const std::size_t> sizes,
                                 std::span<std::byte> all) {
  std::size_t begin = 0;
  for (int r = 0; r < size(); ++r) {
    const std::span<std::byte> block = all.subspan(begin, sizes[static_cast<std::size_t>(r)]);
    begin += block.size();
    if (r == rank_) {
      if (!own.empty()) std::memmove(block.data(), own.data(), own.size());
    } else {
      peer(r).outgoing = own;
      peer(r).incoming = block;
    }
  }
  exchange();
}

void TcpCommunicator::reduce_scatter(std::span<const float> values,
                                     std::span<const std::size_t> counts, std::span<float> own) {
  const std::size_t n = own.size();
  blocks_.resize(n * peers_.size());
  std::size_t begin = 0;
  for (int r = 0; r < size(); ++r) {
    const auto theirs = values.subspan(begin, counts[static_cast<std::size_t>(r)]);
    const auto from = std::span(blocks_).subspan(n * static_cast<std::size_t>(r), n);
    begin += theirs.size();
    if (r == rank_) {
      std::ranges::copy(theirs, from.begin());
    } else {
      peer(r).outgoing = std::as_bytes(theirs);
      peer(r).incoming = std::as_writable_bytes(from);
    }
  }
  exchange();
  for (std::size_t i = 0; i < n; ++i) {
    double sum = blocks_[i];
    for (std::size_t r = 1; r < peers_.size(); ++r) sum += blocks_[r * n + i];
    own[i] = static_cast<float>(sum);
  }
}

void TcpCommunicator::broadcast(std::span<std::byte> bytes, int from) {
  if (rank_ == from) {
    for (int r = 0; r < size(); ++r) {
      if (r != rank_) peer(r).outgoing = bytes;
    }
  } else {
    peer(from).incoming = bytes;
  }
  exchange();
}

void TcpCommunicator::all_reduce(std::span<double> values) {
  if (size() == 1 || values.empty()) return;
  if (values.size() <= kFewValues) {
    sum_whole(values);
  } else {
    sum_parts(values);
  }
}

void TcpCommunicator::sum_whole(std::span<double> values) {
  const std::size_t n = values.size();
  gathered_.resize(n * peers_.size());
  const std::vector<std::size_t> sizes(peers_.size(), values.size_bytes());
  all_gather(std::as_bytes(values), sizes, std::as_writable_bytes(std::span(gathered_)));
  for (std::size_t i = 0; i < n; ++i) {
    double sum = gathered_[i];
    for (std::size_t r = 1; r < peers_.size(); ++r) sum += gathered_[r * n + i];
    values[i] = sum;
  }
}

void TcpCommunicator::sum_parts(std::span<double> values) {
  const std::size_t n = values.size();
  const auto part = [&](int r) {
    const std::size_t begin = part_begin(n, r, size());
    return values.subspan(begin, part_begin(n, r + 1, size()) - begin);
  };
  const std::span<double> own = part(rank_);
  gathered_.resize(own.size() * peers_.size());
  const auto from = [&](int r) {
    return std::span(gathered_).subspan(own.size() * static_cast<std::size_t>(r), own.size());
  };
  for (int r = 0; r < size(); ++r) {
    if (r == rank_) continue;
    peer(r).outgoing = std::as_bytes(part(r));
    peer(r).incoming = std::as_writable_bytes(from(r));
  }
  exchange();
  std::ranges::copy(own, from(rank_).begin());
  for (std::size_t i = 0; i < own.size(); ++i) {
    double sum = from(0)[i];
    for (int r = 1; r < size(); ++r) sum += from(r)[i];
    own[i] = sum;
  }
  for (int r = 0; r < size(); ++r) {
    if (r == rank_) continue;
    peer(r).outgoing = std::as_bytes(own);
    peer(r).incoming = std::as_writable_bytes(part(r));
  }
  exchange();
}

}  // namespace tern::distributed
