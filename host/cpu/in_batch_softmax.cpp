// The softmax loss of a batch of pairs against each other and its gradient, see
// Backend::in_batch_softmax: SoftmaxPairs over û and the columns' unit rows, and the sums over the rows
// and columns of each node.

#include <algorithm>
#include <cmath>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/batch_pairs.hpp"
#include "host/cpu/softmax_pairs.hpp"

namespace tern::cpu {
namespace {

/// Takes away the columns that do not count in row t: itself and those of the mask.
void mask_row(const TripletsStorage& state, const PairLayout& layout, SoftmaxMask mask,
              std::int64_t t, float* logits) {
  const RowSetStorage& items = *state.occurrences[1].set;
  const auto leave = [&](std::int32_t j) { logits[j] = kAbsent; };
  const auto leave_item = [&](NodeId item) {
    const auto& rows = items.rows;
    for_pairs_of(state, Side::kItem,
                 std::lower_bound(rows.begin(), rows.end(), item) - rows.begin(), leave, layout);
  };
  const Triplet& pair = state.current[layout.triplet(t)];
  logits[t] = kAbsent;
  if (mask == SoftmaxMask::kSameItem) leave_item(pair.positive);
  if (mask != SoftmaxMask::kObserved) return;
  const CsrView csr = state.graph->csr(Side::kUser);
  for (EdgeOffset e = csr.offsets[pair.user]; e < csr.offsets[pair.user + 1]; ++e) {
    if (items.marks[csr.columns[e]] != 0) leave_item(csr.columns[e]);
  }
}

/// The bias of every column: -c log q.
void fill_bias(const TripletsStorage& state, const PairLayout& layout, double correction,
               float* bias) {
  const CsrView items = state.graph->csr(Side::kItem);
  const auto edges = static_cast<double>(items.offsets[items.num_rows]);
  const auto triplets = static_cast<std::int64_t>(state.current.size());
  const std::int64_t columns = layout.columns(triplets);
  std::fill_n(bias, padded(columns), 0.0F);
  for (std::int64_t j = 0; j < columns; ++j) {
    const NodeId item = layout.item(state.current.data(), j, triplets);
    const auto degree = static_cast<double>(items.degree(item));
    const double share = column_share(degree, edges, state.negative_share, layout.negatives);
    bias[j] = finite_factor(-correction * std::log(share));
  }
}

}  // namespace

void CpuBackend::in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                                  const Matrix& users, const Matrix& items, Matrix& grad_users,
                                  Matrix& grad_items, Matrix& losses) {
  check_in_batch_softmax(triplets, options, users, items, grad_users, grad_items, losses);
  TripletsStorage& state = storage(triplets);
  check_sampled("in_batch_softmax", state.sampled());
  const PairLayout layout = layout_of(triplets, options);
  const std::int64_t count = layout.rows(std::ssize(state.current));
  const std::int64_t columns = layout.columns(std::ssize(state.current));
  const OwnColumns own = own_columns(sums_, view(users));
  PairWorkspace& work = state.pairs;
  work.grow(count, columns, own.whole_stride, own.stride, pair_groups(count),
            pool_.threads() * max_strip_rows(count, columns));
  const bool corrects = options.popularity_correction != 0.0;
  if (corrects) fill_bias(state, layout, options.popularity_correction, work.bias.data());
  normalize_pairs(pool_, sums_, state, view(users), view(items), layout);
  const PairWeight& weighed = options.pair_weight;
  const bool weighs = weighed.thresholds != nullptr;
  const SoftmaxPairs pairs{.tables = {.left = work.units[0].data(),
                                      .right = work.units[1].data(),
                                      .count = count,
                                      .columns = columns,
                                      .stride = own.whole_stride,
                                      .own_left = own_units(sums_, work, 0),
                                      .own_right = own_units(sums_, work, 1),
                                      .own_stride = own.stride,
                                      .sharpness = 1.0 / options.temperature,
                                      .bias = corrects ? work.bias.data() : nullptr,
                                      .panels = work.panels.data()},
                           .work = work,
                           .kernels = choose_row_kernels(),
                           .temperature = options.temperature,
                           .negative_weight = options.negative_weight,
                           .weight = 1.0,
                           .thresholds = weighs ? view(*weighed.thresholds).row(0) : nullptr,
                           .weight_temperature = weighed.temperature,
                           .triplets = state.current.data(),
                           .layout = layout};
  const auto mask = [&](std::int64_t t, float* logits) {
    mask_row(state, layout, options.mask, t, logits);
  };
  pairs.run(pool_, mask);
  gather_pair_gradients(
      pool_, sums_, state, Side::kUser, view(grad_users),
      [&](std::int32_t t, float* to) {
        pairs.kernels.add(1.0F, pairs.left_gradient(t), to, own.stride);
      },
      layout);
  gather_pair_gradients(
      pool_, sums_, state, Side::kItem, view(grad_items),
      [&](std::int32_t t, float* to) { pairs.add_right_gradient(t, to); }, layout);
  project_pair_gradients(pool_, sums_, state, view(grad_users), view(grad_items), layout);
  double sum = 0.0;
  for (std::int64_t t = 0; t < count; ++t) sum += work.losses[t];
  view(losses)(0, state.batch) = static_cast<float>(sum / static_cast<double>(count));
}

}  // namespace tern::cpu
