#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/tensor_file.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// A run directory: config.toml (fully resolved), run.json (format version and fingerprint of the
/// data), metrics.jsonl (an object an epoch), users.tsv and items.tsv (names in id order),
/// checkpoints/{best,last}.safetensors (parameters; metadata: format version, model, epoch, config
/// hash, data fingerprint).
class Run {
 public:
  /// Makes the directory and writes config and vocabularies. Throws Error when it already holds a
  /// run and overwrite is not asked for; with kYes the former run's files are removed first.
  enum class Overwrite : std::uint8_t { kNo, kYes };
  static Run create(const std::filesystem::path& path, const Config& config, const Dataset& data,
                    Overwrite overwrite = Overwrite::kNo);
  /// Opens a finished or stopped run. Throws DataError naming what is missing or damaged.
  static Run open(const std::filesystem::path& path);

  const std::filesystem::path& path() const noexcept { return path_; }
  const Config& config() const noexcept { return config_; }

  /// Appends one line, flushed. JSON keys: epoch, loss, bpr_loss, l2_loss, seconds,
  /// triplets_per_second; where metrics were measured best and every metric by its name; where
  /// the monitors looked evaluation_seconds, user_mean_norm, user_max_norm, user_mean_cosine,
  /// user_min_column_deviation, user_max_column_deviation, user_effective_rank,
  /// user_gradient_norm, item_... likewise; where they found embeddings collapsed or blown up
  /// collapse, a list of sentences. What is not finite is null.
  void append(const EpochRecord& record);
  /// name: "best" or "last". Adds the metadata; atomic.
  void write_checkpoint(std::string_view name, const TensorFile& parameters, int epoch);
  TensorFile read_checkpoint(std::string_view name) const;

  /// Loads the run's data again, and checks that it is what was trained on (DataError if not).
  Dataset load_data() const;

 private:
  Run(std::filesystem::path path, Config config, std::uint64_t fingerprint)
      : path_(std::move(path)), config_(std::move(config)), fingerprint_(fingerprint) {}

  std::filesystem::path path_;
  Config config_;
  std::uint64_t fingerprint_ = 0;
};

/// Uploads the parameters of a checkpoint into a model, by name. Throws DataError when one is
/// missing, left over, or of another shape.
void load_parameters(Backend& backend, Model& model, const TensorFile& parameters);

}  // namespace tern
