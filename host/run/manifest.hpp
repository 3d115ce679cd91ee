#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern {

/// What run.json says: the layout of the directory, and of which data it is.
struct RunManifest {
  std::uint64_t fingerprint = 0;
  /// Sizes of the data, for people who must find out what has changed.
  std::int64_t users = 0;
  std::int64_t items = 0;
  std::int64_t train = 0;
  std::int64_t valid = 0;
  std::int64_t test = 0;

  friend bool operator==(const RunManifest&, const RunManifest&) = default;
};

inline constexpr char kManifestFile[] = "run.json";
inline constexpr char kMetricsFile[] = "metrics.jsonl";
inline constexpr char kCheckpointFolder[] = "checkpoints";
/// Raised when a reader of today could misread a run of tomorrow.
inline constexpr int kRunFormatVersion = 2;

/// Of all that a job with this configuration reads of the data.
RunManifest describe_data(const Dataset& data, const Config& config);

void write_manifest(const std::filesystem::path& file, const RunManifest& manifest);
/// Throws DataError.
RunManifest read_manifest(const std::filesystem::path& file);

}  // namespace tern
