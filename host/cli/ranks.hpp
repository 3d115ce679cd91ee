#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "host/cli/training_plan.hpp"
#include "host/distributed/tcp_communicator.hpp"
#include "host/run/job_ranks.hpp"
#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// The processes that train one job together. Rank 0 leads: it alone prints, writes and decides what
/// depends on the clock or on files; the others follow. All methods but several(), leads() and fail() are
/// called by all ranks in the same order. A process alone is its own leader, and they cost it nothing.
class Ranks : public JobRanks {
 public:
  /// Joins the other ranks, if the environment names some (distributed::find_place()). Throws Error.
  Ranks();

  bool several() const noexcept override { return communicator_ != nullptr; }
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
  /// This rank cannot go on: the others end too.
  void fail(std::string_view reason);

  /// The threads of this rank: those asked for, or if this is 0 its share of the processors that ranks of
  /// one host have in common.
  int share_threads(int asked);
  /// "4 ranks on 2 hosts".
  std::string describe() const;
  /// The backend of this rank: the CPU, or with train.device = cuda a GPU of its host that no other rank has.
  /// Throws ConfigError on every rank if a host has fewer GPUs than ranks.
  std::unique_ptr<Backend> make_backend(const Config& config, int threads);

  /// Throws ConfigError if several ranks do not carry out this job.
  void expect_carried(const Config& config, const TrainOptions& options) const;

 private:
  /// The number of this rank's GPU among those that it sees.
  int choose_gpu();
  std::unique_ptr<distributed::TcpCommunicator> communicator_;  // null: alone
};

}  // namespace tern::cli
