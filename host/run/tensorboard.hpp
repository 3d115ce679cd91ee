#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tern/config.hpp"

namespace tern {

inline constexpr char kTensorBoardFolder[] = "tensorboard";

/// The event files of a run, from which TensorBoard draws curves while it trains. Each object, and each
/// return to an earlier epoch, begins a file of its own, events.out.tfevents.TIME.NUMBER.tern, in the
/// order of their names. A file has the configuration and the hyperparameters, and for each epoch a
/// scalar for each number of its line in metrics.jsonl, named by its key: loss/bpr_loss,
/// metrics/recall@20, monitors/user_mean_norm, speed/seconds. Step: the epoch.
class TensorBoardLog {
 public:
  explicit TensorBoardLog(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Appends this line, whole or not at all; it is in the file of metrics already. If there is no event file
  /// yet, appends all lines of that file, so that the log can begin late. Throws Error with the system's
  /// reason.
  void append(const std::string& line, const std::filesystem::path& metrics, const Config& config);
  /// Training continues after this epoch: later epochs in the files no longer count.
  void continue_after(int epoch);

 private:
  std::filesystem::path folder_;
  std::filesystem::path file_;  // if it is not there, the next line begins one
  std::optional<int> last_epoch_;
};

/// The files in this folder that TensorBoardLog and write_projector() wrote.
std::vector<std::filesystem::path> tensorboard_files(const std::filesystem::path& folder);

}  // namespace tern
