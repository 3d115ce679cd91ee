// The .npz reader. Promises: elements of a sparse matrix lie within its shape; the number of an array's
// values fits its shape; no more bytes are kept than the limit allows.

#include "host/data/npz.hpp"

#include "host/data/tensor_bytes.hpp"
#include "tests/fuzz/targets.hpp"

namespace tern::fuzz {

void read_npz_file(Input input) {
  constexpr std::int64_t kMaxBytes = 1 << 16;
  const std::filesystem::path path = scratch_file("arrays.npz", input.rest());
  const auto read = attempt([&] { return read_npz(path, kMaxBytes); });
  if (accepted(read) == nullptr) return;
  if (const Tensor* tensor = std::get_if<Tensor>(accepted(read))) {
    check_tensor("array", *tensor);
    require(bytes_of(*tensor).size() <= 8 * kMaxBytes, "an array is larger than the limit");
    return;
  }
  const auto& matrix = std::get<SparseElements>(*accepted(read));
  require(
      matrix.rows.size() == matrix.values.size() && matrix.columns.size() == matrix.values.size(),
      "elements lack a row, a column or a value");
  for (std::size_t e = 0; e < matrix.values.size(); ++e) {
    require(matrix.rows[e] >= 0 && matrix.rows[e] < matrix.num_rows && matrix.columns[e] >= 0 &&
                matrix.columns[e] < matrix.num_columns,
            "an element lies outside of its matrix");
  }
}

}  // namespace tern::fuzz
