// The safetensors reader. Promises: the number of each tensor's values fits its shape, and the bytes
// of all tensors fit the file; a file written and read again has the same bits.

#include "tern/tensor_file.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/fuzz/tensors.hpp"

namespace tern::fuzz {

void read_safetensors_file(Input input) {
  const std::filesystem::path path = scratch_file("tensors", input.rest());
  const auto read = attempt([&] { return read_safetensors(path); });
  if (accepted(read) == nullptr) return;
  const TensorFile& file = *accepted(read);
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : file.tensors) {
    check_tensor(name, tensor);
    bytes += bytes_of(tensor).size();
  }
  require(bytes < input.rest().size(), "tensors are larger than their file");
  write_safetensors(path, file);
  const TensorFile again = read_safetensors(path);
  require(again.metadata == file.metadata, "written, metadata read otherwise");
  require(again.tensors.size() == file.tensors.size(), "written, tensors are lost");
  for (const auto& [name, tensor] : file.tensors) {
    require(same(again.tensors.at(name), tensor), "written, a tensor reads otherwise");
  }
}

}  // namespace tern::fuzz
