#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/model.hpp"
#include "tern/tensor_file.hpp"
#include "tern/trainer.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

class RunLock;
class TensorBoardLog;

/// Final embeddings: the score of an item for a user is the dot product of their rows, or
/// their cosine, as evaluation.score says.
struct FinalEmbeddings {
  Tensor users;  // (U, D), f32 or, if the reference backend trained, f64
  Tensor items;  // (I, D)
  int epoch = 0;
};

/// A run directory. It is complete in itself: neither training nor ranking needs other files.
///
///   config.toml                settings, fully resolved
///   run.json                   format version, fingerprint and sizes of the data
///   users.tsv, items.tsv       names in id order
///   interactions.safetensors   the three splits, as CSR
///   features.safetensors       features, if the model reads them
///   metrics.jsonl              an object an epoch
///   log.txt                    messages
///   embeddings.safetensors     final embeddings of one checkpoint, which its metadata names
///   report.html                a page about the run, if tern report wrote one
///   fitted.safetensors         instead of both: the arrays of a model that is fitted, not trained
///   tensorboard/               events and embeddings for TensorBoard, with log.tensorboard = true
///   checkpoints/               training states, epoch-N.safetensors (N whole epochs) and
///                              epoch-N-step-S.safetensors (and S steps), and parameters alone,
///                              best-N.safetensors
///
/// Metadata of a checkpoint: format version, build, model, configuration and its hash, data
/// fingerprint, progress, and a checksum of all. Runs made before version 0.2 hold no data and no
/// embeddings: their data is loaded from where it was.
///
/// An object that may write to the directory holds its lock (.tern.lock) while it exists: create()
/// and resume() of any other process throw an Error that names the owner. Files are written beside
/// and renamed, except metrics.jsonl and log.txt, to which whole lines are appended.
class Run {
 public:
  /// Makes the directory and writes configuration and vocabularies. With Overwrite::kYes the files
  /// of a former run are removed first. Throws Error if the directory holds a run and overwrite is
  /// kNo, or if it is another directory that has files of these names. A directory whose creation
  /// was interrupted does not count as a run. If writing fails, all files written are removed. Throws
  /// ShapeError if the splits do not have the sizes of the names.
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
  /// Throws Error, with what to do, if there is one.
  static void expect_no_run(const std::filesystem::path& path);
  /// Throws Error if create() would refuse this directory, or cannot write to it. Writes nothing. For
  /// long work before create().
  static void expect_room_for_run(const std::filesystem::path& path, Overwrite overwrite);

  Run(Run&&) noexcept;
  Run& operator=(Run&&) noexcept;
  ~Run();

  const std::filesystem::path& path() const noexcept { return path_; }
  const Config& config() const noexcept { return config_; }
  /// A sentence for each key of config.toml that this version no longer has.
  const std::vector<std::string>& config_notes() const noexcept { return config_notes_; }
  std::filesystem::path log_file() const;

  /// Changes the configuration for the training to come.
  void set_config(const Config& config);

  /// Appends one line, whole or not at all. JSON keys:
  ///   always: epoch, seconds
  ///   if the model is trained: loss, that of the ranking loss (bpr_loss, softmax_loss, directau_loss
  ///     or ccl_loss), l2_loss, triplets_per_second, and contrast_loss if there is a contrast
  ///   if the epoch was evaluated: best, and every metric by its name
  ///   if the monitors checked it: evaluation_seconds, user_mean_norm, user_max_norm,
  ///     user_mean_cosine, user_min_column_deviation, user_max_column_deviation,
  ///     user_effective_rank, user_gradient_norm, and the same for item_...
  ///   if the embeddings have collapsed or blown up: collapse, a list of sentences
  /// A fitted model has one line, for epoch 0. Numbers that are not finite become null. With
  /// log.tensorboard = true, the numbers also go to TensorBoard's event files.
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
  /// Whether "best" is a selected epoch, and not the newest state for lack of one. If all checkpoints were
  /// deleted, the embeddings count as the best. Throws as read_checkpoint() does.
  bool has_best() const;

  struct SavedState {
    TrainingState state;
    std::filesystem::path path;
  };
  /// The newest undamaged state, if any; with `before`, the newest one before that place. *damaged
  /// gets a sentence for each damaged file. Throws MemoryError, Error if a file cannot be opened,
  /// and DataError if it has another format or belongs to other data.
  std::optional<SavedState> newest_state(std::vector<std::string>* damaged = nullptr,
                                         const std::optional<Place>& before = std::nullopt) const;
  /// The place of the newest state by the name of its file, which may be damaged; none without one.
  std::optional<Place> newest_place() const;
  /// False if the file system has no locks: two jobs can then write to the same directory.
  bool locked() const noexcept;

  /// Whether the run holds a copy of its data.
  bool holds_data() const;
  /// Copies the data into the run, if it holds none. create() does this; call it after check_data()
  /// when a run of an older version is resumed.
  void keep_data(const Dataset& data);
  /// Throws DataError for the file `where`, with the difference, if the data is not that of the
  /// run.
  void check_data(const Dataset& data, std::string_view where) const;
  /// The parts of the data to load: all, or all but the features.
  enum class DataParts : std::uint8_t { kAll, kInteractions };
  /// Loads the run's data and checks it. A run without a copy loads the original, where it was.
  Dataset load_data(DataParts parts = DataParts::kAll) const;
  /// Only the names of one side.
  Vocabulary load_names(Side side) const;
  /// Whether the run's data has features of one side. They are not loaded.
  bool has_features(Side side) const;

  /// Computes the final embeddings of the best checkpoint with this model, and writes them. The
  /// model's parameters are then those of the best checkpoint.
  void write_embeddings(Backend& backend, Model& model);
  /// Writes final embeddings that were computed before. They are those of the best checkpoint if the run
  /// has no checkpoints.
  void write_embeddings(const FinalEmbeddings& embeddings);
  /// With log.tensorboard = true, writes the final embeddings that were last written for TensorBoard's
  /// projector: those of the 10,000 users and the 10,000 items with the most interactions. Else, and in a
  /// run without embeddings, does nothing. Throws as read_embeddings() does, and Error.
  void write_projector() const;
  /// Whether the final embeddings that were last written are those of a checkpoint, "best" or
  /// "last". In a run whose checkpoints were all deleted, they count as the best.
  bool has_embeddings(std::string_view name) const;
  /// These embeddings; none if there are none, or only of another checkpoint: they are then to be
  /// computed from its parameters. Throws DataError if the file is damaged, and as read_checkpoint()
  /// does.
  std::optional<FinalEmbeddings> read_embeddings(std::string_view name) const;

  /// Writes the arrays of a fitted model (is_fitted()) as a checkpoint. The run is then complete.
  void write_fitted(TensorFile arrays);
  /// Whether they are there: a run of a fitted model without them was never completed.
  bool has_fitted() const;
  std::filesystem::path fitted_path() const;
  /// Throws DataError if they are missing, damaged or of another run, and MemoryError.
  TensorFile read_fitted() const;

 private:
  Run(std::filesystem::path path, Config config, std::unique_ptr<RunLock> lock);
  void describe_checkpoint(TensorFile& file) const;
  std::filesystem::path checkpoint_path(std::string_view name) const;
  std::filesystem::path find_checkpoint(std::string_view name) const;
  TensorFile read_own_checkpoint(const std::filesystem::path& path) const;
  bool are_embeddings_of(const std::map<std::string, std::string>& metadata,
                         std::string_view name) const;
  Dataset load_original_data() const;

  std::filesystem::path path_;
  Config config_;
  std::vector<std::string> config_notes_;
  std::uint64_t fingerprint_ = 0;
  std::unique_ptr<RunLock> lock_;  // null: opened for reading
  std::unique_ptr<TensorBoardLog> board_;
};

/// Throws Error if the file system has no room for the copy of the data, the final embeddings and
/// the first checkpoints of the run, with the bytes needed, the bytes free, and what to change. The
/// directory need not exist yet.
void check_space(const std::filesystem::path& run, const Config& config, const Dataset& data,
                 std::int64_t state_bytes);
/// The same for a run of a fitted model, whose arrays take array_bytes.
void check_fitted_space(const std::filesystem::path& run, const Config& config, const Dataset& data,
                        std::int64_t array_bytes);

}  // namespace tern
