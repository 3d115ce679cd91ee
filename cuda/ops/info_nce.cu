// info_nce: the contrast of two views of one side's n distinct nodes among the batch's pairs, and its
// gradient, which is added. Sources: van den Oord et al. 2018; Yu et al. 2023 (XSimGCL).
//
//   loss = λ/n Σ_a [ -x_a·y_a / τ + log Σ_b exp(x_a·y_b / τ) ],  x, y: unit rows of views and others
//
// views, others and their gradients: (nodes of the side, D), used at the batch's nodes alone.
//
// Seven launches; those of pair_softmax.cu take nearly all of the time:
//
// 1. and 2. nodes: which of the batch's distinct rows belong to a pair (rows of items may be negatives
//    alone), and the list of these, by one block.
// 3. prepare: a group of lanes a node gathers both rows, and writes their unit rows.
// 4. to 6.: pair_softmax.cu, where each row's own column counts.
// 7. scatter: a node occurs once, so that each group adds to a row of its own.
//
// All sums have one order, which depends on the nodes and their order in the batch alone: with a plan
// they ascend, and the result is reproducible.

#include <algorithm>
#include <cmath>

#include "cuda/backend.hpp"
#include "cuda/ops/batch_row.cuh"
#include "cuda/ops/pair_rows.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/launch.hpp"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

struct InfoNceTask : SoftmaxTask {
  int side = 0;
  MatrixView<const float> values[2];  // views, others
  MatrixView<float> gradients[2];
  MatrixView<float> losses;  // (4, batches of the epoch)

  std::int64_t* num_nodes = nullptr;  // (1): n, which `count` names
  NodeId* nodes = nullptr;            // (size)
  std::int32_t* wanted = nullptr;     // (rows that a batch can have): 1 if a pair has the row
};

/// Whether a pair has distinct row `index` of the side, by a group of lanes.
template <int kLanes>
__device__ inline bool has_pair(const InfoNceTask& task, const LaneGroup<kLanes>& group,
                                std::int64_t index) {
  if (task.side == 0) return true;
  const OccurrencesView& items = task.batch.sides[1];
  bool found = false;
  if (items.occurrences != nullptr) {
    const std::int32_t end = items.starts[index + 1];
    for (std::int32_t k = items.starts[index] + group.lane; k < end && !found; k += kLanes) {
      found = items.occurrences[k] % 2 == 0;
    }
  } else {  // the fused form has no plan
    const Triplet* triplets = task.batch.triplets + task.batch.state->first;
    const std::int64_t count = task.batch.state->count;
    for (std::int64_t t = group.lane; t < count && !found; t += kLanes) {
      found = triplets[t].positive == items.rows[index];
    }
  }
  return group.ballot(found) != 0;
}

/// One group a distinct row.
template <int kLanes>
__global__ void __launch_bounds__(kPairThreads)
    info_nce_find_nodes_kernel(const __grid_constant__ InfoNceTask task) {
  const RowSpan span = task.batch.state->rows[task.side];
  const std::int64_t r = pair_of_group(kLanes);
  if (r >= span.count) return;
  const LaneGroup<kLanes> group;
  const bool found = has_pair(task, group, span.begin + r);
  if (group.lane == 0) task.wanted[r] = found ? 1 : 0;
}

/// One block: the wanted rows in their order, a stretch of kPairThreads after the other.
__global__ void __launch_bounds__(kPairThreads)
    info_nce_list_nodes_kernel(const __grid_constant__ InfoNceTask task) {
  constexpr int kWarps = kPairThreads / 32;
  __shared__ int of_warp[kWarps];
  const RowSpan span = task.batch.state->rows[task.side];
  const NodeId* rows = task.batch.sides[task.side].rows + span.begin;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  std::int64_t listed = 0;
  for (std::int64_t first = 0; first < span.count; first += kPairThreads) {
    const std::int64_t r = first + threadIdx.x;
    const bool wanted = r < span.count && task.wanted[r] != 0;
    const unsigned all = __ballot_sync(0xffffffffu, wanted ? 1 : 0);
    if (lane == 0) of_warp[warp] = __popc(all);
    __syncthreads();
    std::int64_t place = listed + __popc(all & ((1u << lane) - 1u));
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) place += of_warp[w];
      listed += of_warp[w];
    }
    if (wanted) task.nodes[place] = rows[r];
    __syncthreads();
  }
  if (threadIdx.x == 0) *task.num_nodes = listed;
}

/// One group a node.
template <int kLanes>
__global__ void __launch_bounds__(kPairThreads, kPairBlocks)
    info_nce_prepare_kernel(const __grid_constant__ InfoNceTask task) {
  const std::int64_t a = pair_of_group(kLanes);
  if (a >= *task.count) return;
  const LaneGroup<kLanes> group;
  prepare_pair(task, group, a, task.nodes[a], task.nodes[a]);
  if (group.lane == 0) task.biases[a] = 0.0F;
}

/// One group a node and table, grid: (nodes + the loss, tables).
template <int kLanes>
__global__ void __launch_bounds__(kPairThreads, kPairBlocks)
    info_nce_scatter_kernel(const __grid_constant__ InfoNceTask task) {
  const int table = static_cast<int>(blockIdx.y);
  if (blockIdx.x == 0) {
    if (table != 0) return;
    const double mean = mean_of_terms(task.terms, *task.count);
    if (threadIdx.x == 0) {
      task.losses(2 + task.side, task.batch.state->batch) = static_cast<float>(task.weight * mean);
    }
    return;
  }
  const std::int64_t a = static_cast<std::int64_t>(blockIdx.x - 1) * (kPairThreads / kLanes) +
                         static_cast<int>(threadIdx.x) / kLanes;
  if (a >= *task.count) return;
  const LaneGroup<kLanes> group;
  const auto gradient = [&](std::int64_t v) { return softmax_unit_gradient(task, table, a, v); };
  const float along = along_unit(task, group, table, a, gradient);
  float4* row = as_vectors(task.gradients[table].row(task.nodes[a]));
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    row[v] = add(row[v], projected(task, table, a, along, gradient(v), v));
  }
}

void launch_info_nce(const Queue& queue, const InfoNceTask& task) {
  const Launcher launch(queue);
  const std::int64_t capacity = task.batch.sides[task.side].capacity;
  launch({.blocks = ceil_div(capacity, kPairThreads / 8), .threads = kPairThreads},
         info_nce_find_nodes_kernel<8>, task);
  launch({.blocks = 1, .threads = kPairThreads}, info_nce_list_nodes_kernel, task);
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    const std::int64_t blocks = ceil_div(task.sizes[0], kPairThreads / kLanes);
    launch({.blocks = blocks, .threads = kPairThreads}, info_nce_prepare_kernel<kLanes>, task);
    launch_softmax_passes(queue, task);
    launch({.blocks = 1 + blocks, .threads = kPairThreads, .blocks_y = 2},
           info_nce_scatter_kernel<kLanes>, task);
  });
}

/// Floats of the workspace before that of the softmax: the count, nodes and wanted rows, in fours.
constexpr std::int64_t kCountFloats = 4;
std::int64_t nodes_floats(std::int64_t size, std::int64_t capacity) {
  return kCountFloats + ceil_div(size + capacity, 4) * 4;
}

}  // namespace

void CudaBackend::info_nce(Triplets& triplets, const InfoNceOptions& options, Side side,
                           const Matrix& views, const Matrix& others, Matrix& grad_views,
                           Matrix& grad_others, Matrix& losses) {
  const Range range("info_nce");
  check_info_nce(triplets, options, side, views, others, grad_views, grad_others, losses);
  expect_all_columns("info_nce");
  TripletsStorage& state = storage(triplets);
  check_pair_batch("info_nce", state.sampled, state.batch_size);
  const DeviceScope scope = use_device();
  InfoNceTask task;
  task.batch = state.batch_view();
  task.side = static_cast<int>(side);
  task.values[0] = read_only_view(views);
  task.values[1] = read_only_view(others);
  task.gradients[0] = view(grad_views);
  task.gradients[1] = view(grad_others);
  task.losses = view(losses);
  task.own = OwnColumn::kCounts;
  task.temperature = options.temperature;
  task.weight = std::min(options.weight, 1e30);
  task.sharpness = softmax_sharpness(options.temperature);
  // A node is one row, however many of the batch's triplets have it.
  const std::int64_t size = std::min<std::int64_t>(state.batch_size, views.rows());
  task.set_sizes(size, size);
  task.stride = view(views).stride;
  task.cosines = state.terms.data() + size;
  task.terms = state.terms.data();
  const std::int64_t capacity = task.batch.sides[task.side].capacity;
  const std::int64_t before = nodes_floats(size, capacity);
  float* workspace =
      grow(state.pairs, before + softmax_workspace_size(size, size, task.stride), "info_nce");
  task.num_nodes = reinterpret_cast<std::int64_t*>(workspace);
  task.count = task.num_nodes;
  task.nodes = reinterpret_cast<NodeId*>(workspace + kCountFloats);
  task.wanted = task.nodes + size;
  carve_softmax_workspace(task, workspace + before);
  launch_info_nce(queue(), task);
  refresh_copies({&grad_views, &grad_others, &losses});
}

}  // namespace tern::cuda
