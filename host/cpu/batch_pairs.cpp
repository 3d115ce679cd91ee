#include "host/cpu/batch_pairs.hpp"

namespace tern::cpu {

void normalize_pairs(ThreadPool& pool, TripletsStorage& state, const MatrixView<float>& users,
                     const MatrixView<float>& items, const PairLayout& layout) {
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

}  // namespace tern::cpu
