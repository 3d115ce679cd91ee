#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/distributed/communicator.hpp"
#include "host/distributed/rendezvous.hpp"
#include "host/distributed/watch.hpp"

namespace tern::distributed {

/// Ranks that are connected by TCP, each with each.
///
/// A sum of few values is gathered whole by every rank: one message, (P-1) n values sent a rank. A sum of
/// many is made in parts, one a rank, and the parts are then gathered: two messages, about 2 n (P-1)/P
/// values sent. Both add in ascending order of the ranks, to the same bits.
class TcpCommunicator final : public Communicator {
 public:
  /// Connects to the other ranks. on_overdue: see Watch. Throws Error as meet() does.
  explicit TcpCommunicator(const RankPlace& place, const Patience& patience = {},
                           std::function<void(const Failure&)> on_overdue = {});
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
  void expect_all() override;
  void on_loss(std::function<void()> stop) override;
  void fail(std::string_view reason, int code = 1) override;

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
  /// Ends what this rank waits for.
  void stop_waiting();
  void sum_whole(std::span<double> values);
  void sum_parts(std::span<double> values);

  int rank_;
  std::vector<Peer> peers_;  // by rank
  Traffic traffic_;
  std::vector<double> gathered_;  // workspace of all_reduce
  std::vector<float> blocks_;     // workspace of reduce_scatter
  std::mutex stop_mutex_;
  std::function<void()> stop_;    // of on_loss; null: none, or called already
  std::unique_ptr<Watch> watch_;  // last: it ends before the connections
};

}  // namespace tern::distributed
