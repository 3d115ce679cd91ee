#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/support/batch.hpp"
#include "cuda/support/launch_shape.hpp"
#include "tern/backend.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Pairs of the batch on each edge of a tile of logits.
inline constexpr int kSoftmaxTile = 64;

/// Logits are kept as powers of two: logit · log₂ e.
inline constexpr double kLog2E = 1.4426950408889634;

/// How the columns of a row of tiles are shared by blocks: `splits` of them, `tiles` tiles each.
struct SoftmaxCuts {
  int splits = 1;
  int tiles = 1;
};

/// 512 blocks are one wave on an H100: four on each of its 132 multiprocessors, whose registers hold
/// no more (counted, not measured). No more splits than that: each writes a gradient of its own.
/// Depends on the size of the batch alone, so that every GPU gives the same bits.
/// 1 <= batch_size <= kMaxPlanned.
constexpr SoftmaxCuts softmax_cuts(std::int64_t batch_size) {
  constexpr std::int64_t kBlocks = 512;
  const std::int64_t rows = ceil_div(batch_size, kSoftmaxTile);
  const std::int64_t splits = std::clamp<std::int64_t>(kBlocks / rows, 1, rows);
  const std::int64_t tiles = ceil_div(rows, splits);
  return {static_cast<int>(ceil_div(rows, tiles)), static_cast<int>(tiles)};
}

/// The current batch's softmax loss; all pointers on the device.
struct SoftmaxTask {
  BatchView batch;
  MatrixView<const float> values[2];  // [Side]
  MatrixView<float> gradients[2];     // [Side]
  MatrixView<float> losses;           // (2, batches of the epoch)
  CsrView observed;                   // R
  CsrView by_item;                    // Rᵀ
  SoftmaxMask mask = SoftmaxMask::kNone;
  double temperature = 1.0;      // τ
  double negative_weight = 1.0;  // t₂
  float correction = 0.0F;       // c
  float sharpness = 0.0F;        // log₂ e / τ
  SoftmaxCuts cuts;
  std::int64_t size = 0;    // batch_size: rows of the workspace
  std::int64_t stride = 0;  // of the tables' rows and of the workspace's

  // Workspace, as carve_softmax_workspace() cuts it.
  float* units[2] = {};            // [Side] (size, stride): ê of the pairs' nodes
  float* partials = nullptr;       // (splits, size, stride): gradients of one side's ê
  float* user_gradient = nullptr;  // (size, stride): gradient of û
  float* divisors[2] = {};         // [Side] (size): max(‖e‖, 1e-12)
  float* biases = nullptr;         // (size): -c log₂ q_j
  float* split_maxima = nullptr;   // (splits, size): a row's largest logit, -inf without columns
  float* split_sums = nullptr;     // (splits, size): Σ 2^(logit - largest)
  float* maxima = nullptr;         // (size): the largest logit of the row, 0 without columns
  float* weights = nullptr;        // (size): t₂ / (Bτ Σ 2^(logit - largest)), 0 without columns
  float* pulls = nullptr;          // (size): 1 / (Bτ), 0 without columns
  double* cosines = nullptr;       // (size): s_tt
  double* terms = nullptr;         // (size): the pair's share of B · loss
};

/// Floats of the workspace: linear in size · stride · splits.
constexpr std::int64_t softmax_workspace_size(std::int64_t size, std::int64_t stride) {
  const std::int64_t splits = softmax_cuts(size).splits;
  return (3 + splits) * size * stride + (6 + 2 * splits) * size;
}
/// Points the task's arrays of floats, for its size, stride and cuts, into a workspace.
void carve_softmax_workspace(SoftmaxTask& task, float* workspace);

/// The reproducible form, see in_batch_softmax.cu.
void launch_in_batch_softmax(const Queue& queue, const SoftmaxTask& task);

/// Fills partials from both sides' unit rows: of û, with split_maxima and split_sums; or of p̂, from
/// maxima and weights. See in_batch_softmax_tiles.cu.
void launch_in_batch_softmax_tiles(const Queue& queue, const SoftmaxTask& task, Side side);

/// Fills the gradients at the batch's rows, and the loss, from user_gradient, pulls, terms and the
/// partials of p̂. See in_batch_softmax_scatter.cu.
void launch_in_batch_softmax_scatter(const Queue& queue, const SoftmaxTask& task);
/// The same by float atomics, without the plan of occurrences.
void launch_in_batch_softmax_scatter_fused(const Queue& queue, const SoftmaxTask& task);

}  // namespace tern::cuda
