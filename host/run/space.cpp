#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <system_error>

#include "host/support/files.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"
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

}  // namespace

void check_space(const fs::path& run, const Config& config, std::int64_t state_bytes) {
  std::error_code error;
  const fs::space_info space = space_at(run, error);
  if (error || space.capacity == 0) return;  // unknown: nothing to compare with
  // Adam keeps two moments beside the parameters; SGD keeps a velocity if it has momentum.
  const bool is_adam = config.optimizer.kind == OptimizerKind::kAdam;
  const double tables = is_adam ? 3.0 : config.optimizer.sgd.momentum != 0.0 ? 2.0 : 1.0;
  const auto state = static_cast<double>(state_bytes);
  // At most two kept states, since more of them come only later, and one that is being written.
  const double states = std::min(config.checkpoint.keep, 2) + 1.0;
  const double need = states * (state + state / tables);
  const double free = static_cast<double>(space.available) + bytes_in(run / "checkpoints");
  if (need <= free) return;
  throw Error(fmt::format(
      "{}: not enough disk space for checkpoints: {} needed ({:.0f} states of {}, one of them "
      "being written, with their best parameters), {} free: make room, choose another --out, or "
      "lower checkpoint.keep or model.width",
      run.string(), format_bytes(static_cast<std::int64_t>(need)), states,
      format_bytes(state_bytes), format_bytes(static_cast<std::int64_t>(free))));
}

}  // namespace tern
