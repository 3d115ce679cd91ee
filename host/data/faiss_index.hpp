#pragma once

#include <filesystem>

#include "tern/tensor_file.hpp"

namespace tern {

/// Writes the rows of a table, (rows, width) of f32, as an exact index of faiss: faiss.read_index()
/// gives an IndexFlatIP, whose search() ranks by the inner product and whose ids are the rows' positions.
/// Written as write_npy() writes. Throws ShapeError for another type or shape, and a width beyond 2^31 - 1.
void write_faiss_index(const std::filesystem::path& path, const Tensor& table);

}  // namespace tern
