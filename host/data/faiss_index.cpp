// Layout, little-endian: "IxFI"; width (i32); rows (i64); two reserved numbers (i64); whether it is
// trained (1 byte); metric (i32); number of values (u64); the values, row by row. Source: faiss,
// write_index() of an IndexFlat.

#include "host/data/faiss_index.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "host/data/tensor_bytes.hpp"
#include "host/support/atomic_file.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

constexpr std::string_view kFlatInnerProduct = "IxFI";
constexpr std::int64_t kReserved = std::int64_t{1} << 20;  // what faiss itself writes
constexpr std::uint8_t kTrained = 1;
constexpr std::int32_t kInnerProduct = 0;

template <typename Value>
void write_value(AtomicFile& file, Value value) {
  file.write(&value, sizeof(value));
}

}  // namespace

void write_faiss_index(const std::filesystem::path& path, const Tensor& table) {
  check_tensor(path.string(), table);
  const auto* values = std::get_if<std::vector<float>>(&table.values);
  if (values == nullptr || table.shape.size() != 2 ||
      table.shape[1] > std::numeric_limits<std::int32_t>::max()) {
    throw ShapeError(fmt::format(
        "an index of faiss: found a tensor of shape {}, expected rows and columns of f32",
        format_shape(table.shape)));
  }
  AtomicFile file(path);
  file.write(kFlatInnerProduct);
  write_value(file, static_cast<std::int32_t>(table.shape[1]));
  write_value(file, table.shape[0]);
  write_value(file, kReserved);
  write_value(file, kReserved);
  write_value(file, kTrained);
  write_value(file, kInnerProduct);
  write_value(file, static_cast<std::uint64_t>(values->size()));
  const std::span<const char> bytes = bytes_of(table);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace tern
