#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>

#include "host/run/manifest.hpp"
#include "host/run/projector.hpp"
#include "host/run/stored_data.hpp"
#include "host/run/tensorboard.hpp"
#include "host/support/files.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"
#include "tern/run.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

/// The space at a directory or, if it does not exist, at the nearest existing parent.
fs::space_info space_at(const fs::path& directory, std::error_code& error) {
  fs::path place = fs::absolute(directory);
  while (!fs::exists(place, error) && place.has_relative_path()) place = place.parent_path();
  return fs::space(place, error);
}

double bytes_in(const fs::path& directory) {
  double sum = 0.0;
  for (const fs::path& file : list_directory(directory)) {
    std::error_code unknown;
    const std::uintmax_t size = fs::file_size(file, unknown);
    if (!unknown) sum += static_cast<double>(size);
  }
  return sum;
}

/// The files of the run that are there already: they are replaced, or not written again.
double bytes_in_files(const fs::path& run) {
  double sum = 0.0;
  for (const char* name : {kInteractionsFile, kFeaturesFile, kEmbeddingsFile, kFittedFile}) {
    std::error_code unknown;
    const std::uintmax_t size = fs::file_size(run / name, unknown);
    if (!unknown) sum += static_cast<double>(size);
  }
  for (const char* name : kProjectorFiles) {
    std::error_code unknown;
    const std::uintmax_t size = fs::file_size(run / kTensorBoardFolder / name, unknown);
    if (!unknown) sum += static_cast<double>(size);
  }
  return sum;
}

double bytes_of_copy(const Dataset& data, const Config& config) {
  double bytes = 0.0;
  for (const Interactions* split : {&data.train, &data.valid, &data.test}) {
    bytes += static_cast<double>(split->offsets().size_bytes() + split->items().size_bytes());
  }
  // At most: columns of 0 and 1 are stored in less.
  if (reads_features(config.model)) {
    for (const std::optional<Features>* side : {&data.user_features, &data.item_features}) {
      if (*side) bytes += static_cast<double>((*side)->values.size() * sizeof(float));
    }
  }
  return bytes;
}

/// Once, and once more while they are replaced.
double bytes_of_embeddings(const Dataset& data, const Config& config) {
  const double nodes = static_cast<double>(data.users.size()) + data.items.size();
  return 2.0 * nodes * config.model.width * sizeof(float);
}

/// The files for TensorBoard's projector, which are replaced one by one. A number takes at most 15 bytes.
double bytes_of_projector(const Dataset& data, const Config& config) {
  if (config.log.tensorboard == Switch::kOff) return 0.0;
  double bytes = 0.0;
  for (const Vocabulary* names : {&data.users, &data.items}) {
    if (names->size() == 0) continue;
    double of_names = 0.0;
    for (NodeId id = 0; id < names->size(); ++id) {
      of_names += static_cast<double>(names->name(id).size());
    }
    const double nodes = std::min(names->size(), kMaxProjectedNodes);
    constexpr double kDegreeBytes = 12.0;
    bytes += nodes * (15.0 * config.model.width + of_names / names->size() + kDegreeBytes);
  }
  return bytes;
}

/// The free bytes for a run in this directory, whose own files count as free; none if unknown.
std::optional<double> free_bytes(const fs::path& run) {
  std::error_code error;
  const fs::space_info space = space_at(run, error);
  if (error || space.capacity == 0) return std::nullopt;
  return static_cast<double>(space.available) + bytes_in(run / kCheckpointFolder) +
         bytes_in_files(run);
}

}  // namespace

void check_space(const fs::path& run, const Config& config, const Dataset& data,
                 std::int64_t state_bytes) {
  // Adam keeps two moments beside the parameters; SGD keeps a velocity if it has momentum.
  const bool is_adam = config.optimizer.kind == OptimizerKind::kAdam;
  const double tables = is_adam ? 3.0 : config.optimizer.sgd.momentum != 0.0 ? 2.0 : 1.0;
  const auto state = static_cast<double>(state_bytes);
  // At most two kept states, since more of them come only later, and one that is being written.
  const double states = std::min(config.checkpoint.keep, 2) + 1.0;
  const double need = states * (state + state / tables) + bytes_of_copy(data, config) +
                      bytes_of_embeddings(data, config) + bytes_of_projector(data, config);
  const std::optional<double> free = free_bytes(run);
  if (!free || need <= *free) return;
  throw Error(fmt::format(
      "{}: not enough disk space for the run: {} needed ({:.0f} states of {}, one of them being "
      "written, with their best parameters, the final embeddings{} and a copy of the data), {} "
      "free: make room, choose another --out, or lower checkpoint.keep or model.width",
      run.string(), format_bytes(static_cast<std::int64_t>(need)), states,
      format_bytes(state_bytes),
      config.log.tensorboard == Switch::kOn ? ", those of TensorBoard's projector" : "",
      format_bytes(static_cast<std::int64_t>(*free))));
}

void check_fitted_space(const fs::path& run, const Config& config, const Dataset& data,
                        std::int64_t array_bytes) {
  const double need = static_cast<double>(array_bytes) + bytes_of_copy(data, config);
  const std::optional<double> free = free_bytes(run);
  if (!free || need <= *free) return;
  throw Error(
      fmt::format("{}: not enough disk space for the run: {} needed ({} for the model, and a copy "
                  "of the data), {} free: make room, or choose another --out",
                  run.string(), format_bytes(static_cast<std::int64_t>(need)),
                  format_bytes(array_bytes), format_bytes(static_cast<std::int64_t>(*free))));
}

}  // namespace tern
