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

/// A run directory: config.toml (fully resolved), run.json (format version, fingerprint and sizes
/// of the data), metrics.jsonl (an object an epoch), log.txt, users.tsv and items.tsv (names in id
/// order), checkpoints/: states to go on from, epoch-N.safetensors (N whole epochs) and
/// epoch-N-step-S.safetensors (and S steps), and best-N.safetensors, parameters alone. Metadata of
/// a checkpoint: format version, build, model, configuration and its hash, data fingerprint,
/// progress, and a checksum of all.
///
/// Who may write to the directory holds its lock (.tern.lock) for as long as the object exists: any
/// other process is refused by create() and resume(), with an Error that names the first. Every
/// file is written beside and renamed, metrics.jsonl and log.txt apart, which get whole lines.
class Run {
 public:
  /// Makes the directory and writes config and vocabularies. Throws Error when it already holds a
  /// run and overwrite is not asked for, or files of these names that are no run's; with kYes the
  /// former run's files are removed first. A run that a process was killed while making counts as
  /// none. Where writing fails, what was written is removed again.
  enum class Overwrite : std::uint8_t { kNo, kYes };
  static Run create(const std::filesystem::path& path, const Config& config, const Dataset& data,
                    Overwrite overwrite = Overwrite::kNo);
  /// Opens a finished or stopped run, or one that is being trained, to read. Throws DataError
  /// naming what is missing or damaged.
  static Run open(const std::filesystem::path& path);
  /// Opens it to train on, and removes what a killed process had begun to write.
  static Run resume(const std::filesystem::path& path);
  /// Whether there is a run in this directory.
  static bool is_run(const std::filesystem::path& path);

  Run(Run&&) noexcept;
  Run& operator=(Run&&) noexcept;
  ~Run();

  const std::filesystem::path& path() const noexcept { return path_; }
  const Config& config() const noexcept { return config_; }
  std::filesystem::path log_file() const;

  /// The configuration of the training to come, where it is not that of the past.
  void set_config(const Config& config);

  /// Appends one line, whole or not at all. JSON keys: epoch, loss, bpr_loss, l2_loss, seconds,
  /// triplets_per_second; where metrics were measured best and every metric by its name; where
  /// the monitors looked evaluation_seconds, user_mean_norm, user_max_norm, user_mean_cosine,
  /// user_min_column_deviation, user_max_column_deviation, user_effective_rank,
  /// user_gradient_norm, item_... likewise; where they found embeddings collapsed or blown up
  /// collapse, a list of sentences. What is not finite is null.
  void append(const EpochRecord& record);
  /// A place in training, by which checkpoints are ordered: steps of an epoch after whole ones.
  struct Place {
    int epoch = 0;
    std::int64_t step = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  /// Training goes on from here: keeps the metrics up to there, a broken line ends them, and the
  /// best parameters that the states speak of; later states are renamed to NAME.aside.
  void forget_after(const Place& place);

  /// The parameters of an epoch that is the best so far; before the state that speaks of it.
  /// going_on: the best epoch that the next state will go on from, the same or, where this was
  /// evaluated off the schedule, an earlier one.
  void write_best(const TensorFile& parameters, int epoch, int going_on);
  /// Writes a checkpoint of this state. Older states beyond config().checkpoint.keep are removed,
  /// and best parameters that no remaining state refers to.
  void write_state(TrainingState state);

  /// The model's parameters. "last": of the newest state; "best": of the best epoch so far, or the
  /// newest state's where none was measured. Throws DataError where there is none or it is damaged.
  TensorFile read_checkpoint(std::string_view name) const;

  struct SavedState {
    TrainingState state;
    std::filesystem::path path;
  };
  /// The newest state that is whole, if any, and older than `before` where that is given. *damaged
  /// gets a sentence on each that is not. Throws what is no damage: MemoryError, Error where a file
  /// cannot be opened, DataError where it is of another format or data.
  std::optional<SavedState> newest_state(std::vector<std::string>* damaged = nullptr,
                                         const std::optional<Place>& before = std::nullopt) const;
  /// False where the file system has no locks: then nobody keeps two jobs apart.
  bool locked() const noexcept;

  /// Throws DataError for `where`, with the difference, where the data is not what was trained on.
  void check_data(const Dataset& data, std::string_view where) const;
  /// Loads the run's data again, and checks it.
  Dataset load_data() const;

 private:
  struct Access;
  Run(std::filesystem::path path, Config config, std::unique_ptr<Access> access);
  void describe_checkpoint(TensorFile& file) const;
  std::filesystem::path checkpoint_path(std::string_view name) const;
  TensorFile read_own_checkpoint(const std::filesystem::path& path) const;

  std::filesystem::path path_;
  Config config_;
  std::uint64_t fingerprint_ = 0;
  std::unique_ptr<Access> access_;  // none: to read
};

/// Throws Error where the file system has no room for the first checkpoints of a run, there already
/// or to be, with the need, what is free, and what to change.
void check_space(const std::filesystem::path& run, const Config& config, std::int64_t state_bytes);

}  // namespace tern
