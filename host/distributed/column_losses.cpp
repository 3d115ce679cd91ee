// The ops of a step that need whole rows: the losses of a batch, and what works on the length of rows. They
// exchange sums over the columns or the batch's rows (PartialSums), and write this rank's own columns.

#include <fmt/format.h>

#include "host/distributed/column_backend.hpp"
#include "host/distributed/column_storage.hpp"
#include "tern/error.hpp"

namespace tern::distributed {

PartialSums::Place ColumnBackend::Sums::place() const {
  return {columns_of(width_, communicator_.rank(), communicator_.size()).begin, width_};
}

void ColumnBackend::Sums::gather(std::span<const float> own, const MatrixView<float>& whole) {
  const std::int64_t cols = columns_of(width_, communicator_.rank(), communicator_.size()).size();
  exchange_.gather<float>({own.data(), whole.rows, cols, cols}, whole);
}

void ColumnBackend::begin_whole_rows(std::string_view op, const Matrix& table) {
  if (!is_split(table)) {
    throw ShapeError(fmt::format("{}: found a replicated table, expected one shared by ranks", op));
  }
  sums_.set_width(table.cols());
}

PairWeight ColumnBackend::part(const PairWeight& weight) const {
  PairWeight own = weight;
  if (weight.thresholds != nullptr) own.thresholds = &part(*weight.thresholds);
  return own;
}

RowSum ColumnBackend::part(const RowSum& sum) {
  RowSum own = sum;
  if (sum.sum != nullptr) own.sum = &part(*sum.sum);
  return own;
}

void ColumnBackend::in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                                     const Matrix& users, const Matrix& items, Matrix& grad_users,
                                     Matrix& grad_items, Matrix& losses) {
  gathered_.clear();
  begin_whole_rows("in_batch_softmax", users);
  InBatchSoftmaxOptions own = options;
  own.pair_weight = part(options.pair_weight);
  inner_->in_batch_softmax(triplets, own, part(users), part(items), part(grad_users),
                           part(grad_items), part(losses));
}

void ColumnBackend::alignment_uniformity(Triplets& triplets,
                                         const AlignmentUniformityOptions& options,
                                         const Matrix& users, const Matrix& items,
                                         Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  gathered_.clear();
  begin_whole_rows("alignment_uniformity", users);
  inner_->alignment_uniformity(triplets, options, part(users), part(items), part(grad_users),
                               part(grad_items), part(losses));
}

void ColumnBackend::sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                                     const Matrix& users, const Matrix& items, Matrix& grad_users,
                                     Matrix& grad_items, Matrix& losses) {
  gathered_.clear();
  begin_whole_rows("sampled_contrast", users);
  SampledContrastOptions own = options;
  own.pair_weight = part(options.pair_weight);
  inner_->sampled_contrast(triplets, own, part(users), part(items), part(grad_users),
                           part(grad_items), part(losses));
}

void ColumnBackend::info_nce(Triplets& triplets, const InfoNceOptions& options, Side side,
                             const Matrix& views, const Matrix& others, Matrix& grad_views,
                             Matrix& grad_others, Matrix& losses) {
  begin_whole_rows("info_nce", views);
  inner_->info_nce(triplets, options, side, part(views), part(others), part(grad_views),
                   part(grad_others), part(losses));
}

void ColumnBackend::perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
                            const RowSet* rows, const RowSum& sum) {
  begin_whole_rows("perturb", values);
  inner_->perturb(options, own_counter(step), part(values), rows, part(sum));
}

void ColumnBackend::normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) {
  begin_whole_rows("normalize_rows", x);
  inner_->normalize_rows(part(x), part(y), part(sum));
}

void ColumnBackend::normalize_rows_backward(const Matrix& x, const Matrix& grad_y, Matrix& grad_x,
                                            const RowAddend& addend) {
  begin_whole_rows("normalize_rows_backward", x);
  RowAddend own = addend;
  if (addend.matrix != nullptr) own.matrix = &part(*addend.matrix);
  inner_->normalize_rows_backward(part(x), part(grad_y), part(grad_x), own);
}

}  // namespace tern::distributed
