// The softmax of pairs of unit rows, which in_batch_softmax and info_nce share. Three launches, of
// which the two over B·C pairs take nearly all of the time:
//
// 1. tiles of left rows (pair_tiles.cu): logits in tiles, a running largest logit and sum a row, and
//    Σ_j exp(l_tj - largest) right_j beside them, rescaled when the largest logit grows: one pass for
//    the loss and the gradient of left. B×C numbers never exist.
// 2. join: a group of lanes a row joins the splits of a row of tiles, in their order: the loss's term,
//    and the gradient of left_t.
// 3. tiles of right rows: the logits again, transposed, now with known sums: Σ_t P_tj left_t.
//
// The two passes of 2·2·B·C·D flops each are 2.1 GFLOP at B and C 2048, D 64. All sums have one order,
// which depends on the sizes of the tables alone.

#include "cuda/ops/pair_softmax.hpp"

#include <cmath>
#include <string>

#include "cuda/ops/next_batch_plan.hpp"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/launch.hpp"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"
#include "host/backend/pair_weight.hpp"
#include "tern/error.hpp"

namespace tern::cuda {
namespace {

constexpr int kSoftmaxJoinThreads = 256;
/// Blocks on a multiprocessor: up to 128 registers a thread. Left to itself, ptxas aims at more blocks
/// and spills, on each architecture in another kernel.
constexpr int kSoftmaxJoinBlocks = 2;
constexpr double kLn2 = 0.6931471805599453;

/// A row's share of B · loss / weight, and the factors of its gradients: -∂loss/∂s_tt, and ∂loss/∂s_tj
/// of a column over its power.
struct SoftmaxRow {
  double term;
  double pull;
  double push;
};

/// sum: of the powers 2^(l - largest) of the row's columns, which has some.
__device__ inline SoftmaxRow softmax_row(const SoftmaxTask& task, std::int64_t t, float largest,
                                         float sum) {
  const auto count = static_cast<double>(task.rows());
  const double t2 = task.negative_weight;
  const double log_sum = (largest + log2(static_cast<double>(sum))) * kLn2;
  const double pull = task.weight / (count * task.temperature);
  SoftmaxRow row{t2 * log_sum - task.cosines[t] / task.temperature, pull, pull * t2 / sum};
  if (task.thresholds == nullptr) return row;
  const Triplet* batch = task.batch.triplets + task.batch.state->first;
  const NodeId user = batch[task.layout.triplet(t)].user;
  const PairFactor factor =
      pair_factor(task.cosines[t], task.thresholds[user], task.weight_temperature);
  row.pull = factor.weight * row.pull - task.weight / count * factor.slope * row.term;
  row.push *= factor.weight;
  row.term *= factor.weight;
  return row;
}

/// One group a row.
template <int kLanes>
__global__ void __launch_bounds__(kSoftmaxJoinThreads, kSoftmaxJoinBlocks)
    pair_softmax_join_kernel(const __grid_constant__ SoftmaxTask task) {
  const std::int64_t t = static_cast<std::int64_t>(blockIdx.x) * (kSoftmaxJoinThreads / kLanes) +
                         static_cast<int>(threadIdx.x) / kLanes;
  if (t >= task.rows()) return;
  const int splits = task.cuts[0].splits;
  const LaneGroup<kLanes> group;
  float largest = -INFINITY;
  for (int s = 0; s < splits; ++s) {
    largest = fmaxf(largest, task.split_maxima[s * task.sizes[0] + t]);
  }
  if (largest == -INFINITY) largest = 0.0F;  // no column: every power below is 2^-inf = 0
  float sum = 0.0F;
  for (int s = 0; s < splits; ++s) {
    const std::int64_t at = s * task.sizes[0] + t;
    sum = fmaf(exp2f(task.split_maxima[at] - largest), task.split_sums[at], sum);
  }
  const bool empty = sum == 0.0F;
  const SoftmaxRow row = empty ? SoftmaxRow{0.0, 0.0, 0.0} : softmax_row(task, t, largest, sum);
  const auto weight = static_cast<float>(row.push);
  const auto own = static_cast<float>(row.pull);
  const float4* unit = as_vectors(task.units[1] + t * task.stride);
  float4* gradient = as_vectors(task.left_gradient + t * task.stride);
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    float4 joined = zero_vector();
    for (int s = 0; s < splits; ++s) {
      const std::int64_t at = s * task.sizes[0] + t;
      joined = fma(exp2f(task.split_maxima[at] - largest),
                   as_vectors(task.partials + at * task.stride)[v], joined);
    }
    gradient[v] = fma(-own, unit[v], scale(weight, joined));
  }
  if (group.lane != 0) return;
  task.maxima[t] = largest;
  task.weights[t] = weight;
  task.pulls[t] = own;
  task.terms[t] = row.term;
}

}  // namespace

void check_pair_batch(const char* op, bool sampled, std::int64_t columns) {
  check_sampled(op, sampled);
  if (columns > kMaxPlanned) {
    throw ShapeError(std::string(op) + ": batches have " + std::to_string(columns) +
                     " columns, expected at most " + std::to_string(kMaxPlanned));
  }
}

void launch_softmax_passes(const Queue& queue, const SoftmaxTask& task) {
  launch_pair_tiles(queue, task, TilePass::kLeft);
  const Launcher launch(queue);
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch({.blocks = ceil_div(task.sizes[0], kSoftmaxJoinThreads / kLanes),
            .threads = kSoftmaxJoinThreads},
           pair_softmax_join_kernel<kLanes>, task);
  });
  launch_pair_tiles(queue, task, TilePass::kRight);
}

float* carve_softmax_workspace(SoftmaxTask& task, float* workspace) {
  const auto take = [&workspace](std::int64_t size) {
    float* taken = workspace;
    workspace += size;
    return taken;
  };
  // Rows of vectors first, so that they start on 16 bytes.
  const auto [rows, columns] = task.sizes;
  task.units[0] = take(rows * task.stride);
  task.units[1] = take(columns * task.stride);
  task.left_gradient = take(rows * task.stride);
  task.partials = take(softmax_partial_rows(rows, columns) * task.stride);
  task.divisors[0] = take(rows);
  task.divisors[1] = take(columns);
  task.biases = take(columns);
  for (float** array : {&task.maxima, &task.weights, &task.pulls}) *array = take(rows);
  task.split_maxima = take(task.cuts[0].splits * rows);
  task.split_sums = take(task.cuts[0].splits * rows);
  task.keys[0] = reinterpret_cast<NodeId*>(take(rows));
  task.keys[1] = reinterpret_cast<NodeId*>(take(columns));
  return workspace;
}

}  // namespace tern::cuda
