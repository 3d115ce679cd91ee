// The softmax loss of a batch of pairs against each other and its gradient, see
// Backend::in_batch_softmax.
//
// Three products of B·B·D multiply-adds: logits S = Û P̂ᵀ, gradients of Û and P̂. A thread takes kRows
// rows of S at a time: their strip, (kRows, B), stays in its cache from the product to the exponents
// and on to both gradients, so that nothing is computed twice, and the B×B matrix never exists. The
// gradient of P̂ sums over all rows: it is collected in parts, one for each group of rows, whose
// number depends on B alone, and the parts are added in order. The last pass gathers the gradients of
// each distinct row through its list of occurrences and takes them through the normalisation.

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/unit_rows.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/in_batch_softmax.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

#include <hwy/contrib/math/math-inl.h>  // after highway.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kBlock>;

/// Calls body(f) for the first element of every vector of [0, size).
template <class Body>
HWY_INLINE void for_vectors(std::int64_t size, const Body& body) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  for (std::int64_t f = 0; f < size; f += lanes) body(f);
}
}  // namespace

/// Turns logits into exp(logit - largest). Returns the largest; *sum: of the results. All results are
/// 0 if every logit is -inf.
float exponentiate(float* HWY_RESTRICT logits, std::int64_t size, float* HWY_RESTRICT sum) {
  const Tag tag;
  auto largest = hn::Set(tag, -std::numeric_limits<float>::infinity());
  for_vectors(size, [&](std::int64_t f) { largest = hn::Max(hn::Load(tag, logits + f), largest); });
  const float most = hn::GetLane(hn::MaxOfLanes(tag, largest));
  const auto shift = hn::Set(tag, std::isinf(most) ? 0.0F : most);
  auto total = hn::Zero(tag);
  for_vectors(size, [&](std::int64_t f) {
    const auto e = hn::Exp(tag, hn::Sub(hn::Load(tag, logits + f), shift));
    hn::Store(e, tag, logits + f);
    total = hn::Add(total, e);
  });
  *sum = hn::GetLane(hn::SumOfLanes(tag, total));
  return most;
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(exponentiate);

namespace {

/// Rows of a strip: at B = 2048 it takes 512 KiB, half of an L2 cache. On an EPYC 9004, OpenBLAS makes
/// 54, 68, 72, 74 GFLOP/s a thread with 16, 32, 64, 128 rows.
constexpr std::int64_t kRows = 64;
constexpr std::int64_t kLargeBatch = 8192;
constexpr std::int64_t kRowsOfLargeBatch = 32;
/// Rows of a group, and the most groups: each has a table of gradients of its own.
constexpr std::int64_t kGroupRows = 256;
constexpr std::int64_t kMaxGroups = 16;
constexpr float kAbsent = -std::numeric_limits<float>::infinity();

using Exponentiate = float (*)(float*, std::int64_t, float*);

/// A call of the op: its inputs, and views of the workspace.
struct SoftmaxCall {
  const TripletsStorage& state;
  const InBatchSoftmaxOptions& options;
  SoftmaxWorkspace& work;
  std::int64_t count;   // pairs in the batch
  std::int64_t stride;  // of a row
  std::int64_t groups;
  RowKernels kernels;
  Exponentiate exponentiate;

  float* unit(std::size_t side, std::int64_t t) const {
    return work.units[side].data() + t * stride;
  }
  float* user_gradient(std::int64_t t) const { return work.user_gradient.data() + t * stride; }
  float* item_gradient(std::int64_t group, std::int64_t t) const {
    return work.item_gradients.data() + (group * count + t) * stride;
  }
  std::int64_t strip_stride() const { return padded(count); }
};

std::int64_t num_groups(std::int64_t count) {
  return std::clamp<std::int64_t>((count + kGroupRows - 1) / kGroupRows, 1, kMaxGroups);
}

std::int64_t strip_rows(std::int64_t count) {
  return count > kLargeBatch ? kRowsOfLargeBatch : std::min(count, kRows);
}

/// Calls mark(j) for every pair j of the batch whose positive is the set's row r.
template <class Mark>
void for_pairs_of(const Occurrences& items, std::int64_t r, const Mark& mark) {
  for (std::int32_t o = items.starts[r]; o < items.starts[r + 1]; ++o) {
    const std::int32_t occurrence = items.occurrences[o];
    if (occurrence % 2 == 0) mark(occurrence / 2);
  }
}

/// Takes away the columns that do not count in row t: itself and those of the mask.
void mask_row(const SoftmaxCall& call, std::int64_t t, float* logits) {
  const Occurrences& items = call.state.occurrences[1];
  const auto leave = [&](std::int32_t j) { logits[j] = kAbsent; };
  const auto leave_item = [&](NodeId item) {
    const auto& rows = items.set->rows;
    for_pairs_of(items, std::lower_bound(rows.begin(), rows.end(), item) - rows.begin(), leave);
  };
  const Triplet& pair = call.state.current[t];
  logits[t] = kAbsent;
  if (call.options.mask == SoftmaxMask::kSameItem) leave_item(pair.positive);
  if (call.options.mask != SoftmaxMask::kObserved) return;
  const CsrView csr = call.state.graph->csr(Side::kUser);
  for (EdgeOffset e = csr.offsets[pair.user]; e < csr.offsets[pair.user + 1]; ++e) {
    if (items.set->marks[csr.columns[e]] != 0) leave_item(csr.columns[e]);
  }
}

/// Rows [begin, begin + rows) of the logits: their losses, and their part of both gradients.
void softmax_rows(const SoftmaxCall& call, std::int64_t begin, std::int64_t rows, float* strip,
                  std::int64_t group, bool first) {
  const auto m = static_cast<int>(rows);
  const auto n = static_cast<int>(call.count);
  const auto ld = static_cast<int>(call.strip_stride());
  const auto width = static_cast<int>(call.stride);
  const double pull = 1.0 / (static_cast<double>(call.count) * call.options.temperature);
  const float* items = call.unit(1, 0);
  float* users = call.unit(0, begin);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, width,
              finite_factor(1.0 / call.options.temperature), users, width, items, width, 0.0F,
              strip, ld);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t t = begin + r;
    float* logits = strip + r * ld;
    const double positive = logits[t];
    std::fill(logits + n, logits + ld, kAbsent);
    if (call.options.popularity_correction != 0.0) {
      call.kernels.add(1.0F, call.work.bias.data(), logits, ld);
    }
    mask_row(call, t, logits);
    float sum = 0.0F;
    const double largest = call.exponentiate(logits, ld, &sum);
    const bool empty = std::isinf(largest) && largest < 0;
    const double weight = call.options.negative_weight;
    call.work.losses[t] = empty ? 0.0 : weight * (largest + std::log(sum)) - positive;
    call.work.pulls[t] = empty ? 0.0F : finite_factor(pull);
    call.work.pushes[t] = empty ? 0.0F : finite_factor(pull * weight / sum);
  }
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, width, n, 1.0F, strip, ld, items, width,
              0.0F, call.user_gradient(begin), width);
  float* pushed = call.work.pushed.data() + begin * call.stride;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t t = begin + r;
    float* gradient = call.user_gradient(t);
    call.kernels.scale(call.work.pushes[t], gradient, gradient, call.stride);
    call.kernels.add(-call.work.pulls[t], call.unit(1, t), gradient, call.stride);
    call.kernels.scale(call.work.pushes[t], call.unit(0, t), pushed + r * call.stride, call.stride);
  }
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, width, m, 1.0F, strip, ld, pushed, width,
              first ? 0.0F : 1.0F, call.item_gradient(group, 0), width);
}

/// The gradient of one distinct row; it stays zero if the row is only a negative of triplets.
void gather_gradient(const SoftmaxCall& call, std::size_t side, std::int64_t r, float* out) {
  const Occurrences& of = call.state.occurrences[side];
  std::fill_n(out, call.stride, 0.0F);
  std::int32_t last = -1;
  const auto add = [&](std::int32_t t) {
    last = t;
    if (side == 0) return call.kernels.add(1.0F, call.user_gradient(t), out, call.stride);
    for (std::int64_t group = 0; group < call.groups; ++group) {
      call.kernels.add(1.0F, call.item_gradient(group, t), out, call.stride);
    }
    call.kernels.add(-call.work.pulls[t], call.unit(0, t), out, call.stride);
  };
  if (side == 0) {
    for (std::int32_t o = of.starts[r]; o < of.starts[r + 1]; ++o) add(of.occurrences[o]);
  } else {
    for_pairs_of(of, r, add);
  }
  if (last >= 0) {
    project(call.kernels, call.unit(side, last), call.work.norms[side][last], out, call.stride);
  }
}

/// The bias of every column: -c log q.
void fill_bias(const SoftmaxCall& call) {
  float* bias = call.work.bias.data();
  std::fill_n(bias, call.strip_stride(), 0.0F);
  const CsrView items = call.state.graph->csr(Side::kItem);
  const auto edges = static_cast<double>(items.offsets[items.num_rows]);
  for (std::int64_t t = 0; t < call.count; ++t) {
    const auto degree = static_cast<double>(items.degree(call.state.current[t].positive));
    bias[t] = finite_factor(-call.options.popularity_correction *
                            std::log(std::max(degree, 1.0) / edges));
  }
}

}  // namespace

void CpuBackend::in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                                  const Matrix& users, const Matrix& items, Matrix& grad_users,
                                  Matrix& grad_items, Matrix& losses) {
  check_in_batch_softmax(triplets, options, users, items, grad_users, grad_items, losses);
  TripletsStorage& state = storage(triplets);
  check_sampled("in_batch_softmax", state.sampled());
  const auto count = static_cast<std::int64_t>(state.current.size());
  const std::int64_t stride = view(users).stride;
  const std::int64_t rows = strip_rows(count);
  const SoftmaxCall call{.state = state,
                         .options = options,
                         .work = state.softmax,
                         .count = count,
                         .stride = stride,
                         .groups = num_groups(count),
                         .kernels = choose_row_kernels(),
                         .exponentiate = HWY_DYNAMIC_DISPATCH(exponentiate)};
  call.work.grow(count, stride, call.groups, pool_.threads() * rows);

  const MatrixView<float> tables[] = {view(users), view(items)};
  parallel_for_blocks(pool_, 2 * count, kRowBlock, [&](std::int64_t i) {
    const std::size_t side = i < count ? 0 : 1;
    const std::int64_t t = side == 0 ? i : i - count;
    const Triplet& pair = state.current[t];
    const float* row = tables[side].row(side == 0 ? pair.user : pair.positive);
    call.work.norms[side][t] = normalize(call.kernels, row, call.unit(side, t), stride);
  });
  if (options.popularity_correction != 0.0) fill_bias(call);
  parallel_for_slots(pool_, call.groups, [&](std::int64_t group, int slot) {
    const std::int64_t begin = group * count / call.groups;
    const std::int64_t end = (group + 1) * count / call.groups;
    float* strip = call.work.strips.data() + slot * rows * call.strip_stride();
    for (std::int64_t t = begin; t < end; t += rows) {
      softmax_rows(call, t, std::min(rows, end - t), strip, group, t == begin);
    }
  });
  const MatrixView<float> gradients[] = {view(grad_users), view(grad_items)};
  const auto num_users = static_cast<std::int64_t>(state.occurrences[0].set->rows.size());
  const auto num_items = static_cast<std::int64_t>(state.occurrences[1].set->rows.size());
  parallel_for_blocks(pool_, num_users + num_items, kRowBlock, [&](std::int64_t i) {
    const std::size_t side = i < num_users ? 0 : 1;
    const std::int64_t r = side == 0 ? i : i - num_users;
    gather_gradient(call, side, r, gradients[side].row(state.occurrences[side].set->rows[r]));
  });
  double sum = 0.0;
  for (std::int64_t t = 0; t < count; ++t) sum += call.work.losses[t];
  view(losses)(0, state.batch) = static_cast<float>(sum / static_cast<double>(count));
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
