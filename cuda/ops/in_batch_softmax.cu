// in_batch_softmax: the softmax loss of a batch of B pairs (u_t, p_t) and its gradient, with the
// other pairs' items as negatives and, in a layout that has them, the sampled negatives of all pairs.
// Sources: Wu et al. 2024 (SL, BSL); Yi et al. 2019; Yang et al. 2020 (mixed negatives); Yang et al.
// 2025 (SL@K).
//
//   s_tj = û_t·p̂_j,  ê = e / max(‖e‖, 1e-12),  l_tj = s_tj / τ - c log q_j
//   loss = 1/B Σ_t w_t ℓ_t,  ℓ_t = -s_tt / τ + t₂ log Σ_{j in C_t} exp(l_tj)
//   w_t = 1, or with thresholds sigmoid((s_tt - β_u) / τ_w)
//   ∂/∂s_tj = w_t t₂/(Bτ) exp(l_tj) / Σ_{C_t} exp(l),  ∂/∂s_tt = -w_t/(Bτ) + ℓ_t/B ∂w_t/∂s_tt
//   ∂/∂e = (g - ê (ê·g)) / ‖e‖,  g the gradient of ê over its occurrences
//
// users and their gradient: (U, D); items and theirs: (I, D), used at the batch's rows alone.
//
// Five launches, one more with sampled columns, and one more with the mask of observed pairs:
//
// 1. prepare: a group of lanes a pair gathers u and p, and writes their unit rows side by side; with
//    sampled columns, another launch does so for these. Then the bits of the mask
//    (in_batch_softmax_observed.cu).
// 2. to 4.: tiles of users, join, tiles of items (pair_softmax.cu), with nearly all of the time.
// 5. scatter (in_batch_softmax_scatter.cu): the gradient of each distinct row, and the loss.
//
// All sums have one order, which depends on the size of the batch alone, except for the last one in
// the fused form (Reproducibility::kNone), which scatters by float atomics.

#include "cuda/ops/in_batch_softmax.hpp"

#include "cuda/backend.hpp"
#include "cuda/ops/pair_rows.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/launch.hpp"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

/// -c log₂ q of an item.
__device__ inline float softmax_bias(const InBatchSoftmaxTask& task, NodeId item) {
  if (task.correction == 0.0F) return 0.0F;
  const auto all = static_cast<float>(task.observed.offsets[task.observed.num_rows]);
  if (task.layout.negatives != 0) {
    const auto degree = static_cast<double>(task.by_item.degree(item));
    return -task.correction * static_cast<float>(log2(column_share(degree, all, task.negative_share,
                                                                   task.layout.negatives)));
  }
  const auto degree = static_cast<float>(max(task.by_item.degree(item), EdgeOffset{1}));
  return -task.correction * log2f(degree / all);
}

/// One group a pair.
template <int kLanes>
__global__ void __launch_bounds__(kPairThreads, kPairBlocks)
    in_batch_softmax_prepare_kernel(const __grid_constant__ InBatchSoftmaxTask task) {
  const std::int64_t t = pair_of_group(kLanes);
  if (t >= task.rows()) return;
  const LaneGroup<kLanes> group;
  const Triplet triplet = task.batch.triplets[task.batch.state->first + task.layout.triplet(t)];
  prepare_pair(task, group, t, triplet.user, triplet.positive);
  if (group.lane != 0) return;
  task.biases[t] = softmax_bias(task, triplet.positive);
  task.keys[0][t] = task.mask == SoftmaxMask::kObserved ? triplet.user : triplet.positive;
  task.keys[1][t] = triplet.positive;
}

/// One group a sampled negative.
template <int kLanes>
__global__ void __launch_bounds__(kPairThreads, kPairBlocks)
    in_batch_softmax_sample_kernel(const __grid_constant__ InBatchSoftmaxTask task) {
  const std::int64_t t = pair_of_group(kLanes);
  if (t >= *task.count) return;
  const LaneGroup<kLanes> group;
  const NodeId item = task.batch.triplets[task.batch.state->first + t].negative;
  const std::int64_t column = task.rows() + t;
  prepare_column(task, group, column, item);
  if (group.lane != 0) return;
  task.biases[column] = softmax_bias(task, item);
  task.keys[1][column] = item;
}

/// All but the scatter.
void launch_passes(const Queue& queue, const InBatchSoftmaxTask& task) {
  const Launcher launch(queue);
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    constexpr int kGroups = kPairThreads / kLanes;
    launch({.blocks = ceil_div(task.sizes[0], kGroups), .threads = kPairThreads},
           in_batch_softmax_prepare_kernel<kLanes>, task);
    if (task.layout.negatives == 0) return;
    launch({.blocks = ceil_div(task.sizes[1] - task.sizes[0], kGroups), .threads = kPairThreads},
           in_batch_softmax_sample_kernel<kLanes>, task);
  });
  if (task.observed_words != nullptr) launch_in_batch_softmax_observed(queue, task);
  launch_softmax_passes(queue, task);
}

void launch_in_batch_softmax_fused(const Queue& queue, const InBatchSoftmaxTask& task) {
  launch_passes(queue, task);
  launch_in_batch_softmax_scatter_fused(queue, task);
}

}  // namespace

void launch_in_batch_softmax(const Queue& queue, const InBatchSoftmaxTask& task) {
  launch_passes(queue, task);
  launch_in_batch_softmax_scatter(queue, task);
}

void CudaBackend::in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                                   const Matrix& users, const Matrix& items, Matrix& grad_users,
                                   Matrix& grad_items, Matrix& losses) {
  const Range range("in_batch_softmax");
  check_in_batch_softmax(triplets, options, users, items, grad_users, grad_items, losses);
  expect_all_columns("in_batch_softmax");
  TripletsStorage& state = storage(triplets);
  InBatchSoftmaxTask task;
  task.layout = layout_of(triplets, options);
  task.set_sizes(task.layout.rows(state.batch_size), task.layout.columns(state.batch_size));
  check_pair_batch("in_batch_softmax", state.sampled, task.sizes[1]);
  const DeviceScope scope = use_device();
  task.batch = state.batch_view();
  task.count = &task.batch.state->count;
  task.values[0] = read_only_view(users);
  task.values[1] = read_only_view(items);
  task.gradients[0] = view(grad_users);
  task.gradients[1] = view(grad_items);
  task.losses = view(losses);
  task.observed = state.graph->csr(Side::kUser);
  task.by_item = state.graph->csr(Side::kItem);
  task.mask = options.mask;
  task.temperature = options.temperature;
  task.negative_weight = options.negative_weight;
  if (const Matrix* thresholds = options.pair_weight.thresholds) {
    task.thresholds = read_only_view(*thresholds).row(0);
    task.weight_temperature = options.pair_weight.temperature;
  }
  task.correction = finite_factor(options.popularity_correction);
  task.negative_share = state.negative_share;
  task.sharpness = softmax_sharpness(options.temperature);
  task.stride = view(users).stride;
  task.cosines = state.terms.data() + state.batch_size;
  task.terms = state.terms.data();
  std::int64_t words = 0;
  if (options.mask == SoftmaxMask::kObserved) {
    words = observed_words_size(task.sizes[0], task.sizes[1]);
    if (words * std::int64_t{sizeof(std::uint64_t)} > options_.mask_bytes) words = 0;
  }
  const std::int64_t before = words * std::int64_t{sizeof(std::uint64_t) / sizeof(float)};
  float* workspace =
      grow(state.pairs, before + softmax_workspace_size(task.sizes[0], task.sizes[1], task.stride),
           "in_batch_softmax");
  if (words > 0) task.observed_words = reinterpret_cast<std::uint64_t*>(workspace);
  carve_softmax_workspace(task, workspace + before);
  state.fused ? launch_in_batch_softmax_fused(queue(), task)
              : launch_in_batch_softmax(queue(), task);
  refresh_copies({&grad_users, &grad_items, &losses});
}

}  // namespace tern::cuda
