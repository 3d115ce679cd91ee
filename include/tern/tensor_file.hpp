#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tern {

/// A dense row-major tensor on the host. Element types: f32, f64, i32, i64.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::variant<std::vector<float>, std::vector<double>, std::vector<std::int32_t>,
               std::vector<std::int64_t>>
      values;
};

/// The content of a safetensors file: named tensors, and string metadata.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Writers write a new file beside the old one, fsync it, rename it, and fsync the directory, so that
/// a reader sees either file whole. They throw Error with the path and the system's reason. Readers
/// check every size against the file before allocating, and throw DataError. Formats: https://github.com/huggingface/safetensors (header of at most 100 MB, no
/// holes, no overlaps), and NumPy's .npy version 1.0 (written) and 1.0-3.0 (read). Arrays of bool,
/// integers and floats of up to 64 bits are read in both byte orders, and in Fortran order up to two
/// dimensions; types that a Tensor lacks become the next wider one (f16 f32, u64 f64).
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);
TensorFile read_safetensors(const std::filesystem::path& path);
/// Reads and checks the header only.
std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& path);
void write_npy(const std::filesystem::path& path, const Tensor& tensor);
Tensor read_npy(const std::filesystem::path& path);

/// Replaces the file at path by these bytes, atomically as above.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

}  // namespace tern
