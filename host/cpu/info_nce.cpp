// InfoNCE between two views of one side's distinct nodes in the batch, see Backend::info_nce:
// SoftmaxPairs over their unit rows, where every column counts, also the row's own.

#include <algorithm>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/batch_pairs.hpp"
#include "host/cpu/softmax_pairs.hpp"

namespace tern::cpu {
namespace {

/// The distinct nodes of a side among the batch's pairs, ascending.
void list_nodes(const TripletsStorage& state, Side side, std::vector<NodeId>& nodes) {
  const std::vector<NodeId>& rows = state.occurrences[static_cast<std::size_t>(side)].set->rows;
  nodes.clear();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    bool found = false;
    for_pairs_of(state, side, static_cast<std::int64_t>(r),
                 [&](std::int32_t /*t*/) { found = true; });
    if (found) nodes.push_back(rows[r]);
  }
}

}  // namespace

void CpuBackend::info_nce(Triplets& triplets, const InfoNceOptions& options, Side side,
                          const Matrix& views, const Matrix& others, Matrix& grad_views,
                          Matrix& grad_others, Matrix& losses) {
  check_info_nce(triplets, options, side, views, others, grad_views, grad_others, losses);
  TripletsStorage& state = storage(triplets);
  check_sampled("info_nce", state.sampled());
  PairWorkspace& work = state.pairs;
  list_nodes(state, side, work.nodes);
  const auto count = static_cast<std::int64_t>(work.nodes.size());
  const OwnColumns own = own_columns(sums_, view(views));
  const std::int64_t stride = own.stride;
  work.grow(count, count, own.whole_stride, stride, pair_groups(count),
            pool_.threads() * max_strip_rows(count, count));
  if (sums_ != nullptr) {
    for (const std::size_t of : {0, 1}) grow_own_units(work, of, count, own);
    work.along.resize(static_cast<std::size_t>(2 * count));
  }
  const SoftmaxPairs pairs{.tables = {.left = work.units[0].data(),
                                      .right = work.units[1].data(),
                                      .count = count,
                                      .columns = count,
                                      .stride = own.whole_stride,
                                      .own_left = own_units(sums_, work, 0),
                                      .own_right = own_units(sums_, work, 1),
                                      .own_stride = stride,
                                      .sharpness = 1.0 / options.temperature,
                                      .panels = work.panels.data()},
                           .work = work,
                           .kernels = choose_row_kernels(),
                           .temperature = options.temperature,
                           .negative_weight = 1.0,
                           .weight = options.weight};
  const MatrixView<float> tables[] = {view(views), view(others)};
  if (sums_ != nullptr) {
    const SomeRows rows[] = {{tables[0], work.nodes}, {tables[1], work.nodes}};
    gather_whole_rows(pool_, *sums_, rows, work);
  }
  parallel_for_blocks(pool_, 2 * count, kRowBlock, [&](std::int64_t i) {
    const std::int64_t a = i % count;
    const std::int64_t of = i / count;
    if (sums_ != nullptr) {
      return normalize_whole_row(pairs.kernels, own, i, static_cast<std::size_t>(of), a, work);
    }
    work.norms[of][a] = normalize(pairs.kernels, tables[of].row(work.nodes[a]),
                                  work.units[of].data() + a * stride, stride);
  });
  pairs.run(pool_, [](std::int64_t /*t*/, float* /*logits*/) {});
  const MatrixView<float> gradients[] = {view(grad_views), view(grad_others)};
  // `pushed` is no longer needed, and each row of left_gradient is one iteration's own.
  const auto gradient_of = [&](std::int64_t of, std::int64_t a) {
    return (of == 0 ? work.left_gradient : work.pushed).data() + a * stride;
  };
  const auto add_gradient = [&](std::int64_t of, std::int64_t a) {
    pairs.kernels.add(1.0F, gradient_of(of, a), gradients[of].row(work.nodes[a]), stride);
  };
  parallel_for_blocks(pool_, 2 * count, kRowBlock, [&](std::int64_t i) {
    const std::int64_t a = i % count;
    const std::int64_t of = i / count;
    float* gradient = gradient_of(of, a);
    if (of == 1) {
      std::fill_n(gradient, stride, 0.0F);
      pairs.add_right_gradient(a, gradient);
    }
    const float* unit = own_units(sums_, work, static_cast<std::size_t>(of)) + a * stride;
    if (sums_ != nullptr) {
      work.along[i] = pairs.kernels.dot(unit, gradient, stride);
      return;
    }
    project(pairs.kernels, unit, work.norms[of][a], gradient, stride);
    add_gradient(of, a);
  });
  if (sums_ != nullptr) {
    sums_->complete(work.along);
    parallel_for_blocks(pool_, 2 * count, kRowBlock, [&](std::int64_t i) {
      const std::int64_t a = i % count;
      const std::int64_t of = i / count;
      project_part(pairs.kernels, work.own_units[of].data() + a * stride, work.norms[of][a],
                   work.along[i], gradient_of(of, a), stride);
      add_gradient(of, a);
    });
  }
  double sum = 0.0;
  for (std::int64_t a = 0; a < count; ++a) sum += work.losses[a];
  view(losses)(2 + static_cast<int>(side), state.batch) =
      static_cast<float>(options.weight * sum / static_cast<double>(count));
}

}  // namespace tern::cpu
