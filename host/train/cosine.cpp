#include "host/train/cosine.hpp"

#include <type_traits>
#include <variant>

#include "host/support/parallel.hpp"
#include "host/train/parameters.hpp"

namespace tern {
namespace {

template <typename Value>
void divide_by_norms(std::span<Value> table, std::int64_t width) {
  if (width == 0) return;
  constexpr std::int64_t kRowsAtOnce = 256;
  const std::int64_t rows = std::ssize(table) / width;
  parallel_for_blocks(rows, kRowsAtOnce, [&](std::int64_t r) {
    const std::span<Value> row =
        table.subspan(static_cast<std::size_t>(r * width), static_cast<std::size_t>(width));
    const double norm = norm_of(std::span<const Value>(row));
    for (Value& value : row) value = static_cast<Value>(static_cast<double>(value) / norm);
  });
}

}  // namespace

void normalize_rows(std::span<float> table, std::int64_t width) {
  divide_by_norms(table, width);
}

void normalize_rows(std::span<double> table, std::int64_t width) {
  divide_by_norms(table, width);
}

Matrix normalized_copy(Backend& backend, const Matrix& matrix) {
  Tensor rows = download_tensor(backend, matrix);
  Matrix copy = backend.allocate(matrix.rows(), matrix.cols());
  const auto fill = [&]<typename Value>(std::vector<Value>& values) {
    if constexpr (std::is_floating_point_v<Value>) {
      normalize_rows(std::span(values), matrix.cols());
      backend.upload(std::span<const Value>(values), copy);
    }
  };
  std::visit(fill, rows.values);
  return copy;
}

}  // namespace tern
