// make_graph: the graph's arrays on the device. R is uploaded as it is, Rᵀ is made from it, and the
// scales from the degrees.
//
//   scale[row] = 1 / sqrt(degree of row), 0 for degree 0; computed in f64
//
// R: (U, I) with E entries as CSR, Rᵀ: (I, U). Rᵀ comes from a stable sort of the entries by column
// (CUB), between passes of one thread an element: exact, the same as on the host. Binary search
// finds the row of an entry and the begin of a row, so that empty rows and hubs cost no more than
// others. Runs once a job and moves some 60 bytes an entry.

#include <cmath>
#include <cub/device/device_radix_sort.cuh>
#include <span>
#include <utility>
#include <vector>

#include "cuda/backend.hpp"
#include "cuda/ops/propagate.hpp"
#include "cuda/support/launch_shape.hpp"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

/// Rᵀ from R; all pointers on the device, E = entries.
struct TransposeTask {
  CsrView csr;  // R
  EdgeOffset size = 0;
  NodeId* rows = nullptr;         // (E) workspace: the row of each entry
  NodeId* sorted = nullptr;       // (E) workspace: the columns of R, ascending
  EdgeOffset* offsets = nullptr;  // (columns + 1) of Rᵀ
  NodeId* columns = nullptr;      // (E) of Rᵀ: ascending within a row
};

constexpr int kGraphThreads = 256;

__device__ inline std::int64_t graph_index() {
  return static_cast<std::int64_t>(blockIdx.x) * kGraphThreads + threadIdx.x;
}

/// The first index of an ascending array whose element is not below the value; `size` if there is
/// none.
template <typename T>
__device__ EdgeOffset lower_bound(const T* ascending, EdgeOffset size, T value) {
  EdgeOffset low = 0;
  EdgeOffset high = size;
  while (low < high) {
    const EdgeOffset middle = low + (high - low) / 2;
    if (ascending[middle] < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// rows[e]: the row r with offsets[r] <= e < offsets[r + 1]. One thread an entry.
__global__ void __launch_bounds__(kGraphThreads)
    make_graph_rows_kernel(const __grid_constant__ TransposeTask task) {
  const EdgeOffset e = graph_index();
  if (e >= task.size) return;
  // The first offset beyond e is the end of e's row.
  task.rows[e] = static_cast<NodeId>(
      lower_bound(task.csr.offsets, EdgeOffset{task.csr.num_rows} + 1, e + 1) - 1);
}

/// offsets[c] of Rᵀ from the ascending columns. One thread an offset.
__global__ void __launch_bounds__(kGraphThreads)
    make_graph_offsets_kernel(const __grid_constant__ TransposeTask task) {
  const std::int64_t c = graph_index();
  if (c > task.csr.num_columns) return;
  task.offsets[c] = c == task.csr.num_columns
                        ? task.size
                        : lower_bound(task.sorted, task.size, static_cast<NodeId>(c));
}

/// One thread a row.
__global__ void __launch_bounds__(kGraphThreads)
    make_graph_scale_kernel(const EdgeOffset* offsets, NodeId num_rows, float* scale) {
  const std::int64_t row = graph_index();
  if (row >= num_rows) return;
  const auto degree = static_cast<double>(offsets[row + 1] - offsets[row]);
  scale[row] = degree == 0.0 ? 0.0F : static_cast<float>(1.0 / sqrt(degree));
}

LaunchShape graph_shape(std::int64_t elements) {
  return {.blocks = ceil_div(elements, kGraphThreads), .threads = kGraphThreads};
}

/// Bytes of temporary storage for transposing `size` entries.
std::size_t transpose_bytes(EdgeOffset size) {
  std::size_t bytes = 0;
  check(cub::DeviceRadixSort::SortPairs(
      nullptr, bytes, static_cast<const NodeId*>(nullptr), static_cast<NodeId*>(nullptr),
      static_cast<const NodeId*>(nullptr), static_cast<NodeId*>(nullptr), size));
  return bytes;
}

void launch_transpose(const Queue& queue, const TransposeTask& task, void* temporary,
                      std::size_t bytes) {
  const Launcher launch(queue);
  launch(graph_shape(task.size), make_graph_rows_kernel, task);
  if (task.size > 0) {
    const int bits = bits_for(static_cast<std::uint64_t>(task.csr.num_columns));
    check_launches(queue, cub::DeviceRadixSort::SortPairs(temporary, bytes, task.csr.columns,
                                                          task.sorted, task.rows, task.columns,
                                                          task.size, 0, bits, queue.stream));
  }
  launch(graph_shape(EdgeOffset{task.csr.num_columns} + 1), make_graph_offsets_kernel, task);
}

/// Completes a direction that has its offsets and columns: scales, and how its rows are shared.
void finish_direction(Direction& direction, std::span<const EdgeOffset> offsets,
                      const Memory& memory, const Queue& queue) {
  const auto rows = static_cast<NodeId>(offsets.size() - 1);
  direction.scale = DeviceArray<float>(rows, memory);
  const Launcher launch(queue);
  launch(graph_shape(rows), make_graph_scale_kernel, direction.offsets.data(), rows,
         direction.scale.data());
  const RowCuts cuts = cut_rows(offsets);
  direction.short_rows = to_device(std::span(cuts.short_rows), memory);
  direction.segments = to_device(std::span(cuts.segments), memory);
  direction.split = to_device(std::span(cuts.split), memory);
  direction.slots = cuts.slots;
}

}  // namespace

Graph CudaBackend::make_graph(const Interactions& interactions) {
  const Range range("make_graph");
  expect_not_recording("make_graph");
  const DeviceScope scope = use_device();
  const EdgeOffset size = interactions.size();
  auto parts = std::make_unique<GraphStorage>();
  parts->num_nodes = {interactions.num_users(), interactions.num_items()};
  Direction& users = parts->direction(Side::kUser);
  Direction& items = parts->direction(Side::kItem);
  users.offsets = to_device(interactions.offsets(), pool_memory());
  users.columns = to_device(interactions.items(), pool_memory());
  items.offsets = DeviceArray<EdgeOffset>(EdgeOffset{interactions.num_items()} + 1, pool_memory());
  items.columns = DeviceArray<NodeId>(size, pool_memory());
  const DeviceArray<NodeId> rows(size, pool_memory());
  const DeviceArray<NodeId> sorted(size, pool_memory());
  const DeviceArray<std::uint8_t> temporary(static_cast<std::int64_t>(transpose_bytes(size)),
                                            pool_memory());
  launch_transpose(queue(),
                   {.csr = parts->csr(Side::kUser),
                    .size = size,
                    .rows = rows.data(),
                    .sorted = sorted.data(),
                    .offsets = items.offsets.data(),
                    .columns = items.columns.data()},
                   temporary.data(), static_cast<std::size_t>(temporary.size()));
  std::vector<EdgeOffset> item_offsets(static_cast<std::size_t>(items.offsets.size()));
  items.offsets.download(item_offsets);
  finish_direction(users, interactions.offsets(), pool_memory(), queue());
  finish_direction(items, item_offsets, pool_memory(), queue());
  return {std::move(parts), interactions.num_users(), interactions.num_items(), size};
}

}  // namespace tern::cuda
