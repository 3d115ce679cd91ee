#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace tern {

/// A tensor in the caller's memory, which is written without a copy.
struct TensorView {
  std::string name;
  std::size_t type = 0;  // index of element_types()
  std::vector<std::int64_t> shape;
  std::span<const char> bytes;
};

TensorView tensor_view(std::string name, std::span<const std::int32_t> values);
TensorView tensor_view(std::string name, std::span<const std::int64_t> values);
/// (rows, columns) row-major.
TensorView tensor_view(std::string name, std::span<const float> values, std::int64_t rows,
                       std::int64_t columns);

/// write_safetensors() of tern/tensor_file.hpp, for views. Throws ShapeError if the bytes of a view
/// do not fit its shape.
void write_safetensors(const std::filesystem::path& path, std::vector<TensorView> tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace tern
