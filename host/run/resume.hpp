#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "host/run/job_log.hpp"
#include "tern/config.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// What the caller's options are called in messages: by default as in the program.
struct ResumeWords {
  std::string_view resume = "--resume";
  std::string_view out = "--out";
  std::string_view overwrite = "--overwrite";
  std::string_view epochs = "--epochs";  // its number follows
};

/// The keys that differ from those of the run to resume. Throws ConfigError with both values if
/// data, model or optimiser would no longer fit the trained parameters.
std::vector<ConfigDifference> allowed_changes(const Config& run, const Config& wanted,
                                              const ResumeWords& words = {});

/// The state to resume from; none if training has to start from the beginning. Warns of damaged
/// checkpoints. Throws Error if all are damaged, ConfigError if the state is within an epoch whose
/// triplets would differ after the changes.
std::optional<Run::SavedState> load_state(const Run& run,
                                          const std::vector<ConfigDifference>& changes,
                                          const JobLog& log, const ResumeWords& words = {});

/// Why a run is not to be trained on: it has all of its epochs, or the collapse monitor has stopped it.
enum class Finished : std::uint8_t { kNo, kEpochs, kCollapse };
/// config: with the changes. *state gets the state if it had to be read, which is only so if the run may be
/// finished. Throws DataError if a trained run has lost its checkpoints, and as load_state() does.
Finished how_finished(const Run& run, const Config& config,
                      const std::vector<ConfigDifference>& changes, const JobLog& log,
                      std::optional<Run::SavedState>& state, const ResumeWords& words = {});

/// The counter of a state that says how many ranks have trained it; states of one process have none.
inline constexpr char kRanksCounter[] = "ranks";

/// Restores the trainer from the state, and reports its place and the changes. Without a state,
/// training starts from the beginning. ranks: that train on.
void resume_training(Run& run, Trainer& trainer, Run::SavedState* state,
                     const std::vector<ConfigDifference>& changes, const JobLog& log,
                     int ranks = 1);

}  // namespace tern
