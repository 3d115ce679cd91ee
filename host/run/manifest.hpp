#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern {

/// The contents of run.json: the fingerprint and the sizes of the data.
struct RunManifest {
  std::uint64_t fingerprint = 0;
  std::int64_t users = 0;
  std::int64_t items = 0;
  std::int64_t train = 0;
  std::int64_t valid = 0;
  std::int64_t test = 0;

  friend bool operator==(const RunManifest&, const RunManifest&) = default;
};

inline constexpr char kManifestFile[] = "run.json";
inline constexpr char kMetricsFile[] = "metrics.jsonl";
inline constexpr char kEmbeddingsFile[] = "embeddings.safetensors";
inline constexpr char kFittedFile[] = "fitted.safetensors";
inline constexpr char kCheckpointFolder[] = "checkpoints";
/// Increased when an older program would misread a newer run.
inline constexpr int kRunFormatVersion = 2;

/// Describes the part of the data that a job with this configuration reads.
RunManifest describe_data(const Dataset& data, const Config& config);

void write_manifest(const std::filesystem::path& file, const RunManifest& manifest);
/// Throws DataError.
RunManifest read_manifest(const std::filesystem::path& file);

}  // namespace tern
