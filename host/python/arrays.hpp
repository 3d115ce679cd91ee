#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "host/serve/final_tables.hpp"
#include "tern/interactions.hpp"
#include "tern/tensor_file.hpp"
#include "tern/types.hpp"

namespace tern::python {

/// Arguments: arrays that are borrowed during a call, contiguous, perhaps read-only.
using OffsetArray = nanobind::ndarray<const EdgeOffset, nanobind::ndim<1>, nanobind::c_contig,
                                      nanobind::device::cpu>;
using IdArray =
    nanobind::ndarray<const NodeId, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;
using TableArray =
    nanobind::ndarray<const float, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;

/// Results.
using NumpyIds = nanobind::ndarray<nanobind::numpy, NodeId, nanobind::ndim<2>>;
using NumpyTable = nanobind::ndarray<nanobind::numpy, float, nanobind::ndim<2>>;

template <typename Array>
std::span<const typename Array::Scalar> span_of(const Array& array) {
  return {array.data(), array.size()};
}

/// Keeps the values as long as an array refers to them.
template <typename Value>
nanobind::capsule owner_of(std::unique_ptr<std::vector<Value>> values) {
  nanobind::capsule owner(values.get(), [](void* pointer) noexcept {
    delete static_cast<std::vector<Value>*>(pointer);
  });
  static_cast<void>(values.release());
  return owner;
}

/// The array takes the values, without a copy. Call it with the interpreter's lock.
template <typename Value>
nanobind::ndarray<nanobind::numpy, Value, nanobind::ndim<2>> to_numpy(std::vector<Value> values,
                                                                      std::size_t columns) {
  auto owned = std::make_unique<std::vector<Value>>(std::move(values));
  Value* data = owned->data();
  const std::size_t rows = columns > 0 ? owned->size() / columns : 0;
  const nanobind::capsule owner = owner_of(std::move(owned));
  return {data, {rows, columns}, owner};
}

template <typename Value>
nanobind::ndarray<nanobind::numpy, Value, nanobind::ndim<1>> column_to_numpy(
    std::vector<Value> values) {
  auto owned = std::make_unique<std::vector<Value>>(std::move(values));
  Value* data = owned->data();
  const std::size_t size = owned->size();
  const nanobind::capsule owner = owner_of(std::move(owned));
  return {data, {size}, owner};
}

/// A table in f32. Only the reference backend has others, which are rounded.
inline NumpyTable to_numpy(Tensor tensor) {
  const auto columns = static_cast<std::size_t>(tensor.shape.at(1));
  if (auto* values = std::get_if<std::vector<float>>(&tensor.values)) {
    return to_numpy(std::move(*values), columns);
  }
  return to_numpy(in_f32(tensor), columns);
}

/// A matrix of interactions from a CSR, whose rows must ascend strictly. Throws ShapeError.
inline Interactions interactions_of(const OffsetArray& offsets, const IdArray& items,
                                    NodeId num_items) {
  const auto rows = static_cast<NodeId>(offsets.size()) - 1;
  return Interactions(rows, num_items, {offsets.data(), offsets.data() + offsets.size()},
                      {items.data(), items.data() + items.size()});
}

}  // namespace tern::python
