// in_batch_softmax: the softmax loss of a batch of B pairs (u_t, p_t) and its gradient, with the
// other pairs' items as negatives. Sources: Wu et al. 2024 (SL, BSL); Yi et al. 2019.
//
//   s_tj = û_t·p̂_j,  ê = e / max(‖e‖, 1e-12),  l_tj = s_tj / τ - c log q_j
//   loss = 1/B Σ_t [ -s_tt / τ + t₂ log Σ_{j in C_t} exp(l_tj) ]
//   ∂/∂s_tj = t₂/(Bτ) exp(l_tj) / Σ_{C_t} exp(l),  ∂/∂s_tt = -1/(Bτ)
//   ∂/∂e = (g - ê (ê·g)) / ‖e‖,  g the gradient of ê over its occurrences
//
// users and their gradient: (U, D); items and theirs: (I, D), used at the batch's rows alone.
//
// Five launches. B·D is small, so the two over B² pairs take nearly all of the time:
//
// 1. prepare: a group of lanes a pair gathers u and p, and writes their unit rows side by side.
//    Norms, cosines and column biases are f64, once a pair: squares of 1e20 and 1e-20 fit.
// 2. tiles of users (in_batch_softmax_tiles.cu): logits in tiles, a running largest logit and sum a
//    row, and Σ_j exp(l_tj - largest) p̂_j beside them, rescaled when the largest logit grows: one
//    pass for the loss and the gradient of û. B×B numbers never exist.
// 3. join: a group a pair joins the splits of a row of tiles, in their order: the loss's term, and
//    the gradient of û_t.
// 4. tiles of items: the logits again, transposed, now with known sums: Σ_t P_tj û_t.
// 5. scatter (in_batch_softmax_scatter.cu): the gradient of each distinct row, and the loss.
//
// The two passes of 2·2·B²·D flops each are 2.1 GFLOP at B 2048, D 64. All sums have one order,
// which depends on the size of the batch alone, except for the last one in the fused form
// (Reproducibility::kNone), which scatters by float atomics.

#include "cuda/ops/in_batch_softmax.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "cuda/backend.hpp"
#include "cuda/ops/next_batch_plan.hpp"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"
#include "tern/error.hpp"

namespace tern::cuda {
namespace {

constexpr int kSoftmaxPairThreads = 256;
/// Blocks on a multiprocessor: up to 80 registers a thread. Left to itself, ptxas aims at more blocks
/// and spills, on each architecture in another kernel.
constexpr int kSoftmaxPairBlocks = 3;
constexpr int kSoftmaxJoinBlocks = 2;
constexpr double kSmallestNorm = 1e-12;
constexpr double kLn2 = 0.6931471805599453;

/// This thread's pair, one group of `lanes` a pair.
__device__ inline std::int64_t softmax_pair(int lanes) {
  return static_cast<std::int64_t>(blockIdx.x) * (kSoftmaxPairThreads / lanes) +
         static_cast<int>(threadIdx.x) / lanes;
}

__device__ inline float4 scale_f64(double factor, float4 x) {
  return make_float4(static_cast<float>(factor * x.x), static_cast<float>(factor * x.y),
                     static_cast<float>(factor * x.z), static_cast<float>(factor * x.w));
}

/// -c log₂ q of an item.
__device__ inline float softmax_bias(const SoftmaxTask& task, NodeId item) {
  if (task.correction == 0.0F) return 0.0F;
  const auto all = static_cast<float>(task.observed.offsets[task.observed.num_rows]);
  const auto degree = static_cast<float>(max(task.by_item.degree(item), EdgeOffset{1}));
  return -task.correction * log2f(degree / all);
}

/// One group a pair.
template <int kLanes>
__global__ void __launch_bounds__(kSoftmaxPairThreads, kSoftmaxPairBlocks)
    in_batch_softmax_prepare_kernel(const __grid_constant__ SoftmaxTask task) {
  const std::int64_t t = softmax_pair(kLanes);
  if (t >= task.batch.state->count) return;
  const LaneGroup<kLanes> group;
  const Triplet triplet = task.batch.triplets[task.batch.state->first + t];
  const std::int64_t vectors = task.stride / kVector;
  const float4* user = as_vectors(task.values[0].row(triplet.user));
  const float4* item = as_vectors(task.values[1].row(triplet.positive));
  double user_square = 0.0;
  double item_square = 0.0;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const float4 u = __ldg(user + v);
    const float4 p = __ldg(item + v);
    user_square = dot(u, u, user_square);
    item_square = dot(p, p, item_square);
  }
  const double user_norm = sqrt(group.sum(user_square));
  const double item_norm = sqrt(group.sum(item_square));
  // A comparison, not fmax, which would lose a NaN.
  const double user_divisor = user_norm <= kSmallestNorm ? kSmallestNorm : user_norm;
  const double item_divisor = item_norm <= kSmallestNorm ? kSmallestNorm : item_norm;
  const double user_factor = 1.0 / user_divisor;
  const double item_factor = 1.0 / item_divisor;
  float4* user_unit = as_vectors(task.units[0] + t * task.stride);
  float4* item_unit = as_vectors(task.units[1] + t * task.stride);
  double cosine = 0.0;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const float4 u = __ldg(user + v);
    const float4 p = __ldg(item + v);
    cosine = dot(u, p, cosine);
    user_unit[v] = scale_f64(user_factor, u);
    item_unit[v] = scale_f64(item_factor, p);
  }
  cosine = group.sum(cosine) * user_factor * item_factor;
  if (group.lane != 0) return;
  task.divisors[0][t] = static_cast<float>(user_divisor);
  task.divisors[1][t] = static_cast<float>(item_divisor);
  task.cosines[t] = cosine;
  task.biases[t] = softmax_bias(task, triplet.positive);
}

/// One group a pair.
template <int kLanes>
__global__ void __launch_bounds__(kSoftmaxPairThreads, kSoftmaxJoinBlocks)
    in_batch_softmax_join_kernel(const __grid_constant__ SoftmaxTask task) {
  const std::int64_t t = softmax_pair(kLanes);
  const std::int64_t count = task.batch.state->count;
  if (t >= count) return;
  const LaneGroup<kLanes> group;
  float largest = -INFINITY;
  for (int s = 0; s < task.cuts.splits; ++s) {
    largest = fmaxf(largest, task.split_maxima[s * task.size + t]);
  }
  if (largest == -INFINITY) largest = 0.0F;  // no column: every power below is 2^-inf = 0
  float sum = 0.0F;
  for (int s = 0; s < task.cuts.splits; ++s) {
    const std::int64_t at = s * task.size + t;
    sum = fmaf(exp2f(task.split_maxima[at] - largest), task.split_sums[at], sum);
  }
  const bool empty = sum == 0.0F;
  const double pull = 1.0 / (static_cast<double>(count) * task.temperature);
  const double t2 = task.negative_weight;
  const float weight = empty ? 0.0F : static_cast<float>(pull * t2 / sum);
  const float own = empty ? 0.0F : static_cast<float>(pull);
  const float4* unit = as_vectors(task.units[1] + t * task.stride);
  float4* gradient = as_vectors(task.user_gradient + t * task.stride);
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    float4 joined = zero_vector();
    for (int s = 0; s < task.cuts.splits; ++s) {
      const std::int64_t at = s * task.size + t;
      joined = fma(exp2f(task.split_maxima[at] - largest),
                   as_vectors(task.partials + at * task.stride)[v], joined);
    }
    gradient[v] = fma(-own, unit[v], scale(weight, joined));
  }
  if (group.lane != 0) return;
  task.maxima[t] = largest;
  task.weights[t] = weight;
  task.pulls[t] = own;
  const double log_sum = (largest + log2(static_cast<double>(sum))) * kLn2;
  task.terms[t] = empty ? 0.0 : t2 * log_sum - task.cosines[t] / task.temperature;
}

/// All but the scatter.
void launch_softmax_passes(const Queue& queue, const SoftmaxTask& task) {
  const Launcher launch(queue);
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    const LaunchShape shape{.blocks = ceil_div(task.size, kSoftmaxPairThreads / kLanes),
                            .threads = kSoftmaxPairThreads};
    launch(shape, in_batch_softmax_prepare_kernel<kLanes>, task);
    launch_in_batch_softmax_tiles(queue, task, Side::kUser);
    launch(shape, in_batch_softmax_join_kernel<kLanes>, task);
  });
  launch_in_batch_softmax_tiles(queue, task, Side::kItem);
}

void launch_in_batch_softmax_fused(const Queue& queue, const SoftmaxTask& task) {
  launch_softmax_passes(queue, task);
  launch_in_batch_softmax_scatter_fused(queue, task);
}

}  // namespace

void launch_in_batch_softmax(const Queue& queue, const SoftmaxTask& task) {
  launch_softmax_passes(queue, task);
  launch_in_batch_softmax_scatter(queue, task);
}

void carve_softmax_workspace(SoftmaxTask& task, float* workspace) {
  const auto take = [&workspace](std::int64_t size) {
    float* taken = workspace;
    workspace += size;
    return taken;
  };
  // Rows of vectors first, so that they start on 16 bytes.
  const std::int64_t rows = task.size * task.stride;
  for (float*& units : task.units) units = take(rows);
  task.user_gradient = take(rows);
  task.partials = take(task.cuts.splits * rows);
  for (float*& divisors : task.divisors) divisors = take(task.size);
  for (float** array : {&task.biases, &task.maxima, &task.weights, &task.pulls}) {
    *array = take(task.size);
  }
  task.split_maxima = take(task.cuts.splits * task.size);
  task.split_sums = take(task.cuts.splits * task.size);
}

void CudaBackend::in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                                   const Matrix& users, const Matrix& items, Matrix& grad_users,
                                   Matrix& grad_items, Matrix& losses) {
  const Range range("in_batch_softmax");
  check_in_batch_softmax(triplets, options, users, items, grad_users, grad_items, losses);
  TripletsStorage& state = storage(triplets);
  check_sampled("in_batch_softmax", state.sampled);
  if (state.batch_size > kMaxPlanned) {  // only without a plan
    throw ShapeError("in_batch_softmax: batches have " + std::to_string(state.batch_size) +
                     " triplets, expected at most " + std::to_string(kMaxPlanned));
  }
  const DeviceScope scope = use_device();
  SoftmaxTask task{.batch = state.batch_view(),
                   .values = {read_only_view(users), read_only_view(items)},
                   .gradients = {view(grad_users), view(grad_items)},
                   .losses = view(losses),
                   .observed = state.graph->csr(Side::kUser),
                   .by_item = state.graph->csr(Side::kItem),
                   .mask = options.mask,
                   .temperature = options.temperature,
                   .negative_weight = options.negative_weight,
                   .correction = finite_factor(options.popularity_correction),
                   .sharpness = static_cast<float>(std::min(kLog2E / options.temperature, 1e30)),
                   .cuts = softmax_cuts(state.batch_size),
                   .size = state.batch_size,
                   .stride = view(users).stride,
                   .cosines = state.terms.data() + state.batch_size,
                   .terms = state.terms.data()};
  carve_softmax_workspace(task, grow(state.softmax, softmax_workspace_size(task.size, task.stride),
                                     "in_batch_softmax"));
  state.fused ? launch_in_batch_softmax_fused(queue(), task)
              : launch_in_batch_softmax(queue(), task);
}

}  // namespace tern::cuda
