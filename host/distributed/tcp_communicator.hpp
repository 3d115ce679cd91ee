#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/distributed/communicator.hpp"
#include "host/distributed/rendezvous.hpp"
#include "host/distributed/watch.hpp"
#include "tern/error.hpp"

namespace tern::distributed {

/// How long ranks wait for each other.
struct Patience {
  /// Until all ranks are connected.
  std::chrono::milliseconds join = std::chrono::seconds(60);
  /// Until a silent rank is lost. A living one sends a beat every second, whatever it computes.
  std::chrono::milliseconds silence = std::chrono::seconds(7);
};

/// A lost rank that rank 0 has reported already: the other ranks need not print it again.
class ReportedLoss : public Error {
 public:
  using Error::Error;
};

/// Ranks that are connected by TCP, each with each.
///
/// A sum of few values is gathered whole by every rank: one message, (P-1) n values sent a rank. A sum of
/// many is made in parts, one a rank, and the parts are then gathered: two messages, about 2 n (P-1)/P
/// values sent. Both add in ascending order of the ranks, to the same bits.
class TcpCommunicator final : public Communicator {
 public:
  /// Connects to the other ranks. Throws Error as meet() does.
  explicit TcpCommunicator(const RankPlace& place, const Patience& patience = {});
  ~TcpCommunicator() override;

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(peers_.size()); }
  std::string place_of(int rank) const override;
  /// The host of a rank.
  const std::string& host_of(int rank) const { return peers_[static_cast<std::size_t>(rank)].host; }
  Traffic traffic() const override { return traffic_; }
  void all_reduce(std::span<double> values) override;
  void reduce_scatter(std::span<const float> values, std::span<const std::size_t> counts,
                      std::span<float> own) override;
  void all_gather(std::span<const std::byte> own, std::span<const std::size_t> sizes,
                  std::span<std::byte> all) override;
  void broadcast(std::span<std::byte> bytes, int from) override;
  void fail(std::string_view reason) override;

  /// Sums of at most this number of values are gathered whole.
  static constexpr std::size_t kFewValues = 64;

 private:
  struct Peer {
    std::string host;
    UniqueFd data;
    std::span<const std::byte> outgoing;  // still to be sent, and to be received
    std::span<std::byte> incoming;
  };

  Peer& peer(int rank) { return peers_[static_cast<std::size_t>(rank)]; }
  /// Sends and receives what the peers list, at one time, so that nobody waits for a full buffer.
  void exchange();
  [[noreturn]] void throw_lost(int rank);
  void sum_whole(std::span<double> values);
  void sum_parts(std::span<double> values);

  int rank_;
  std::vector<Peer> peers_;  // by rank
  Traffic traffic_;
  std::vector<double> gathered_;  // workspace of all_reduce
  std::vector<float> blocks_;     // workspace of reduce_scatter
  std::unique_ptr<Watch> watch_;  // last: it ends before the connections
};

}  // namespace tern::distributed
