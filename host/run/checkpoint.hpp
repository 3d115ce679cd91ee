#pragma once

#include <filesystem>
#include <string>

#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {

/// Writes a safetensors file whose metadata has a checksum: a 64-bit hash of all names, types,
/// shapes, values and of the other metadata. Throws NumericalFault, before anything is written,
/// where a value is not finite; Error as write_safetensors() does.
void write_checkpoint(const std::filesystem::path& path, TensorFile file);

/// The checksum that write_checkpoint() gives a file; one that it has already does not count.
std::string checksum_of(const TensorFile& file);

/// What a file holds is not what was written. Not that it cannot be opened, or that memory is
/// short.
class DamagedCheckpoint : public DataError {
 public:
  using DataError::DataError;
};

/// Reads one again, whole or not at all. Throws DamagedCheckpoint on the format, the checksum, or a
/// value that is not finite; Error where it cannot be opened; MemoryError.
TensorFile read_checkpoint(const std::filesystem::path& path);

}  // namespace tern
