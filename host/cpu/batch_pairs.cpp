#include "host/cpu/batch_pairs.hpp"

#include <span>

namespace tern::cpu {
namespace {

void normalize_gathered_pairs(ThreadPool& pool, PartialSums& sums, TripletsStorage& state,
                              const MatrixView<float>& users, const MatrixView<float>& items,
                              const PairLayout& layout) {
  const RowKernels kernels = choose_row_kernels();
  const OwnColumns own = own_columns(&sums, users);
  const std::vector<NodeId>& user_rows = state.occurrences[0].set->rows;
  const std::vector<NodeId>& item_rows = state.occurrences[1].set->rows;
  const SomeRows rows[] = {{users, user_rows}, {items, item_rows}};
  gather_whole_rows(pool, sums, rows, state.pairs);
  const auto triplets = static_cast<std::int64_t>(state.current.size());
  grow_own_units(state.pairs, 0, layout.rows(triplets), own);
  grow_own_units(state.pairs, 1, layout.columns(triplets), own);
  // Rows without a pair have no gradient.
  state.pairs.along.assign(user_rows.size() + item_rows.size(), 0.0);
  for (const std::size_t side : {0, 1}) {
    parallel_for_blocks(pool, std::ssize(rows[side].nodes), kRowBlock, [&](std::int64_t r) {
      for_pairs_of(
          state, static_cast<Side>(side), r,
          [&](std::int32_t t) {
            normalize_whole_row(kernels, own, state.distinct_row(side, r), side, t, state.pairs);
          },
          layout);
    });
  }
}

}  // namespace

void normalize_pairs(ThreadPool& pool, PartialSums* sums, TripletsStorage& state,
                     const MatrixView<float>& users, const MatrixView<float>& items,
                     const PairLayout& layout) {
  if (sums != nullptr) return normalize_gathered_pairs(pool, *sums, state, users, items, layout);
  const RowKernels kernels = choose_row_kernels();
  const MatrixView<float> tables[] = {users, items};
  const Triplet* batch = state.current.data();
  const auto triplets = static_cast<std::int64_t>(state.current.size());
  const std::int64_t count = layout.rows(triplets);
  parallel_for_blocks(pool, count + layout.columns(triplets), kRowBlock, [&](std::int64_t i) {
    const std::size_t side = i < count ? 0 : 1;
    const std::int64_t t = side == 0 ? i : i - count;
    const float* row = tables[side].row(side == 0 ? batch[layout.triplet(t)].user
                                                  : layout.item(batch, t, triplets));
    float* unit = state.pairs.units[side].data() + t * users.stride;
    state.pairs.norms[side][t] = normalize(kernels, row, unit, users.stride);
  });
}

void end_pair_gradient(const RowKernels& kernels, const PartialSums* sums, TripletsStorage& state,
                       std::size_t side, std::int64_t r, std::int32_t pair, float* gradient,
                       std::int64_t stride) {
  const float* unit = own_units(sums, state.pairs, side) + pair * stride;
  if (sums == nullptr) {
    project(kernels, unit, state.pairs.norms[side][pair], gradient, stride);
  } else {
    state.pairs.along[state.distinct_row(side, r)] = kernels.dot(unit, gradient, stride);
  }
}

void project_pair_gradients(ThreadPool& pool, PartialSums* sums, TripletsStorage& state,
                            const MatrixView<float>& grad_users,
                            const MatrixView<float>& grad_items, const PairLayout& layout) {
  if (sums == nullptr) return;
  sums->complete(state.pairs.along);
  const RowKernels kernels = choose_row_kernels();
  const MatrixView<float> gradients[] = {grad_users, grad_items};
  for (const std::size_t side : {0, 1}) {
    const std::vector<NodeId>& rows = state.occurrences[side].set->rows;
    const std::int64_t stride = gradients[side].stride;
    parallel_for_blocks(pool, std::ssize(rows), kRowBlock, [&](std::int64_t r) {
      const std::int32_t pair = last_pair_of(state, static_cast<Side>(side), r, layout);
      if (pair < 0) return;
      project_part(kernels, own_units(sums, state.pairs, side) + pair * stride,
                   state.pairs.norms[side][pair], state.pairs.along[state.distinct_row(side, r)],
                   gradients[side].row(rows[r]), stride);
    });
  }
}

}  // namespace tern::cpu
