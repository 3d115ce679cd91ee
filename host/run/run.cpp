#include "tern/run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "host/run/checkpoint_folder.hpp"
#include "host/run/lock.hpp"
#include "host/run/manifest.hpp"
#include "host/run/metrics.hpp"
#include "host/run/stored_data.hpp"
#include "host/run/tensorboard.hpp"
#include "host/support/files.hpp"
#include "host/support/unique_fd.hpp"
#include "tern/error.hpp"
#include "tern/report.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

constexpr char kConfigFile[] = "config.toml";
constexpr char kLogFile[] = "log.txt";
/// Exists while a run is being created: all files in the directory then belong to that run.
constexpr char kBegunFile[] = ".tern.begun";

/// The files of a run besides its checkpoints, in the order of their removal. The manifest goes
/// first: a directory without one is no run.
constexpr const char* kRunFiles[] = {kManifestFile,   kConfigFile, kMetricsFile,      kLogFile,
                                     kUsersFile,      kItemsFile,  kInteractionsFile, kFeaturesFile,
                                     kEmbeddingsFile, kFittedFile};

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !fs::is_directory(path)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) {
    throw Error(
        fmt::format("{}: the directory cannot be created: {}", path.string(), error.message()));
  }
}

/// Makes an empty file, which cannot be half written.
void mark_as_begun(const fs::path& path) {
  const fs::path file = path / kBegunFile;
  const UniqueFd mark(::open(file.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (mark.valid()) return;
  throw Error(fmt::format("{}: cannot be written: {}", file.string(),
                          std::generic_category().message(errno)));
}

/// Throws Error if a run would replace files of this directory, which is not a run's.
void expect_no_files(const fs::path& path) {
  const auto refuse = [&](const fs::path& file) {
    throw Error(fmt::format("{}: not the directory of a run, but it has a {}: choose another",
                            path.string(), file.string()));
  };
  for (const char* name : kRunFiles) {
    if (is_there(path / name)) refuse(name);
  }
  const CheckpointFolder folder(path / kCheckpointFolder);
  for (const auto& found : {folder.states(), folder.bests()}) {
    if (!found.empty()) refuse(fs::path(kCheckpointFolder) / found.front().path.filename());
  }
  const std::vector<fs::path> board = tensorboard_files(path / kTensorBoardFolder);
  if (!board.empty()) refuse(fs::path(kTensorBoardFolder) / board.front().filename());
}

void remove_run(const fs::path& path) {
  for (const char* name : kRunFiles) remove_file(path / name);
  remove_file(path / kReportFile);  // it is about the run that goes
  CheckpointFolder(path / kCheckpointFolder).clear();
  for (const fs::path& file : tensorboard_files(path / kTensorBoardFolder)) remove_file(file);
  for (const fs::path& folder : {path, path / kCheckpointFolder, path / kTensorBoardFolder}) {
    remove_temporary_files(folder);
  }
  remove_quietly(path / kTensorBoardFolder);  // unless it has files of others
}

/// Throws ShapeError if a split has other sizes than the names, as data that was made by hand can have.
void check_sizes(const Dataset& data) {
  for (const Interactions* split : {&data.train, &data.valid, &data.test}) {
    if (split->num_users() == data.users.size() && split->num_items() == data.items.size())
      continue;
    throw ShapeError(fmt::format(
        "the data has {} names of users and {} of items, but a split of {} users and {} items",
        data.users.size(), data.items.size(), split->num_users(), split->num_items()));
  }
}

/// The path as it is seen from any directory; "-" is standard input.
std::string absolute_data_path(const std::string& path) {
  if (path.empty() || path == "-") return path;
  return fs::absolute(path).lexically_normal().string();
}

}  // namespace

Run::Run(fs::path path, Config config, std::unique_ptr<RunLock> lock)
    : path_(std::move(path)),
      config_(std::move(config)),
      lock_(std::move(lock)),
      board_(std::make_unique<TensorBoardLog>(path_ / kTensorBoardFolder)) {}
Run::Run(Run&&) noexcept = default;
Run& Run::operator=(Run&&) noexcept = default;
Run::~Run() = default;

bool Run::is_run(const fs::path& path) {
  return is_there(path / kManifestFile);
}

void Run::expect_no_run(const fs::path& path) {
  if (!is_run(path)) return;
  throw Error(path.string() +
              " holds a run already: --resume it, --overwrite it, or choose another --out");
}

void Run::expect_room_for_run(const fs::path& path, Overwrite overwrite) {
  if (overwrite == Overwrite::kNo) expect_no_run(path);
  if (!is_run(path) && !is_there(path / kBegunFile)) expect_no_files(path);
  std::error_code ignored;
  fs::path place = fs::absolute(path).lexically_normal();
  while (!fs::exists(place, ignored) && place.has_relative_path()) place = place.parent_path();
  if (!fs::is_directory(place, ignored)) {
    throw Error(fmt::format("{}: the directory cannot be created: {} is no directory",
                            path.string(), place.string()));
  }
  if (::access(place.c_str(), W_OK | X_OK) != 0) {
    throw Error(fmt::format("{}: {} cannot be written: {}", path.string(), place.string(),
                            std::generic_category().message(errno)));
  }
}

Run Run::create(const fs::path& path, const Config& config, const Dataset& data,
                Overwrite overwrite) {
  check_sizes(data);
  const auto is_ours = [&] { return is_run(path) || is_there(path / kBegunFile); };
  if (!is_ours()) expect_no_files(path);  // before anything is written
  make_directories(path);
  auto lock = std::make_unique<RunLock>(path);
  if (overwrite == Overwrite::kNo) expect_no_run(path);
  if (is_ours()) {
    remove_run(path);
  } else {
    expect_no_files(path);
  }
  Config resolved = config;
  resolved.data_path = absolute_data_path(config.data_path);
  Run run(path, std::move(resolved), std::move(lock));
  try {
    mark_as_begun(path);
    make_directories(path / kCheckpointFolder);
    data.users.write(path / kUsersFile);
    data.items.write(path / kItemsFile);
    run.keep_data(data);
    write_file_atomically(path / kConfigFile, write_config(run.config_));
    // Last: a directory with a manifest is a whole run.
    const RunManifest manifest = describe_data(data, run.config_);
    write_manifest(path / kManifestFile, manifest);
    run.fingerprint_ = manifest.fingerprint;
  } catch (const Error&) {
    remove_run(path);
    remove_quietly(path / kBegunFile);
    throw;
  }
  remove_quietly(path / kBegunFile);
  return run;
}

Run Run::open(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    throw DataError(path.string(), 0, "not a directory, expected the directory of a run");
  }
  for (const char* name : {kManifestFile, kConfigFile, kUsersFile, kItemsFile}) {
    if (!fs::is_regular_file(path / name, ignored)) {
      throw DataError(path.string(), 0,
                      fmt::format("not the directory of a run: it has no {}", name));
    }
  }
  Run run(path, {}, nullptr);
  run.fingerprint_ = read_manifest(path / kManifestFile).fingerprint;
  try {
    read_config(run.config_, path / kConfigFile, &run.config_notes_);
    validate(run.config_);
  } catch (const ConfigError& error) {
    throw DataError((path / kConfigFile).string(), 0, error.what());
  }
  return run;
}

Run Run::resume(const fs::path& path) {
  if (!is_run(path)) return open(path);  // throws, naming the missing file
  // Lock before reading: another process may be replacing the run.
  auto lock = std::make_unique<RunLock>(path);
  Run run = open(path);
  run.lock_ = std::move(lock);
  make_directories(path / kCheckpointFolder);  // it may have been left out of a copy
  for (const fs::path& folder : {path, path / kCheckpointFolder, path / kTensorBoardFolder}) {
    remove_temporary_files(folder);
  }
  remove_quietly(path / kBegunFile);
  return run;
}

bool Run::locked() const noexcept {
  return lock_ != nullptr && lock_->held();
}

fs::path Run::log_file() const {
  return path_ / kLogFile;
}

void Run::set_config(const Config& config) {
  Config resolved = config;
  resolved.data_path = absolute_data_path(config.data_path);
  const std::string text = write_config(resolved);
  if (text != write_config(config_)) write_file_atomically(path_ / kConfigFile, text);
  config_ = std::move(resolved);
}

void Run::append(const EpochRecord& record) {
  const fs::path metrics = path_ / kMetricsFile;
  const std::string line = metrics_line(record);
  append_to_file(metrics, line);
  if (config_.log.tensorboard == Switch::kOn) board_->append(line, metrics, config_);
}

}  // namespace tern
