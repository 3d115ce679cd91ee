// alignment_uniformity: the DirectAU loss of a batch of B pairs (u_t, p_t) and its gradient.
// Source: Wang et al. 2022.
//
//   loss = 1/B Σ_t ‖û_t - p̂_t‖² + γ/2 (unif(û) + unif(p̂)),  ê = e / max(‖e‖, 1e-12)
//   unif(x) = log(S / (B (B - 1))),  S = Σ_t Σ_{j≠t} K_tj,  K_tj = exp(-2 ‖x_t - x_j‖²)
//   ∂unif/∂x_t = 8/S Σ_{j≠t} K_tj (x_j - x_t)
//
// K_tj = 2^(4 log₂e x_t·x_j + b_t + b_j), b = -2 log₂e ‖x‖²: a product of a side's unit rows with
// themselves. K is symmetric, so that one pass of tiles over rows gives the whole gradient.
//
// users and their gradient: (U, D); items and theirs: (I, D), used at the batch's rows alone.
//
// Seven launches, or eight in the fused form:
//
// 1. prepare: unit rows, biases and distances of the pairs.
// 2. to 5.: for each side tiles (pair_tiles.cu), and a join of the splits of a row of tiles, in their
//    order: S_t = Σ_j K_tj, and Σ_j K_tj (x_j - x_t).
// 6. total, one block: S of both sides; the loss's terms.
// 7. scatter (pair_scatter.cuh): the gradient of each distinct row, and the loss.
//
// All sums have one order, which depends on the size of the batch alone, except for the last one in
// the fused form (Reproducibility::kNone), which scatters by float atomics.

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "cuda/backend.hpp"
#include "cuda/ops/pair_scatter.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

/// The current batch's loss; all pointers on the device.
struct AlignmentTask {
  BatchView batch;
  PairLayout layout = {};             // each triplet is a pair
  MatrixView<const float> values[2];  // [Side]
  MatrixView<float> gradients[2];     // [Side]
  MatrixView<float> losses;           // (2 or more, batches of the epoch)
  double uniformity_weight = 0.0;     // γ
  PairCuts cuts;
  std::int64_t sizes[2] = {};  // [Side]: of the workspace, both batch_size
  std::int64_t stride = 0;     // of the tables' rows and of the workspace's

  float* units[2] = {};         // [Side] (B, stride)
  float* spread[2] = {};        // [Side] (B, stride): Σ_j K_tj (x_j - x_t)
  float* partials = nullptr;    // (splits, B, stride): parts of Σ_j K_tj x_j of one side
  float* divisors[2] = {};      // [Side] (B): max(‖e‖, 1e-12)
  float* biases[2] = {};        // [Side] (B): -2 log₂e ‖ê‖²
  float* sums[2] = {};          // [Side] (B): S_t
  float* split_sums = nullptr;  // (splits, B): parts of S_t of one side
  float* steps = nullptr;       // (2): 4γ/S of each side
  double* cosines = nullptr;    // (B)
  double* terms = nullptr;      // (B): the pair's share of B · loss

  /// Vector `place` of the gradient of ê of pair t.
  __device__ float4 unit_gradient(int side, std::int64_t t, std::int64_t place) const {
    const auto closer = static_cast<float>(2.0 / static_cast<double>(batch.state->count));
    const float4 own = as_vectors(units[side] + t * stride)[place];
    const float4 other = as_vectors(units[1 - side] + t * stride)[place];
    const float4 apart = as_vectors(spread[side] + t * stride)[place];
    return fma(-closer, other, fma(closer, own, scale(steps[side], apart)));
  }
};

/// One group a pair.
template <int kLanes>
__global__ void __launch_bounds__(kPairThreads, kPairBlocks)
    alignment_uniformity_prepare_kernel(const __grid_constant__ AlignmentTask task) {
  const std::int64_t t = pair_of_group(kLanes);
  if (t >= task.batch.state->count) return;
  const LaneGroup<kLanes> group;
  const Triplet triplet = task.batch.triplets[task.batch.state->first + t];
  const PairProducts pair = prepare_pair(task, group, t, triplet.user, triplet.positive);
  if (group.lane != 0) return;
  double distance = -2.0 * pair.cosine;
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    const double square = pair.lengths[side] * pair.lengths[side];
    distance += square;
    task.biases[side][t] = static_cast<float>(-2.0 * kLog2E * square);
  }
  task.terms[t] = distance;
}

/// One group a pair of one side.
template <int kLanes>
__global__ void __launch_bounds__(kPairThreads, kPairBlocks)
    alignment_uniformity_join_kernel(const __grid_constant__ AlignmentTask task, int side) {
  const std::int64_t t = pair_of_group(kLanes);
  if (t >= task.batch.state->count) return;
  const LaneGroup<kLanes> group;
  float sum = 0.0F;
  for (int s = 0; s < task.cuts.splits; ++s) sum += task.split_sums[s * task.sizes[0] + t];
  const float4* unit = as_vectors(task.units[side] + t * task.stride);
  float4* spread = as_vectors(task.spread[side] + t * task.stride);
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    float4 joined = zero_vector();
    for (int s = 0; s < task.cuts.splits; ++s) {
      joined = add(joined, as_vectors(task.partials + (s * task.sizes[0] + t) * task.stride)[v]);
    }
    spread[v] = fma(-sum, unit[v], joined);
  }
  if (group.lane == 0) task.sums[side][t] = sum;
}

/// One block.
__global__ void __launch_bounds__(kPairThreads)
    alignment_uniformity_total_kernel(const __grid_constant__ AlignmentTask task) {
  const std::int64_t count = task.batch.state->count;
  const double pairs = static_cast<double>(count) * static_cast<double>(count - 1);
  double uniformity = 0.0;
  for (int side = 0; side < 2; ++side) {
    double sum = 0.0;
    for (std::int64_t t = threadIdx.x; t < count; t += kPairThreads) sum += task.sums[side][t];
    sum = block_reduce<Sum>(sum);
    if (count > 1) uniformity += log(sum / pairs) / 2.0;
    const double step = count > 1 ? 4.0 * task.uniformity_weight / sum : 0.0;
    if (threadIdx.x == 0) {
      // A comparison, not fmin, which would lose a NaN.
      task.steps[side] = step > FLT_MAX ? FLT_MAX : static_cast<float>(step);
    }
  }
  for (std::int64_t t = threadIdx.x; t < count; t += kPairThreads) {
    task.terms[t] += task.uniformity_weight * uniformity;
  }
}

/// Launches the tiles of one side, and joins their splits.
void launch_spread(const Queue& queue, const AlignmentTask& task, Side side) {
  const int of = static_cast<int>(side);
  PairTiles tiles;
  tiles.count = &task.batch.state->count;
  tiles.sharpness = static_cast<float>(4.0 * kLog2E);
  tiles.set_sizes(task.sizes[0], task.sizes[1]);
  tiles.stride = task.stride;
  tiles.units[0] = tiles.units[1] = task.units[of];
  tiles.biases = task.biases[of];
  tiles.partials = task.partials;
  tiles.split_sums = task.split_sums;
  launch_pair_tiles(queue, tiles, TilePass::kSpread);
  const Launcher launch(queue);
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch({.blocks = ceil_div(task.sizes[0], kPairThreads / kLanes), .threads = kPairThreads},
           alignment_uniformity_join_kernel<kLanes>, task, of);
  });
}

/// All but the scatter.
void launch_alignment_uniformity_passes(const Queue& queue, const AlignmentTask& task) {
  const Launcher launch(queue);
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch({.blocks = ceil_div(task.sizes[0], kPairThreads / kLanes), .threads = kPairThreads},
           alignment_uniformity_prepare_kernel<kLanes>, task);
  });
  launch_spread(queue, task, Side::kUser);
  launch_spread(queue, task, Side::kItem);
  launch({.blocks = 1, .threads = kPairThreads}, alignment_uniformity_total_kernel, task);
}

/// Floats of the workspace.
std::int64_t alignment_workspace_size(std::int64_t size, std::int64_t stride) {
  const std::int64_t splits = pair_cuts(size).splits;
  return (4 + splits) * size * stride + (6 + splits) * size + 2;
}

void carve_alignment_workspace(AlignmentTask& task, float* workspace) {
  const auto take = [&workspace](std::int64_t size) {
    float* taken = workspace;
    workspace += size;
    return taken;
  };
  const std::int64_t rows = task.sizes[0] * task.stride;
  for (float*& units : task.units) units = take(rows);
  for (float*& spread : task.spread) spread = take(rows);
  task.partials = take(task.cuts.splits * rows);
  for (auto* arrays : {&task.divisors, &task.biases, &task.sums}) {
    for (float*& array : *arrays) array = take(task.sizes[0]);
  }
  task.split_sums = take(task.cuts.splits * task.sizes[0]);
  task.steps = take(2);
}

}  // namespace

void CudaBackend::alignment_uniformity(Triplets& triplets,
                                       const AlignmentUniformityOptions& options,
                                       const Matrix& users, const Matrix& items, Matrix& grad_users,
                                       Matrix& grad_items, Matrix& losses) {
  const Range range("alignment_uniformity");
  check_alignment_uniformity(triplets, options, users, items, grad_users, grad_items, losses);
  expect_all_columns("alignment_uniformity");
  TripletsStorage& state = storage(triplets);
  check_pair_batch("alignment_uniformity", state.sampled, state.batch_size);
  const DeviceScope scope = use_device();
  AlignmentTask task{.batch = state.batch_view(),
                     .values = {read_only_view(users), read_only_view(items)},
                     .gradients = {view(grad_users), view(grad_items)},
                     .losses = view(losses),
                     .uniformity_weight = options.uniformity_weight,
                     .cuts = pair_cuts(state.batch_size),
                     .sizes = {state.batch_size, state.batch_size},
                     .stride = view(users).stride,
                     .cosines = state.terms.data() + state.batch_size,
                     .terms = state.terms.data()};
  carve_alignment_workspace(task,
                            grow(state.pairs, alignment_workspace_size(task.sizes[0], task.stride),
                                 "alignment_uniformity"));
  launch_alignment_uniformity_passes(queue(), task);
  state.fused ? launch_pair_scatter_fused(queue(), task) : launch_pair_scatter(queue(), task);
  refresh_copies({&grad_users, &grad_items, &losses});
}

}  // namespace tern::cuda
