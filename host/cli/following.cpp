#include "host/cli/following.hpp"

#include <memory>
#include <optional>

#include "host/cli/commands.hpp"
#include "host/cli/ending.hpp"
#include "host/cli/job_report.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/rehearsal.hpp"
#include "host/cli/search.hpp"
#include "host/cli/shared_job.hpp"
#include "host/cli/verify_determinism.hpp"
#include "host/distributed/communicator.hpp"
#include "host/run/training_job.hpp"
#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

int verify(const FollowedJob& job, Console& console, Ranks& ranks) {
  const auto limit = limit_threads(job.config.threads);
  const Dataset data = load_data(job);
  ranks.expect_same_data(data, job.config);
  const Order order = receive_order(ranks);
  const int code = verify_determinism(order.config, data, console, ranks);
  ranks.wait_for_all();
  return code;
}

int train_with_leader(Trainer& trainer, const Config& config, const StopSignals& signals,
                      Console& console, Ranks& ranks) {
  Progress progress(console, words_of(config), trainer.progress());
  TrainingJob training(trainer, report_job(progress, console, signals), ranks);
  const TrainingResult result = training.run();
  ranks.wait_for_all();
  return exit_code(result);
}

int follow_job(StopSignals& signals, Console& console, Ranks& ranks) {
  const FollowedJob job = receive_job(ranks);
  if (job.verifies) return verify(job, console, ranks);
  const int threads = ranks.share_threads(job.config.threads);
  const auto limit = limit_threads(threads);
  const std::unique_ptr<Backend> backend =
      open_training_backend(job.config, threads, console, ranks);
  const Dataset data = load_data(job);
  ranks.expect_same_data(data, job.config);
  Order order = receive_order(ranks);
  if (order.kind == Order::Kind::kEnd) {
    ranks.wait_for_all();
    return order.code;
  }
  const MemoryEstimate memory = training_memory(*backend, data, order.config, ranks);
  expect_memory(memory, *backend, ranks);
  if (order.kind == Order::Kind::kSearch) {
    rehearsed_trainer(*backend, data, order.config, nullptr, memory);
    search_recipe("", order.grids, *backend, data, order.config, console);
    order = receive_order(ranks);
  }
  const std::unique_ptr<Trainer> trainer =
      rehearsed_trainer(*backend, data, order.config, nullptr, memory);
  signals.note_from_now_on();
  std::optional<TrainingState> state;
  ranks.share(state);
  if (state) trainer->restore(*state);
  ranks.share_run("");
  return train_with_leader(*trainer, order.config, signals, console, ranks);
}

}  // namespace

int follow(StopSignals& signals, Console& console, Ranks& ranks) {
  try {
    return follow_job(signals, console, ranks);
  } catch (const NumericalFault& fault) {
    // The leader finds it too. The wait ends, by an exception, when it has printed it: a launcher may kill it
    // as soon as another rank ends.
    ranks.wait_for_all();
    throw distributed::ReportedLoss(fault.what(), kFailed);
  }
}

}  // namespace tern::cli
