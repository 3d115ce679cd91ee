#include "host/serve/final_tables.hpp"

#include <span>
#include <type_traits>
#include <variant>

namespace tern {

const Tensor& table_of(const FinalEmbeddings& embeddings, Side side) {
  return side == Side::kUser ? embeddings.users : embeddings.items;
}

std::vector<float> in_f32(const Tensor& table) {
  return std::visit(
      [](const auto& values) { return std::vector<float>(values.begin(), values.end()); },
      table.values);
}

Matrix upload_table(Backend& backend, const Tensor& table) {
  Matrix matrix = backend.allocate(table.shape[0], table.shape[1]);
  std::visit(
      [&](const auto& values) {
        using Value = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (std::is_floating_point_v<Value>) {
          backend.upload(std::span<const Value>(values), matrix);
        }
      },
      table.values);
  return matrix;
}

}  // namespace tern
