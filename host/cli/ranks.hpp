#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/distributed/tcp_communicator.hpp"
#include "host/run/job_ranks.hpp"
#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// The processes that train one job together. Rank 0 leads: it alone prints, writes and decides what
/// depends on the clock or on files; the others follow. All methods that exchange something are called by all
/// ranks in the same order. A process alone is its own leader, and they cost it nothing.
class Ranks : public JobRanks {
 public:
  /// Joins the other ranks, if the environment names some (distributed::find_place()). timeout: in seconds,
  /// for how long a rank waits for another one; 0: without end. Only the leader's counts. If this rank has
  /// not ended in time after the loss of one, it hangs: it then reports the loss and exits. Throws Error.
  explicit Ranks(double timeout);

  int size() const noexcept override { return communicator_ ? communicator_->size() : 1; }
  bool leads() const override { return !several() || communicator_->rank() == 0; }

  /// The leader's answer.
  bool agree(bool leaders);
  /// The bits that any rank sets.
  unsigned any(unsigned bits) override;
  std::string share(std::string leaders);
  void share(std::optional<TrainingState>& leaders) override;
  /// Throws DataError unless all ranks have read the same data.
  void expect_same_data(const Dataset& data, const Config& config);
  /// Returns when all ranks have come here.
  void wait_for_all();
  /// Makes the leader's run known to all: from now on, the message on a lost rank says how to go on.
  void share_run(const std::string& leaders);
  /// What to do about a lost rank, as the end of a message.
  std::string way_on() const;
  /// This rank has reported why it ends: it need not say so again if it then hangs.
  void set_reported() noexcept { reported_ = true; }
  /// This rank cannot go on: the others end too, with this exit code.
  void fail(std::string_view reason, int code);

  /// The threads of this rank: those asked for, or if this is 0 its share of the processors that ranks of
  /// one host have in common.
  int share_threads(int asked);
  /// The ranks on the host of this one.
  int on_this_host() const;
  /// "4 ranks on 2 hosts".
  std::string describe() const;
  /// The text of each rank, on all of them.
  std::vector<std::string> gather(const std::string& own);
  /// The host of a rank.
  std::string host_of(int rank) const { return communicator_->host_of(rank); }
  /// The backend of this rank: the CPU, or with train.device = cuda a GPU of its host that no other rank has.
  /// Throws ConfigError on every rank if a host has fewer GPUs than ranks.
  std::unique_ptr<Backend> make_backend(const Config& config, int threads);

 private:
  /// The number of this rank's GPU among those that it sees.
  int choose_gpu();
  [[noreturn]] void end_overdue(const distributed::Failure& failure) const;

  mutable std::mutex mutex_;  // for run_
  std::string run_;
  std::atomic<bool> reported_{false};
  // Null: alone. Last: its thread may use the others.
  std::unique_ptr<distributed::TcpCommunicator> communicator_;
};

/// Throws ConfigError if so many ranks do not carry out this job.
void expect_carried(const Config& config, int ranks);

}  // namespace tern::cli
