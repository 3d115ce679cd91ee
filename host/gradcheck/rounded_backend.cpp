#include "host/gradcheck/rounded_backend.hpp"

#include <cmath>
#include <numeric>

#include "host/backend/checks.hpp"
#include "host/gradcheck/problem.hpp"
#include "host/reference/storage.hpp"
#include "host/support/bf16.hpp"

namespace tern::gradcheck_detail {

Matrix RoundedBackend::rounded(const Matrix& matrix) {
  Values values = gradcheck_detail::download(*this, matrix);
  // The copy is in f64: rounding the changed values to bf16 would move those between two of them far.
  const auto& storage = storage_of<reference::MatrixStorage>(matrix, "gradcheck", "matrix");
  if (storage.gather == GatherPrecision::kBf16) {
    for (double& value : values) value = round_to_bf16(static_cast<float>(value));
  }
  for (double& value : values) value *= random_() % 2 == 0 ? 1.0 + share_ : 1.0 - share_;
  Matrix copy = allocate(matrix.rows(), matrix.cols(), {});
  upload(std::span<const double>(values), copy);
  return copy;
}

Matrix RoundedBackend::turned(const Matrix& matrix) {
  Values values = gradcheck_detail::download(*this, matrix);
  const auto width = static_cast<std::ptrdiff_t>(matrix.cols());
  for (auto row = values.begin(); row != values.end(); row += width) {
    const double square = std::inner_product(row, row + width, row, 0.0);
    const double change = share_ * std::sqrt(square / static_cast<double>(width));
    for (auto value = row; value != row + width; ++value) {
      *value += random_() % 2 == 0 ? change : -change;
    }
  }
  Matrix copy = allocate(matrix.rows(), matrix.cols(), {});
  upload(std::span<const double>(values), copy);
  return copy;
}

DenseLayer RoundedBackend::rounded(const DenseLayer& layer, std::deque<Matrix>& copies) {
  DenseLayer changed = layer;
  const auto replace = [&](const Matrix*& matrix) {
    if (matrix != nullptr) matrix = &copies.emplace_back(rounded(*matrix));
  };
  for (DenseSum* sum : {&changed.inner, &changed.outer}) {
    for (DenseTerm& term : sum->terms) {
      replace(term.input);
      replace(term.weight);
    }
    replace(sum->addend);
    replace(sum->bias);
  }
  if (changed.batch_norm) {
    replace(changed.batch_norm->scale);
    replace(changed.batch_norm->shift);
  }
  return changed;
}

void RoundedBackend::propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                               const PropagateOptions& options) {
  PropagateOptions changed = options;
  const Matrix addend = options.addend != nullptr ? rounded(*options.addend) : Matrix();
  if (options.addend != nullptr) changed.addend = &addend;
  ReferenceBackend::propagate(graph, to, rounded(x), y, changed);
}

void RoundedBackend::linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode,
                                           DenseState& state, Matrix& z) {
  std::deque<Matrix> copies;
  ReferenceBackend::linear_relu_batchnorm(rounded(layer, copies), mode, state, z);
}

void RoundedBackend::linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                                    const Matrix& grad_z,
                                                    const DenseGradients& gradients) {
  std::deque<Matrix> copies;
  ReferenceBackend::linear_relu_batchnorm_backward(rounded(layer, copies), state, rounded(grad_z),
                                                   gradients);
}

void RoundedBackend::bpr(Triplets& triplets, const Matrix& users, const Matrix& items,
                         Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  ReferenceBackend::bpr(triplets, rounded(users), rounded(items), grad_users, grad_items, losses);
}

void RoundedBackend::in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                                      const Matrix& users, const Matrix& items, Matrix& grad_users,
                                      Matrix& grad_items, Matrix& losses) {
  ReferenceBackend::in_batch_softmax(triplets, options, turned(users), turned(items), grad_users,
                                     grad_items, losses);
}

void RoundedBackend::alignment_uniformity(Triplets& triplets,
                                          const AlignmentUniformityOptions& options,
                                          const Matrix& users, const Matrix& items,
                                          Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  ReferenceBackend::alignment_uniformity(triplets, options, turned(users), turned(items),
                                         grad_users, grad_items, losses);
}

void RoundedBackend::sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                                      const Matrix& users, const Matrix& items, Matrix& grad_users,
                                      Matrix& grad_items, Matrix& losses) {
  const bool dots = options.similarity == PairSimilarity::kDot;
  ReferenceBackend::sampled_contrast(triplets, options, dots ? rounded(users) : turned(users),
                                     dots ? rounded(items) : turned(items), grad_users, grad_items,
                                     losses);
}

void RoundedBackend::info_nce(Triplets& triplets, const InfoNceOptions& options, Side side,
                              const Matrix& views, const Matrix& others, Matrix& grad_views,
                              Matrix& grad_others, Matrix& losses) {
  ReferenceBackend::info_nce(triplets, options, side, turned(views), turned(others), grad_views,
                             grad_others, losses);
}

void RoundedBackend::perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
                             const RowSet* rows, const RowSum& sum) {
  copy(rounded(values), values);
  ReferenceBackend::perturb(options, step, values, rows, sum);
}

void RoundedBackend::normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) {
  ReferenceBackend::normalize_rows(turned(x), y, sum);
}

void RoundedBackend::normalize_rows_backward(const Matrix& x, const Matrix& grad_y, Matrix& grad_x,
                                             const RowAddend& addend) {
  ReferenceBackend::normalize_rows_backward(turned(x), rounded(grad_y), grad_x, addend);
}

void RoundedBackend::l2_penalty(Triplets& triplets, double lambda, const Matrix& users,
                                const Matrix& items, Matrix& grad_users, Matrix& grad_items,
                                Matrix& losses) {
  ReferenceBackend::l2_penalty(triplets, lambda, rounded(users), rounded(items), grad_users,
                               grad_items, losses);
}

}  // namespace tern::gradcheck_detail
