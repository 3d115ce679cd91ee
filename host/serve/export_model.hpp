#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "host/serve/ranking_source.hpp"
#include "tern/config.hpp"
#include "tern/tensor_file.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// The formats of `tern export`, whose help describes the files.
enum class ExportFormat : std::uint8_t { kNpy, kSafetensors, kWord2Vec, kFaiss };

/// By its name: npy, safetensors, word2vec (or text, its name in version 0.2), faiss; none if it is another.
std::optional<ExportFormat> export_format(std::string_view name);

/// Gets a line on what was written. May be empty.
using ExportNote = std::function<void(std::string_view)>;

/// Writes the final embeddings and the ids of both sides to a directory, which is made; files that are there are replaced.
/// metadata: of the safetensors file. Throws Error if writing fails, and before anything is written if an id has a blank
/// that the format cannot hold.
void export_embeddings(RankingSource& source, const std::filesystem::path& folder,
                       ExportFormat format, std::map<std::string, std::string> metadata,
                       const ExportNote& note);

/// Throws ConfigError if a fitted model has no files of this format. option, "--format", is for the message.
void expect_exports_arrays(const Config& config, ExportFormat format, std::string_view option);

/// The same for a fitted model: its arrays, and the ids of items. Call expect_exports_arrays() before.
void export_arrays(const Config& config, TensorFile arrays, const Vocabulary& items,
                   const std::filesystem::path& folder, ExportFormat format,
                   const ExportNote& note);

}  // namespace tern
