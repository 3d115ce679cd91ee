// What a run keeps of its training: metrics and checkpoints. The directory itself: run.cpp.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "host/run/checkpoint.hpp"
#include "host/run/checkpoint_folder.hpp"
#include "host/run/manifest.hpp"
#include "host/run/training_progress.hpp"
#include "host/support/files.hpp"
#include "host/support/unique_fd.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tern/version.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uintmax_t kMaxMetricsBytes = std::uintmax_t{1} << 32;

void add_monitors(Json& line, std::string_view side, const EmbeddingStatistics& statistics) {
  const auto add = [&](std::string_view name, double value) {
    line[fmt::format("{}_{}", side, name)] = value;
  };
  add("mean_norm", statistics.mean_norm);
  add("max_norm", statistics.max_norm);
  add("mean_cosine", statistics.mean_cosine);
  add("min_column_deviation", statistics.min_column_deviation);
  add("max_column_deviation", statistics.max_column_deviation);
  add("effective_rank", statistics.effective_rank);
}

/// Of what decides the numbers: not of where the data lies (the fingerprint speaks for it), nor of
/// the threads, nor of how often it is written down, so that the same training on the same kind of
/// device gives the same file.
Config numeric_part(Config config) {
  config.data_path.clear();
  config.threads = 0;
  config.checkpoint = {};
  return config;
}

void bring_to_disk(const fs::path& file) {
  const UniqueFd opened(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!opened.valid() || ::fsync(opened.get()) == 0) return;  // no epoch may be done yet
  throw Error(fmt::format("{}: cannot be brought to disk: {}", file.string(),
                          std::generic_category().message(errno)));
}

/// Appends one line, whole or not at all.
void append_line(const fs::path& file, const std::string& line) {
  const UniqueFd out(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666));
  struct stat before {};
  const bool opened = out.valid() && ::fstat(out.get(), &before) == 0;
  const ssize_t written = opened ? ::write(out.get(), line.data(), line.size()) : -1;
  if (written == static_cast<ssize_t>(line.size())) return;
  const int reason = written < 0 ? errno : ENOSPC;
  if (written > 0 && ::ftruncate(out.get(), before.st_size) != 0) errno = 0;  // resuming mends it
  throw Error(fmt::format("{}: cannot be written: {}", file.string(),
                          std::generic_category().message(reason)));
}

/// The epoch that a state has selected as the best; 0 where there is none or it cannot be read.
int selected_epoch(const fs::path& state) {
  try {
    return read_progress(read_safetensors_metadata(state), state.string()).selected_epoch;
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

void Run::append(const EpochRecord& record) {
  Json line{{"epoch", record.epoch},       {"loss", record.loss},
            {"bpr_loss", record.bpr_loss}, {"l2_loss", record.l2_loss},
            {"seconds", record.seconds},   {"triplets_per_second", record.triplets_per_second}};
  if (record.metrics.has_value()) {
    line["best"] = record.best;
    for (const auto& [name, value] : *record.metrics) line[name] = value;
  }
  // Statistics of no rows mean that the monitors did not look.
  if (record.users.rows > 0) {
    line["evaluation_seconds"] = record.evaluation_seconds;
    add_monitors(line, "user", record.users);
    line["user_gradient_norm"] = record.user_gradient_norm;
    add_monitors(line, "item", record.items);
    line["item_gradient_norm"] = record.item_gradient_norm;
  }
  if (!record.collapse.empty()) line["collapse"] = record.collapse;
  append_line(path_ / kMetricsFile,
              line.dump() + "\n");  // dump() writes what is not finite as null
}

void Run::forget_after(const Place& place) {
  CheckpointFolder(path_ / kCheckpointFolder).forget_after(place.epoch, place.step);
  const fs::path file = path_ / kMetricsFile;
  if (!is_there(file)) return;
  const std::string text = read_small_file(file, kMaxMetricsBytes);
  std::istringstream stream(text);
  std::string kept;
  for (std::string line; std::getline(stream, line);) {
    const Json record = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object() || !record.contains("epoch") || !record["epoch"].is_number_integer() ||
        record["epoch"].get<std::int64_t>() > place.epoch) {
      break;
    }
    kept += line + "\n";
  }
  if (kept != text) write_file_atomically(file, kept);
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

void Run::write_best(const TensorFile& parameters, int epoch, int going_on) {
  const CheckpointFolder folder(path_ / kCheckpointFolder);
  TensorFile file = parameters;
  describe_checkpoint(file);
  file.metadata["epoch"] = std::to_string(epoch);
  write_checkpoint(folder.best_path(epoch), std::move(file));
  folder.prune_bests({epoch, going_on});
}

void Run::write_state(TensorFile state) {
  const CheckpointFolder folder(path_ / kCheckpointFolder);
  const TrainingProgress progress = read_progress(state.metadata, "training state");
  describe_checkpoint(state);
  bring_to_disk(path_ / kMetricsFile);  // a state counts on the lines of its epochs
  write_checkpoint(folder.state_path(progress.epoch, progress.step), std::move(state));
  folder.prune(progress.epoch, progress.step, config_.checkpoint.keep);
}

/// A checkpoint whose metadata say that it is of this run.
TensorFile Run::read_own_checkpoint(const fs::path& path) const {
  TensorFile file = tern::read_checkpoint(path);
  // The hash of the configuration is for people: a device or a list of k may be edited later.
  const auto expect = [&](const char* key, std::string_view wanted) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) {
      throw DataError(path.string(), 0, fmt::format("its metadata has no {}", key));
    }
    if (found->second != wanted) {
      throw DataError(
          path.string(), 0,
          fmt::format("its metadata says {} {}, expected {}", key, found->second, wanted));
    }
  };
  expect("format_version", std::to_string(kRunFormatVersion));
  expect("model", model_name(config_.model.kind));
  expect("data_fingerprint", hexadecimal(fingerprint_));
  return file;
}

/// Of "best" or "last": the file that it is in now.
fs::path Run::checkpoint_path(std::string_view name) const {
  const CheckpointFolder folder(path_ / kCheckpointFolder);
  const std::vector<CheckpointFolder::Entry> states = folder.states();
  if (name == "best") {
    const std::vector<CheckpointFolder::Entry> bests = folder.bests();
    // Later than the newest state, a best one is of the training under way. Otherwise that counts
    // which the state has selected.
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
    throw DataError(folder.path().string(), 0,
                    "there is no checkpoint yet: training has not come that far");
  }
  return states.front().path;
}

TensorFile Run::read_checkpoint(std::string_view name) const {
  if (name != "best" && name != "last") {
    throw Error(fmt::format("a run has the checkpoints best and last, not \"{}\"", name));
  }
  // Training that is under way removes files as it goes.
  constexpr int kTries = 5;
  fs::path path = checkpoint_path(name);
  for (int i = 1; i < kTries && !is_there(path); ++i) path = checkpoint_path(name);
  TensorFile file = read_own_checkpoint(path);
  std::erase_if(file.tensors, [](const auto& tensor) {
    return tensor.first.starts_with("optimizer.") || tensor.first.starts_with("training.");
  });
  return file;
}

std::optional<Run::SavedState> Run::newest_state(std::vector<std::string>* damaged,
                                                 const std::optional<Place>& before) const {
  for (const CheckpointFolder::Entry& entry :
       CheckpointFolder(path_ / kCheckpointFolder).states()) {
    if (before && Place{entry.epoch, entry.step} >= *before) continue;
    try {
      SavedState state{read_own_checkpoint(entry.path), entry.path, {}};
      state.progress = read_progress(state.file.metadata, entry.path.string());
      return state;
    } catch (const DamagedCheckpoint& error) {
      if (damaged != nullptr) damaged->emplace_back(error.what());
    }
  }
  return std::nullopt;
}

}  // namespace tern
