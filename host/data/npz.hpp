#pragma once

#include <cstdint>
#include <filesystem>
#include <variant>
#include <vector>

#include "tern/tensor_file.hpp"
#include "tern/types.hpp"

namespace tern {

/// A sparse matrix as a list of its elements, in the order of the file. Repeated places add up.
struct SparseElements {
  std::int64_t num_rows = 0;
  std::int64_t num_columns = 0;
  std::vector<NodeId> rows;
  std::vector<NodeId> columns;
  std::vector<double> values;
};

/// The content of an .npz file: SciPy's save_npz (csr, csc or coo), or one array by NumPy's savez or
/// savez_compressed. All members together may have max_bytes bytes. Throws DataError.
std::variant<Tensor, SparseElements> read_npz(const std::filesystem::path& path,
                                              std::int64_t max_bytes);

}  // namespace tern
