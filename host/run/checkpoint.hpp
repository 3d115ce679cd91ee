#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "tern/error.hpp"
#include "tern/tensor_file.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// The key of the checksum in the metadata.
inline constexpr char kChecksum[] = "checksum";

/// Writes a safetensors file whose metadata has a checksum: a 64-bit hash of all names, types,
/// shapes, values and of the other metadata. Throws NumericalFault, before anything is written, if
/// a value is not finite, and Error as write_safetensors() does.
void write_checkpoint(const std::filesystem::path& path, TensorFile file);

/// The checksum that write_checkpoint() gives a file; a checksum in the metadata is ignored.
std::string checksum_of(const TensorFile& file);

/// A damaged file: its contents are not those that were written. Not thrown if the file cannot be
/// opened or memory is short.
class DamagedCheckpoint : public DataError {
 public:
  using DataError::DataError;
};

/// Reads a checkpoint. Throws DamagedCheckpoint if the format or the checksum is wrong or a value
/// is not finite, Error if it cannot be opened, and MemoryError.
TensorFile read_checkpoint(const std::filesystem::path& path);

/// A training state as the contents of a checkpoint, and back, bit for bit: its tensors, and as
/// metadata the fields of its progress by their names and its counters as "counter.NAME".
/// to_state() ignores other metadata. Throws DataError, naming the file, if a field is missing, is
/// not a number, or does not fit the others.
TensorFile to_file(TrainingState state);
TrainingState to_state(TensorFile file, std::string_view name);
/// Only the progress, from the metadata of a file; the same errors.
TrainingProgress read_progress(const std::map<std::string, std::string>& metadata,
                               std::string_view file);
/// Only the finished epochs; the same errors.
int read_epoch(const std::map<std::string, std::string>& metadata, std::string_view file);

}  // namespace tern
