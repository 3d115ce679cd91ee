// sampled_contrast: the loss of a batch of P positive pairs (u, p), each against its own M sampled
// negatives, and its gradient. Sources: Wu et al. 2024 (sampled softmax); Mao et al. 2021 (CCL);
// Yang et al. 2025 (thresholds).
//
//   s⁺ = û·p̂, s_k = û·n̂_k, ê = e / max(‖e‖, 1e-12)
//   softmax:            loss = 1/P Σ w ℓ, ℓ = -s⁺/τ + t₂ log Σ_k exp(s_k / τ)
//                       w = 1, or with thresholds sigmoid((s⁺ - β_u) / τ_w)
//   cosine contrastive: loss = 1/P Σ [ (1 - s⁺) + w/M Σ_k max(0, s_k - m) ]
//   expression:         loss = 1/P Σ f(s⁺, s_1..s_M) by a program, with s of ê or of e
//   ∂/∂e = (g - ê (ê·g)) / ‖e‖, g the gradient of ê over its occurrences
//
// users and their gradient: (U, D); items and theirs: (I, D), used at the batch's rows alone. The M
// triplets of a pair are consecutive.
//
// Three launches:
//
// 1. norms: a group of lanes a distinct row. Norms are f64, so that squares of 1e20 and 1e-20 fit; the
//    factor 1 / max(‖e‖, 1e-12) goes to memory, and every reader of a row multiplies by it first.
// 2. pairs: a group a pair gathers p and the M negatives, four rows at a time, for its cosines; then
//    each lane turns its share of them into weights ∂loss/∂s_k; then the negatives again, from the
//    cache, for the gradient of û. Behind a margin most weights are 0, and their rows are not read
//    again. The program of an expression has a kernel of its own, as it needs more registers; all
//    lanes run the same instruction, in f64.
// 3. gather: a group a distinct row goes through the row's occurrences (next_batch_plan.cu), as bpr
//    does, or the whole block if there are more than kManyOccurrences; for a user they are pairs, for
//    an item triplets. Then it takes the sum through the normalisation. One more block adds the loss.
//
// About 8·B·D bytes are gathered twice, mostly from the cache. All sums have one order, except for the
// last one in the fused form (Reproducibility::kNone), which has no plan: a group a pair projects the
// gradient of each of its rows and adds it by float atomics.

#include "cuda/ops/sampled_contrast.hpp"

#include <algorithm>
#include <cmath>

#include "cuda/backend.hpp"
#include "cuda/ops/sampled_contrast_rows.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"
#include "host/backend/pair_program.hpp"
#include "host/backend/pair_weight.hpp"

namespace tern::cuda {
namespace {

/// One group a distinct row, grid: (rows, sides).
template <int kLanes>
__global__ void __launch_bounds__(kContrastThreads, kContrastBlocks)
    sampled_contrast_norm_kernel(const __grid_constant__ ContrastTask task) {
  const int side = static_cast<int>(blockIdx.y);
  const RowSpan span = task.batch.state->rows[side];
  const std::int64_t index = contrast_index(kLanes);
  if (index >= span.count) return;
  const LaneGroup<kLanes> group;
  const NodeId node = task.batch.sides[side].rows[span.begin + index];
  if (!task.normalizes) {
    if (group.lane == 0) task.inverses[side][node] = 1.0F;
    return;
  }
  const float4* row = as_vectors(task.values[side].row(node));
  double square = 0.0;
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    const float4 x = __ldg(row + v);
    square = dot(x, x, square);
  }
  const double norm = sqrt(group.sum(square));
  // A comparison, not fmax, which would lose a NaN.
  const double divisor = norm <= kContrastSmallestNorm ? kContrastSmallestNorm : norm;
  if (group.lane == 0) task.inverses[side][node] = static_cast<float>(1.0 / divisor);
}

template <int kLanes>
__device__ inline float contrast_cosine(const ContrastTask& task, const LaneGroup<kLanes>& group,
                                        const ContrastRow& user, const ContrastRow& item) {
  float sum = 0.0F;
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    sum = dot(user.unit(v), item.unit(v), sum);
  }
  return group.sum(sum);
}

/// Writes the pair's cosines with its negatives to weights. Returns the largest.
template <int kLanes>
__device__ inline float contrast_cosines(const ContrastTask& task, const LaneGroup<kLanes>& group,
                                         const Triplet* own, const ContrastRow& user,
                                         float* weights) {
  float largest = -INFINITY;
  for (std::int32_t k = 0; k < task.negatives; k += kContrastAtOnce) {
    const float4* rows[kContrastAtOnce];
    float factors[kContrastAtOnce];
    float sums[kContrastAtOnce] = {};
#pragma unroll
    for (int j = 0; j < kContrastAtOnce; ++j) {  // beyond the last: the last again, unused
      const ContrastRow row(task, 1, own[min(k + j, task.negatives - 1)].negative);
      rows[j] = row.vectors;
      factors[j] = row.inverse;
    }
#pragma unroll 1  // one or two rounds for a width up to 256; more at once only spill
    for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
      const float4 u = user.unit(v);
#pragma unroll
      for (int j = 0; j < kContrastAtOnce; ++j) {
        sums[j] = dot(u, scale(factors[j], __ldg(rows[j] + v)), sums[j]);
      }
    }
#pragma unroll
    for (int j = 0; j < kContrastAtOnce; ++j) {
      const float cosine = group.sum(sums[j]);
      if (k + j >= task.negatives) continue;
      largest = fmaxf(largest, cosine);
      if (group.lane == 0) weights[2 * (k + j) + 1] = cosine;
    }
  }
  return largest;
}

/// A pair's share of P · loss, and ∂loss/∂s⁺.
struct PairScore {
  double term;
  float slope;
};

/// Turns the cosines of the pair's negatives into weights, each lane its own.
template <int kLanes>
__device__ inline PairScore softmax_weights(const ContrastTask& task,
                                            const LaneGroup<kLanes>& group, NodeId user,
                                            double cosine, float largest, float* weights) {
  float sum = 0.0F;
  for (std::int32_t k = group.lane; k < task.negatives; k += kLanes) {
    const float exponent = expf((weights[2 * k + 1] - largest) * task.sharpness);
    weights[2 * k + 1] = exponent;
    sum += exponent;
  }
  sum = group.sum(sum);
  const double share = 1.0 / static_cast<double>(contrast_pairs(task));
  const auto pull = static_cast<float>(fmin(share / task.temperature, 1e38));
  const double term =
      task.negative_weight * (largest / task.temperature + log(static_cast<double>(sum))) -
      cosine / task.temperature;
  PairFactor factor;
  if (task.thresholds != nullptr) {
    factor = pair_factor(cosine, task.thresholds[user], task.weight_temperature);
  }
  const auto push = static_cast<float>(factor.weight * (pull * task.negative_weight / sum));
  for (std::int32_t k = group.lane; k < task.negatives; k += kLanes) {
    weights[2 * k + 1] *= push;
  }
  return {factor.weight * term,
          static_cast<float>(share * factor.slope * term - factor.weight * pull)};
}

template <int kLanes>
__device__ inline PairScore cosine_weights(const ContrastTask& task, const LaneGroup<kLanes>& group,
                                           double cosine, float* weights) {
  const double weight = task.negative_weight / task.negatives;
  const double share = 1.0 / static_cast<double>(contrast_pairs(task));
  const auto push = static_cast<float>(weight * share);
  const auto margin = static_cast<float>(task.margin);
  double above = 0.0;
  for (std::int32_t k = group.lane; k < task.negatives; k += kLanes) {
    const float s = weights[2 * k + 1];
    // Not a comparison with the margin alone, which would lose a NaN.
    above += s <= margin ? 0.0 : s - task.margin;
    weights[2 * k + 1] = s <= margin ? 0.0F : s > margin ? push : s;
  }
  return {weight * group.sum(above) + (1.0 - cosine), -static_cast<float>(share)};
}

/// The value in f32; beyond its range the largest one, as padding times infinity would be NaN.
__device__ inline float finite_weight(double value) {
  constexpr double kMax = 3.4e38;
  return static_cast<float>(value > kMax ? kMax : value < -kMax ? -kMax : value);
}

/// The same for the program of an expression.
template <int kLanes>
__device__ inline PairScore expression_weights(const ContrastTask& task, const PairProgram& program,
                                               const LaneGroup<kLanes>& group, double score,
                                               float* weights) {
  PairScores pair{.positive = score, .negatives = static_cast<double>(task.negatives)};
  double sums[PairProgram::kMaxSums] = {};
  for (std::int32_t k = group.lane; k < task.negatives; k += kLanes) {
    pair.negative = weights[2 * k + 1];
    add_pair_terms(program, pair, sums);
  }
#pragma unroll
  for (int j = 0; j < PairProgram::kMaxSums; ++j) sums[j] = group.sum(sums[j]);
  const PairLossSlopes slopes = pair_loss_slopes(program, pair, sums);
  const double share = 1.0 / static_cast<double>(contrast_pairs(task));
  double positive = 0.0;
  for (std::int32_t k = group.lane; k < task.negatives; k += kLanes) {
    pair.negative = weights[2 * k + 1];
    weights[2 * k + 1] =
        finite_weight(share * pair_negative_slope(program, pair, slopes, positive));
  }
  positive = slopes.positive + group.sum(positive);
  return {slopes.loss, finite_weight(share * positive)};
}

/// Σ_k ∂loss/∂s_k n̂_k, vector `place`.
__device__ inline float4 pushed_negatives(const ContrastTask& task, const Triplet* own,
                                          const float* weights, std::int64_t place) {
  float4 sum = zero_vector();
  for (std::int32_t k = 0; k < task.negatives; k += kContrastAtOnce) {
    float weight[kContrastAtOnce];
    float4 value[kContrastAtOnce];
#pragma unroll
    for (int j = 0; j < kContrastAtOnce; ++j) {
      weight[j] = k + j < task.negatives ? weights[2 * (k + j) + 1] : 0.0F;
      if (weight[j] != 0.0F) value[j] = ContrastRow(task, 1, own[k + j].negative).unit(place);
    }
#pragma unroll
    for (int j = 0; j < kContrastAtOnce; ++j) {
      if (weight[j] != 0.0F) sum = fma(weight[j], value[j], sum);
    }
  }
  return sum;
}

/// One group a pair. weigh(group, user, cosine, largest, weights): its PairScore.
template <int kLanes, typename Weigh>
__device__ inline void contrast_pair(const ContrastTask& task, const Weigh& weigh) {
  const std::int64_t pair = contrast_index(kLanes);
  if (pair >= contrast_pairs(task)) return;
  const LaneGroup<kLanes> group;
  const Triplet* own =
      task.batch.triplets + task.batch.state->first + pair * std::int64_t{task.negatives};
  float* weights = task.weights + 2 * pair * task.negatives;
  const ContrastRow user(task, 0, own->user);
  const ContrastRow positive(task, 1, own->positive);
  const double cosine = contrast_cosine(task, group, user, positive);
  const float largest = contrast_cosines(task, group, own, user, weights);
  __syncwarp(group.mask());
  const PairScore score = weigh(group, own->user, cosine, largest, weights);
  if (group.lane == 0) task.terms[pair] = score.term;
  for (std::int32_t k = group.lane; k < task.negatives; k += kLanes) {
    weights[2 * k] = k == 0 ? score.slope : 0.0F;  // the positive of a pair counts once
  }
  __syncwarp(group.mask());
  float4* gradient = as_vectors(task.user_gradient + pair * task.stride);
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    gradient[v] = fma(score.slope, positive.unit(v), pushed_negatives(task, own, weights, v));
  }
}

template <int kLanes>
__global__ void __launch_bounds__(kContrastThreads, kContrastBlocks)
    sampled_contrast_pair_kernel(const __grid_constant__ ContrastTask task) {
  contrast_pair<kLanes>(task, [&](const LaneGroup<kLanes>& group, NodeId user, double cosine,
                                  float largest, float* weights) {
    return task.kind == SampledContrastKind::kSoftmax
               ? softmax_weights(task, group, user, cosine, largest, weights)
               : cosine_weights(task, group, cosine, weights);
  });
}

/// The stack of a program takes 32 registers a thread: two blocks on a multiprocessor leave 128.
template <int kLanes>
__global__ void __launch_bounds__(kContrastThreads, 2)
    sampled_contrast_expression_kernel(const __grid_constant__ ContrastTask task,
                                       const __grid_constant__ PairProgram program) {
  contrast_pair<kLanes>(task, [&](const LaneGroup<kLanes>& group, NodeId /*user*/, double score,
                                  float /*largest*/, float* weights) {
    return expression_weights(task, program, group, score, weights);
  });
}

/// All but the gather.
void launch_contrast_pairs(const Queue& queue, const ContrastTask& task,
                           const PairProgram* program) {
  const Launcher launch(queue);
  const std::int64_t rows = std::max(task.batch.sides[0].capacity, task.batch.sides[1].capacity);
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    constexpr int kGroups = kContrastThreads / kLanes;
    launch({.blocks = ceil_div(rows, kGroups), .threads = kContrastThreads, .blocks_y = 2},
           sampled_contrast_norm_kernel<kLanes>, task);
    const LaunchShape pairs{.blocks = ceil_div(task.pairs(), kGroups), .threads = kContrastThreads};
    if (program != nullptr) {
      launch(pairs, sampled_contrast_expression_kernel<kLanes>, task, *program);
    } else {
      launch(pairs, sampled_contrast_pair_kernel<kLanes>, task);
    }
  });
}

void launch_sampled_contrast_fused(const Queue& queue, const ContrastTask& task,
                                   const PairProgram* program) {
  launch_contrast_pairs(queue, task, program);
  launch_sampled_contrast_gather_fused(queue, task);
}

}  // namespace

void launch_sampled_contrast(const Queue& queue, const ContrastTask& task,
                             const PairProgram* program) {
  launch_contrast_pairs(queue, task, program);
  launch_sampled_contrast_gather(queue, task);
}

void carve_contrast_workspace(ContrastTask& task, float* workspace) {
  task.user_gradient = workspace;  // rows of vectors first, so that they start on 16 bytes
  task.inverses[0] = workspace + task.pairs() * task.stride;
  task.inverses[1] = task.inverses[0] + task.values[0].rows;
  task.weights = task.inverses[1] + task.values[1].rows;
}

void CudaBackend::sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                                   const Matrix& users, const Matrix& items, Matrix& grad_users,
                                   Matrix& grad_items, Matrix& losses) {
  const Range range("sampled_contrast");
  check_sampled_contrast(triplets, options, users, items, grad_users, grad_items, losses);
  expect_all_columns("sampled_contrast");
  TripletsStorage& state = storage(triplets);
  check_sampled("sampled_contrast", state.sampled);
  const DeviceScope scope = use_device();
  ContrastTask task{.batch = state.batch_view(),
                    .values = {read_only_view(users), read_only_view(items)},
                    .gradients = {view(grad_users), view(grad_items)},
                    .losses = view(losses),
                    .kind = options.kind,
                    .temperature = options.temperature,
                    .margin = options.margin,
                    .normalizes = options.similarity == PairSimilarity::kCosine,
                    .negative_weight = options.negative_weight,
                    .sharpness = static_cast<float>(std::min(1.0 / options.temperature, 1e30)),
                    .negatives = triplets.negatives_per_positive(),
                    .size = state.batch_size,
                    .stride = view(users).stride,
                    .terms = state.terms.data()};
  if (const Matrix* thresholds = options.pair_weight.thresholds) {
    task.thresholds = read_only_view(*thresholds).row(0);
    task.weight_temperature = options.pair_weight.temperature;
  }
  carve_contrast_workspace(task,
                           grow(state.contrast, contrast_workspace_size(task), "sampled_contrast"));
  state.fused ? launch_sampled_contrast_fused(queue(), task, options.program)
              : launch_sampled_contrast(queue(), task, options.program);
  refresh_copies({&grad_users, &grad_items, &losses});
}

}  // namespace tern::cuda
