// The loss of a batch of pairs against sampled negatives of each pair, and its gradient, see
// Backend::sampled_contrast.
//
// Three passes. The first writes the unit row of each distinct user and item once, however often it
// occurs, and notes with each pair where the unit rows of its user, positive and negatives are. The
// second takes a pair at a time: M cosines, the loss, the weights ∂loss/∂s_k, and the gradient of û
// while the negatives' rows are in the cache. The third gathers the gradient of each distinct row
// through its list of occurrences, in their order, and takes it through the normalisation. Negatives
// of weight 0, which are most of them behind a margin, cost nothing in the last two.
//
// A backend with a part of the columns completes the squares of the norms before the first pass, and the
// scores of the pairs before the second. These give the last pass ê·g as well: Σ weight · score.

#include <hwy/cache_control.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "host/backend/checks.hpp"
#include "host/backend/pair_program.hpp"
#include "host/backend/pair_weight.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/unit_rows.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/sampled_contrast.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

#include <hwy/contrib/math/math-inl.h>  // after highway.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kBlock>;
}  // namespace

/// cosines[k] = user · items[slots[k]] for k in [0, count): four rows at a time, and the next ones are
/// fetched meanwhile.
void contrast_cosines(const float* HWY_RESTRICT user, const float* HWY_RESTRICT items,
                      const std::int32_t* slots, std::int64_t count, std::int64_t stride,
                      float* HWY_RESTRICT cosines) {
  const Tag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  constexpr std::int64_t kAhead = 8;
  const auto row = [&](std::int64_t k) { return items + slots[k] * stride; };
  const auto fetch = [&](std::int64_t k) {
    for (std::int64_t f = 0; f < stride; f += kBlock) hwy::Prefetch(row(k) + f);
  };
  for (std::int64_t k = 0; k < std::min(kAhead, count); ++k) fetch(k);
  std::int64_t k = 0;
  for (; k + 4 <= count; k += 4) {
    for (std::int64_t a = k + kAhead; a < std::min(k + kAhead + 4, count); ++a) fetch(a);
    const float* r0 = row(k);
    const float* r1 = row(k + 1);
    const float* r2 = row(k + 2);
    const float* r3 = row(k + 3);
    auto s0 = hn::Zero(tag);
    auto s1 = hn::Zero(tag);
    auto s2 = hn::Zero(tag);
    auto s3 = hn::Zero(tag);
    for (std::int64_t f = 0; f < stride; f += lanes) {
      const auto u = hn::Load(tag, user + f);
      s0 = hn::MulAdd(u, hn::Load(tag, r0 + f), s0);
      s1 = hn::MulAdd(u, hn::Load(tag, r1 + f), s1);
      s2 = hn::MulAdd(u, hn::Load(tag, r2 + f), s2);
      s3 = hn::MulAdd(u, hn::Load(tag, r3 + f), s3);
    }
    cosines[k] = hn::GetLane(hn::SumOfLanes(tag, s0));
    cosines[k + 1] = hn::GetLane(hn::SumOfLanes(tag, s1));
    cosines[k + 2] = hn::GetLane(hn::SumOfLanes(tag, s2));
    cosines[k + 3] = hn::GetLane(hn::SumOfLanes(tag, s3));
  }
  for (; k < count; ++k) {
    auto sum = hn::Zero(tag);
    for (std::int64_t f = 0; f < stride; f += lanes) {
      sum = hn::MulAdd(hn::Load(tag, user + f), hn::Load(tag, row(k) + f), sum);
    }
    cosines[k] = hn::GetLane(hn::SumOfLanes(tag, sum));
  }
}

/// Turns cosines into exp((cosine - largest) · sharpness), over whole blocks; those of -inf become 0.
/// Returns the largest cosine; *sum: of the results.
float contrast_exponents(float* HWY_RESTRICT cosines, std::int64_t size, float sharpness,
                         float* HWY_RESTRICT sum) {
  const Tag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  auto largest = hn::Set(tag, -std::numeric_limits<float>::infinity());
  for (std::int64_t f = 0; f < size; f += lanes) {
    largest = hn::Max(hn::Load(tag, cosines + f), largest);
  }
  const float most = hn::GetLane(hn::MaxOfLanes(tag, largest));
  const auto shift = hn::Set(tag, most);
  const auto factor = hn::Set(tag, sharpness);
  auto total = hn::Zero(tag);
  for (std::int64_t f = 0; f < size; f += lanes) {
    const auto below = hn::Sub(hn::Load(tag, cosines + f), shift);
    const auto e = hn::Exp(tag, hn::Mul(below, factor));
    hn::Store(e, tag, cosines + f);
    total = hn::Add(total, e);
  }
  *sum = hn::GetLane(hn::SumOfLanes(tag, total));
  return most;
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(contrast_cosines);
HWY_EXPORT(contrast_exponents);

namespace {

using ContrastCosines = void (*)(const float*, const float*, const std::int32_t*, std::int64_t,
                                 std::int64_t, float*);
using ContrastExponents = float (*)(float*, std::int64_t, float, float*);

/// A call of the op: its inputs, and views of the workspace.
struct ContrastCall {
  const TripletsStorage& state;
  const SampledContrastOptions& options;
  ContrastWorkspace& work;
  std::int64_t negatives;  // M
  std::int64_t pairs;      // P
  std::int64_t stride;     // of a row
  RowKernels rows;
  ContrastCosines cosines;
  ContrastExponents exponents;
  const float* thresholds;  // by user; null: each pair counts 1
  bool completes;           // with PartialSums: work.squares, then work.scores are completed sums

  float* unit(std::size_t side, std::int64_t row) const {
    return work.units[side].data() + row * stride;
  }
  float* user_gradient(std::int64_t pair) const {
    return work.user_gradient.data() + pair * stride;
  }
  float* weights(std::int64_t pair) const { return work.weights.data() + pair * padded(negatives); }
  bool normalizes() const { return options.similarity == PairSimilarity::kCosine; }
  double* scores(std::int64_t pair) const { return work.scores.data() + pair * (1 + negatives); }
  const std::int32_t* slots(std::int64_t pair) const {
    return work.negatives.data() + pair * negatives;
  }
  float pull(std::int64_t pair) const { return work.pulls[static_cast<std::size_t>(pair)]; }
};

/// Distinct row r of a side: its unit row, and its place with the pairs in which it occurs.
void prepare_row(const ContrastCall& call, std::size_t side, std::int64_t r, const float* row) {
  const Occurrences& of = call.state.occurrences[side];
  if (call.normalizes() && call.completes) {
    const double square = call.work.squares[call.state.distinct_row(side, r)];
    call.work.norms[side][r] =
        normalize_part(call.rows, row, square, call.unit(side, r), call.stride);
  } else if (call.normalizes()) {
    call.work.norms[side][r] = normalize(call.rows, row, call.unit(side, r), call.stride);
  } else {
    std::copy_n(row, call.stride, call.unit(side, r));
  }
  const auto slot = static_cast<std::int32_t>(r);
  for (std::int32_t o = of.starts[r]; o < of.starts[r + 1]; ++o) {
    const std::int32_t occurrence = of.occurrences[o];
    if (side == 0) {
      call.work.users[occurrence / call.negatives] = slot;
    } else if (occurrence % 2 == 0) {
      call.work.positives[occurrence / 2 / call.negatives] = slot;
    } else {
      call.work.negatives[occurrence / 2] = slot;
    }
  }
}

/// The loss of a pair, without 1/P, and -∂loss/∂s⁺ with it.
struct PairScore {
  double loss;
  double pull;
};

/// Turns the cosines of the pair's negatives into weights; s: its own.
PairScore softmax_weights(const ContrastCall& call, std::int64_t pair, double s, float* weights) {
  const std::int64_t room = padded(call.negatives);
  const double weight = call.options.negative_weight;
  std::fill(weights + call.negatives, weights + room, -std::numeric_limits<float>::infinity());
  float sum = 0.0F;
  const double largest =
      call.exponents(weights, room, finite_factor(1.0 / call.options.temperature), &sum);
  const double pull = 1.0 / (static_cast<double>(call.pairs) * call.options.temperature);
  const double loss =
      weight * (largest / call.options.temperature + std::log(sum)) - s / call.options.temperature;
  PairFactor factor;
  if (call.thresholds != nullptr) {
    const NodeId user = call.state.current[pair * call.negatives].user;
    factor = pair_factor(s, call.thresholds[user], call.options.pair_weight.temperature);
  }
  call.rows.scale(finite_factor(factor.weight * (pull * weight / sum)), weights, weights, room);
  const double share = 1.0 / static_cast<double>(call.pairs);
  return {factor.weight * loss,
          factor.weight * (share / call.options.temperature) - factor.slope * loss * share};
}

PairScore cosine_weights(const ContrastCall& call, double s, float* weights) {
  const double weight = call.options.negative_weight / static_cast<double>(call.negatives);
  const float push = finite_factor(weight / static_cast<double>(call.pairs));
  const auto margin = static_cast<float>(call.options.margin);
  double above = 0.0;
  for (std::int64_t k = 0; k < call.negatives; ++k) {
    const float s = weights[k];
    // Not a comparison with the margin alone, which would lose a NaN.
    above += s <= margin ? 0.0 : static_cast<double>(s) - call.options.margin;
    weights[k] = s <= margin ? 0.0F : s > margin ? push : s;
  }
  return {weight * above + (1.0 - s), 1.0 / static_cast<double>(call.pairs)};
}

PairScore expression_weights(const ContrastCall& call, double s, float* weights) {
  const PairProgram& program = *call.options.program;
  const double share = 1.0 / static_cast<double>(call.pairs);
  PairScores pair{.positive = s, .negatives = static_cast<double>(call.negatives)};
  double sums[PairProgram::kMaxSums] = {};
  for (std::int64_t k = 0; k < call.negatives; ++k) {
    pair.negative = weights[k];
    add_pair_terms(program, pair, sums);
  }
  const PairLossSlopes slopes = pair_loss_slopes(program, pair, sums);
  double positive = slopes.positive;
  for (std::int64_t k = 0; k < call.negatives; ++k) {
    pair.negative = weights[k];
    weights[k] = finite_factor(share * pair_negative_slope(program, pair, slopes, positive));
  }
  return {slopes.loss, -share * positive};
}

PairScore contrast_weights(const ContrastCall& call, std::int64_t pair, double s, float* weights) {
  switch (call.options.kind) {
    case SampledContrastKind::kSoftmax:
      return softmax_weights(call, pair, s, weights);
    case SampledContrastKind::kCosineContrastive:
      return cosine_weights(call, s, weights);
    default:
      return expression_weights(call, s, weights);
  }
}

/// The scores of a pair's negatives, which go to its weights. Returns its own.
double pair_scores(const ContrastCall& call, std::int64_t pair) {
  const float* user = call.unit(0, call.work.users[pair]);
  call.cosines(user, call.unit(1, 0), call.slots(pair), call.negatives, call.stride,
               call.weights(pair));
  return call.rows.dot(user, call.unit(1, call.work.positives[pair]), call.stride);
}

/// This part's share of the scores, to be completed.
void score_part(const ContrastCall& call, std::int64_t pair) {
  double* scores = call.scores(pair);
  scores[0] = pair_scores(call, pair);
  std::copy_n(call.weights(pair), call.negatives, scores + 1);
}

/// The same from completed scores.
double completed_scores(const ContrastCall& call, std::int64_t pair) {
  const double* scores = call.scores(pair);
  float* weights = call.weights(pair);
  for (std::int64_t k = 0; k < call.negatives; ++k) weights[k] = static_cast<float>(scores[1 + k]);
  return scores[0];
}

/// The pair's loss, the weights of its negatives, and the gradient of its user's unit row.
void score_pair(const ContrastCall& call, std::int64_t pair, double* loss) {
  const float* positive = call.unit(1, call.work.positives[pair]);
  const std::int32_t* slots = call.slots(pair);
  float* weights = call.weights(pair);
  const double s = call.completes ? completed_scores(call, pair) : pair_scores(call, pair);
  const PairScore score = contrast_weights(call, pair, s, weights);
  *loss = score.loss;
  call.work.pulls[pair] = finite_factor(score.pull);
  float* gradient = call.user_gradient(pair);
  call.rows.scale(-call.pull(pair), positive, gradient, call.stride);
  for (std::int64_t k = 0; k < call.negatives; ++k) {
    if (weights[k] != 0.0F)
      call.rows.add(weights[k], call.unit(1, slots[k]), gradient, call.stride);
  }
}

/// ê·g of an occurrence of a row: the scores of its pairs, weighted as their gradients are.
double along_occurrence(const ContrastCall& call, std::size_t side, std::int64_t occurrence) {
  const std::int64_t pair = (side == 0 ? occurrence : occurrence / 2) / call.negatives;
  const double* scores = call.scores(pair);
  const double own = -static_cast<double>(call.pull(pair)) * scores[0];
  const float* weights = call.weights(pair);
  if (side == 1 && occurrence % 2 == 0) return own;
  if (side == 1) {
    const std::int64_t k = occurrence / 2 % call.negatives;
    return weights[k] * scores[1 + k];
  }
  double along = own;
  for (std::int64_t k = 0; k < call.negatives; ++k) along += weights[k] * scores[1 + k];
  return along;
}

/// The gradient of one distinct row.
void gather_contrast(const ContrastCall& call, std::size_t side, std::int64_t r, float* out) {
  const Occurrences& of = call.state.occurrences[side];
  std::fill_n(out, call.stride, 0.0F);
  const std::int64_t step = side == 0 ? call.negatives : 1;  // a pair's triplets have one user
  double along = 0.0;
  for (std::int64_t o = of.starts[r]; o < of.starts[r + 1]; o += step) {
    const std::int64_t occurrence = of.occurrences[o];
    if (side == 1 && occurrence % 2 == 0 && occurrence / 2 % call.negatives != 0) {
      continue;  // the positive of a pair counts once
    }
    if (call.completes) along += along_occurrence(call, side, occurrence);
    if (side == 0) {
      call.rows.add(1.0F, call.user_gradient(occurrence / call.negatives), out, call.stride);
      continue;
    }
    const std::int64_t pair = occurrence / 2 / call.negatives;
    const std::int64_t k = occurrence / 2 % call.negatives;
    const float weight = occurrence % 2 == 0 ? -call.pull(pair) : call.weights(pair)[k];
    if (weight != 0.0F)
      call.rows.add(weight, call.unit(0, call.work.users[pair]), out, call.stride);
  }
  if (!call.normalizes()) return;
  const double norm = call.work.norms[side][r];
  if (call.completes) {
    project_part(call.rows, call.unit(side, r), norm, along, out, call.stride);
  } else {
    project(call.rows, call.unit(side, r), norm, out, call.stride);
  }
}

}  // namespace

void CpuBackend::sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                                  const Matrix& users, const Matrix& items, Matrix& grad_users,
                                  Matrix& grad_items, Matrix& losses) {
  check_sampled_contrast(triplets, options, users, items, grad_users, grad_items, losses);
  TripletsStorage& state = storage(triplets);
  check_sampled("sampled_contrast", state.sampled());
  const std::int64_t negatives = triplets.negatives_per_positive();
  const Matrix* thresholds = options.pair_weight.thresholds;
  const ContrastCall call{.state = state,
                          .options = options,
                          .work = state.contrast,
                          .negatives = negatives,
                          .pairs = std::ssize(state.current) / negatives,
                          .stride = view(users).stride,
                          .rows = choose_row_kernels(),
                          .cosines = HWY_DYNAMIC_DISPATCH(contrast_cosines),
                          .exponents = HWY_DYNAMIC_DISPATCH(contrast_exponents),
                          .thresholds = thresholds == nullptr ? nullptr : view(*thresholds).row(0),
                          .completes = sums_ != nullptr};
  const MatrixView<float> tables[] = {view(users), view(items)};
  const MatrixView<float> gradients[] = {view(grad_users), view(grad_items)};
  const std::int64_t rows[] = {std::ssize(state.occurrences[0].set->rows),
                               std::ssize(state.occurrences[1].set->rows)};
  call.work.grow(call.pairs, negatives, rows, call.stride);
  const auto for_rows = [&](const auto& body) {
    parallel_for_blocks(pool_, rows[0] + rows[1], kRowBlock, [&](std::int64_t i) {
      const std::size_t side = i < rows[0] ? 0 : 1;
      const std::int64_t r = side == 0 ? i : i - rows[0];
      body(side, r, state.occurrences[side].set->rows[r]);
    });
  };
  if (call.completes && call.normalizes()) {
    call.work.squares.resize(static_cast<std::size_t>(rows[0] + rows[1]));
    for_rows([&](std::size_t side, std::int64_t r, NodeId node) {
      call.work.squares[call.state.distinct_row(side, r)] =
          square_of_part(call.rows, tables[side].row(node), call.stride);
    });
    sums_->complete(call.work.squares);
  }
  for_rows([&](std::size_t side, std::int64_t r, NodeId node) {
    prepare_row(call, side, r, tables[side].row(node));
  });
  if (call.completes) {
    call.work.scores.resize(static_cast<std::size_t>(call.pairs * (1 + negatives)));
    parallel_for_blocks(pool_, call.pairs, kRowBlock,
                        [&](std::int64_t pair) { score_part(call, pair); });
    sums_->complete(call.work.scores);
  }
  parallel_for_blocks(pool_, call.pairs, kRowBlock,
                      [&](std::int64_t pair) { score_pair(call, pair, &state.losses[pair]); });
  for_rows([&](std::size_t side, std::int64_t r, NodeId node) {
    gather_contrast(call, side, r, gradients[side].row(node));
  });
  double sum = 0.0;
  for (std::int64_t pair = 0; pair < call.pairs; ++pair) sum += state.losses[pair];
  view(losses)(0, state.batch) = static_cast<float>(sum / static_cast<double>(call.pairs));
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
