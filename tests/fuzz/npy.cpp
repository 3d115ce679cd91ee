// The .npy reader. Promises: the number of a tensor's values fits its shape, and their bytes fit the
// file; a tensor written and read again has the same bits.

#include "tern/tensor_file.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/fuzz/tensors.hpp"

namespace tern::fuzz {

void read_npy_file(Input input) {
  const std::filesystem::path path = scratch_file("array.npy", input.rest());
  const auto read = attempt([&] { return read_npy(path); });
  if (accepted(read) == nullptr) return;
  const Tensor& tensor = *accepted(read);
  check_tensor("array", tensor);
  // A byte can become an i32, but no element is without a byte.
  require(bytes_of(tensor).size() < 8 * input.rest().size(), "a tensor is larger than its file");
  try {
    write_npy(path, tensor);
  } catch (const ShapeError& error) {
    // Version 1.0, which is written, holds fewer dimensions than later versions, which are read too.
    require_one_line(error.what());
    require(tensor.shape.size() > 1000, "a tensor is read, but not written");
    return;
  }
  require(same(read_npy(path), tensor), "written, it reads otherwise");
}

}  // namespace tern::fuzz
