#pragma once

#include <array>
#include <filesystem>

#include "tern/dataset.hpp"
#include "tern/run.hpp"

namespace tern {

/// More points than these make TensorBoard's projector slow, which draws them in a browser.
inline constexpr NodeId kMaxProjectedNodes = 10'000;

inline constexpr std::array<const char*, 5> kProjectorFiles{
    "projector_config.pbtxt", "user_embeddings.tsv", "user_metadata.tsv", "item_embeddings.tsv",
    "item_metadata.tsv"};

/// Writes final embeddings for TensorBoard's projector, a file of vectors and one of names for each side:
/// of the kMaxProjectedNodes nodes with the most interactions for training, the most first, ties by
/// number. Columns of a file of names: id, interactions. Throws Error with the system's reason. Source:
/// tensorboard/plugins/projector, projector_config.proto.
void write_projector_files(const std::filesystem::path& folder, const FinalEmbeddings& embeddings,
                           const Dataset& data);

}  // namespace tern
