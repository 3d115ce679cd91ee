// The members of Run that write and read final embeddings.

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "host/run/checkpoint.hpp"
#include "host/run/checkpoint_folder.hpp"
#include "host/run/manifest.hpp"
#include "host/run/projector.hpp"
#include "host/run/tensorboard.hpp"
#include "host/support/files.hpp"
#include "host/train/parameters.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

// The checkpoint that the embeddings belong to: its checksum identifies it whatever its name is.
constexpr char kChecksumOfCheckpoint[] = "checkpoint_checksum";
constexpr char kUsers[] = "user_embeddings";
constexpr char kItems[] = "item_embeddings";

std::string value_of(const std::map<std::string, std::string>& metadata, const char* key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

Tensor take_embeddings(TensorFile& file, const char* name, std::int64_t rows,
                       const fs::path& path) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end() || found->second.shape.size() != 2 ||
      found->second.shape[0] != rows || found->second.values.index() > 1) {
    throw DataError(path.string(), 0,
                    fmt::format("the file is damaged: expected a tensor {} of {} rows, f32 or f64",
                                name, rows));
  }
  return std::move(found->second);
}

}  // namespace

void Run::write_embeddings(Backend& backend, Model& model) {
  const TensorFile parameters = read_checkpoint("best");
  load_parameters(backend, model, parameters);
  model.embed();
  TensorFile file;
  file.tensors[kUsers] = download_tensor(backend, model.embeddings(Side::kUser));
  file.tensors[kItems] = download_tensor(backend, model.embeddings(Side::kItem));
  describe_checkpoint(file);
  file.metadata["epoch"] = value_of(parameters.metadata, "epoch");
  file.metadata[kChecksumOfCheckpoint] = value_of(parameters.metadata, kChecksum);
  write_checkpoint(path_ / kEmbeddingsFile, std::move(file));
}

void Run::write_embeddings(const FinalEmbeddings& embeddings) {
  TensorFile file;
  file.tensors[kUsers] = embeddings.users;
  file.tensors[kItems] = embeddings.items;
  describe_checkpoint(file);
  file.metadata["epoch"] = std::to_string(embeddings.epoch);
  write_checkpoint(path_ / kEmbeddingsFile, std::move(file));
}

void Run::write_projector() const {
  if (config_.log.tensorboard == Switch::kOff) return;
  const std::optional<FinalEmbeddings> embeddings = read_embeddings("best");
  if (!embeddings) return;
  write_projector_files(path_ / kTensorBoardFolder, *embeddings,
                        load_data(DataParts::kInteractions));
}

bool Run::are_embeddings_of(const std::map<std::string, std::string>& metadata,
                            std::string_view name) const {
  const CheckpointFolder folder(path_ / kCheckpointFolder);
  if (name == "best" && folder.states().empty() && folder.bests().empty()) return true;
  const fs::path checkpoint = find_checkpoint(name);
  return value_of(metadata, kChecksumOfCheckpoint) ==
         value_of(read_safetensors_metadata(checkpoint), kChecksum);
}

bool Run::has_embeddings(std::string_view name) const {
  const fs::path path = path_ / kEmbeddingsFile;
  return is_there(path) && are_embeddings_of(read_safetensors_metadata(path), name);
}

std::optional<FinalEmbeddings> Run::read_embeddings(std::string_view name) const {
  if (!has_embeddings(name)) return std::nullopt;  // by the header, before all is read
  const fs::path path = path_ / kEmbeddingsFile;
  TensorFile file = read_own_checkpoint(path);
  // A training may have replaced the file in between.
  if (!are_embeddings_of(file.metadata, name)) return std::nullopt;
  const RunManifest manifest = read_manifest(path_ / kManifestFile);
  FinalEmbeddings embeddings{.users = take_embeddings(file, kUsers, manifest.users, path),
                             .items = take_embeddings(file, kItems, manifest.items, path),
                             .epoch = read_epoch(file.metadata, path.string())};
  if (embeddings.users.shape[1] != embeddings.items.shape[1]) {
    throw DataError(path.string(), 0, "the file is damaged: its tensors have different widths");
  }
  return embeddings;
}

}  // namespace tern
