// The members of Run that write, find and read its checkpoints. The other members are in run.cpp.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/run/checkpoint.hpp"
#include "host/run/checkpoint_folder.hpp"
#include "host/run/manifest.hpp"
#include "host/run/metrics.hpp"
#include "host/run/tensorboard.hpp"
#include "host/support/files.hpp"
#include "host/support/hash.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tern/version.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

/// The part of a configuration that decides the results: without the path of the data (a
/// fingerprint identifies the data), the threads, the schedule of checkpoints and logs. The same training
/// on the same kind of device therefore gives the same file.
Config numeric_part(Config config) {
  config.data_path.clear();
  config.threads = 0;
  config.checkpoint = {};
  config.log = {};
  return config;
}

/// The epoch that a state has selected as the best; 0 if there is none or the file cannot be read.
int selected_epoch(const fs::path& state) {
  try {
    return read_progress(read_safetensors_metadata(state), state.string()).selected_epoch;
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

void Run::forget_after(const Place& place) {
  const CheckpointFolder folder(path_ / kCheckpointFolder);
  folder.forget_after(place.epoch, place.step);
  // Embeddings without a checkpoint count as the best, which these would not be.
  if (folder.states().empty()) remove_quietly(path_ / kEmbeddingsFile);
  truncate_metrics(path_ / kMetricsFile, place.epoch);
  board_->continue_after(place.epoch);
}

void Run::describe_checkpoint(TensorFile& file) const {
  const std::string config = write_config(numeric_part(config_));
  file.metadata["format_version"] = std::to_string(kRunFormatVersion);
  file.metadata["build"] = build_description();
  file.metadata["model"] = model_name(config_.model.kind);
  file.metadata["config"] = config;
  file.metadata["config_hash"] = hexadecimal(hash_text(config));
  file.metadata["data_fingerprint"] = hexadecimal(fingerprint_);
}

void Run::write_best(const TensorFile& parameters, int epoch, int scheduled_best) {
  const CheckpointFolder folder(path_ / kCheckpointFolder);
  TensorFile file = parameters;
  describe_checkpoint(file);
  file.metadata["epoch"] = std::to_string(epoch);
  write_checkpoint(folder.best_path(epoch), std::move(file));
  folder.prune_bests({epoch, scheduled_best});
}

void Run::write_state(TrainingState state) {
  const CheckpointFolder folder(path_ / kCheckpointFolder);
  const TrainingProgress progress = state.progress;
  TensorFile file = to_file(std::move(state));
  describe_checkpoint(file);
  sync_metrics(path_ / kMetricsFile);  // a state relies on the lines of its epochs
  write_checkpoint(folder.state_path(progress.epoch, progress.step), std::move(file));
  folder.prune(progress.epoch, progress.step, config_.checkpoint.keep);
}

/// Reads a checkpoint. Throws DataError if it belongs to another run.
TensorFile Run::read_own_checkpoint(const fs::path& path) const {
  TensorFile file = tern::read_checkpoint(path);
  // The hash of the configuration is not checked: users may edit, for example, the device.
  const auto expect = [&](const char* key, std::string_view wanted) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) {
      throw DataError(path.string(), 0, fmt::format("metadata: {} is missing", key));
    }
    if (found->second != wanted) {
      throw DataError(path.string(), 0,
                      fmt::format("metadata: {} is {}, expected {}", key, found->second, wanted));
    }
  };
  expect("format_version", std::to_string(kRunFormatVersion));
  expect("model", model_name(config_.model.kind));
  expect("data_fingerprint", hexadecimal(fingerprint_));
  return file;
}

/// The file that now holds the "best" or "last" parameters.
fs::path Run::checkpoint_path(std::string_view name) const {
  const CheckpointFolder folder(path_ / kCheckpointFolder);
  const std::vector<CheckpointFolder::Entry> states = folder.states();
  if (name == "best") {
    const std::vector<CheckpointFolder::Entry> bests = folder.bests();
    // A best file later than the newest state belongs to the training in progress. Otherwise the
    // epoch that the newest state has selected counts.
    if (!bests.empty() && (states.empty() || bests.front().epoch > states.front().epoch)) {
      return bests.front().path;
    }
    if (!states.empty()) {
      fs::path selected = folder.best_path(selected_epoch(states.front().path));
      if (is_there(selected)) return selected;
    }
    if (!bests.empty()) return bests.front().path;
  }
  if (states.empty()) {
    throw DataError(
        folder.path().string(), 0,
        "no checkpoint is there: training has not come that far, or the checkpoints were left out");
  }
  return states.front().path;
}

fs::path Run::find_checkpoint(std::string_view name) const {
  if (name != "best" && name != "last") {
    throw Error(fmt::format("checkpoint: found \"{}\", expected best or last", name));
  }
  // A training in progress may remove the file that was found.
  constexpr int kTries = 5;
  fs::path path = checkpoint_path(name);
  for (int i = 1; i < kTries && !is_there(path); ++i) path = checkpoint_path(name);
  return path;
}

bool Run::has_best() const {
  const CheckpointFolder folder(path_ / kCheckpointFolder);
  if (folder.states().empty() && folder.bests().empty()) return true;
  const fs::path found = find_checkpoint("best").filename();
  const std::vector<CheckpointFolder::Entry> bests = folder.bests();
  return std::ranges::any_of(bests,
                             [&](const auto& best) { return best.path.filename() == found; });
}

TensorFile Run::read_checkpoint(std::string_view name) const {
  TensorFile file = read_own_checkpoint(find_checkpoint(name));
  std::erase_if(file.tensors, [](const auto& tensor) {
    const std::string& name = tensor.first;
    return name.starts_with("optimizer.") || name.starts_with("loss.") ||
           name.starts_with("training.");
  });
  return file;
}

std::optional<Run::Place> Run::newest_place() const {
  const std::vector<CheckpointFolder::Entry> states =
      CheckpointFolder(path_ / kCheckpointFolder).states();
  if (states.empty()) return std::nullopt;
  return Place{states.front().epoch, states.front().step};
}

std::optional<Run::SavedState> Run::newest_state(std::vector<std::string>* damaged,
                                                 const std::optional<Place>& before) const {
  for (const CheckpointFolder::Entry& entry :
       CheckpointFolder(path_ / kCheckpointFolder).states()) {
    if (before && Place{entry.epoch, entry.step} >= *before) continue;
    try {
      SavedState saved{to_state(read_own_checkpoint(entry.path), entry.path.string()), entry.path};
      saved.state.data_fingerprint = fingerprint_;
      return saved;
    } catch (const DamagedCheckpoint& error) {
      if (damaged != nullptr) damaged->emplace_back(error.what());
    }
  }
  return std::nullopt;
}

}  // namespace tern
