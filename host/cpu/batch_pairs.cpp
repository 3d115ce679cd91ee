#include "host/cpu/batch_pairs.hpp"

namespace tern::cpu {

void normalize_pairs(ThreadPool& pool, TripletsStorage& state, const MatrixView<float>& users,
                     const MatrixView<float>& items) {
  const RowKernels kernels = choose_row_kernels();
  const MatrixView<float> tables[] = {users, items};
  const auto count = static_cast<std::int64_t>(state.current.size());
  parallel_for_blocks(pool, 2 * count, kRowBlock, [&](std::int64_t i) {
    const std::size_t side = i < count ? 0 : 1;
    const std::int64_t t = side == 0 ? i : i - count;
    const Triplet& pair = state.current[t];
    const float* row = tables[side].row(side == 0 ? pair.user : pair.positive);
    float* unit = state.pairs.units[side].data() + t * users.stride;
    state.pairs.norms[side][t] = normalize(kernels, row, unit, users.stride);
  });
}

}  // namespace tern::cpu
