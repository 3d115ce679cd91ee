#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/tensor_file.hpp"
#include "tern/trainer.hpp"

namespace tern {

class RunLock;

/// A run directory: config.toml (fully resolved), run.json (format version, fingerprint and sizes
/// of the data), metrics.jsonl (an object an epoch), log.txt, users.tsv and items.tsv (names in id
/// order), checkpoints/: training states, epoch-N.safetensors (N whole epochs) and
/// epoch-N-step-S.safetensors (and S steps), and best-N.safetensors, parameters alone. Metadata of
/// a checkpoint: format version, build, model, configuration and its hash, data fingerprint,
/// progress, and a checksum of all.
///
/// An object that may write to the directory holds its lock (.tern.lock) while it exists: create()
/// and resume() of any other process throw an Error that names the owner. Files are written beside
/// and renamed, except metrics.jsonl and log.txt, to which whole lines are appended.
class Run {
 public:
  /// Makes the directory and writes configuration and vocabularies. With Overwrite::kYes the files
  /// of a former run are removed first. Throws Error if the directory holds a run and overwrite is
  /// kNo, or if it is another directory that has files of these names. A directory whose creation
  /// was interrupted does not count as a run. If writing fails, all files written are removed.
  enum class Overwrite : std::uint8_t { kNo, kYes };
  static Run create(const std::filesystem::path& path, const Config& config, const Dataset& data,
                    Overwrite overwrite = Overwrite::kNo);
  /// Opens a run for reading; it may be in training. Throws DataError, naming the missing or
  /// damaged file.
  static Run open(const std::filesystem::path& path);
  /// Opens a run to continue its training, and removes the temporary files of a killed process.
  static Run resume(const std::filesystem::path& path);
  /// Whether there is a run in this directory.
  static bool is_run(const std::filesystem::path& path);

  Run(Run&&) noexcept;
  Run& operator=(Run&&) noexcept;
  ~Run();

  const std::filesystem::path& path() const noexcept { return path_; }
  const Config& config() const noexcept { return config_; }
  std::filesystem::path log_file() const;

  /// Changes the configuration for the training to come.
  void set_config(const Config& config);

  /// Appends one line, whole or not at all. JSON keys: epoch, loss, bpr_loss, l2_loss, seconds,
  /// triplets_per_second; if the epoch was evaluated, best and every metric by its name; if the
  /// monitors checked it, evaluation_seconds, user_mean_norm, user_max_norm, user_mean_cosine,
  /// user_min_column_deviation, user_max_column_deviation, user_effective_rank,
  /// user_gradient_norm, and the same for item_...; if the embeddings have collapsed or blown up,
  /// collapse, a list of sentences. Numbers that are not finite become null.
  void append(const EpochRecord& record);
  /// A place in training, by which checkpoints are ordered: finished epochs, then steps.
  struct Place {
    int epoch = 0;
    std::int64_t step = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  /// Prepares the directory for training that continues from this place: removes later metrics and
  /// everything from a damaged line on, removes best parameters that no remaining state continues
  /// from, and renames later states to NAME.aside.
  void forget_after(const Place& place);

  /// Writes the parameters of the best epoch so far. Call it before write_state() with a state that
  /// refers to this epoch. scheduled_best: the best epoch of that state, which is an earlier one if
  /// this epoch was evaluated off the schedule.
  void write_best(const TensorFile& parameters, int epoch, int scheduled_best);
  /// Writes a checkpoint of this state. Older states beyond config().checkpoint.keep are removed,
  /// and best parameters that no remaining state refers to.
  void write_state(TrainingState state);

  /// The model's parameters: those of the newest state ("last"), or of the best epoch so far
  /// ("best"), which is the newest state's if no epoch was evaluated. Throws DataError if there is
  /// no checkpoint or it is damaged.
  TensorFile read_checkpoint(std::string_view name) const;

  struct SavedState {
    TrainingState state;
    std::filesystem::path path;
  };
  /// The newest undamaged state, if any; with `before`, the newest one before that place. *damaged
  /// gets a sentence for each damaged file. Throws MemoryError, Error if a file cannot be opened,
  /// and DataError if it has another format or belongs to other data.
  std::optional<SavedState> newest_state(std::vector<std::string>* damaged = nullptr,
                                         const std::optional<Place>& before = std::nullopt) const;
  /// False if the file system has no locks: two jobs can then write to the same directory.
  bool locked() const noexcept;

  /// Throws DataError for the file `where`, with the difference, if the data is not that of the
  /// run.
  void check_data(const Dataset& data, std::string_view where) const;
  /// Loads the run's data again, and checks it.
  Dataset load_data() const;

 private:
  Run(std::filesystem::path path, Config config, std::unique_ptr<RunLock> lock);
  void describe_checkpoint(TensorFile& file) const;
  std::filesystem::path checkpoint_path(std::string_view name) const;
  TensorFile read_own_checkpoint(const std::filesystem::path& path) const;

  std::filesystem::path path_;
  Config config_;
  std::uint64_t fingerprint_ = 0;
  std::unique_ptr<RunLock> lock_;  // null: opened for reading
};

/// Throws Error if the file system has no room for the first checkpoints of the run, with the bytes
/// needed, the bytes free, and what to change. The directory need not exist yet.
void check_space(const std::filesystem::path& run, const Config& config, std::int64_t state_bytes);

}  // namespace tern
